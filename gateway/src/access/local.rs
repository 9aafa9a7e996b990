//! The token of commands on the box (`doctor`, `support-bundle`): it reads, and lives as long as
//! the gateway's run. In `DATA/local-token`, mode 0600.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;

use super::{kept, secret};
use crate::audit::hash_of;

const NAME: &str = "local-token";

/// The token of this run.
#[derive(Debug)]
pub struct LocalToken {
    path: PathBuf,
    /// SHA-256 of it; none before the start.
    sha256: Mutex<Option<String>>,
}

impl LocalToken {
    pub(super) fn of(data: &Path) -> Self {
        Self { path: data.join(NAME), sha256: Mutex::default() }
    }

    /// The token of the gateway that has this folder, for a command that may read it.
    #[must_use]
    pub fn read(data: &Path) -> Option<String> {
        let text = std::fs::read_to_string(data.join(NAME)).ok()?;
        let is_token = !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
        is_token.then_some(text)
    }

    /// Makes a new one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn renew(&self) -> anyhow::Result<()> {
        let token = secret()?;
        kept::publish(&self.path, token.as_bytes()).with_context(|| {
            format!(
                "{}: cannot be written; check the disk and its permissions",
                self.path.display()
            )
        })?;
        *self.sha256.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(hash_of(token.as_bytes()));
        Ok(())
    }

    pub(super) fn is(&self, token: &str) -> bool {
        let known = self.sha256.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().is_some_and(|known| *known == hash_of(token.as_bytes()))
    }
}
