//! One Parquet file: encoding, metadata, and the way it becomes visible.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
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
    sink.finish()?;
    sink.file.sync()?;
    let bytes = sink.file.bytes()?;
    drop(sink);
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
    let properties = encoding::choose(properties(about), &rows, about.profile).build();
    let mut writer = ArrowWriter::try_new(sink, schema, Some(properties))?;
    writer.write(&rows)?;
    // All rows are in the file; what follows is indexes and footer, with the checksum in it.
    writer.inner_mut().hold();
    writer.close()?;
    Ok(())
}

/// Pages of version 1, which every reader takes, zstd 1, statistics of each page.
fn properties(about: &FileAbout) -> parquet::file::properties::WriterPropertiesBuilder {
    let note = |key: &str, value: String| KeyValue::new(format!("fieldgate.{key}"), value);
    let clock = match about.clock {
        ClockState::Synced => "synced",
        ClockState::Unsynced => "unsynced",
    };
    let notes = vec![
        note("gateway", about.gateway.clone()),
        note("table", about.table.name().to_owned()),
        note("schema_hash", format!("{:016x}", TableHash::of(&about.table).0)),
        note("journal_first", about.from.to_string()),
        note("journal_last", about.to.to_string()),
        note("clock", clock.to_owned()),
        KeyValue::new(checksum::KEY.to_owned(), checksum::EMPTY.to_owned()),
        note("writer", concat!("fieldgate ", env!("CARGO_PKG_VERSION")).to_owned()),
    ];
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(1 << 20))
        .set_key_value_metadata(Some(notes))
}

/// The file while it is written. Its end is held back until the checksum can be put into it.
struct Sink {
    file: Box<dyn DiskFile>,
    crc: crc32fast::Hasher,
    end: Option<Vec<u8>>,
}

impl Sink {
    fn new(file: Box<dyn DiskFile>) -> Self {
        Self { file, crc: crc32fast::Hasher::new(), end: None }
    }

    fn hold(&mut self) {
        self.end.get_or_insert_default();
    }

    fn finish(&mut self) -> io::Result<()> {
        let mut end = self.end.take().unwrap_or_default();
        checksum::seal(self.crc.clone(), &mut end);
        self.file.write_all(&end)
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
