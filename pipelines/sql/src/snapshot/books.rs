//! What is read to tell which samples are missing: rows, what is known of their quality, when
//! which signal was to be sampled, and which gaps were told.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use pipelines_flow::lake::LakeFile;
use signals::Timestamp;

use super::{Folders, SignalTable, io_error};
use crate::error::SqlError;
use crate::spans::{Times, span_of};
use crate::table::LakeTable;
use crate::tail::Tail;
use crate::views::{CHANGE_BYTES, GAPS, Ledger, Lives, QUALITY, SIGNALS};

/// What is to be read.
pub(crate) struct Reading<'a> {
    /// Tables by name, with the signals that they have had.
    pub(crate) tables: &'a [SignalTable],
    /// Which times, from when the oldest row or signal is and until when anything is known.
    pub(crate) times: &'a dyn Fn(i64, i64, &Lives) -> Option<Times>,
}

/// What is read.
pub(crate) struct Books {
    /// The tables of which there are rows, with their names.
    pub(crate) tables: Vec<(String, LakeTable)>,
    /// What is known of the quality of their signals.
    pub(crate) ledger: Ledger,
    /// When which signal was to be sampled.
    pub(crate) lives: Lives,
    /// Rows of `_gaps`.
    pub(crate) gaps: Vec<RecordBatch>,
    /// When the journal was written last, µs.
    pub(crate) known_to: Option<i64>,
    /// What all of it takes of the memory limit.
    pub(crate) reservation: MemoryReservation,
}

impl Folders {
    /// Reads the books. Reads files: not for an async thread.
    pub(crate) fn books(
        &self,
        reading: &Reading<'_>,
        (reservation, memory_bytes): (MemoryReservation, usize),
    ) -> Result<Books, SqlError> {
        let own: BTreeSet<String> = reading.tables.iter().map(|t| t.name.clone()).collect();
        let beside = [QUALITY, GAPS, SIGNALS].map(str::to_owned);
        let names = own.iter().cloned().chain(beside).collect();
        let tail = self.tail(names, reservation, memory_bytes)?;
        let lives = Lives::read(&self.rows_of(SIGNALS, &tail)?);
        let gaps = self.rows_of(GAPS, &tail)?;
        let known_to = tail.newest_commit().map(Timestamp::micros);
        let times = match self.extent(&own, (&tail, known_to), &lives)? {
            Some((oldest, newest)) => (reading.times)(oldest, newest, &lives),
            None => None,
        };
        let mut tables = Vec::new();
        for table in reading.tables.iter().filter(|_| times.is_some()) {
            let times = times.as_ref().unwrap_or(&Times::ANY);
            let found = self.table(&table.name, &tail, times)?;
            tables.extend(found.map(|found| (table.name.clone(), found)));
        }
        let from = tables.iter().filter_map(|(_, table)| table.first_micros()).min();
        let ledger = self.quality(reading.tables, &tail, from)?;
        let bytes: usize = gaps.iter().map(RecordBatch::get_array_memory_size).sum();
        let reservation = tail.into_reservation();
        reservation
            .try_grow(ledger.len() * CHANGE_BYTES + bytes)
            .map_err(|err| SqlError::of_engine(&err, memory_bytes))?;
        Ok(Books { tables, ledger, lives, gaps, known_to, reservation })
    }

    /// From the oldest row or signal of these tables to the newest commit or row that is told of.
    fn extent(
        &self,
        tables: &BTreeSet<String>,
        (tail, known_to): (&Tail, Option<i64>),
        lives: &Lives,
    ) -> Result<Option<(i64, i64)>, SqlError> {
        let mut oldest = lives.earliest(&|table| tables.contains(table));
        let mut newest = known_to;
        for table in tables {
            let (files, sealed) = self.listing(table)?;
            let first = files.iter().map(|file| file.first.micros()).min();
            // Of a lake without a journal: names say no more than the date of the last row.
            let end = |file: &LakeFile| match known_to {
                Some(_) => file.first.micros(),
                None => span_of(file).1,
            };
            let last = files.iter().map(end).max();
            let mut spans: Vec<(i64, i64)> = first.zip(last).into_iter().collect();
            for rows in tail.rows_behind(table, &sealed) {
                let times = rows.column(0).as_primitive_opt::<TimestampMicrosecondType>();
                let times = times.map(|times| times.values().iter().copied());
                spans.extend(times.and_then(|times| Some((times.clone().min()?, times.max()?))));
            }
            for (first, last) in spans {
                oldest = Some(oldest.map_or(first, |known: i64| known.min(first)));
                newest = newest.max(Some(last));
            }
        }
        Ok(oldest.map(|oldest| (oldest, newest.unwrap_or(oldest))))
    }

    /// All rows of a small table.
    fn rows_of(&self, name: &str, tail: &Tail) -> Result<Vec<RecordBatch>, SqlError> {
        let (files, sealed) = self.listing(name)?;
        let mut rows = Vec::new();
        for file in &files {
            // Not there any more: joined with others meanwhile, and the query begins anew.
            let open = File::open(&file.path).map_err(io_error(&file.path))?;
            let invalid =
                |err| io_error(&file.path)(io::Error::new(io::ErrorKind::InvalidData, err));
            let reader = ParquetRecordBatchReaderBuilder::try_new(open).map_err(invalid)?;
            for batch in reader.build().map_err(invalid)? {
                let broken = |err| io::Error::new(io::ErrorKind::InvalidData, err);
                rows.push(batch.map_err(broken).map_err(io_error(&file.path))?);
            }
        }
        rows.extend(tail.rows_behind(name, &sealed));
        Ok(rows)
    }
}
