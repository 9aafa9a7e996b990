//! Cursors: how far a consumer has got, kept across restarts.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use signals::{Disk, Offset, disk};

/// Folder of the cursors in that of their log.
const CURSORS: &str = "cursors";

/// A consumer's place in a log.
///
/// A commit counts at once in memory and reaches the disk within a few seconds: after a crash a
/// consumer may see again what it had committed in these seconds, never miss anything.
#[derive(Clone)]
pub struct Cursor {
    place: Arc<Place>,
}

impl Cursor {
    pub(super) fn new(place: Arc<Place>) -> Self {
        Self { place }
    }

    /// The first record the consumer has not committed yet.
    #[must_use]
    pub fn at(&self) -> Offset {
        Offset(self.place.at.load(Ordering::SeqCst))
    }

    /// Says that everything before `offset` has been dealt with. Never moves back.
    pub fn commit(&self, offset: Offset) {
        self.place.at.fetch_max(offset.0, Ordering::SeqCst);
    }

    /// Makes the committed place durable now.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn flush(&self) -> io::Result<()> {
        self.place.flush()
    }
}

/// A cursor's place in memory and on disk.
pub(super) struct Place {
    at: AtomicU64,
    flushed: Mutex<u64>,
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl Place {
    /// Loads a place. One that is missing or unreadable stands at `oldest`: its consumer sees
    /// everything that is still kept.
    pub(super) fn load(
        disk: &Arc<dyn Disk>,
        folder: &Path,
        name: &str,
        oldest: Offset,
    ) -> Arc<Self> {
        let path = path_of(folder, name);
        let at = match read(&**disk, &path) {
            Ok(at) => at,
            Err(err) if err.kind() == io::ErrorKind::NotFound => None,
            Err(err) => {
                tracing::warn!(
                    cursor = name,
                    %err,
                    "cursor cannot be read; its consumer starts again at the oldest record"
                );
                None
            }
        };
        let at = at.unwrap_or(oldest.0).max(oldest.0);
        Arc::new(Self {
            at: AtomicU64::new(at),
            flushed: Mutex::new(at),
            disk: Arc::clone(disk),
            path,
        })
    }

    pub(super) fn at(&self) -> Offset {
        Offset(self.at.load(Ordering::SeqCst))
    }

    /// Writes the place if it has moved since the last time.
    pub(super) fn flush(&self) -> io::Result<()> {
        let mut flushed = self.flushed.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.at.load(Ordering::SeqCst);
        if *flushed == at {
            return Ok(());
        }
        let text = format!("{at} {:08x}\n", crc32fast::hash(at.to_string().as_bytes()));
        disk::replace(&*self.disk, &self.path, text.as_bytes())?;
        *flushed = at;
        Ok(())
    }
}

/// Path of the cursor of this name in a log's folder.
pub(super) fn path_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(CURSORS).join(name)
}

/// The greatest place of any cursor in a log's folder that can be read.
pub(super) fn greatest(disk: &dyn Disk, folder: &Path) -> Offset {
    let paths = disk.list(&folder.join(CURSORS)).unwrap_or_default();
    let places = paths.iter().filter_map(|path| read(disk, path).ok().flatten());
    Offset(places.max().unwrap_or(0))
}

/// The place in a cursor's file.
pub(super) fn read(disk: &dyn Disk, path: &Path) -> io::Result<Option<u64>> {
    let mut text = String::new();
    disk.open(path)?.read_to_string(&mut text)?;
    let sound = text.trim_end().split_once(' ').filter(|(at, crc)| {
        u32::from_str_radix(crc, 16).is_ok_and(|crc| crc == crc32fast::hash(at.as_bytes()))
    });
    match sound.and_then(|(at, _)| at.parse().ok()) {
        Some(at) => Ok(Some(at)),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "checksum does not match")),
    }
}
