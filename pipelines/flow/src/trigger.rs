//! Triggers: from what a rule's conditions say of each sample to a start and an end.
//!
//! ```text
//!            raise for `on_for`              clear for `off_for`
//!   off ──► rising ──────────────► on ──► falling ──────────────► off
//! ```
//!
//! - T-1 What is not known (a null, a bad quality, a value too old) neither starts nor ends
//!   anything. A stretch of which more than `unknown_max` is not known proves no duration.
//! - T-2 A clock that steps, either way, proves no duration either: the stretch begins again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use signals::Timestamp;

/// How long a condition must hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TriggerSettings {
    /// How long the raising condition must be true before it starts; zero: the first time.
    pub on_for: Duration,
    /// How long the clearing condition must be true before it ends.
    pub off_for: Duration,
    /// Longest time between two known verdicts of one stretch.
    pub unknown_max: Duration,
}

/// What the conditions say of one sample; `None` is not known.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Verdict {
    /// Whether it should start.
    pub raise: Option<bool>,
    /// Whether it should end.
    pub clear: Option<bool>,
}

/// What a verdict has brought about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// It is on; its condition was met first at `since`.
    Started {
        /// The first sample of the stretch.
        since: Timestamp,
    },
    /// It is off; its clearing condition was met first at `since`.
    Ended {
        /// The first sample of the stretch.
        since: Timestamp,
    },
}

/// A stretch of samples that all say the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
struct Stretch {
    since: Timestamp,
    last: Timestamp,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    #[default]
    Off,
    Rising(Stretch),
    On,
    Falling(Stretch),
}

/// The memory of one rule: 24 bytes, the same for any history.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    state: State,
}

impl Trigger {
    /// Whether it has started and not ended.
    #[must_use]
    pub fn is_on(&self) -> bool {
        matches!(self.state, State::On | State::Falling(_))
    }

    /// Takes the verdict of a sample at `ts`.
    pub fn step(
        &mut self,
        settings: &TriggerSettings,
        ts: Timestamp,
        verdict: Verdict,
    ) -> Option<Change> {
        if self.is_on() {
            self.step_on(settings, ts, verdict)
        } else {
            self.step_off(settings, ts, verdict)
        }
    }

    fn step_off(
        &mut self,
        settings: &TriggerSettings,
        ts: Timestamp,
        verdict: Verdict,
    ) -> Option<Change> {
        match verdict.raise {
            Some(true) => {}
            Some(false) => {
                self.state = State::Off;
                return None;
            }
            None => return None,
        }
        let before = match self.state {
            State::Rising(stretch) => Some(stretch),
            State::Off | State::On | State::Falling(_) => None,
        };
        let stretch = Stretch::extended(before, ts, settings.unknown_max);
        let is_long_enough = stretch.holds(settings.on_for);
        self.state = if is_long_enough { State::On } else { State::Rising(stretch) };
        is_long_enough.then_some(Change::Started { since: stretch.since })
    }

    fn step_on(
        &mut self,
        settings: &TriggerSettings,
        ts: Timestamp,
        verdict: Verdict,
    ) -> Option<Change> {
        // Between the two conditions of a hysteresis, and where both are met, it stays on.
        match (verdict.raise, verdict.clear) {
            (Some(false) | None, Some(true)) => {}
            (Some(true), _) | (_, Some(false)) => {
                self.state = State::On;
                return None;
            }
            (Some(false) | None, None) => return None,
        }
        let before = match self.state {
            State::Falling(stretch) => Some(stretch),
            State::Off | State::On | State::Rising(_) => None,
        };
        let stretch = Stretch::extended(before, ts, settings.unknown_max);
        let is_long_enough = stretch.holds(settings.off_for);
        self.state = if is_long_enough { State::Off } else { State::Falling(stretch) };
        is_long_enough.then_some(Change::Ended { since: stretch.since })
    }
}

impl Stretch {
    /// The stretch with one more sample; a new one where there is none, or where the sample does
    /// not follow (T-1, T-2).
    fn extended(before: Option<Self>, ts: Timestamp, unknown_max: Duration) -> Self {
        let follows = |stretch: &Self| {
            let apart = ts.micros().checked_sub(stretch.last.micros()).map(u64::try_from);
            matches!(apart, Some(Ok(micros)) if Duration::from_micros(micros) <= unknown_max)
        };
        match before.filter(follows) {
            Some(stretch) => Self { last: ts, ..stretch },
            None => Self { since: ts, last: ts },
        }
    }

    fn holds(&self, wanted: Duration) -> bool {
        let micros = self.last.micros().saturating_sub(self.since.micros());
        u64::try_from(micros).is_ok_and(|micros| Duration::from_micros(micros) >= wanted)
    }
}

#[cfg(test)]
mod tests;
