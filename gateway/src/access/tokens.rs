//! Tokens of the API, for programs. Kept as hashes in `DATA/tokens.json`, mode 0600.
//!
//! A token is 256 random bits: a plain SHA-256 of it cannot be searched through.
//! T-1 A token is shown once, when it is made; nothing that is kept or logged holds it.
//! T-2 A token that was revoked is refused from the next request on.

use std::path::Path;

use serde::{Deserialize, Serialize};
use signals::Timestamp;

use super::kept::Kept;
use super::{AccessError, Role, check_name, secret};
use crate::audit::hash_of;

/// What every token starts with: easy to find where it should not be.
const PREFIX: &str = "fgt_";
/// Tokens there may be.
const TOKENS_MAX: usize = 256;

/// A token as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Token {
    /// Whose it is: the `who` of audit records.
    pub name: String,
    /// What it may be used for.
    pub role: Role,
    /// SHA-256 of the token, in hexadecimal digits.
    sha256: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends; `None` for when it is revoked. By the wall clock, wrong or not.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

impl Token {
    /// SHA-256 of the token, in hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Content {
    tokens: Vec<Token>,
}

/// The tokens of one gateway.
#[derive(Debug)]
pub struct Tokens {
    kept: Kept<Content>,
}

impl Tokens {
    /// Those in `data/tokens.json`.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        let remedy = "remove it and add the tokens again";
        Self { kept: Kept::new(data.join("tokens.json"), remedy) }
    }

    /// Makes a token; what comes back is shown once and kept nowhere.
    ///
    /// # Errors
    /// When the name is taken or unusable, or the file cannot be written.
    pub fn add(
        &self,
        name: &str,
        role: Role,
        (now, expires): (Timestamp, Option<Timestamp>),
    ) -> Result<String, AccessError> {
        check_name(name)?;
        let token = format!("{PREFIX}{}", secret()?);
        let sha256 = hash_of(token.as_bytes());
        self.kept.change(|content| {
            if content.tokens.iter().any(|token| token.name == name) {
                return Err(AccessError::Conflict(format!(
                    "there is a token of {name} already; revoke it first, or choose another name"
                )));
            }
            if content.tokens.len() >= TOKENS_MAX {
                let told = format!("there are {TOKENS_MAX} tokens already; revoke the unused");
                return Err(AccessError::Conflict(told));
            }
            let name = name.to_owned();
            content.tokens.push(Token { name, role, sha256, created: now, expires });
            Ok(())
        })?;
        Ok(token)
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self) -> anyhow::Result<Vec<Token>> {
        Ok(self.kept.read()?.tokens.clone())
    }

    /// Makes a token worthless.
    ///
    /// # Errors
    /// When there is none of that name, or the file cannot be written.
    pub fn revoke(&self, name: &str) -> Result<(), AccessError> {
        self.kept.change(|content| {
            let before = content.tokens.len();
            content.tokens.retain(|token| token.name != name);
            if content.tokens.len() == before {
                let told = format!("there is no token of {name}; see `fieldgate token list`");
                return Err(AccessError::Unknown(told));
            }
            Ok(())
        })
    }

    /// Whose token it is; `None` for a token that is not, or no longer, known.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn bearer(&self, token: &str, now: Timestamp) -> anyhow::Result<Option<Token>> {
        // Hashes are compared, not tokens: how long it takes says nothing about a token.
        self.by_hash(&hash_of(token.as_bytes()), now)
    }

    /// The token of that hash.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn by_hash(&self, sha256: &str, now: Timestamp) -> anyhow::Result<Option<Token>> {
        let content = self.kept.read()?;
        let known = content.tokens.iter().find(|known| known.sha256 == sha256);
        Ok(known.filter(|known| !known.is_over(now)).cloned())
    }
}

#[cfg(test)]
mod tests;
