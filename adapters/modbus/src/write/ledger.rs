//! The audit port: what is recorded of a write, before and after it.

use std::io;

use serde::Serialize;
use signals::Timestamp;

use super::coding::Coded;
use super::command::Command;
use super::outcome::{Outcome, Report};
use super::rule::{WritableTag, WriteRule};

/// Longest text of somebody else's that a record holds.
const CHARS_MAX: usize = 200;

/// Where writes are recorded. Whoever keeps it must not lose a record that [`Ledger::begin`] or
/// [`Ledger::end`] has returned for.
pub trait Ledger: Send + Sync {
    /// Records what is about to be sent; returns its number once it survives a power cut.
    ///
    /// # Errors
    /// When it cannot be recorded: then nothing is sent.
    fn begin(&self, intent: &Intent) -> io::Result<u64>;

    /// Records what became of it.
    ///
    /// # Errors
    /// When it cannot be recorded: then the next start says `outcome_unknown`.
    fn end(&self, begin: u64, closing: &Closing) -> io::Result<()>;

    /// Records a command that was not sent; returns its number.
    ///
    /// # Errors
    /// When it cannot be recorded.
    fn refuse(&self, intent: &Intent, closing: &Closing) -> io::Result<u64>;
}

/// What is about to be written, and by whom.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Intent {
    /// When.
    pub at: Timestamp,
    /// Who wants it.
    pub who: String,
    /// From where.
    pub from: String,
    /// Path of the tag.
    pub tag: String,
    /// The value asked for, in engineering units.
    pub value: String,
    /// The line it goes through; empty for a tag that no line has.
    pub line: String,
    /// Unit id.
    pub unit: u8,
    /// Where it stands: `holding:42`.
    pub address: String,
    /// Words read right before; `None` when they could not be read.
    pub old_raw: Option<Vec<u16>>,
    /// Words to be written.
    pub new_raw: Vec<u16>,
    /// Bits of the register that are written, when not all.
    pub mask: Option<u16>,
    /// Whether it was confirmed in a second step.
    pub confirmed: bool,
    /// The limits in force.
    pub limits: Limits,
}

/// Limits as they were at the time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step_max: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_min_ms: Option<u64>,
    confirm: bool,
    readback: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    interlock: Option<String>,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Closing {
    /// When.
    pub at: Timestamp,
    /// Path of the tag.
    pub tag: String,
    /// `confirmed_by_readback`, `outcome_unknown` …
    pub result: String,
    /// Name of the reason of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// In words.
    pub detail: String,
    /// When the request was handed to the operating system.
    pub sent_at: Option<Timestamp>,
    /// Words read afterwards.
    pub readback_raw: Option<Vec<u16>>,
}

impl Intent {
    /// What is about to be written to a tag of the allow-list.
    pub(super) fn new(
        (line, at): (&str, Timestamp),
        command: &Command,
        tag: &WritableTag,
        coded: Option<&Coded>,
    ) -> Self {
        Self {
            line: line.to_owned(),
            unit: tag.unit,
            address: tag.point.address.to_string(),
            new_raw: coded.map_or_else(Vec::new, |coded| coded.words.clone()),
            mask: coded.filter(|coded| coded.is_part()).map(|coded| coded.mask),
            confirmed: tag.rule.confirm && command.confirm_token.is_some(),
            limits: Limits::of(&tag.rule),
            ..Self::unknown(at, command)
        }
    }

    /// A command for a tag that is in no allow-list.
    pub(super) fn unknown(at: Timestamp, command: &Command) -> Self {
        let cut = |text: &str| text.chars().take(CHARS_MAX).collect();
        Self {
            at,
            who: cut(&command.who),
            from: cut(&command.origin.place()),
            tag: cut(&command.path),
            value: cut(&command.value.to_string()),
            line: String::new(),
            unit: 0,
            address: String::new(),
            old_raw: None,
            new_raw: Vec::new(),
            mask: None,
            confirmed: false,
            limits: Limits::default(),
        }
    }
}

impl Limits {
    fn of(rule: &WriteRule) -> Self {
        let interval = u64::try_from(rule.interval_min.as_millis()).unwrap_or(u64::MAX);
        Self {
            min: rule.min,
            max: rule.max,
            step_max: rule.step_max,
            values: rule.values.clone(),
            interval_min_ms: (interval > 0).then_some(interval),
            confirm: rule.confirm,
            readback: rule.readback.is_some(),
            interlock: rule.interlock.as_ref().map(|interlock| interlock.path.clone()),
        }
    }
}

impl Closing {
    /// The record of a report.
    pub(super) fn new(at: Timestamp, tag: &str, report: &Report) -> Self {
        let refusal = match &report.outcome {
            Outcome::Refused(refusal) => Some(refusal.code().to_owned()),
            Outcome::ConfirmedByReadback
            | Outcome::Acknowledged
            | Outcome::ReadbackMismatch
            | Outcome::Rejected(_)
            | Outcome::Unknown
            | Outcome::NotConnected => None,
        };
        Self {
            at,
            tag: tag.chars().take(CHARS_MAX).collect(),
            result: report.outcome.name(),
            refusal,
            detail: report.detail.clone(),
            sent_at: None,
            readback_raw: None,
        }
    }
}
