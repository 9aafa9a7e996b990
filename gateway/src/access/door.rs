//! Logging in, claiming, and changing who may. What was done is in the audit before it is told.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use signals::{Severity, Timestamp};

use super::patience::Account;
use super::{Access, AccessError, Caller, Means, Role, User, password, place_of, secret};
use crate::audit::hash_of;

/// Failures in a row that are worth an event.
const GUESSING: u32 = 5;
/// Longest life of a token that ends by itself.
const TOKEN_DAYS_MAX: u32 = 3_660;

/// Somebody who has come in.
#[derive(Debug)]
pub struct Entered {
    /// The secret of the session: for the cookie, and nowhere else.
    pub cookie: String,
    /// Who it is.
    pub caller: Caller,
}

/// Why somebody was not let in.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Too many failures: nothing is looked at until then.
    #[error("too many failed attempts; the next one is looked at in {} s", .0.as_secs() + 1)]
    Wait(Duration),
    /// The name or the password is wrong, or the code.
    #[error("that is not right")]
    Wrong,
    /// Too many log in at once.
    #[error("too many log in at this moment")]
    Busy,
    /// Something about what was given, or about the files.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl From<anyhow::Error> for EntryError {
    fn from(err: anyhow::Error) -> Self {
        Self::Access(AccessError::Broken(err))
    }
}

impl Access {
    /// Opens a session for who knows the password.
    ///
    /// # Errors
    /// [`EntryError`].
    pub async fn log_in(
        self: &Arc<Self>,
        name: String,
        password: String,
        from: SocketAddr,
    ) -> Result<Entered, EntryError> {
        self.in_turn(move |access| access.try_password(&name, &password, from.ip())).await
    }

    /// Makes the first admin of who knows the code, and opens a session for them.
    ///
    /// # Errors
    /// [`EntryError`].
    pub async fn claim(
        self: &Arc<Self>,
        code: String,
        (name, password): (String, String),
        from: SocketAddr,
    ) -> Result<Entered, EntryError> {
        self.in_turn(move |access| access.try_code(&code, (&name, &password), from.ip())).await
    }

    /// Work that hashes a password, one at a time. The turn ends with the work, not with the
    /// request: who hangs up does not make room for another guess.
    ///
    /// # Errors
    /// That of the work; [`EntryError::Busy`] when too many wait.
    pub async fn in_turn<T: Send + 'static, E: From<EntryError> + Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let Ok(place) = Arc::clone(&self.lobby).try_acquire_owned() else {
            return Err(EntryError::Busy.into());
        };
        let Ok(turn) = Arc::clone(&self.turn).acquire_owned().await else {
            return Err(EntryError::Busy.into());
        };
        let access = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&access);
            drop((turn, place));
            done
        });
        done.await.unwrap_or_else(|err| Err(EntryError::from(anyhow::Error::from(err)).into()))
    }

    fn try_password(&self, name: &str, given: &str, from: IpAddr) -> Result<Entered, EntryError> {
        let at = (Account::User(hash_of(name.as_bytes())), place_of(from));
        if let Some(wait) = self.patience.wait(&at, Instant::now()) {
            return Err(EntryError::Wait(wait));
        }
        let fits = given.len() <= password::BYTES_MAX;
        let user = self.users.find(name)?.filter(|_| fits);
        let is_right = match &user {
            Some(user) => user.has_password(given),
            None => password::is("", None),
        };
        let Some(user) = user.filter(|_| is_right) else {
            let known = self.users.find(name)?.map(|user| user.name);
            let row = self.patience.failed(at, Instant::now());
            self.tell_failure("login_failed", known.as_deref(), (from, row));
            return Err(EntryError::Wrong);
        };
        self.patience.went_well(&at);
        let body = json!({ "at": self.clock.now(), "who": user.name, "from": from });
        self.told("login", &body, None);
        self.enter(&user, from)
    }

    fn try_code(
        &self,
        code: &str,
        (name, password): (&str, &str),
        from: IpAddr,
    ) -> Result<Entered, EntryError> {
        let at = (Account::Claim, place_of(from));
        if let Some(wait) = self.patience.wait(&at, Instant::now()) {
            return Err(EntryError::Wait(wait));
        }
        if self.users.is_claimed()? {
            let told = "the gateway is claimed already; log in, or ask an admin for an account";
            return Err(AccessError::Conflict(told.to_owned()).into());
        }
        if !self.claim.is(code)? {
            let row = self.patience.failed(at, Instant::now());
            self.tell_failure("claim_failed", None, (from, row));
            return Err(EntryError::Wrong);
        }
        self.patience.went_well(&at);
        let now = self.clock.now();
        self.inside(|| self.users.claim(name, (password, now)))?;
        if let Err(err) = self.claim.forget() {
            // It opens nothing any more, and is another one when it ever does again.
            tracing::warn!("the claim code cannot be removed: {err}");
        }
        let message = format!("claimed by {name}, from {from}");
        tracing::info!("the gateway is {message}");
        let body = json!({ "at": now, "who": name, "from": from });
        self.told("claimed", &body, Some((Severity::Note, &message)));
        let user = self.users.find(name)?.ok_or_else(|| anyhow::anyhow!("{name} is gone"))?;
        self.enter(&user, from)
    }

    fn enter(&self, user: &User, from: IpAddr) -> Result<Entered, EntryError> {
        let cookie = secret()?;
        let id = self.sessions.open(&cookie, (&user.name, user.stamp(), user.role), from);
        let means = Means::Session(id);
        Ok(Entered { cookie, caller: Caller { name: user.name.clone(), role: user.role, means } })
    }

    /// A name that nobody has is not told: people type passwords there.
    fn tell_failure(&self, kind: &str, known: Option<&str>, (from, row): (IpAddr, u32)) {
        let Some(untold) = self.ration.take(Instant::now()) else { return };
        let who = known.unwrap_or("a name that nobody has");
        let what =
            if kind == "claim_failed" { "claiming".to_owned() } else { format!("{who}: login") };
        let message = format!("{what} failed {row} times in a row, from {from}");
        tracing::warn!("{message}");
        let body = json!({
            "at": self.clock.now(), "who": known, "from": from, "in_a_row": row, "untold": untold,
        });
        let told = (row == GUESSING).then_some((Severity::Advisory, message.as_str()));
        self.told(kind, &body, told);
    }

    /// Into the audit; who comes in is let in also when the disk is full, to make room on it.
    fn told(&self, kind: &str, body: &Json, told: Option<(Severity, &str)>) {
        if let Err(err) = self.audit.record(kind, body, told) {
            tracing::error!("{kind} is not in the audit: {err}; check the disk");
        }
    }

    /// Ends the caller's session.
    pub fn log_out(&self, caller: &Caller, from: SocketAddr) {
        if let Means::Session(id) = &caller.means {
            self.sessions.close(id);
            let body = json!({ "at": self.clock.now(), "who": caller.name, "from": from.ip() });
            self.told("logout", &body, None);
        }
    }

    /// Gives the caller another password; their other sessions end. Takes a while.
    ///
    /// # Errors
    /// [`EntryError`]; after failures the old password is looked at slowly too.
    pub fn change_own_password(
        &self,
        caller: &Caller,
        (old, new): (&str, &str),
        from: SocketAddr,
    ) -> Result<(), EntryError> {
        let at = (Account::User(hash_of(caller.name.as_bytes())), place_of(from.ip()));
        if let Some(wait) = self.patience.wait(&at, Instant::now()) {
            return Err(EntryError::Wait(wait));
        }
        let user = self.users.find(&caller.name)?;
        let is_right = old.len() <= password::BYTES_MAX
            && user.as_ref().is_some_and(|user| user.has_password(old));
        if !is_right {
            let row = self.patience.failed(at, Instant::now());
            self.tell_failure("login_failed", Some(&caller.name), (from.ip(), row));
            return Err(EntryError::Wrong);
        }
        self.inside(|| self.users.set_password(&caller.name, new))?;
        if let (Means::Session(id), Some(user)) = (&caller.means, self.users.find(&caller.name)?) {
            self.sessions.keep(id, user.stamp());
            self.sessions.close_of(&caller.name, Some(id));
        }
        self.changed(caller, from, ("password_changed", &caller.name, Json::Null))?;
        Ok(())
    }

    /// A new user. Takes a while.
    ///
    /// # Errors
    /// [`AccessError`].
    pub fn add_user(
        &self,
        (by, from): (&Caller, SocketAddr),
        (name, role): (&str, Role),
        password: &str,
    ) -> Result<(), AccessError> {
        if self.tokens.list()?.iter().any(|token| token.name == name) {
            let told = format!("there is a token of {name}; records could not tell one from both");
            return Err(AccessError::Conflict(told));
        }
        self.inside(|| self.users.add(name, role, (password, self.clock.now())))?;
        self.changed(by, from, ("user_added", name, json!({ "role": role })))
    }

    /// Another role, another password, or both. Takes a while with a password.
    ///
    /// # Errors
    /// [`AccessError`].
    pub fn change_user(
        &self,
        (by, from): (&Caller, SocketAddr),
        name: &str,
        (role, password): (Option<Role>, Option<&str>),
    ) -> Result<(), AccessError> {
        if let Some(password) = password {
            self.inside(|| self.users.set_password(name, password))?;
            self.sessions.close_of(name, None);
            self.changed(by, from, ("password_changed", name, Json::Null))?;
        }
        if let Some(role) = role {
            self.inside(|| self.users.set_role(name, role))?;
            self.changed(by, from, ("role_changed", name, json!({ "role": role })))?;
        }
        Ok(())
    }

    /// Takes a user away; their sessions end.
    ///
    /// # Errors
    /// [`AccessError`].
    pub fn remove_user(
        &self,
        (by, from): (&Caller, SocketAddr),
        name: &str,
    ) -> Result<(), AccessError> {
        self.inside(|| self.users.remove(name))?;
        self.sessions.close_of(name, None);
        self.changed(by, from, ("user_removed", name, Json::Null))
    }

    /// A new token; what comes back is shown once.
    ///
    /// # Errors
    /// [`AccessError`].
    pub fn add_token(
        &self,
        (by, from): (&Caller, SocketAddr),
        (name, role): (&str, Role),
        days: Option<u32>,
    ) -> Result<(String, Option<Timestamp>), AccessError> {
        if self.users.find(name)?.is_some() {
            let told = format!("there is a user {name}; records could not tell one from both");
            return Err(AccessError::Conflict(told));
        }
        let now = self.clock.now();
        let expires = match days {
            None => None,
            Some(days @ 1..=TOKEN_DAYS_MAX) => {
                Some(now.plus(Duration::from_hours(24 * u64::from(days))))
            }
            Some(days) => {
                let told = format!("{days} days are none; give 1 to {TOKEN_DAYS_MAX}");
                return Err(AccessError::Unfit(told));
            }
        };
        let token = self.inside(|| self.tokens.add(name, role, (now, expires)))?;
        self.changed(by, from, ("token_added", name, json!({ "role": role, "expires": expires })))?;
        Ok((token, expires))
    }

    /// Makes a token worthless.
    ///
    /// # Errors
    /// [`AccessError`].
    pub fn revoke_token(
        &self,
        (by, from): (&Caller, SocketAddr),
        name: &str,
    ) -> Result<(), AccessError> {
        self.inside(|| self.tokens.revoke(name))?;
        self.changed(by, from, ("token_revoked", name, Json::Null))
    }

    /// Ends a session by what names it.
    ///
    /// # Errors
    /// [`AccessError`].
    pub fn end_session(
        &self,
        (by, from): (&Caller, SocketAddr),
        id: &str,
    ) -> Result<(), AccessError> {
        let Some(user) = self.sessions.close_named(id) else {
            return Err(AccessError::Unknown("there is no such session any more".to_owned()));
        };
        self.changed(by, from, ("session_ended", &user, Json::Null))
    }

    fn changed(
        &self,
        by: &Caller,
        from: SocketAddr,
        (kind, subject, details): (&str, &str, Json),
    ) -> Result<(), AccessError> {
        let message = format!("{}: {subject}, by {}", kind.replace('_', " "), by.name);
        tracing::info!("{message}");
        let body = json!({
            "at": self.clock.now(),
            "who": by.name,
            "from": from.ip(),
            "subject": subject,
            "details": details,
        });
        let recorded = self.audit.record(kind, &body, Some((Severity::Note, &message)));
        recorded.map(drop).map_err(|err| {
            let told = format!("it was done and is not in the audit; check the disk ({message})");
            AccessError::Broken(anyhow::Error::from(err).context(told))
        })
    }
}
