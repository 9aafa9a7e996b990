//! One Parquet file made of several that follow each other.

use std::io::{self, Read as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::KeyValue;
use signals::Disk;

use super::budget::footer;
use super::compaction::Pace;
use super::encoding::Profile;
use super::file::{self, JOURNAL_LAST, Sink};
use super::growing::{BATCH_ROWS, GrowingFile};
use super::thinning::Sieve;
use super::{checksum, scrub};
use crate::lake::{self, LakeFile};

/// A file that may become part of a larger one.
pub(super) struct Part {
    pub(super) file: LakeFile,
    pub(super) bytes: u64,
    pub(super) rows: i64,
    schema: SchemaRef,
    notes: Vec<KeyValue>,
}

impl Part {
    /// Reads the footer of a file.
    ///
    /// # Errors
    /// What the operating system says, and [`io::ErrorKind::InvalidData`].
    pub(super) fn of(disk: &dyn Disk, file: &LakeFile) -> io::Result<Self> {
        let mut source = disk.open(&file.path)?;
        let bytes = source.seek(SeekFrom::End(0))?;
        let footer = Arc::new(footer(&mut *source, bytes)?);
        let about = ArrowReaderMetadata::try_new(Arc::clone(&footer), ArrowReaderOptions::new());
        // Without the file's notes, which the reader makes part of it.
        let schema = Arc::new(Schema::new(about.map_err(foreign)?.schema().fields().clone()));
        let footer = footer.file_metadata();
        let of_ours = |note: &&KeyValue| note.key.starts_with("fieldgate.");
        let notes = footer.key_value_metadata().into_iter().flatten().filter(of_ours);
        let notes = notes.cloned().collect();
        Ok(Self { file: file.clone(), bytes, rows: footer.num_rows(), schema, notes })
    }

    /// Whether rows of both can stand in one file that says the same of them.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        fn common(part: &Part) -> impl Iterator<Item = &KeyValue> {
            part.notes.iter().filter(|note| !file::is_of_one_file(&note.key))
        }
        self.schema == other.schema && common(self).eq(common(other))
    }

    /// All bytes, when they are what was written.
    fn content(&self, disk: &dyn Disk) -> io::Result<Bytes> {
        let mut source = disk.open(&self.file.path)?;
        let mut content = Vec::new();
        source.read_to_end(&mut content)?;
        scrub::verify_source(&mut io::Cursor::new(content.as_slice()))?;
        Ok(Bytes::from(content))
    }
}

/// Why files could not be joined.
pub(super) struct Failed {
    /// The part that could not be read, if it was one.
    pub(super) part: Option<LakeFile>,
    pub(super) err: io::Error,
}

impl From<io::Error> for Failed {
    fn from(err: io::Error) -> Self {
        Self { part: None, err }
    }
}

/// Files that are alike, in the order of the journal.
pub(super) struct Merge<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) profile: Profile,
    pub(super) parts: &'a [Part],
    /// What of the rows stays; all of them without one.
    pub(super) sieve: Option<Sieve>,
}

impl Merge<'_> {
    /// Writes the rows in their order as one file; its rows and bytes.
    ///
    /// # Errors
    /// What the operating system says; [`io::ErrorKind::Interrupted`] after the stop.
    pub(super) fn write(mut self, path: &Path, pace: &mut Pace<'_>) -> Result<(i64, u64), Failed> {
        let Some(first) = self.parts.first() else { return Ok((0, 0)) };
        let beside = lake::unfinished(path);
        self.disk.remove(&beside)?;
        let sink = Sink::new(self.disk.append(&beside)?);
        let mut notes = notes_of(self.parts);
        notes.extend(self.sieve.as_ref().map(Sieve::note));
        let schema = Arc::clone(&first.schema);
        let mut joined = GrowingFile::of(schema, sink, notes, self.profile);
        for part in self.parts {
            let of_part = |err| Failed { part: Some(part.file.clone()), err };
            let content = part.content(self.disk).map_err(of_part)?;
            let reader = ParquetRecordBatchReaderBuilder::try_new(content)
                .and_then(|builder| builder.with_batch_size(BATCH_ROWS).build())
                .map_err(|err| of_part(foreign(err)))?;
            for rows in reader {
                pace.step()?;
                let rows = rows.map_err(|err| of_part(foreign(err)))?;
                let rows = RecordBatch::try_new(Arc::clone(&first.schema), rows.columns().to_vec());
                let rows = rows.map_err(io::Error::other)?;
                joined.add(match &mut self.sieve {
                    Some(sieve) => sieve.pass(&rows)?,
                    None => rows,
                })?;
            }
        }
        let (written, bytes) = joined.finish()?;
        let wanted: i64 = self.parts.iter().map(|part| part.rows).sum();
        if written != wanted && self.sieve.is_none() {
            return Err(io::Error::other(format!("{written} rows written of {wanted}")).into());
        }
        self.disk.publish(&beside, path)?;
        Ok((written, bytes))
    }
}

fn foreign(err: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, err)
}

/// What the first says, up to where the last goes.
fn notes_of(parts: &[Part]) -> Vec<KeyValue> {
    let mut notes = parts.first().map(|part| part.notes.clone()).unwrap_or_default();
    let last = parts.last().and_then(|part| part.notes.iter().find(|n| n.key == JOURNAL_LAST));
    for note in notes.iter_mut().filter(|note| note.key == JOURNAL_LAST) {
        note.value = last.and_then(|last| last.value.clone());
    }
    // Files of earlier versions have none.
    notes.retain(|note| note.key != checksum::KEY);
    notes.push(KeyValue::new(checksum::KEY.to_owned(), checksum::EMPTY.to_owned()));
    notes
}
