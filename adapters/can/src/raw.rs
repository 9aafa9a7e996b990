//! Raw frames: every frame of a bus as a row of `_can_raw_<bus>`, so that a corrected database can
//! decode the past again.
//!
//! In: frames as the decoder gets them. Out: batches of a system table, and frames again from
//! such rows.
//! RF-1 A frame that was written is read back equal, its time too.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, BooleanBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampMicrosecondType, UInt8Type, UInt32Type};
use arrow_array::{Array as _, ArrayRef, PrimitiveArray, RecordBatch, UInt8Array, UInt32Array};
use signals::table::SystemType;
use signals::{
    Batch, ClockState, SystemColumn, Table, TableError, Timestamp, ValueType, column_name,
};

use crate::frame::{Frame, FrameKind, PAYLOAD_BYTES_MAX};

/// Tables of raw frames are called this, an underscore and the bus.
pub const RAW: &str = "_can_raw";

/// The columns after `ts`.
const COLUMNS: [(&str, SystemType, bool); 9] = [
    // Null where it is `ts`, which it nearly always is.
    ("received", SystemType::Timestamp, true),
    ("id", SystemType::Plain(ValueType::U32), false),
    ("extended", SystemType::Plain(ValueType::Bool), false),
    ("remote", SystemType::Plain(ValueType::Bool), false),
    ("error", SystemType::Plain(ValueType::Bool), false),
    ("fd", SystemType::Plain(ValueType::Bool), false),
    ("fd_flags", SystemType::Plain(ValueType::U8), false),
    ("len", SystemType::Plain(ValueType::U8), false),
    ("payload", SystemType::Plain(ValueType::Bytes), false),
];

/// Rows that are not raw frames.
#[derive(Debug, thiserror::Error)]
#[error("no column `{column}` of raw frames; give files of a table `_can_raw_…`")]
pub struct NotRaw {
    /// What is missing, or of another type.
    pub column: &'static str,
}

/// Rows of raw frames of one bus.
pub(crate) struct RawLane {
    table: Arc<Table>,
    ts: Vec<i64>,
    received: Vec<Option<i64>>,
    id: Vec<u32>,
    /// `extended`, `remote`, `error`, `fd`.
    marks: [BooleanBuilder; 4],
    fd_flags: Vec<u8>,
    len: Vec<u8>,
    payload: BinaryBuilder,
    last: Option<i64>,
    clock: ClockState,
}

impl RawLane {
    /// The table `_can_raw_<bus>`.
    pub(crate) fn new(bus: &str) -> Result<Self, TableError> {
        let columns = COLUMNS.map(|(name, kind, nullable)| SystemColumn {
            name: name.to_owned(),
            kind,
            nullable,
        });
        let name = format!("{RAW}_{}", column_name(bus));
        Ok(Self {
            table: Table::of_system(name, columns.into())?,
            ts: Vec::new(),
            received: Vec::new(),
            id: Vec::new(),
            marks: Default::default(),
            fd_flags: Vec::new(),
            len: Vec::new(),
            payload: BinaryBuilder::new(),
            last: None,
            clock: ClockState::Synced,
        })
    }

    pub(crate) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Adds a frame received at `ts`; the rows so far.
    pub(crate) fn push(&mut self, frame: &Frame, ts: Timestamp, clock: ClockState) -> usize {
        let received = ts.micros();
        let ts = self.last.map_or(received, |last| received.max(last.saturating_add(1)));
        self.last = Some(ts);
        self.ts.push(ts);
        self.received.push((ts != received).then_some(received));
        self.id.push(frame.id);
        let marks = [
            frame.extended,
            frame.kind == FrameKind::Remote,
            frame.kind == FrameKind::Error,
            frame.fd,
        ];
        for (builder, mark) in self.marks.iter_mut().zip(marks) {
            builder.append_value(mark);
        }
        self.fd_flags.push(frame.fd_flags);
        self.len.push(frame.len);
        self.payload.append_value(frame.bytes());
        if clock == ClockState::Unsynced {
            self.clock = ClockState::Unsynced;
        }
        self.ts.len()
    }

    /// The rows so far; none are left.
    pub(crate) fn finish(&mut self) -> Option<Batch> {
        if self.ts.is_empty() {
            return None;
        }
        let times = |times: PrimitiveArray<TimestampMicrosecondType>| -> ArrayRef {
            Arc::new(times.with_timezone("UTC"))
        };
        let mut arrays = vec![
            times(std::mem::take(&mut self.ts).into()),
            times(std::mem::take(&mut self.received).into()),
            Arc::new(UInt32Array::from(std::mem::take(&mut self.id))),
        ];
        arrays.extend(self.marks.iter_mut().map(|mark| Arc::new(mark.finish()) as ArrayRef));
        arrays.push(Arc::new(UInt8Array::from(std::mem::take(&mut self.fd_flags))));
        arrays.push(Arc::new(UInt8Array::from(std::mem::take(&mut self.len))));
        arrays.push(Arc::new(self.payload.finish()));
        let rows = RecordBatch::try_new(Arc::clone(self.table.schema()), arrays)
            .expect("every frame has a value for every column");
        Some(Batch {
            table: Arc::clone(&self.table),
            rows,
            flaws: Vec::new(),
            clock: std::mem::take(&mut self.clock),
        })
    }

    /// What follows may be earlier.
    pub(crate) fn forget_times(&mut self) {
        self.last = None;
    }
}

/// The frame in a row of raw frames, read into `frame`; its channel is left 0. False behind the
/// last row.
///
/// # Errors
/// [`NotRaw`] when the rows have other columns.
pub fn read_row(rows: &RecordBatch, row: usize, frame: &mut Frame) -> Result<bool, NotRaw> {
    if row >= rows.num_rows() {
        return Ok(false);
    }
    let time = |name| -> Result<Option<i64>, NotRaw> {
        let column = column(rows, name)?.as_primitive_opt::<TimestampMicrosecondType>();
        let column = column.ok_or(NotRaw { column: name })?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    };
    let byte = |name| -> Result<u8, NotRaw> {
        let column = column(rows, name)?.as_primitive_opt::<UInt8Type>();
        Ok(column.ok_or(NotRaw { column: name })?.value(row))
    };
    let mark = |name| -> Result<bool, NotRaw> {
        let column = column(rows, name)?.as_boolean_opt();
        Ok(column.ok_or(NotRaw { column: name })?.value(row))
    };
    let micros = time("received")?.or(time("ts")?).ok_or(NotRaw { column: "ts" })?;
    let id = column(rows, "id")?.as_primitive_opt::<UInt32Type>();
    let payload = column(rows, "payload")?.as_binary_opt::<i32>();
    let payload = payload.ok_or(NotRaw { column: "payload" })?.value(row);
    let payload = payload.get(..PAYLOAD_BYTES_MAX).unwrap_or(payload);
    *frame = Frame {
        ts: Timestamp::from_micros(micros),
        id: id.ok_or(NotRaw { column: "id" })?.value(row),
        extended: mark("extended")?,
        fd: mark("fd")?,
        fd_flags: byte("fd_flags")?,
        kind: match (mark("remote")?, mark("error")?) {
            (true, _) => FrameKind::Remote,
            (false, true) => FrameKind::Error,
            (false, false) => FrameKind::Data,
        },
        len: byte("len")?,
        ..Frame::default()
    };
    if let Some(place) = frame.payload.get_mut(..payload.len()) {
        place.copy_from_slice(payload);
    }
    Ok(true)
}

fn column<'a>(rows: &'a RecordBatch, name: &'static str) -> Result<&'a ArrayRef, NotRaw> {
    rows.column_by_name(name).ok_or(NotRaw { column: name })
}

#[cfg(test)]
mod tests;
