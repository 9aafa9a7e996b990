//! Writing in two steps: the token of the first, bound to tag, value and user.

use std::collections::VecDeque;
use std::time::Duration;

use super::command::Command;
use super::outcome::Confirm;

/// How long a token holds.
const VALID: Duration = Duration::from_secs(30);
/// Tokens of one line that wait for their second step; beyond, the oldest is given up.
const OPEN_MAX: usize = 64;

/// Tokens that were given out and not used yet.
#[derive(Debug, Default)]
pub(super) struct Confirmations {
    open: VecDeque<Open>,
}

#[derive(Debug)]
struct Open {
    token: String,
    path: String,
    /// The value as it is written in audit records; two ways to write a number are two values.
    value: String,
    who: String,
    until: Duration,
}

impl Confirmations {
    /// A token for the second step; `random` must not be guessable.
    pub(super) fn issue(&mut self, command: &Command, random: u128, now: Duration) -> Confirm {
        self.open.retain(|open| open.until > now);
        if self.open.len() == OPEN_MAX {
            self.open.pop_front();
        }
        let token = format!("{random:032x}");
        self.open.push_back(Open {
            token: token.clone(),
            path: command.path.clone(),
            value: command.value.to_string(),
            who: command.who.clone(),
            until: now + VALID,
        });
        Confirm { token, seconds: VALID.as_secs() }
    }

    /// Whether the token is of this very command. It is used up, right or wrong.
    pub(super) fn redeem(&mut self, command: &Command, token: &str, now: Duration) -> bool {
        let place = self.open.iter().position(|open| open.token == token);
        let Some(open) = place.and_then(|place| self.open.remove(place)) else { return false };
        open.until > now
            && open.path == command.path
            && open.value == command.value.to_string()
            && open.who == command.who
    }
}

#[cfg(test)]
mod tests;
