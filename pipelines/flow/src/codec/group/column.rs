//! One column of a table over all its rows in a group.
//!
//! Nulls first: 0 none, 1 a bit map, 2 all. Then, of the values that are there: whole numbers and
//! reals are steps from the one before; reals that all are decimals are so as whole numbers, which
//! a byte in front says. Times are what their steps differ by from the mean step, which stands in
//! front. Truth values are a bit map, texts their lengths and bytes.

use std::io;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_schema::DataType;

use super::super::bytes::{Reading, put_varint};
use super::super::unusable;
use super::cells::{Cell, Decimal, step, stepped};
use super::kind::Kind;
use super::nulls::{Nulls, bit, put_map, put_nulls, take_nulls};
use super::streams::{Numbers, Pool, Writing};

/// Calls a function with the Arrow type of a number kind.
macro_rules! of_number {
    ($kind:expr, $call:ident($($arg:expr),*)) => {
        match $kind {
            Kind::I8 => $call::<arrow_array::types::Int8Type>($($arg),*),
            Kind::I16 => $call::<arrow_array::types::Int16Type>($($arg),*),
            Kind::I32 => $call::<arrow_array::types::Int32Type>($($arg),*),
            Kind::I64 => $call::<arrow_array::types::Int64Type>($($arg),*),
            Kind::U8 => $call::<arrow_array::types::UInt8Type>($($arg),*),
            Kind::U16 => $call::<arrow_array::types::UInt16Type>($($arg),*),
            Kind::U32 => $call::<arrow_array::types::UInt32Type>($($arg),*),
            Kind::U64 => $call::<arrow_array::types::UInt64Type>($($arg),*),
            Kind::F32 => $call::<arrow_array::types::Float32Type>($($arg),*),
            Kind::F64 => $call::<Float64Type>($($arg),*),
            Kind::Time | Kind::Bool | Kind::Text | Kind::Bytes => {
                unreachable!("these are no numbers and are dealt with before")
            }
        }
    };
}

/// What is known when a column begins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    /// Bits of the value before; 0 when there is none.
    pub(super) bits: u64,
    /// Time steps of the tables so far.
    pub(super) clock: i64,
}

/// Bits of the last value of a row, 0 when it is null or has none.
pub(super) fn last_bits(kind: Kind, column: &ArrayRef) -> u64 {
    fn of<T: Cell>(column: &ArrayRef, row: usize) -> u64 {
        T::to_bits(column.as_primitive::<T>().value(row))
    }
    let Some(row) = column.len().checked_sub(1).filter(|row| column.is_valid(*row)) else {
        return 0;
    };
    match kind {
        Kind::Time => column.as_primitive::<TimestampMicrosecondType>().value(row).cast_unsigned(),
        Kind::Bool | Kind::Text | Kind::Bytes => 0,
        Kind::I8
        | Kind::I16
        | Kind::I32
        | Kind::I64
        | Kind::U8
        | Kind::U16
        | Kind::U32
        | Kind::U64
        | Kind::F32
        | Kind::F64 => of_number!(kind, of(column, row)),
    }
}

/// Appends a column, cut as its batches are; returns what the next table's times begin with.
pub(super) fn encode(
    kind: Kind,
    columns: &[&ArrayRef],
    before: Before,
    to: &mut Writing,
) -> io::Result<i64> {
    if columns.iter().any(|c| Kind::of(c.data_type()).ok() != Some(kind)) {
        return Err(unusable("a column is not of its table's type".to_owned()));
    }
    put_nulls(columns, &mut to.structure);
    match kind {
        Kind::Time => return Ok(put_times(columns, before, to)),
        Kind::Bool => put_bits(columns, &mut to.structure),
        Kind::Text => {
            let texts = columns.iter().flat_map(|column| column.as_string::<i32>().iter());
            put_slices(texts.flatten().map(str::as_bytes), &mut to.structure);
        }
        Kind::Bytes => {
            let bytes = columns.iter().flat_map(|column| column.as_binary::<i32>().iter());
            put_slices(bytes.flatten(), &mut to.structure);
        }
        Kind::F64 => put_reals(columns, before.bits, to),
        Kind::I8
        | Kind::I16
        | Kind::I32
        | Kind::I64
        | Kind::U8
        | Kind::U16
        | Kind::U32
        | Kind::U64
        | Kind::F32 => {
            of_number!(kind, put_numbers(columns, before.bits, to));
        }
    }
    Ok(before.clock)
}

fn put_bits(columns: &[&ArrayRef], out: &mut Vec<u8>) {
    let there = columns.iter().map(|column| column.len() - column.null_count()).sum();
    let values = columns.iter().flat_map(|column| column.as_boolean().iter().flatten());
    put_map(there, values, out);
}

/// All lengths, then all bytes.
fn put_slices<'a>(slices: impl Iterator<Item = &'a [u8]> + Clone, out: &mut Vec<u8>) {
    slices.clone().for_each(|slice| put_varint(out, slice.len() as u64));
    slices.for_each(|slice| out.extend_from_slice(slice));
}

fn put_numbers<T: Cell>(columns: &[&ArrayRef], before: u64, to: &mut Writing) {
    let pool = to.pool(T::POOL);
    let mut last = before;
    let mut put = |value: T::Native| {
        let bits = T::to_bits(value);
        pool.push(step(T::BITS, last, bits));
        last = bits;
    };
    for column in columns {
        let numbers = column.as_primitive::<T>();
        if numbers.null_count() == 0 {
            numbers.values().iter().for_each(|value| put(*value));
        } else {
            numbers.iter().flatten().for_each(&mut put);
        }
    }
}

fn put_reals(columns: &[&ArrayRef], before: u64, to: &mut Writing) {
    let Some(decimal) = decimal_of(columns, before) else {
        to.structure.push(0);
        return put_numbers::<Float64Type>(columns, before, to);
    };
    to.structure.push(decimal.code());
    put_decimals(columns, decimal, before, to);
}

/// The decimal that all values are, and the one before if there is such.
fn decimal_of(columns: &[&ArrayRef], before: u64) -> Option<Decimal> {
    let values = || columns.iter().flat_map(|column| column.as_primitive::<Float64Type>().iter());
    let before = Float64Type::from_bits(before);
    let holds = |decimal: &Decimal| values().flatten().all(|real| decimal.whole(real).is_some());
    let mut found = Decimal::all().filter(holds);
    let first = found.next()?;
    if first.whole(before).is_some() {
        return Some(first);
    }
    found.find(|decimal| decimal.whole(before).is_some()).or(Some(first))
}

fn put_decimals(columns: &[&ArrayRef], decimal: Decimal, before: u64, to: &mut Writing) {
    let pool = to.pool(Pool::Decimal);
    let mut last = whole_before(decimal, before);
    for column in columns {
        for real in column.as_primitive::<Float64Type>().iter().flatten() {
            let whole = decimal.whole(real).expect("all values were found to be such decimals");
            pool.push(step(64, last, whole.cast_unsigned()));
            last = whole.cast_unsigned();
        }
    }
}

fn whole_before(decimal: Decimal, before: u64) -> u64 {
    decimal.whole(Float64Type::from_bits(before)).unwrap_or(0).cast_unsigned()
}

fn put_times(columns: &[&ArrayRef], before: Before, to: &mut Writing) -> i64 {
    let values = columns.iter().flat_map(|c| c.as_primitive::<TimestampMicrosecondType>().iter());
    let times: Vec<i64> = values.flatten().collect();
    let (Some(&first), Some(&end)) = (times.first(), times.last()) else { return before.clock };
    let steps = i64::try_from(times.len()).unwrap_or(i64::MAX) - 1;
    let mean = end.wrapping_sub(first).checked_div(steps).unwrap_or(0);
    put_varint(&mut to.structure, step(64, 0, mean.cast_unsigned()));
    let common = begin(before);
    let pool = to.pool(Pool::Time);
    let mut expected = common;
    for time in times {
        pool.push(step(64, expected.cast_unsigned(), time.cast_unsigned()));
        expected = time.wrapping_add(mean);
    }
    first.wrapping_sub(before.bits.cast_signed())
}

/// When the first row is expected: tables are sampled together, so what one has advanced by, or
/// begins with, the next one will too.
fn begin(before: Before) -> i64 {
    before.bits.cast_signed().wrapping_add(before.clock)
}

/// A column to be read.
pub(super) struct Wanted<'a> {
    pub(super) kind: Kind,
    pub(super) rows: usize,
    /// The type of the array to make; `None` when nobody wants it.
    pub(super) array: Option<&'a DataType>,
    pub(super) before: Before,
}

/// The column, if it is wanted, and what the next table's times begin with.
pub(super) fn decode(
    wanted: &Wanted<'_>,
    structure: &mut Reading<'_>,
    numbers: &mut Numbers,
) -> io::Result<(Option<ArrayRef>, i64)> {
    let nulls = take_nulls(wanted.rows, structure)?;
    let there = nulls.there(wanted.rows);
    let array = match wanted.kind {
        Kind::Time => return take_times(wanted, &nulls, (structure, numbers)),
        Kind::Bool => take_bits(wanted, &nulls, structure)?,
        Kind::Text | Kind::Bytes => {
            let (lengths, values) = take_slices(there, structure)?;
            let array = |_| slices(wanted, lengths, values, &nulls);
            wanted.array.map(array).transpose()?
        }
        Kind::F64 => {
            let decimal = Decimal::from_code(structure.byte()?);
            let pool = if decimal.is_some() { Pool::Decimal } else { Pool::F64 };
            let steps = numbers.take(pool, there)?;
            match (wanted.array, decimal) {
                (None, _) => None,
                (Some(_), Some(decimal)) => Some(decimals(wanted, decimal, steps, &nulls)?),
                (Some(_), None) => Some(values::<Float64Type>(wanted, steps, &nulls)?),
            }
        }
        Kind::I8
        | Kind::I16
        | Kind::I32
        | Kind::I64
        | Kind::U8
        | Kind::U16
        | Kind::U32
        | Kind::U64
        | Kind::F32 => of_number!(wanted.kind, take_numbers(wanted, &nulls, numbers))?,
    };
    Ok((array, wanted.before.clock))
}

fn take_numbers<T: Cell>(
    wanted: &Wanted<'_>,
    nulls: &Nulls<'_>,
    numbers: &mut Numbers,
) -> io::Result<Option<ArrayRef>> {
    let steps = numbers.take(T::POOL, nulls.there(wanted.rows))?;
    wanted.array.map(|_| values::<T>(wanted, steps, nulls)).transpose()
}

fn values<T: Cell>(wanted: &Wanted<'_>, steps: &[u64], nulls: &Nulls<'_>) -> io::Result<ArrayRef> {
    let mut last = wanted.before.bits;
    let number = |step: &u64| {
        last = stepped(T::BITS, last, *step);
        T::from_bits(last)
    };
    let numbers = nulls.spread(wanted.rows, steps.iter().map(number).collect())?;
    let array = PrimitiveArray::<T>::try_new(numbers.into(), nulls.buffer(wanted.rows));
    Ok(Arc::new(array.map_err(refused)?))
}

fn decimals(
    wanted: &Wanted<'_>,
    decimal: Decimal,
    steps: &[u64],
    nulls: &Nulls<'_>,
) -> io::Result<ArrayRef> {
    let mut last = whole_before(decimal, wanted.before.bits);
    let real = |step: &u64| {
        last = stepped(64, last, *step);
        decimal.real(last.cast_signed())
    };
    let reals = nulls.spread(wanted.rows, steps.iter().map(real).collect())?;
    let array = PrimitiveArray::<Float64Type>::try_new(reals.into(), nulls.buffer(wanted.rows));
    Ok(Arc::new(array.map_err(refused)?))
}

fn take_bits(
    wanted: &Wanted<'_>,
    nulls: &Nulls<'_>,
    structure: &mut Reading<'_>,
) -> io::Result<Option<ArrayRef>> {
    let there = nulls.there(wanted.rows);
    let map = structure.slice(there.div_ceil(8))?;
    if wanted.array.is_none() {
        return Ok(None);
    }
    let bits = nulls.spread(wanted.rows, (0..there).map(|place| bit(map, place)).collect())?;
    Ok(Some(Arc::new(BooleanArray::new(bits.into(), nulls.buffer(wanted.rows)))))
}

fn take_times(
    wanted: &Wanted<'_>,
    nulls: &Nulls<'_>,
    (structure, numbers): (&mut Reading<'_>, &mut Numbers),
) -> io::Result<(Option<ArrayRef>, i64)> {
    let there = nulls.there(wanted.rows);
    let mean = if there > 0 { stepped(64, 0, structure.varint()?).cast_signed() } else { 0 };
    let mut expected = begin(wanted.before);
    let time = |step: &u64| {
        let time = stepped(64, expected.cast_unsigned(), *step).cast_signed();
        expected = time.wrapping_add(mean);
        time
    };
    let times: Vec<i64> = numbers.take(Pool::Time, there)?.iter().map(time).collect();
    let first = times.first().copied();
    let clock = first
        .map_or(wanted.before.clock, |first| first.wrapping_sub(wanted.before.bits.cast_signed()));
    let Some(DataType::Timestamp(_, zone)) = wanted.array else { return Ok((None, clock)) };
    let times = nulls.spread(wanted.rows, times)?.into();
    let nulls = nulls.buffer(wanted.rows);
    let array = PrimitiveArray::<TimestampMicrosecondType>::try_new(times, nulls);
    Ok((Some(Arc::new(array.map_err(refused)?.with_timezone_opt(zone.clone()))), clock))
}

fn take_slices<'a>(
    there: usize,
    structure: &mut Reading<'a>,
) -> io::Result<(Vec<usize>, &'a [u8])> {
    let mut lengths = Vec::new();
    let mut total = 0usize;
    for _ in 0..there {
        let length = structure.count()?;
        total = total.saturating_add(length);
        lengths.push(length);
    }
    Ok((lengths, structure.slice(total)?))
}

fn slices(
    wanted: &Wanted<'_>,
    lengths: Vec<usize>,
    values: &[u8],
    nulls: &Nulls<'_>,
) -> io::Result<ArrayRef> {
    if i32::try_from(values.len()).is_err() {
        return Err(unusable("a column of texts above 2 GiB".to_owned()));
    }
    let offsets = OffsetBuffer::from_lengths(nulls.spread(wanted.rows, lengths)?);
    let (values, nulls) = (Buffer::from(values), nulls.buffer(wanted.rows));
    Ok(if wanted.kind == Kind::Text {
        Arc::new(StringArray::try_new(offsets, values, nulls).map_err(refused)?)
    } else {
        Arc::new(BinaryArray::try_new(offsets, values, nulls).map_err(refused)?)
    })
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` gives")]
fn refused(err: arrow_schema::ArrowError) -> io::Error {
    unusable(err.to_string())
}
