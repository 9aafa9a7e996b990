//! A journal and a historian as a gateway has them; queries know the folder alone.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type};
use futures::StreamExt as _;
use pipelines_flow::codec::BatchCodec;
use pipelines_flow::disk::RealDisk;
use pipelines_flow::gap_log::GapLog;
use pipelines_flow::historian::{Historian, HistorianOptions};
use pipelines_flow::tables::TableStore;
use pipelines_flow::{Log, LogOptions};
use signals::{
    Batch, BatchBuilder, ClockState, Disk, ManualClock, Signal, Stop, Table, Timestamp, Value,
    ValueType,
};
use tempfile::TempDir;

use crate::{Lake, Limits, SqlError};

mod completeness;
mod extract;
mod functions;
mod joined;
mod latest;
mod limits;
mod meanwhile;
mod seals;
mod speed;
mod views;

/// 2026-10-26T23:59:50Z: ten rows at 1 Hz before midnight, the rest after.
const START: i64 = 1_793_059_190_000_000;

/// A gateway's folder and what writes to it.
pub(crate) struct Plant {
    pub(crate) folder: TempDir,
    pub(crate) journal: Log<Batch>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Plant {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let definitions = folder.path().join("tables");
        let tables = Arc::new(TableStore::open(&definitions, Arc::clone(&disk)).unwrap());
        let options = LogOptions {
            sync_interval: Duration::from_millis(1),
            ..LogOptions::new(folder.path().join("journal"))
        };
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(START)));
        let codec = Arc::new(BatchCodec::new(tables));
        let journal = Log::open(options, disk, Arc::clone(&clock) as _, codec).unwrap().0;
        Self { folder, journal, clock }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn historian(&self, roll_interval: Duration) -> Historian {
        let lake = self.path().join("lake");
        let options = HistorianOptions { roll_interval, ..HistorianOptions::new(lake, "gw") };
        Historian::new(GapLog::new(self.journal.clone()), Arc::new(RealDisk), options).unwrap()
    }

    /// Seals what the journal holds, as a gateway does that stops.
    fn seal(&self) {
        let stop = Stop::new();
        stop.raise();
        self.historian(Duration::from_mins(15)).run(&stop);
    }

    /// One row a second, whose columns all hold the second.
    fn add(&self, table: &Arc<Table>, seconds: std::ops::Range<i64>) {
        for second in seconds {
            self.journal.append(row(table, second)).unwrap();
        }
        self.journal.sync().unwrap();
    }

    async fn ask(&self, sql: &str) -> Result<RecordBatch, SqlError> {
        ask(&Lake::open(self.path())?, sql).await
    }

    /// Rows, different times and the sum of column `s0`.
    async fn count(&self) -> (i64, i64, f64) {
        let sql = "SELECT count(*), count(DISTINCT ts), sum(s0) FROM pump";
        let rows = self.ask(sql).await.unwrap();
        let number = |place: usize| rows.column(place).as_primitive::<Int64Type>().value(0);
        (number(0), number(1), rows.column(2).as_primitive::<Float64Type>().value(0))
    }
}

async fn ask(lake: &Lake, sql: &str) -> Result<RecordBatch, SqlError> {
    let mut rows = lake.query(sql).await?;
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await {
        batches.push(batch?);
    }
    Ok(datafusion::arrow::compute::concat_batches(&rows.schema(), &batches).unwrap())
}

/// Table `pump` with columns `s0`, `s1` … of these types.
pub(crate) fn pump(kinds: &[ValueType]) -> Arc<Table> {
    let signal = |(place, kind): (usize, &ValueType)| {
        Signal::new(format!("pump/s{place}"), format!("s{place}"), *kind)
    };
    let signals = kinds.iter().enumerate().map(signal).collect();
    Table::of_signals("pump", "pump", false, signals).unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
#[expect(clippy::wildcard_enum_match_arm, reason = "tests use few types")]
pub(crate) fn row(table: &Arc<Table>, second: i64) -> Batch {
    let mut rows = BatchBuilder::new(Arc::clone(table));
    rows.begin(Timestamp::from_micros(START + second * 1_000_000), 0, ClockState::Synced);
    for (place, signal) in table.signals().iter().enumerate() {
        let value = match signal.kind {
            ValueType::F64 | ValueType::F32 => Value::F64(second as f64),
            ValueType::U8 | ValueType::U16 => Value::U64(second.unsigned_abs()),
            ValueType::I32 => Value::I64(second),
            other => panic!("no test has a {other:?}"),
        };
        rows.set(place, value);
    }
    rows.finish().unwrap()
}

/// Sum of the seconds from 0 up to, not including, `end`.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn sum_to(end: i64) -> f64 {
    (end * (end - 1) / 2) as f64
}
