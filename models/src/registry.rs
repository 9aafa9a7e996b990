//! Versions of a detector on disk: written whole or not at all, verified before believed.
//!
//! ```text
//! <folder>/<group>/active                       which version watches: one atomic file
//! <folder>/<group>/<version>/model.safetensors  weights
//! <folder>/<group>/<version>/card.json          what they are, with their SHA-256; written last
//! <folder>/<group>/<version>/state.json         calibration, centre and episodes at that time
//! ```
//! R-1 A version without a card does not exist; the card is written after the weights are safe.
//! R-2 A version that does not verify is refused with the reason, and no other file is touched.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signals::{Disk, disk};

use crate::detector::{GroupDetector, WatchState};
use crate::model::Model;

mod card;

use card::Card;

const WEIGHTS: &str = "model.safetensors";
const CARD: &str = "card.json";
const STATE: &str = "state.json";
const ACTIVE: &str = "active";
/// No file of a version is greater: 256 signals have 2 MiB of weights, and their states as text.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Why a version cannot be saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A file could not be read or written.
    #[error("{path}: {source}; check that the folder is there, writable and not full")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A version is not what it should be.
    #[error("{path}: {reason}; activate another version or learn anew")]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A group's name would leave the registry's folder.
    #[error("`{0}` cannot be the name of a folder; use a-z, 0-9, _ and -")]
    Group(String),
    /// The detector has nothing to save yet.
    #[error("detector `{0}` still learns; save it when it watches")]
    Learning(String),
}

/// A version as it was stored, verified.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its number.
    pub version: u32,
    /// The weights.
    pub model: Model,
    /// Calibration, centre and episodes as they were when it was stored.
    pub state: WatchState,
}

/// Versions of detectors in a folder.
#[derive(Clone)]
pub struct Registry {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
}

impl Registry {
    /// The registry in `folder`, which need not exist yet.
    #[must_use]
    pub fn new(folder: PathBuf, disk: Arc<dyn Disk>) -> Self {
        Self { folder, disk }
    }

    /// Stores a watching detector as a new version of `group`, makes it the active one and gives
    /// its number.
    ///
    /// # Errors
    /// [`RegistryError`]; the version that was active before stays active.
    pub fn store(&self, group: &str, detector: &GroupDetector) -> Result<u32, RegistryError> {
        let version = self.save(group, detector)?;
        self.activate(group, version)?;
        Ok(version)
    }

    /// Saves a watching detector as a new version of `group` and gives its number. It is not
    /// active yet.
    ///
    /// # Errors
    /// [`RegistryError`]; what was written of the version so far is never taken for one (R-1).
    ///
    /// # Panics
    /// Never: a state is plain numbers and text.
    pub fn save(&self, group: &str, detector: &GroupDetector) -> Result<u32, RegistryError> {
        let learning = || RegistryError::Learning(detector.settings().name.clone());
        let model = detector.model().ok_or_else(learning)?;
        let state = detector.watch_state().ok_or_else(learning)?;
        // A pointer that cannot be read says nothing about the parent, no more.
        let parent = self.active(group).ok().flatten();
        let version = self.numbers(group)?.last().map_or(1, |last| last.saturating_add(1));
        let weights = card::weights_of(model);
        let card = Card::of(detector, model, &weights, parent);
        let state = serde_json::to_string(&state).expect("a state is plain numbers and text");
        let sealed = format!("{}\n{state}", card::sha256(state.as_bytes()));
        self.write(&self.path(group, version, WEIGHTS)?, &weights)?;
        self.write(&self.path(group, version, STATE)?, sealed.as_bytes())?;
        self.write(&self.path(group, version, CARD)?, card.to_json().as_bytes())?;
        Ok(version)
    }

    /// Loads the active version of `group` for these signals; `None` before the first one.
    ///
    /// # Errors
    /// As [`Registry::load`].
    pub fn load_active(
        &self,
        group: &str,
        signals: &[String],
    ) -> Result<Option<Stored>, RegistryError> {
        self.active(group)?.map(|version| self.load(group, version, signals)).transpose()
    }

    /// Loads a version for these signals, in this order.
    ///
    /// # Errors
    /// [`RegistryError::Refused`] when anything does not verify: hash, schema, signals, numbers,
    /// the golden scores of the card.
    pub fn load(
        &self,
        group: &str,
        version: u32,
        signals: &[String],
    ) -> Result<Stored, RegistryError> {
        let refused = |path: PathBuf| |reason| RegistryError::Refused { path, reason };
        let path = self.path(group, version, CARD)?;
        let card = Card::from_json(&self.read(&path)?).map_err(refused(path.clone()))?;
        card.accepts(signals).map_err(refused(path))?;
        let path = self.path(group, version, WEIGHTS)?;
        let model = card.model(&self.read(&path)?).map_err(refused(path))?;
        let path = self.path(group, version, STATE)?;
        let state = unseal(&self.read(&path)?).map_err(refused(path))?;
        Ok(Stored { version, model, state })
    }

    /// Makes a version the one that watches, after verifying that its card can be read.
    ///
    /// # Errors
    /// [`RegistryError`]; the version active before stays active.
    pub fn activate(&self, group: &str, version: u32) -> Result<(), RegistryError> {
        let path = self.path(group, version, CARD)?;
        Card::from_json(&self.read(&path)?)
            .map_err(|reason| RegistryError::Refused { path, reason })?;
        self.write(&self.group(group)?.join(ACTIVE), format!("{version}\n").as_bytes())
    }

    /// The version that watches; `None` before the first activation.
    ///
    /// # Errors
    /// [`RegistryError`] when the pointer cannot be read or is no number.
    pub fn active(&self, group: &str) -> Result<Option<u32>, RegistryError> {
        let path = self.group(group)?.join(ACTIVE);
        match self.read(&path) {
            Err(RegistryError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
            Ok(content) => {
                let text = String::from_utf8_lossy(&content);
                let number = text.trim().parse().map_err(|_| RegistryError::Refused {
                    path,
                    reason: "the active pointer is not a version number".to_owned(),
                })?;
                Ok(Some(number))
            }
        }
    }

    /// Numbers of the versions that have a card, ascending.
    ///
    /// # Errors
    /// [`RegistryError::Io`].
    pub fn versions(&self, group: &str) -> Result<Vec<u32>, RegistryError> {
        let mut whole = Vec::new();
        for number in self.numbers(group)? {
            match self.disk.open(&self.path(group, number, CARD)?) {
                Ok(_) => whole.push(number),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(RegistryError::Io {
                        path: self.path(group, number, CARD)?,
                        source,
                    });
                }
            }
        }
        Ok(whole)
    }

    /// Numbers of all version folders, whole or not, ascending.
    fn numbers(&self, group: &str) -> Result<Vec<u32>, RegistryError> {
        let folder = self.group(group)?;
        let entries = self.disk.list(&folder);
        let entries = entries.map_err(|source| RegistryError::Io { path: folder, source })?;
        let number = |entry: &PathBuf| entry.file_name()?.to_str()?.parse().ok();
        let mut numbers: Vec<u32> = entries.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn group(&self, group: &str) -> Result<PathBuf, RegistryError> {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if group.is_empty() || !group.chars().all(legal) {
            return Err(RegistryError::Group(group.to_owned()));
        }
        Ok(self.folder.join(group))
    }

    fn path(&self, group: &str, version: u32, file: &str) -> Result<PathBuf, RegistryError> {
        Ok(self.group(group)?.join(format!("{version:06}")).join(file))
    }

    fn write(&self, path: &Path, content: &[u8]) -> Result<(), RegistryError> {
        disk::replace(self.disk.as_ref(), path, content)
            .map_err(|source| RegistryError::Io { path: path.to_owned(), source })
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, RegistryError> {
        let mut content = Vec::new();
        self.disk
            .open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut content))
            .map_err(|source| RegistryError::Io { path: path.to_owned(), source })?;
        Ok(content)
    }
}

fn unseal(content: &[u8]) -> Result<WatchState, String> {
    let text = std::str::from_utf8(content).map_err(|_| "not text".to_owned())?;
    let (seal, json) = text.split_once('\n').ok_or_else(|| "cut off".to_owned())?;
    if card::sha256(json.as_bytes()) != seal {
        return Err("the hash is another than the one written".to_owned());
    }
    serde_json::from_str(json).map_err(|err| err.to_string())
}

#[cfg(test)]
mod tests;
