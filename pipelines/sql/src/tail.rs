//! Rows that are in the journal and perhaps not in the lake yet.
//!
//! They are read from the journal's files, so a second process sees them while a gateway writes.
//! Rows are gathered per table definition and date, because that is how the lake says what it
//! holds: everything up to a journal offset.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::arrow::compute::concat_batches;
use datafusion::error::Result as EngineResult;
use datafusion::execution::memory_pool::MemoryReservation;
use pipelines_flow::codec::{BatchCodec, Grouped};
use pipelines_flow::historian::by_date;
use pipelines_flow::log::{Codec, GroupCodec, GroupEncoder, LogView, Reference};
use pipelines_flow::tables::TableStore;
use pipelines_flow::{Entry, lake};
use signals::{Batch, Offset, Table, Timestamp};

/// Name of the cursor behind which everything is in the lake.
pub(crate) const HISTORIAN: &str = "historian";
/// A scan is a batch of one row: so many are put together that columns pay.
const CHUNK_BATCHES: usize = 1_024;
/// How often the journal's files are read again because a record was just being written.
const REREADS_MAX: u32 = 3;

/// A record of the journal as a query sees it.
pub(crate) enum Seen {
    /// Rows of a table that was asked for.
    Rows(Batch),
    /// A record of another table.
    Other(Arc<Table>),
}

/// Reads the journal; of tables nobody asked for only which they are.
pub(crate) struct TailCodec {
    batches: BatchCodec,
    is_wanted: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

impl TailCodec {
    /// A codec that reads the rows of the tables that are wanted, by name.
    pub(crate) fn new(
        definitions: Arc<TableStore>,
        is_wanted: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { batches: BatchCodec::new(definitions), is_wanted: Box::new(is_wanted) }
    }
}

impl Codec<Seen> for TailCodec {
    fn encode(&self, _record: &Seen, _out: &mut Vec<u8>) -> io::Result<()> {
        Err(read_only())
    }

    fn size(&self, record: &Seen) -> usize {
        match record {
            Seen::Rows(batch) => self.batches.size(batch),
            Seen::Other(_) => 0,
        }
    }

    fn memory(&self, record: &Seen) -> usize {
        match record {
            Seen::Rows(batch) => self.batches.memory(batch),
            Seen::Other(_) => 0,
        }
    }

    fn decode(&self, bytes: &[u8]) -> io::Result<Seen> {
        let table = self.batches.table_of(bytes)?;
        if (self.is_wanted)(table.name()) {
            return Ok(Seen::Rows(self.batches.decode(bytes)?));
        }
        Ok(Seen::Other(table))
    }

    fn groups(&self) -> Option<&dyn GroupCodec<Seen>> {
        Some(self)
    }
}

impl GroupCodec<Seen> for TailCodec {
    fn encoder(&self) -> Box<dyn GroupEncoder<Seen>> {
        Box::new(ReadOnly)
    }

    fn reference(&self, bytes: &[u8]) -> io::Result<Reference> {
        self.batches.reference(bytes)
    }

    fn decode_all(&self, bytes: &[u8], reference: &Reference) -> io::Result<Vec<io::Result<Seen>>> {
        let wanted = |table: &Table| (self.is_wanted)(table.name());
        let records = self.batches.decode_group(bytes, reference, &wanted)?;
        let seen = |record: io::Result<Grouped>| match record? {
            Grouped::Rows(batch) => Ok(Seen::Rows(batch)),
            Grouped::Other(table) => Ok(Seen::Other(table)),
        };
        Ok(records.into_iter().map(seen).collect())
    }
}

/// An encoder that refuses.
struct ReadOnly;

impl GroupEncoder<Seen> for ReadOnly {
    fn reference(&mut self, _records: &[Arc<Seen>]) -> io::Result<Vec<u8>> {
        Err(read_only())
    }

    fn encode(&mut self, _records: &[Arc<Seen>], _out: &mut Vec<u8>) -> io::Result<()> {
        Err(read_only())
    }
}

fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "queries write nothing")
}

/// The tail of the journal.
pub(crate) struct Tail {
    /// Rows of the tables asked for.
    parts: BTreeMap<(String, String), Vec<Part>>,
    /// Definitions met of every table, oldest first.
    definitions: BTreeMap<String, Vec<Arc<Table>>>,
    reservation: MemoryReservation,
    /// Time of the newest commit.
    newest: Option<Timestamp>,
}

/// Rows of one table definition and date, in the order of the journal.
struct Part {
    table: Arc<Table>,
    chunks: Vec<RecordBatch>,
    pending: Vec<RecordBatch>,
    rows: usize,
    /// Rows of the part up to and including a journal offset.
    marks: Vec<(Offset, usize)>,
}

impl Tail {
    /// Reads what is behind the historian's cursor. What its rows take is charged to
    /// `reservation`, which lives as long as the tail.
    pub(crate) fn read(
        journal: &LogView<Seen>,
        reservation: MemoryReservation,
    ) -> io::Result<EngineResult<Self>> {
        let (parts, definitions) = (BTreeMap::new(), BTreeMap::new());
        let mut tail = Self { parts, definitions, reservation, newest: None };
        let mut failed = None;
        let from = journal.committed(HISTORIAN)?.unwrap_or(Offset::START);
        let newest = visit_without_gaps(journal, from, |entry| {
            if failed.is_none()
                && let Err(err) = tail.add(&entry)
            {
                failed = Some(err);
            }
        })?;
        tail.newest = newest;
        if let Some(err) = failed {
            return Ok(Err(err));
        }
        let fold = |part: &mut Part| part.fold(&tail.reservation);
        Ok(tail.parts.values_mut().flatten().try_for_each(fold).map(|()| tail))
    }

    /// Names of the tables in the tail.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.definitions.keys().map(String::as_str)
    }

    /// Schemas of a table in the tail as its files will have them, oldest first.
    pub(crate) fn schemas(&self, name: &str) -> impl Iterator<Item = SchemaRef> {
        let definitions = self.definitions.get(name).into_iter().flatten();
        definitions.map(|table| Arc::new(table.described_schema()))
    }

    /// The rows of a table that `sealed` does not say are in the lake.
    pub(crate) fn rows_behind(&self, name: &str, sealed: &lake::Sealed) -> Vec<RecordBatch> {
        let of_table = self.parts.iter().filter(|((table, _), _)| table == name);
        of_table
            .flat_map(|(key, parts)| parts.iter().flat_map(|p| p.behind(sealed.get(key))))
            .collect()
    }

    /// When the journal was written last.
    pub(crate) fn newest_commit(&self) -> Option<Timestamp> {
        self.newest
    }

    /// What the tail takes of the memory limit; it is given back when this is dropped.
    pub(crate) fn into_reservation(self) -> MemoryReservation {
        self.reservation
    }

    fn add(&mut self, entry: &Entry<Seen>) -> EngineResult<()> {
        let table = match &*entry.record {
            Seen::Rows(batch) => &batch.table,
            Seen::Other(table) => table,
        };
        let name = table.name();
        let definitions = self.definitions.entry(name.to_owned()).or_default();
        if !definitions.iter().any(|known| is_same(known, table)) {
            definitions.push(Arc::clone(table));
        }
        let Seen::Rows(batch) = &*entry.record else { return Ok(()) };
        for rows in by_date(&batch.rows, batch.timestamps()) {
            let Some(date) = date_of(&rows) else { continue };
            let parts = self.parts.entry((name.to_owned(), date)).or_default();
            if !parts.last().is_some_and(|part| is_same(&part.table, &batch.table)) {
                parts.push(Part::new(&batch.table));
            }
            if let Some(part) = parts.last_mut() {
                part.add(entry.offset, rows, &self.reservation)?;
            }
        }
        Ok(())
    }
}

impl Part {
    fn new(table: &Arc<Table>) -> Self {
        Self {
            table: Arc::clone(table),
            chunks: Vec::new(),
            pending: Vec::new(),
            rows: 0,
            marks: Vec::new(),
        }
    }

    fn add(
        &mut self,
        offset: Offset,
        rows: RecordBatch,
        reservation: &MemoryReservation,
    ) -> EngineResult<()> {
        self.rows += rows.num_rows();
        self.marks.push((offset, self.rows));
        self.pending.push(rows);
        if self.pending.len() >= CHUNK_BATCHES { self.fold(reservation) } else { Ok(()) }
    }

    /// Puts the pending batches together into one chunk.
    fn fold(&mut self, reservation: &MemoryReservation) -> EngineResult<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let chunk = concat_batches(self.table.schema(), &self.pending)?;
        self.pending.clear();
        reservation.try_grow(chunk.get_array_memory_size())?;
        self.chunks.push(chunk);
        Ok(())
    }

    /// The rows of offsets behind `sealed`.
    fn behind(&self, sealed: Option<&Offset>) -> Vec<RecordBatch> {
        let place = self.marks.partition_point(|(offset, _)| sealed.is_some_and(|s| offset <= s));
        let before = place.checked_sub(1).and_then(|last| self.marks.get(last));
        let mut skip = before.map_or(0, |(_, rows)| *rows);
        let mut kept = Vec::new();
        for chunk in &self.chunks {
            let skipped = skip.min(chunk.num_rows());
            skip -= skipped;
            if skipped < chunk.num_rows() {
                kept.push(chunk.slice(skipped, chunk.num_rows() - skipped));
            }
        }
        kept
    }
}

fn is_same(a: &Arc<Table>, b: &Arc<Table>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

fn date_of(rows: &RecordBatch) -> Option<String> {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::TimestampMicrosecondType;
    let times = rows.column(0).as_primitive_opt::<TimestampMicrosecondType>()?;
    times.values().first().map(|micros| Timestamp::from_micros(*micros).date())
}

/// Passes every record from `from` on to `visit`, each once and in order.
///
/// A commit that is being written while it is read looks like damage, and what follows it can
/// be whole already when the reading goes on behind it. So where offsets jump, the files are
/// read again from there; a jump that stays is real: evicted, or damaged for good.
fn visit_without_gaps(
    journal: &LogView<Seen>,
    from: Offset,
    mut visit: impl FnMut(Entry<Seen>),
) -> io::Result<Option<Timestamp>> {
    let mut newest = None;
    let mut next = from;
    let mut is_first = true;
    for reread in 0..=REREADS_MAX {
        let mut has_gap = false;
        newest = journal.visit(next, |entry| {
            let is_jump = !is_first && entry.offset > next && reread < REREADS_MAX;
            has_gap |= is_jump;
            if has_gap || entry.offset < next {
                return;
            }
            is_first = false;
            next = entry.offset.next();
            visit(entry);
        })?;
        if !has_gap {
            break;
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests;
