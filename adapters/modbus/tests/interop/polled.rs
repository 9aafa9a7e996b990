//! What a line reads: the first row of each of its tables.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use adapters_modbus::ModbusLine;
use adapters_modbus::config::Line;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array as _, ArrayRef};
use serde_json::{Value as Json, json};
use signals::adapter::Intake;
use signals::{Adapter as _, Batch, Clock, ClockState, Feed, Quality, Stop, Timestamp, ValueType};

/// Longest time a first row may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One sample of one signal.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) value: Json,
    pub(crate) quality: Quality,
}

/// Samples by the path of their signal.
pub(crate) type Rows = HashMap<String, Sample>;

/// Runs a line until every table of it has a row.
pub(crate) fn first_rows(line: Line) -> Rows {
    let line = Box::new(ModbusLine::new(line));
    let wanted = line.tables().len();
    let (sender, batches) = mpsc::sync_channel(wanted);
    let stop = Stop::new();
    let feed = Feed {
        intake: Arc::new(Tray(Mutex::new(sender))),
        clock: Arc::new(Running(Instant::now())),
        stop: stop.clone(),
    };
    let polling = std::thread::spawn(move || line.run(feed));
    let mut rows = Rows::new();
    for place in 0..wanted {
        let batch = batches.recv_timeout(PATIENCE);
        let batch = batch.unwrap_or_else(|_| panic!("{place} of {wanted} tables have rows"));
        take_row(&batch, &mut rows);
    }
    stop.raise();
    polling.join().expect("a line ends without a panic");
    rows
}

fn take_row(batch: &Batch, rows: &mut Rows) {
    for (place, signal) in batch.table.signals().iter().enumerate() {
        let flaw =
            batch.flaws.iter().find(|flaw| flaw.row == 0 && usize::from(flaw.signal) == place);
        let sample = Sample {
            value: first(batch.column(place), signal.kind),
            quality: flaw.map_or(Quality::GOOD, |flaw| flaw.quality),
        };
        assert!(rows.insert(signal.path.to_owned(), sample).is_none(), "{} twice", signal.path);
    }
}

fn first(column: &ArrayRef, kind: ValueType) -> Json {
    if column.is_null(0) {
        return Json::Null;
    }
    match kind {
        ValueType::Bool => json!(column.as_boolean().value(0)),
        ValueType::I8 => json!(column.as_primitive::<Int8Type>().value(0)),
        ValueType::I16 => json!(column.as_primitive::<Int16Type>().value(0)),
        ValueType::I32 => json!(column.as_primitive::<Int32Type>().value(0)),
        ValueType::I64 => json!(column.as_primitive::<Int64Type>().value(0)),
        ValueType::U8 => json!(column.as_primitive::<UInt8Type>().value(0)),
        ValueType::U16 => json!(column.as_primitive::<UInt16Type>().value(0)),
        ValueType::U32 => json!(column.as_primitive::<UInt32Type>().value(0)),
        ValueType::U64 => json!(column.as_primitive::<UInt64Type>().value(0)),
        ValueType::F32 => json!(f64::from(column.as_primitive::<Float32Type>().value(0))),
        ValueType::F64 => json!(column.as_primitive::<Float64Type>().value(0)),
        ValueType::Text => json!(column.as_string::<i32>().value(0)),
        ValueType::Bytes => json!(column.as_binary::<i32>().value(0)),
    }
}

struct Tray(Mutex<mpsc::SyncSender<Batch>>);

impl Intake for Tray {
    fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        let sent = self.0.lock().expect("no one panics here").try_send(batch);
        sent.map_err(|refused| match refused {
            mpsc::TrySendError::Full(batch) | mpsc::TrySendError::Disconnected(batch) => {
                Box::new(batch)
            }
        })
    }
}

struct Running(Instant);

impl Clock for Running {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000).plus(self.0.elapsed())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn state(&self) -> ClockState {
        ClockState::Synced
    }
}
