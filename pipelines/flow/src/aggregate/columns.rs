//! Columns of a batch as real numbers.

use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, BooleanArray, PrimitiveArray};
use signals::Batch;

macro_rules! numbers {
    ($($variant:ident($kind:ident)),*) => {
        /// A column whose values are numbers or truth values.
        pub(crate) enum Numbers<'a> {
            Bool(&'a BooleanArray),
            $($variant(&'a PrimitiveArray<$kind>)),*
        }

        impl<'a> Numbers<'a> {
            fn of(column: &'a dyn Array) -> Option<Self> {
                let any = column.as_any();
                $(if let Some(array) = any.downcast_ref::<PrimitiveArray<$kind>>() {
                    return Some(Self::$variant(array));
                })*
                any.downcast_ref::<BooleanArray>().map(Self::Bool)
            }

            /// The value in a row; booleans are 0 and 1. `None` for null.
            ///
            /// Integers beyond 2^53 are rounded to the nearest `f64`.
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_lossless,
                reason = "aggregates are f64; one macro writes all the casts"
            )]
            pub(crate) fn value(&self, row: usize) -> Option<f64> {
                match self {
                    Self::Bool(array) => (row < array.len() && array.is_valid(row))
                        .then(|| f64::from(u8::from(array.value(row)))),
                    $(Self::$variant(array) => (row < array.len() && array.is_valid(row))
                        .then(|| array.value(row) as f64)),*
                }
            }
        }
    };
}

numbers!(
    I8(Int8Type),
    I16(Int16Type),
    I32(Int32Type),
    I64(Int64Type),
    U8(UInt8Type),
    U16(UInt16Type),
    U32(UInt32Type),
    U64(UInt64Type),
    F32(Float32Type),
    F64(Float64Type)
);

/// The numeric columns of a batch of signals, with the place of their signal.
pub(crate) fn numeric(batch: &Batch) -> Vec<(usize, Numbers<'_>)> {
    let signals = batch.table.signals().iter().enumerate();
    signals
        .filter(|(_, signal)| signal.kind.is_numeric())
        .filter_map(|(place, _)| Some((place, Numbers::of(&**batch.column(place))?)))
        .collect()
}
