//! One alarm's life, after ISA-18.2 (clause 5.6, alarm states).
//!
//! ```text
//!             raised                 acknowledged
//!   normal ──────────► unacknowledged ──────────► acknowledged ── returned ──► normal
//!      ▲                     │ returned                 (latching: latched ── reset ──► normal)
//!      └── acknowledged ── returned
//! ```
//!
//! Over these lie three ways of not telling anybody: shelved (an operator, for a time, with a
//! reason), suppressed by design (a condition in the configuration), out of service (an engineer,
//! until put back). The condition is followed all the same.
//!
//! - AL-1 A pure function of the turns it is given: the same turns give the same state.
//! - AL-2 A turn that makes no sense in the state changes nothing and says why.
//! - AL-3 When the last reason for silence ends while the condition is met, the alarm is
//!   unacknowledged, whoever acknowledged it before: nobody who looks now has seen it.

use serde::{Deserialize, Serialize};
use signals::Timestamp;

/// Where an alarm is in its life, silence apart.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// The condition is not met, and nobody has anything to do.
    #[default]
    Normal,
    /// The condition is met; nobody has said that he has seen it.
    Unacknowledged,
    /// The condition is met; somebody is on it.
    Acknowledged,
    /// The condition is met no more; nobody has said that he has seen it.
    Returned,
    /// The condition is met no more, the alarm latches, and nobody has said that he has seen it.
    LatchedUnacknowledged,
    /// The condition is met no more, the alarm latches, and waits for its reset.
    Latched,
}

impl AlarmState {
    /// As in events and answers: `normal`, `unacknowledged` …
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Unacknowledged => "unacknowledged",
            Self::Acknowledged => "acknowledged",
            Self::Returned => "returned",
            Self::LatchedUnacknowledged => "latched_unacknowledged",
            Self::Latched => "latched",
        }
    }

    /// Whether somebody has yet to say that he has seen it.
    #[must_use]
    pub const fn wants_acknowledgement(self) -> bool {
        matches!(self, Self::Unacknowledged | Self::Returned | Self::LatchedUnacknowledged)
    }
}

/// Something that happens to an alarm.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Turn {
    /// Its condition is met.
    Raised,
    /// Its condition is met no more.
    Cleared,
    /// Somebody has seen it.
    Acknowledged,
    /// Somebody resets it after it latched.
    Reset,
    /// Nobody is told until then.
    Shelved {
        /// When it ends by itself.
        until: Timestamp,
    },
    /// Told again, before its time or because it is over.
    Unshelved,
    /// The condition under which nobody is told is met.
    Suppressed,
    /// It is met no more.
    Unsuppressed,
    /// Nobody is told until it is put back.
    OutOfService,
    /// Put back.
    InService,
}

/// A turn that makes no sense now.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Senseless {
    /// Somebody has seen it already, or there is nothing to see.
    #[error("there is nothing to acknowledge; it is {}", .0.name())]
    NothingToAcknowledge(AlarmState),
    /// It is not latched, or not acknowledged yet.
    #[error("there is nothing to reset; it is {}", .0.name())]
    NothingToReset(AlarmState),
    /// It is not shelved.
    #[error("it is not shelved")]
    NotShelved,
    /// It is out of service already.
    #[error("it is out of service already")]
    OutOfServiceAlready,
    /// It is in service already.
    #[error("it is in service already")]
    InServiceAlready,
}

/// An alarm.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Where it is in its life.
    pub state: AlarmState,
    /// Whether its condition is met, as far as is known.
    pub is_met: bool,
    /// Shelved until then.
    pub shelved_until: Option<Timestamp>,
    /// Suppressed by design.
    pub is_suppressed: bool,
    /// Out of service.
    pub is_out_of_service: bool,
}

impl Alarm {
    /// Whether nobody is told.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.shelved_until.is_some() || self.is_suppressed || self.is_out_of_service
    }

    /// Whether an operator sees it among those that want something of him.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.state != AlarmState::Normal && !self.is_silent()
    }

    /// Takes a turn. `latches` is whether it waits for a reset after its condition has gone.
    ///
    /// # Errors
    /// [`Senseless`]: nothing has changed (AL-2). Turns of a condition never make no sense.
    pub fn take(&mut self, turn: &Turn, latches: bool) -> Result<(), Senseless> {
        let was_silent = self.is_silent();
        match turn {
            Turn::Raised => self.raised(),
            Turn::Cleared => self.cleared(latches),
            Turn::Acknowledged => self.state = self.acknowledged()?,
            Turn::Reset if self.state == AlarmState::Latched => self.state = AlarmState::Normal,
            Turn::Reset => return Err(Senseless::NothingToReset(self.state)),
            Turn::Shelved { until } => self.shelved_until = Some(*until),
            Turn::Unshelved if self.shelved_until.is_none() => return Err(Senseless::NotShelved),
            Turn::Unshelved => self.shelved_until = None,
            Turn::Suppressed => self.is_suppressed = true,
            Turn::Unsuppressed => self.is_suppressed = false,
            Turn::OutOfService if self.is_out_of_service => {
                return Err(Senseless::OutOfServiceAlready);
            }
            Turn::OutOfService => self.is_out_of_service = true,
            Turn::InService if !self.is_out_of_service => return Err(Senseless::InServiceAlready),
            Turn::InService => self.is_out_of_service = false,
        }
        if was_silent && !self.is_silent() {
            self.told_again();
        }
        Ok(())
    }

    fn raised(&mut self) {
        if !self.is_met {
            self.state = AlarmState::Unacknowledged;
        }
        self.is_met = true;
    }

    fn cleared(&mut self, latches: bool) {
        self.is_met = false;
        self.state = match (self.state, latches) {
            (AlarmState::Unacknowledged, false) => AlarmState::Returned,
            (AlarmState::Unacknowledged, true) => AlarmState::LatchedUnacknowledged,
            (AlarmState::Acknowledged, false) => AlarmState::Normal,
            (AlarmState::Acknowledged, true) => AlarmState::Latched,
            (state, _) => state,
        };
    }

    fn acknowledged(&self) -> Result<AlarmState, Senseless> {
        match self.state {
            AlarmState::Unacknowledged => Ok(AlarmState::Acknowledged),
            AlarmState::Returned => Ok(AlarmState::Normal),
            AlarmState::LatchedUnacknowledged => Ok(AlarmState::Latched),
            state @ (AlarmState::Normal | AlarmState::Acknowledged | AlarmState::Latched) => {
                Err(Senseless::NothingToAcknowledge(state))
            }
        }
    }

    /// The last reason for silence has ended (AL-3).
    fn told_again(&mut self) {
        if self.is_met {
            self.state = AlarmState::Unacknowledged;
        } else if self.state == AlarmState::Returned {
            // It came and went while nobody was told: there is nothing left to do.
            self.state = AlarmState::Normal;
        }
    }
}

#[cfg(test)]
mod tests;
