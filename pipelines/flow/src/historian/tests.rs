use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use signals::{BatchBuilder, ClockState, ManualClock, Signal, Table, Value, ValueType};

use super::*;
use crate::codec::BatchCodec;
use crate::disk::RealDisk;
use crate::log::LogOptions;
use crate::tables::TableStore;

/// 2026-10-25T23:59:50Z: ten rows at 1 Hz before midnight, the rest after.
pub(super) const START: i64 = 1_793_059_190_000_000;

pub(super) fn table(columns: usize) -> Arc<Table> {
    let signals = (0..columns)
        .map(|place| Signal::new(format!("p/s{place}"), format!("s{place}"), ValueType::F64))
        .collect();
    Table::of_signals("pump", "pump", false, signals).unwrap()
}

fn batch(table: &Arc<Table>, second: i64) -> Batch {
    let mut rows = BatchBuilder::new(Arc::clone(table));
    rows.begin(Timestamp::from_micros(START + second * 1_000_000), 0, ClockState::Synced);
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    rows.set(0, Value::F64(second as f64));
    rows.finish().unwrap()
}

pub(super) fn journal(folder: &Path) -> Log<Batch> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let tables = Arc::new(TableStore::open(&folder.join("tables"), Arc::clone(&disk)).unwrap());
    let options = LogOptions {
        sync_interval: Duration::from_millis(1),
        ..LogOptions::new(folder.join("journal"))
    };
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(START)));
    Log::open(options, disk, clock, Arc::new(BatchCodec::new(tables))).unwrap().0
}

pub(super) fn historian(folder: &Path, journal: &Log<Batch>) -> Historian {
    let options = HistorianOptions::new(folder.join("lake"), "gw");
    Historian::new(GapLog::new(journal.clone()), Arc::new(RealDisk), options).unwrap()
}

/// Every (time, value) in the lake, in the order of the file names.
pub(super) fn rows_in_lake(folder: &Path) -> Vec<(i64, f64)> {
    let mut rows = Vec::new();
    for file in lake::files(&RealDisk, &folder.join("lake"), "pump").unwrap() {
        let open = std::fs::File::open(&file.path).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(open).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
            let values = batch.column_by_name("s0").unwrap().as_primitive::<Float64Type>();
            rows.extend(times.values().iter().copied().zip(values.values().iter().copied()));
        }
    }
    rows
}

pub(super) fn expected(seconds: std::ops::Range<i64>) -> Vec<(i64, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    seconds.map(|second| (START + second * 1_000_000, second as f64)).collect()
}

pub(super) fn add(journal: &Log<Batch>, table: &Arc<Table>, seconds: std::ops::Range<i64>) {
    for second in seconds {
        journal.append(batch(table, second)).unwrap();
    }
    journal.sync().unwrap();
}

#[test]
fn every_row_is_in_exactly_one_file_across_midnight_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(1);
    let journal = journal(folder.path());
    for part in [0..4, 4..15, 15..20] {
        add(&journal, &table, part);
        // Each time a new historian, as after a restart.
        let historian = historian(folder.path(), &journal);
        let mut at = historian.cursor.at();
        historian.take_in(&mut at).unwrap();
        historian.seal_all(at);
    }
    assert_eq!(rows_in_lake(folder.path()), expected(0..20));
}

#[test]
fn a_kill_between_two_files_of_one_seal_neither_loses_nor_doubles() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(1);
    let journal = journal(folder.path());
    add(&journal, &table, 0..20);
    let first = historian(folder.path(), &journal);
    let mut at = first.cursor.at();
    first.take_in(&mut at).unwrap();
    // Killed after the first date's file: the cursor was never moved.
    first.seal_oldest(&("pump".to_owned(), Timestamp::from_micros(START).date()));
    add(&journal, &table, 20..25);
    let second = historian(folder.path(), &journal);
    let mut at = second.cursor.at();
    assert_eq!(at, Offset::START);
    second.take_in(&mut at).unwrap();
    second.seal_all(at);
    assert_eq!(rows_in_lake(folder.path()), expected(0..25));
    assert_eq!(second.cursor.at(), journal.durable());
}

#[test]
fn a_changed_table_gets_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    add(&journal, &table(1), 0..3);
    add(&journal, &table(2), 3..6);
    let historian = historian(folder.path(), &journal);
    let mut at = historian.cursor.at();
    historian.take_in(&mut at).unwrap();
    historian.seal_all(at);
    assert_eq!(lake::files(&RealDisk, &folder.path().join("lake"), "pump").unwrap().len(), 2);
    assert_eq!(rows_in_lake(folder.path()), expected(0..6));
}

#[test]
fn the_same_journal_range_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    add(&journal, &table(1), 0..5);
    let bytes = || {
        let lake = folder.path().join("lake");
        if lake.try_exists().unwrap() {
            std::fs::remove_dir_all(&lake).unwrap();
        }
        let historian = historian(folder.path(), &journal);
        let mut at = Offset::START;
        historian.take_in(&mut at).unwrap();
        historian.seal_all(at);
        let file = lake::files(&RealDisk, &lake, "pump").unwrap().remove(0);
        std::fs::read(file.path).unwrap()
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn stopping_seals_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    add(&journal, &table(1), 0..5);
    let historian = historian(folder.path(), &journal);
    let stop = Stop::new();
    stop.raise();
    historian.run(&stop);
    assert_eq!(rows_in_lake(folder.path()), expected(0..5));
    assert_eq!(historian.unsealed_rows(), 0);
}

#[test]
fn a_file_says_of_each_column_what_is_known_of_its_signal() {
    let folder = tempfile::tempdir().unwrap();
    let (table, path) = (crate::tables::tests::described(), folder.path().join("one.parquet"));
    let mut rows = BatchBuilder::new(Arc::clone(&table));
    rows.begin(Timestamp::from_micros(START), 0, ClockState::Synced);
    rows.set(0, Value::F64(1.5));
    let about = FileAbout {
        table,
        gateway: "gw".to_owned(),
        from: Offset(0),
        to: Offset(0),
        clock: ClockState::Synced,
        profile: Profile::Default,
    };
    let batch = rows.finish().unwrap();
    let write = || {
        write_file(&RealDisk, &path, &about, std::slice::from_ref(&batch.rows)).unwrap();
        std::fs::read(&path).unwrap()
    };
    let bytes = write();
    let open = std::fs::File::open(&path).unwrap();
    let schema = Arc::clone(ParquetRecordBatchReaderBuilder::try_new(open).unwrap().schema());
    let told = |column: &str| {
        let about = schema.field_with_name(column).unwrap().metadata();
        let mut about: Vec<_> = about.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        about.sort_unstable();
        about
    };
    assert_eq!(
        told("flow"),
        [
            ("description", "Behind the valve"),
            ("path", "plant/pump/flow"),
            ("range", "0..120.5"),
            ("source", "input:42 f32 CDAB"),
            ("unit", "m³/h"),
        ]
    );
    let labels = r#"{"0":"off","1":"on"}"#;
    assert_eq!(told("mode_raw"), [("labels", labels), ("path", "plant/pump/Mode")]);
    assert!(told("ts").is_empty());
    assert_eq!(write(), bytes, "the same rows give the same bytes");
}
