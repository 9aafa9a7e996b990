//! Bytes of a group → batches.

use std::io;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use signals::{Batch, ClockState, Flaw, Table};

use super::super::bytes::Reading;
use super::super::{flaw, unusable};
use super::cells::stepped;
use super::column::{self, Before, Wanted};
use super::kind::Kind;
use super::streams::{self, Numbers, Pool};
use super::{FLAWED, LastRow, Reference, UNSYNCED};
use crate::tables::{TableHash, TableStore};

/// A record of a group.
pub(crate) enum Decoded {
    /// Its rows.
    Rows(Batch),
    /// A record of a table that nobody wants.
    Other(Arc<Table>),
    /// The definition of its table is not there.
    Unknown(TableHash),
}

/// The rows of one table in a group.
struct Section {
    hash: u64,
    kinds: Vec<Kind>,
    /// Bits of the row before.
    bits: Vec<u64>,
    rows: usize,
    /// Rows that have been given to records.
    given: usize,
    table: Option<Arc<Table>>,
    columns: Option<RecordBatch>,
}

struct Record {
    section: usize,
    rows: usize,
    flags: u8,
}

/// The records of a group in order. Rows are made for the tables that `wanted` names.
pub(in super::super) fn decode(
    tables: &TableStore,
    bytes: &[u8],
    reference: &Reference,
    wanted: &dyn Fn(&Table) -> bool,
) -> io::Result<Vec<Decoded>> {
    let (structure, mut numbers) = streams::read(bytes)?;
    let mut from = Reading(&structure);
    let mut sections = take_tables(tables, reference, &mut from)?;
    let records = take_records(&mut sections, &mut from)?;
    let mut clock = 0;
    for section in &mut sections {
        clock = take_columns(section, clock, wanted, (&mut from, &mut numbers))?;
    }
    records.iter().map(|record| take_record(record, &mut sections, &mut from)).collect()
}

/// What [`super::Encoder`] made of the last rows.
pub(in super::super) fn decode_reference(bytes: &[u8]) -> io::Result<Reference> {
    let (structure, mut numbers) = streams::read(bytes)?;
    let mut from = Reading(&structure);
    let mut sections = take_sections(&Reference::default(), &mut from)?;
    take_records(&mut sections, &mut from)?;
    let mut reference = Reference::default();
    let mut clock = 0;
    for section in &mut sections {
        let next = take_bits(section, clock, (&mut from, &mut numbers))?;
        clock = next;
        let (kinds, bits) = (section.kinds.clone(), section.bits.clone());
        reference.push(LastRow { hash: section.hash, kinds, bits });
    }
    Ok(reference)
}

fn take_tables(
    tables: &TableStore,
    reference: &Reference,
    from: &mut Reading<'_>,
) -> io::Result<Vec<Section>> {
    let mut sections = take_sections(reference, from)?;
    for section in &mut sections {
        section.table = tables.table(TableHash(section.hash));
        let Some(table) = &section.table else { continue };
        let fields = table.schema().fields();
        let kinds = fields.iter().map(|field| Kind::of(field.data_type()));
        if kinds.collect::<io::Result<Vec<_>>>()? != section.kinds {
            return Err(unusable(format!("rows do not fit table {}", table.name())));
        }
    }
    Ok(sections)
}

fn take_sections(reference: &Reference, from: &mut Reading<'_>) -> io::Result<Vec<Section>> {
    let mut sections = Vec::new();
    for _ in 0..from.count()? {
        let place = usize::try_from(from.varint()?).unwrap_or(usize::MAX);
        let (hash, kinds, bits) = if let Some(place) = place.checked_sub(1) {
            let row = reference.row(place);
            let row = row.ok_or_else(|| unusable("a table beyond the reference".to_owned()))?;
            (row.hash, row.kinds.clone(), row.bits.clone())
        } else {
            let hash = u64::from_le_bytes(from.array()?);
            let count = from.count()?;
            let codes = from.slice(count)?.iter();
            let kinds = codes.map(|code| Kind::from_code(*code)).collect::<io::Result<_>>()?;
            (hash, kinds, vec![0; count])
        };
        let section = Section { hash, kinds, bits, rows: 0, given: 0, table: None, columns: None };
        if section.kinds.first() != Some(&Kind::Time) {
            return Err(unusable("a table that does not begin with its times".to_owned()));
        }
        sections.push(section);
    }
    Ok(sections)
}

fn take_records(sections: &mut [Section], from: &mut Reading<'_>) -> io::Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut expected = 0u64;
    for _ in 0..from.count()? {
        let place = stepped(64, expected, from.varint()?);
        expected = place.wrapping_add(1);
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let rows = usize::try_from(from.varint()?).unwrap_or(usize::MAX);
        let section = sections.get_mut(place);
        let section = section.ok_or_else(|| unusable("a record of no table".to_owned()))?;
        section.rows = section.rows.saturating_add(rows);
        records.push(Record { section: place, rows, flags: from.byte()? });
    }
    Ok(records)
}

/// Reads a table's columns; returns what the next table's times begin with.
fn take_columns(
    section: &mut Section,
    clock: i64,
    wanted: &dyn Fn(&Table) -> bool,
    (from, numbers): (&mut Reading<'_>, &mut Numbers),
) -> io::Result<i64> {
    is_there(section, numbers)?;
    let table = section.table.as_ref().filter(|table| wanted(table));
    let mut next = clock;
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (place, (kind, bits)) in section.kinds.iter().zip(&section.bits).enumerate() {
        let field = table.and_then(|table| table.schema().fields().get(place));
        let as_type = field.map(|field| field.data_type());
        let before = Before { bits: *bits, clock: if place == 0 { clock } else { 0 } };
        let wanted = Wanted { kind: *kind, rows: section.rows, array: as_type, before };
        let taken = column::decode(&wanted, from, numbers)?;
        columns.extend(taken.0);
        if place == 0 {
            next = taken.1;
        }
    }
    if let Some(table) = table {
        let rows = RecordBatch::try_new(Arc::clone(table.schema()), columns);
        section.columns = Some(rows.map_err(|err| unusable(err.to_string()))?);
    }
    Ok(next)
}

/// Every row has a time: no more rows are believed than times are left.
fn is_there(section: &Section, numbers: &Numbers) -> io::Result<()> {
    if section.rows > numbers.left(Pool::Time) {
        return Err(unusable("more rows than times".to_owned()));
    }
    Ok(())
}

/// Reads the one row of a table in a reference.
fn take_bits(
    section: &mut Section,
    clock: i64,
    (from, numbers): (&mut Reading<'_>, &mut Numbers),
) -> io::Result<i64> {
    is_there(section, numbers)?;
    let mut next = clock;
    for (place, (kind, bits)) in section.kinds.iter().zip(&mut section.bits).enumerate() {
        let before = Before { bits: *bits, clock: if place == 0 { clock } else { 0 } };
        let as_type = kind.arrow();
        let wanted = Wanted { kind: *kind, rows: section.rows, array: Some(&as_type), before };
        let (array, after) = column::decode(&wanted, from, numbers)?;
        *bits = array.map_or(0, |array| column::last_bits(*kind, &array));
        if place == 0 {
            next = after;
        }
    }
    Ok(next)
}

fn take_record(
    record: &Record,
    sections: &mut [Section],
    from: &mut Reading<'_>,
) -> io::Result<Decoded> {
    let mut flaws: Vec<Flaw> = Vec::new();
    if record.flags & FLAWED != 0 {
        for _ in 0..from.count()? {
            flaws.push(flaw(from)?);
        }
    }
    let section = sections.get_mut(record.section);
    let section = section.ok_or_else(|| unusable("a record of no table".to_owned()))?;
    let Some(table) = &section.table else {
        return Ok(Decoded::Unknown(TableHash(section.hash)));
    };
    let Some(columns) = &section.columns else {
        return Ok(Decoded::Other(Arc::clone(table)));
    };
    let rows = columns.slice(section.given, record.rows);
    section.given += record.rows;
    let is_unsynced = record.flags & UNSYNCED != 0;
    let clock = if is_unsynced { ClockState::Unsynced } else { ClockState::Synced };
    Ok(Decoded::Rows(Batch { table: Arc::clone(table), rows, flaws, clock }))
}
