//! What adapters keep over restarts, as small files below `DATA/learned`.

use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Arc;

use signals::Disk;
use signals::adapter::Notebook;

/// Largest page that is read: what a line has learned of 247 devices takes a tenth of it.
const PAGE_BYTES_MAX: u64 = 1 << 20;

/// Pages on disk, one file each.
pub struct DiskNotebook {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
}

impl DiskNotebook {
    /// Pages in `folder`, which is made when the first page is kept.
    #[must_use]
    pub fn new(folder: PathBuf, disk: Arc<dyn Disk>) -> Self {
        Self { folder, disk }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{}.json", file_name(name)))
    }

    fn read(&self, name: &str) -> io::Result<String> {
        let mut page = String::new();
        let source = self.disk.open(&self.path(name))?;
        source.take(PAGE_BYTES_MAX).read_to_string(&mut page)?;
        Ok(page)
    }
}

impl Notebook for DiskNotebook {
    fn recall(&self, name: &str) -> Option<String> {
        match self.read(name) {
            Ok(page) => Some(page),
            Err(err) if err.kind() == io::ErrorKind::NotFound => None,
            Err(err) => {
                let path = self.path(name);
                tracing::warn!(path = %path.display(), %err, "cannot be read; it is learned again");
                None
            }
        }
    }

    fn keep(&self, name: &str, page: &str) {
        let path = self.path(name);
        if let Err(err) = signals::disk::replace(&*self.disk, &path, page.as_bytes()) {
            tracing::warn!(
                path = %path.display(), %err,
                "what was learned cannot be kept; check the disk, or it is learned again at the \
                 next start"
            );
        }
    }
}

/// A name as a file's: what could mean anything to a file system is written as its code.
fn file_name(name: &str) -> String {
    let letter = |byte: u8| {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if is_plain { char::from(byte).to_string() } else { format!("%{byte:02x}") }
    };
    name.bytes().map(letter).collect()
}

#[cfg(test)]
mod tests;
