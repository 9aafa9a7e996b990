//! Raw frames that a gateway kept: Parquet files of `_can_raw_<bus>` as a log.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use adapters_can::frame::Frame;
use adapters_can::log_decode::FrameSource;
use adapters_can::raw::{RAW, read_row};
use anyhow::{Context as _, bail};
use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

/// Folders below the one given that are looked into: `lake/<table>/date=…`.
const DEPTH_MAX: usize = 4;

/// Frames of files in the order in which they were kept.
pub(super) struct RawFiles {
    files: VecDeque<PathBuf>,
    reader: Option<ParquetRecordBatchReader>,
    rows: Option<RecordBatch>,
    row: usize,
    channel: u16,
    channels: Vec<String>,
}

impl RawFiles {
    /// The raw frames in a Parquet file or below a folder; `None` for a file that is a log.
    ///
    /// # Errors
    /// A folder that cannot be read, or without such files.
    pub(super) fn find(path: &Path) -> anyhow::Result<Option<Self>> {
        let mut files = Vec::new();
        if path.is_dir() {
            collect(path, DEPTH_MAX, &mut files)
                .with_context(|| format!("{}: cannot be read; check the path", path.display()))?;
            if files.is_empty() {
                bail!(
                    "{}: no Parquet files of {RAW}_… below it; give a lake with raw frames, or a log",
                    path.display()
                );
            }
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            files.push(path.to_owned());
        } else {
            return Ok(None);
        }
        // The second part of a name is the journal's offset: the order of arrival.
        files.sort_by_cached_key(|file| {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let (first, offset) = stem.split_once('_').unwrap_or((&stem, ""));
            (offset.to_owned(), first.to_owned())
        });
        Ok(Some(Self {
            files: files.into(),
            reader: None,
            rows: None,
            row: 0,
            channel: 0,
            channels: Vec::new(),
        }))
    }

    /// Opens the next file; false when there is none.
    fn open_next(&mut self) -> io::Result<bool> {
        let Some(path) = self.files.pop_front() else { return Ok(false) };
        let named = |error: &dyn std::fmt::Display| {
            io::Error::other(format!("{}: {error}", path.display()))
        };
        let file = File::open(&path).map_err(|error| named(&error))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| named(&e))?;
        let notes = builder.metadata().file_metadata().key_value_metadata();
        let table = notes.into_iter().flatten().find(|note| note.key == "fieldgate.table");
        let table = table.and_then(|note| note.value.as_deref()).unwrap_or_default();
        let prefix = format!("{RAW}_");
        let Some(bus) = table.strip_prefix(&prefix) else {
            return Err(named(&"holds no raw frames; give files of a table `_can_raw_…`"));
        };
        let known = self.channels.iter().position(|known| known == bus);
        let place = known.unwrap_or_else(|| {
            self.channels.push(bus.to_owned());
            self.channels.len() - 1
        });
        self.channel = u16::try_from(place).map_err(|error| named(&error))?;
        self.reader = Some(builder.build().map_err(|error| named(&error))?);
        Ok(true)
    }
}

impl FrameSource for RawFiles {
    fn next(&mut self, frame: &mut Frame) -> io::Result<bool> {
        loop {
            if let Some(rows) = &self.rows {
                if read_row(rows, self.row, frame).map_err(io::Error::other)? {
                    self.row += 1;
                    frame.channel = self.channel;
                    return Ok(true);
                }
                self.rows = None;
            }
            match self.reader.as_mut().and_then(Iterator::next) {
                Some(rows) => {
                    self.rows = Some(rows.map_err(io::Error::other)?);
                    self.row = 0;
                }
                None if self.open_next()? => {}
                None => return Ok(false),
            }
        }
    }

    fn channels(&self) -> &[String] {
        &self.channels
    }
}

/// Parquet files of raw frames below a folder. Hidden ones are still being written.
fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if depth > 0 {
                collect(&path, depth - 1, found)?;
            }
        } else if name.ends_with(".parquet")
            && path.ancestors().any(|folder| {
                folder.file_name().is_some_and(|n| n.to_string_lossy().starts_with(RAW))
            })
        {
            found.push(path);
        }
    }
    Ok(())
}
