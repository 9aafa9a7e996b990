//! One column as bytes and back.

use std::io;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};

use super::bytes::{Reading, put_varint};
use super::unusable;

/// Calls a function with the Arrow type of a fixed-width number column.
macro_rules! of_number {
    ($kind:expr, $call:ident($($arg:expr),*), else $other:expr) => {
        match $kind {
            DataType::Int8 => $call::<Int8Type>($($arg),*),
            DataType::Int16 => $call::<Int16Type>($($arg),*),
            DataType::Int32 => $call::<Int32Type>($($arg),*),
            DataType::Int64 => $call::<Int64Type>($($arg),*),
            DataType::UInt8 => $call::<UInt8Type>($($arg),*),
            DataType::UInt16 => $call::<UInt16Type>($($arg),*),
            DataType::UInt32 => $call::<UInt32Type>($($arg),*),
            DataType::UInt64 => $call::<UInt64Type>($($arg),*),
            DataType::Float32 => $call::<Float32Type>($($arg),*),
            DataType::Float64 => $call::<Float64Type>($($arg),*),
            _ => $other,
        }
    };
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an Arrow type that no signal has")]
pub(super) fn encode(column: &ArrayRef, out: &mut Vec<u8>) -> io::Result<()> {
    encode_nulls(column.nulls(), out);
    match column.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => encode_times(column, out),
        DataType::Boolean => encode_bits(column.as_boolean().values(), out),
        DataType::Utf8 => {
            let text = column.as_string::<i32>();
            encode_slices(text.offsets(), text.values(), out);
        }
        DataType::Binary => {
            let bytes = column.as_binary::<i32>();
            encode_slices(bytes.offsets(), bytes.values(), out);
        }
        kind => {
            let unknown = format!("columns of type {kind} are not stored");
            of_number!(kind, encode_numbers(column, out), else return Err(unusable(unknown)));
        }
    }
    Ok(())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an Arrow type that no signal has")]
pub(super) fn decode(kind: &DataType, rows: usize, from: &mut Reading<'_>) -> io::Result<ArrayRef> {
    let nulls = decode_nulls(rows, from)?;
    match kind {
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let times = decode_times(rows, from)?;
            let array = PrimitiveArray::<TimestampMicrosecondType>::try_new(times.into(), nulls);
            let array = array.map_err(|err| unusable(err.to_string()))?;
            Ok(Arc::new(array.with_timezone_opt(zone.clone())))
        }
        DataType::Boolean => {
            let bits = BooleanBuffer::new(Buffer::from(from.slice(rows.div_ceil(8))?), 0, rows);
            Ok(Arc::new(BooleanArray::new(bits, nulls)))
        }
        DataType::Utf8 => {
            let (offsets, values) = decode_slices(rows, from)?;
            let array = StringArray::try_new(offsets, values, nulls);
            Ok(Arc::new(array.map_err(|err| unusable(err.to_string()))?))
        }
        DataType::Binary => {
            let (offsets, values) = decode_slices(rows, from)?;
            let array = BinaryArray::try_new(offsets, values, nulls);
            Ok(Arc::new(array.map_err(|err| unusable(err.to_string()))?))
        }
        kind => {
            let unknown = || Err(unusable(format!("columns of type {kind} are not stored")));
            of_number!(kind, decode_numbers(rows, nulls, from), else unknown())
        }
    }
}

fn encode_nulls(nulls: Option<&NullBuffer>, out: &mut Vec<u8>) {
    match nulls.filter(|nulls| nulls.null_count() > 0) {
        None => out.push(0),
        Some(nulls) if nulls.null_count() == nulls.len() => out.push(2),
        Some(nulls) => {
            out.push(1);
            encode_bits(nulls.inner(), out);
        }
    }
}

fn decode_nulls(rows: usize, from: &mut Reading<'_>) -> io::Result<Option<NullBuffer>> {
    match from.byte()? {
        0 => Ok(None),
        1 => {
            let bits = Buffer::from(from.slice(rows.div_ceil(8))?);
            Ok(Some(NullBuffer::new(BooleanBuffer::new(bits, 0, rows))))
        }
        2 => Ok(Some(NullBuffer::new_null(rows))),
        other => Err(unusable(format!("{other} is not a kind of null map"))),
    }
}

/// Bits, lowest first, from a whole byte on.
fn encode_bits(bits: &BooleanBuffer, out: &mut Vec<u8>) {
    let mut bytes = vec![0u8; bits.len().div_ceil(8)];
    for place in bits.set_indices() {
        if let Some(byte) = bytes.get_mut(place / 8) {
            *byte |= 1 << (place % 8);
        }
    }
    out.extend_from_slice(&bytes);
}

/// Differences, zigzag: regular sampling makes them small and alike.
fn encode_times(column: &ArrayRef, out: &mut Vec<u8>) {
    let mut last = 0i64;
    for &time in column.as_primitive::<TimestampMicrosecondType>().values() {
        let step = time.wrapping_sub(last);
        put_varint(out, ((step << 1) ^ (step >> 63)).cast_unsigned());
        last = time;
    }
}

fn decode_times(rows: usize, from: &mut Reading<'_>) -> io::Result<Vec<i64>> {
    let mut last = 0i64;
    (0..rows)
        .map(|_| {
            let zigzag = from.varint()?;
            let step = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
            last = last.wrapping_add(step);
            Ok(last)
        })
        .collect()
}

fn encode_numbers<T: ArrowPrimitiveType>(column: &ArrayRef, out: &mut Vec<u8>) {
    let values = column.as_primitive::<T>().values().inner().as_slice();
    let width = size_of::<T::Native>();
    for place in 0..width {
        out.extend(values.iter().skip(place).step_by(width));
    }
}

fn decode_numbers<T: ArrowPrimitiveType>(
    rows: usize,
    nulls: Option<NullBuffer>,
    from: &mut Reading<'_>,
) -> io::Result<ArrayRef> {
    let width = size_of::<T::Native>();
    let planes = from.slice(rows.saturating_mul(width))?;
    let mut values = MutableBuffer::from_len_zeroed(planes.len());
    let out = values.as_slice_mut();
    for (place, plane) in planes.chunks_exact(rows.max(1)).enumerate() {
        for (to, byte) in out.iter_mut().skip(place).step_by(width).zip(plane) {
            *to = *byte;
        }
    }
    let values = ScalarBuffer::<T::Native>::new(values.into(), 0, rows);
    let array = PrimitiveArray::<T>::try_new(values, nulls);
    Ok(Arc::new(array.map_err(|err| unusable(err.to_string()))?))
}

fn encode_slices(offsets: &OffsetBuffer<i32>, values: &[u8], out: &mut Vec<u8>) {
    let first = offsets.first().copied().unwrap_or(0);
    let last = offsets.last().copied().unwrap_or(0);
    for pair in offsets.windows(2) {
        if let [start, end] = pair {
            put_varint(out, u64::from((end - start).cast_unsigned()));
        }
    }
    let range = usize::try_from(first).unwrap_or(0)..usize::try_from(last).unwrap_or(0);
    out.extend_from_slice(values.get(range).unwrap_or_default());
}

fn decode_slices(rows: usize, from: &mut Reading<'_>) -> io::Result<(OffsetBuffer<i32>, Buffer)> {
    let mut lengths = Vec::new();
    let mut total = 0usize;
    for _ in 0..rows {
        let length = from.count()?;
        total = total.saturating_add(length);
        lengths.push(length);
    }
    let values = Buffer::from(from.slice(total)?);
    Ok((OffsetBuffer::from_lengths(lengths), values))
}
