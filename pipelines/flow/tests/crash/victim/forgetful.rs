//! A disk whose syncs, all or some, were forgotten: what the tests must find out.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use pipelines_flow::disk::RealDisk;
use signals::disk::Room;
use signals::{Disk, DiskFile, DiskSource};

/// What a victim's disk syncs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Syncs {
    /// Everything, as the gateway's does.
    All,
    /// Nothing.
    Nothing,
    /// Everything but segments of the journal and of the outbox.
    AllButSegments,
    /// Everything but new files of the lake, before they are given their names.
    AllButLake,
    /// Everything but small files that are written anew, before they take the name of the old.
    AllButReplaced,
}

impl Syncs {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Nothing => "nothing",
            Self::AllButSegments => "all-but-segments",
            Self::AllButLake => "all-but-lake",
            Self::AllButReplaced => "all-but-replaced",
        }
    }

    /// The disk that does so.
    pub(super) fn disk(self) -> Arc<dyn Disk> {
        if self == Self::All { Arc::new(RealDisk) } else { Arc::new(Forgetful(self)) }
    }

    fn forgets(self, path: &Path) -> bool {
        let is_of = |ending: &str| path.as_os_str().to_string_lossy().ends_with(ending);
        match self {
            Self::All => false,
            Self::Nothing => true,
            Self::AllButSegments => is_of(".seg"),
            Self::AllButLake => is_of(".parquet.tmp"),
            Self::AllButReplaced => is_of(".tmp") && !is_of(".parquet.tmp"),
        }
    }
}

impl FromStr for Syncs {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let forgetful =
            [Self::Nothing, Self::AllButSegments, Self::AllButLake, Self::AllButReplaced];
        let found = forgetful.into_iter().chain([Self::All]).find(|syncs| syncs.word() == word);
        found.ok_or_else(|| format!("{word}: no such victim"))
    }
}

struct Forgetful(Syncs);

struct ForgetfulFile(std::fs::File);

impl io::Write for ForgetfulFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for ForgetfulFile {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

impl Disk for Forgetful {
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if !self.0.forgets(path) {
            return RealDisk.append(path);
        }
        std::fs::create_dir_all(path.parent().unwrap_or(path))?;
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Box::new(ForgetfulFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskSource>> {
        RealDisk.open(path)
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.0 == Syncs::Nothing {
            return std::fs::rename(from, to);
        }
        RealDisk.publish(from, to)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        RealDisk.list(folder)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        RealDisk.remove_folder(folder)
    }

    fn room(&self, folder: &Path) -> io::Result<Room> {
        RealDisk.room(folder)
    }
}
