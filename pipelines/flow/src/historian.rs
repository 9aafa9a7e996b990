//! The historian: journal → Parquet files in the lake.
//!
//! In: durable batches, in order. Out: files that appear whole. A restart reads on from the
//! cursor; what the names in the lake say is already there is not written again.
//!
//! - H-1 A file is visible only when its content is durable.
//! - H-2 A row is in exactly one visible file, whatever is killed when.
//! - H-3 The cursor moves only behind rows that are visible.
//! - H-4 One file is encoded at a time: memory is bounded by the rows not sealed yet.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use signals::{Batch, Disk, Gap, Offset, Stop, Timestamp};

use crate::gap_log::{DAMAGE, EVERY_TABLE, EVICTED, GapLog};
use crate::lake::{self, Copied, Sealed};
use crate::log::{Cursor, Entry, Log, LogError};

mod beside;
mod budget;
mod checksum;
mod compaction;
mod encoding;
mod file;
mod growing;
mod merge;
mod open;
mod packed;
mod scrub;
mod seal;
mod thinning;

pub use budget::Budget;
pub use compaction::Compaction;
pub use encoding::Profile;
pub use file::{FileAbout, first_offset, write_file};
pub use growing::GrowingFile;
use open::State;
use packed::Held;
use scrub::Scrub;

/// How often the room on the volume is looked at: others fill it too.
const BUDGET_INTERVAL: Duration = Duration::from_secs(5);

/// How often, at most, all tables are sealed because the journal needs its room.
const JOURNAL_INTERVAL: Duration = Duration::from_secs(10);

/// Settings of the historian.
#[derive(Clone, Debug)]
pub struct HistorianOptions {
    /// Folder of the lake.
    pub lake: PathBuf,
    /// Name of the gateway, for the files' metadata.
    pub gateway: String,
    /// How long rows wait before they are sealed into files.
    pub roll_interval: Duration,
    /// Rows of all tables together that may wait; more are sealed at once.
    pub roll_rows: usize,
    /// Bytes of memory that they may take, compressed; above, the same.
    pub roll_bytes: usize,
    /// How much of the disk the lake may have.
    pub budget: Budget,
    /// Who is to read the files.
    pub profile: Profile,
    /// When small files are joined.
    pub compaction: Compaction,
    /// Old samples of which one such interval's first row stays before any go altogether; `None`
    /// for none.
    pub thin_interval: Option<Duration>,
}

impl HistorianOptions {
    /// Defaults: a file per table every 15 minutes, at most a million rows in 32 MiB waiting.
    #[must_use]
    pub fn new(lake: impl Into<PathBuf>, gateway: impl Into<String>) -> Self {
        Self {
            lake: lake.into(),
            gateway: gateway.into(),
            // Short files are dear: a footer of 40 columns weighs as much as minutes of rows.
            roll_interval: Duration::from_secs(15 * 60),
            roll_rows: 1_000_000,
            roll_bytes: 32 << 20,
            budget: Budget::default(),
            profile: Profile::default(),
            compaction: Compaction::default(),
            thin_interval: Some(Duration::from_mins(1)),
        }
    }
}

/// Counters of the historian since its start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HistorianCounts {
    /// Files written.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that could not be written and are tried again.
    pub failed: u64,
    /// Files given up to keep the budget.
    pub evicted: u64,
    /// Their bytes.
    pub evicted_bytes: u64,
    /// Files of which most rows were given up for that.
    pub thinned: u64,
    /// Bytes that were freed by it.
    pub thinned_bytes: u64,
    /// Files that were joined to fewer.
    pub compacted: u64,
    /// Bytes written for that.
    pub compaction_bytes: u64,
    /// Records that the journal had lost before they were read.
    pub missed: u64,
    /// Files found damaged and set aside.
    pub damaged: u64,
    /// Of those, also of earlier lives, removed because the volume had no room.
    pub damaged_removed: u64,
}

/// The historian. Clones share the rows, so that history can be read while it runs.
#[derive(Clone)]
pub struct Historian {
    journal: Log<Batch>,
    gaps: GapLog,
    cursor: Cursor,
    disk: Arc<dyn Disk>,
    options: Arc<HistorianOptions>,
    state: Arc<Mutex<State>>,
    /// Held by whoever changes which files there are; before `state`.
    files: Arc<Mutex<()>>,
    copied: Copied,
}

/// Rows of one table that are not in the lake yet, and what is.
pub struct Unsealed {
    /// The rows, oldest first; batches may differ in schema after a change of configuration.
    pub batches: Vec<RecordBatch>,
    /// Per table and date, the last journal offset whose rows are in files.
    pub sealed: Sealed,
}

impl Historian {
    /// A historian over the journal of these gaps, reading on where the lake ends.
    ///
    /// # Errors
    /// When the lake cannot be listed.
    pub fn new(gaps: GapLog, disk: Arc<dyn Disk>, options: HistorianOptions) -> io::Result<Self> {
        let sealed = lake::survey(&*disk, &options.lake)?;
        Ok(Self::resume(gaps, disk, options, sealed))
    }

    /// A historian over a lake that has been surveyed.
    #[must_use]
    pub fn resume(
        gaps: GapLog,
        disk: Arc<dyn Disk>,
        options: HistorianOptions,
        sealed: Sealed,
    ) -> Self {
        for left in [compaction::beside(&options.lake), thinning::beside(&options.lake)] {
            if let Err(err) = disk.remove_folder(&left) {
                tracing::warn!(folder = %left.display(), %err, "what an earlier life has left there cannot be removed; check the disk");
            }
        }
        let state = State { sealed, ..State::default() };
        let journal = gaps.journal().clone();
        let cursor = journal.cursor("historian");
        Self {
            journal,
            gaps,
            cursor,
            disk,
            options: Arc::new(options),
            state: Arc::new(Mutex::new(state)),
            files: Arc::default(),
            copied: Copied::default(),
        }
    }

    /// How much of the disk the lake may have.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.options.budget
    }

    /// What is known of copies elsewhere, for whoever makes them to say.
    #[must_use]
    pub fn copied(&self) -> Copied {
        self.copied.clone()
    }

    /// Reads and seals until `stop`, then seals what is left. Small files of dates that are over
    /// are joined meanwhile, on a thread of its own.
    pub fn run(&self, stop: &Stop) {
        beside::until_ended(
            "compaction",
            |over| self.compact_while(over),
            || self.seal_while(stop),
        );
    }

    fn seal_while(&self, stop: &Stop) {
        let mut at = self.cursor.at();
        // Rows that an earlier life has left are sealed at once: a gateway that is killed more
        // often than it rolls would never write a file.
        let now = Instant::now();
        let is_behind = at < self.journal.durable();
        let mut rolled =
            now.checked_sub(self.options.roll_interval).filter(|_| is_behind).unwrap_or(now);
        let mut budget_kept = now;
        let tables = lake::tables(&*self.disk, &self.options.lake).unwrap_or_default();
        let mut scrub = Some(Scrub::of(tables));
        loop {
            let stopping = stop.is_raised();
            let full = self.is_full();
            // Rows that could not be sealed stay bounded: nothing more is read until they are.
            let taken = if full { Ok(()) } else { self.take_in(&mut at) };
            match taken {
                Ok(()) => {}
                Err(err) => {
                    tracing::error!(%err, "historian: the journal cannot be read; trying again");
                    if stop.wait(Duration::from_secs(1)) {
                        return;
                    }
                }
            }
            let is_due = rolled.elapsed() >= self.options.roll_interval
                || rolled.elapsed() >= JOURNAL_INTERVAL && self.holds_journal(at);
            if stopping || is_due || self.is_full() {
                rolled = Instant::now();
                self.seal_all(at);
                budget_kept = rolled;
                self.keep_budget(stop);
            }
            if stopping {
                return;
            }
            if budget_kept.elapsed() >= BUDGET_INTERVAL {
                budget_kept = Instant::now();
                self.keep_budget(stop);
            }
            if self.is_full() {
                let _stopped = stop.wait(Duration::from_secs(1));
                continue;
            }
            if scrub.as_mut().is_some_and(|scrub| !self.scrub(scrub)) {
                scrub = None;
            }
            let rest = self.options.roll_interval.saturating_sub(rolled.elapsed());
            let _durable = self.journal.wait_past(at, rest.min(Duration::from_millis(500)));
        }
    }

    /// The rows of a table that are not in the lake yet.
    #[must_use]
    pub fn unsealed(&self, table: &str) -> Unsealed {
        let state = self.state();
        let of_table = state.open.iter().filter(|((name, _), _)| name == table);
        let held: Vec<Held> = of_table
            .flat_map(|(_, parts)| parts.iter().flat_map(|part| part.held.iter().cloned()))
            .collect();
        let sealed = state.sealed.clone();
        // Nobody waits for what is unpacked here.
        drop(state);
        Unsealed { batches: held.into_iter().map(Held::unpacked).collect(), sealed }
    }

    /// Per table and date, the last journal offset whose rows are in files.
    #[must_use]
    pub fn sealed(&self) -> Sealed {
        self.state().sealed.clone()
    }

    /// Folder of the lake.
    #[must_use]
    pub fn lake(&self) -> &std::path::Path {
        &self.options.lake
    }

    /// Counters since the start.
    #[must_use]
    pub fn counts(&self) -> HistorianCounts {
        self.state().counts
    }

    /// The place in the journal up to which rows have been read.
    #[must_use]
    pub fn reached(&self) -> Offset {
        self.state().reached
    }

    /// Rows read from the journal that are not in the lake yet.
    #[must_use]
    pub fn unsealed_rows(&self) -> usize {
        self.state().rows
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads everything durable behind `at`.
    fn take_in(&self, at: &mut Offset) -> Result<(), LogError> {
        loop {
            let entries = self.journal.read(*at, 1_024)?;
            let Some((first, last)) = entries.first().zip(entries.last()) else { return Ok(()) };
            if first.offset > *at {
                self.tell_missed(*at, first)?;
            }
            *at = last.offset.next();
            let mut state = self.state();
            for entry in &entries {
                state.add(entry);
            }
            state.reached = *at;
            drop(state);
            if self.is_full() {
                return Ok(());
            }
        }
    }

    /// Writes the row of `_gaps` for records that the journal lost before they were read here.
    fn tell_missed(&self, at: Offset, first: &Entry<Batch>) -> Result<(), LogError> {
        let start = {
            let mut state = self.state();
            state.counts.missed += first.offset.since(at);
            state.newest
        };
        let (cause, why) = if at < self.journal.oldest() {
            (EVICTED, "was full; give journal.bytes_max more, or the disk")
        } else {
            (DAMAGE, "cannot be read there; check the disk")
        };
        let detail = format!(
            "journal records {at} to {} are not in the lake: the journal {why}",
            first.offset
        );
        tracing::error!(from = %at, to = %first.offset, cause, "rows lost: {detail}");
        let end = first.record.first_ts();
        self.gaps.append(&[Gap { table: EVERY_TABLE.to_owned(), start, end, cause, detail }])
    }
}

fn first_ts(rows: &RecordBatch) -> Option<Timestamp> {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::TimestampMicrosecondType;
    let times = rows.column(0).as_primitive_opt::<TimestampMicrosecondType>()?;
    times.values().first().copied().map(Timestamp::from_micros)
}

/// The rows cut at midnight UTC. `times` are those of the rows, in microseconds.
#[must_use]
pub fn by_date(rows: &RecordBatch, times: &[i64]) -> Vec<RecordBatch> {
    const DAY: Duration = Duration::from_secs(86_400);
    let day = |micros: i64| Timestamp::from_micros(micros).floor(DAY);
    let mut parts = Vec::new();
    let mut start = 0;
    while let Some(&first) = times.get(start) {
        let rest = times.get(start..).unwrap_or_default();
        let length = rest.iter().take_while(|micros| day(**micros) == day(first)).count();
        parts.push(rows.slice(start, length));
        start += length;
    }
    parts
}

#[cfg(test)]
mod tests;
