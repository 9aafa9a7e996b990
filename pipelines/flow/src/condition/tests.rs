use std::time::Duration;

use arrow_array::cast::AsArray as _;
use signals::{BatchBuilder, ClockState, ManualClock, Offset, Reason, Signal, Value, ValueType};

use super::*;
use crate::codec::BatchCodec;
use crate::disk::sim::SimDisk;
use crate::log::LogOptions;
use crate::tables::TableStore;

fn journal(queue_records_max: usize) -> Log<Batch> {
    let disk: Arc<dyn signals::Disk> = Arc::new(SimDisk::new());
    let tables = TableStore::open(std::path::Path::new("/t"), Arc::clone(&disk)).unwrap();
    let options = LogOptions {
        queue_records_max,
        sync_interval: Duration::from_secs(3600),
        ..LogOptions::new("/j")
    };
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(0)));
    Log::open(options, disk, clock, Arc::new(BatchCodec::new(Arc::new(tables)))).unwrap().0
}

/// One row: `Ok` a value, `Err` a reason why there is none.
fn row(table: &Arc<Table>, second: i64, sample: Result<f64, Reason>) -> Batch {
    let mut rows = BatchBuilder::new(Arc::clone(table));
    rows.begin(Timestamp::from_micros(second * 1_000_000), 0, ClockState::Synced);
    match sample {
        Ok(value) => rows.set(0, Value::F64(value)),
        Err(reason) => rows.flaw(0, Quality::bad(reason)),
    }
    rows.finish().unwrap()
}

fn pump() -> Arc<Table> {
    let signals = vec![Signal::new("p/flow", "flow", ValueType::F64)];
    Table::of_signals("pump", "pump", false, signals).unwrap()
}

/// (table, last column but one, last column) of the rows of system tables in the journal.
fn system_rows(journal: &Log<Batch>) -> Vec<(String, String, String)> {
    journal.sync().unwrap();
    let entries = journal.read(Offset::START, 1_000).unwrap();
    let mut rows = Vec::new();
    for entry in entries.iter().filter(|e| e.record.table.name().starts_with('_')) {
        let columns = entry.record.rows.columns();
        let [.., a, b] = columns else { panic!("too few columns") };
        for row in 0..entry.record.rows.num_rows() {
            let text = |c: &arrow_array::ArrayRef| c.as_string::<i32>().value(row).to_owned();
            rows.push((entry.record.table.name().to_owned(), text(a), text(b)));
        }
    }
    rows
}

#[test]
fn each_change_of_quality_is_one_row() {
    let journal = journal(100);
    let intake = JournalIntake::new(GapLog::new(journal.clone()), EventLog::new(journal.clone()));
    let pump = pump();
    let samples = [
        Ok(1.0),
        Ok(2.0),
        Err(Reason::Timeout),
        Err(Reason::Timeout),
        Err(Reason::Demoted),
        Ok(3.0),
    ];
    for (second, sample) in (0..).zip(samples) {
        intake.offer(row(&pump, second, sample)).unwrap();
    }
    let classes: Vec<_> =
        system_rows(&journal).into_iter().map(|(_, c, r)| format!("{c}:{r}")).collect();
    assert_eq!(classes, ["good:", "bad:timeout", "bad:demoted", "good:"]);
}

#[test]
fn a_table_that_changes_while_it_runs_keeps_the_qualities_of_its_signals() {
    let journal = journal(100);
    let intake = JournalIntake::new(GapLog::new(journal.clone()), EventLog::new(journal.clone()));
    intake.offer(row(&pump(), 0, Err(Reason::Timeout))).unwrap();
    let signals = ["level", "flow"].map(|c| Signal::new(format!("p/{c}"), c, ValueType::F64));
    let wider = Table::of_signals("pump", "pump", false, signals.to_vec()).unwrap();
    let mut rows = BatchBuilder::new(Arc::clone(&wider));
    rows.begin(Timestamp::from_micros(1_000_000), 0, ClockState::Synced);
    rows.set(0, Value::F64(1.0));
    rows.flaw(1, Quality::bad(Reason::Timeout));
    intake.offer(rows.finish().unwrap()).unwrap();
    let classes: Vec<_> = system_rows(&journal).into_iter().map(|(_, c, _)| c).collect();
    assert_eq!(classes, ["bad", "good"], "the flow is as bad as before, the level is new");
}

#[test]
fn rows_that_find_no_room_leave_a_gap_row_with_their_number() {
    let journal = journal(2);
    let intake = JournalIntake::new(GapLog::new(journal.clone()), EventLog::new(journal.clone()));
    let pump = pump();
    intake.offer(row(&pump, 0, Ok(1.0))).unwrap();
    for second in 1..4 {
        let back = intake.offer(row(&pump, second, Ok(1.0))).unwrap_err();
        assert_eq!(back.rows.num_rows(), 1, "the batch comes back whole");
    }
    journal.sync().unwrap();
    intake.offer(row(&pump, 4, Ok(1.0))).unwrap();
    assert_eq!(intake.refused(), 3);
    let gaps: Vec<_> = system_rows(&journal).into_iter().filter(|(t, _, _)| t == "_gaps").collect();
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].1, "overload");
    assert!(gaps[0].2.starts_with("3 rows"), "{}", gaps[0].2);
}

fn overflow(second: i64) -> Notice {
    let at = Timestamp::from_micros(second * 1_000_000);
    let detail = "12 frames found no room".to_owned();
    let cause = "rx_queue_overflow";
    Notice::Gap(Gap { table: "truck_*".to_owned(), start: Some(at), end: Some(at), cause, detail })
}

fn event(second: i64) -> Notice {
    Notice::Event(signals::Event {
        ts: Timestamp::from_micros(second * 1_000_000),
        kind: "can_bus_state".to_owned(),
        severity: signals::Severity::Alarm,
        source: "truck".to_owned(),
        message: "bus off".to_owned(),
        details: serde_json::json!({ "tec": 255 }),
    })
}

#[test]
fn what_adapters_tell_becomes_rows_of_events_and_gaps() {
    let journal = journal(100);
    let intake = JournalIntake::new(GapLog::new(journal.clone()), EventLog::new(journal.clone()));
    intake.tell(event(1)).unwrap();
    intake.tell(overflow(2)).unwrap();
    let rows = system_rows(&journal);
    let row = |table: &str, a: &str, b: &str| (table.to_owned(), a.to_owned(), b.to_owned());
    let wanted = [
        row("_events", "bus off", "{\"tec\":255}"),
        row("_gaps", "rx_queue_overflow", "12 frames found no room"),
    ];
    assert_eq!(rows, wanted);
}

#[test]
fn a_full_journal_hands_back_what_adapters_tell() {
    let journal = journal(1);
    let intake = JournalIntake::new(GapLog::new(journal.clone()), EventLog::new(journal.clone()));
    while intake.offer(row(&pump(), 0, Ok(1.0))).is_ok() {}
    assert_eq!(intake.tell(event(1)), Err(Box::new(event(1))));
    assert_eq!(intake.tell(overflow(1)), Err(Box::new(overflow(1))));
}
