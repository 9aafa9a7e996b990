//! Batches: rows of one table, in columns.

mod cells;

use std::sync::Arc;
use std::time::Duration;

use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array as _, ArrayRef, PrimitiveArray, RecordBatch, UInt8Array, UInt32Array};

use crate::{ClockState, Layout, Quality, QualityClass, Reason, Table, Timestamp};
use cells::Cells;

/// What a column takes beside its values: the array, its counters, the reference to it.
const COLUMN_BYTES: usize = 128;

/// A sample that is not plainly good: which one, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flaw {
    /// Row in the batch.
    pub row: u32,
    /// Place of the signal in [`Table::signals`].
    pub signal: u16,
    /// Its quality.
    pub quality: Quality,
}

/// Rows of one table, oldest first, with the qualities that are not good.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The table the rows belong to.
    pub table: Arc<Table>,
    /// The rows, with exactly the schema of the table.
    pub rows: RecordBatch,
    /// What is not good, ordered by row. A null without a flaw was absent by design (another
    /// multiplexer branch).
    pub flaws: Vec<Flaw>,
    /// Whether the clock could be trusted when the rows were stamped.
    pub clock: ClockState,
}

impl Batch {
    /// Timestamps in microseconds, one per row.
    ///
    /// # Panics
    /// When the rows do not have the table's schema, which is a bug of whoever built the batch.
    #[must_use]
    pub fn timestamps(&self) -> &[i64] {
        self.rows
            .column(0)
            .as_any()
            .downcast_ref::<PrimitiveArray<TimestampMicrosecondType>>()
            .expect("column 0 of every table is `ts` in UTC microseconds")
            .values()
    }

    /// Time of the first row; `None` for a batch without rows.
    #[must_use]
    pub fn first_ts(&self) -> Option<Timestamp> {
        self.timestamps().first().copied().map(Timestamp::from_micros)
    }

    /// Time of the last row; `None` for a batch without rows.
    #[must_use]
    pub fn last_ts(&self) -> Option<Timestamp> {
        self.timestamps().last().copied().map(Timestamp::from_micros)
    }

    /// Source addresses, one per row, if the table has them.
    #[must_use]
    pub fn source_addresses(&self) -> Option<&[u8]> {
        if !self.table.by_source_address() {
            return None;
        }
        let place = self.table.first_column().checked_sub(1)?;
        self.rows.column(place).as_any().downcast_ref::<UInt8Array>().map(|a| &**a.values())
    }

    /// Errors of the times in microseconds, one per row, if the table has them.
    #[must_use]
    pub fn time_errors(&self) -> Option<&[u32]> {
        if !self.table.by_exchange() {
            return None;
        }
        self.rows.column(2).as_any().downcast_ref::<UInt32Array>().map(|a| &**a.values())
    }

    /// Memory that its rows and flaws take, roughly. Its columns share buffers: the sum of what
    /// each of them says of itself counts every buffer many times.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let rows = self.rows.num_rows();
        let cells = |column: &ArrayRef| match column.data_type().primitive_width() {
            Some(width) => rows * width + if column.null_count() > 0 { rows / 8 + 64 } else { 0 },
            None => column.get_buffer_memory_size(),
        };
        let columns: usize = self.rows.columns().iter().map(|c| COLUMN_BYTES + cells(c)).sum();
        columns + self.flaws.len() * size_of::<Flaw>()
    }

    /// The column of the signal at `place` in [`Table::signals`] (or system column at `place`).
    #[must_use]
    pub fn column(&self, place: usize) -> &ArrayRef {
        self.rows.column(self.table.first_column() + place)
    }
}

/// One value on its way into a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// An unsigned integer.
    U64(u64),
    /// A real number.
    F64(f64),
    /// Text.
    Text(&'a str),
    /// Raw bytes.
    Bytes(&'a [u8]),
}

/// Writes rows into the columns of a table of signals.
///
/// Per row: [`begin`](Self::begin), any of [`set`](Self::set) and [`flaw`](Self::flaw) in any
/// order, then the next `begin` or [`finish`](Self::finish). A signal that was not set is null.
#[derive(Debug)]
pub struct BatchBuilder {
    table: Arc<Table>,
    ts: Vec<i64>,
    q: Vec<u8>,
    ts_err: Vec<u32>,
    sa: Vec<u8>,
    cells: Cells,
    flaws: Vec<Flaw>,
    clock: ClockState,
}

impl BatchBuilder {
    /// An empty builder for `table`, which must be a table of signals.
    ///
    /// # Panics
    /// For a system table: those are written by [`crate::event`] and the pipelines.
    #[must_use]
    pub fn new(table: Arc<Table>) -> Self {
        assert!(
            matches!(table.layout(), Layout::Signals { .. }),
            "{} has no signals",
            table.name()
        );
        let cells = Cells::new(table.signals());
        Self {
            table,
            ts: Vec::new(),
            q: Vec::new(),
            ts_err: Vec::new(),
            sa: Vec::new(),
            cells,
            flaws: Vec::new(),
            clock: ClockState::Synced,
        }
    }

    /// Rows begun so far.
    #[must_use]
    #[inline]
    pub fn rows(&self) -> usize {
        self.ts.len()
    }

    /// Time of the first row.
    #[must_use]
    pub fn first_ts(&self) -> Option<Timestamp> {
        self.ts.first().copied().map(Timestamp::from_micros)
    }

    /// Starts a row. `sa` is kept only if the table has source addresses.
    ///
    /// A time that is not later than the row before it is moved to 1 µs after that row: `ts`
    /// identifies a row within a batch.
    #[inline]
    pub fn begin(&mut self, ts: Timestamp, sa: u8, clock: ClockState) {
        self.cells.open_row();
        let micros = match self.ts.last() {
            Some(&last) if ts.micros() <= last => last + 1,
            Some(_) | None => ts.micros(),
        };
        self.ts.push(micros);
        self.q.push(QualityClass::Good.code());
        if self.table.by_exchange() {
            self.ts_err.push(0);
        }
        if self.table.by_source_address() {
            self.sa.push(sa);
        }
        if clock == ClockState::Unsynced {
            self.clock = ClockState::Unsynced;
        }
    }

    /// Says how far the time of the current row may be off, either way; whole microseconds, rounded
    /// up. Only kept by tables that have the column.
    pub fn time_error(&mut self, error: Duration) {
        if let Some(ts_err) = self.ts_err.last_mut() {
            *ts_err = u32::try_from(error.as_nanos().div_ceil(1000)).unwrap_or(u32::MAX);
        }
    }

    /// Sets the value of a signal in the current row.
    ///
    /// # Panics
    /// When the value is not of the signal's type, the signal was set before in this row, or
    /// there is no row or no such signal: all bugs of the caller.
    #[inline]
    pub fn set(&mut self, signal: usize, value: Value<'_>) {
        self.cells.set(signal, value);
    }

    /// Says that a signal's sample in the current row is not good. Worsens the row's `q`.
    ///
    /// # Panics
    /// Without a row, or when the signal is not in the table.
    #[inline]
    pub fn flaw(&mut self, signal: usize, quality: Quality) {
        assert!(signal < self.cells.signals(), "the signal is in the table");
        let row = self.ts.len().checked_sub(1).expect("`begin` comes before `flaw`");
        if let Some(q) = self.q.get_mut(row) {
            *q = (*q).max(quality.class.code());
        }
        self.flaws.push(Flaw {
            row: u32::try_from(row).expect("a batch has far fewer than 2^32 rows"),
            signal: u16::try_from(signal).expect("a table has fewer than 65,536 signals"),
            quality,
        });
    }

    /// Says that no signal of the current row has a value, all for the same reason.
    pub fn flaw_all(&mut self, reason: Reason) {
        for signal in 0..self.cells.signals() {
            self.flaw(signal, Quality::bad(reason));
        }
    }

    /// The rows so far as a batch, `None` if there are none; the builder is empty afterwards.
    ///
    /// # Panics
    /// Never for batches written through this type.
    pub fn finish(&mut self) -> Option<Batch> {
        if self.ts.is_empty() {
            return None;
        }
        let ts = PrimitiveArray::<TimestampMicrosecondType>::from(std::mem::take(&mut self.ts));
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(ts.with_timezone("UTC")),
            Arc::new(UInt8Array::from(std::mem::take(&mut self.q))),
        ];
        if self.table.by_exchange() {
            arrays.push(Arc::new(UInt32Array::from(std::mem::take(&mut self.ts_err))));
        }
        if self.table.by_source_address() {
            arrays.push(Arc::new(UInt8Array::from(std::mem::take(&mut self.sa))));
        }
        arrays.append(&mut self.cells.finish());
        let rows = RecordBatch::try_new(Arc::clone(self.table.schema()), arrays)
            .expect("columns were made for this schema and filled to one length");
        Some(Batch {
            table: Arc::clone(&self.table),
            rows,
            flaws: std::mem::take(&mut self.flaws),
            clock: std::mem::take(&mut self.clock),
        })
    }
}

#[cfg(test)]
mod tests;
