use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::*;
use crate::plant::FaultKind;

/// 2026-03-02T00:00:00Z, a Monday.
const START: Timestamp = Timestamp::from_micros(1_772_409_600_000_000);

fn scenario(seed: u64, length: Duration) -> Scenario {
    Scenario::new(seed, START, length)
}

/// Files in memory, by name.
#[derive(Clone, Default)]
struct Files(Rc<RefCell<BTreeMap<String, Vec<u8>>>>);

struct File(Files, String);

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.borrow_mut().entry(self.1.clone()).or_default().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written(scenario: Scenario) -> (BTreeMap<String, Vec<u8>>, Written) {
    let files = Files::default();
    let open = |name: &str| Ok(io::BufWriter::new(File(files.clone(), name.to_owned())));
    let written = Recording::new(scenario).write(open).unwrap();
    (files.0.take(), written)
}

fn text(files: &BTreeMap<String, Vec<u8>>, name: &str) -> String {
    String::from_utf8(files[name].clone()).unwrap()
}

#[test]
fn the_same_scenario_gives_the_same_bytes_and_another_seed_gives_others() {
    let of = |seed| written(scenario(seed, Duration::from_hours(2))).0;
    let (one, again, other) = (of(4), of(4), of(5));
    assert!(one == again);
    for name in ["pump.csv", "boiler.csv", "compressor.csv", "exchanger.csv", "labels.csv"] {
        assert!(one[name] != other[name], "{name}");
    }
}

#[test]
fn a_file_has_a_row_a_second_and_holds_what_the_registers_showed() {
    let short = scenario(4, Duration::from_mins(10));
    let (files, counts) = written(short);
    assert_eq!(counts.rows, 600);
    let pump = text(&files, "pump.csv");
    let lines: Vec<&str> = pump.lines().collect();
    assert_eq!(lines.len(), 601);
    assert_eq!(lines[0].split(',').nth(1), Some("running"));
    let mut recording = Recording::new(short);
    let flow = recording.columns().iter().position(|c| c.path() == "plant/pump/flow").unwrap();
    let place = lines[0].split(',').position(|column| column == "flow").unwrap();
    for line in &lines[1..] {
        let row = recording.next_row().unwrap();
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!(Timestamp::parse(fields[0]), Some(row.ts));
        assert_eq!(fields[place], format!("{:.4}", row.values[flow]));
        assert_eq!(fields[fields.len() - 2..], ["2", "1"], "it runs and makes a");
    }
    assert!(recording.next_row().is_none());
}

#[test]
fn every_recorded_tag_is_a_register_of_its_machine() {
    let recording = Recording::new(scenario(1, Duration::ZERO));
    let tags: usize = Device::ALL.into_iter().map(|device| device.recorded().len()).sum();
    assert_eq!(recording.columns().len(), tags);
    let signals = text(&written(scenario(1, Duration::ZERO)).0, "signals.csv");
    assert!(signals.contains("pump,flow,plant/pump/flow,m³/h\n"), "{signals}");
}

#[test]
fn each_machine_is_about_exactly_one_thing_at_each_second() {
    let month = scenario(9, Duration::from_hours(30 * 24));
    let labels = Recording::new(month).labels();
    for device in Device::ALL {
        let mut own: Vec<&Label> = labels
            .iter()
            .filter(|label| label.class == Class::Regime && label.asset == device.name())
            .collect();
        own.sort_by_key(|label| label.start);
        assert_eq!(own[0].start, month.start, "{device:?}");
        assert!(own.windows(2).all(|pair| pair[0].end == pair[1].start), "{device:?}");
        assert_eq!(own.last().unwrap().end, month.end(), "{device:?}");
        let kinds: std::collections::BTreeSet<&str> =
            own.iter().map(|label| label.kind.as_str()).collect();
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["maintenance", "run", "start", "stop"]);
    }
}

#[test]
fn a_months_labels_tell_all_faults_with_their_signals_and_work_with_its_tags() {
    let month = scenario(9, Duration::from_hours(30 * 24));
    let labels = Recording::new(month).labels();
    let faults = || labels.iter().filter(|label| label.class == Class::Fault);
    assert_eq!(faults().count(), 2 * FaultKind::ALL.len());
    assert!(faults().all(|label| !label.signals.is_empty() && label.regime == "run"));
    assert!(faults().all(|label| label.severity.is_some_and(|s| (0.6..=1.0).contains(&s))));
    let works = labels.iter().filter(|label| label.class == Class::Maintenance);
    assert!(works.clone().count() >= 5);
    assert!(works.into_iter().all(|label| label.maintenance.starts_with("WO-")));
}

#[test]
#[ignore = "a minute or two: prints what a month costs on this machine"]
fn cost_of_a_month() {
    let began = std::time::Instant::now();
    let mut recording = Recording::new(scenario(7, Duration::from_hours(30 * 24)));
    let mut rows = 0_u64;
    while recording.next_row().is_some() {
        rows += 1;
    }
    println!("{rows} rows in {:?}", began.elapsed());
    let began = std::time::Instant::now();
    let open = |_: &str| Ok(io::sink());
    let written = Recording::new(scenario(7, Duration::from_hours(30 * 24))).write(open).unwrap();
    println!("{written:?} written in {:?}", began.elapsed());
}
