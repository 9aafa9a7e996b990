//! Changes of who may that did not come through this gateway: commands on the box, files put there
//! by hand, also while nothing ran. What there is then stands in the audit, by name and role.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value as Json, json};
use signals::Severity;

use super::{Access, AccessError, kept};
use crate::audit::hash_of;

/// What the audit knows: a hash over users and tokens, in `DATA/who-may`.
#[derive(Debug)]
pub(super) struct Outside {
    path: PathBuf,
    /// Held by whoever changes who may, or looks whether somebody else has.
    alone: Mutex<()>,
}

impl Outside {
    pub(super) fn of(data: &Path) -> Self {
        Self { path: data.join("who-may"), alone: Mutex::default() }
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.alone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_known(&self, print: &str) -> bool {
        match std::fs::read_to_string(&self.path) {
            Ok(known) => known == print,
            Err(_) => print == nobody(),
        }
    }

    /// When it cannot be kept it is told once more: better twice than never.
    fn keep(&self, print: &str) {
        if let Err(err) = kept::publish(&self.path, print.as_bytes()) {
            tracing::warn!("{}: cannot be written: {err}; check the disk", self.path.display());
        }
    }
}

/// The hash of a gateway without users and tokens.
fn nobody() -> String {
    hash_of(json!([[], []]).to_string().as_bytes())
}

impl Access {
    /// Looks whether who may has changed without this gateway, and tells it. Reads files.
    ///
    /// # Errors
    /// When they cannot be read, or the audit cannot be written.
    pub fn look_outside(&self) -> anyhow::Result<()> {
        let _alone = self.outside.alone();
        let (print, names) = self.who_may()?;
        if self.outside.is_known(&print) {
            return Ok(());
        }
        let message = "who may was changed on the box, or by hand; the audit has all names";
        let body = json!({ "at": self.clock.now(), "who": null, "subject": message, "may": names });
        self.audit.record("who_may", &body, Some((Severity::Note, message)))?;
        self.outside.keep(&print);
        Ok(())
    }

    /// A change through this gateway, which tells it itself.
    pub(super) fn inside<T>(
        &self,
        change: impl FnOnce() -> Result<T, AccessError>,
    ) -> Result<T, AccessError> {
        let _alone = self.outside.alone();
        // What somebody else did just before is not taken for ours.
        let (before, _) = self.who_may()?;
        let was_known = self.outside.is_known(&before);
        let changed = change()?;
        if was_known {
            let (print, _) = self.who_may()?;
            self.outside.keep(&print);
        }
        Ok(changed)
    }

    /// A hash over everything that decides, and names and roles to show.
    fn who_may(&self) -> anyhow::Result<(String, Json)> {
        let (users, tokens) = (self.users.list()?, self.tokens.list()?);
        let of_user = users.iter().map(|user| json!([user.name, user.role, user.stamp()]));
        let of_token = tokens
            .iter()
            .map(|token| json!([token.name, token.role, token.sha256(), token.expires]));
        let all = json!([of_user.collect::<Vec<_>>(), of_token.collect::<Vec<_>>()]);
        let users: Vec<_> =
            users.iter().map(|user| format!("{} ({})", user.name, user.role.name())).collect();
        let tokens: Vec<_> =
            tokens.iter().map(|token| format!("{} ({})", token.name, token.role.name())).collect();
        let names = json!({ "users": users, "tokens": tokens });
        Ok((hash_of(all.to_string().as_bytes()), names))
    }
}
