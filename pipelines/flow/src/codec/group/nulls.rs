//! Which rows of a column have a value: none lack one, a bit map, or all do.

use std::io;

use arrow_array::{Array as _, ArrayRef};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer};

use super::super::bytes::Reading;
use super::super::unusable;

pub(super) fn put_nulls(columns: &[&ArrayRef], out: &mut Vec<u8>) {
    let (mut rows, mut nulls) = (0, 0);
    for column in columns {
        rows += column.len();
        nulls += column.null_count();
    }
    if nulls == 0 || nulls == rows {
        out.push(if nulls == 0 { 0 } else { 2 });
        return;
    }
    out.push(1);
    let valid = columns.iter().flat_map(|c| (0..c.len()).map(|row| c.is_valid(row)));
    put_map(rows, valid, out);
}

/// Bits, lowest first, from a whole byte on.
pub(super) fn put_map(count: usize, bits: impl Iterator<Item = bool>, out: &mut Vec<u8>) {
    let mut map = BooleanBufferBuilder::new(count);
    bits.for_each(|bit| map.append(bit));
    out.extend_from_slice(map.as_slice());
}

pub(super) fn bit(map: &[u8], place: usize) -> bool {
    map.get(place / 8).is_some_and(|byte| byte >> (place % 8) & 1 == 1)
}

/// Which rows of a column have a value.
pub(super) enum Nulls<'a> {
    None,
    Map(&'a [u8]),
    All,
}

impl Nulls<'_> {
    /// How many rows have one.
    pub(super) fn there(&self, rows: usize) -> usize {
        match self {
            Self::None => rows,
            Self::Map(_) => (0..rows).filter(|row| self.is_there(*row)).count(),
            Self::All => 0,
        }
    }

    fn is_there(&self, row: usize) -> bool {
        match self {
            Self::None => true,
            Self::Map(map) => bit(map, row),
            Self::All => false,
        }
    }

    pub(super) fn buffer(&self, rows: usize) -> Option<NullBuffer> {
        match self {
            Self::None => None,
            Self::Map(_) => Some((0..rows).map(|row| self.is_there(row)).collect()),
            Self::All => Some(NullBuffer::new_null(rows)),
        }
    }

    /// The values of all rows, with the default where there is none.
    pub(super) fn spread<T: Copy + Default>(
        &self,
        rows: usize,
        there: Vec<T>,
    ) -> io::Result<Vec<T>> {
        if let Self::None = self {
            return Ok(there);
        }
        let mut next = there.into_iter();
        let value = |row| if self.is_there(row) { next.next() } else { Some(T::default()) };
        let spread: Option<Vec<T>> = (0..rows).map(value).collect();
        spread.ok_or_else(|| unusable("fewer values than rows that have one".to_owned()))
    }
}

pub(super) fn take_nulls<'a>(rows: usize, structure: &mut Reading<'a>) -> io::Result<Nulls<'a>> {
    match structure.byte()? {
        0 => Ok(Nulls::None),
        1 => Ok(Nulls::Map(structure.slice(rows.div_ceil(8))?)),
        2 => Ok(Nulls::All),
        other => Err(unusable(format!("{other} is not a kind of null map"))),
    }
}
