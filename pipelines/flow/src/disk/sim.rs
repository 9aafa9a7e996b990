//! A disk in memory that forgets what was not synced: the simulated twin of the real one.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signals::disk::Room;
use signals::{Disk, DiskFile, DiskSource};

/// What a crash does to the bytes of a file that were written but not synced.
#[derive(Clone, Copy, Debug)]
pub enum Tear {
    /// All of them are gone.
    Lost,
    /// The first so many survive, at most as many as there are.
    Prefix(usize),
    /// As many survive as were written, but the last ones are zeros: the size reached the disk
    /// before the content did. The number is how many are right.
    Zeroed(usize),
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: usize,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, Content>,
    bytes_max: Option<usize>,
    syncs_fail: bool,
    syncs: u64,
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
        for (path, content) in &mut self.state().files {
            let unsynced = content.bytes.len() - content.synced;
            let keep = match tear(path) {
                Tear::Lost => 0,
                Tear::Prefix(keep) => keep.min(unsynced),
                Tear::Zeroed(right) => {
                    let right = content.synced + right.min(unsynced);
                    content.bytes.iter_mut().skip(right).for_each(|byte| *byte = 0);
                    unsynced
                }
            };
            content.bytes.truncate(content.synced + keep);
            content.synced = content.bytes.len();
        }
    }

    /// Limits the disk: writes beyond fail as on a full disk. `None` lifts the limit.
    pub fn limit(&self, bytes_max: Option<usize>) {
        self.state().bytes_max = bytes_max;
    }

    /// Makes every sync fail, or work again.
    pub fn fail_syncs(&self, fail: bool) {
        self.state().syncs_fail = fail;
    }

    /// Successful syncs so far.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Changes the bytes of a file behind everybody's back.
    pub fn corrupt(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(content) = self.state().files.get_mut(path) {
            change(&mut content.bytes);
            content.synced = content.bytes.len();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct SimFile {
    disk: SimDisk,
    path: PathBuf,
}

impl SimFile {
    fn with<T>(&self, change: impl FnOnce(&mut Content) -> T) -> io::Result<T> {
        let mut state = self.disk.state();
        let content = state.files.get_mut(&self.path).ok_or(io::ErrorKind::NotFound)?;
        Ok(change(content))
    }
}

impl Write for SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        let used: usize = state.files.values().map(|content| content.bytes.len()).sum();
        let room = state.bytes_max.map_or(usize::MAX, |max| max.saturating_sub(used));
        if room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or(bytes);
        let content = state.files.get_mut(&self.path).ok_or(io::ErrorKind::NotFound)?;
        content.bytes.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn sync(&mut self) -> io::Result<()> {
        if self.disk.state().syncs_fail {
            return Err(io::Error::other("simulated failure of a sync"));
        }
        self.with(|content| content.synced = content.bytes.len())?;
        self.disk.state().syncs += 1;
        Ok(())
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.with(|content| {
            content.bytes.truncate(bytes);
            content.synced = content.bytes.len();
        })
    }

    fn bytes(&self) -> io::Result<u64> {
        self.with(|content| content.bytes.len() as u64)
    }
}

impl Disk for SimDisk {
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.state().files.entry(path.to_owned()).or_default();
        Ok(Box::new(SimFile { disk: self.clone(), path: path.to_owned() }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskSource>> {
        let state = self.state();
        let content = state.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(content.bytes.clone())))
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let content = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let inside = |path: &&PathBuf| path.parent() == Some(folder);
        Ok(self.state().files.keys().filter(inside).cloned().collect())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.state().files.remove(path);
        Ok(())
    }

    fn room(&self, _folder: &Path) -> io::Result<Room> {
        let state = self.state();
        let used: usize = state.files.values().map(|content| content.bytes.len()).sum();
        let total = state.bytes_max.map_or(u64::MAX, |max| max as u64);
        Ok(Room { free: total.saturating_sub(used as u64), total })
    }
}
