//! Many small files of a table and date → few larger ones, once the date is over.
//!
//! - K-1 Whoever lists a date's folder finds each row in exactly one file, whatever is killed
//!   when: the new files are made beside the lake, and the two folders are exchanged in one step
//!   of the file system.
//! - K-2 The names of a date tell the same greatest journal offset as before.
//! - K-3 One date of one table at a time; one part, a few thousand rows and one encoded row group
//!   in memory; at work a quarter of the time. A row is written again once: what is large
//!   already, or has few beside it, stays as it is.
//! - K-4 A part that is not what was written is set aside, never copied.
//! - K-5 What has been replaced stays beside the lake until the next turn: a reader that is just
//!   listing the folder sees all of its old names.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use signals::{Offset, Stop};

use super::Historian;
use super::merge::{self, Merge, Part};
use super::open::Day;
use crate::lake;

/// Of the time, compaction works one part in so many.
const SHARE: u32 = 4;
/// Work between two rests.
const SLICE: Duration = Duration::from_millis(20);

/// When small files are joined.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Compaction {
    /// Fewer files than this are not worth writing them again.
    pub files_min: usize,
    /// A file of more bytes is no small one.
    pub small_bytes_max: u64,
    /// Bytes of small files, together, that become one.
    pub file_bytes_max: u64,
    /// How long a date's folder must have been left alone.
    pub settled: Duration,
    /// Pause between two turns, and so the least time that replaced files stay.
    pub pause: Duration,
    /// How often the lake is looked through for dates that are over.
    pub look_interval: Duration,
}

impl Default for Compaction {
    fn default() -> Self {
        Self {
            files_min: 4,
            // Larger ones cost the flash more to write again than readers gain by it.
            small_bytes_max: 128 << 10,
            file_bytes_max: 32 << 20,
            settled: Duration::from_secs(60),
            pause: Duration::from_secs(10),
            look_interval: Duration::from_secs(900),
        }
    }
}

/// What became of a date.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    /// Its small files were joined.
    Joined,
    /// There is nothing to join.
    Nothing,
    /// Rows of it come still, or a file was damaged or given up: to be looked at again.
    Busy,
}

/// What compaction knows between its turns.
#[derive(Default)]
struct Work {
    /// Dates to be looked at.
    days: VecDeque<Day>,
    /// Dates with nothing to do, as long as they are sealed up to there.
    done: HashMap<Day, Offset>,
    looked: Option<Instant>,
    /// The exchange is not to be had on this file system: said once.
    is_unsupported: bool,
}

/// Where new files are made and old ones are kept for a while.
pub(super) fn beside(lake: &Path) -> PathBuf {
    let mut name = lake.file_name().unwrap_or_default().to_owned();
    name.push(".compacting");
    lake.with_file_name(name)
}

/// Ends work when it is to stop, and slows it down.
pub(super) struct Pace<'a> {
    stop: &'a Stop,
    /// Since the last rest; `None` at full speed.
    since: Option<Instant>,
}

impl<'a> Pace<'a> {
    fn slow(stop: &'a Stop) -> Self {
        Self { stop, since: Some(Instant::now()) }
    }

    pub(super) const fn full(stop: &'a Stop) -> Self {
        Self { stop, since: None }
    }

    /// Between two pieces of work.
    ///
    /// # Errors
    /// [`io::ErrorKind::Interrupted`] after the stop.
    pub(super) fn step(&mut self) -> io::Result<()> {
        if let Some(since) = &mut self.since {
            let worked = since.elapsed();
            if worked >= SLICE {
                let _stopped = self.stop.wait(worked * (SHARE - 1));
                *since = Instant::now();
            }
        }
        if self.stop.is_raised() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }
}

impl Historian {
    /// Compacts until `stop`.
    pub(super) fn compact_while(&self, stop: &Stop) {
        let mut work = Work::default();
        while !stop.wait(self.options.compaction.pause) && !work.is_unsupported {
            self.compaction_turn(&mut work, stop);
        }
    }

    /// Compacts every date that is over, at full speed; how many were. A gateway does so by
    /// itself, slowly: this is for measurements and tests.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn compact(&self, stop: &Stop) -> io::Result<usize> {
        let (mut done, mut pace) = (0, Pace::full(stop));
        for (day, _) in self.days_over() {
            done += usize::from(self.compact_day(&day, &mut pace)? == Outcome::Joined);
        }
        self.disk.remove_folder(&beside(&self.options.lake))?;
        Ok(done)
    }

    /// Compacts one date, if there is one to be.
    fn compaction_turn(&self, work: &mut Work, stop: &Stop) {
        // K-5: what the turn before has replaced.
        if let Err(err) = self.disk.remove_folder(&beside(&self.options.lake)) {
            tracing::warn!(lake = %self.options.lake.display(), %err, "compaction: files that were joined cannot be removed; trying again. Check the disk");
            return;
        }
        let interval = self.options.compaction.look_interval;
        if work.days.is_empty() && work.looked.is_none_or(|looked| looked.elapsed() >= interval) {
            work.looked = Some(Instant::now());
            let over = self.days_over();
            let is_new = |(day, seq): &(Day, Offset)| work.done.get(day) != Some(seq);
            work.days = over.into_iter().filter(is_new).map(|(day, _)| day).collect();
        }
        let mut pace = Pace::slow(stop);
        while let Some(day) = work.days.pop_front() {
            let sealed = self.state().sealed.get(&day).copied();
            match self.compact_day(&day, &mut pace) {
                Ok(outcome) => {
                    if let Some(sealed) = sealed.filter(|_| outcome != Outcome::Busy) {
                        work.done.insert(day, sealed);
                    }
                    if outcome == Outcome::Joined {
                        return;
                    }
                }
                Err(err) if err.kind() == io::ErrorKind::Interrupted => return,
                Err(err) if is_unsupported(&err) => {
                    work.is_unsupported = true;
                    tracing::warn!(lake = %self.options.lake.display(), %err, "compaction: this file system cannot exchange folders; small files stay. Put the data on ext4, xfs, btrfs or f2fs");
                    return;
                }
                Err(err) => {
                    let (table, date) = &day;
                    tracing::warn!(table, date, %err, "compaction: the files of this date stay as they are; trying again. Check the disk");
                    return;
                }
            }
        }
    }

    /// The tables and dates that have ended, by the newest row read, and up to where they are
    /// sealed.
    fn days_over(&self) -> Vec<(Day, Offset)> {
        let state = self.state();
        let Some(today) = state.newest.map(signals::Timestamp::date) else { return Vec::new() };
        let over = state.sealed.iter().filter(|((_, date), _)| *date < today);
        let mut days: Vec<_> = over.map(|(day, seq)| (day.clone(), *seq)).collect();
        drop(state);
        days.sort();
        days
    }

    fn compact_day(&self, day: &Day, pace: &mut Pace<'_>) -> io::Result<Outcome> {
        pace.step()?;
        if !self.is_settled(day) {
            return Ok(Outcome::Busy);
        }
        let (table, date) = day;
        let folder = self.options.lake.join(table).join(format!("date={date}"));
        let listed = lake::files_of_date(&*self.disk, &folder, table)?;
        if listed.len() < self.options.compaction.files_min {
            return Ok(Outcome::Nothing);
        }
        let mut parts = Vec::with_capacity(listed.len());
        for file in listed {
            match Part::of(&*self.disk, &file) {
                Ok(part) => parts.push(part),
                Err(err) => return self.give_up(&file, err),
            }
            pace.step()?;
        }
        let runs = runs(&parts, &self.options.compaction);
        if !runs.iter().any(|run| self.is_worth_it(run)) {
            return Ok(Outcome::Nothing);
        }
        if !self.has_room(&runs)? {
            return Ok(Outcome::Busy);
        }
        let made = beside(&self.options.lake).join(table).join(format!("date={date}"));
        self.disk.remove_folder(&made)?;
        let (mut bytes, mut replaced, mut files) = (0, 0, 0);
        for run in runs {
            if !self.is_worth_it(run) {
                for part in run {
                    let name = part.file.path.file_name().unwrap_or_default();
                    self.disk.link(&part.file.path, &made.join(name))?;
                }
                continue;
            }
            match self.join(&made, run, pace) {
                Ok(written) => bytes += written,
                Err(merge::Failed { part: Some(part), err }) => return self.give_up(&part, err),
                Err(merge::Failed { part: None, err }) => return Err(err),
            }
            replaced += run.iter().map(|part| part.bytes).sum::<u64>();
            files += run.len() as u64;
        }
        if !self.put_in_place(day, (&folder, &made), &parts)? {
            self.disk.remove_folder(&made)?;
            return Ok(Outcome::Busy);
        }
        let mut state = self.state();
        state.counts.compacted += files;
        state.counts.compaction_bytes += bytes;
        state.held = state.held.map(|held| (held + bytes).saturating_sub(replaced));
        drop(state);
        tracing::info!(table, date, files, replaced, bytes, "compaction: small files joined");
        Ok(Outcome::Joined)
    }

    /// Whether the new files fit beside the old ones without touching what is kept free.
    fn has_room(&self, runs: &[&[Part]]) -> io::Result<bool> {
        let joined = runs.iter().filter(|run| self.is_worth_it(run));
        let bytes: u64 = joined.flat_map(|run| run.iter()).map(|part| part.bytes).sum();
        let free = self.disk.room(&self.options.lake)?.free;
        Ok(free >= self.options.budget.free_min.saturating_add(bytes))
    }

    fn is_worth_it(&self, run: &[Part]) -> bool {
        run.len() >= self.options.compaction.files_min
    }

    /// Writes the rows of a run as one file below `made`; its bytes.
    fn join(&self, made: &Path, run: &[Part], pace: &mut Pace<'_>) -> Result<u64, merge::Failed> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(0) };
        let path = lake::path_of(made, &first.file.table, first.file.first, last.file.seq);
        let path = made.join(path.file_name().unwrap_or_default());
        let (disk, profile) = (&*self.disk, self.options.profile);
        let merge = Merge { disk, profile, parts: run, sieve: None };
        let (_, bytes) = merge.write(&path, pace)?;
        Ok(bytes)
    }

    /// A file that could not be read: one that is gone was given up meanwhile, another one is set
    /// aside (K-4) unless only the disk failed.
    fn give_up(&self, file: &lake::LakeFile, err: io::Error) -> io::Result<Outcome> {
        use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
        if matches!(err.kind(), InvalidData | UnexpectedEof) {
            self.set_aside(file, &err);
        } else if err.kind() != NotFound {
            return Err(err);
        }
        Ok(Outcome::Busy)
    }

    /// Exchanges the folders, if the lake's is still what it was.
    fn put_in_place(
        &self,
        day: &Day,
        (folder, made): (&Path, &Path),
        parts: &[Part],
    ) -> io::Result<bool> {
        let _alone = self.files();
        let now = lake::files_of_date(&*self.disk, folder, &day.0)?;
        if !self.is_settled(day) || !now.iter().eq(parts.iter().map(|part| &part.file)) {
            return Ok(false);
        }
        self.disk.exchange(folder, made)?;
        Ok(true)
    }

    /// Whether no row of a date waits or has come lately.
    fn is_settled(&self, day: &Day) -> bool {
        let settled = self.options.compaction.settled;
        let state = self.state();
        let is_quiet = state.sealed_at.get(day).is_none_or(|at| at.elapsed() >= settled);
        is_quiet && !state.open.contains_key(day)
    }

    /// Held by whoever changes which files there are.
    pub(super) fn files(&self) -> MutexGuard<'_, ()> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn is_unsupported(err: &io::Error) -> bool {
    matches!(
        err.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::CrossesDevices | io::ErrorKind::InvalidInput
    )
}

/// Files that follow each other in the journal and can be one. Large ones are alone, and so are
/// those that are thinned: each is of one go, which is what is known of it elsewhere.
fn runs<'a>(parts: &'a [Part], bounds: &Compaction) -> Vec<&'a [Part]> {
    let mut runs = Vec::new();
    let mut rest = parts;
    while let Some(first) = rest.first() {
        let mut bytes = 0;
        let fits = |part: &&Part| {
            bytes += part.bytes;
            part.bytes <= bounds.small_bytes_max
                && !part.file.is_thinned
                && part.is_like(first)
                && bytes <= bounds.file_bytes_max
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (run, after) = rest.split_at(count);
        runs.push(run);
        rest = after;
    }
    runs
}

#[cfg(test)]
mod tests;
