//! Waiting after failed logins, and how many of them are told.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures without a wait: people mistype.
const FREE: u32 = 5;
/// Longest wait.
const WAIT_MAX: Duration = Duration::from_mins(15);
/// After so long without an attempt the past is forgotten.
const MEMORY: Duration = Duration::from_hours(24);
/// Accounts and addresses that are remembered; the one longest without an attempt makes room.
const KNOWN_MAX: usize = 4096;

/// What is guessed at.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Account {
    /// The claim code.
    Claim,
    /// A user, there or not: what waits must not say who there is. The hash of the name, since
    /// what stands there may be a password.
    User(String),
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn wait_until(self) -> Instant {
        self.last + wait_after(self.count)
    }
}

fn wait_after(failures: u32) -> Duration {
    match failures.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(10)).min(WAIT_MAX),
    }
}

/// Failures by account and address: somebody who guesses from elsewhere locks nobody out.
#[derive(Debug, Default)]
pub(super) struct Patience {
    failures: Mutex<HashMap<(Account, IpAddr), Failures>>,
}

impl Patience {
    /// How long until the next attempt is looked at.
    pub(super) fn wait(&self, at: &(Account, IpAddr), now: Instant) -> Option<Duration> {
        let known = self.locked().get(at).copied()?;
        let wait = known.wait_until().saturating_duration_since(now);
        (!wait.is_zero()).then_some(wait)
    }

    /// Notes a failure; how many there have been in a row.
    pub(super) fn failed(&self, at: (Account, IpAddr), now: Instant) -> u32 {
        let mut failures = self.locked();
        if failures.len() >= KNOWN_MAX && !failures.contains_key(&at) {
            failures.retain(|_, known| now.saturating_duration_since(known.last) < MEMORY);
            let oldest = failures.iter().min_by_key(|(_, known)| known.last);
            let oldest = oldest.map(|(at, _)| at.clone()).filter(|_| failures.len() >= KNOWN_MAX);
            if let Some(oldest) = oldest {
                failures.remove(&oldest);
            }
        }
        let known = failures.entry(at).or_insert(Failures { count: 0, last: now });
        if now.saturating_duration_since(known.last) >= MEMORY {
            known.count = 0;
        }
        known.count = known.count.saturating_add(1);
        known.last = now;
        known.count
    }

    /// Forgets what was before.
    pub(super) fn went_well(&self, at: &(Account, IpAddr)) {
        self.locked().remove(at);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<(Account, IpAddr), Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Failures told in an hour: a guesser must not push the audit's past out of its 64 MiB.
const TOLD_AN_HOUR: u32 = 60;

/// How many failures are told, each with the number of those before it that were not.
#[derive(Debug, Default)]
pub(super) struct Ration {
    state: Mutex<Rationed>,
}

#[derive(Debug, Default)]
struct Rationed {
    hour: Option<Instant>,
    told: u32,
    untold: u64,
}

impl Ration {
    /// `Some(untold)` when this one is to be told.
    pub(super) fn take(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = state
            .hour
            .is_none_or(|hour| now.saturating_duration_since(hour) >= Duration::from_hours(1));
        if is_new {
            (state.hour, state.told) = (Some(now), 0);
        }
        if state.told >= TOLD_AN_HOUR {
            state.untold += 1;
            return None;
        }
        state.told += 1;
        Some(std::mem::take(&mut state.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(account: &str, host: u8) -> (Account, IpAddr) {
        (Account::User(account.to_owned()), IpAddr::from([192, 0, 2, host]))
    }

    #[test]
    fn guessing_becomes_slow_for_one_account_from_one_address_alone() {
        let (patience, begin) = (Patience::default(), Instant::now());
        let (mut now, mut tried) = (begin, 0);
        while now < begin + Duration::from_hours(24) {
            now += patience.wait(&at("eva", 1), now).unwrap_or_default();
            patience.failed(at("eva", 1), now);
            tried += 1;
        }
        assert!((90..=120).contains(&tried), "{tried} guesses in a day");
        assert!(patience.wait(&at("eva", 2), now).is_none(), "eva at her own desk");
        assert!(patience.wait(&at("adam", 1), now).is_none());
        patience.went_well(&at("eva", 1));
        assert!(patience.wait(&at("eva", 1), now).is_none());
    }

    #[test]
    fn who_mistypes_does_not_wait_and_a_day_is_forgotten() {
        let (patience, now) = (Patience::default(), Instant::now());
        for _ in 0..FREE - 1 {
            patience.failed(at("eva", 1), now);
            assert_eq!(patience.wait(&at("eva", 1), now), None);
        }
        assert_eq!(patience.failed(at("eva", 1), now), FREE);
        assert_eq!(patience.wait(&at("eva", 1), now), Some(Duration::from_secs(1)));
        assert_eq!(patience.failed(at("eva", 1), now + MEMORY), 1);
    }

    #[test]
    fn it_remembers_a_bounded_number() {
        let (patience, now) = (Patience::default(), Instant::now());
        for number in 0..KNOWN_MAX + 10 {
            patience.failed(at(&number.to_string(), 1), now + Duration::from_secs(number as u64));
        }
        assert_eq!(patience.locked().len(), KNOWN_MAX);
        assert!(!patience.locked().contains_key(&at("0", 1)), "the oldest made room");
    }

    #[test]
    fn failures_beyond_the_ration_are_summed_up() {
        let (ration, begin) = (Ration::default(), Instant::now());
        for _ in 0..TOLD_AN_HOUR {
            assert_eq!(ration.take(begin), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(ration.take(begin), None);
        }
        let later = begin + Duration::from_hours(1);
        assert_eq!(ration.take(later), Some(7));
        assert_eq!(ration.take(later), Some(0));
    }
}
