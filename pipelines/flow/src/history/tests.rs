use std::path::Path;

use signals::{
    Batch, BatchBuilder, ClockState, ManualClock, Quality, Reason, Signal, Stop, Table, Value,
    ValueType,
};

use super::*;
use crate::codec::BatchCodec;
use crate::disk::RealDisk;
use crate::gap_log::GapLog;
use crate::historian::HistorianOptions;
use crate::log::{Log, LogOptions};
use crate::tables::TableStore;

const START: i64 = 1_793_000_000_000_000;

fn journal(folder: &Path) -> Log<Batch> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let tables = TableStore::open(&folder.join("tables"), Arc::clone(&disk)).unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(START)));
    let options = LogOptions::new(folder.join("journal"));
    Log::open(options, disk, clock, Arc::new(BatchCodec::new(Arc::new(tables)))).unwrap().0
}

/// One row a second; a spike at `spike`, a bad sample at `bad`.
fn add(journal: &Log<Batch>, seconds: std::ops::Range<i64>, spike: i64, bad: i64) {
    let signals = vec![Signal::new("p/flow", "flow", ValueType::F64)];
    let mut rows = BatchBuilder::new(Table::of_signals("pump", "pump", false, signals).unwrap());
    for second in seconds {
        rows.begin(Timestamp::from_micros(START + second * 1_000_000), 0, ClockState::Synced);
        if second == bad {
            rows.flaw(0, Quality::bad(Reason::Timeout));
        } else {
            rows.set(0, Value::F64(if second == spike { 100.0 } else { 1.0 }));
        }
    }
    journal.append(rows.finish().unwrap()).unwrap();
    journal.sync().unwrap();
}

fn span(from: i64, to: i64) -> Span {
    let at = |second: i64| Timestamp::from_micros(START + second * 1_000_000);
    Span { table: "pump".into(), column: "flow".into(), sender: None, from: at(from), to: at(to) }
}

#[test]
fn sealed_and_unsealed_rows_make_one_trend_with_every_spike() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    add(&journal, 0..600, 77, 301);
    let options = HistorianOptions::new(folder.path().join("lake"), "gw");
    let historian =
        Historian::new(GapLog::new(journal.clone()), Arc::new(RealDisk), options).unwrap();
    let stop = Stop::new();
    stop.raise();
    historian.run(&stop);
    add(&journal, 600..1000, 777, -1);
    // Takes the second part in without sealing it: a day's roll interval has not passed.
    let keep = Stop::new();
    let reading = std::thread::spawn({
        let (historian, keep) = (historian.clone(), keep.clone());
        move || historian.run(&keep)
    });
    while historian.unsealed_rows() < 400 {
        std::thread::yield_now();
    }
    for buckets in [10, 100, 1000, 5000] {
        let trend = trend(&historian, &RealDisk, &span(0, 1000), buckets).unwrap();
        let spikes = trend.buckets.iter().filter(|b| b.max > 99.0).count();
        assert_eq!(spikes, 2, "{buckets} buckets");
    }
    let fine = trend(&historian, &RealDisk, &span(0, 1000), 1000).unwrap();
    assert_eq!(fine.buckets.len(), 1000);
    assert_eq!(fine.buckets[301].worst, QualityClass::Bad);
    assert!(fine.buckets[301].mean.is_nan());
    keep.raise();
    reading.join().unwrap();
    assert_eq!(trend(&historian, &RealDisk, &span(0, 1000), 1000).unwrap().buckets.len(), 1000);
}

#[test]
fn buckets_lie_on_an_absolute_grid() {
    assert_eq!(bucket_us(3_600_000_000, 900), 5_000_000);
    assert_eq!(bucket_us(900_000_000, 900), 1_000_000);
    assert_eq!(bucket_us(0, 900), 1);
    for (span, buckets) in [(86_400_000_000i64, 777u32), (1, 1), (i64::MAX, 2)] {
        assert!(bucket_us(span, buckets) >= span / i64::from(buckets));
    }
}
