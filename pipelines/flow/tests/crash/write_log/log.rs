//! A log of everything that was written to a disk, in the format of Linux's dm-log-writes.
//!
//! The first sector says what it is: magic, version, number of entries (64 bits each), bytes of a
//! sector (32 bits). Each entry is a sector with place, sectors, flags and a length (64 bits each),
//! then what was written; nothing follows a discard. QEMU adds an entry when the write or flush is
//! complete, and before the machine is told so.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::victim::{SECTOR, WORDS_AT};

const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const DISCARD: u64 = 4;

/// One write or flush.
struct Entry {
    /// Where it was written, in bytes.
    at: u64,
    /// Where the content stands in the log; empty of a flush.
    content: Range<usize>,
    is_flush: bool,
}

/// A whole log.
pub(crate) struct WriteLog {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl WriteLog {
    /// Reads a log.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let wrong = |what: &str| format!("{}: {what}", path.display());
        let bytes = std::fs::read(path).map_err(|err| wrong(&err.to_string()))?;
        let field = |at: usize| -> Option<u64> {
            Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
        };
        let head = (field(0), field(8), field(16).filter(|entries| *entries > 0));
        let (Some(MAGIC), Some(1), Some(number)) = head else {
            return Err(wrong("not the log of a disk that was written to"));
        };
        let mut entries = Vec::new();
        let mut at = SECTOR;
        for _ in 0..number {
            let fields = (field(at), field(at + 8), field(at + 16));
            let (Some(sector), Some(sectors), Some(flags)) = fields else {
                return Err(wrong("ends before its last entry"));
            };
            at += SECTOR;
            if flags & DISCARD != 0 {
                // What is discarded may still be there.
                continue;
            }
            let end =
                at + usize::try_from(sectors).map_err(|_| wrong("a write of no size"))? * SECTOR;
            if end > bytes.len() {
                return Err(wrong("ends within an entry"));
            }
            let is_flush = flags & FLUSH != 0;
            entries.push(Entry { at: sector * SECTOR as u64, content: at..end, is_flush });
            at = end;
        }
        Ok(Self { bytes, entries })
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn flushes(&self) -> usize {
        self.entries.iter().filter(|entry| entry.is_flush).count()
    }

    pub(crate) fn writes(&self) -> usize {
        self.len() - self.flushes()
    }

    /// Writes of the file system, until everything has been said.
    pub(super) fn to_file_system(&self) -> Vec<usize> {
        let last = self.entries.iter().rposition(Entry::is_word).unwrap_or(0);
        let there = self.entries[..last].iter().enumerate();
        let is_its = |entry: &Entry| !entry.is_flush && !entry.is_word();
        there.filter(|(_, entry)| is_its(entry)).map(|(place, _)| place).collect()
    }

    /// What had been said when so many entries had been made, a line each.
    pub(crate) fn words(&self, entries: usize) -> String {
        let words = self.entries[..entries].iter().filter(|entry| entry.is_word());
        let written = words.flat_map(|word| &self.bytes[word.content.clone()]);
        String::from_utf8_lossy(&written.copied().filter(|byte| *byte != 0).collect::<Vec<_>>())
            .into_owned()
    }

    /// How many of the first so many entries a flush has made durable.
    pub(super) fn durable(&self, entries: usize) -> usize {
        let flush = self.entries[..entries].iter().rposition(|entry| entry.is_flush);
        flush.map_or(0, |place| place + 1)
    }

    /// Sectors of an entry.
    pub(super) fn sectors(&self, entry: usize) -> usize {
        self.entries[entry].content.len() / SECTOR
    }

    /// Writes an entry again, those of its sectors that are wanted.
    pub(super) fn write(&self, entry: usize, disk: &File, wanted: impl Fn(usize) -> bool) {
        let entry = &self.entries[entry];
        let sectors = self.bytes[entry.content.clone()].chunks(SECTOR).enumerate();
        for (sector, content) in sectors.filter(|(sector, _)| wanted(*sector)) {
            let at = entry.at + (sector * SECTOR) as u64;
            disk.write_all_at(content, at).expect("the image can be written");
        }
    }
}

impl Entry {
    fn is_word(&self) -> bool {
        self.at >= WORDS_AT && !self.is_flush
    }
}
