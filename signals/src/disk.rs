//! The only way to write a file.

use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Files and folders as the gateway uses them. The real one is the operating system's; the
/// simulated twin loses what was not synced.
pub trait Disk: Send + Sync {
    /// Opens a file to append to, making it and its folder if needed.
    ///
    /// # Errors
    /// What the operating system says.
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file to read from its beginning.
    ///
    /// # Errors
    /// What the operating system says.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskSource>>;

    /// Gives a finished file its final name and makes the new name durable: afterwards either
    /// the old or the new content is there, whatever happens.
    ///
    /// # Errors
    /// What the operating system says.
    fn publish(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Names of the entries of a folder, sorted; empty when the folder does not exist.
    ///
    /// # Errors
    /// What the operating system says.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;

    /// Removes a file; it is no error when there is none.
    ///
    /// # Errors
    /// What the operating system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Gives a file a second name, and makes the name durable.
    ///
    /// # Errors
    /// What the operating system says; [`io::ErrorKind::Unsupported`] where files have one name.
    fn link(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Exchanges two folders with all that is in them, in one step: whoever looks, and whatever
    /// happens, each is in one place or the other. Durable afterwards.
    ///
    /// # Errors
    /// What the operating system says; [`io::ErrorKind::Unsupported`] where that cannot be done.
    fn exchange(&self, _one: &Path, _other: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Removes a folder and everything in it; it is no error when there is none.
    ///
    /// # Errors
    /// What the operating system says; [`io::ErrorKind::Unsupported`] where there are no folders.
    fn remove_folder(&self, _folder: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// How full the volume is that a folder is, or would be, on.
    ///
    /// # Errors
    /// What the operating system says.
    fn room(&self, folder: &Path) -> io::Result<Room>;
}

/// Room on a volume.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Room {
    /// Bytes that this process can still write.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

/// An open file to read from.
pub trait DiskSource: Read + Seek + Send {}

impl<T: Read + Seek + Send> DiskSource for T {}

/// An open file that grows.
pub trait DiskFile: Write + Send {
    /// Makes everything written so far survive a power cut. Returns only when it does.
    ///
    /// # Errors
    /// What the operating system says. After an error nothing written since the last good sync
    /// may be taken for durable, and the file must not be written again.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to `bytes`.
    ///
    /// # Errors
    /// What the operating system says.
    fn truncate(&mut self, bytes: u64) -> io::Result<()>;

    /// Bytes in the file.
    ///
    /// # Errors
    /// What the operating system says.
    fn bytes(&self) -> io::Result<u64>;
}

/// Replaces the content of a small file: readers see the old or the new content, never a part.
///
/// # Errors
/// What the operating system says.
pub fn replace(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let beside = path.with_file_name(name);
    disk.remove(&beside)?;
    let mut file = disk.append(&beside)?;
    file.write_all(content)?;
    file.sync()?;
    drop(file);
    disk.publish(&beside, path)
}
