//! Rows of the gateway's own tables: `_quality`, `_gaps`, `_events`, `_signals`.

use std::sync::Arc;

use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, Int64Array, PrimitiveArray, RecordBatch, StringArray};
use signals::table::SystemType;
use signals::{Batch, ClockState, Event, SystemColumn, Table, Timestamp, ValueType, event};

/// One cell of a row of a system table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Text, or nothing.
    Text(Option<String>),
    /// A time, or nothing.
    Time(Option<Timestamp>),
    /// A whole number, or nothing.
    Number(Option<i64>),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Timestamp> for Cell {
    fn from(time: Timestamp) -> Self {
        Self::Time(Some(time))
    }
}

/// Writes rows of one system table whose columns are texts, times and whole numbers.
///
/// Their `ts` is strictly increasing: a row that would share its time with the one before is
/// moved behind it by 1 µs. Columns of their own keep the exact times.
#[derive(Debug)]
pub struct SystemRows {
    table: Arc<Table>,
    last: i64,
}

impl SystemRows {
    /// A writer for `_quality`: `ts, since, signal, class, reason`.
    #[must_use]
    pub fn quality() -> Self {
        Self::new(
            "_quality",
            &[("since", TIME), ("signal", TEXT), ("class", TEXT), ("reason", TEXT)],
        )
    }

    /// A writer for `_gaps`: `ts, table, gap_start, gap_end, cause, detail`.
    #[must_use]
    pub fn gaps() -> Self {
        let columns = [
            ("table", TEXT),
            ("gap_start", TIME),
            ("gap_end", TIME),
            ("cause", TEXT),
            ("detail", TEXT),
        ];
        Self::new("_gaps", &columns)
    }

    /// A writer for `_signals`: one row per signal and validity.
    #[must_use]
    pub fn signals() -> Self {
        let columns = [
            ("path", TEXT),
            ("table", TEXT),
            ("column", TEXT),
            ("kind", TEXT),
            ("unit", TEXT),
            ("description", TEXT),
            ("source", TEXT),
            ("valid_from", TIME),
            ("valid_to", TIME),
            ("period_us", NUMBER),
        ];
        Self::new("_signals", &columns)
    }

    /// A writer for `_events`.
    #[must_use]
    pub fn events() -> Self {
        Self { table: event::events_table(), last: i64::MIN }
    }

    fn new(name: &str, columns: &[(&str, SystemType)]) -> Self {
        let columns = columns
            .iter()
            .map(|(name, kind)| SystemColumn {
                name: (*name).to_owned(),
                kind: *kind,
                nullable: true,
            })
            .collect();
        let table = Table::of_system(name, columns).expect("system names are legal and differ");
        Self { table, last: i64::MIN }
    }

    /// The table written.
    #[must_use]
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// The rows as a batch; `None` without rows.
    ///
    /// # Panics
    /// When a row does not have the table's columns, a bug of the caller.
    #[must_use]
    pub fn batch(&mut self, rows: &[(Timestamp, Vec<Cell>)]) -> Option<Batch> {
        if rows.is_empty() {
            return None;
        }
        let mut times = Vec::with_capacity(rows.len());
        for (ts, _) in rows {
            self.last = ts.micros().max(self.last.saturating_add(1));
            times.push(self.last);
        }
        let times = PrimitiveArray::<TimestampMicrosecondType>::from(times).with_timezone("UTC");
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(times)];
        for place in 0..self.table.schema().fields().len() - 1 {
            arrays.push(column(rows, place));
        }
        let rows = RecordBatch::try_new(Arc::clone(self.table.schema()), arrays)
            .expect("rows have the columns of their table");
        Some(Batch {
            table: Arc::clone(&self.table),
            rows,
            flaws: Vec::new(),
            clock: ClockState::Synced,
        })
    }

    /// Events as a batch; `None` without events. For the writer made by [`SystemRows::events`].
    #[must_use]
    pub fn events_batch(&mut self, events: &[Event]) -> Option<Batch> {
        let rows: Vec<_> = events
            .iter()
            .map(|event| {
                let cells = vec![
                    Cell::from(event.kind.as_str()),
                    Cell::from(event.severity.as_str()),
                    Cell::from(event.source.as_str()),
                    Cell::from(event.message.as_str()),
                    Cell::from(event.details.to_string()),
                ];
                (event.ts, cells)
            })
            .collect();
        self.batch(&rows)
    }
}

const TEXT: SystemType = SystemType::Plain(ValueType::Text);
const TIME: SystemType = SystemType::Timestamp;
const NUMBER: SystemType = SystemType::Plain(ValueType::I64);

fn column(rows: &[(Timestamp, Vec<Cell>)], place: usize) -> ArrayRef {
    let cells = || rows.iter().map(|(_, cells)| cells.get(place).expect("a cell per column"));
    if cells().all(|cell| matches!(cell, Cell::Text(_))) {
        let texts = cells().map(|cell| match cell {
            Cell::Text(text) => text.as_deref(),
            Cell::Time(_) | Cell::Number(_) => None,
        });
        return Arc::new(texts.collect::<StringArray>());
    }
    if cells().all(|cell| matches!(cell, Cell::Number(_))) {
        let numbers = cells().map(|cell| match cell {
            Cell::Number(number) => *number,
            Cell::Text(_) | Cell::Time(_) => None,
        });
        return Arc::new(numbers.collect::<Int64Array>());
    }
    let times = cells().map(|cell| match cell {
        Cell::Time(time) => time.map(Timestamp::micros),
        Cell::Text(_) | Cell::Number(_) => None,
    });
    let times: PrimitiveArray<TimestampMicrosecondType> = times.collect();
    Arc::new(times.with_timezone("UTC"))
}
