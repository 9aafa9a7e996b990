//! Looks through the lake for files that a disk has damaged, and sets them aside.
//!
//! One damaged file makes readers refuse the whole table, or read a wrong value as a good one.
//!
//! - C-1 A file whose content is not what was written is moved out of the lake and has its row of
//!   `_gaps`. It stays there for whoever can save something of it, until the volume has no room for
//!   what is sound.
//! - C-2 The lake is looked through once after each start, newest files first, in slices: samples
//!   never wait for it.

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use signals::{Disk, DiskSource, Gap};

use super::budget::footer;
use super::{Historian, checksum};
use crate::gap_log::DAMAGE;
use crate::lake::{self, LakeFile};

/// Time of a slice; there are two a second.
const SLICE: Duration = Duration::from_millis(25);

/// What of the lake has not been looked at yet.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    tables: Vec<String>,
    /// Of the table at hand, oldest first: they are taken from the end.
    files: Vec<LakeFile>,
}

impl Scrub {
    /// All of it.
    pub(super) fn of(tables: Vec<String>) -> Self {
        Self { tables, files: Vec::new() }
    }
}

impl Historian {
    /// Looks at files for a slice of time; true when there are more.
    pub(super) fn scrub(&self, scrub: &mut Scrub) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < SLICE {
            let Some(file) = scrub.files.pop() else {
                let Some(table) = scrub.tables.pop() else { return false };
                // A folder that cannot be listed now is looked at after the next start.
                scrub.files =
                    lake::files(&*self.disk, &self.options.lake, &table).unwrap_or_default();
                continue;
            };
            match verify(&*self.disk, &file.path) {
                Ok(()) => {}
                // Joined to others or given up meanwhile.
                Err(err) if err.kind() == io::ErrorKind::NotFound => {}
                Err(err) => self.set_aside(&file, &err),
            }
        }
        true
    }

    pub(super) fn set_aside(&self, file: &LakeFile, err: &io::Error) {
        let _alone = self.files();
        if self.disk.open(&file.path).is_err_and(|err| err.kind() == io::ErrorKind::NotFound) {
            return;
        }
        let aside = aside(&self.options.lake, &file.path);
        let about = self.look_at(file.clone());
        let (bytes, end) = about.map_or((0, None), |about| (about.bytes, about.last));
        tracing::error!(
            path = %file.path.display(), %err, aside = %aside.display(),
            "a file of the lake is damaged and is set aside; check the disk"
        );
        let detail = format!("a file is damaged ({err}) and is set aside at {}", aside.display());
        let gap =
            Gap { table: file.table.clone(), start: Some(file.first), end, cause: DAMAGE, detail };
        self.account_for(vec![gap]);
        match self.disk.publish(&file.path, &aside) {
            Ok(()) => {
                let mut state = self.state();
                state.counts.damaged += 1;
                state.held = state.held.map(|held| held.saturating_sub(bytes));
            }
            Err(err) => {
                tracing::error!(path = %file.path.display(), %err, "the file cannot be set aside");
            }
        }
    }

    /// Removes files that were set aside, the oldest first, while the volume has less than
    /// `free_min` free: nothing that is sound goes before them.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn clear_aside(&self, free_min: u64) -> io::Result<()> {
        let folder = folder_aside(&self.options.lake);
        let is_short = || self.disk.room(&self.options.lake).map(|room| room.free < free_min);
        if !is_short()? {
            return Ok(());
        }
        let mut files = Vec::new();
        for table in lake::tables(&*self.disk, &folder)? {
            files.extend(lake::files(&*self.disk, &folder, &table)?);
        }
        files.sort_by_key(|file| file.first);
        for file in files {
            if !is_short()? {
                break;
            }
            self.disk.remove(&file.path)?;
            self.state().counts.damaged_removed += 1;
            tracing::warn!(path = %file.path.display(), "the volume has no room: a damaged file that had been set aside is removed");
        }
        Ok(())
    }
}

/// Where damaged files are, beside the lake.
fn folder_aside(lake: &Path) -> PathBuf {
    lake.with_file_name("damaged")
}

/// Where a damaged file goes: the same folders, beside the lake.
fn aside(lake: &Path, path: &Path) -> PathBuf {
    let within = path.strip_prefix(lake).unwrap_or(path);
    folder_aside(lake).join(within)
}

/// Reads a file to see whether it is what was written.
///
/// # Errors
/// What is wrong with it.
fn verify(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    verify_source(&mut *disk.open(path)?)
}

/// As [`verify`], of what has been opened.
///
/// # Errors
/// What is wrong with it.
pub(super) fn verify_source(source: &mut dyn DiskSource) -> io::Result<()> {
    let bytes = source.seek(SeekFrom::End(0))?;
    let _opens = footer(source, bytes)?;
    checksum::verify(source, bytes)
}

#[cfg(test)]
mod tests;
