//! A JSON file that its owner alone can read, changed by one at a time.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::marker::PhantomData;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use pipelines_flow::disk::RealDisk;
use serde::Serialize;
use serde::de::DeserializeOwned;
use signals::Disk as _;

use super::AccessError;

/// Bytes of the file: more is not ours.
const BYTES_MAX: u64 = 1 << 20;

/// A file in the gateway's folder, mode 0600; no file is `T::default()`.
#[derive(Debug)]
pub(super) struct Kept<T> {
    path: PathBuf,
    /// What to do when it is damaged.
    remedy: &'static str,
    /// As it was read last. A change is a new file: it has another inode or another time.
    seen: Mutex<Option<(Stamp, Arc<T>)>>,
    of: PhantomData<T>,
}

/// Inode, time of the last change in s and ns, bytes.
type Stamp = (u64, i64, i64, u64);

impl<T: Default + Serialize + DeserializeOwned> Kept<T> {
    pub(super) fn new(path: PathBuf, remedy: &'static str) -> Self {
        Self { path, remedy, seen: Mutex::default(), of: PhantomData }
    }

    /// What it says now.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub(super) fn read(&self) -> anyhow::Result<Arc<T>> {
        let told = || format!("{}: cannot be read; check its permissions", self.path.display());
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Arc::default()),
            Err(err) => return Err(err).with_context(told),
        };
        let about = file.metadata().with_context(told)?;
        let stamp = (about.ino(), about.mtime(), about.mtime_nsec(), about.len());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, content)) = &*seen
            && *known == stamp
        {
            return Ok(Arc::clone(content));
        }
        let mut text = String::new();
        file.take(BYTES_MAX).read_to_string(&mut text).with_context(told)?;
        let content: T = serde_json::from_str(&text)
            .with_context(|| format!("{}: is damaged; {}", self.path.display(), self.remedy))?;
        let content = Arc::new(content);
        *seen = Some((stamp, Arc::clone(&content)));
        Ok(content)
    }

    /// Changes it: what `change` leaves is durable when this returns; its error changes nothing.
    ///
    /// # Errors
    /// That of `change`, or when the file cannot be read or written.
    pub(super) fn change<R>(
        &self,
        change: impl FnOnce(&mut T) -> Result<R, AccessError>,
    ) -> Result<R, AccessError>
    where
        T: Clone,
    {
        let _alone = self.lock()?;
        let mut content = (*self.read()?).clone();
        let done = change(&mut content)?;
        let text = serde_json::to_string_pretty(&content).map_err(anyhow::Error::from)?;
        publish(&self.path, text.as_bytes()).map_err(|err| {
            let path = self.path.display();
            let told = format!("{path}: cannot be written; check the disk and its permissions");
            AccessError::Broken(anyhow::Error::from(err).context(told))
        })?;
        Ok(done)
    }

    /// Keeps others, also other processes, from changing it at the same time.
    fn lock(&self) -> anyhow::Result<File> {
        let path = self.path.with_extension("lock");
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let told = || format!("{}: cannot be written; check --data", path.display());
        let file = File::create(&path).with_context(told)?;
        file.lock().with_context(told)?;
        Ok(file)
    }
}

/// Replaces a file by one that its owner alone can read, whole or not at all.
pub(crate) fn publish(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    RealDisk.remove(&beside)?;
    // Made here and not by the disk: nobody else may read it, from its first byte on.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    RealDisk.publish(&beside, path)
}
