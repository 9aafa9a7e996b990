//! What a log is told when it is opened, and what it tells: bounds, recovery, counters, errors.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use signals::{Offset, Timestamp};

/// Bounds and times of a log.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Folder of the segments; cursors live in `cursors` below it.
    pub folder: PathBuf,
    /// How long a record may wait for its commit: what a power cut may cost. Zero commits at
    /// once.
    pub sync_interval: Duration,
    /// Bytes, roughly, that are committed at once however short they have waited.
    pub sync_bytes: usize,
    /// Offsets below this were given out by an earlier log whose files are gone.
    pub next_min: Offset,
    /// Records that may wait for their commit; more are refused.
    pub queue_records_max: usize,
    /// Bytes of a segment before the next one is begun.
    pub segment_bytes: u64,
    /// Bytes of all segments; above, the oldest goes although a cursor still wants it.
    pub bytes_max: u64,
    /// Bytes of memory for the newest records, kept for readers close to the end.
    pub tail_bytes: usize,
    /// How long the newest records stay in memory: consumers read a commit soon after it was made.
    pub tail_age: Duration,
}

impl LogOptions {
    /// Defaults: commit every second, 16 MiB segments, 1 GiB in all, 8 MiB and 10 s in memory.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            // Flash wear allows about one sync a second; a second is what a cut may cost.
            sync_interval: Duration::from_secs(1),
            // A burst does not wait for the second to end with more than this at stake.
            sync_bytes: 1 << 20,
            next_min: Offset::START,
            // More than ten seconds of a plant of a thousand batches a second.
            queue_records_max: 16_384,
            segment_bytes: 16 << 20,
            bytes_max: 1 << 30,
            tail_bytes: 8 << 20,
            tail_age: Duration::from_secs(10),
        }
    }
}

/// Of a volume, the journal may have a part in so many: the lake needs the rest.
pub const JOURNAL_PART: u64 = 4;
/// Of a volume, each outbox may have a part in so many.
pub const OUTBOX_PART: u64 = 8;
/// A log of fewer segments could only be freed in lumps.
const SEGMENTS: u64 = 8;

impl LogOptions {
    /// Bounded by one part in so many of a volume of `volume_bytes`, beside what was asked for: a
    /// bound above the size of the disk would be none.
    #[must_use]
    pub fn within(mut self, volume_bytes: u64, part: u64) -> Self {
        self.bytes_max = self.bytes_max.min(volume_bytes.checked_div(part).unwrap_or(u64::MAX));
        self.segment_bytes = self.segment_bytes.min(self.bytes_max / SEGMENTS);
        self
    }
}

/// Why a log cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The operating system refused.
    #[error(
        "log {folder}: {doing} failed: {source}; check that the disk is there, writable and has room"
    )]
    Io {
        /// The log's folder.
        folder: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The log is closed.
    #[error("log {folder}: closed; nothing can be added any more")]
    Closed {
        /// The log's folder.
        folder: PathBuf,
    },
}

/// What opening a log found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovery {
    /// First offset to be given to a new record.
    pub next: Offset,
    /// First offset still kept.
    pub oldest: Offset,
    /// Segments found.
    pub segments: usize,
    /// Bytes of an unfinished commit that were cut off.
    pub torn_bytes: u64,
    /// Stretches of damage in front of whole commits in the newest segment.
    pub damaged: u32,
    /// Records that a consumer had dealt with and that are gone from the end of the log.
    pub lost: u64,
    /// Wall time of the last commit that survived.
    pub last_commit: Option<Timestamp>,
}

/// Counters of a log since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogCounts {
    /// Commits made durable.
    pub commits: u64,
    /// Bytes written in commits.
    pub bytes_written: u64,
    /// Records refused because the queue was full.
    pub refused: u64,
    /// Commits that failed and were tried again.
    pub failed_commits: u64,
    /// Records dropped with their segment before every cursor had read them.
    pub evicted: u64,
    /// Records that could not be written or read at all.
    pub unreadable: u64,
}
