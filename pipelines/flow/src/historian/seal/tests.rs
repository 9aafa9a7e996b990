use std::time::Duration;

use signals::{
    Batch, BatchBuilder, ClockState, Disk, ManualClock, Signal, Table, Timestamp, Value, ValueType,
};

use super::super::tests::{START, journal};
use super::super::{Historian, HistorianOptions};
use super::*;
use crate::codec::BatchCodec;
use crate::disk::RealDisk;
use crate::gap_log::GapLog;
use crate::log::{Log, LogOptions};
use crate::tables::TableStore;

fn table(name: &str) -> Arc<Table> {
    let signal = Signal::new(format!("{name}/s0"), "s0".to_owned(), ValueType::F64);
    Table::of_signals(name, name, false, vec![signal]).unwrap()
}

/// Rows of the day that begins ten seconds after [`START`], one a millisecond.
fn add(journal: &Log<Batch>, name: &str, count: i64) {
    let table = table(name);
    for row in 0..count {
        let mut rows = BatchBuilder::new(Arc::clone(&table));
        let time = START + 10_000_000 + row * 1_000;
        rows.begin(Timestamp::from_micros(time), 0, ClockState::Synced);
        rows.set(0, Value::F64(0.5));
        journal.append(rows.finish().unwrap()).unwrap();
    }
    journal.sync().unwrap();
}

#[test]
fn rows_that_wait_are_bounded_by_their_number_and_by_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    add(&journal, "slow", 10);
    add(&journal, "fast", 5_000);
    add(&journal, "slower", 5);
    let limits: [fn(HistorianOptions) -> HistorianOptions; 2] = [
        |options| HistorianOptions { roll_rows: 2_000, ..options },
        |options| HistorianOptions { roll_bytes: 30_000, ..options },
    ];
    for (place, limit) in limits.into_iter().enumerate() {
        let lake = folder.path().join(format!("lake{place}"));
        let options = limit(HistorianOptions::new(&lake, "gw"));
        let historian =
            Historian::new(GapLog::new(journal.clone()), Arc::new(RealDisk), options).unwrap();
        let (mut at, mut full) = (Offset::START, 0);
        while at < journal.durable() {
            historian.take_in(&mut at).unwrap();
            if historian.is_full() {
                full += 1;
                historian.seal_all(at);
            }
            assert!(!historian.is_full(), "what is sealed does not count");
        }
        assert!(full > 0, "limit {place} was reached");
        historian.seal_all(at);
        assert_eq!((historian.unsealed_rows(), historian.state().bytes), (0, 0));
        assert_eq!(historian.counts().rows, 5_015, "each row is in a file, once");
    }
}

#[test]
fn a_journal_that_is_half_full_of_what_waits_gets_its_room_back() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let tables = TableStore::open(&folder.path().join("tables"), Arc::clone(&disk)).unwrap();
    let options = LogOptions {
        sync_interval: Duration::from_millis(1),
        segment_bytes: 2_000,
        bytes_max: 16_000,
        ..LogOptions::new(folder.path().join("journal"))
    };
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(START)));
    let codec = Arc::new(BatchCodec::new(Arc::new(tables)));
    let journal = Log::open(options, disk, clock, codec).unwrap().0;
    let options = HistorianOptions::new(folder.path().join("lake"), "gw");
    let historian =
        Historian::new(GapLog::new(journal.clone()), Arc::new(RealDisk), options).unwrap();
    assert!(!historian.holds_journal(journal.durable()));
    let mut rounds = 0;
    let mut at = Offset::START;
    while !historian.holds_journal(at) {
        add(&journal, "fast", 10);
        historian.take_in(&mut at).unwrap();
        rounds += 1;
        assert!(rounds < 1_000, "{} bytes of journal", journal.bytes());
    }
    assert_eq!(journal.counts().evicted, 0, "nothing was given up");
    historian.seal_all(at);
    assert!(!historian.holds_journal(at));
}
