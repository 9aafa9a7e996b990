//! Batches and envelopes as bytes in a log.
//!
//! A batch is its table's hash, its clock state, its columns one after the other, and its flaws.
//! Numbers of a column stand byte-transposed (all lowest bytes, then all second bytes …), times
//! as differences: the frame's compression finds far more in that than in rows.

use std::io;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use signals::{Batch, ClockState, Envelope, Flaw, Offset, Quality, QualityClass, Reason, Table};

use crate::log::Codec;
use crate::tables::{TableHash, TableStore};

mod bytes;
mod column;

use bytes::{Reading, put_varint};

/// Codec of the journal.
pub struct BatchCodec {
    tables: Arc<TableStore>,
}

impl BatchCodec {
    /// A codec that keeps table definitions in `tables`.
    #[must_use]
    pub fn new(tables: Arc<TableStore>) -> Self {
        Self { tables }
    }

    /// The table of a batch's bytes, without the cost of its rows.
    ///
    /// # Errors
    /// When the bytes are too short or the table's definition is not there.
    pub fn table_of(&self, bytes: &[u8]) -> io::Result<Arc<Table>> {
        self.table(&mut Reading(bytes))
    }

    fn table(&self, from: &mut Reading<'_>) -> io::Result<Arc<Table>> {
        let hash = TableHash(u64::from_le_bytes(from.array()?));
        self.tables
            .table(hash)
            .ok_or_else(|| unusable(format!("table definition {:016x} is not there", hash.0)))
    }
}

impl Codec<Batch> for BatchCodec {
    fn encode(&self, batch: &Batch, out: &mut Vec<u8>) -> io::Result<()> {
        if batch.rows.schema_ref() != batch.table.schema() {
            return Err(unusable(format!("rows do not fit table {}", batch.table.name())));
        }
        let hash = self.tables.hash_of(&batch.table)?;
        out.extend_from_slice(&hash.0.to_le_bytes());
        out.push(u8::from(batch.clock == ClockState::Unsynced));
        put_varint(out, batch.rows.num_rows() as u64);
        for column in batch.rows.columns() {
            column::encode(column, out)?;
        }
        put_varint(out, batch.flaws.len() as u64);
        for flaw in &batch.flaws {
            put_varint(out, u64::from(flaw.row));
            put_varint(out, u64::from(flaw.signal));
            out.push(flaw.quality.class.code());
            out.extend_from_slice(&flaw.quality.reason.code().to_le_bytes());
        }
        Ok(())
    }

    fn size(&self, batch: &Batch) -> usize {
        batch.rows.num_rows() * batch.rows.num_columns() * 8
    }

    fn memory(&self, batch: &Batch) -> usize {
        batch.memory_bytes()
    }

    fn decode(&self, bytes: &[u8]) -> io::Result<Batch> {
        let mut from = Reading(bytes);
        let table = self.table(&mut from)?;
        let clock = if from.byte()? == 0 { ClockState::Synced } else { ClockState::Unsynced };
        let rows = from.count()?;
        let columns = table
            .schema()
            .fields()
            .iter()
            .map(|field| column::decode(field.data_type(), rows, &mut from))
            .collect::<io::Result<Vec<ArrayRef>>>()?;
        let rows = RecordBatch::try_new(Arc::clone(table.schema()), columns)
            .map_err(|err| unusable(err.to_string()))?;
        let mut flaws = Vec::new();
        for _ in 0..from.count()? {
            flaws.push(flaw(&mut from)?);
        }
        Ok(Batch { table, rows, flaws, clock })
    }
}

fn flaw(from: &mut Reading<'_>) -> io::Result<Flaw> {
    let row = u32::try_from(from.varint()?).map_err(|_| unusable("flaw's row".to_owned()))?;
    let signal = u16::try_from(from.varint()?).map_err(|_| unusable("flaw's signal".to_owned()))?;
    let class = QualityClass::from_code(from.byte()?);
    // A reason of a newer version is kept as a class without a reason.
    let reason = Reason::from_code(u16::from_le_bytes(from.array()?)).unwrap_or_default();
    Ok(Flaw { row, signal, quality: Quality { class, reason } })
}

/// Codec of outboxes.
#[derive(Clone, Copy, Debug, Default)]
pub struct EnvelopeCodec;

impl Codec<Envelope> for EnvelopeCodec {
    fn encode(&self, envelope: &Envelope, out: &mut Vec<u8>) -> io::Result<()> {
        out.extend_from_slice(&envelope.source.0.to_le_bytes());
        out.extend_from_slice(&envelope.payload);
        Ok(())
    }

    fn size(&self, envelope: &Envelope) -> usize {
        envelope.payload.len()
    }

    fn memory(&self, envelope: &Envelope) -> usize {
        envelope.payload.len() + size_of::<Envelope>()
    }

    fn decode(&self, bytes: &[u8]) -> io::Result<Envelope> {
        let mut from = Reading(bytes);
        let source = Offset(u64::from_le_bytes(from.array()?));
        Ok(Envelope { source, payload: from.0.to_vec() })
    }
}

fn unusable(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

#[cfg(test)]
mod tests;
