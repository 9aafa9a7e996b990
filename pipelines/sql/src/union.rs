//! One schema for rows whose schemas differ, and rows brought into it.
//!
//! Files never change, tables do: a signal is added, one becomes wider. The union has the
//! columns of the latest schema in its order, then those that are gone; a column whose type
//! changed gets the narrowest type that holds both without loss.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use datafusion::arrow::compute::cast;

/// A column that has no common type.
#[derive(Debug, PartialEq)]
pub(crate) struct Mixed {
    pub(crate) column: String,
    pub(crate) earlier: DataType,
    pub(crate) later: DataType,
}

/// The union of two schemas.
pub(crate) fn union(earlier: &SchemaRef, later: &SchemaRef) -> Result<SchemaRef, Mixed> {
    if earlier == later {
        return Ok(Arc::clone(later));
    }
    let mut fields = Vec::new();
    for field in later.fields() {
        let Ok(before) = earlier.field_with_name(field.name()) else {
            fields.push(field.as_ref().clone().with_nullable(true));
            continue;
        };
        let kind = common(before.data_type(), field.data_type()).ok_or_else(|| Mixed {
            column: field.name().clone(),
            earlier: before.data_type().clone(),
            later: field.data_type().clone(),
        })?;
        let nullable = before.is_nullable() || field.is_nullable();
        fields.push(field.as_ref().clone().with_data_type(kind).with_nullable(nullable));
    }
    for field in earlier.fields() {
        if later.field_with_name(field.name()).is_err() {
            fields.push(field.as_ref().clone().with_nullable(true));
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// Rows with the columns of `schema`: missing ones null, others cast.
pub(crate) fn adapt(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &Arc<Field>| -> Result<ArrayRef, ArrowError> {
        match rows.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), rows.num_rows())),
        }
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// The narrowest type that holds the values of both, the later one if it does.
///
/// Numbers of 64 bits share a column with reals as reals: above 2⁵³ they are rounded, as any
/// scaled value is.
fn common(earlier: &DataType, later: &DataType) -> Option<DataType> {
    if earlier == later {
        return Some(later.clone());
    }
    if let (Some(a), Some(b)) = (integer(earlier), integer(later)) {
        return Some(holding(a, b));
    }
    match (real_bits(earlier), real_bits(later)) {
        (Some(a), Some(b)) if a.max(b) <= 24 => Some(DataType::Float32),
        (Some(_), Some(_)) => Some(DataType::Float64),
        (Some(_) | None, _) => match (earlier, later) {
            (DataType::Binary, DataType::Utf8) | (DataType::Utf8, DataType::Binary) => {
                Some(DataType::Binary)
            }
            (DataType::Binary, _) | (_, DataType::Binary) => None,
            (DataType::Utf8, _) | (_, DataType::Utf8) => Some(DataType::Utf8),
            _ => None,
        },
    }
}

/// Whether an integer type is signed, and its bits.
#[expect(clippy::wildcard_enum_match_arm, reason = "most types are no integers")]
fn integer(kind: &DataType) -> Option<(bool, u8)> {
    Some(match kind {
        DataType::Boolean => (false, 1),
        DataType::UInt8 => (false, 8),
        DataType::UInt16 => (false, 16),
        DataType::UInt32 => (false, 32),
        DataType::UInt64 => (false, 64),
        DataType::Int8 => (true, 8),
        DataType::Int16 => (true, 16),
        DataType::Int32 => (true, 32),
        DataType::Int64 => (true, 64),
        _ => return None,
    })
}

/// Bits of a number's mantissa that a real must have to hold it.
#[expect(clippy::wildcard_enum_match_arm, reason = "most types are no reals")]
fn real_bits(kind: &DataType) -> Option<u8> {
    match kind {
        DataType::Float32 => Some(24),
        DataType::Float64 => Some(53),
        other => integer(other).map(|(_, bits)| bits),
    }
}

/// The narrowest integer type for two of them.
fn holding((signed_a, bits_a): (bool, u8), (signed_b, bits_b): (bool, u8)) -> DataType {
    let is_signed = signed_a || signed_b;
    // An unsigned number needs one bit more in a signed type.
    let bits = |signed: bool, bits: u8| if is_signed && !signed { bits + 1 } else { bits };
    match (is_signed, bits(signed_a, bits_a).max(bits(signed_b, bits_b))) {
        (false, ..=8) => DataType::UInt8,
        (false, 9..=16) => DataType::UInt16,
        (false, 17..=32) => DataType::UInt32,
        (false, 33..) => DataType::UInt64,
        (true, ..=8) => DataType::Int8,
        (true, 9..=16) => DataType::Int16,
        (true, 17..=32) => DataType::Int32,
        (true, 33..=64) => DataType::Int64,
        (true, 65..) => DataType::Decimal128(20, 0),
    }
}

#[cfg(test)]
mod tests;
