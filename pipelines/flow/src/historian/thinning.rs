//! Old samples → one a minute, before any of them go altogether.
//!
//! - T-1 What is left are samples as they were taken: of every interval the first of each sender.
//! - T-2 The row of `_gaps` that accounts for the others is in the journal before they go (B-1).
//! - T-3 Whoever lists a date's folder finds either the old files or the thinned one, whatever is
//!   killed when (as K-1).
//! - T-4 What a copy elsewhere has whole and what it has not never come into one file.
//! - T-5 Thinned files have a quarter of the lake's room at most. Above that the oldest of them go:
//!   else all that was sampled before the last hour would be thinned one day.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampMicrosecondType, UInt8Type};
use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use parquet::file::metadata::KeyValue;
use signals::{Disk, Gap, Stop, table};

use super::Historian;
use super::budget::{Candidate, Doomed};
use super::compaction::{Pace, is_unsupported};
use super::merge::{Failed, Merge, Part};
use crate::gap_log::THINNED;
use crate::lake::{self, LakeFile};

/// Files that become one at most, and their bytes: so long is nothing else sealed.
const RUN_FILES_MAX: usize = 96;
const RUN_BYTES_MAX: u64 = 64 << 20;
/// With fewer rows than this an interval there is nothing to be won.
const ROWS_WORTH: i64 = 4;
/// Of the lake's room, thinned files have one part in so many.
const SHARE: u64 = 4;
/// Files that are remembered as not to be thinned; beyond, all are tried once more.
const WHOLE_MAX: usize = 65_536;

/// What thinning knows between its turns.
#[derive(Default)]
pub(super) struct Thinning {
    /// Files that stay whole: there is nothing to be won, or they cannot be read.
    whole: HashSet<PathBuf>,
    /// Bytes of thinned files; `None` until they have been counted.
    pub(super) held: Option<u64>,
    /// The exchange is not to be had on this file system: said once.
    is_unsupported: bool,
}

/// Lets the first row of every interval pass, of each sender.
pub(super) struct Sieve {
    interval: Duration,
    interval_us: i64,
    /// By sender, the interval of the last row that has passed.
    passed: HashMap<u8, i64>,
}

impl Sieve {
    pub(super) fn new(interval: Duration) -> Self {
        let interval_us = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX).max(1);
        Self { interval, interval_us, passed: HashMap::new() }
    }

    /// What the file says of it.
    pub(super) fn note(&self) -> KeyValue {
        let interval = format!("first row of every {}", seconds(self.interval));
        KeyValue::new("fieldgate.thinned".to_owned(), interval)
    }

    /// The rows that stay.
    ///
    /// # Errors
    /// Rows without a time.
    pub(super) fn pass(&mut self, rows: &RecordBatch) -> io::Result<RecordBatch> {
        let times = rows.column_by_name(table::TS);
        let times = times.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        let times = times.ok_or_else(|| io::Error::other("rows without a time"))?;
        let senders = rows.column_by_name(table::SA);
        let senders = senders.and_then(|column| column.as_primitive_opt::<UInt8Type>());
        let stays = times.values().iter().enumerate().map(|(row, micros)| {
            let sender = senders.map_or(0, |senders| senders.value(row));
            let interval = micros.div_euclid(self.interval_us);
            self.passed.insert(sender, interval) != Some(interval)
        });
        let stays: BooleanArray = stays.map(Some).collect();
        filter_record_batch(rows, &stays).map_err(io::Error::other)
    }
}

fn seconds(interval: Duration) -> String {
    format!("{} s", interval.as_secs_f64())
}

/// Where thinned files are made.
pub(super) fn beside(lake: &Path) -> PathBuf {
    let mut name = lake.file_name().unwrap_or_default().to_owned();
    name.push(".thinning");
    lake.with_file_name(name)
}

/// Files that follow each other in the journal, to become one.
struct Run {
    parts: Vec<Part>,
    doomed: Vec<Doomed>,
}

impl Run {
    fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    fn gap(&self, kept: i64, interval: Duration) -> Option<Gap> {
        let first = self.parts.first()?;
        let rows: i64 = self.parts.iter().map(|part| part.rows).sum();
        Some(Gap {
            table: first.file.table.clone(),
            start: self.parts.iter().map(|part| part.file.first).min(),
            end: self.doomed.iter().filter_map(|file| file.last).max(),
            cause: THINNED,
            detail: format!(
                "{} of {rows} rows given up to keep the lake within its budget; the first of \
                 every {} stays",
                rows - kept,
                seconds(interval)
            ),
        })
    }
}

impl Historian {
    /// Whether thinned files have all the room that is theirs.
    pub(super) fn is_thin_enough(&self, candidates: &[Candidate]) -> io::Result<bool> {
        let known = self.state().thinning.held;
        let held = match known {
            Some(held) => held,
            None => self.count_thinned(candidates)?,
        };
        let room = match self.options.budget.bytes_max {
            Some(bytes_max) => bytes_max,
            None => self.disk.room(&self.options.lake)?.total,
        };
        Ok(held > room / SHARE)
    }

    fn count_thinned(&self, candidates: &[Candidate]) -> io::Result<u64> {
        let mut held = 0;
        for thinned in candidates.iter().filter(|candidate| candidate.file.is_thinned) {
            held += self.disk.open(&thinned.file.path)?.seek(io::SeekFrom::End(0))?;
        }
        self.state().thinning.held = Some(held);
        Ok(held)
    }

    /// Thins the first of these that can be, together with those that follow it until so many bytes
    /// are `wanted` no longer; false when there is none.
    ///
    /// # Errors
    /// What the operating system says; [`io::ErrorKind::Interrupted`] after the stop.
    pub(super) fn thin(
        &self,
        candidates: &[Candidate],
        wanted: u64,
        stop: &Stop,
    ) -> io::Result<bool> {
        let Some(interval) = self.options.thin_interval else { return Ok(false) };
        for candidate in candidates {
            let is_out = {
                let state = self.state();
                state.thinning.is_unsupported || state.thinning.whole.contains(&candidate.file.path)
            };
            if is_out || !candidate.is_sampled || candidate.file.is_thinned {
                continue;
            }
            let run = self.run_from(candidate, candidates, (interval, wanted))?;
            if run.parts.is_empty() {
                self.leave_whole([&candidate.file]);
                continue;
            }
            match self.thin_run(&run, interval, stop) {
                Ok(true) => return Ok(true),
                Ok(false) => self.leave_whole(run.parts.iter().map(|part| &part.file)),
                Err(Failed { part: Some(part), err })
                    if err.kind() != io::ErrorKind::Interrupted =>
                {
                    tracing::warn!(path = %part.path.display(), %err, "thinning: this file cannot be read; it stays as it is until its turn to go comes");
                    self.leave_whole([&part]);
                }
                Err(Failed { err, .. }) if is_unsupported(&err) => {
                    self.state().thinning.is_unsupported = true;
                    tracing::warn!(lake = %self.options.lake.display(), %err, "thinning: this file system cannot exchange folders; the oldest files go whole. Put the data on ext4, xfs, btrfs or f2fs");
                }
                Err(Failed { err, .. }) => return Err(err),
            }
        }
        Ok(false)
    }

    /// The file and those behind it that can be thinned with it: of its date, in the order of the
    /// journal without another one in between, and alike.
    fn run_from(
        &self,
        first: &Candidate,
        candidates: &[Candidate],
        (interval, wanted): (Duration, u64),
    ) -> io::Result<Run> {
        let may_go: HashMap<&Path, &Candidate> = candidates
            .iter()
            .filter(|other| other.file.table == first.file.table && !other.file.is_thinned)
            .map(|other| (other.file.path.as_path(), other))
            .collect();
        let folder = folder_of(&first.file);
        let listed = lake::files_of_date(&*self.disk, folder, &first.file.table)?;
        let from = listed.iter().skip_while(|file| file.path != first.file.path);
        let bytes_max = wanted.min(RUN_BYTES_MAX);
        let (mut run, mut bytes) = (Run { parts: Vec::new(), doomed: Vec::new() }, 0);
        for file in from {
            // T-4: one whose copy may just be under way goes alone.
            let is_alone = first.is_copied == Some(false) && !run.parts.is_empty();
            let same = may_go.get(file.path.as_path());
            let same = same.is_some_and(|other| other.is_copied == first.is_copied);
            if !same || is_alone || run.parts.len() >= RUN_FILES_MAX || bytes >= bytes_max {
                break;
            }
            let Ok(part) = Part::of(&*self.disk, file) else { break };
            let doomed = self.look_at(file.clone())?;
            let is_like = run.parts.first().is_none_or(|first| part.is_like(first));
            if !is_like || !is_worth_it(&part, &doomed, interval) {
                break;
            }
            bytes += part.bytes;
            run.parts.push(part);
            run.doomed.push(doomed);
        }
        Ok(run)
    }

    /// Makes one file of a run; false when nothing would be won.
    fn thin_run(&self, run: &Run, interval: Duration, stop: &Stop) -> Result<bool, Failed> {
        let Some((first, last)) = run.parts.first().zip(run.parts.last()) else { return Ok(false) };
        // What is written is a small part of it: the reserve is for such.
        if self.disk.room(&self.options.lake)?.free < run.bytes() / 2 {
            return Ok(false);
        }
        let folder = folder_of(&first.file);
        let made = beside(&self.options.lake).join(&first.file.table);
        let made = made.join(folder.file_name().unwrap_or_default());
        self.disk.remove_folder(&made)?;
        let path = made.join(lake::thinned_name(first.file.first, last.file.seq));
        let (disk, profile) = (&*self.disk, self.options.profile);
        let sieve = Some(Sieve::new(interval));
        let merge = Merge { disk, profile, parts: &run.parts, sieve };
        let (kept, bytes) = merge.write(&path, &mut Pace::full(stop))?;
        let freed = run.bytes().saturating_sub(bytes);
        if freed < run.bytes() / 2 {
            self.disk.remove_folder(&made)?;
            return Ok(false);
        }
        let goes: HashSet<&Path> = run.parts.iter().map(|part| part.file.path.as_path()).collect();
        link_others(disk, (folder, &made), &goes)?;
        // T-2.
        self.account_for(run.gap(kept, interval).into_iter().collect());
        // T-3. Only this thread and compaction change the folder, and that holds `files`.
        self.disk.exchange(folder, &made)?;
        self.disk.remove_folder(&made)?;
        let mut state = self.state();
        state.counts.thinned += run.parts.len() as u64;
        state.counts.thinned_bytes += freed;
        state.held = state.held.map(|held| held.saturating_sub(freed));
        state.thinning.held = state.thinning.held.map(|held| held + bytes);
        drop(state);
        let (table, date) = (&first.file.table, &first.file.date);
        tracing::warn!(
            table,
            date,
            files = run.parts.len(),
            freed,
            "the lake is over its budget: old samples were thinned, see `_gaps`"
        );
        Ok(true)
    }

    fn leave_whole<'a>(&self, files: impl IntoIterator<Item = &'a LakeFile>) {
        let mut state = self.state();
        if state.thinning.whole.len() >= WHOLE_MAX {
            state.thinning.whole.clear();
        }
        state.thinning.whole.extend(files.into_iter().map(|file| file.path.clone()));
    }
}

fn folder_of(file: &LakeFile) -> &Path {
    file.path.parent().unwrap_or(Path::new("."))
}

/// Whether a file has so many rows that most can go. What has many senders is thinned all the same
/// and shows then.
fn is_worth_it(part: &Part, doomed: &Doomed, interval: Duration) -> bool {
    let Some(last) = doomed.last else { return false };
    let span = last.since(part.file.first).as_micros();
    let intervals = span / interval.as_micros().max(1) + 1;
    u128::try_from(part.rows / ROWS_WORTH).is_ok_and(|rows| rows >= intervals)
}

/// Gives the new folder all names of the old one but those that go.
fn link_others(
    disk: &dyn Disk,
    (folder, made): (&Path, &Path),
    goes: &HashSet<&Path>,
) -> io::Result<()> {
    for path in disk.list(folder)? {
        let name = path.file_name().unwrap_or_default();
        // What a writer that was killed has left unfinished is in the journal.
        let is_hidden = name.to_string_lossy().starts_with('.');
        if !goes.contains(path.as_path()) && !is_hidden {
            disk.link(&path, &made.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
