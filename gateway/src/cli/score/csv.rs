//! CSV into columns.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, RecordBatch};
use arrow_csv::ReaderBuilder;
use arrow_csv::reader::Format;
use arrow_schema::{DataType, Field, Schema};

use super::{Columns, Wanted, time};

/// Cells that stand for a missing value.
const MISSING: [&str; 6] = ["", "nan", "null", "na", "n/a", "none"];

pub(super) fn read(mut file: File, wanted: Wanted<'_>) -> anyhow::Result<Columns> {
    let mut header = String::new();
    BufReader::new(&file).read_line(&mut header).context("is neither text nor Parquet")?;
    let delimiter =
        if outside_quotes(&header, ';') > outside_quotes(&header, ',') { ';' } else { ',' };
    file.rewind().context("cannot be read twice; give a regular file")?;
    let format = Format::default().with_header(true).with_delimiter(delimiter as u8);
    let (inferred, _) = format.infer_schema(BufReader::new(&file), Some(0))?;
    file.rewind()?;
    let name = |field: &Arc<Field>| field.name().trim_start_matches('\u{feff}').to_owned();
    let names: Vec<String> = inferred.fields().iter().map(name).collect();
    let (time_place, places) = wanted.places(&names)?;
    let text = names.iter().map(|name| Field::new(name, DataType::Utf8, true));
    let rows = ReaderBuilder::new(Arc::new(Schema::new(text.collect::<Vec<_>>())))
        .with_header(true)
        .with_delimiter(delimiter as u8)
        .build(file)?;
    let batches: Vec<RecordBatch> = rows.collect::<Result<_, _>>().context("is not a CSV table")?;
    let stamps = cells(&batches, time_place);
    let ts = time::of_text(wanted.time, &stamps)?;
    let mut values = Vec::with_capacity(places.len());
    let mut chosen = Vec::with_capacity(places.len());
    for place in places {
        let name = names.get(place).cloned().unwrap_or_default();
        values.push(reals(&name, &cells(&batches, place), delimiter)?);
        chosen.push(name);
    }
    let stamps = stamps.iter().map(|cell| cell.unwrap_or_default().to_owned()).collect();
    Ok(Columns { ts, stamps, names: chosen, values })
}

fn cells(batches: &[RecordBatch], place: usize) -> Vec<Option<&str>> {
    let column = |batch| RecordBatch::column(batch, place).as_string::<i32>();
    let cell = |row: usize, column: &'_ arrow_array::StringArray| !column.is_null(row);
    batches
        .iter()
        .flat_map(|batch| {
            let column = column(batch);
            (0..column.len()).map(move |row| cell(row, column).then(|| column.value(row)))
        })
        .collect()
}

fn reals(name: &str, cells: &[Option<&str>], delimiter: char) -> anyhow::Result<Vec<Option<f64>>> {
    let mut values = Vec::with_capacity(cells.len());
    for (row, cell) in cells.iter().enumerate() {
        let text = cell.unwrap_or_default().trim();
        if MISSING.iter().any(|missing| text.eq_ignore_ascii_case(missing)) {
            values.push(None);
            continue;
        }
        let Some(value) = real(text, delimiter) else {
            let row = row + 1;
            bail!(
                "column `{name}`, row {row}: `{text}` is not a number; correct it, or leave the column out with --ignore {name}"
            );
        };
        values.push(Some(value));
    }
    Ok(values)
}

/// A number; with a decimal comma where commas do not part cells.
fn real(text: &str, delimiter: char) -> Option<f64> {
    let comma = || (delimiter == ';').then(|| text.replace(',', "."))?.parse().ok();
    let truth = || match text {
        "true" | "True" | "TRUE" => Some(1.0),
        "false" | "False" | "FALSE" => Some(0.0),
        _ => None,
    };
    text.parse().ok().or_else(comma).or_else(truth)
}

fn outside_quotes(line: &str, wanted: char) -> usize {
    let mut quoted = false;
    let mut found = 0;
    for c in line.chars() {
        quoted ^= c == '"';
        found += usize::from(c == wanted && !quoted);
    }
    found
}
