//! Parquet into columns.

use std::fs::File;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use anyhow::{Context as _, bail};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use signals::Timestamp;

use super::{Columns, Wanted, time};

pub(super) fn read(file: File, wanted: Wanted<'_>) -> anyhow::Result<Columns> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).context("is damaged")?;
    let names: Vec<String> =
        builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let (time_place, places) = wanted.places(&names)?;
    let roots = places.iter().copied().chain([time_place]);
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let rows = builder.with_projection(mask).build().context("is damaged")?;
    let batches: Vec<RecordBatch> = rows.collect::<Result<_, _>>().context("is damaged")?;
    let (ts, stamps) = times(wanted.time, &batches)?;
    let mut values = Vec::with_capacity(places.len());
    let mut chosen = Vec::with_capacity(places.len());
    for name in places.iter().filter_map(|place| names.get(*place)) {
        values.push(reals(name, &batches)?);
        chosen.push(name.clone());
    }
    Ok(Columns { ts, stamps, names: chosen, values })
}

fn column<'a>(name: &str, batch: &'a RecordBatch) -> anyhow::Result<&'a ArrayRef> {
    batch.column_by_name(name).with_context(|| format!("no column `{name}`"))
}

fn reals(name: &str, batches: &[RecordBatch]) -> anyhow::Result<Vec<Option<f64>>> {
    let mut values = Vec::new();
    for batch in batches {
        let column = column(name, batch)?;
        let kind = column.data_type();
        if !(kind.is_numeric() || *kind == DataType::Boolean) {
            bail!("column `{name}` is {kind}, not a number; leave it out with --ignore {name}");
        }
        let column = cast(column, &DataType::Float64)?;
        values.extend(column.as_primitive::<Float64Type>());
    }
    Ok(values)
}

/// Times and how they are written.
fn times(name: &str, batches: &[RecordBatch]) -> anyhow::Result<(Vec<Timestamp>, Vec<String>)> {
    let Some(first) = batches.first() else { return Ok((Vec::new(), Vec::new())) };
    let kind = column(name, first)?.data_type().clone();
    if kind.is_numeric() {
        let numbers = whole(name, reals(name, batches)?)?;
        let stamps = numbers.iter().map(f64::to_string).collect();
        return Ok((time::of_numbers(&numbers), stamps));
    }
    if matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
        return texts(name, batches);
    }
    let mut micros = Vec::new();
    for batch in batches {
        let plain = cast(column(name, batch)?, &DataType::Timestamp(TimeUnit::Microsecond, None))
            .with_context(|| format!("column `{name}` is {kind}, not a time"))?;
        micros.extend(plain.as_primitive::<TimestampMicrosecondType>());
    }
    let ts: Vec<Timestamp> = whole(name, micros)?.into_iter().map(Timestamp::from_micros).collect();
    let stamps = ts.iter().map(Timestamp::to_string).collect();
    Ok((ts, stamps))
}

fn texts(name: &str, batches: &[RecordBatch]) -> anyhow::Result<(Vec<Timestamp>, Vec<String>)> {
    let mut stamps = Vec::new();
    for batch in batches {
        let plain = cast(column(name, batch)?, &DataType::Utf8)?;
        let cells = plain.as_string::<i32>();
        stamps.extend(cells.iter().map(|cell| cell.unwrap_or_default().to_owned()));
    }
    let cells: Vec<Option<&str>> = stamps.iter().map(|stamp| Some(stamp.as_str())).collect();
    Ok((time::of_text(name, &cells)?, stamps))
}

fn whole<T>(name: &str, cells: Vec<Option<T>>) -> anyhow::Result<Vec<T>> {
    let missing = cells.iter().position(Option::is_none);
    if let Some(row) = missing.map(|row| row + 1) {
        bail!("column `{name}`, row {row}: no time; remove the row");
    }
    Ok(cells.into_iter().flatten().collect())
}
