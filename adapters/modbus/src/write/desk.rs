//! The desk of a line: commands come in, are held against the limits, and wait for their turn.
//!
//! D-1 What is not in the allow-list, or not within its limits, never reaches the line.
//! D-2 At most 16 commands of a line are open; a further one is refused, never kept back silently.
//! D-3 Whoever gave a command hears its outcome exactly once, also when the line stops.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signals::Clock;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use super::command::Command;
use super::confirm::Confirmations;
use super::ledger::{Closing, Intent, Ledger};
use super::order::Order;
use super::outcome::{Outcome, Refusal, Reply, Report};
use super::policy;
use super::rule::WritableTag;
use super::ticket::{Stage, Ticket};
use crate::config::Line;

/// Commands of a line that are open at a time.
pub const OPEN_MAX: usize = 16;

/// What writing needs of the gateway.
#[derive(Clone)]
pub struct Office {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The audit.
    pub ledger: Arc<dyn Ledger>,
    /// Draws confirm tokens; nobody may be able to guess them.
    pub random: fn() -> io::Result<u128>,
}

/// Where commands for the tags of one line are given. Clones are the same desk.
#[derive(Clone)]
pub struct DeskHandle {
    shared: Arc<Shared>,
}

/// The line's side of the desk.
pub struct Desk {
    shared: Arc<Shared>,
}

/// What both sides see.
pub(super) struct Shared {
    pub(super) line: String,
    tags: HashMap<String, Arc<WritableTag>>,
    /// `None`: writing is switched off.
    office: Option<Office>,
    state: Mutex<State>,
    /// Rung when a command comes in or is put back.
    bell: Notify,
}

#[derive(Default)]
struct State {
    /// Not begun yet, in the order they came.
    fresh: VecDeque<Ticket>,
    /// Written, to be read back later.
    later: Vec<Ticket>,
    confirmations: Confirmations,
    /// When a tag was written last, monotonic.
    last_sent: HashMap<String, Duration>,
    /// Units that do not know mask writes.
    no_mask: HashSet<u8>,
}

impl DeskHandle {
    /// The desk of a line, with the allow-lists of its devices.
    #[must_use]
    pub fn new(line: &Line, office: Office) -> Self {
        let tags = line.devices.iter().flat_map(|device| &device.writable);
        Self::of(&line.name, tags.cloned(), Some(office))
    }

    /// The desk of a line nobody writes to: everything is refused.
    #[must_use]
    pub fn closed(line: &Line) -> Self {
        Self::of(&line.name, [], None)
    }

    pub(super) fn of(
        line: &str,
        tags: impl IntoIterator<Item = WritableTag>,
        office: Option<Office>,
    ) -> Self {
        let tags = tags.into_iter().map(|tag| (tag.path.clone(), Arc::new(tag))).collect();
        let (state, bell) = (Mutex::default(), Notify::new());
        let line = line.to_owned();
        Self { shared: Arc::new(Shared { line, tags, office, state, bell }) }
    }

    /// The line's side. There is one task that takes from it.
    #[must_use]
    pub fn desk(&self) -> Desk {
        Desk { shared: Arc::clone(&self.shared) }
    }

    /// Whether the tag is in the allow-list of this line.
    #[must_use]
    pub fn takes(&self, path: &str) -> bool {
        self.shared.tags.contains_key(path)
    }

    /// Gives a command and waits for its outcome: until it is settled, refused, or too late.
    ///
    /// Needs a tokio runtime: refusals are recorded on its blocking threads. Whoever drops the
    /// future takes back a command that has not been begun.
    pub async fn order(&self, command: Command) -> Reply {
        let Some(office) = &self.shared.office else {
            return Reply::Settled(Report::refused(Refusal::Disabled));
        };
        match self.shared.accept(&command, office) {
            Ok(Accepted::Confirm(confirm)) => Reply::Confirm(confirm),
            Ok(Accepted::Queued(reply)) => {
                let lost = || Report {
                    detail: "the line ended without a word; see the audit".to_owned(),
                    ..Report::bare(Outcome::Unknown)
                };
                Reply::Settled(reply.await.unwrap_or_else(|_| lost()))
            }
            Err(refusal) => Reply::Settled(self.refuse(command, refusal, office).await),
        }
    }

    /// Records a refusal at the counter.
    async fn refuse(&self, command: Command, refusal: Refusal, office: &Office) -> Report {
        let now = office.clock.now();
        let mut report = Report::refused(refusal);
        let intent = match self.shared.tags.get(&command.path) {
            Some(tag) => Intent::new((&self.shared.line, now), &command, tag, None),
            None => Intent::unknown(now, &command),
        };
        let (ledger, closing) =
            (Arc::clone(&office.ledger), Closing::new(now, &command.path, &report));
        let recorded = tokio::task::spawn_blocking(move || ledger.refuse(&intent, &closing)).await;
        match recorded.unwrap_or_else(|err| Err(io::Error::other(err))) {
            Ok(number) => report.audit = Some(number),
            Err(err) => tracing::error!("a refused command is not in the audit: {err}"),
        }
        report
    }
}

/// A command that keeps the limits.
enum Accepted {
    Confirm(super::outcome::Confirm),
    Queued(oneshot::Receiver<Report>),
}

impl Shared {
    /// Everything that can be said without asking the device.
    fn accept(&self, command: &Command, office: &Office) -> Result<Accepted, Refusal> {
        let tag = self.tags.get(&command.path);
        let tag = tag.ok_or_else(|| Refusal::NotWritable(command.path.clone()))?;
        policy::in_time(command, &*office.clock)?;
        let coded = policy::admit(tag, &command.value)?;
        if tag.unit == 0 && command.expected_old.is_some() {
            return Err(Refusal::BroadcastBlind("the expected value"));
        }
        let now = office.clock.monotonic();
        let mut state = self.state();
        policy::not_too_soon(tag.rule.interval_min, state.last_sent.get(&tag.path).copied(), now)?;
        match &command.confirm_token {
            Some(token) if tag.rule.confirm => {
                if !state.confirmations.redeem(command, token, now) {
                    return Err(Refusal::WrongToken);
                }
            }
            None if tag.rule.confirm => {
                let random = (office.random)().map_err(|err| Refusal::NoToken(err.to_string()))?;
                return Ok(Accepted::Confirm(state.confirmations.issue(command, random, now)));
            }
            Some(_) | None => {}
        }
        if state.fresh.len() + state.later.len() >= OPEN_MAX {
            return Err(Refusal::QueueFull);
        }
        let (reply, answer) = oneshot::channel();
        state.fresh.push_back(Ticket {
            line: self.line.clone(),
            command: command.clone(),
            tag: Arc::clone(tag),
            coded,
            office: office.clone(),
            queued: Instant::now(),
            reply: Some(reply),
            stage: Stage::Fresh,
            entry: None,
            old: None,
            sent_at: None,
            readback: None,
            verdict: None,
        });
        drop(state);
        self.bell.notify_one();
        Ok(Accepted::Queued(answer))
    }

    /// Puts back what is to be read later.
    pub(super) fn put_back(&self, ticket: Ticket) {
        self.state().later.push(ticket);
        self.bell.notify_one();
    }

    pub(super) fn last_sent(&self, path: &str) -> Option<Duration> {
        self.state().last_sent.get(path).copied()
    }

    pub(super) fn note_sent(&self, path: &str, now: Duration) {
        self.state().last_sent.insert(path.to_owned(), now);
    }

    pub(super) fn knows_mask(&self, unit: u8) -> bool {
        !self.state().no_mask.contains(&unit)
    }

    pub(super) fn note_no_mask(&self, unit: u8) {
        self.state().no_mask.insert(unit);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What can be begun now: a reading back that is due, else the oldest command whose tag has
    /// no other one open.
    fn take(&mut self, now: Instant) -> Option<Ticket> {
        let due = self.later.iter().position(|ticket| ticket.due() <= now);
        if let Some(place) = due {
            return Some(self.later.swap_remove(place));
        }
        let place = self.free()?;
        self.fresh.remove(place)
    }

    fn free(&self) -> Option<usize> {
        let open = |path: &str| self.later.iter().any(|ticket| ticket.tag.path == path);
        self.fresh.iter().position(|ticket| !open(&ticket.tag.path))
    }

    /// When [`State::take`] will give something; `None`: not before another command comes.
    fn due(&self, now: Instant) -> Option<Instant> {
        let later = self.later.iter().map(Ticket::due).min();
        if self.free().is_some() { Some(now) } else { later }
    }
}

impl Desk {
    /// What is to be done on the line next, if anything is.
    #[must_use]
    pub fn next_order(&mut self) -> Option<Order> {
        let ticket = self.shared.state().take(Instant::now())?;
        Some(Order::new(ticket, Arc::clone(&self.shared)))
    }

    /// Settles everything that is open: each command says what is known of it.
    fn close(&mut self) {
        let open = {
            let mut state = self.shared.state();
            (std::mem::take(&mut state.fresh), std::mem::take(&mut state.later))
        };
        drop(open);
    }

    /// Waits until [`Desk::next_order`] gives something. Cancelling it loses nothing.
    pub async fn ready(&mut self) {
        loop {
            let rung = self.shared.bell.notified();
            let now = Instant::now();
            let due = self.shared.state().due(now);
            match due {
                Some(due) if due <= now => return,
                Some(due) => {
                    tokio::select! {
                        () = sleep_until(due) => {}
                        () = rung => {}
                    }
                }
                None => rung.await,
            }
        }
    }
}

/// The line stops: what is open is settled.
impl Drop for Desk {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for DeskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeskHandle({})", self.shared.line)
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desk({})", self.shared.line)
    }
}
