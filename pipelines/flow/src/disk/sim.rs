//! A disk in memory that forgets what was not synced: the simulated twin of the real one.
//!
//! - S-1 What a sync that succeeded has covered survives every power cut, byte for byte.
//! - S-2 What was written since survives in any part: none, a prefix, scattered blocks, torn
//!   blocks, flipped bits.
//! - S-3 After a sync that failed, what it should have covered reads well until the power is cut,
//!   whatever later syncs say: the kernel has dropped the pages.
//! - S-4 New and changed names are durable at once, as the port promises; removed files may be
//!   back after a power cut, the last removed first: file systems keep the order of such changes.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signals::disk::Room;
use signals::{Disk, DiskFile, DiskSource};

mod content;
mod dice;
mod faults;

use content::Content;
pub use content::Tear;
pub use dice::Dice;
pub use faults::Faults;

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, Content>,
    /// Removed since their folder was last synced.
    removed: Vec<(PathBuf, Content)>,
    bytes_max: Option<usize>,
    faults: Faults,
    dice: Dice,
    is_off: bool,
    syncs: u64,
    operations: u64,
}

/// A disk in memory. Clones share the files.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    /// An empty disk without a limit.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the power: what was not synced suffers `tear`, file by file in path order.
    pub fn crash(&self, mut tear: impl FnMut(&Path) -> Tear) {
        let mut state = self.state();
        for (path, content) in &mut state.files {
            content.crash(tear(path));
        }
        state.is_off = false;
        state.removed.clear();
    }

    /// Cuts the power: what was not synced, and what was removed, suffers as the dice say.
    pub fn crash_at_random(&self, dice: &mut Dice) {
        let mut state = self.state();
        let removed = std::mem::take(&mut state.removed);
        let gone = dice.index(removed.len() + 1);
        for (path, content) in removed.into_iter().skip(gone) {
            state.files.entry(path).or_insert(content);
        }
        for content in state.files.values_mut() {
            content.crash_at_random(dice);
        }
        state.is_off = false;
        state.faults = Faults::default();
    }

    /// The process is killed: what is written stays readable, synced or not.
    pub fn kill(&self) {
        let mut state = self.state();
        state.is_off = false;
        state.faults = Faults::default();
    }

    /// What goes wrong from now on, where the dice of `seed` say so.
    pub fn set_faults(&self, faults: Faults, seed: u64) {
        let mut state = self.state();
        state.faults = faults;
        state.dice = Dice::new(seed);
    }

    /// Whether the cut that [`Faults`] announced has happened: nothing works any more.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.state().is_off
    }

    /// Operations that changed something, or would have.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Limits the disk: writes beyond fail as on a full disk. `None` lifts the limit.
    pub fn limit(&self, bytes_max: Option<usize>) {
        self.state().bytes_max = bytes_max;
    }

    /// Makes every sync fail, or work again.
    pub fn fail_syncs(&self, fail: bool) {
        self.state().faults.syncs_fail = fail;
    }

    /// Successful syncs so far.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Changes the bytes of a file behind everybody's back.
    pub fn corrupt(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(content) = self.state().files.get_mut(path) {
            content.replace(change);
        }
    }

    /// Paths of all files.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.state().files.keys().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an operation ends.
enum Fate {
    /// As it should.
    Well,
    /// The power goes while it is under way: what it has done by then nobody knows.
    Cut,
}

impl State {
    /// Counts an operation and says how it ends.
    fn begin(&mut self) -> io::Result<Fate> {
        if self.is_off {
            return Err(io::Error::other("simulated: the power is off"));
        }
        self.operations += 1;
        match &mut self.faults.operations_until_cut {
            None => Ok(Fate::Well),
            Some(0) => {
                self.is_off = true;
                Ok(Fate::Cut)
            }
            Some(left) => {
                *left -= 1;
                Ok(Fate::Well)
            }
        }
    }

    fn is_unlucky(&mut self, permille: u32) -> bool {
        permille > 0 && self.dice.below(1_000) < u64::from(permille)
    }

    fn used(&self) -> usize {
        self.files.values().map(Content::len).sum()
    }

    /// Whether an operation that the power cut interrupts is done all the same.
    fn is_done_before(&mut self, fate: &Fate) -> bool {
        match fate {
            Fate::Well => true,
            Fate::Cut => self.dice.below(2) == 0,
        }
    }
}

fn cut() -> io::Error {
    io::Error::other("simulated: the power was cut")
}

struct SimFile {
    disk: SimDisk,
    path: PathBuf,
}

impl Write for SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        let fate = state.begin()?;
        let room = state.bytes_max.map_or(usize::MAX, |max| max.saturating_sub(state.used()));
        if room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let permille = state.faults.writes_fail_permille;
        let fails = state.is_unlucky(permille) || matches!(fate, Fate::Cut);
        let mut taken = room.min(bytes.len());
        if fails {
            taken = state.dice.index(taken + 1);
        }
        let content = state.files.get_mut(&self.path).ok_or(io::ErrorKind::NotFound)?;
        content.write(bytes.get(..taken).unwrap_or(bytes));
        if fails {
            return Err(io::Error::other("simulated failure of a write"));
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        let fate = state.begin()?;
        if state.faults.syncs_do_nothing {
            return Ok(());
        }
        let permille = state.faults.syncs_fail_permille;
        let fails = state.faults.syncs_fail || state.is_unlucky(permille);
        let done = !fails && state.is_done_before(&fate);
        let mut dice = state.dice.fork();
        let content = state.files.get_mut(&self.path).ok_or(io::ErrorKind::NotFound)?;
        if done {
            content.sync();
        } else if fails {
            content.fail_to_sync(&mut dice);
        }
        match fate {
            Fate::Cut => Err(cut()),
            Fate::Well if fails => Err(io::Error::other("simulated failure of a sync")),
            Fate::Well => {
                state.syncs += 1;
                Ok(())
            }
        }
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut state = self.disk.state();
        let fate = state.begin()?;
        let done = state.is_done_before(&fate);
        let content = state.files.get_mut(&self.path).ok_or(io::ErrorKind::NotFound)?;
        if done {
            content.truncate(bytes);
        }
        if matches!(fate, Fate::Cut) { Err(cut()) } else { Ok(()) }
    }

    fn bytes(&self) -> io::Result<u64> {
        let state = self.disk.state();
        let content = state.files.get(&self.path).ok_or(io::ErrorKind::NotFound)?;
        Ok(content.len() as u64)
    }
}

impl Disk for SimDisk {
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        if !state.files.contains_key(path) {
            let fate = state.begin()?;
            if state.is_done_before(&fate) {
                state.files.insert(path.to_owned(), Content::default());
                state.removed.retain(|(gone, _)| gone.parent() != path.parent());
            }
            if matches!(fate, Fate::Cut) {
                return Err(cut());
            }
        }
        Ok(Box::new(SimFile { disk: self.clone(), path: path.to_owned() }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskSource>> {
        let state = self.state();
        let content = state.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(content.bytes().to_vec())))
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fate = state.begin()?;
        if state.is_done_before(&fate) {
            let content = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
            state.files.insert(to.to_owned(), content);
            state.removed.retain(|(gone, _)| gone.parent() != to.parent());
        }
        if matches!(fate, Fate::Cut) { Err(cut()) } else { Ok(()) }
    }

    /// Files and folders, as folders are made with the files in them.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.state();
        let entry = |path: &PathBuf| {
            let first = path.strip_prefix(folder).ok()?.components().next()?;
            Some(folder.join(first))
        };
        let mut entries: Vec<PathBuf> = state.files.keys().filter_map(entry).collect();
        entries.dedup();
        Ok(entries)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.files.contains_key(path) {
            return Ok(());
        }
        let fate = state.begin()?;
        if state.is_done_before(&fate)
            && let Some(content) = state.files.remove(path)
        {
            state.removed.push((path.to_owned(), content));
        }
        if matches!(fate, Fate::Cut) { Err(cut()) } else { Ok(()) }
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fate = state.begin()?;
        if state.is_done_before(&fate) {
            // A copy: files with two names are never written again.
            let content = state.files.get(from).ok_or(io::ErrorKind::NotFound)?.clone();
            state.files.insert(to.to_owned(), content);
        }
        if matches!(fate, Fate::Cut) { Err(cut()) } else { Ok(()) }
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fate = state.begin()?;
        if state.is_done_before(&fate) {
            let is_there = |folder| state.files.keys().any(|path| path.starts_with(folder));
            if !is_there(one) || !is_there(other) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let elsewhere = |path: PathBuf| match (path.strip_prefix(one), path.strip_prefix(other))
            {
                (Ok(name), _) => other.join(name),
                (_, Ok(name)) => one.join(name),
                (Err(_), Err(_)) => path,
            };
            let files = std::mem::take(&mut state.files);
            state.files =
                files.into_iter().map(|(path, content)| (elsewhere(path), content)).collect();
            // Both folders were synced: what was removed from them before is gone.
            state.removed.retain(|(gone, _)| !gone.starts_with(one) && !gone.starts_with(other));
        }
        if matches!(fate, Fate::Cut) { Err(cut()) } else { Ok(()) }
    }

    /// File by file, as the real one does.
    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        let within = |path: &PathBuf| path.starts_with(folder);
        let doomed: Vec<PathBuf> = self.paths().into_iter().filter(within).collect();
        doomed.iter().try_for_each(|path| self.remove(path))
    }

    fn room(&self, _folder: &Path) -> io::Result<Room> {
        let state = self.state();
        let total = state.bytes_max.map_or(u64::MAX, |max| max as u64);
        Ok(Room { free: total.saturating_sub(state.used() as u64), total })
    }
}

#[cfg(test)]
mod tests;
