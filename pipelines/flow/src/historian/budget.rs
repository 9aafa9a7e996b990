//! How much of the disk the lake may have, and what goes when that is reached.
//!
//! - B-1 A file goes only after the row of `_gaps` that accounts for it is in the journal. On a disk
//!   so full that the row cannot be made durable, it waits in the journal's queue, and here when
//!   that is full too: then room must be made first.
//! - B-2 Order: damaged files that were set aside; raw frames; then old samples are thinned (`thinning`); then samples go, then
//!   qualities and windows. Of each, first what a copy elsewhere has, then the oldest. `_signals`,
//!   `_gaps` and `_events`, which explain the rest, stay.
//! - B-3 The newest file of a table stays, and every file whose rows the historian could meet
//!   again in the journal: names in the lake say what is sealed.

use std::io::{self, SeekFrom};
use std::time::Duration;

use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::statistics::Statistics;
use signals::{Gap, Stop, Timestamp};

use super::Historian;
use crate::gap_log::EVICTED;
use crate::lake::{self, LakeFile};

/// Bounds of the lake on disk.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Budget {
    /// Bytes of all its files; `None` for as much as the volume has.
    pub bytes_max: Option<u64>,
    /// Bytes that are kept free on the volume, for everything else that must go on.
    pub free_min: u64,
}

/// Files given up in one go: their gaps fit one record, and the lake is looked at again.
const ROUND_MAX: usize = 256;
/// Once over a bound, so many percent more are freed: not a file at every turn.
const SLACK_PERCENT: u64 = 2;
/// How long a gap's row may take to become durable before its file goes all the same.
const PATIENCE: Duration = Duration::from_secs(3);
/// Gaps that wait for room before those of one table are made one.
const UNTOLD_MAX: usize = 1_024;
/// A footer larger than this is none of ours.
const FOOTER_MAX: u32 = 16 << 20;

/// What is known of a file that is to go.
pub(super) struct Doomed {
    file: LakeFile,
    pub(super) bytes: u64,
    rows: Option<i64>,
    /// Time of the last row.
    pub(super) last: Option<Timestamp>,
}

/// A file that may go.
pub(super) struct Candidate {
    pub(super) file: LakeFile,
    /// Whether a copy elsewhere has it; `None` where there are no copies.
    pub(super) is_copied: Option<bool>,
    /// Whether its rows are samples, of which some may stay.
    pub(super) is_sampled: bool,
    rank: u8,
}

impl Doomed {
    fn gap(&self) -> Gap {
        Gap {
            table: self.file.table.clone(),
            start: Some(self.file.first),
            end: self.last,
            cause: EVICTED,
            detail: match self.rows {
                Some(rows) => format!("{rows} rows given up to keep the lake within its budget"),
                None => "a file that cannot be read, given up to keep the budget".to_owned(),
            },
        }
    }
}

impl Historian {
    /// Gives up the oldest files while the lake is over its budget.
    pub(super) fn keep_budget(&self, stop: &Stop) {
        self.tell_untold();
        loop {
            let more = match self.over_budget() {
                Ok(0) => return,
                Ok(bytes) => self.make_room(bytes, stop),
                Err(err) => Err(err),
            };
            match more {
                Ok(true) => {}
                Ok(false) => return,
                Err(err) => {
                    tracing::warn!(
                        lake = %self.options.lake.display(),
                        %err,
                        "the lake cannot be kept within its budget; check the disk"
                    );
                    return;
                }
            }
        }
    }

    /// Bytes to free; zero within the budget.
    fn over_budget(&self) -> io::Result<u64> {
        let Budget { bytes_max, free_min } = self.options.budget;
        let mut wanted = 0;
        if free_min > 0 {
            self.clear_aside(free_min)?;
            let free = self.disk.room(&self.options.lake)?.free;
            if free < free_min {
                wanted = free_min - free + free_min / 100 * SLACK_PERCENT;
            }
        }
        if let Some(bytes_max) = bytes_max {
            let known = self.state().held;
            let held = match known {
                Some(held) => held,
                None => self.count_held()?,
            };
            if held > bytes_max {
                wanted = wanted.max(held - bytes_max + bytes_max / 100 * SLACK_PERCENT);
            }
        }
        Ok(wanted)
    }

    /// Bytes of all files, counted once; writing and eviction keep count afterwards. Only this
    /// thread writes files, so nothing comes in between.
    fn count_held(&self) -> io::Result<u64> {
        let mut held = 0;
        for table in lake::tables(&*self.disk, &self.options.lake)? {
            for file in lake::files(&*self.disk, &self.options.lake, &table)? {
                held += self.disk.open(&file.path)?.seek(SeekFrom::End(0))?;
            }
        }
        self.state().held = Some(held);
        Ok(held)
    }

    /// One step towards so many bytes less; false when there is nothing to give up.
    fn make_room(&self, wanted: u64, stop: &Stop) -> io::Result<bool> {
        let _alone = self.files();
        let candidates = self.candidates()?;
        let raw = candidates.iter().take_while(|candidate| candidate.rank == RAW);
        let raw: Vec<_> = raw.map(|candidate| &candidate.file).collect();
        if !raw.is_empty() {
            return self.evict(&raw, wanted);
        }
        let thinned = candidates.iter().filter(|candidate| candidate.file.is_thinned);
        let thinned: Vec<_> = thinned.map(|candidate| &candidate.file).collect();
        if !thinned.is_empty() && self.is_thin_enough(&candidates)? {
            return self.evict(&thinned, wanted);
        }
        match self.thin(&candidates, wanted, stop) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(err) if err.kind() == io::ErrorKind::Interrupted => return Ok(false),
            Err(err) => {
                tracing::warn!(lake = %self.options.lake.display(), %err, "old samples cannot be thinned; the oldest files go whole. Check the disk");
            }
        }
        let all: Vec<_> = candidates.iter().map(|candidate| &candidate.file).collect();
        self.evict(&all, wanted)
    }

    /// Gives up the first of these files, of at least `wanted` bytes, or one round of them; false
    /// when there is none.
    fn evict(&self, files: &[&LakeFile], wanted: u64) -> io::Result<bool> {
        let mut doomed = Vec::new();
        let mut bytes = 0;
        for file in files {
            if bytes >= wanted || doomed.len() >= ROUND_MAX {
                break;
            }
            let file = self.look_at((*file).clone())?;
            bytes += file.bytes;
            doomed.push(file);
        }
        let was_stuck = std::mem::replace(&mut self.state().is_stuck, doomed.is_empty());
        if doomed.is_empty() && was_stuck {
            return Ok(false);
        }
        if doomed.is_empty() {
            tracing::error!(
                wanted,
                lake = %self.options.lake.display(),
                "the disk is over its budget and the lake has nothing more to give up; \
                 free the disk of other files"
            );
            return Ok(false);
        }
        self.account_for(doomed.iter().map(Doomed::gap).collect());
        for gone in &doomed {
            self.disk.remove(&gone.file.path)?;
            let mut state = self.state();
            state.counts.evicted += 1;
            state.counts.evicted_bytes += gone.bytes;
            state.held = state.held.map(|held| held.saturating_sub(gone.bytes));
            if gone.file.is_thinned {
                let held = &mut state.thinning.held;
                *held = held.map(|held| held.saturating_sub(gone.bytes));
            }
        }
        tracing::warn!(
            files = doomed.len(),
            bytes,
            "the lake is over its budget: the oldest files were given up, see `_gaps`"
        );
        Ok(true)
    }

    /// B-1: rows of `_gaps` for files that go, durable if the disk allows.
    pub(super) fn account_for(&self, gaps: Vec<Gap>) {
        let next = self.journal.next();
        if self.gaps.offer(&gaps) {
            let _durable = self.journal.wait_past(next, PATIENCE);
            return;
        }
        tracing::error!(gaps = gaps.len(), "the journal has no room for the gaps of files that go");
        let mut state = self.state();
        for gap in gaps {
            widen(&mut state.untold, gap);
        }
    }

    /// Tells the gaps that found no room, if there is room now.
    fn tell_untold(&self) {
        let untold = std::mem::take(&mut self.state().untold);
        if !untold.is_empty() && !self.gaps.offer(&untold) {
            self.state().untold = untold;
        }
    }

    /// The files that may go, in the order in which they go (B-2, B-3).
    pub(super) fn candidates(&self) -> io::Result<Vec<Candidate>> {
        let passed = self.cursor.at();
        let mut candidates = Vec::new();
        for table in lake::tables(&*self.disk, &self.options.lake)? {
            let Some(rank) = rank(&table) else { continue };
            let mut files = lake::files(&*self.disk, &self.options.lake, &table)?;
            files.pop();
            let old = files.into_iter().filter(|file| file.seq < passed);
            candidates.extend(old.map(|file| {
                let is_copied = self.copied.has(&file.name());
                Candidate { file, is_copied, is_sampled: rank == SAMPLES, rank }
            }));
        }
        candidates.sort_by_key(|one| (one.rank, one.is_copied == Some(false), one.file.first));
        Ok(candidates)
    }

    /// Size, rows and last time of a file, from its footer.
    pub(super) fn look_at(&self, file: LakeFile) -> io::Result<Doomed> {
        let mut source = self.disk.open(&file.path)?;
        let bytes = source.seek(SeekFrom::End(0))?;
        let footer = footer(&mut *source, bytes);
        if let Err(err) = &footer {
            tracing::warn!(path = %file.path.display(), %err, "footer cannot be read");
        }
        let footer = footer.ok();
        let rows = footer.as_ref().map(|footer| footer.file_metadata().num_rows());
        let last = footer.as_ref().and_then(last_time);
        Ok(Doomed { file, bytes, rows, last })
    }
}

/// Adds a gap; beyond [`UNTOLD_MAX`] it becomes part of an earlier one of its table. Files of a
/// table go oldest first, so nothing that is still there comes to lie in between.
fn widen(untold: &mut Vec<Gap>, gap: Gap) {
    let is_full = untold.len() >= UNTOLD_MAX;
    match untold.iter_mut().rev().find(|before| is_full && before.table == gap.table) {
        Some(before) => before.end = gap.end,
        None => untold.push(gap),
    }
}

/// Rank of frames as they came.
const RAW: u8 = 0;
/// Rank of what was sampled.
const SAMPLES: u8 = 1;

/// Which tables go first; `None` for those that stay.
fn rank(table: &str) -> Option<u8> {
    match table {
        "_signals" | "_gaps" | "_events" => None,
        raw if raw.starts_with("_can_raw") => Some(RAW),
        other if other.starts_with('_') => Some(2),
        _ => Some(SAMPLES),
    }
}

/// The footer of a Parquet file: the last 8 bytes say how long it is (Parquet format, file
/// format: 4 bytes of length, little endian, then `PAR1`).
pub(super) fn footer(
    source: &mut dyn signals::DiskSource,
    bytes: u64,
) -> io::Result<ParquetMetaData> {
    let foreign = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let tail_at = bytes.checked_sub(8).ok_or_else(|| foreign("shorter than a footer"))?;
    source.seek(SeekFrom::Start(tail_at))?;
    let mut tail = [0; 8];
    source.read_exact(&mut tail)?;
    let [a, b, c, d, magic @ ..] = tail;
    let length = u32::from_le_bytes([a, b, c, d]);
    if &magic != b"PAR1" || length > FOOTER_MAX {
        return Err(foreign("no Parquet footer"));
    }
    let start = tail_at.checked_sub(length.into()).ok_or_else(|| foreign("footer cut off"))?;
    source.seek(SeekFrom::Start(start))?;
    let mut content = vec![0; length as usize];
    source.read_exact(&mut content)?;
    ParquetMetaDataReader::decode_metadata(&content).map_err(io::Error::other)
}

/// The greatest time of the first column, which is `ts`.
fn last_time(footer: &ParquetMetaData) -> Option<Timestamp> {
    let greatest = footer.row_groups().iter().filter_map(|group| {
        let Statistics::Int64(times) = group.columns().first()?.statistics()? else { return None };
        times.max_opt().copied()
    });
    greatest.max().map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests;
