//! What the tests of aggregates, forwarding and uplink share: logs on a simulated disk, rows.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use signals::{
    Batch, BatchBuilder, Clock, ClockState, Envelope, ManualClock, Quality, Reason, Signal, Table,
    Timestamp, Value, ValueType,
};

use crate::codec::{BatchCodec, EnvelopeCodec};
use crate::disk::sim::{SimDisk, Tear};
use crate::log::{Log, LogOptions};
use crate::tables::TableStore;

/// Nothing becomes durable unless a test says so.
fn options(folder: &str) -> LogOptions {
    LogOptions { sync_interval: Duration::from_hours(1), ..LogOptions::new(folder) }
}

/// A cursor that stands still: nothing a test wants to look at goes.
fn keep<R: Send + Sync>(log: &Log<R>) {
    let _cursor = log.cursor("test");
}

/// Cuts the power: what `log` had not synced is gone.
pub(crate) fn cut_power<R: Send + Sync>(disk: &SimDisk, log: Log<R>) {
    disk.fail_syncs(true);
    drop(log);
    disk.crash(|_| Tear::Lost);
    disk.fail_syncs(false);
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(Timestamp::from_micros(7)))
}

/// The journal on a simulated disk.
pub(crate) fn journal(disk: &SimDisk) -> Log<Batch> {
    let tables = TableStore::open(Path::new("/tables"), Arc::new(disk.clone())).unwrap();
    let codec = Arc::new(BatchCodec::new(Arc::new(tables)));
    let log = Log::open(options("/journal"), Arc::new(disk.clone()), clock(), codec).unwrap().0;
    keep(&log);
    log
}

/// An outbox on a simulated disk.
pub(crate) fn outbox(disk: &SimDisk, stream: &str) -> Log<Envelope> {
    let options = options(&format!("/outbox/{stream}"));
    let codec = Arc::new(EnvelopeCodec);
    let log = Log::open(options, Arc::new(disk.clone()), clock(), codec).unwrap().0;
    keep(&log);
    log
}

/// A table with a real number, a truth value, a text and an unsigned number.
pub(crate) fn table(name: &str, by_source_address: bool) -> Arc<Table> {
    let kinds = [ValueType::F64, ValueType::Bool, ValueType::Text, ValueType::U16];
    let signals = ["flow", "running", "label", "count"]
        .iter()
        .zip(kinds)
        .map(|(column, kind)| Signal::new(format!("plant/{name}/{column}"), *column, kind));
    Table::of_signals(name, "device", by_source_address, signals.collect()).unwrap()
}

/// One row of such a table, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) micros: i64,
    pub(crate) sa: u8,
    pub(crate) sample: Sample,
}

/// What a row says of `flow`; `running` and `count` follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sample {
    Good(f64),
    Uncertain(f64),
    /// The device did not answer.
    Bad,
    /// Another multiplexer branch.
    Absent,
}

/// Rows as one batch.
pub(crate) fn batch(table: &Arc<Table>, rows: &[Row]) -> Batch {
    let mut builder = BatchBuilder::new(Arc::clone(table));
    for row in rows {
        builder.begin(Timestamp::from_micros(row.micros), row.sa, ClockState::Synced);
        match row.sample {
            Sample::Good(flow) | Sample::Uncertain(flow) => {
                builder.set(0, Value::F64(flow));
                builder.set(1, Value::Bool(flow > 0.0));
                builder.set(2, Value::Text("running"));
                builder.set(3, Value::U64(row.micros.unsigned_abs() % 1_000));
            }
            Sample::Bad => builder.flaw_all(Reason::Timeout),
            Sample::Absent => builder.set(3, Value::U64(1)),
        }
        if let Sample::Uncertain(_) = row.sample {
            builder.flaw(0, Quality::uncertain(Reason::RangeHigh));
        }
    }
    builder.finish().unwrap()
}
