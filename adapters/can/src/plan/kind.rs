//! Kinds: which column a signal needs.

use signals::ValueType;

use crate::dbc::{Number, SignalDef};

/// Message counters and checksums run through all values of their bits.
pub(super) fn counts_or_checks(def: &SignalDef) -> bool {
    let name = def.name.to_ascii_lowercase();
    name.contains("checksum")
        || name.contains("crc")
        || (def.field.width() <= 8 && name.contains("counter"))
}

/// The smallest type that holds every value exactly.
pub(super) fn kind_of(def: &SignalDef, identity: bool) -> ValueType {
    match (def.number, identity, def.field.width()) {
        (Number::Text, ..) => ValueType::Text,
        (Number::Bytes, ..) => ValueType::Bytes,
        (Number::Float32, true, _) => ValueType::F32,
        (_, false, _) | (Number::Float64, true, _) => ValueType::F64,
        (Number::Unsigned, true, 0..=8) => ValueType::U8,
        (Number::Unsigned, true, 9..=16) => ValueType::U16,
        (Number::Unsigned, true, 17..=32) => ValueType::U32,
        (Number::Unsigned, true, 33..) => ValueType::U64,
        (Number::Signed, true, 0..=8) => ValueType::I8,
        (Number::Signed, true, 9..=16) => ValueType::I16,
        (Number::Signed, true, 17..=32) => ValueType::I32,
        (Number::Signed, true, 33..) => ValueType::I64,
    }
}
