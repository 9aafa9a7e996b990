//! Closed windows as rows of `_aggregates_<window>`, and back.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::types::{Float64Type, TimestampMicrosecondType, UInt8Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, Float64Array, PrimitiveArray, RecordBatch, StringArray, UInt8Array,
    UInt64Array,
};
use signals::table::SystemType;
use signals::{Batch, SystemColumn, Table, Timestamp, ValueType};

use super::Closed;
use crate::window::{self, Summary};

/// What the names of all tables of aggregates begin with.
pub(crate) const PREFIX: &str = "_aggregates_";

/// The table of aggregates over windows of one length.
///
/// Columns: `ts`, `window_start`, `window_end`, `table`, `sa`, `signal` (path), `column_name`,
/// `count`, `good`, `min`, `max`, `mean`, `twa`, `first`, `last`, `stddev`. One row per signal.
///
/// # Panics
/// Never: its names are legal.
#[must_use]
pub(super) fn table_of(length: Duration) -> Arc<Table> {
    let column =
        |name: &str, kind, nullable| SystemColumn { name: name.to_owned(), kind, nullable };
    let plain = SystemType::Plain;
    let mut columns = vec![
        column("window_start", SystemType::Timestamp, false),
        column("window_end", SystemType::Timestamp, false),
        column("table", plain(ValueType::Text), false),
        column("sa", plain(ValueType::U8), true),
        column("signal", plain(ValueType::Text), false),
        column("column_name", plain(ValueType::Text), false),
        column("count", plain(ValueType::U64), false),
        column("good", plain(ValueType::U64), false),
    ];
    let numbers = ["min", "max", "mean", "twa", "first", "last", "stddev"];
    columns.extend(numbers.map(|name| column(name, plain(ValueType::F64), true)));
    let name = format!("{PREFIX}{}", window::label(length));
    Table::of_system(name, columns).expect("the names are legal")
}

/// Writes the rows of one table of aggregates.
#[derive(Debug)]
pub(crate) struct Writer {
    table: Arc<Table>,
    last_ts: Option<Timestamp>,
}

impl Writer {
    pub(crate) fn new(length: Duration) -> Self {
        Self { table: table_of(length), last_ts: None }
    }

    pub(super) fn name(&self) -> &str {
        self.table.name()
    }

    /// Says that a row with this time is in the table already.
    pub(super) fn seen(&mut self, ts: Timestamp) {
        self.last_ts = self.last_ts.max(Some(ts));
    }

    /// A window as a batch. Its rows' `ts` is the end of the window, or 1 µs after the row
    /// before it in the table if that is later: `ts` identifies a row.
    pub(crate) fn write(&mut self, closed: &Closed) -> Batch {
        let rows = closed.signals.len();
        let mut ts = Vec::with_capacity(rows);
        for _ in 0..rows {
            let free = self.last_ts.map_or(closed.end.micros(), |last| last.micros() + 1);
            let next = free.max(closed.end.micros());
            self.last_ts = Some(Timestamp::from_micros(next));
            ts.push(next);
        }
        let mut arrays: Vec<ArrayRef> = vec![
            times(ts),
            times(vec![closed.start.micros(); rows]),
            times(vec![closed.end.micros(); rows]),
        ];
        arrays.extend(identity_columns(closed));
        arrays.extend(number_columns(closed));
        let rows = RecordBatch::try_new(Arc::clone(self.table.schema()), arrays)
            .expect("columns were made for this schema and have one length");
        Batch { table: Arc::clone(&self.table), rows, flaws: Vec::new(), clock: closed.clock }
    }
}

fn times(micros: Vec<i64>) -> ArrayRef {
    Arc::new(PrimitiveArray::<TimestampMicrosecondType>::from(micros).with_timezone("UTC"))
}

/// Collected, not built: these batches are small and stay in memory for a while, and a builder
/// starts with room for a thousand rows.
fn identity_columns(closed: &Closed) -> [ArrayRef; 4] {
    let signal = |(place, _): &(usize, Summary)| {
        closed.table.signals().get(*place).expect("the place is one of the table's")
    };
    let texts = |pick: &dyn Fn(&(usize, Summary)) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(closed.signals.iter().map(pick)))
    };
    [
        texts(&|_| closed.table.name().to_owned()),
        Arc::new(closed.signals.iter().map(|_| closed.sa).collect::<UInt8Array>()),
        texts(&|of| signal(of).path.to_owned()),
        texts(&|of| signal(of).column.to_owned()),
    ]
}

fn number_columns(closed: &Closed) -> Vec<ArrayRef> {
    let told = || closed.signals.iter().map(|(_, told)| told);
    let column = |pick: fn(&Summary) -> Option<f64>| -> ArrayRef {
        Arc::new(told().map(pick).collect::<Float64Array>())
    };
    vec![
        Arc::new(told().map(|told| Some(told.count)).collect::<UInt64Array>()),
        Arc::new(told().map(|told| Some(told.good)).collect::<UInt64Array>()),
        column(|told| told.min),
        column(|told| told.max),
        column(|told| told.mean),
        column(|told| told.twa),
        column(|told| told.first),
        column(|told| told.last),
        column(|told| told.stddev),
    ]
}

/// One window as it stands in the journal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    /// Time of the first row.
    pub(crate) ts: Timestamp,
    /// Time of the last row.
    pub(crate) last_ts: Timestamp,
    /// Start, inclusive.
    pub(crate) start: Timestamp,
    /// End, exclusive.
    pub(crate) end: Timestamp,
    /// The window's length as its table names it: `10s`.
    pub(crate) window: String,
    /// The table it is about.
    pub(crate) table: String,
    /// The source address it is about.
    pub(crate) sa: Option<u8>,
    /// Column and summary of each signal.
    pub(crate) signals: Vec<(String, Summary)>,
}

/// The window of a batch of aggregates; `None` for any other batch and for one this version
/// cannot read.
pub(crate) fn read(batch: &Batch) -> Option<Told> {
    let window = batch.table.name().strip_prefix(PREFIX)?.to_owned();
    let texts = |name| column::<StringArray>(batch, name);
    let moments = |name| column::<PrimitiveArray<TimestampMicrosecondType>>(batch, name);
    let counts = |name| column::<PrimitiveArray<UInt64Type>>(batch, name);
    let numbers = |name| column::<PrimitiveArray<Float64Type>>(batch, name);
    let first_of = |array: &PrimitiveArray<TimestampMicrosecondType>| {
        array.values().first().copied().map(Timestamp::from_micros)
    };
    let (names, count, good) = (texts("column_name")?, counts("count")?, counts("good")?);
    let (min, max, mean) = (numbers("min")?, numbers("max")?, numbers("mean")?);
    let (twa, first, last) = (numbers("twa")?, numbers("first")?, numbers("last")?);
    let stddev = numbers("stddev")?;
    let at = |array: &PrimitiveArray<Float64Type>, row: usize| {
        array.is_valid(row).then(|| array.value(row))
    };
    let signal = |row: usize| {
        let told = Summary {
            count: count.value(row),
            good: good.value(row),
            min: at(min, row),
            max: at(max, row),
            mean: at(mean, row),
            twa: at(twa, row),
            first: at(first, row),
            last: at(last, row),
            stddev: at(stddev, row),
        };
        (names.value(row).to_owned(), told)
    };
    Some(Told {
        ts: batch.first_ts()?,
        last_ts: batch.last_ts()?,
        start: first_of(moments("window_start")?)?,
        end: first_of(moments("window_end")?)?,
        window,
        table: texts("table")?.iter().next().flatten()?.to_owned(),
        sa: column::<PrimitiveArray<UInt8Type>>(batch, "sa")?.iter().next().flatten(),
        signals: (0..batch.rows.num_rows()).map(signal).collect(),
    })
}

fn column<'a, A: Array + 'static>(batch: &'a Batch, name: &str) -> Option<&'a A> {
    batch.rows.column_by_name(name)?.as_any().downcast_ref()
}
