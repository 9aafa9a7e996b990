//! Batches → bytes of a group, and the reference they need.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use arrow_array::ArrayRef;
use signals::{Batch, ClockState, Table};

use super::super::bytes::put_varint;
use super::super::unusable;
use super::cells::step;
use super::column::{self, Before};
use super::kind::Kind;
use super::streams::Writing;
use super::{FLAWED, LastRow, Reference, UNSYNCED};
use crate::log::GroupEncoder;
use crate::tables::TableStore;

/// Encoder of the groups of one segment.
pub(in super::super) struct Encoder {
    tables: Arc<TableStore>,
    /// What was seen last of each table, in the order in which they were first seen.
    last: Vec<(u64, Arc<Batch>)>,
    places: HashMap<u64, usize>,
    reference: Reference,
}

impl Encoder {
    pub(in super::super) fn new(tables: Arc<TableStore>) -> Self {
        let (last, places) = (Vec::new(), HashMap::new());
        Self { tables, last, places, reference: Reference::default() }
    }

    fn see(&mut self, records: &[Arc<Batch>]) -> io::Result<()> {
        for batch in records.iter().filter(|batch| batch.rows.num_rows() > 0) {
            let hash = self.tables.hash_of(&batch.table)?.0;
            let known = self.places.get(&hash).and_then(|place| self.last.get_mut(*place));
            if let Some((_, last)) = known {
                *last = Arc::clone(batch);
            } else {
                self.places.insert(hash, self.last.len());
                self.last.push((hash, Arc::clone(batch)));
            }
        }
        Ok(())
    }
}

impl GroupEncoder<Batch> for Encoder {
    fn reference(&mut self, records: &[Arc<Batch>]) -> io::Result<Vec<u8>> {
        self.see(records)?;
        let mut reference = Reference::default();
        let mut rows = Vec::with_capacity(self.last.len());
        for (hash, batch) in &self.last {
            let last = batch.rows.slice(batch.rows.num_rows().saturating_sub(1), 1);
            let kinds = kinds_of(&batch.table)?;
            let columns = kinds.iter().zip(last.columns());
            let bits = columns.map(|(kind, column)| column::last_bits(*kind, column)).collect();
            reference.push(LastRow { hash: *hash, kinds, bits });
            let (table, flaws) = (Arc::clone(&batch.table), Vec::new());
            rows.push(Arc::new(Batch { table, rows: last, flaws, clock: ClockState::Synced }));
        }
        let mut bytes = Vec::new();
        encode(&self.tables, &rows, &Reference::default(), &mut bytes)?;
        self.reference = reference;
        Ok(bytes)
    }

    fn encode(&mut self, records: &[Arc<Batch>], out: &mut Vec<u8>) -> io::Result<()> {
        self.see(records)?;
        encode(&self.tables, records, &self.reference, out)
    }
}

/// The rows of one table in a group.
struct Section<'a> {
    hash: u64,
    kinds: Vec<Kind>,
    batches: Vec<&'a Batch>,
}

fn encode(
    tables: &TableStore,
    records: &[Arc<Batch>],
    reference: &Reference,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut places = HashMap::new();
    let mut of_records = Vec::with_capacity(records.len());
    for batch in records {
        if batch.rows.schema_ref() != batch.table.schema() {
            return Err(unusable(format!("rows do not fit table {}", batch.table.name())));
        }
        let hash = tables.hash_of(&batch.table)?.0;
        let place = *places.entry(hash).or_insert(sections.len());
        if place == sections.len() {
            sections.push(Section { hash, kinds: kinds_of(&batch.table)?, batches: Vec::new() });
        }
        if let Some(section) = sections.get_mut(place) {
            section.batches.push(batch);
        }
        of_records.push(place);
    }
    let mut to = Writing::default();
    put_tables(&sections, reference, &mut to.structure);
    put_records(records, &of_records, &mut to.structure);
    let mut clock = 0;
    for section in &sections {
        clock = put_columns(section, reference, clock, &mut to)?;
    }
    for batch in records.iter().filter(|batch| !batch.flaws.is_empty()) {
        put_flaws(batch, &mut to.structure);
    }
    to.finish(out)
}

fn kinds_of(table: &Table) -> io::Result<Vec<Kind>> {
    table.schema().fields().iter().map(|field| Kind::of(field.data_type())).collect()
}

fn put_tables(sections: &[Section<'_>], reference: &Reference, out: &mut Vec<u8>) {
    put_varint(out, sections.len() as u64);
    for section in sections {
        if let Some(place) = reference.place_of(section.hash) {
            put_varint(out, place as u64 + 1);
            continue;
        }
        put_varint(out, 0);
        out.extend_from_slice(&section.hash.to_le_bytes());
        put_varint(out, section.kinds.len() as u64);
        out.extend(section.kinds.iter().map(|kind| kind.code()));
    }
}

fn put_records(records: &[Arc<Batch>], of_records: &[usize], out: &mut Vec<u8>) {
    put_varint(out, records.len() as u64);
    let mut expected = 0u64;
    for (batch, place) in records.iter().zip(of_records) {
        let place = *place as u64;
        put_varint(out, step(64, expected, place));
        expected = place + 1;
        put_varint(out, batch.rows.num_rows() as u64);
        let unsynced = if batch.clock == ClockState::Unsynced { UNSYNCED } else { 0 };
        out.push(unsynced | if batch.flaws.is_empty() { 0 } else { FLAWED });
    }
}

/// Returns what the next table's times begin with.
fn put_columns(
    section: &Section<'_>,
    reference: &Reference,
    clock: i64,
    to: &mut Writing,
) -> io::Result<i64> {
    let row = reference.place_of(section.hash).and_then(|place| reference.row(place));
    let mut next = clock;
    for (place, kind) in section.kinds.iter().enumerate() {
        let bits = row.and_then(|row| row.bits.get(place)).copied().unwrap_or(0);
        let columns = section.batches.iter().filter_map(|batch| batch.rows.columns().get(place));
        let columns: Vec<&ArrayRef> = columns.collect();
        let before = Before { bits, clock: if place == 0 { clock } else { 0 } };
        let after = column::encode(*kind, &columns, before, to)?;
        if place == 0 {
            next = after;
        }
    }
    Ok(next)
}

fn put_flaws(batch: &Batch, out: &mut Vec<u8>) {
    put_varint(out, batch.flaws.len() as u64);
    for flaw in &batch.flaws {
        put_varint(out, u64::from(flaw.row));
        put_varint(out, u64::from(flaw.signal));
        out.push(flaw.quality.class.code());
        out.extend_from_slice(&flaw.quality.reason.code().to_le_bytes());
    }
}
