//! Batches and envelopes as bytes in a log.
//!
//! The journal writes the batches of a commit together (`group`). By itself, as journals before
//! version 2 have it, a batch is its table's hash, its clock state, its columns one after the
//! other, and its flaws. Numbers of a column stand byte-transposed (all lowest bytes, then all
//! second bytes …), times as differences: compression finds far more in that than in rows.

use std::io;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use signals::{Batch, ClockState, Envelope, Flaw, Offset, Quality, QualityClass, Reason, Table};

use crate::log::{Codec, GroupCodec, GroupEncoder, Reference};
use crate::tables::{TableHash, TableStore};

mod bytes;
mod column;
mod group;

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
        self.tables.table(hash).ok_or_else(|| lost_definition(hash))
    }

    /// The batches of a commit in order: those of the tables `wanted` names with their rows, of
    /// others only the table.
    ///
    /// # Errors
    /// What is wrong with the bytes; within, a table whose definition is not there.
    pub fn decode_group(
        &self,
        bytes: &[u8],
        reference: &Reference,
        wanted: &dyn Fn(&Table) -> bool,
    ) -> io::Result<Vec<io::Result<Grouped>>> {
        let reference = reference.downcast_ref::<group::Reference>();
        let reference = reference.ok_or_else(|| unusable("a foreign reference".to_owned()))?;
        let records = group::decode(&self.tables, bytes, reference, wanted)?;
        Ok(records.into_iter().map(grouped).collect())
    }
}

/// A batch of a commit.
pub enum Grouped {
    /// With its rows.
    Rows(Batch),
    /// Of a table that was not wanted.
    Other(Arc<Table>),
}

fn grouped(record: group::Decoded) -> io::Result<Grouped> {
    match record {
        group::Decoded::Rows(batch) => Ok(Grouped::Rows(batch)),
        group::Decoded::Other(table) => Ok(Grouped::Other(table)),
        group::Decoded::Unknown(hash) => Err(lost_definition(hash)),
    }
}

fn lost_definition(hash: TableHash) -> io::Error {
    unusable(format!("table definition {:016x} is not there", hash.0))
}

impl GroupCodec<Batch> for BatchCodec {
    fn encoder(&self) -> Box<dyn GroupEncoder<Batch>> {
        Box::new(group::Encoder::new(Arc::clone(&self.tables)))
    }

    fn reference(&self, bytes: &[u8]) -> io::Result<Reference> {
        Ok(Arc::new(group::decode_reference(bytes)?))
    }

    fn decode_all(
        &self,
        bytes: &[u8],
        reference: &Reference,
    ) -> io::Result<Vec<io::Result<Batch>>> {
        let records = self.decode_group(bytes, reference, &|_| true)?;
        let rows = |record: io::Result<Grouped>| match record? {
            Grouped::Rows(batch) => Ok(batch),
            Grouped::Other(table) => Err(unusable(format!("rows of {} left out", table.name()))),
        };
        Ok(records.into_iter().map(rows).collect())
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

    fn groups(&self) -> Option<&dyn GroupCodec<Batch>> {
        Some(self)
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
