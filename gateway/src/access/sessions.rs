//! Who is logged in. In memory: a restart ends every session.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Role;
use crate::audit::hash_of;

/// Sessions there may be; the one that was longest without a request makes room.
const SESSIONS_MAX: usize = 256;
/// Without a request for so long, a session of somebody who may do more than read has ended.
const IDLE_MAX: Duration = Duration::from_hours(12);
/// Longest life of a session: a wall display logs in once a month.
const AGE_MAX: Duration = Duration::from_hours(30 * 24);

/// A session as its user and its password are found again.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) user: String,
    /// Stamp of the password that opened it.
    pub(super) stamp: String,
    role: Role,
    from: IpAddr,
    opened: Instant,
    used: Instant,
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        let idle = now.saturating_duration_since(self.used);
        now.saturating_duration_since(self.opened) > AGE_MAX
            || (self.role > Role::Viewer && idle > IDLE_MAX)
    }
}

/// A session as an admin sees it.
#[derive(Clone, Debug, Serialize)]
pub struct SessionTold {
    /// Names it; opens nothing.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// From where it was opened.
    pub from: IpAddr,
    /// Seconds since it was opened.
    pub age_s: u64,
    /// Seconds since its last request.
    pub idle_s: u64,
}

/// Digits of a session's hash that name it.
const ID_DIGITS: usize = 16;

/// All sessions, by the hash of their cookies.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<String, Session>>,
}

impl Sessions {
    /// A new one for `cookie`.
    pub(super) fn open(&self, cookie: &str, user: (&str, String, Role), from: IpAddr) -> String {
        let (now, id) = (Instant::now(), hash_of(cookie.as_bytes()));
        let (user, stamp, role) = user;
        let mut open = self.locked();
        open.retain(|_, session| !session.is_over(now));
        if open.len() >= SESSIONS_MAX {
            let oldest = open.iter().min_by_key(|(_, session)| session.used);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                tracing::warn!("{SESSIONS_MAX} sessions are open; the one longest at rest ends");
                open.remove(&oldest);
            }
        }
        let user = user.to_owned();
        open.insert(id.clone(), Session { user, stamp, role, from, opened: now, used: now });
        id
    }

    /// The session of that hash, if it is not over.
    pub(super) fn find(&self, id: &str, now: Instant) -> Option<Session> {
        let mut open = self.locked();
        if open.get(id)?.is_over(now) {
            open.remove(id);
            return None;
        }
        open.get(id).cloned()
    }

    /// Notes a request of somebody with that role; `None` when it was closed meanwhile.
    pub(super) fn touch(&self, id: &str, role: Role, now: Instant) -> Option<()> {
        let mut open = self.locked();
        let session = open.get_mut(id)?;
        (session.used, session.role) = (now, role);
        Some(())
    }

    /// Ends one.
    pub(super) fn close(&self, id: &str) {
        self.locked().remove(id);
    }

    /// Ends the one whose hash begins so; whose it was.
    pub(super) fn close_named(&self, name: &str) -> Option<String> {
        let mut open = self.locked();
        let id = open.keys().find(|id| id.get(..ID_DIGITS) == Some(name))?.clone();
        open.remove(&id).map(|session| session.user)
    }

    /// Ends all of a user, but for one.
    pub(super) fn close_of(&self, user: &str, but: Option<&str>) {
        self.locked().retain(|id, session| session.user != user || but == Some(id));
    }

    /// Gives one the stamp of a new password.
    pub(super) fn keep(&self, id: &str, stamp: String) {
        if let Some(session) = self.locked().get_mut(id) {
            session.stamp = stamp;
        }
    }

    /// All that are not over, newest first.
    pub(super) fn list(&self, now: Instant) -> Vec<SessionTold> {
        let open = self.locked();
        let mut open: Vec<_> = open.iter().filter(|(_, session)| !session.is_over(now)).collect();
        open.sort_by_key(|(_, session)| Reverse(session.opened));
        open.into_iter()
            .map(|(id, session)| SessionTold {
                id: id.get(..ID_DIGITS).unwrap_or_default().to_owned(),
                user: session.user.clone(),
                from: session.from,
                age_s: now.saturating_duration_since(session.opened).as_secs(),
                idle_s: now.saturating_duration_since(session.used).as_secs(),
            })
            .collect()
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn opened(sessions: &Sessions, cookie: &str, role: Role) -> String {
        sessions.open(cookie, ("eva", "stamp".to_owned(), role), HERE)
    }

    #[test]
    fn a_session_at_rest_ends_but_a_display_stays() {
        let sessions = Sessions::default();
        let (begin, desk) = (Instant::now(), opened(&sessions, "desk", Role::Operator));
        let wall = opened(&sessions, "wall", Role::Viewer);
        let later = begin + Duration::from_secs(11 * 3_600);
        assert!(sessions.find(&desk, later).is_some());
        sessions.touch(&desk, Role::Operator, later).unwrap();
        assert!(sessions.find(&desk, later + IDLE_MAX).is_some(), "a request counts");
        let much_later = later + IDLE_MAX + Duration::from_secs(2);
        assert!(sessions.find(&desk, much_later).is_none());
        assert!(sessions.touch(&desk, Role::Operator, much_later).is_none());
        assert!(sessions.find(&wall, much_later).is_some());
        assert!(sessions.find(&wall, begin + AGE_MAX + Duration::from_secs(60)).is_none());
    }

    #[test]
    fn there_is_a_bound_and_the_longest_at_rest_makes_room() {
        let sessions = Sessions::default();
        let first = opened(&sessions, "first", Role::Viewer);
        let second = opened(&sessions, "second", Role::Viewer);
        sessions.touch(&first, Role::Viewer, Instant::now() + Duration::from_secs(1)).unwrap();
        for number in 2..=SESSIONS_MAX {
            opened(&sessions, &format!("cookie {number}"), Role::Viewer);
        }
        assert_eq!(sessions.list(Instant::now()).len(), SESSIONS_MAX);
        assert!(sessions.find(&first, Instant::now()).is_some());
        assert!(sessions.find(&second, Instant::now()).is_none());
    }

    #[test]
    fn what_names_a_session_does_not_open_it() {
        let sessions = Sessions::default();
        let id = opened(&sessions, "cookie", Role::Admin);
        let other = opened(&sessions, "other", Role::Admin);
        let named = id[..ID_DIGITS].to_owned();
        assert!(sessions.find(&hash_of(named.as_bytes()), Instant::now()).is_none());
        assert_eq!(sessions.close_named(&named).as_deref(), Some("eva"));
        assert_eq!(sessions.close_named(&named), None);
        assert!(sessions.find(&id, Instant::now()).is_none());
        sessions.close_of("eva", Some(&other));
        assert!(sessions.find(&other, Instant::now()).is_some());
        sessions.close_of("eva", None);
        assert!(sessions.find(&other, Instant::now()).is_none());
    }
}
