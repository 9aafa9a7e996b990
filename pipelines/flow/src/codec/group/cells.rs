//! Numbers as differences to the ones before them, and back.

use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::streams::Pool;

/// A number type of Arrow whose values are kept as differences.
pub(super) trait Cell: ArrowPrimitiveType {
    /// Where the differences go.
    const POOL: Pool;
    /// Bits of a value.
    const BITS: u32;

    /// The value as an unsigned number of that many bits; near values give near numbers.
    fn to_bits(value: Self::Native) -> u64;

    /// The value of such a number.
    fn from_bits(bits: u64) -> Self::Native;
}

/// An unsigned number with the bytes of a smaller one.
macro_rules! widened {
    ($value:expr) => {{
        let mut bytes = [0; 8];
        if let Some(low) = bytes.first_chunk_mut() {
            *low = $value.to_le_bytes();
        }
        u64::from_le_bytes(bytes)
    }};
}

/// The number that the lowest bytes of a larger one are.
macro_rules! narrowed {
    ($kind:ty, $bits:expr) => {
        <$kind>::from_le_bytes(*$bits.to_le_bytes().first_chunk().expect("8 bytes hold it"))
    };
}

macro_rules! whole {
    ($($kind:ident, $native:ty, $pool:ident;)*) => {$(
        impl Cell for $kind {
            const POOL: Pool = Pool::$pool;
            const BITS: u32 = <$native>::BITS;

            fn to_bits(value: $native) -> u64 {
                widened!(value)
            }

            fn from_bits(bits: u64) -> $native {
                narrowed!($native, bits)
            }
        }
    )*};
}

whole! {
    Int8Type, i8, W1;
    Int16Type, i16, W2;
    Int32Type, i32, W4;
    Int64Type, i64, W8;
    UInt8Type, u8, W1;
    UInt16Type, u16, W2;
    UInt32Type, u32, W4;
    UInt64Type, u64, W8;
}

macro_rules! real {
    ($($kind:ident, $native:ty, $unsigned:ty, $pool:ident;)*) => {$(
        impl Cell for $kind {
            const POOL: Pool = Pool::$pool;
            const BITS: u32 = <$unsigned>::BITS;

            // The sign turned: then the order of the numbers is that of the reals.
            fn to_bits(value: $native) -> u64 {
                let bits = value.to_bits();
                let sign: $unsigned = 1 << (<$unsigned>::BITS - 1);
                widened!((if bits & sign == 0 { bits | sign } else { !bits }))
            }

            fn from_bits(bits: u64) -> $native {
                let bits = narrowed!($unsigned, bits);
                let sign: $unsigned = 1 << (<$unsigned>::BITS - 1);
                <$native>::from_bits(if bits & sign == 0 { !bits } else { bits ^ sign })
            }
        }
    )*};
}

real! {
    Float32Type, f32, u32, F32;
    Float64Type, f64, u64, F64;
}

/// The difference of two numbers of `bits` bits, small when they are near to each other.
pub(super) fn step(bits: u32, before: u64, now: u64) -> u64 {
    let unused = 64 - bits;
    let difference = (now.wrapping_sub(before) << unused).cast_signed() >> unused;
    let zigzag = (difference << 1) ^ (difference >> 63);
    zigzag.cast_unsigned() & (u64::MAX >> unused)
}

/// The number behind a step.
pub(super) fn stepped(bits: u32, before: u64, step: u64) -> u64 {
    let difference = (step >> 1) ^ (step & 1).wrapping_neg();
    before.wrapping_add(difference) & (u64::MAX >> (64 - bits))
}

/// Reals that are whole numbers times or divided by a power of ten, as scaling makes them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Decimal(u8);

const FACTORS: [f64; 7] = [1.0, 0.1, 0.01, 0.001, 0.0001, 0.000_01, 0.000_001];
const DIVISORS: [f64; 6] = [10.0, 100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0];
/// Whole numbers up to here are exact in a real.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

impl Decimal {
    /// All there are, the commonest first.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..13).map(Self)
    }

    pub(super) fn code(self) -> u8 {
        self.0 + 1
    }

    /// `None` for a code that is none.
    pub(super) fn from_code(code: u8) -> Option<Self> {
        code.checked_sub(1).filter(|place| *place < 13).map(Self)
    }

    /// The whole number of a real; `None` when it does not give back the same bits.
    pub(super) fn whole(self, real: f64) -> Option<i64> {
        let place = usize::from(self.0);
        let scaled = match (FACTORS.get(place), DIVISORS.get(place.wrapping_sub(FACTORS.len()))) {
            (Some(factor), _) => real / factor,
            (None, Some(divisor)) => real * divisor,
            (None, None) => return None,
        };
        let whole = scaled.round();
        if whole.abs() > WHOLE_MAX || whole.is_nan() {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "within 2^53")]
        let whole = whole as i64;
        (self.real(whole).to_bits() == real.to_bits()).then_some(whole)
    }

    /// The real of a whole number.
    #[expect(clippy::cast_precision_loss, reason = "what comes from `whole` is within 2^53")]
    pub(super) fn real(self, whole: i64) -> f64 {
        let place = usize::from(self.0);
        match (FACTORS.get(place), DIVISORS.get(place.wrapping_sub(FACTORS.len()))) {
            (Some(factor), _) => whole as f64 * factor,
            (None, Some(divisor)) => whole as f64 / divisor,
            (None, None) => f64::NAN,
        }
    }
}
