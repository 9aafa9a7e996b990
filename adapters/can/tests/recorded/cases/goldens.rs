//! Whole logs against their golden files.

use std::collections::HashMap;
use std::path::Path;

use adapters_can::bits::Payload;
use adapters_can::dbc::Number;
use adapters_can::frame::Frame;
use adapters_can::j1939;
use adapters_can::log_decode::LogDecode;
use adapters_can::logs::LogReader;
use adapters_can::plan::{DecodePlan, Matching, Raw, Reading};
use adapters_can::source::Source;
use arrow_array::{Array as _, cast::AsArray as _, types::Float64Type};
use serde_json::Value;
use signals::{Batch, Reason, ValueType};

use super::{beside, database, files};

/// What a whole log gives for one signal.
#[derive(Default)]
struct Tally {
    count: u64,
    raw_sum: i128,
    min: Option<f64>,
    max: Option<f64>,
    first_us: i64,
    last_us: i64,
    last: f64,
    states: HashMap<&'static str, u64>,
    valid_min: Option<f64>,
    valid_max: Option<f64>,
}

#[test]
fn every_log_gives_the_counts_sums_extremes_and_times_of_its_golden_file() {
    let goldens = files("golden", ".json");
    assert!(goldens.len() >= 7, "{goldens:?}");
    for path in goldens {
        let golden: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        check_raw(&path, &golden);
        check_batches(&path, &golden);
        println!("{}: {} frames matched", path.display(), golden["frames_matched"]);
    }
}

fn matching(golden: &Value) -> Matching {
    if golden["match"] == "pgn" { Matching::Pgn } else { Matching::Exact }
}

fn check_raw(path: &Path, golden: &Value) {
    let loaded = database(&beside(path, "dbc", golden["dbc"].as_str().unwrap()));
    let plan = DecodePlan::new(&[loaded], matching(golden), |_, _| true);
    let log = Source::File(beside(path, "logs", golden["log"].as_str().unwrap()));
    let mut reader = LogReader::new(log.open().unwrap());
    let (mut frames, mut matched) = (0_u64, 0_u64);
    let mut ids: HashMap<String, u64> = HashMap::new();
    let mut tallies: HashMap<String, Tally> = HashMap::new();
    let (mut frame, mut payload, mut chosen) = (Frame::default(), Payload::new(), Vec::new());
    while reader.next(&mut frame).unwrap() {
        frames += 1;
        // The goldens with PGN matching count 29-bit identifiers only.
        let Some(at) = plan.find(&frame).filter(|_| frame.extended || golden["match"] == "exact")
        else {
            continue;
        };
        matched += 1;
        *ids.entry(format!("{:X}", frame.id)).or_default() += 1;
        let message = &plan.messages()[at];
        payload.load(frame.bytes());
        message.choose(&payload, &mut chosen);
        for signal in &message.signals {
            if let Reading::Raw(raw) = signal.read(&payload, &chosen) {
                let name = format!("{}.{}", message.name, signal.def.name);
                let tally = tallies.entry(name).or_default();
                let state = (golden["match"] == "pgn")
                    .then(|| state_of(signal.def.field.width(), raw))
                    .flatten();
                tally.take(frame.ts.micros(), (raw, signal.physical(raw)), state);
            }
        }
    }
    assert_eq!(reader.bad_lines().count, 0, "{}", path.display());
    assert_eq!(golden["frames_in_log"], frames, "{}", path.display());
    assert_eq!(golden["frames_matched"], matched, "{}", path.display());
    assert_eq!(golden["ids_matched"], serde_json::to_value(ids).unwrap(), "{}", path.display());
    let signals = golden["signals"].as_object().unwrap();
    assert_eq!(signals.len(), tallies.len(), "{}", path.display());
    for (name, want) in signals {
        tallies[name].compare(want, &format!("{} {name}", path.display()));
    }
}

/// As the goldens count them: 2- and 4-bit states too.
fn state_of(bits: u32, raw: Raw) -> Option<&'static str> {
    let raw = match raw {
        Raw::Unsigned(raw) => raw,
        Raw::Signed(raw) => u64::try_from(raw).unwrap_or(0),
        Raw::Float32(_) | Raw::Float64(_) | Raw::Wide => return None,
    };
    match (bits, raw) {
        (2, 2) | (4, 14) => return Some("error"),
        (2, 3) | (4, 15) => return Some("na"),
        (2 | 4, _) => return Some("valid"),
        _ => {}
    }
    if !matches!(bits, 8 | 16 | 24 | 32) {
        return None;
    }
    Some(match j1939::state(bits, raw) {
        j1939::State::Valid => "valid",
        j1939::State::Specific => "specific",
        j1939::State::Reserved => "reserved",
        j1939::State::Error => "error",
        j1939::State::NotAvailable => "na",
    })
}

impl Tally {
    fn take(&mut self, ts: i64, (raw, physical): (Raw, f64), state: Option<&'static str>) {
        if self.count == 0 {
            self.first_us = ts;
        }
        self.count += 1;
        self.last_us = ts;
        self.last = physical;
        match raw {
            Raw::Unsigned(raw) => self.raw_sum += i128::from(raw),
            Raw::Signed(raw) => self.raw_sum += i128::from(raw),
            Raw::Float32(_) | Raw::Float64(_) | Raw::Wide => {}
        }
        let min = |old: Option<f64>| Some(old.map_or(physical, |o| o.min(physical)));
        let max = |old: Option<f64>| Some(old.map_or(physical, |o| o.max(physical)));
        if physical.is_finite() {
            (self.min, self.max) = (min(self.min), max(self.max));
        }
        if let Some(state) = state {
            *self.states.entry(state).or_default() += 1;
            if state == "valid" {
                (self.valid_min, self.valid_max) = (min(self.valid_min), max(self.valid_max));
            }
        }
    }

    fn compare(&self, want: &Value, about: &str) {
        assert_eq!(want["count"], self.count, "{about} count");
        assert_eq!(want["raw_sum"], self.raw_sum.to_string(), "{about} raw_sum");
        assert_eq!(want["first_us"], self.first_us, "{about} first_us");
        assert_eq!(want["last_us"], self.last_us, "{about} last_us");
        assert_eq!(want["last"].as_f64().map(f64::to_bits), Some(self.last.to_bits()), "{about}");
        for (key, got) in [
            ("min", self.min),
            ("max", self.max),
            ("valid_min", self.valid_min),
            ("valid_max", self.valid_max),
        ] {
            assert_eq!(want[key].as_f64(), got, "{about} {key}");
        }
        for state in ["valid", "specific", "reserved", "error", "na"] {
            let got = self.states.get(state).copied();
            assert_eq!(want[state].as_u64(), got, "{about} {state}");
        }
    }
}

/// The same numbers once more, from the columns and flaws of the batches.
fn check_batches(path: &Path, golden: &Value) {
    let dbc = beside(path, "dbc", golden["dbc"].as_str().unwrap());
    let log = beside(path, "logs", golden["log"].as_str().unwrap());
    let plan = DecodePlan::new(&[database(&dbc)], matching(golden), |_, _| true);
    let mut decode = LogDecode::open(&[&dbc], &log, matching(golden)).unwrap();
    let mut values: HashMap<String, (u64, f64)> = HashMap::new();
    let mut flaws: HashMap<(String, String), u64> = HashMap::new();
    let mut rows = 0;
    while let Some(batch) = decode.next_batch().unwrap() {
        assert!(batch.rows.num_rows() <= 8192);
        assert!(batch.timestamps().is_sorted_by(|a, b| a < b));
        // Trouble codes are not in the database; `transfers` counts them.
        if batch.table.name().ends_with("_dm1_codes") {
            continue;
        }
        rows += batch.rows.num_rows() as u64;
        count(&batch, &mut values, &mut flaws);
    }
    assert_eq!(decode.summary().matched, rows);
    assert_eq!(golden["frames_in_log"], decode.summary().frames);
    if golden["match"] == "exact" {
        assert_eq!(golden["frames_matched"], rows);
    }
    for message in plan.messages() {
        for signal in &message.signals {
            let name = format!("{}.{}", message.name, signal.def.name);
            let want = &golden["signals"][&name];
            if want.is_null() {
                continue;
            }
            let ranged = golden["match"] == "pgn"
                && signal.def.number == Number::Unsigned
                && signal.def.field.width() >= 8;
            let invalid = |key: &str| if ranged { want[key].as_u64().unwrap_or(0) } else { 0 };
            let flaw = |reason: Reason| {
                flaws.get(&(name.clone(), reason.to_string())).copied().unwrap_or(0)
            };
            assert_eq!(flaw(Reason::NotAvailable), invalid("na"), "{name}");
            assert_eq!(flaw(Reason::ErrorIndicator), invalid("error"), "{name}");
            let reserved = invalid("specific") + invalid("reserved");
            assert_eq!(flaw(Reason::ReservedRange), reserved, "{name}");
            let nulled = invalid("na") + invalid("error") + reserved;
            let (count, max) = values.get(&name).copied().unwrap_or((0, f64::NEG_INFINITY));
            assert_eq!(want["count"].as_u64().unwrap(), count + nulled, "{name}");
            let key = if ranged && !want["valid"].is_null() { "valid_max" } else { "max" };
            if nulled < want["count"].as_u64().unwrap() && signal.kind == ValueType::F64 {
                assert_eq!(want[key].as_f64(), Some(max), "{name}");
            }
        }
    }
}

/// Counts the values of a batch and finds the greatest of each signal.
fn count(
    batch: &Batch,
    values: &mut HashMap<String, (u64, f64)>,
    flaws: &mut HashMap<(String, String), u64>,
) {
    for (place, signal) in batch.table.signals().iter().enumerate() {
        let column = batch.column(place);
        let entry = values.entry(signal.source.to_owned()).or_insert((0, f64::NEG_INFINITY));
        entry.0 += (column.len() - column.null_count()) as u64;
        if signal.kind == ValueType::F64 {
            let numbers = column.as_primitive::<Float64Type>();
            entry.1 = numbers.iter().flatten().fold(entry.1, f64::max);
        }
    }
    for flaw in &batch.flaws {
        let signal = batch.table.signals().get(usize::from(flaw.signal)).unwrap();
        let source = signal.source.to_owned();
        *flaws.entry((source, flaw.quality.reason.to_string())).or_default() += 1;
    }
}
