//! Quarantine: messages that a broker refuses for ever, kept aside with the reason.
//!
//! One JSON object a line, in files of bounded size; the oldest file goes when there are too many.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use signals::{Disk, Timestamp};

/// Bytes of a file before the next is begun.
const FILE_BYTES: u64 = 1 << 20;
/// Files kept.
const FILES_MAX: usize = 16;

/// What is kept of a message.
#[derive(Debug, Serialize)]
pub(super) struct Exhibit<'a> {
    pub(super) set_aside: String,
    pub(super) stream: &'a str,
    pub(super) seq: u64,
    pub(super) reason: &'a str,
    pub(super) payload: std::borrow::Cow<'a, str>,
}

/// The quarantine of one uplink.
#[derive(Clone)]
pub(super) struct Quarantine {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
}

impl Quarantine {
    /// A quarantine whose files are in `folder`.
    pub(super) fn new(folder: impl Into<PathBuf>, disk: Arc<dyn Disk>) -> Self {
        Self { folder: folder.into(), disk }
    }

    /// Keeps a message; durable when it returns. The file it is in.
    pub(super) fn keep(&self, exhibit: &Exhibit<'_>, now: Timestamp) -> io::Result<PathBuf> {
        let mut line = serde_json::to_vec(exhibit)?;
        line.push(b'\n');
        let mut files = self.disk.list(&self.folder)?;
        files.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
        let has_room = |path: &PathBuf| {
            let bytes = self.disk.open(path).and_then(|mut f| f.seek(io::SeekFrom::End(0)));
            bytes.is_ok_and(|bytes| bytes < FILE_BYTES)
        };
        let path = if let Some(newest) = files.last().filter(|path| has_room(path)) {
            newest.clone()
        } else {
            let path = self.next_file(files.last().map(PathBuf::as_path), now);
            files.push(path.clone());
            path
        };
        let mut file = self.disk.append(&path)?;
        file.write_all(&line)?;
        file.sync()?;
        let over = files.len().saturating_sub(FILES_MAX);
        for oldest in files.iter().take(over) {
            tracing::error!(file = %oldest.display(), "the quarantine is full; its oldest file is given up");
            self.disk.remove(oldest)?;
        }
        Ok(path)
    }

    /// Names are times, and go up although the clock may not.
    fn next_file(&self, newest: Option<&Path>, now: Timestamp) -> PathBuf {
        let number = |path: &Path| path.file_stem()?.to_str()?.parse::<u64>().ok();
        let last = newest.and_then(number).unwrap_or(0);
        let next = u64::try_from(now.micros()).unwrap_or(0).max(last + 1);
        self.folder.join(format!("{next:020}.jsonl"))
    }
}

#[cfg(test)]
mod tests;
