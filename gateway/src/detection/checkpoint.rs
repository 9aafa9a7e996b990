//! What a detector keeps across restarts: its model in the registry, and its memory together
//! with the journal offset it belongs to.

use std::path::PathBuf;
use std::sync::Arc;

use models::detector::WatchState;
use models::{DetectorSettings, GroupDetector, Registry};
use serde::{Deserialize, Serialize};
use signals::{Disk, Offset, disk};

/// The stored models and checkpoints of one detector.
pub(super) struct Checkpoints {
    disk: Arc<dyn Disk>,
    registry: Registry,
    group: String,
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Checkpoint {
    offset: Offset,
    state: WatchState,
}

impl Checkpoints {
    pub(super) fn new(disk: Arc<dyn Disk>, models: PathBuf, detector: &str) -> Self {
        let path = models.join(detector).join("watch.json");
        let registry = Registry::new(models, Arc::clone(&disk));
        Self { disk, registry, group: detector.to_owned(), path }
    }

    /// The detector as it was at its last checkpoint, and the offset to read on from. `None`
    /// when there is none that fits: the detector learns again, and the log says why.
    pub(super) fn load(&self, settings: &DetectorSettings) -> Option<(GroupDetector, Offset)> {
        let stored = match self.registry.load_active(&self.group, settings.signals.as_slice()) {
            Ok(stored) => stored?,
            Err(err) => {
                tracing::warn!(detector = self.group, %err, "stored model not used; learning again");
                return None;
            }
        };
        let checkpoint = self.read().or_else(|| {
            tracing::warn!(
                detector = self.group,
                "no memory beside the stored model; learning again"
            );
            None
        })?;
        match GroupDetector::from_stored(settings.clone(), stored.model, checkpoint.state) {
            Ok(detector) => Some((detector, checkpoint.offset)),
            Err(err) => {
                tracing::warn!(
                    detector = self.group,
                    err,
                    "stored memory not used; learning again"
                );
                None
            }
        }
    }

    /// Stores the weights as a new, active version.
    pub(super) fn store_model(&self, detector: &GroupDetector) {
        match self.registry.store(&self.group, detector) {
            Ok(version) => {
                tracing::info!(detector = self.group, version, "model trained and stored");
            }
            Err(err) => tracing::error!(
                detector = self.group,
                %err,
                "model not stored: after a restart the detector learns again; check the disk"
            ),
        }
    }

    /// Saves the memory; false when it could not be.
    pub(super) fn save(&self, detector: &GroupDetector, offset: Offset) -> bool {
        let Some(state) = detector.watch_state() else { return false };
        let saved = serde_json::to_vec(&Checkpoint { offset, state })
            .map_err(std::io::Error::other)
            .and_then(|bytes| disk::replace(&*self.disk, &self.path, &bytes));
        if let Err(err) = &saved {
            tracing::warn!(detector = self.group, %err, "checkpoint not saved; a restart computes more again");
        }
        saved.is_ok()
    }

    fn read(&self) -> Option<Checkpoint> {
        let mut text = String::new();
        self.disk.open(&self.path).ok()?.read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }
}
