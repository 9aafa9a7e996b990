//! One Parquet file written row group by row group, as the rows come.

use std::io;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::coalesce::BatchCoalescer;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use signals::Disk;

use super::checksum;
use super::encoding::{self, Profile};
use super::file::{self, Sink};

/// Rows that are written at a time: fixed, so that the same rows give the same bytes however they
/// were spread over batches.
pub(super) const BATCH_ROWS: usize = 8_192;
/// Bytes of a row group in memory at which it is ended before its rows do.
const GROUP_BYTES_MAX: usize = 32 << 20;

/// A Parquet file as those of the lake are, while rows come: one encoded row group in memory.
pub struct GrowingFile {
    rows: BatchCoalescer,
    schema: SchemaRef,
    writer: Option<ArrowWriter<Sink>>,
    /// There until the first rows have said how columns are encoded.
    sink: Option<Sink>,
    notes: Vec<KeyValue>,
    profile: Profile,
}

impl GrowingFile {
    /// A file for rows of `schema`, written to `path` as it is: who publishes it is who calls.
    /// `notes` are keys and values of its metadata.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn begin(
        disk: &dyn Disk,
        path: &Path,
        schema: SchemaRef,
        notes: &[(&str, String)],
    ) -> io::Result<Self> {
        disk.remove(path)?;
        let note = |(key, value): &(&str, String)| KeyValue::new((*key).to_owned(), value.clone());
        let mut notes: Vec<_> = notes.iter().map(note).collect();
        notes.push(KeyValue::new(checksum::KEY.to_owned(), checksum::EMPTY.to_owned()));
        let sink = Sink::new(disk.append(path)?);
        Ok(Self::of(schema, sink, notes, Profile::Default))
    }

    /// A file that goes to `sink`; the place of the checksum is among `notes`.
    pub(super) fn of(
        schema: SchemaRef,
        sink: Sink,
        notes: Vec<KeyValue>,
        profile: Profile,
    ) -> Self {
        Self {
            rows: BatchCoalescer::new(SchemaRef::clone(&schema), BATCH_ROWS),
            schema,
            writer: None,
            sink: Some(sink),
            notes,
            profile,
        }
    }

    /// Adds rows of the schema behind those before.
    ///
    /// # Errors
    /// What the operating system says, and rows of another schema.
    pub fn add(&mut self, rows: RecordBatch) -> io::Result<()> {
        self.rows.push_batch(rows).map_err(io::Error::other)?;
        while let Some(rows) = self.rows.next_completed_batch() {
            self.write(&rows)?;
        }
        Ok(())
    }

    fn write(&mut self, rows: &RecordBatch) -> io::Result<()> {
        if let Some(sink) = self.sink.take() {
            let properties = file::properties(self.notes.clone());
            let properties = encoding::choose(properties, rows, self.profile).build();
            let writer = ArrowWriter::try_new(sink, rows.schema(), Some(properties))?;
            self.writer = Some(writer);
        }
        if let Some(writer) = &mut self.writer {
            writer.write(rows)?;
            if writer.in_progress_size() >= GROUP_BYTES_MAX {
                writer.flush()?;
            }
        }
        Ok(())
    }

    /// Ends the file and makes its content durable; its rows and bytes.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn finish(mut self) -> io::Result<(i64, u64)> {
        self.rows.finish_buffered_batch().map_err(io::Error::other)?;
        while let Some(rows) = self.rows.next_completed_batch() {
            self.write(&rows)?;
        }
        if self.writer.is_none() {
            self.write(&RecordBatch::new_empty(SchemaRef::clone(&self.schema)))?;
        }
        let Some(mut writer) = self.writer else { return Ok((0, 0)) };
        // All rows are in the file; what follows is indexes and footer, with the checksum in it.
        writer.flush()?;
        writer.inner_mut().hold();
        let rows = writer.finish()?.file_metadata().num_rows();
        Ok((rows, writer.inner_mut().end()?))
    }
}
