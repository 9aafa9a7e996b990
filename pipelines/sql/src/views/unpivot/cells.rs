//! The cells of a column as samples.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float32Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array as _, ArrayRef, Float64Array, RecordBatch, RecordBatchOptions, StringViewArray,
    UInt32Array, new_null_array,
};
use arrow_schema::{DataType, SchemaRef};
use datafusion::arrow::compute::{cast, take};
use datafusion::error::{DataFusionError, Result};
use signals::QualityClass;

use super::super::ledger::{Change, Grade, Ledger, grade};
use super::super::paths::{Senders, sent_by};

/// A signal's column.
#[derive(Debug)]
pub(crate) struct Column {
    /// Where it is among the columns read.
    pub(crate) place: usize,
    /// The signal.
    pub(crate) path: String,
    /// Which senders are asked for, in a table that has them.
    pub(crate) senders: Option<Senders>,
}

/// How rows of a table become samples.
#[derive(Debug)]
pub(crate) struct Turn {
    /// The signals asked for.
    pub(crate) signals: Vec<Column>,
    /// What is known of their quality.
    pub(crate) ledger: Arc<Ledger>,
    /// Columns of a sample that are asked for.
    pub(crate) schema: SchemaRef,
}

/// Rows of one signal that are samples.
struct Found {
    rows: Vec<u32>,
    grades: Vec<u32>,
    known: Vec<Grade>,
    has_all: bool,
}

impl Turn {
    /// How many columns there are.
    pub(crate) fn columns(&self) -> usize {
        self.signals.len()
    }

    /// The samples in a column of these rows, one batch per sender.
    pub(crate) fn samples(&self, column: usize, rows: &RecordBatch) -> Vec<Result<RecordBatch>> {
        let Some(signal) = self.signals.get(column) else { return Vec::new() };
        let Some(senders) = &signal.senders else {
            return self.of_sender(signal, rows, None).into_iter().collect();
        };
        let addresses = addresses(rows);
        let mut heard: Vec<u8> = addresses.iter().copied().filter(|a| senders.has(*a)).collect();
        heard.sort_unstable();
        heard.dedup();
        heard.into_iter().filter_map(|sender| self.of_sender(signal, rows, Some(sender))).collect()
    }

    fn of_sender(
        &self,
        signal: &Column,
        rows: &RecordBatch,
        sender: Option<u8>,
    ) -> Option<Result<RecordBatch>> {
        let path = match sender {
            Some(sender) => sent_by(&signal.path, sender),
            None => signal.path.clone(),
        };
        let column = rows.columns().get(signal.place)?;
        let cells = Cells { path, column, rows, sender };
        let found = cells.find(self.ledger.of(&cells.path));
        (found.has_all || !found.rows.is_empty()).then(|| cells.build(&found, &self.schema))
    }
}

/// The cells of one signal in a batch.
struct Cells<'a> {
    path: String,
    column: &'a ArrayRef,
    rows: &'a RecordBatch,
    sender: Option<u8>,
}

impl Cells<'_> {
    /// Which of them are samples, with what is known of their quality.
    fn find(&self, changes: &[Change]) -> Found {
        let qs = self.rows.column(1).as_primitive::<UInt8Type>().values();
        let mut found =
            Found { rows: Vec::new(), grades: Vec::new(), known: Vec::new(), has_all: false };
        let is_plain = self.sender.is_none() && self.column.null_count() == 0;
        if is_plain && !qs.is_empty() && qs.iter().all(|q| *q == QualityClass::Good.code()) {
            found.has_all = true;
            return found;
        }
        let times = self.rows.column(0).as_primitive::<TimestampMicrosecondType>().values();
        let addresses = self.sender.map(|_| addresses(self.rows)).unwrap_or_default();
        for (row, (micros, q)) in (0_u32..).zip(times.iter().zip(qs.iter())) {
            let place = row as usize;
            if self.sender.is_some_and(|sender| addresses.get(place) != Some(&sender)) {
                continue;
            }
            if let Some(grade) = grade(!self.column.is_null(place), *q, changes, *micros) {
                found.add(row, grade);
            }
        }
        found
    }

    fn build(&self, found: &Found, schema: &SchemaRef) -> Result<RecordBatch> {
        let count = if found.has_all { self.rows.num_rows() } else { found.rows.len() };
        let kept = UInt32Array::from(found.rows.clone());
        let keep = |column: &ArrayRef| -> Result<ArrayRef> {
            if count == self.rows.num_rows() {
                return Ok(Arc::clone(column));
            }
            Ok(take(column, &kept, None)?)
        };
        let text = |good: &str, of: &dyn Fn(&Grade) -> String| {
            if found.has_all {
                return repeated(&[good.to_owned()], &vec![0; count]);
            }
            let known: Vec<String> = found.known.iter().map(of).collect();
            repeated(&known, &found.grades)
        };
        let columns = schema.fields().iter().map(|field| match field.name().as_str() {
            "ts" => keep(self.rows.column(0)),
            "path" => Ok(repeated(std::slice::from_ref(&self.path), &vec![0; count])),
            "value" => keep(self.column).and_then(|column| numbers(&column)),
            "text" => keep(self.column).and_then(|column| texts(&column)),
            "quality" => {
                let good = QualityClass::Good.as_str();
                Ok(text(good, &|grade| grade.class.as_str().to_owned()))
            }
            "reason" => Ok(text("", &|grade| grade.reason.to_string())),
            other => Err(DataFusionError::Internal(format!("a sample has no {other}"))),
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    }
}

impl Found {
    fn add(&mut self, row: u32, grade: Grade) {
        let known = self.known.iter().rposition(|known| *known == grade);
        let place = known.unwrap_or_else(|| {
            self.known.push(grade);
            self.known.len() - 1
        });
        self.rows.push(row);
        // A batch has fewer rows, and so fewer grades, than this number holds.
        self.grades.push(u32::try_from(place).unwrap_or(u32::MAX));
    }
}

fn addresses(rows: &RecordBatch) -> &[u8] {
    let senders = rows.columns().get(2).and_then(|c| c.as_primitive_opt::<UInt8Type>());
    senders.map_or(&[], |senders| senders.values())
}

/// The texts at these places, each held once.
fn repeated(texts: &[String], places: &[u32]) -> ArrayRef {
    let texts: StringViewArray = texts.iter().map(|text| Some(text.as_str())).collect();
    let view = |place: &u32| texts.views().get(*place as usize).copied().unwrap_or_default();
    let views: Vec<u128> = places.iter().map(view).collect();
    Arc::new(StringViewArray::new(views.into(), texts.data_buffers().to_vec(), None))
}

/// Numbers as reals, above 2⁵³ rounded; truth as 0 and 1; null for what is no number.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other Arrow type is no number")]
#[expect(clippy::cast_precision_loss, reason = "said in the data contract")]
#[expect(clippy::cast_lossless, reason = "one macro for all widths")]
fn numbers(column: &ArrayRef) -> Result<ArrayRef> {
    macro_rules! reals {
        ($kind:ty) => {{
            let reals: Float64Array = column.as_primitive::<$kind>().unary(|v| v as f64);
            Arc::new(reals)
        }};
    }
    Ok(match column.data_type() {
        DataType::Float64 => Arc::clone(column),
        DataType::Float32 => reals!(Float32Type),
        DataType::Int8 => reals!(Int8Type),
        DataType::Int16 => reals!(Int16Type),
        DataType::Int32 => reals!(Int32Type),
        DataType::Int64 => reals!(Int64Type),
        DataType::UInt8 => reals!(UInt8Type),
        DataType::UInt16 => reals!(UInt16Type),
        DataType::UInt32 => reals!(UInt32Type),
        DataType::UInt64 => reals!(UInt64Type),
        DataType::Boolean | DataType::Decimal128(_, _) => cast(column, &DataType::Float64)?,
        _ => new_null_array(&DataType::Float64, column.len()),
    })
}

/// Texts, and bytes in hexadecimal digits; null for numbers.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other Arrow type is no text")]
fn texts(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(match column.data_type() {
        DataType::Utf8 => cast(column, &DataType::Utf8View)?,
        DataType::Binary => {
            let texts = column.as_binary::<i32>().iter().map(|bytes| bytes.map(digits));
            Arc::new(texts.collect::<StringViewArray>())
        }
        _ => new_null_array(&DataType::Utf8View, column.len()),
    })
}

/// Bytes in hexadecimal digits.
pub(crate) fn digits(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('?'));
        }
    }
    text
}
