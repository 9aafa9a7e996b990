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
/// After so many rows a column of which nearly all values differ is not looked at further.
const GLANCE_ROWS: usize = 512;
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
    let mut seen = Seen::new();
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        let path = ColumnPath::from(field.name().as_str());
        let encoding = match choice(column, profile, &mut seen) {
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
fn choice(column: &ArrayRef, profile: Profile, seen: &mut Seen) -> Choice {
    macro_rules! whole {
        ($kind:ty) => {{
            let values = column.as_primitive::<$kind>().iter().flatten().take(LOOK_ROWS);
            of_whole(values.map(i64::from), seen)
        }};
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
            of_whole(values.map(u64::cast_signed), seen)
        }
        DataType::Float32 => {
            let values = column.as_primitive::<Float32Type>().iter().flatten().take(LOOK_ROWS);
            of_reals(values.map(|real| u64::from(real.to_bits())), (32, profile), seen)
        }
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>().iter().flatten().take(LOOK_ROWS);
            of_reals(values.map(f64::to_bits), (64, profile), seen)
        }
        _ => Choice::Dictionary,
    }
}

/// Reals: what a dictionary would take against six tenths of what they take plain, which is what
/// compression leaves of those that do not repeat.
fn of_reals(
    values: impl Iterator<Item = u64>,
    (width, profile): (usize, Profile),
    seen: &mut Seen,
) -> Choice {
    seen.clear();
    for bits in values {
        if !seen.add(bits) {
            break;
        }
    }
    let worth = seen.dictionary_bits(width).is_some_and(|bits| bits * 10 <= seen.count * width * 6);
    match profile {
        _ if worth => Choice::Dictionary,
        Profile::Default => Choice::Plain,
        Profile::Compact => Choice::Split,
    }
}

/// Whole numbers: differences against a dictionary.
fn of_whole(values: impl Iterator<Item = i64>, seen: &mut Seen) -> Choice {
    seen.clear();
    let mut packed = Packed::default();
    let mut last = None;
    for value in values {
        if !seen.add(value.cast_unsigned()) {
            return Choice::Deltas;
        }
        if let Some(last) = last.replace(value) {
            packed.add(value.wrapping_sub(last));
        }
    }
    match seen.dictionary_bits(32) {
        Some(bits) if bits <= packed.bits() => Choice::Dictionary,
        Some(_) | None => Choice::Deltas,
    }
}

/// What differences take in blocks, each as wide as the greatest above the least needs.
#[derive(Default)]
struct Packed {
    bits: usize,
    in_block: usize,
    least: i64,
    greatest: i64,
}

impl Packed {
    fn add(&mut self, difference: i64) {
        if self.in_block == 0 {
            (self.least, self.greatest) = (difference, difference);
        }
        self.least = self.least.min(difference);
        self.greatest = self.greatest.max(difference);
        self.in_block += 1;
        if self.in_block == BLOCK {
            self.bits = self.bits();
            self.in_block = 0;
        }
    }

    /// With the block at hand.
    fn bits(&self) -> usize {
        if self.in_block == 0 {
            return self.bits;
        }
        let widest = self.greatest.wrapping_sub(self.least).cast_unsigned();
        self.bits + bits_of(widest) * BLOCK + 8
    }
}

fn bits_of(number: u64) -> usize {
    usize::try_from(u64::BITS - number.leading_zeros()).unwrap_or(64)
}

/// Places in the table of values: four times as many as are ever in it.
const SLOTS: usize = 4 * DISTINCT_MAX;

/// Values of a column that have been looked at: a table with open addressing, made once a file. A
/// `HashSet` takes several times as long, which is a third of the time of a file.
struct Seen {
    /// A value and the column it is of: nothing is cleared in between.
    slots: Vec<(u64, usize)>,
    column: usize,
    distinct: usize,
    count: usize,
    /// How often a value was another one than that before it.
    changes: usize,
    last: Option<u64>,
}

impl Seen {
    fn new() -> Self {
        let slots = vec![(0, 0); SLOTS];
        Self { slots, column: 0, distinct: 0, count: 0, changes: 0, last: None }
    }

    fn clear(&mut self) {
        self.column += 1;
        (self.distinct, self.count, self.changes, self.last) = (0, 0, 0, None);
    }

    /// Adds a value; false when it is clear that too few repeat.
    fn add(&mut self, bits: u64) -> bool {
        self.count += 1;
        if self.last.replace(bits) == Some(bits) {
            return true;
        }
        self.changes += 1;
        self.insert(bits);
        let is_new_mostly = self.count == GLANCE_ROWS && self.distinct > GLANCE_ROWS / 10 * 9;
        if is_new_mostly {
            self.distinct = self.distinct.max(DISTINCT_MAX + 1);
        }
        self.distinct <= DISTINCT_MAX
    }

    fn insert(&mut self, bits: u64) {
        // 2^64 over the golden ratio; the high bits are the good ones.
        let hash = bits.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let start = usize::try_from(hash).unwrap_or(0);
        for step in 0..SLOTS {
            let Some(slot) = self.slots.get_mut((start + step) % SLOTS) else { return };
            match slot {
                (known, column) if *column == self.column => {
                    if *known == bits {
                        return;
                    }
                }
                free => {
                    *free = (bits, self.column);
                    self.distinct += 1;
                    return;
                }
            }
        }
    }

    /// Bits of a dictionary of values of `width` bits and the places in it; runs are short.
    /// `None` when too few values repeat.
    fn dictionary_bits(&self, width: usize) -> Option<usize> {
        let place = bits_of(self.distinct.saturating_sub(1) as u64);
        let places = (self.count * place).min(self.changes * (2 * place + 16));
        (self.distinct <= DISTINCT_MAX).then_some(places + self.distinct * width)
    }
}

#[cfg(test)]
mod tests;
