//! What rules keep over a restart, with the journal offset it belongs to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use pipelines_flow::trigger::Trigger;
use pipelines_sql::rule::WatchState;
use serde::{Deserialize, Serialize};
use signals::{Disk, Offset, disk};

use super::board::Life;
use crate::audit::hash_of;
use crate::config::RuleWords;

/// Everything rules remember.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    /// By name.
    pub(super) rules: BTreeMap<String, OfRule>,
    /// By name.
    pub(super) alarms: BTreeMap<String, Life>,
}

/// What one rule remembers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OfRule {
    /// What it said: a rule that says something else begins anew.
    pub(super) words: String,
    pub(super) trigger: Trigger,
    pub(super) is_suppressed: bool,
    pub(super) inputs: WatchState,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    offset: Offset,
    #[serde(flatten)]
    memory: Memory,
}

/// What of a rule's words its memory depends on.
pub(super) fn fingerprint(words: &RuleWords) -> String {
    let RuleWords { sql, clear, suppress, trigger, .. } = words;
    hash_of(format!("{sql}\n{clear:?}\n{suppress:?}\n{trigger:?}").as_bytes())
}

/// What was found at a start.
pub(super) enum Kept {
    /// The memory, and the offset to read on from.
    Memory(Memory, Offset),
    /// There were no rules before.
    Nothing,
    /// It cannot be read; the log says why.
    Damaged,
}

/// Where it is kept.
pub(super) struct Memories {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl Memories {
    pub(super) fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self { disk, path }
    }

    /// What the last run has kept.
    pub(super) fn load(&self) -> Kept {
        match self.read() {
            Ok(Some(saved)) => Kept::Memory(saved.memory, saved.offset),
            Ok(None) => Kept::Nothing,
            Err(err) => {
                let path = self.path.display();
                tracing::error!(
                    "{path}: cannot be read: {err}; alarms are what the rules say of new samples, \
                     and what was acknowledged or shelved is forgotten"
                );
                Kept::Damaged
            }
        }
    }

    fn read(&self) -> anyhow::Result<Option<Saved>> {
        let mut file = match self.disk.open(&self.path) {
            Ok(file) => file,
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(err) => return Err(err.into()),
        };
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(Some(serde_json::from_str(&text)?))
    }

    /// Saves the memory; false when it could not be.
    pub(super) fn save(&self, memory: &Memory, offset: Offset) -> bool {
        let saved = serde_json::to_vec(&SavedRef { offset, memory })
            .map_err(std::io::Error::other)
            .and_then(|bytes| disk::replace(&*self.disk, &self.path, &bytes));
        if let Err(err) = &saved {
            let path = self.path.display();
            tracing::warn!("{path}: not saved: {err}; a restart computes more again");
        }
        saved.is_ok()
    }
}

#[derive(Serialize)]
struct SavedRef<'a> {
    offset: Offset,
    #[serde(flatten)]
    memory: &'a Memory,
}
