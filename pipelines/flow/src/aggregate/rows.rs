//! Closed windows as rows of `_aggregates_<window>`, and back.

use std::sync::Arc;

use arrow_array::types::{Float64Type, TimestampMicrosecondType, UInt8Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, Float64Array, PrimitiveArray, RecordBatch, StringArray, UInt8Array,
    UInt64Array,
};
use signals::table::SystemType;
use signals::{Batch, SystemColumn, Table, Timestamp, ValueType};

use super::{Closed, WindowSettings};
use crate::window::{Function, Quantile, Summary};

/// What the names of all tables of aggregates begin with.
pub(crate) const PREFIX: &str = "_aggregates_";

/// Columns before those of the functions.
const IDENTITY: [&str; 7] =
    ["ts", "window_start", "window_end", "table", "sa", "signal", "column_name"];

/// The table of aggregates over windows of one shape.
///
/// Columns: `ts`, `window_start`, `window_end`, `table`, `sa`, `signal` (path), `column_name`, then
/// one for each function: `count`, `good`, `min`, `max`, `mean`, `twa`, `first`, `last`, `stddev`,
/// `p50` …. One row per signal.
///
/// # Panics
/// Never: its names are legal.
#[must_use]
pub(super) fn table_of(settings: &WindowSettings, functions: &[Function]) -> Arc<Table> {
    let column = |name: String, kind, nullable| SystemColumn { name, kind, nullable };
    let plain = SystemType::Plain;
    let kinds = [
        (SystemType::Timestamp, false),
        (SystemType::Timestamp, false),
        (plain(ValueType::Text), false),
        (plain(ValueType::U8), true),
        (plain(ValueType::Text), false),
        (plain(ValueType::Text), false),
    ];
    let identity = IDENTITY.iter().skip(1).zip(kinds);
    let mut columns: Vec<SystemColumn> = identity
        .map(|(name, (kind, nullable))| column((*name).to_owned(), kind, nullable))
        .collect();
    for function in functions {
        let (kind, nullable) = match function {
            Function::Count | Function::Good => (ValueType::U64, false),
            Function::Min
            | Function::Max
            | Function::Mean
            | Function::Twa
            | Function::First
            | Function::Last
            | Function::Stddev
            | Function::Quantile(_) => (ValueType::F64, true),
        };
        columns.push(column(function.to_string(), plain(kind), nullable));
    }
    let name = format!("{PREFIX}{}", settings.shape.label());
    Table::of_system(name, columns).expect("the names are legal")
}

/// Writes the rows of one table of aggregates.
#[derive(Debug)]
pub(crate) struct Writer {
    table: Arc<Table>,
    functions: Vec<Function>,
    quantiles: Vec<Quantile>,
    last_ts: Option<Timestamp>,
}

impl Writer {
    pub(crate) fn new(settings: &WindowSettings) -> Self {
        // One order of columns, however the configuration puts them.
        let mut functions = settings.functions.clone();
        functions.sort_unstable();
        let table = table_of(settings, &functions);
        Self { table, functions, quantiles: settings.quantiles(), last_ts: None }
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
        arrays.extend(self.functions.iter().map(|function| self.column(*function, closed)));
        let rows = RecordBatch::try_new(Arc::clone(self.table.schema()), arrays)
            .expect("columns were made for this schema and have one length");
        Batch { table: Arc::clone(&self.table), rows, flaws: Vec::new(), clock: closed.clock }
    }

    /// What a function says of each signal.
    fn column(&self, function: Function, closed: &Closed) -> ArrayRef {
        let told = || closed.signals.iter().map(|(_, told)| told);
        let whole = |pick: fn(&Summary) -> u64| -> ArrayRef {
            Arc::new(told().map(|told| Some(pick(told))).collect::<UInt64Array>())
        };
        let real = |pick: &dyn Fn(&Summary) -> Option<f64>| -> ArrayRef {
            Arc::new(told().map(pick).collect::<Float64Array>())
        };
        match function {
            Function::Count => whole(|told| told.count),
            Function::Good => whole(|told| told.good),
            Function::Min => real(&|told| told.min),
            Function::Max => real(&|told| told.max),
            Function::Mean => real(&|told| told.mean),
            Function::Twa => real(&|told| told.twa),
            Function::First => real(&|told| told.first),
            Function::Last => real(&|told| told.last),
            Function::Stddev => real(&|told| told.stddev),
            Function::Quantile(quantile) => {
                let place = self.quantiles.iter().position(|asked| *asked == quantile);
                real(&|told| told.quantiles.get(place?).copied().flatten())
            }
        }
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
    /// Time to the next window as its table names it; `None` where they do not overlap.
    pub(crate) every: Option<String>,
    /// The table it is about.
    pub(crate) table: String,
    /// The source address it is about.
    pub(crate) sa: Option<u8>,
    /// What is told of each signal, in the order of columns.
    pub(crate) functions: Vec<Function>,
    /// Column and summary of each signal; quantiles in the order of `functions`.
    pub(crate) signals: Vec<(String, Summary)>,
}

/// The window of a batch of aggregates; `None` for any other batch and for one this version
/// cannot read.
pub(crate) fn read(batch: &Batch) -> Option<Told> {
    let label = batch.table.name().strip_prefix(PREFIX)?;
    let (window, every) = match label.split_once("_every_") {
        Some((window, every)) => (window, Some(every.to_owned())),
        None => (label, None),
    };
    let texts = |name| column::<StringArray>(batch, name);
    let moments = |name| column::<PrimitiveArray<TimestampMicrosecondType>>(batch, name);
    let first_of = |array: &PrimitiveArray<TimestampMicrosecondType>| {
        array.values().first().copied().map(Timestamp::from_micros)
    };
    let names = texts("column_name")?;
    let mut signals: Vec<(String, Summary)> = (0..batch.rows.num_rows())
        .map(|row| (names.value(row).to_owned(), Summary::default()))
        .collect();
    let schema = batch.table.schema();
    let columns = schema.fields().iter().map(|field| field.name().as_str());
    let functions: Vec<Function> =
        columns.skip(IDENTITY.len()).map(Function::parse).collect::<Option<_>>()?;
    let mut quantiles = 0;
    for function in &functions {
        read_function(batch, (*function, quantiles), &mut signals)?;
        quantiles += usize::from(matches!(function, Function::Quantile(_)));
    }
    Some(Told {
        ts: batch.first_ts()?,
        last_ts: batch.last_ts()?,
        start: first_of(moments("window_start")?)?,
        end: first_of(moments("window_end")?)?,
        window: window.to_owned(),
        every,
        table: texts("table")?.iter().next().flatten()?.to_owned(),
        sa: column::<PrimitiveArray<UInt8Type>>(batch, "sa")?.iter().next().flatten(),
        functions,
        signals,
    })
}

/// Puts what a function says into the summaries; `place` is that of a quantile among its like.
fn read_function(
    batch: &Batch,
    (function, place): (Function, usize),
    signals: &mut [(String, Summary)],
) -> Option<()> {
    let name = function.to_string();
    match function {
        Function::Count | Function::Good => {
            let numbers = column::<PrimitiveArray<UInt64Type>>(batch, &name)?;
            for ((_, told), number) in signals.iter_mut().zip(numbers.values()) {
                let count =
                    if function == Function::Count { &mut told.count } else { &mut told.good };
                *count = *number;
            }
        }
        Function::Min
        | Function::Max
        | Function::Mean
        | Function::Twa
        | Function::First
        | Function::Last
        | Function::Stddev
        | Function::Quantile(_) => {
            let numbers = column::<PrimitiveArray<Float64Type>>(batch, &name)?;
            for ((_, told), number) in signals.iter_mut().zip(numbers.iter()) {
                *real_of(told, (function, place))? = number;
            }
        }
    }
    Some(())
}

/// Where a summary keeps what a function says; `None` for those that count.
fn real_of(told: &mut Summary, (function, place): (Function, usize)) -> Option<&mut Option<f64>> {
    match function {
        Function::Count | Function::Good => None,
        Function::Min => Some(&mut told.min),
        Function::Max => Some(&mut told.max),
        Function::Mean => Some(&mut told.mean),
        Function::Twa => Some(&mut told.twa),
        Function::First => Some(&mut told.first),
        Function::Last => Some(&mut told.last),
        Function::Stddev => Some(&mut told.stddev),
        Function::Quantile(_) => told.quantiles.get_mut(place),
    }
}

fn column<'a, A: Array + 'static>(batch: &'a Batch, name: &str) -> Option<&'a A> {
    batch.rows.column_by_name(name)?.as_any().downcast_ref()
}
