//! Carrying out: what one command does on the wire.
//!
//! O-1 A request that writes is sent at most once for each command; a mask write that the device
//!     does not know (exception 1) is none.
//! O-2 It is sent only after the audit has it on disk.
//! O-3 Without an answer that can be believed the device is asked what it shows.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::desk::Shared;
use super::exchange::{Errand, Talk};
use super::ledger::Closing;
use super::outcome::{Outcome, Refusal, Report};
use super::policy;
use super::rule::WriteFunction;
use super::ticket::{Look, Stage, Ticket, Verdict};
use crate::wire::{Fault, Wire};

/// How long the disk may take to keep a record; the line waits meanwhile.
const AUDIT_PATIENCE: Duration = Duration::from_secs(5);
/// How long it is tried to find out what a device shows.
const LOOK_MAX: Duration = Duration::from_secs(10);
/// Pause between two readings back.
const LOOK_PAUSE: Duration = Duration::from_millis(500);
/// Readings that must show another value before a write whose answer was lost counts as not done.
const OTHERS_MAX: u32 = 3;

/// One command, or the reading back of one, whose turn on the line has come.
pub struct Order {
    ticket: Ticket,
    shared: Arc<Shared>,
}

/// What is next for a command.
enum Next {
    Settle(Verdict),
    Look(Look),
}

impl<V: Into<Verdict>> From<V> for Next {
    fn from(verdict: V) -> Self {
        Self::Settle(verdict.into())
    }
}

impl Order {
    pub(super) fn new(ticket: Ticket, shared: Arc<Shared>) -> Self {
        Self { ticket, shared }
    }

    /// Unit id of the device it is for.
    #[must_use]
    pub fn unit(&self) -> u8 {
        self.ticket.tag.unit
    }

    /// Does what is to be done now: checks and writes, or reads back. What is to be done later
    /// goes back to the desk.
    ///
    /// `wire` is `None` while the line has no connection; `gap` is the pause between an answer
    /// and the next request. Asks for at most three values and writes one, each within the
    /// timeout of its device. Dropping it settles the command as far as it got.
    pub async fn carry_out(mut self, wire: Option<&mut Wire>, gap: Duration) -> Errand {
        let mut talk = wire.map(|wire| Talk::new(wire, gap));
        let mut next = match self.ticket.stage {
            Stage::Fresh => match self.attempt(talk.as_mut()).await {
                Ok(look) => Next::Look(look),
                Err(next) => next,
            },
            Stage::Look(look) => self.look(talk.as_mut(), look).await,
        };
        if let Next::Look(look) = next
            && look.due <= Instant::now()
        {
            next = self.look(talk.as_mut(), look).await;
        }
        match next {
            Next::Settle(verdict) => self.ticket.settle(verdict),
            Next::Look(look) => {
                self.ticket.stage = Stage::Look(look);
                self.shared.put_back(self.ticket);
            }
        }
        talk.map(Talk::errand).unwrap_or_default()
    }

    /// Everything up to the device's answer.
    async fn attempt(&mut self, talk: Option<&mut Talk<'_>>) -> Result<Look, Next> {
        self.ticket.still_wanted()?;
        let tag = Arc::clone(&self.ticket.tag);
        let last = self.shared.last_sent(&tag.path);
        let now = self.ticket.office.clock.monotonic();
        policy::not_too_soon(tag.rule.interval_min, last, now)?;
        let Some(talk) = talk else {
            return Err(not_connected("the line has no connection"));
        };
        if let Some(interlock) = &tag.rule.interlock {
            let turn = (interlock.unit, interlock.timeout);
            let words = talk.read(turn, &interlock.point).await;
            policy::unlocked(interlock, words.as_deref().map_err(ToString::to_string))?;
        }
        self.read_old(talk).await?;
        self.begin().await?;
        // The disk may have taken its time.
        self.ticket.still_wanted()?;
        self.shared.note_sent(&tag.path, self.ticket.office.clock.monotonic());
        self.send(talk).await
    }

    /// Reads the present value, for the record and for the limits that depend on it.
    async fn read_old(&mut self, talk: &mut Talk<'_>) -> Result<(), Next> {
        let tag = &self.ticket.tag;
        if tag.unit == 0 {
            return Ok(());
        }
        let old = match talk.read((tag.unit, tag.timeout), &tag.point).await {
            Ok(words) => Ok(words),
            Err(
                fault @ (Fault::Timeout
                | Fault::Exception(10 | 11)
                | Fault::Framing(_)
                | Fault::Closed
                | Fault::Io(_)),
            ) => return Err(not_connected(&fault.to_string())),
            // There are registers that can only be written.
            Err(fault) => Err(fault.to_string()),
        };
        let expected = self.ticket.command.expected_old.as_ref();
        let shown = old.as_deref().map_err(Clone::clone);
        policy::against_old(tag, &self.ticket.coded, shown, expected)?;
        self.ticket.old = old.ok();
        Ok(())
    }

    /// Has the intent recorded, away from the line's thread.
    async fn begin(&mut self) -> Result<(), Next> {
        let (ledger, intent) = (Arc::clone(&self.ticket.office.ledger), self.ticket.intent());
        let clock = Arc::clone(&self.ticket.office.clock);
        let (kept, recorded) = oneshot::channel();
        drop(tokio::task::spawn_blocking(move || {
            let number = ledger.begin(&intent);
            // Too late: the line has given up waiting, and has sent nothing.
            if let Err(Ok(number)) = kept.send(number) {
                let report = Report::refused(Refusal::Audit("too slow".to_owned()));
                let ended = ledger.end(number, &Closing::new(clock.now(), &intent.tag, &report));
                drop(ended.inspect_err(|err| tracing::error!("audit: {err}; check the disk")));
            }
        }));
        let waited = timeout(AUDIT_PATIENCE, recorded).await;
        let lost = |what: &str| Err(io::Error::other(what.to_owned()));
        let number = match waited {
            Ok(number) => number.unwrap_or_else(|_| lost("the gateway is ending")),
            Err(_) => lost("the disk takes too long"),
        };
        self.ticket.entry = Some(number.map_err(|err| Refusal::Audit(err.to_string()))?);
        Ok(())
    }

    /// Sends the one request that writes, and judges its answer.
    async fn send(&mut self, talk: &mut Talk<'_>) -> Result<Look, Next> {
        let tag = Arc::clone(&self.ticket.tag);
        self.ticket.sent_at = Some(self.ticket.office.clock.now());
        let answer = if self.ticket.coded.is_part() {
            self.send_part(talk).await?
        } else {
            let multiple = tag.rule.function == WriteFunction::Multiple;
            talk.write(&tag, &self.ticket.coded.words, multiple).await
        };
        let now = Instant::now();
        let after = tag.rule.readback.map_or(Duration::ZERO, |readback| readback.after);
        let look = |lost| Look { due: now + after, until: now + after + LOOK_MAX, others: 0, lost };
        match answer {
            Ok(()) if tag.unit == 0 => Err(Next::Settle(Verdict::new(
                Outcome::Unknown,
                "sent to all devices of the line; nobody answers a broadcast, look at the devices",
            ))),
            Ok(()) if tag.rule.readback.is_none() => {
                Err(Verdict::new(Outcome::Acknowledged, "the device said yes").into())
            }
            Ok(()) => Ok(look(None)),
            Err(Fault::Exception(code)) if !matches!(code, 5 | 11) => {
                Err(Verdict::new(Outcome::Rejected(code), advice(code)).into())
            }
            Err(fault) => Ok(look(Some(fault))),
        }
    }

    /// A bit or a byte: by mask write; where the device has none, the whole register if allowed.
    async fn send_part(&mut self, talk: &mut Talk<'_>) -> Result<Result<(), Fault>, Next> {
        let (tag, coded) = (Arc::clone(&self.ticket.tag), self.ticket.coded.clone());
        if self.shared.knows_mask(tag.unit) {
            match talk.mask_write(&tag, &coded).await {
                Err(Fault::Exception(1)) => self.shared.note_no_mask(tag.unit),
                answer => return Ok(answer),
            }
        }
        if !tag.rule.rmw {
            let detail = "the device cannot write parts of a register (function 22); set \
                          `rmw = true` if nobody else writes to this register";
            return Err(Verdict::new(Outcome::Rejected(1), detail).into());
        }
        let present = talk.read((tag.unit, tag.timeout), &tag.point).await;
        let Ok([register]) = present.as_deref() else {
            self.ticket.sent_at = None;
            let why = present.err().unwrap_or(Fault::Quantity).to_string();
            return Err(Refusal::OldUnknown(why).into());
        };
        let register = *register;
        let multiple = tag.rule.function == WriteFunction::Multiple;
        Ok(talk.write(&tag, &[coded.put_into(register)], multiple).await)
    }

    /// Asks the device what it shows.
    async fn look(&mut self, talk: Option<&mut Talk<'_>>, look: Look) -> Next {
        let tag = Arc::clone(&self.ticket.tag);
        let read = match talk {
            Some(talk) if !talk.is_broken() => talk.read((tag.unit, tag.timeout), &tag.point).await,
            Some(_) | None => Err(Fault::Closed),
        };
        let now = Instant::now();
        let again = Look { due: now + LOOK_PAUSE, ..look };
        let words = match read {
            Ok(words) => words,
            Err(fault) if again.due >= look.until || is_final(fault) => {
                return unread(look, fault).into();
            }
            Err(_) => return Next::Look(again),
        };
        let tolerance = tag.rule.readback.map_or(0, |readback| readback.tolerance);
        let same = self.ticket.coded.is_in(&tag.point.format, &words, tolerance);
        self.ticket.readback = Some(words);
        let others = look.others + 1;
        match look.lost {
            _ if same => confirmed(look).into(),
            // The device may still be at it.
            Some(_) if others < OTHERS_MAX && again.due < look.until => {
                Next::Look(Look { others, ..again })
            }
            Some(fault) => Verdict::new(
                Outcome::ReadbackMismatch,
                format!(
                    "the device did not answer the write ({fault}) and shows another value; \
                     look at the device before writing again"
                ),
            )
            .into(),
            None => Verdict::new(
                Outcome::ReadbackMismatch,
                "the device said yes and shows another value; it may be limited, locked, or need \
                 a longer `readback_after`",
            )
            .into(),
        }
    }
}

fn confirmed(look: Look) -> Verdict {
    let detail = match look.lost {
        None => "the device shows the value".to_owned(),
        Some(fault) => format!("the answer to the write was lost ({fault}); the value is there"),
    };
    Verdict::new(Outcome::ConfirmedByReadback, detail)
}

/// The device could not be asked.
fn unread(look: Look, fault: Fault) -> Verdict {
    match look.lost {
        None => Verdict::new(
            Outcome::Acknowledged,
            format!("the device said yes; reading back failed ({fault})"),
        ),
        Some(lost) => Verdict::new(
            Outcome::Unknown,
            format!(
                "no answer to the write ({lost}), nor to reading back ({fault}); look at the device"
            ),
        ),
    }
}

/// Whether asking again would be answered the same.
fn is_final(fault: Fault) -> bool {
    matches!(fault, Fault::Exception(1..=4))
}

fn not_connected(why: &str) -> Next {
    let detail = format!("{why}; nothing was sent, check the connection and ask again");
    Verdict::new(Outcome::NotConnected, detail).into()
}

/// What a refusal by the device means and what to do.
fn advice(code: u8) -> String {
    match code {
        1 => "the device does not know the function; set `write_function` of the device".to_owned(),
        2 => "the device has no such address to write to; see its manual".to_owned(),
        3 => "the device does not take this value; see its manual for the limits".to_owned(),
        4 => "the device failed while writing; look at it before writing again".to_owned(),
        6 => "the device is busy; ask again".to_owned(),
        10 => {
            "the gateway on the way does not reach the device; check what is behind it".to_owned()
        }
        other => format!("the device refused with exception {other}; look it up in its manual"),
    }
}
