//! Newest samples that are no longer in the journal: in the newest files of their table.

use std::collections::HashSet;
use std::fs::File;
use std::io;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampMicrosecondType, UInt8Type};
use arrow_array::{Array as _, RecordBatch};
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use pipelines_flow::lake::LakeFile;
use signals::table::{Q, SA, TS};

use super::{Folders, Known, LastValues, Newest, SIGNALS_MAX, content, io_error};
use crate::error::SqlError;
use crate::views::{Ledger, QUALITY, grade, sent_by};

/// Files of a table that are looked through; a signal whose newest sample is before them has none.
const FILES_MAX: usize = 16;
/// Rows at the end of a file that are looked at before the rest of it.
const LAST_ROWS: usize = 8_192;

impl Folders {
    /// Looks for what the journal did not have; each table once.
    pub(super) fn seek_in_files(
        &self,
        values: &mut LastValues,
        tables: &[String],
        mut ledger: Ledger,
    ) -> Result<(), SqlError> {
        let held: usize = values.tables.values().map(|known| known.signals.len()).sum();
        let mut room = SIGNALS_MAX.saturating_sub(held);
        let mut has_ledger = false;
        for name in tables.iter().filter(|name| !name.starts_with('_')) {
            let known = values.tables.entry(name.clone()).or_default();
            if known.is_sought || (known.missing().is_empty() && known.is_plain()) || room == 0 {
                continue;
            }
            if !has_ledger {
                has_ledger = true;
                let (files, _) = self.listing(QUALITY)?;
                let read = ledger.read_files(&files, i64::MAX, &|_| true);
                read.map_err(io_error(&self.lake.join(QUALITY)))?;
                ledger.sort();
            }
            let (files, _) = self.listing(name)?;
            for file in files.iter().rev().take(FILES_MAX) {
                // Not there any more: given up or joined meanwhile, and the query begins anew.
                known.seek(file, &ledger).map_err(io_error(&file.path))?;
                if known.missing().is_empty() || known.by_sender {
                    break;
                }
            }
            known.is_sought = true;
            room = room.saturating_sub(known.signals.len());
        }
        Ok(())
    }
}

impl Known {
    /// Whether its signals are known and told apart by nothing but their columns.
    fn is_plain(&self) -> bool {
        !self.by_sender && !self.signals.is_empty()
    }

    /// Columns without a sample from any sender.
    fn missing(&self) -> HashSet<String> {
        let has = |column: &String| self.newest.values().any(|newest| newest.contains_key(column));
        let columns = self.signals.iter().map(|(column, _)| column);
        columns.filter(|column| !has(column)).cloned().collect()
    }

    /// Takes from a file what is newer than what is known.
    fn seek(&mut self, file: &LakeFile, ledger: &Ledger) -> io::Result<()> {
        let open = File::open(&file.path)?;
        let about = ArrowReaderMetadata::load(&open, ArrowReaderOptions::new()).map_err(invalid)?;
        if self.signals.is_empty() {
            let fields = about.schema().fields().iter();
            let signal = |f: &std::sync::Arc<arrow_schema::Field>| {
                Some((f.name().clone(), f.metadata().get("path")?.clone()))
            };
            self.signals = fields.filter_map(signal).collect();
            let sender = about.schema().field_with_name(SA);
            self.by_sender = sender.is_ok_and(|field| !field.metadata().contains_key("path"));
        }
        let rows = usize::try_from(about.metadata().file_metadata().num_rows()).unwrap_or(0);
        let all = |known: &Self| -> HashSet<String> {
            known.signals.iter().map(|(column, _)| column.clone()).collect()
        };
        let wanted = if self.by_sender { all(self) } else { self.missing() };
        if !self.by_sender && rows > LAST_ROWS {
            self.read((&open, &about), (rows - LAST_ROWS, &wanted), ledger)?;
        }
        let wanted = if self.by_sender { wanted } else { self.missing() };
        if wanted.is_empty() {
            return Ok(());
        }
        self.read((&open, &about), (0, &wanted), ledger)
    }

    /// Takes the newest samples of some columns, from a row on.
    fn read(
        &mut self,
        (open, about): (&File, &ArrowReaderMetadata),
        (from, wanted): (usize, &HashSet<String>),
        ledger: &Ledger,
    ) -> io::Result<()> {
        let of_row = [TS, Q, SA].into_iter();
        let columns: Vec<&str> = of_row.chain(wanted.iter().map(String::as_str)).collect();
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(open.try_clone()?, about.clone());
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
        let reader = builder.with_projection(mask).with_offset(from).with_batch_size(LAST_ROWS);
        for rows in reader.build().map_err(invalid)? {
            self.take(&rows.map_err(invalid)?, wanted, ledger);
        }
        Ok(())
    }

    fn take(&mut self, rows: &RecordBatch, wanted: &HashSet<String>, ledger: &Ledger) {
        let bytes = |name: &str| {
            rows.column_by_name(name).and_then(|column| column.as_primitive_opt::<UInt8Type>())
        };
        let times = rows.column_by_name(TS);
        let times = times.and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        let (Some(times), Some(qs)) = (times, bytes(Q)) else { return };
        let senders = bytes(SA).filter(|_| self.by_sender);
        for (column, path) in &self.signals {
            let Some(cells) = rows.column_by_name(column).filter(|_| wanted.contains(column))
            else {
                continue;
            };
            let mut seen: HashSet<u8> = HashSet::new();
            for row in (0..rows.num_rows()).rev() {
                let sender = senders.map_or(0, |senders| senders.value(row));
                if seen.contains(&sender) {
                    continue;
                }
                let of = if self.by_sender { sent_by(path, sender) } else { path.clone() };
                let micros = times.value(row);
                let changes = ledger.of(&of);
                let Some(grade) = grade(!cells.is_null(row), qs.value(row), changes, micros) else {
                    continue;
                };
                seen.insert(sender);
                let (value, text) = content(cells, row);
                let sample =
                    Newest { micros, value, text, class: grade.class, reason: grade.reason };
                let newest = self.newest.entry(sender).or_default();
                if newest.get(column).is_none_or(|known| known.micros < micros) {
                    newest.insert(column.clone(), sample);
                }
                if senders.is_none() {
                    break;
                }
            }
        }
    }
}

fn invalid(err: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, err)
}
