#![expect(clippy::cast_precision_loss, reason = "small numbers of a test")]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use signals::{ClockState, SignalRef, Stop};

use super::fixtures::{Row, Sample, batch, cut_power, journal, table};
use super::rows::{PREFIX, Told, read};
use super::runner::Run;
use super::*;
use crate::disk::sim::SimDisk;
use crate::log::Log;
use crate::window::{self, Function};

const LATENESS_US: i64 = 500_000;

fn windows(length: u64, every: u64) -> WindowSettings {
    let shape =
        WindowShape { length: Duration::from_secs(length), every: Duration::from_secs(every) };
    let lateness = Duration::from_micros(LATENESS_US.unsigned_abs());
    WindowSettings { shape, lateness, ..WindowSettings::tumbling(shape.length) }
}

fn settings() -> AggregateSettings {
    AggregateSettings { windows: vec![windows(1, 1), windows(4, 4)], ..Default::default() }
}

/// Windows of all kinds, with quantiles.
fn all_kinds() -> AggregateSettings {
    let mut windows = vec![windows(1, 1), windows(4, 1), windows(6, 2), windows(5, 5)];
    for window in windows.iter_mut().skip(1) {
        window.functions.extend(["p5", "p50", "p99"].map(|name| Function::parse(name).unwrap()));
    }
    AggregateSettings { windows, ..Default::default() }
}

/// Rows of two tables: `plain`, and `bus` with source addresses; times rise within a table.
fn rows() -> impl Strategy<Value = Vec<(bool, Row)>> {
    let sample = prop_oneof![
        5 => (-1e3..1e3_f64).prop_map(Sample::Good),
        1 => (-1e3..1e3_f64).prop_map(Sample::Uncertain),
        1 => Just(Sample::Bad),
        1 => Just(Sample::Absent),
    ];
    let step = prop_oneof![9 => 1_000..400_000_i64, 1 => 400_000..9_000_000_i64];
    let row = (any::<bool>(), step, 0..2_u8, sample);
    prop::collection::vec(row, 1..120).prop_map(|rows| {
        let mut now = [1_000_000_000_i64; 2];
        rows.into_iter()
            .map(|(is_bus, step, sa, sample)| {
                let now = &mut now[usize::from(is_bus)];
                *now += step;
                (is_bus, Row { micros: *now, sa: if is_bus { sa } else { 0 }, sample })
            })
            .collect()
    })
}

/// Cuts rows into batches: a batch ends where the table changes and where `cuts` says so.
fn batches(rows: &[(bool, Row)], cuts: &[bool]) -> Vec<Batch> {
    let tables = [table("plain", false), table("bus", true)];
    let mut groups: Vec<(bool, Vec<Row>)> = Vec::new();
    for ((is_bus, row), cut) in rows.iter().zip(cuts.iter().cycle()) {
        match groups.last_mut().filter(|(last, _)| last == is_bus && !cut) {
            Some((_, group)) => group.push(*row),
            None => groups.push((*is_bus, vec![*row])),
        }
    }
    groups.iter().map(|(is_bus, group)| batch(&tables[usize::from(*is_bus)], group)).collect()
}

type Identity = (String, Timestamp, WindowShape, Option<u8>);

fn identity(closed: &Closed) -> Identity {
    (closed.table.name().to_owned(), closed.start, closed.shape, closed.sa)
}

fn aggregate(batches: &[Batch]) -> Vec<(Identity, Vec<(usize, Summary)>)> {
    aggregate_by(settings(), batches)
}

fn aggregate_by(
    settings: AggregateSettings,
    batches: &[Batch],
) -> Vec<(Identity, Vec<(usize, Summary)>)> {
    let mut aggregator = Aggregator::new(settings);
    let numbered = (0..).map(Offset).zip(batches);
    let closed = numbered.flat_map(|(offset, batch)| aggregator.apply(offset, batch));
    closed.map(|closed| (identity(&closed), closed.signals)).collect()
}

/// `flow` over one window, computed from the definition by walking over all rows.
fn brute_force(rows: &[Row], start: i64, length: i64) -> Summary {
    let end = start + length;
    let inside = |row: &&Row| (start..end).contains(&row.micros);
    let value = |row: &Row| match row.sample {
        Sample::Good(v) | Sample::Uncertain(v) => Some(v),
        Sample::Bad | Sample::Absent => None,
    };
    let values: Vec<f64> = rows.iter().filter(inside).filter_map(value).collect();
    let n = values.len() as f64;
    let some = |v: f64| (!values.is_empty()).then_some(v);
    let mean = values.iter().sum::<f64>() / n;
    let is_event = |row: &&Row| row.sample != Sample::Absent;
    let steps: Vec<(i64, Option<f64>)> = rows
        .iter()
        .filter(|row| (start - length..end).contains(&row.micros))
        .filter(is_event)
        .map(|row| (row.micros.max(start), value(row)))
        .collect();
    let until = steps.iter().skip(1).map(|(at, _)| *at).chain([end]);
    let (mut area, mut covered) = (0.0, 0.0);
    for ((from, held), to) in steps.iter().zip(until) {
        if let Some(held) = held {
            area += held * (to - from) as f64;
            covered += (to - from) as f64;
        }
    }
    let good = |row: &&Row| matches!(row.sample, Sample::Good(_));
    Summary {
        count: values.len() as u64,
        good: rows.iter().filter(inside).filter(good).count() as u64,
        min: values.iter().copied().reduce(f64::min),
        max: values.iter().copied().reduce(f64::max),
        mean: some(mean),
        twa: (covered > 0.0).then(|| area / covered),
        first: values.first().copied(),
        last: values.last().copied(),
        stddev: some((values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()),
        ..Summary::default()
    }
}

fn close_to(left: Option<f64>, right: Option<f64>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => (left - right).abs() <= 1e-9 * 1e3,
        (left, right) => left.is_none() && right.is_none(),
    }
}

#[test]
fn a_gateway_without_windows_keeps_nothing_and_holds_no_journal() {
    let settings = AggregateSettings { windows: Vec::new(), ..Default::default() };
    let mut aggregator = Aggregator::new(settings);
    for second in 0..100 {
        let row = Row { micros: second * 1_000_000, sa: 0, sample: Sample::Good(1.0) };
        let offset = Offset(second.unsigned_abs());
        assert!(aggregator.apply(offset, &batch(&table("plain", false), &[row])).is_empty());
        assert_eq!(aggregator.needed_from(), None);
        assert_eq!(aggregator.restart_from(offset), offset);
    }
}

proptest! {
    #[test]
    fn every_window_tells_what_its_rows_say(rows in rows()) {
        let told = aggregate(&batches(&rows, &[false]));
        for ((name, start, shape, sa), signals) in told {
            let of_window: Vec<Row> = rows
                .iter()
                .filter(|(is_bus, row)| *is_bus == (name == "bus") && sa.is_none_or(|sa| sa == row.sa))
                .map(|(_, row)| *row)
                .collect();
            let wanted = brute_force(&of_window, start.micros(), i64::try_from(shape.length.as_micros()).unwrap());
            let (place, flow) = signals[0];
            prop_assert_eq!(place, 0);
            let exact = |s: Summary| (s.count, s.good, s.min, s.max, s.first, s.last);
            prop_assert_eq!(exact(flow), exact(wanted));
            prop_assert!(close_to(flow.mean, wanted.mean), "{:?} {:?}", flow, wanted);
            prop_assert!(close_to(flow.twa, wanted.twa), "{:?} {:?}", flow, wanted);
            prop_assert!(close_to(flow.stddev, wanted.stddev), "{:?} {:?}", flow, wanted);
            let places: Vec<usize> = signals.iter().map(|(place, _)| *place).collect();
            prop_assert_eq!(places, vec![0, 1, 3], "text has no aggregates");
        }
    }

    #[test]
    fn every_window_that_has_passed_is_told_once(rows in rows()) {
        let mut told = BTreeMap::new();
        for (identity, _) in aggregate(&batches(&rows, &[false])) {
            *told.entry(identity).or_insert(0) += 1;
        }
        let mut wanted = BTreeMap::new();
        for (is_bus, row) in &rows {
            let of_table = rows.iter().filter(|(other, _)| other == is_bus);
            let newest = of_table.map(|(_, row)| row.micros).max().unwrap();
            for shape in settings().windows.iter().map(|of| of.shape) {
                let (start, end) = window::around(Timestamp::from_micros(row.micros), shape.length);
                if end.micros() <= newest - LATENESS_US {
                    let name = if *is_bus { "bus" } else { "plain" };
                    wanted.insert((name.to_owned(), start, shape, is_bus.then_some(row.sa)), 1);
                }
            }
        }
        prop_assert_eq!(told, wanted);
    }

    #[test]
    fn the_cut_into_batches_makes_no_difference(
        rows in rows(),
        cuts in prop::collection::vec(any::<bool>(), 1..20),
    ) {
        let sorted = |mut told: Vec<(Identity, Vec<(usize, Summary)>)>| {
            told.sort_by(|left, right| left.0.cmp(&right.0));
            told
        };
        let whole = sorted(aggregate(&batches(&rows, &[false])));
        prop_assert_eq!(whole, sorted(aggregate(&batches(&rows, &cuts))));
    }
}

/// Everything aggregates say in a journal, in order.
fn emitted(journal: &Log<Batch>) -> Vec<(Told, RecordRows)> {
    let mut at = journal.oldest();
    let mut found = Vec::new();
    loop {
        let entries = journal.read(at, 100).unwrap();
        let Some(last) = entries.last() else { return found };
        at = last.offset.next();
        let told = |batch: &Batch| Some((read(batch)?, RecordRows(batch.rows.clone())));
        found.extend(entries.iter().filter_map(|entry| told(&entry.record)));
    }
}

#[derive(Debug, PartialEq)]
struct RecordRows(arrow_array::RecordBatch);

fn steps(run: &mut Run<'_>, journal: &Log<Batch>) {
    while run.step().unwrap().records > 0 {
        journal.sync().unwrap();
    }
}

/// What is emitted when nothing happens.
fn undisturbed(batches: &[Batch], settings: &AggregateSettings) -> Vec<(Told, RecordRows)> {
    let journal = journal(&SimDisk::new());
    let mut run = Run::begin(&journal, settings).unwrap();
    for batch in batches {
        journal.append(batch.clone()).unwrap();
        journal.sync().unwrap();
        steps(&mut run, &journal);
    }
    drop(run);
    emitted(&journal)
}

/// Stops after the records whose numbers are in `stops`, by a power cut or in an orderly way.
/// Returns where the cursor stood at the end.
fn check_restarts(batches: &[Batch], stops: impl Fn(usize) -> bool, is_power_cut: bool) -> Offset {
    check_restarts_by(&settings(), batches, (stops, is_power_cut))
}

fn check_restarts_by(
    settings: &AggregateSettings,
    batches: &[Batch],
    (stops, is_power_cut): (impl Fn(usize) -> bool, bool),
) -> Offset {
    let disk = SimDisk::new();
    let mut log = journal(&disk);
    let mut fed = 0;
    while fed < batches.len() {
        let mut run = Run::begin(&log, settings).unwrap();
        steps(&mut run, &log);
        while let Some(batch) = batches.get(fed) {
            log.append(batch.clone()).unwrap();
            log.sync().unwrap();
            fed += 1;
            log.cursor("aggregate").flush().unwrap();
            // Windows that this step appends are not durable yet.
            run.step().unwrap();
            if stops(fed) {
                break;
            }
            steps(&mut run, &log);
        }
        drop(run);
        if is_power_cut {
            cut_power(&disk, log);
        } else {
            drop(log);
        }
        log = journal(&disk);
    }
    let mut run = Run::begin(&log, settings).unwrap();
    steps(&mut run, &log);
    drop(run);
    let (found, wanted) = (emitted(&log), undisturbed(batches, settings));
    for (place, pair) in found.iter().zip(&wanted).enumerate() {
        assert_eq!(pair.0.0, pair.1.0, "window {place}, power cut: {is_power_cut}");
        assert_eq!(pair.0.1, pair.1.1, "window {place}, power cut: {is_power_cut}");
    }
    assert_eq!(found.len(), wanted.len());
    log.cursor("aggregate").at()
}

/// Two tables, three batches a second, for 20 seconds, with a pause.
fn plant() -> Vec<Batch> {
    let tables = [table("plain", false), table("bus", true)];
    let row = |i: i64| Row {
        micros: 1_000_000_000 + i * 170_000 + i64::from(i > 40) * 6_000_000,
        sa: u8::from(i % 3 == 0),
        sample: if i % 11 == 0 { Sample::Bad } else { Sample::Good(i as f64) },
    };
    (0..60)
        .map(|i| {
            let table = &tables[usize::from(i % 2 == 0)];
            let rows = [row(2 * i), row(2 * i + 1)];
            let sa =
                |row: Row| Row { sa: if table.by_source_address() { row.sa } else { 0 }, ..row };
            batch(table, &rows.map(sa))
        })
        .collect()
}

#[test]
fn a_stop_after_any_record_gives_the_same_rows() {
    let batches = plant();
    for stop_at in 0..batches.len() {
        check_restarts(&batches, |fed| fed == stop_at, false);
    }
}

#[test]
fn a_power_cut_after_any_record_gives_the_same_rows() {
    let batches = plant();
    for stop_at in 0..batches.len() {
        check_restarts(&batches, |fed| fed == stop_at, true);
    }
}

#[test]
fn a_power_cut_after_every_record_gives_the_same_rows() {
    let cursor = check_restarts(&plant(), |_| true, true);
    assert!(cursor > Offset(40), "the cursor moves: it stands at {cursor}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn restarts_anywhere_make_no_difference(
        rows in rows(),
        cuts in prop::collection::vec(any::<bool>(), 1..20),
        stops in prop::collection::vec(any::<bool>(), 1..20),
        is_power_cut in any::<bool>(),
    ) {
        check_restarts(&batches(&rows, &cuts), |fed| stops[fed % stops.len()], is_power_cut);
    }
}

#[test]
fn times_of_a_table_of_aggregates_rise_strictly() {
    let journal = journal(&SimDisk::new());
    let mut run = Run::begin(&journal, &settings()).unwrap();
    for batch in plant() {
        journal.append(batch).unwrap();
    }
    journal.sync().unwrap();
    steps(&mut run, &journal);
    let found = emitted(&journal);
    for window in ["1s", "4s"] {
        let of_window = found.iter().filter(|(told, _)| told.window == window);
        let spans: Vec<_> = of_window.map(|(told, _)| (told.ts, told.last_ts, told.end)).collect();
        assert!(spans.len() > 3);
        assert!(spans.iter().all(|(first, last, end)| end <= first && first < last));
        assert!(spans.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }
}

#[test]
fn rows_for_a_closed_window_are_counted_and_not_told() {
    let table = table("plain", false);
    let good = |micros| Row { micros, sa: 0, sample: Sample::Good(1.0) };
    let mut aggregator = Aggregator::new(settings());
    assert!(aggregator.apply(Offset(0), &batch(&table, &[good(100_000)])).is_empty());
    assert_eq!(aggregator.apply(Offset(1), &batch(&table, &[good(1_600_000)])).len(), 1);
    let late = batch(&table, &[good(900_000)]);
    assert!(aggregator.apply(Offset(2), &late).is_empty());
    let second = WindowShape::tumbling(Duration::from_secs(1));
    let late = LateRows::from([(("plain".to_owned(), second), 1)]);
    assert_eq!(*aggregator.late_rows(), late, "late for 1 s, in time for 4 s");
}

#[test]
fn a_silent_table_lets_go_of_the_journal() {
    let silence = AggregateSettings { silence_records: 3_000, ..settings() };
    let mut aggregator = Aggregator::new(silence);
    let good = |micros| Row { micros, sa: 0, sample: Sample::Good(1.0) };
    aggregator.apply(Offset(0), &batch(&table("bus", true), &[good(100_000)]));
    let mut closed = Vec::new();
    for i in 1..5_000 {
        let row = good(i64::try_from(i).unwrap() * 1_000);
        closed.extend(aggregator.apply(Offset(i), &batch(&table("plain", false), &[row])));
    }
    let of_bus = closed.iter().filter(|closed| closed.table.name() == "bus").count();
    assert_eq!(of_bus, 2, "both of its windows are told");
    assert!(aggregator.needed_from() > Some(Offset(0)));
}

#[test]
fn a_table_that_changes_keeps_what_was_collected_of_signals_that_stay() {
    let before = table("plain", false);
    let new = signals::Signal::new("plant/plain/new", "new", signals::ValueType::F64);
    let renamed = before.signals().iter().skip(1).map(SignalRef::to_signal).chain([new]).collect();
    let after = Table::of_signals("plain", "device", false, renamed).unwrap();
    let good = |micros| Row { micros, sa: 0, sample: Sample::Good(1.0) };
    let mut aggregator = Aggregator::new(settings());
    aggregator.apply(Offset(0), &batch(&before, &[good(100_000)]));
    let mut rows = signals::BatchBuilder::new(Arc::clone(&after));
    rows.begin(Timestamp::from_micros(1_500_000), 0, ClockState::Synced);
    rows.set(3, signals::Value::F64(5.0));
    let closed = aggregator.apply(Offset(1), &rows.finish().unwrap());
    let counts: Vec<_> =
        closed[0].signals.iter().map(|(place, told)| (*place, told.count)).collect();
    assert_eq!(counts, [(0, 1), (2, 1), (3, 0)]);
}

#[test]
fn tables_of_the_gateway_itself_have_no_aggregates() {
    let journal = journal(&SimDisk::new());
    for batch in plant() {
        journal.append(batch).unwrap();
    }
    let mut run = Run::begin(&journal, &settings()).unwrap();
    steps(&mut run, &journal);
    assert!(emitted(&journal).iter().all(|(told, _)| !told.table.starts_with(PREFIX)));
}

#[test]
fn the_loop_ends_when_it_is_told_to() {
    let journal = journal(&SimDisk::new());
    let stop = Stop::new();
    let aggregate = Aggregate { journal, settings: settings(), vitals: Arc::default() };
    std::thread::scope(|scope| {
        scope.spawn(|| aggregate.run(&stop));
        stop.raise();
    });
    assert_eq!(aggregate.vitals.lock().unwrap().last_error, None);
}

#[test]
fn windows_are_whole_milliseconds_of_whole_steps_and_stand_once() {
    let micros = |length, every| WindowSettings {
        shape: WindowShape {
            length: Duration::from_micros(length),
            every: Duration::from_micros(every),
        },
        ..windows(1, 1)
    };
    let twice = vec![Function::Mean, Function::Min, Function::Mean];
    let windows = vec![
        windows(1, 1),
        micros(1_500, 1_500),
        windows(1, 1),
        windows(4, 3),
        micros(61_000_000, 1_000_000),
        windows(60, 1),
        WindowSettings { functions: twice, ..windows(2, 1) },
        WindowSettings { functions: Vec::new(), ..windows(3, 1) },
    ];
    let mistakes = AggregateSettings { windows, ..settings() }.check();
    let keys: Vec<_> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    let wanted = [
        "aggregate[1].window",
        "aggregate[2].window",
        "aggregate[3].every",
        "aggregate[4].every",
        "aggregate[6].functions",
        "aggregate[7].functions",
    ];
    assert_eq!(keys, wanted);
}

mod late;
