//! Samples of one signal over a span of time, from the lake and from what is not sealed yet.
//!
//! The page's trend comes from here, never through SQL: buckets on an absolute grid with
//! minimum, maximum and mean, so that a spike of one sample is seen at every zoom and a closed
//! bucket never changes.

use std::fs::File;
use std::io;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use signals::{Disk, QualityClass, Timestamp, table};

use crate::historian::Historian;
use crate::lake::{self, LakeFile};

/// Which samples.
#[derive(Clone, Debug)]
pub struct Span {
    /// Table of the signal.
    pub table: String,
    /// Column of the signal.
    pub column: String,
    /// Only rows of this J1939 source address.
    pub sender: Option<u8>,
    /// From this time on.
    pub from: Timestamp,
    /// Up to this time, not included.
    pub to: Timestamp,
}

/// One bucket of a trend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Its beginning, a multiple of the bucket length.
    pub start: Timestamp,
    /// Smallest value; NaN when no row has one.
    pub min: f64,
    /// Greatest value; NaN when no row has one.
    pub max: f64,
    /// Mean of the values; NaN when no row has one.
    pub mean: f64,
    /// Worst quality class of its rows.
    pub worst: QualityClass,
}

/// A trend: buckets that hold at least one row, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Trend {
    /// Length of a bucket in microseconds.
    pub bucket_us: i64,
    /// The buckets.
    pub buckets: Vec<Bucket>,
}

/// The shortest length of 1, 2 or 5 times a power of ten microseconds of which at most `buckets`
/// cover `span_us`.
#[must_use]
pub fn bucket_us(span_us: i64, buckets: u32) -> i64 {
    let least = span_us.max(1).div_euclid(i64::from(buckets.max(1))).max(1);
    let mut decade = 1i64;
    loop {
        for step in [1, 2, 5] {
            let length = decade.saturating_mul(step);
            if length >= least {
                return length;
            }
        }
        decade = decade.saturating_mul(10);
    }
}

/// How often files are listed again because some were joined or given up meanwhile.
const LISTINGS_MAX: u32 = 4;

/// Buckets of a signal, at most about `buckets` of them.
///
/// # Errors
/// When the lake cannot be listed. A file that cannot be read is left out and told in the log.
pub fn trend(
    historian: &Historian,
    disk: &dyn Disk,
    span: &Span,
    buckets: u32,
) -> io::Result<Trend> {
    for _ in 1..LISTINGS_MAX {
        match look(historian, disk, span, buckets) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
    }
    look(historian, disk, span, buckets)
}

/// [`io::ErrorKind::NotFound`] when a file that was listed is gone.
fn look(historian: &Historian, disk: &dyn Disk, span: &Span, buckets: u32) -> io::Result<Trend> {
    let length = bucket_us(span.to.micros().saturating_sub(span.from.micros()), buckets);
    let mut open = Gathering::new(length);
    // Rows first, files second: rows sealed in between are told apart by the offsets.
    let unsealed = historian.unsealed(&span.table);
    let files = lake::files(disk, historian.lake(), &span.table)?;
    let ends = files.iter().skip(1).map(|file| Some(file.first)).chain([None]);
    for (file, end) in files.iter().zip(ends) {
        let key = (file.table.clone(), file.date.clone());
        let is_sealed = unsealed.sealed.get(&key).is_some_and(|seq| file.seq <= *seq);
        let before = end.is_some_and(|end| end <= span.from);
        if !is_sealed || before || file.first >= span.to {
            continue;
        }
        if let Err(err) = read_file(file, span, &mut open) {
            if err.kind() == io::ErrorKind::NotFound {
                return Err(err);
            }
            tracing::warn!(path = %file.path.display(), %err, "file left out of the trend");
        }
    }
    for rows in &unsealed.batches {
        gather(rows, span, &mut open);
    }
    Ok(Trend { bucket_us: length, buckets: open.finish() })
}

fn read_file(file: &LakeFile, span: &Span, open: &mut Gathering) -> io::Result<()> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&file.path)?)?;
    let wanted = [table::TS, table::Q, table::SA, span.column.as_str()];
    let has_column = builder.schema().column_with_name(&span.column).is_some();
    if !has_column {
        return Ok(());
    }
    let mask = ProjectionMask::columns(builder.parquet_schema(), wanted);
    for rows in builder.with_projection(mask).with_batch_size(8_192).build()? {
        gather(&rows.map_err(io::Error::other)?, span, open);
    }
    Ok(())
}

/// Adds the rows of a batch that lie in the span.
fn gather(rows: &RecordBatch, span: &Span, open: &mut Gathering) {
    let Some(times) = rows
        .column_by_name(table::TS)
        .and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>())
    else {
        return;
    };
    let Some(values) = rows.column_by_name(&span.column).and_then(numbers) else { return };
    let classes = rows.column_by_name(table::Q).and_then(|c| c.as_primitive_opt::<UInt8Type>());
    let senders = rows.column_by_name(table::SA).and_then(|c| c.as_primitive_opt::<UInt8Type>());
    let times = times.values();
    let start = times.partition_point(|micros| *micros < span.from.micros());
    let end = times.partition_point(|micros| *micros < span.to.micros());
    for row in start..end {
        if let (Some(wanted), Some(senders)) = (span.sender, senders)
            && senders.value(row) != wanted
        {
            continue;
        }
        let value = values.get(row).copied().flatten();
        let class = classes.map_or(0, |classes| classes.value(row));
        // The row's class is that of its worst signal; a value that is there is at worst
        // uncertain.
        let worst = match value {
            Some(_) => QualityClass::from_code(class).min(QualityClass::Uncertain),
            None => QualityClass::Bad,
        };
        if let Some(micros) = times.get(row) {
            open.add(*micros, value, worst);
        }
    }
}

/// The values of a number or boolean column; `None` for other columns.
#[must_use]
#[expect(clippy::wildcard_enum_match_arm, reason = "every other Arrow type is no number")]
pub fn numbers(column: &ArrayRef) -> Option<Vec<Option<f64>>> {
    macro_rules! cast {
        ($kind:ty) => {
            column.as_primitive::<$kind>().iter().map(|v| v.map(|v| v as f64)).collect()
        };
    }
    #[expect(clippy::cast_precision_loss, reason = "a chart does not show the 53rd bit")]
    #[expect(clippy::cast_lossless, reason = "one macro for all widths")]
    let values = match column.data_type() {
        DataType::Boolean => {
            column.as_boolean().iter().map(|v| v.map(|v| f64::from(u8::from(v)))).collect()
        }
        DataType::Int8 => cast!(Int8Type),
        DataType::Int16 => cast!(Int16Type),
        DataType::Int32 => cast!(Int32Type),
        DataType::Int64 => cast!(Int64Type),
        DataType::UInt8 => cast!(UInt8Type),
        DataType::UInt16 => cast!(UInt16Type),
        DataType::UInt32 => cast!(UInt32Type),
        DataType::UInt64 => cast!(UInt64Type),
        DataType::Float32 => cast!(Float32Type),
        DataType::Float64 => column.as_primitive::<Float64Type>().iter().collect(),
        _ => return None,
    };
    Some(values)
}

/// Buckets being filled, in time order.
struct Gathering {
    length: i64,
    closed: Vec<Bucket>,
    open: Option<(Bucket, f64, u32)>,
}

impl Gathering {
    fn new(length: i64) -> Self {
        Self { length, closed: Vec::new(), open: None }
    }

    fn add(&mut self, micros: i64, value: Option<f64>, worst: QualityClass) {
        let start = Timestamp::from_micros(micros.div_euclid(self.length) * self.length);
        if self.open.as_ref().is_none_or(|(bucket, _, _)| bucket.start != start) {
            self.close();
            let bucket = Bucket { start, min: f64::NAN, max: f64::NAN, mean: f64::NAN, worst };
            self.open = Some((bucket, 0.0, 0));
        }
        let Some((bucket, sum, count)) = &mut self.open else { return };
        bucket.worst = bucket.worst.max(worst);
        if let Some(value) = value.filter(|value| value.is_finite()) {
            bucket.min = bucket.min.min(value);
            bucket.max = bucket.max.max(value);
            *sum += value;
            *count += 1;
        }
    }

    fn close(&mut self) {
        if let Some((mut bucket, sum, count)) = self.open.take() {
            if count > 0 {
                bucket.mean = sum / f64::from(count);
            }
            self.closed.push(bucket);
        }
    }

    fn finish(mut self) -> Vec<Bucket> {
        self.close();
        self.closed
    }
}

/// Keeps a reader of history and its disk together.
#[derive(Clone)]
pub struct History {
    historian: Historian,
    disk: Arc<dyn Disk>,
}

impl History {
    /// History as `historian` writes it.
    #[must_use]
    pub fn new(historian: Historian, disk: Arc<dyn Disk>) -> Self {
        Self { historian, disk }
    }

    /// See [`trend`].
    ///
    /// # Errors
    /// As [`trend`].
    pub fn trend(&self, span: &Span, buckets: u32) -> io::Result<Trend> {
        trend(&self.historian, &*self.disk, span, buckets)
    }
}

#[cfg(test)]
mod tests;
