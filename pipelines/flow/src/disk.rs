//! The operating system's files behind the [`Disk`] port.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use signals::disk::Room;
use signals::{Disk, DiskFile, DiskSource};

pub mod sim;

/// Files of the operating system. New names are made durable by syncing their folder.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

struct RealFile(File);

impl Disk for RealDisk {
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let folder = folder_of(path);
        make_folder(folder)?;
        let is_new = !path.try_exists()?;
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        if is_new {
            sync_folder(folder)?;
        }
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskSource>> {
        Ok(Box::new(File::open(path)?))
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        let folder = folder_of(to);
        make_folder(folder)?;
        fs::rename(from, to)?;
        sync_folder(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(err) => return Err(err),
        };
        let mut paths = entries.map(|e| e.map(|e| e.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let folder = folder_of(to);
        make_folder(folder)?;
        fs::hard_link(from, to)?;
        sync_folder(folder)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        let exchange = rustix::fs::RenameFlags::EXCHANGE;
        rustix::fs::renameat_with(rustix::fs::CWD, one, rustix::fs::CWD, other, exchange)?;
        sync_folder(folder_of(one))?;
        sync_folder(folder_of(other))
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        match fs::remove_dir_all(folder) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn room(&self, folder: &Path) -> io::Result<Room> {
        let there = folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
        let volume = rustix::fs::statvfs(there)?;
        // `f_bavail`: what a process without privileges can have.
        let free = volume.f_bavail.saturating_mul(volume.f_frsize);
        Ok(Room { free, total: volume.f_blocks.saturating_mul(volume.f_frsize) })
    }
}

impl Write for RealFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl DiskFile for RealFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)?;
        self.0.sync_all()
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

/// Makes a folder and those it is in; each new name survives a power cut.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder_of(folder);
    make_folder(above)?;
    match fs::create_dir(folder) {
        Err(err) if err.kind() != io::ErrorKind::AlreadyExists => return Err(err),
        Ok(()) | Err(_) => {}
    }
    sync_folder(above)
}

/// Makes new and changed names in a folder survive a power cut.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
