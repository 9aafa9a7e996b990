//! What became of a command: one of seven outcomes, and the reasons of a refusal.

use std::time::Duration;

use serde::Serialize;

use super::command::Setting;

/// What became of a command. What is not known is said to be unknown.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The device shows the value that was written.
    ConfirmedByReadback,
    /// The device said yes; nobody looked, or nobody could.
    Acknowledged,
    /// The device shows another value than the one written.
    ReadbackMismatch,
    /// The device refused, with this exception code: nothing was written.
    Rejected(u8),
    /// It may or may not have been written, and the device could not be asked.
    Unknown,
    /// The gateway refused: nothing was sent.
    Refused(Refusal),
    /// The device could not be reached: nothing was sent.
    NotConnected,
}

impl Outcome {
    /// Its stable name: `confirmed_by_readback`, `rejected_exc_2`, `refused_by_policy` …
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::ConfirmedByReadback => "confirmed_by_readback".to_owned(),
            Self::Acknowledged => "acknowledged".to_owned(),
            Self::ReadbackMismatch => "readback_mismatch".to_owned(),
            Self::Rejected(code) => format!("rejected_exc_{code}"),
            Self::Unknown => "outcome_unknown".to_owned(),
            Self::Refused(_) => "refused_by_policy".to_owned(),
            Self::NotConnected => "not_connected".to_owned(),
        }
    }
}

/// Why the gateway did not send a command.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The global switch is off.
    #[error("writing is switched off; set `enabled = true` in [writes]")]
    Disabled,
    /// The tag is not in the allow-list.
    #[error("{0} may not be written; give the tag a `write` key if it is meant to be")]
    NotWritable(String),
    /// The tag cannot hold the value.
    #[error("{0}")]
    Type(String),
    /// The value is below the limit.
    #[error("{value} is below the limit {min}; give a value within the limits")]
    BelowMin {
        /// The value asked for, or what would be written for it.
        value: f64,
        /// The limit.
        min: f64,
    },
    /// The value is above the limit.
    #[error("{value} is above the limit {max}; give a value within the limits")]
    AboveMax {
        /// The value asked for, or what would be written for it.
        value: f64,
        /// The limit.
        max: f64,
    },
    /// The value is none of those there are.
    #[error("{0} is none of the values that may be written; give one of `values`")]
    NotAmongValues(Setting),
    /// The change is too great for one write.
    #[error("from {old} to {new} is more than {step_max} at once; go in smaller steps")]
    Step {
        /// The value read right before.
        old: f64,
        /// The value asked for.
        new: f64,
        /// The greatest change.
        step_max: f64,
    },
    /// The last write of the tag is not long enough ago.
    #[error("the tag was written a moment ago; wait {} ms", .0.as_millis())]
    TooSoon(Duration),
    /// The token does not belong to this command, was used, or is too old.
    #[error("the confirm token is wrong, used or older than 30 s; ask again without a token")]
    WrongToken,
    /// The tag has another value than the one expected.
    #[error("the tag has the value {0}, not the expected one; look, then decide again")]
    OldDiffers(Setting),
    /// What the limits need to know of the present value could not be read.
    #[error(
        "the present value could not be read ({0}), and a limit depends on it; check the device"
    )]
    OldUnknown(String),
    /// The interlock does not allow it.
    #[error("the interlock {path} does not allow it: {state}; see to it at the machine")]
    Interlock {
        /// The tag that must be good and true.
        path: String,
        /// What it is instead.
        state: String,
    },
    /// It came too late.
    #[error("the command was to be carried out by {0}; give a new one")]
    Expired(String),
    /// A command from a cloud without an expiry.
    #[error("a command from a cloud must say until when it holds; give `not_after`")]
    NoExpiry,
    /// An expiry cannot be held against a clock that nobody has set.
    #[error("the gateway's clock is not set, so the expiry cannot be checked; set the clock")]
    ClockNotSet,
    /// The value does not fit in one request with the functions the device takes.
    #[error(
        "the value takes {0} registers, which this device does not take in one request; \
         nothing is written in parts"
    )]
    NotOneRequest(usize),
    /// Unit 0 without the flag for it.
    #[error("unit 0 is a broadcast to all devices; set `broadcast = true` if it is meant")]
    Broadcast,
    /// A limit that needs an answer, on a broadcast.
    #[error("nobody answers a broadcast, so {0} cannot be checked; write the devices one by one")]
    BroadcastBlind(&'static str),
    /// Too many commands are waiting.
    #[error("16 commands are waiting for this line already; wait for their outcome")]
    QueueFull,
    /// The line was not free in time.
    #[error("the line was not free within {} s; see its utilisation, then ask again", .0.as_secs())]
    Waited(Duration),
    /// Whoever asked is gone.
    #[error("whoever asked did not wait for the outcome; ask again")]
    Abandoned,
    /// No token could be drawn for the second step.
    #[error("no confirm token can be drawn ({0}); check /dev/urandom")]
    NoToken(String),
    /// The audit could not be written.
    #[error("the audit cannot be written ({0}), and nothing is written without it; check the disk")]
    Audit(String),
}

impl Refusal {
    /// Its stable name, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Disabled => "writes_disabled",
            Self::NotWritable(_) => "not_writable",
            Self::Type(_) => "type",
            Self::BelowMin { .. } => "below_min",
            Self::AboveMax { .. } => "above_max",
            Self::NotAmongValues(_) => "not_among_values",
            Self::Step { .. } => "step",
            Self::TooSoon(_) => "too_soon",
            Self::WrongToken | Self::NoToken(_) => "confirm_token",
            Self::OldDiffers(_) => "expected_old",
            Self::OldUnknown(_) => "old_unknown",
            Self::Interlock { .. } => "interlock",
            Self::Expired(_) => "expired",
            Self::NoExpiry => "no_expiry",
            Self::ClockNotSet => "clock_not_set",
            Self::NotOneRequest(_) => "not_one_request",
            Self::Broadcast | Self::BroadcastBlind(_) => "broadcast",
            Self::QueueFull => "queue_full",
            Self::Waited(_) => "line_busy",
            Self::Abandoned => "abandoned",
            Self::Audit(_) => "audit",
        }
    }
}

/// An outcome with what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What became of it.
    pub outcome: Outcome,
    /// In words, with what to do when something is to be done.
    pub detail: String,
    /// The value right before, where it could be read.
    pub old: Option<Setting>,
    /// What was sent, as the device will read it; `None` when nothing was.
    pub written: Option<Setting>,
    /// What the device showed afterwards.
    pub readback: Option<Setting>,
    /// Number of the first audit record about it.
    pub audit: Option<u64>,
}

impl Report {
    /// Nothing was sent.
    #[must_use]
    pub fn refused(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        Self { detail, ..Self::bare(Outcome::Refused(refusal)) }
    }

    /// An outcome and nothing else known.
    #[must_use]
    pub fn bare(outcome: Outcome) -> Self {
        let detail = String::new();
        Self { outcome, detail, old: None, written: None, readback: None, audit: None }
    }
}

/// What a command leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// It is settled.
    Settled(Report),
    /// The same command is wanted once more, with this token.
    Confirm(Confirm),
}

/// The first of two steps is done.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Confirm {
    /// For the second step; bound to tag, value and user, good for one use.
    pub token: String,
    /// How long it holds.
    pub seconds: u64,
}
