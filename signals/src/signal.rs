//! Signals: named series of samples.

mod list;

use std::collections::BTreeMap;

use arrow_schema::DataType;
use serde::{Deserialize, Serialize};

pub use list::{Iter, SignalList, SignalRef};

/// The type of a signal's values, which is the type of its column.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// true or false
    Bool,
    /// signed, 8 bits
    I8,
    /// signed, 16 bits
    I16,
    /// signed, 32 bits
    I32,
    /// signed, 64 bits
    I64,
    /// unsigned, 8 bits
    U8,
    /// unsigned, 16 bits
    U16,
    /// unsigned, 32 bits
    U32,
    /// unsigned, 64 bits
    U64,
    /// IEEE 754 binary32
    F32,
    /// IEEE 754 binary64
    F64,
    /// UTF-8 text
    Text,
    /// raw bytes
    Bytes,
}

impl ValueType {
    /// The Arrow type of the column.
    #[must_use]
    pub const fn arrow(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
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
            Self::Text => DataType::Utf8,
            Self::Bytes => DataType::Binary,
        }
    }

    /// Whether a mean of such values makes sense (booleans count as 0 and 1).
    #[must_use]
    pub const fn is_numeric(self) -> bool {
        !matches!(self, Self::Text | Self::Bytes)
    }
}

/// The plausible range of a signal, in engineering units, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Smallest plausible value.
    pub low: f64,
    /// Greatest plausible value.
    pub high: f64,
}

/// A named series: where it lives, what it means. A table keeps them as a [`SignalList`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// The name people use: `site/line2/pump3/discharge_pressure`. Unique in the catalog.
    pub path: String,
    /// Column in its table: `[a-z0-9_]`, unique there.
    pub column: String,
    /// Type of its values.
    pub kind: ValueType,
    /// Engineering unit; `None` when the signal has none.
    pub unit: Option<String>,
    /// One line for the operator.
    pub description: Option<String>,
    /// Plausible range in engineering units.
    pub range: Option<Range>,
    /// Names of raw values (enumerations).
    pub labels: BTreeMap<i64, String>,
    /// Where it comes from, in the protocol's own terms: `input:42 f32 CDAB`, `EEC1.EngineSpeed`.
    pub source: String,
}

impl Signal {
    /// A signal with a path, a column and a type, and nothing else known.
    #[must_use]
    pub fn new(path: impl Into<String>, column: impl Into<String>, kind: ValueType) -> Self {
        Self {
            path: path.into(),
            column: column.into(),
            kind,
            unit: None,
            description: None,
            range: None,
            labels: BTreeMap::new(),
            source: String::new(),
        }
    }
}

/// A column name made of any name: snake case, `[a-z0-9_]` only, never empty, never a leading
/// digit. `EngineSpeed` gives `engine_speed`, `2nd Stage` gives `_2nd_stage`.
#[must_use]
pub fn column_name(name: &str) -> String {
    let mut column = String::with_capacity(name.len() + 4);
    let chars: Vec<char> = name.chars().collect();
    for (place, &this) in chars.iter().enumerate() {
        if !this.is_ascii_alphanumeric() {
            if !column.ends_with('_') {
                column.push('_');
            }
            continue;
        }
        let before = place.checked_sub(1).and_then(|p| chars.get(p));
        let after = chars.get(place + 1);
        // A word starts at an upper-case letter that follows a lower-case one or a digit, or
        // that ends a run of capitals ("DPFStatus" is "dpf_status").
        let starts_word = this.is_ascii_uppercase()
            && before.is_some_and(|b| {
                b.is_ascii_lowercase()
                    || b.is_ascii_digit()
                    || (b.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        if starts_word && !column.ends_with('_') {
            column.push('_');
        }
        column.push(this.to_ascii_lowercase());
    }
    let trimmed = column.trim_end_matches('_');
    match trimmed.chars().next() {
        None => "_".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("_{trimmed}"),
        Some(_) => trimmed.to_owned(),
    }
}

#[cfg(test)]
mod tests;
