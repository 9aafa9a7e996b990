//! One Parquet file: encoding, metadata, and the way it becomes visible.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{
    DEFAULT_DATA_PAGE_ROW_COUNT_LIMIT, EnabledStatistics, WriterProperties, WriterPropertiesBuilder,
};
use signals::{ClockState, Disk, DiskFile, Offset, Table};

use super::checksum;
use super::encoding::{self, Profile};
use crate::lake;
use crate::tables::TableHash;

/// What a file's metadata says of it.
pub struct FileAbout {
    /// The table its rows belong to.
    pub table: Arc<Table>,
    /// Name of the gateway.
    pub gateway: String,
    /// First journal offset with rows in it.
    pub from: Offset,
    /// Last journal offset with rows in it.
    pub to: Offset,
    /// Whether the clock could be trusted for all of its rows.
    pub clock: ClockState,
    /// Who is to read it.
    pub profile: Profile,
}

/// Writes rows as one row group; returns the file's bytes.
///
/// The file gets its name only when its content is durable. Batches have the schema of the
/// table in `about`; the file says of each column what the table knows of its signal.
///
/// # Errors
/// What the operating system says, and rows that do not fit the table.
pub fn write_file(
    disk: &dyn Disk,
    path: &Path,
    about: &FileAbout,
    batches: &[RecordBatch],
) -> io::Result<u64> {
    let beside = lake::unfinished(path);
    disk.remove(&beside)?;
    let mut sink = Sink::new(disk.append(&beside)?);
    encode(&mut sink, about, batches).map_err(io::Error::other)?;
    let bytes = sink.end()?;
    disk.publish(&beside, path)?;
    Ok(bytes)
}

fn encode(
    sink: &mut Sink,
    about: &FileAbout,
    batches: &[RecordBatch],
) -> Result<(), parquet::errors::ParquetError> {
    let schema = Arc::new(about.table.described_schema());
    let rows = concat_batches(&schema, batches)?;
    let mut properties = encoding::choose(properties(notes(about)), &rows, about.profile);
    if rows.num_rows() <= DEFAULT_DATA_PAGE_ROW_COUNT_LIMIT {
        // Each column is one page: what its index says stands in the footer.
        properties = properties
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true);
    }
    let properties = properties.build();
    let mut writer = ArrowWriter::try_new(sink, schema, Some(properties))?;
    writer.write(&rows)?;
    writer.flush()?;
    // All rows are in the file; what follows is indexes and footer, with the checksum in it.
    writer.inner_mut().hold();
    writer.close()?;
    Ok(())
}

/// Key of the first journal offset with rows in a file.
const JOURNAL_FIRST: &str = "fieldgate.journal_first";
/// Key of the last one.
pub(super) const JOURNAL_LAST: &str = "fieldgate.journal_last";

/// Whether a note differs between files that say the same of their rows: where in the journal they
/// are from, and the checksum.
pub(super) fn is_of_one_file(key: &str) -> bool {
    key == JOURNAL_FIRST || key == JOURNAL_LAST || key == checksum::KEY
}

/// The first journal offset with rows in a file of the lake, as the file says: one that compaction
/// has made begins with the first of its parts.
///
/// # Errors
/// What the operating system says, and [`io::ErrorKind::InvalidData`] for a file that does not say.
pub fn first_offset(disk: &dyn Disk, path: &Path) -> io::Result<Offset> {
    let mut source = disk.open(path)?;
    let bytes = source.seek(io::SeekFrom::End(0))?;
    let footer = super::budget::footer(&mut *source, bytes)?;
    let notes = footer.file_metadata().key_value_metadata().into_iter().flatten();
    let first = notes
        .filter(|note| note.key == JOURNAL_FIRST)
        .find_map(|note| note.value.as_deref()?.parse().ok().map(Offset));
    let silent = || io::Error::new(io::ErrorKind::InvalidData, "says nothing of the journal");
    first.ok_or_else(silent)
}

fn notes(about: &FileAbout) -> Vec<KeyValue> {
    let note = |key: &str, value: String| KeyValue::new(format!("fieldgate.{key}"), value);
    let clock = match about.clock {
        ClockState::Synced => "synced",
        ClockState::Unsynced => "unsynced",
    };
    vec![
        note("gateway", about.gateway.clone()),
        note("table", about.table.name().to_owned()),
        note("schema_hash", format!("{:016x}", TableHash::of(&about.table).0)),
        KeyValue::new(JOURNAL_FIRST.to_owned(), about.from.to_string()),
        KeyValue::new(JOURNAL_LAST.to_owned(), about.to.to_string()),
        note("clock", clock.to_owned()),
        KeyValue::new(checksum::KEY.to_owned(), checksum::EMPTY.to_owned()),
        note("writer", concat!("fieldgate ", env!("CARGO_PKG_VERSION")).to_owned()),
    ]
}

/// Pages of version 1, which every reader takes, zstd 1, an index of the pages.
pub(super) fn properties(notes: Vec<KeyValue>) -> WriterPropertiesBuilder {
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(1 << 20))
        .set_key_value_metadata(Some(notes))
}

/// The file while it is written. Its end is held back until the checksum can be put into it.
pub(super) struct Sink {
    file: Box<dyn DiskFile>,
    crc: crc32fast::Hasher,
    end: Option<Vec<u8>>,
}

impl Sink {
    pub(super) fn new(file: Box<dyn DiskFile>) -> Self {
        Self { file, crc: crc32fast::Hasher::new(), end: None }
    }

    /// From here on what is written is the file's end.
    pub(super) fn hold(&mut self) {
        self.end.get_or_insert_default();
    }

    /// Writes the end with the checksum in it and makes the content durable; its bytes.
    pub(super) fn end(&mut self) -> io::Result<u64> {
        let mut end = self.end.take().unwrap_or_default();
        checksum::seal(self.crc.clone(), &mut end);
        self.file.write_all(&end)?;
        self.file.sync()?;
        self.file.bytes()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(end) = &mut self.end {
            end.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let written = self.file.write(bytes)?;
        self.crc.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
