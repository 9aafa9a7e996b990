//! Tokens of the API: who may write. Kept as hashes in `DATA/tokens.json`, mode 0600.
//!
//! A token is 256 random bits: a plain SHA-256 of it cannot be searched through.
//! T-1 A token is shown once, when it is made; nothing that is kept or logged holds it.
//! T-2 A token that was revoked is refused from the next request on.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use pipelines_flow::disk::RealDisk;
use serde::{Deserialize, Serialize};
use signals::{Disk as _, Timestamp};

use crate::audit::hash_of;

/// What every token starts with: easy to find where it should not be.
const PREFIX: &str = "fgt_";
/// Tokens there may be.
const TOKENS_MAX: usize = 256;
/// Bytes of the file: more is not ours.
const BYTES_MAX: u64 = 1 << 20;

/// What a token's bearer may do; each role may what those before it may.
#[derive(
    Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Writes tags of the allow-list.
    Operator,
    /// Changes the configuration as well.
    Engineer,
}

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
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    tokens: Vec<Token>,
}

/// The tokens of one gateway.
#[derive(Clone, Debug)]
pub struct Tokens {
    path: PathBuf,
}

impl Tokens {
    /// Those in `data/tokens.json`.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self { path: data.join("tokens.json") }
    }

    /// Makes a token; what comes back is shown once and kept nowhere.
    ///
    /// # Errors
    /// When the name is taken or unusable, or the file cannot be written.
    pub fn add(&self, name: &str, role: Role, now: Timestamp) -> anyhow::Result<String> {
        let is_name = |c: char| c.is_alphanumeric() || "-_.@ ".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_name) {
            bail!("\"{name}\" is no name for a token; use up to 64 letters, digits, - _ . @");
        }
        let _alone = self.lock()?;
        let mut kept = self.read()?;
        if kept.tokens.iter().any(|token| token.name == name) {
            bail!("there is a token of {name} already; revoke it first, or choose another name");
        }
        if kept.tokens.len() >= TOKENS_MAX {
            bail!("there are {TOKENS_MAX} tokens already; revoke those nobody uses");
        }
        let (a, b) = (random()?, random()?);
        let token = format!("{PREFIX}{a:032x}{b:032x}");
        let sha256 = hash_of(token.as_bytes());
        kept.tokens.push(Token { name: name.to_owned(), role, sha256, created: now });
        self.write(&kept)?;
        Ok(token)
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self) -> anyhow::Result<Vec<Token>> {
        Ok(self.read()?.tokens)
    }

    /// Makes a token worthless.
    ///
    /// # Errors
    /// When there is none of that name, or the file cannot be written.
    pub fn revoke(&self, name: &str) -> anyhow::Result<()> {
        let _alone = self.lock()?;
        let mut kept = self.read()?;
        let before = kept.tokens.len();
        kept.tokens.retain(|token| token.name != name);
        if kept.tokens.len() == before {
            bail!("there is no token of {name}; see `fieldgate token list`");
        }
        self.write(&kept)
    }

    /// Whose token it is; `None` for a token that is not, or no longer, known.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn bearer(&self, token: &str) -> anyhow::Result<Option<Token>> {
        // Hashes are compared, not tokens: how long it takes says nothing about a token.
        let sha256 = hash_of(token.as_bytes());
        Ok(self.read()?.tokens.into_iter().find(|known| known.sha256 == sha256))
    }

    fn read(&self) -> anyhow::Result<Kept> {
        let told = || format!("{}: cannot be read; check its permissions", self.path.display());
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
            Err(err) => return Err(err).with_context(told),
        };
        let mut text = String::new();
        file.take(BYTES_MAX).read_to_string(&mut text).with_context(told)?;
        serde_json::from_str(&text).with_context(|| {
            format!("{}: is damaged; remove it and add the tokens again", self.path.display())
        })
    }

    fn write(&self, kept: &Kept) -> anyhow::Result<()> {
        let beside = self.path.with_extension("json.tmp");
        RealDisk.remove(&beside)?;
        // Made here and not by the disk: nobody else may read it, from its first byte on.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(serde_json::to_string_pretty(kept)?.as_bytes())?;
        file.sync_all()?;
        RealDisk.publish(&beside, &self.path)?;
        Ok(())
    }

    /// Keeps others from changing the tokens at the same time.
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

/// 128 bits from the operating system.
///
/// # Errors
/// When it gives none.
pub fn random() -> io::Result<u128> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests;
