//! Revisions: every configuration that this gateway has taken, as it was, so that anybody can say
//! what changed when, and go back.
//!
//! - RV-1 A revision is kept when it differs from the newest one, whole or not at all.
//! - RV-2 At most [`KEPT_MAX`] are kept; the oldest goes. Numbers are never given twice.
//! - RV-3 Files that a configuration names (databases of CAN, certificates) are not part of it.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use signals::Timestamp;

use crate::access::publish_secret;
use crate::config::ConfigText;

/// Revisions kept.
pub const KEPT_MAX: usize = 100;
/// Bytes of one that is kept; a larger one is told in the log.
const BYTES_MAX: usize = 16 << 20;

/// What a configuration was taken for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// The gateway started with it.
    Start,
    /// It was read again while the gateway ran.
    Reload,
}

/// A configuration that was taken.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// Counts from 1.
    pub number: u64,
    /// When it was taken, by the wall clock, wrong or not.
    pub at: Timestamp,
    /// Why.
    pub occasion: Occasion,
    /// SHA-256 over names and texts, in hexadecimal digits.
    pub sha256: String,
    /// Its files, `gateway.toml` first.
    pub files: Vec<ConfigText>,
}

/// The revisions of one gateway: `DATA/revisions/<number>.json`, mode 0600.
#[derive(Clone, Debug)]
pub struct Revisions {
    folder: PathBuf,
}

impl Revisions {
    /// Those in the folder of a gateway.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self { folder: data.join("revisions") }
    }

    /// Keeps a configuration that was taken, unless the newest is the same; its number.
    ///
    /// # Errors
    /// When the folder cannot be read or written, or the configuration is larger than 16 MiB.
    pub fn keep(
        &self,
        files: &[ConfigText],
        (occasion, at): (Occasion, Timestamp),
    ) -> io::Result<u64> {
        let sha256 = print_of(files);
        let numbers = self.numbers()?;
        let newest = numbers.last().copied();
        if let Some(number) = newest
            && let Ok(Some(last)) = self.read(number)
            && last.sha256 == sha256
        {
            return Ok(number);
        }
        let number = newest.unwrap_or(0) + 1;
        let revision = Revision { number, at, occasion, sha256, files: files.to_vec() };
        let text = serde_json::to_vec_pretty(&revision)?;
        if text.len() > BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 16 MiB"));
        }
        std::fs::create_dir_all(&self.folder)?;
        publish_secret(&self.path(number), &text)?;
        for old in numbers.iter().take((numbers.len() + 1).saturating_sub(KEPT_MAX)) {
            std::fs::remove_file(self.path(*old))?;
        }
        Ok(number)
    }

    /// Numbers of those kept, oldest first. No folder is none.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn numbers(&self) -> io::Result<Vec<u64>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(err) => return Err(err),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            numbers.extend(
                name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<u64>().ok()),
            );
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// One of them; `None` when it is not kept.
    ///
    /// # Errors
    /// When its file cannot be read or is damaged.
    pub fn read(&self, number: u64) -> io::Result<Option<Revision>> {
        let text = match std::fs::read(self.path(number)) {
            Ok(text) => text,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(err) => return Err(err),
        };
        let revision: Revision = serde_json::from_slice(&text)?;
        if revision.sha256 != print_of(&revision.files) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong"));
        }
        Ok(Some(revision))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:08}.json"))
    }
}

fn print_of(files: &[ConfigText]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        // Lengths first: what stands in one file cannot be taken for the beginning of another.
        hash.update((file.name.len() as u64).to_le_bytes());
        hash.update((file.text.len() as u64).to_le_bytes());
        hash.update(&file.name);
        hash.update(&file.text);
    }
    hash.finalize().iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}

#[cfg(test)]
mod tests;
