//! Rows that wait for their file, compressed: an hour of them is most of what a gateway remembers.
//!
//! PK-1 What is unpacked equals what was packed, value for value and null for null.

use std::sync::Arc;

use arrow_array::{Array as _, RecordBatch, make_array};
use arrow_buffer::Buffer;
use arrow_data::ArrayData;
use arrow_schema::{DataType, SchemaRef};

/// Batches below this size stay as they are: packing them saves nothing.
const PACK_BYTES_MIN: usize = 16 << 10;
/// The fastest level: a sample is packed once and unpacked once.
const LEVEL: i32 = 1;

/// Rows as they are held. Clones are cheap.
#[derive(Clone)]
pub(super) enum Held {
    /// As they came.
    Rows(RecordBatch),
    /// Compressed.
    Packed(Packed),
}

/// A compressed batch.
#[derive(Clone)]
pub(super) struct Packed {
    schema: SchemaRef,
    rows: usize,
    /// Of each column: bytes of its validity, if it has nulls, and of its buffers.
    columns: Arc<[Lengths]>,
    /// Before compression.
    length: usize,
    bytes: Arc<[u8]>,
}

struct Lengths {
    nulls: Option<usize>,
    buffers: Vec<usize>,
}

impl Held {
    /// The batch, packed if that saves something.
    pub(super) fn of(batch: RecordBatch) -> Self {
        if batch.get_array_memory_size() < PACK_BYTES_MIN {
            return Self::Rows(batch);
        }
        Packed::of(&batch).map_or(Self::Rows(batch), Self::Packed)
    }

    /// What it takes of the memory.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Rows(batch) => batch.get_array_memory_size(),
            Self::Packed(packed) => packed.bytes.len(),
        }
    }

    /// The batch again.
    pub(super) fn unpacked(self) -> RecordBatch {
        match self {
            Self::Rows(batch) => batch,
            Self::Packed(packed) => packed.batch().expect("packed by this process, in memory"),
        }
    }
}

impl Packed {
    /// `None` for columns of a shape that no table has, and when it would not become smaller.
    fn of(batch: &RecordBatch) -> Option<Self> {
        let (mut raw, mut columns) = (Vec::new(), Vec::with_capacity(batch.num_columns()));
        for column in batch.columns() {
            let column = column.to_data();
            if column.offset() != 0 || !column.child_data().is_empty() {
                return None;
            }
            let nulls = match column.nulls() {
                Some(nulls) if nulls.offset() != 0 => return None,
                Some(nulls) => {
                    raw.extend_from_slice(nulls.validity());
                    Some(nulls.validity().len())
                }
                None => None,
            };
            let buffers = column.buffers().iter();
            let buffers = buffers.map(|buffer| {
                raw.extend_from_slice(buffer);
                buffer.len()
            });
            columns.push(Lengths { nulls, buffers: buffers.collect() });
        }
        let bytes = zstd::bulk::compress(&raw, LEVEL).ok()?;
        (bytes.len() < raw.len()).then(|| Self {
            schema: batch.schema(),
            rows: batch.num_rows(),
            columns: columns.into(),
            length: raw.len(),
            bytes: bytes.into(),
        })
    }

    fn batch(&self) -> Option<RecordBatch> {
        let raw = zstd::bulk::decompress(&self.bytes, self.length).ok()?;
        let mut rest = raw.as_slice();
        let mut take = |length: usize| {
            let (own, behind) = rest.split_at_checked(length)?;
            rest = behind;
            // A copy, because buffers are aligned to their values.
            Some(Buffer::from_slice_ref(own))
        };
        let mut columns = Vec::with_capacity(self.columns.len());
        for (field, lengths) in self.schema.fields().iter().zip(self.columns.iter()) {
            let nulls = match lengths.nulls {
                Some(length) => Some(take(length)?),
                None => None,
            };
            let buffers = lengths.buffers.iter().map(|length| take(*length));
            let buffers = buffers.collect::<Option<Vec<_>>>()?;
            columns.push(make_array(self.column(field.data_type(), nulls, buffers)?));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), columns).ok()
    }

    fn column(
        &self,
        kind: &DataType,
        nulls: Option<Buffer>,
        buffers: Vec<Buffer>,
    ) -> Option<ArrayData> {
        let builder = ArrayData::builder(kind.clone()).len(self.rows).null_bit_buffer(nulls);
        builder.buffers(buffers).build().ok()
    }
}

#[cfg(test)]
mod tests;
