//! Kinds of columns, as a byte: what a group must know of a table whose definition is lost, so
//! that the other tables of the commit can still be read.

use std::io;

use arrow_schema::{DataType, TimeUnit};

use super::super::unusable;

/// The type of a column's values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Time,
    Bool,
    Text,
    Bytes,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
}

const KINDS: [Kind; 14] = [
    Kind::Time,
    Kind::Bool,
    Kind::Text,
    Kind::Bytes,
    Kind::I8,
    Kind::I16,
    Kind::I32,
    Kind::I64,
    Kind::U8,
    Kind::U16,
    Kind::U32,
    Kind::U64,
    Kind::F32,
    Kind::F64,
];

impl Kind {
    /// The kind of an Arrow type.
    #[expect(clippy::wildcard_enum_match_arm, reason = "an Arrow type that no signal has")]
    pub(super) fn of(arrow: &DataType) -> io::Result<Self> {
        Ok(match arrow {
            DataType::Timestamp(TimeUnit::Microsecond, _) => Self::Time,
            DataType::Boolean => Self::Bool,
            DataType::Utf8 => Self::Text,
            DataType::Binary => Self::Bytes,
            DataType::Int8 => Self::I8,
            DataType::Int16 => Self::I16,
            DataType::Int32 => Self::I32,
            DataType::Int64 => Self::I64,
            DataType::UInt8 => Self::U8,
            DataType::UInt16 => Self::U16,
            DataType::UInt32 => Self::U32,
            DataType::UInt64 => Self::U64,
            DataType::Float32 => Self::F32,
            DataType::Float64 => Self::F64,
            other => return Err(unusable(format!("columns of type {other} are not stored"))),
        })
    }

    /// The Arrow type of a kind.
    pub(super) fn arrow(self) -> DataType {
        match self {
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Bool => DataType::Boolean,
            Self::Text => DataType::Utf8,
            Self::Bytes => DataType::Binary,
            Self::I8 => DataType::Int8,
            Self::I16 => DataType::Int16,
            Self::I32 => DataType::Int32,
            Self::I64 => DataType::Int64,
            Self::U8 => DataType::UInt8,
            Self::U16 => DataType::UInt16,
            Self::U32 => DataType::UInt32,
            Self::U64 => DataType::UInt64,
            Self::F32 => DataType::Float32,
            Self::F64 => DataType::Float64,
        }
    }

    pub(super) fn code(self) -> u8 {
        self as u8
    }

    pub(super) fn from_code(code: u8) -> io::Result<Self> {
        let known = KINDS.get(usize::from(code)).copied();
        known.ok_or_else(|| unusable(format!("{code} is not a kind of column")))
    }
}
