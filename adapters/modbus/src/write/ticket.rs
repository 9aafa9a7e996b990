//! An accepted command on its way: it ends in a record and a report, however it ends.

use std::sync::Arc;
use std::time::Duration;

use signals::Timestamp;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::coding::{Coded, value_in};
use super::command::{Command, Setting};
use super::desk::Office;
use super::ledger::{Closing, Intent};
use super::outcome::{Outcome, Refusal, Report};
use super::policy;
use super::rule::WritableTag;
use crate::wire::Fault;

/// How long a command waits for its line.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(10);

/// An accepted command.
pub(super) struct Ticket {
    pub(super) line: String,
    pub(super) command: Command,
    pub(super) tag: Arc<WritableTag>,
    pub(super) coded: Coded,
    pub(super) office: Office,
    pub(super) queued: Instant,
    pub(super) reply: Option<oneshot::Sender<Report>>,
    pub(super) stage: Stage,
    /// Number of the audit record that was written before it was sent.
    pub(super) entry: Option<u64>,
    /// Words read right before.
    pub(super) old: Option<Vec<u16>>,
    pub(super) sent_at: Option<Timestamp>,
    /// Words read last after it was sent.
    pub(super) readback: Option<Vec<u16>>,
    /// What became of it, once that is known.
    pub(super) verdict: Option<Verdict>,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// Nothing was sent.
    Fresh,
    /// It was sent, and the device is to be asked what it shows.
    Look(Look),
}

/// A reading back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Not before.
    pub(super) due: Instant,
    /// Given up after.
    pub(super) until: Instant,
    /// Readings so far that showed another value.
    pub(super) others: u32,
    /// Why the device's answer to the write is not there; `None`: it said yes.
    pub(super) lost: Option<Fault>,
}

/// What became of a command.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) detail: String,
}

impl Verdict {
    pub(super) fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into() }
    }
}

impl From<Refusal> for Verdict {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        Self { outcome: Outcome::Refused(refusal), detail }
    }
}

impl Ticket {
    /// When it can go on.
    pub(super) fn due(&self) -> Instant {
        match self.stage {
            Stage::Fresh => self.queued,
            Stage::Look(look) => look.due,
        }
    }

    /// # Errors
    /// When whoever asked is gone, or it is too late.
    pub(super) fn still_wanted(&self) -> Result<(), Refusal> {
        if self.reply.as_ref().is_none_or(oneshot::Sender::is_closed) {
            return Err(Refusal::Abandoned);
        }
        if self.queued.elapsed() > WAIT_MAX {
            return Err(Refusal::Waited(WAIT_MAX));
        }
        policy::in_time(&self.command, &*self.office.clock)
    }

    /// What the audit shall hold before it is sent.
    pub(super) fn intent(&self) -> Intent {
        let now = self.office.clock.now();
        let intent = Intent::new((&self.line, now), &self.command, &self.tag, Some(&self.coded));
        Intent { old_raw: self.old.clone(), ..intent }
    }

    /// Says what became of it: the rest happens when it is dropped, away from the line.
    pub(super) fn settle(mut self, verdict: Verdict) {
        self.verdict = Some(verdict);
        // Nobody waits for the disk here; should the runtime end first, it happens right now.
        drop(tokio::task::spawn_blocking(move || drop(self)));
    }

    fn report(&self, verdict: Verdict) -> Report {
        let shown = |words: &Option<Vec<u16>>| -> Option<Setting> {
            value_in(&self.tag.point.format, words.as_deref()?)
        };
        let written = self.sent_at.map(|_| self.coded.words.clone());
        Report {
            outcome: verdict.outcome,
            detail: verdict.detail,
            old: shown(&self.old),
            written: shown(&written),
            readback: shown(&self.readback),
            audit: self.entry,
        }
    }

    fn record(&self, report: &mut Report) {
        let closing = Closing {
            sent_at: self.sent_at,
            readback_raw: self.readback.clone(),
            ..Closing::new(self.office.clock.now(), &self.tag.path, report)
        };
        let recorded = match self.entry {
            Some(entry) => self.office.ledger.end(entry, &closing),
            None => self.office.ledger.refuse(&self.intent(), &closing).map(|number| {
                report.audit = Some(number);
            }),
        };
        if let Err(err) = recorded {
            tracing::error!(
                "{}: the end of a command ({}) is not in the audit: {err}; check the disk",
                self.tag.path,
                report.outcome.name()
            );
        }
    }
}

/// The one place where a command ends.
impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(reply) = self.reply.take() else { return };
        let stopped = || match self.sent_at {
            Some(_) => Verdict::new(
                Outcome::Unknown,
                "the line stopped before it was read back; look at the device",
            ),
            None => Verdict::new(Outcome::NotConnected, "the line stopped; nothing was sent"),
        };
        let verdict = self.verdict.take().unwrap_or_else(stopped);
        let mut report = self.report(verdict);
        self.record(&mut report);
        let (tag, outcome) = (&self.tag.path, report.outcome.name());
        tracing::info!(%tag, who = %self.command.who, %outcome, detail = %report.detail, "write");
        // Whoever asked may be gone.
        drop(reply.send(report));
    }
}
