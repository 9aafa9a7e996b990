//! How each column of a file is encoded: chosen by what its values are, not by its name.
//!
//! | values | encoding |
//! |---|---|
//! | times | differences, packed |
//! | whole numbers | differences, packed, or a dictionary: whichever is estimated smaller |
//! | reals that repeat | dictionary |
//! | other reals | plain; in the compact profile, split by bytes |
//! | truth values | plain bits |
//! | texts, bytes | dictionary |
//!
//! All pages are of version 1. Spark reads all of it but byte-stream splitting, which is why that
//! is a profile of its own.

use std::collections::HashSet;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use parquet::basic::Encoding;
use parquet::file::properties::WriterPropertiesBuilder;
use parquet::schema::types::ColumnPath;

/// Who is to read the files.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Profile {
    /// Everything that reads Parquet, every version of Spark among it.
    #[default]
    Default,
    /// Readers that know byte-stream splitting: DuckDB, pyarrow, pandas, Polars. Files are smaller
    /// by about a tenth.
    Compact,
}

/// Rows that are looked at to choose.
const LOOK_ROWS: usize = 4_096;
/// Different values beyond which a dictionary is not worth it, whatever else.
const DISTINCT_MAX: usize = LOOK_ROWS / 2;
/// Numbers of a block of differences that share a width (Parquet format, `DELTA_BINARY_PACKED`).
const BLOCK: usize = 32;

/// The choice for a column.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Choice {
    Dictionary,
    Plain,
    Deltas,
    Split,
}

/// Chooses for each column of `rows`.
pub(super) fn choose(
    mut to: WriterPropertiesBuilder,
    rows: &RecordBatch,
    profile: Profile,
) -> WriterPropertiesBuilder {
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        let path = ColumnPath::from(field.name().as_str());
        let encoding = match choice(column, profile) {
            Choice::Dictionary => continue,
            Choice::Plain => Encoding::PLAIN,
            Choice::Deltas => Encoding::DELTA_BINARY_PACKED,
            Choice::Split => Encoding::BYTE_STREAM_SPLIT,
        };
        to = to
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, encoding);
    }
    to
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is neither number nor time repeats")]
fn choice(column: &ArrayRef, profile: Profile) -> Choice {
    macro_rules! whole {
        ($kind:ty) => {
            of_whole(column.as_primitive::<$kind>().iter().flatten().take(LOOK_ROWS).map(i64::from))
        };
    }
    match column.data_type() {
        DataType::Timestamp(_, _) => Choice::Deltas,
        DataType::Boolean => Choice::Plain,
        DataType::Int8 => whole!(Int8Type),
        DataType::Int16 => whole!(Int16Type),
        DataType::Int32 => whole!(Int32Type),
        DataType::Int64 => whole!(Int64Type),
        DataType::UInt8 => whole!(UInt8Type),
        DataType::UInt16 => whole!(UInt16Type),
        DataType::UInt32 => whole!(UInt32Type),
        DataType::UInt64 => {
            let values = column.as_primitive::<UInt64Type>().iter().flatten().take(LOOK_ROWS);
            of_whole(values.map(u64::cast_signed))
        }
        DataType::Float32 => {
            let values = column.as_primitive::<Float32Type>().iter().flatten().take(LOOK_ROWS);
            of_reals(values.map(|real| u64::from(real.to_bits())), 32, profile)
        }
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>().iter().flatten().take(LOOK_ROWS);
            of_reals(values.map(f64::to_bits), 64, profile)
        }
        _ => Choice::Dictionary,
    }
}

/// Reals: what a dictionary would take against six tenths of what they take plain, which is what
/// compression leaves of those that do not repeat.
fn of_reals(values: impl Iterator<Item = u64>, width: usize, profile: Profile) -> Choice {
    let mut seen = Seen::default();
    values.for_each(|bits| seen.add(bits));
    let worth = seen.dictionary_bits(width).is_some_and(|bits| bits * 10 <= seen.count * width * 6);
    match profile {
        _ if worth => Choice::Dictionary,
        Profile::Default => Choice::Plain,
        Profile::Compact => Choice::Split,
    }
}

/// Whole numbers: differences against a dictionary.
fn of_whole(values: impl Iterator<Item = i64>) -> Choice {
    let mut seen = Seen::default();
    let mut differences = Vec::with_capacity(LOOK_ROWS);
    let mut last = None;
    for value in values {
        seen.add(value.cast_unsigned());
        if let Some(last) = last.replace(value) {
            differences.push(value.wrapping_sub(last));
        }
    }
    let packed: usize = differences.chunks(BLOCK).map(block_bits).sum();
    match seen.dictionary_bits(32) {
        Some(bits) if bits <= packed => Choice::Dictionary,
        Some(_) | None => Choice::Deltas,
    }
}

/// Bits of a block of differences: as wide as the greatest above the least needs.
fn block_bits(block: &[i64]) -> usize {
    let least = block.iter().copied().min().unwrap_or(0);
    let widest = block.iter().map(|d| d.wrapping_sub(least).cast_unsigned()).max().unwrap_or(0);
    bits_of(widest) * BLOCK + 8
}

fn bits_of(number: u64) -> usize {
    usize::try_from(u64::BITS - number.leading_zeros()).unwrap_or(64)
}

/// Values that have been looked at.
#[derive(Default)]
struct Seen {
    distinct: HashSet<u64, Spread>,
    count: usize,
    /// How often a value was another one than that before it.
    changes: usize,
    last: Option<u64>,
}

impl Seen {
    fn add(&mut self, bits: u64) {
        self.count += 1;
        if self.last.replace(bits) == Some(bits) {
            return;
        }
        self.changes += 1;
        if self.distinct.len() <= DISTINCT_MAX {
            self.distinct.insert(bits);
        }
    }

    /// Bits of a dictionary of values of `width` bits and the places in it; runs are short.
    /// `None` when too few values repeat.
    fn dictionary_bits(&self, width: usize) -> Option<usize> {
        let distinct = self.distinct.len();
        let place = bits_of(distinct.saturating_sub(1) as u64);
        let places = (self.count * place).min(self.changes * (2 * place + 16));
        (distinct <= DISTINCT_MAX).then_some(places + distinct * width)
    }
}

/// A hash of one multiplication: values are to be told apart, nobody attacks.
#[derive(Clone, Copy, Debug, Default)]
struct Spread;

impl std::hash::BuildHasher for Spread {
    type Hasher = Product;

    fn build_hasher(&self) -> Product {
        Product(0)
    }
}

struct Product(u64);

impl std::hash::Hasher for Product {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // 2^64 over the golden ratio; the high bits, which are the good ones, go to both ends.
        let product = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ (product >> 32);
    }
}

#[cfg(test)]
mod tests;
