//! Who may do what: users, tokens, sessions, and the claim of a new gateway.
//!
//! AC-1 Nobody is let in by default. A route cannot be written without saying what it needs, a
//!      caller who says nothing is nobody, and there is no password before somebody has claimed
//!      the gateway with a code that only its owner can read.
//! AC-2 A user, token or session that was taken away opens nothing from the next request on, also
//!      when a command on the box took it; a live connection of it ends within two seconds.
//! AC-3 No password, token, session or claim code is in a log, an event or a record of the audit.
//!      What is kept of them are hashes, but for the claim code and the token of local commands,
//!      whose files only the gateway's account can read.
//! AC-4 Guessing is slow, for each account from each address, and never locks an owner out from
//!      another address. One password is tried at a time.
//!
//! | module | part |
//! |---|---|
//! | `kept` | a JSON file that its owner alone can read |
//! | `users`, `tokens` | people, and programs |
//! | `password` | argon2id, and what a password must be |
//! | `sessions` | who is logged in |
//! | `claim` | the code that makes the first admin |
//! | `local` | the token of commands on the box |
//! | `patience` | waiting after failures; how many of them are told |
//! | `door` | logging in, claiming, changing who may |
//! | `outside` | changes that came another way, told all the same |

mod claim;
mod door;
mod kept;
mod local;
mod outside;
mod password;
mod patience;
mod sessions;
mod tokens;
mod users;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use signals::Clock;
use tokio::sync::Semaphore;

pub use claim::ClaimCode;
pub use door::{Entered, EntryError};
pub(crate) use kept::publish as publish_secret;
pub use local::LocalToken;
pub use sessions::SessionTold;
pub use tokens::{Token, Tokens};
pub use users::{User, Users};

use crate::audit::Audit;
use crate::config::Reading;
use outside::Outside;
use patience::{Patience, Ration};
use sessions::Sessions;

/// What somebody may do; each role may what those before it may.
#[derive(
    Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Handles alarms and writes tags of the allow-list.
    Operator,
    /// Changes the configuration as well.
    Engineer,
    /// Says who may, as well.
    Admin,
}

impl Role {
    /// `viewer`, `operator`, `engineer`, `admin`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Engineer => "engineer",
            Self::Admin => "admin",
        }
    }
}

/// By what a caller is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Means {
    /// A session of the page; the hash of its cookie.
    Session(String),
    /// A token; its hash.
    Token(String),
    /// The token of commands on this machine.
    Local,
}

/// Somebody who is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The `who` of records.
    pub name: String,
    /// What they may.
    pub role: Role,
    /// By what they are known.
    pub means: Means,
}

/// Why something about users or tokens was not done.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Something in it is not as it must be.
    #[error("{0}")]
    Unfit(String),
    /// There is no such user, token or session.
    #[error("{0}")]
    Unknown(String),
    /// It does not go with what there is.
    #[error("{0}")]
    Conflict(String),
    /// Files cannot be read or written.
    #[error("{0:#}")]
    Broken(#[from] anyhow::Error),
}

/// Who may, for one gateway.
pub struct Access {
    /// People.
    pub users: Users,
    /// Programs.
    pub tokens: Tokens,
    /// The code that makes the first admin.
    pub claim: ClaimCode,
    /// Whether reading needs a login.
    pub reading: Reading,
    /// Name of the session's cookie: two gateways behind one host name do not take each other's.
    pub cookie: String,
    local: LocalToken,
    outside: Outside,
    sessions: Sessions,
    patience: Patience,
    ration: Ration,
    audit: Arc<Audit>,
    clock: Arc<dyn Clock>,
    /// One password is tried at a time: each takes 19 MiB.
    turn: Arc<Semaphore>,
    /// How many may wait for their turn.
    lobby: Arc<Semaphore>,
}

/// Logins that may wait for their turn; one more is told to come back.
const LOBBY: usize = 8;

impl Access {
    /// Who may, as `data` says. Opens and writes nothing.
    #[must_use]
    pub fn new(
        gateway: &str,
        data: &Path,
        reading: Reading,
        (audit, clock): (Arc<Audit>, Arc<dyn Clock>),
    ) -> Self {
        Self {
            users: Users::of(data),
            tokens: Tokens::of(data),
            claim: ClaimCode::of(data),
            reading,
            cookie: format!("fieldgate_{gateway}"),
            local: LocalToken::of(data),
            outside: Outside::of(data),
            sessions: Sessions::default(),
            patience: Patience::default(),
            ration: Ration::default(),
            audit,
            clock,
            turn: Arc::new(Semaphore::new(1)),
            lobby: Arc::new(Semaphore::new(LOBBY)),
        }
    }

    /// Makes what a start makes: the token of local commands, and the claim code where nobody has
    /// claimed the gateway. Tells what has changed while nothing ran. The audit must be open.
    ///
    /// A full disk or a damaged file keeps people out, not samples: it is told, and the start goes
    /// on.
    pub fn open(&self) {
        let code =
            || if self.users.is_claimed()? { Ok(()) } else { self.claim.current().map(drop) };
        for made in [self.local.renew(), code(), self.look_outside()] {
            if let Err(err) = made {
                tracing::error!("access: {err:#}; until then some or all may not come in");
            }
        }
    }

    /// Whose token it is; `None` when nobody's. Reads files.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn by_token(&self, token: &str) -> anyhow::Result<Option<Caller>> {
        if self.local.is(token) {
            let name = "local".to_owned();
            return Ok(Some(Caller { name, role: Role::Viewer, means: Means::Local }));
        }
        let known = self.tokens.bearer(token, self.clock.now())?;
        Ok(known.map(|token| Caller {
            means: Means::Token(token.sha256().to_owned()),
            name: token.name,
            role: token.role,
        }))
    }

    /// Whose session it is; `None` when nobody's. Its user is looked up anew. Reads files.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn by_cookie(&self, cookie: &str) -> anyhow::Result<Option<Caller>> {
        let id = crate::audit::hash_of(cookie.as_bytes());
        let Some(user) = self.user_of(&id)? else { return Ok(None) };
        let Some(()) = self.sessions.touch(&id, user.role, Instant::now()) else { return Ok(None) };
        Ok(Some(Caller { name: user.name, role: user.role, means: Means::Session(id) }))
    }

    fn user_of(&self, id: &str) -> anyhow::Result<Option<User>> {
        let Some(session) = self.sessions.find(id, Instant::now()) else { return Ok(None) };
        let user = self.users.find(&session.user)?;
        // A new password ends every session that was opened with the old one.
        let user = user.filter(|user| user.stamp() == session.stamp);
        if user.is_none() {
            self.sessions.close(id);
        }
        Ok(user)
    }

    /// Whether the caller is still known. No request of a session: it does not keep it open. Reads
    /// files.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn still(&self, caller: &Caller) -> anyhow::Result<bool> {
        Ok(match &caller.means {
            Means::Local => true,
            Means::Token(sha256) => self.tokens.by_hash(sha256, self.clock.now())?.is_some(),
            Means::Session(id) => self.user_of(id)?.is_some(),
        })
    }

    /// Open sessions, newest first.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionTold> {
        self.sessions.list(Instant::now())
    }
}

/// The part of an address that one customer of a network has: all of IPv4, 64 bits of IPv6.
fn place_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => {
            let network = u128::from(ip) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
    }
}

/// A name for a user or a token.
///
/// # Errors
/// When it is empty, too long, or has characters that make one name look like another.
fn check_name(name: &str) -> Result<(), AccessError> {
    let is_name = |c: char| c.is_alphanumeric() || "-_.@ ".contains(c);
    let fits =
        !name.is_empty() && name.len() <= 64 && name.chars().all(is_name) && name.trim() == name;
    if fits && name != "local" {
        return Ok(());
    }
    let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
    Err(AccessError::Unfit(format!(
        "\"{shown}\" cannot be a name; use up to 64 letters, digits, - _ . @ (\"local\" is taken)"
    )))
}

/// 256 bits from the operating system, as 64 hexadecimal digits.
///
/// # Errors
/// When it gives none.
fn secret() -> anyhow::Result<String> {
    Ok(format!("{:032x}{:032x}", random()?, random()?))
}

/// 128 bits from the operating system.
///
/// # Errors
/// When it gives none.
pub fn random() -> std::io::Result<u128> {
    use std::io::Read as _;
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests;
