//! The board: where every alarm stands, as its events in the journal have it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use pipelines_flow::alarm::{Alarm, Senseless, Turn};
use pipelines_flow::event_log::EventLog;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use signals::{Batch, Clock, Event, Offset, Timestamp};
use tokio::sync::watch;

use crate::config::{AlarmSettings, RuleSettings};

pub(super) const RAISED: &str = "alarm_raised";
pub(super) const CLEARED: &str = "alarm_returned";
pub(super) const ACKNOWLEDGED: &str = "alarm_acknowledged";
pub(super) const RESET: &str = "alarm_reset";
pub(super) const SHELVED: &str = "alarm_shelved";
pub(super) const UNSHELVED: &str = "alarm_unshelved";
pub(super) const SUPPRESSED: &str = "alarm_suppressed";
pub(super) const UNSUPPRESSED: &str = "alarm_unsuppressed";
pub(super) const OUT_OF_SERVICE: &str = "alarm_out_of_service";
pub(super) const IN_SERVICE: &str = "alarm_in_service";

/// An event of a rule, read back.
#[derive(Clone, Debug)]
pub(super) struct AlarmEvent {
    pub(super) ts: Timestamp,
    pub(super) kind: String,
    pub(super) source: String,
    pub(super) message: String,
    pub(super) details: Value,
}

impl AlarmEvent {
    pub(super) fn of(event: &Event) -> Self {
        Self {
            ts: event.ts,
            kind: event.kind.clone(),
            source: event.source.clone(),
            message: event.message.clone(),
            details: event.details.clone(),
        }
    }

    /// The turn it is for the alarm; `None` for events of rules without one.
    fn turn(&self) -> Option<Turn> {
        Some(match self.kind.as_str() {
            RAISED => Turn::Raised,
            CLEARED => Turn::Cleared,
            ACKNOWLEDGED => Turn::Acknowledged,
            RESET => Turn::Reset,
            SHELVED => {
                let until = self.details.get("until_us").and_then(Value::as_i64)?;
                Turn::Shelved { until: Timestamp::from_micros(until) }
            }
            UNSHELVED => Turn::Unshelved,
            SUPPRESSED => Turn::Suppressed,
            UNSUPPRESSED => Turn::Unsuppressed,
            OUT_OF_SERVICE => Turn::OutOfService,
            IN_SERVICE => Turn::InService,
            _ => return None,
        })
    }

    fn text(&self, key: &str) -> Option<String> {
        self.details.get(key).and_then(Value::as_str).map(str::to_owned)
    }
}

/// The events of rules in a batch of `_events`.
pub(super) fn events_of(batch: &Batch) -> Vec<AlarmEvent> {
    let text = |name: &str| batch.rows.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
    let (Some(kinds), Some(sources), Some(messages), Some(details)) =
        (text("kind"), text("source"), text("message"), text("details"))
    else {
        return Vec::new();
    };
    let mut events = Vec::new();
    for (row, ts) in batch.timestamps().iter().enumerate() {
        let kind = kinds.value(row);
        if kinds.is_null(row) || !(kind.starts_with("alarm_") || kind.starts_with("rule_")) {
            continue;
        }
        let Ok(details) = serde_json::from_str(details.value(row)) else { continue };
        events.push(AlarmEvent {
            ts: Timestamp::from_micros(*ts),
            kind: kind.to_owned(),
            source: sources.value(row).to_owned(),
            message: messages.value(row).to_owned(),
            details,
        });
    }
    events
}

/// What has become of an alarm so far: what a restart goes on from. Times are µs UTC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Life {
    /// Where it is in its life.
    #[serde(flatten)]
    pub stands: Alarm,
    /// When its condition was met last.
    pub raised_us: Option<i64>,
    /// When its condition was met no more.
    pub returned_us: Option<i64>,
    /// What its last event said.
    pub text: Option<String>,
    /// The columns of its rule when it was raised.
    pub values: Value,
    /// Who acknowledged, shelved or took it out of service last.
    pub by: Option<String>,
    /// What he said.
    pub comment: Option<String>,
}

/// An alarm as the page gets it.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// Its name, which is its rule's.
    pub alarm: String,
    /// What it says to an operator.
    #[serde(flatten)]
    pub says: AlarmSettings,
    /// The rule's condition.
    pub sql: String,
    /// What has become of it.
    #[serde(flatten)]
    pub life: Life,
    /// Whether it wants something of an operator now.
    pub is_told: bool,
    /// How often it was raised since the gateway was started.
    pub raised: u64,
}

/// Alarms that want something of an operator.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Told {
    /// All of them.
    pub told: u64,
    /// Those nobody has acknowledged.
    pub unacknowledged: u64,
}

/// Where all alarms stand.
pub struct Board {
    standings: Mutex<BTreeMap<String, Standing>>,
    /// Orders that the journal has brought back, the newest last.
    applied: watch::Sender<Vec<String>>,
    /// The journal has been read up to here.
    read: AtomicU64,
    moments: AtomicU64,
    failures: AtomicU64,
    pub(super) events: EventLog,
    pub(super) clock: Arc<dyn Clock>,
}

/// No journal has an offset this great.
const NOT_RUNNING: u64 = u64::MAX;
/// Orders remembered for those who wait for them.
const APPLIED_MAX: usize = 256;

impl Board {
    pub(super) fn new(rules: &[RuleSettings], events: EventLog, clock: Arc<dyn Clock>) -> Self {
        let standings = rules.iter().filter_map(Standing::of);
        let standings = standings.map(|standing| (standing.alarm.clone(), standing)).collect();
        Self {
            standings: Mutex::new(standings),
            applied: watch::Sender::new(Vec::new()),
            read: AtomicU64::new(NOT_RUNNING),
            moments: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            events,
            clock,
        }
    }

    /// Other rules: alarms that there are still keep their lives.
    pub(super) fn turn_to(&self, rules: &[RuleSettings]) {
        let mut standings = self.lock();
        let mut before = std::mem::take(&mut *standings);
        for mut standing in rules.iter().filter_map(Standing::of) {
            if let Some(old) = before.remove(&standing.alarm) {
                (standing.life, standing.is_told, standing.raised) =
                    (old.life, old.is_told, old.raised);
            }
            standings.insert(standing.alarm.clone(), standing);
        }
    }

    /// Every alarm: those that want something first, then by priority, the newest first.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        let mut all: Vec<Standing> = self.lock().values().cloned().collect();
        all.sort_by(|a, b| {
            let key = |s: &Standing| (s.is_told, s.says.priority, s.life.raised_us);
            key(b).cmp(&key(a)).then_with(|| a.alarm.cmp(&b.alarm))
        });
        all
    }

    /// How many want something of an operator, and how many of these nobody has acknowledged.
    #[must_use]
    pub fn told(&self) -> Told {
        let standings = self.lock();
        let told = standings.values().filter(|standing| standing.is_told);
        told.fold(Told::default(), |sum, standing| Told {
            told: sum.told + 1,
            unacknowledged: sum.unacknowledged
                + u64::from(standing.life.stands.state.wants_acknowledgement()),
        })
    }

    /// One alarm.
    #[must_use]
    pub fn standing(&self, alarm: &str) -> Option<Standing> {
        self.lock().get(alarm).cloned()
    }

    /// How far the rules have read the journal; `None` while they do not run.
    #[must_use]
    pub fn at(&self) -> Option<Offset> {
        let at = self.read.load(Ordering::Acquire);
        (at != NOT_RUNNING).then_some(Offset(at))
    }

    pub(super) fn reach(&self, at: Offset) {
        self.read.store(at.0, Ordering::Release);
    }

    /// Samples that rules were asked about, and batches on which one failed.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.moments.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }

    pub(super) fn count(&self, moments: usize, failures: u64) {
        self.moments.fetch_add(u64::try_from(moments).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.failures.fetch_add(failures, Ordering::Relaxed);
    }

    /// Whether a turn would make sense now.
    pub(super) fn would(&self, alarm: &str, turn: &Turn) -> Option<Result<(), Senseless>> {
        let standing = self.standing(alarm)?;
        Some(standing.life.stands.clone().take(turn, standing.says.latches))
    }

    pub(super) fn is_silent(&self, alarm: &str) -> bool {
        self.lock().get(alarm).is_some_and(|standing| standing.life.stands.is_silent())
    }

    /// Orders that the journal has brought back.
    pub(super) fn applied(&self) -> watch::Receiver<Vec<String>> {
        self.applied.subscribe()
    }

    /// Takes an event from the journal.
    pub(super) fn apply(&self, event: &AlarmEvent) {
        let Some(turn) = event.turn() else { return };
        if let Some(standing) = self.lock().get_mut(&event.source) {
            standing.apply(event, &turn);
        }
        if let Some(order) = event.text("order") {
            self.applied.send_modify(|applied| {
                if applied.len() >= APPLIED_MAX {
                    applied.remove(0);
                }
                applied.push(order);
            });
        }
    }

    /// Ends shelves whose time is over: which, and when that was.
    pub(super) fn end_shelves(&self, now: Timestamp) -> Vec<(String, Timestamp)> {
        let mut ended = Vec::new();
        for (alarm, standing) in self.lock().iter_mut() {
            let over = standing.life.stands.shelved_until.filter(|until| *until <= now);
            if let Some(until) = over
                && standing.life.stands.take(&Turn::Unshelved, standing.says.latches).is_ok()
            {
                standing.is_told = standing.life.stands.is_told();
                ended.push((alarm.clone(), until));
            }
        }
        ended
    }

    /// What to keep over a restart.
    pub(super) fn alarms(&self) -> BTreeMap<String, Life> {
        self.lock().iter().map(|(name, standing)| (name.clone(), standing.life.clone())).collect()
    }

    pub(super) fn resume(&self, alarms: &BTreeMap<String, Life>) {
        let mut standings = self.lock();
        for (name, life) in alarms {
            if let Some(standing) = standings.get_mut(name) {
                standing.life = life.clone();
                standing.is_told = life.stands.is_told();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Standing>> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    /// The alarm of a rule, if it has one, as if nothing had ever happened.
    fn of(rule: &RuleSettings) -> Option<Self> {
        Some(Self {
            alarm: rule.words.name.clone(),
            says: rule.words.alarm.clone()?,
            sql: rule.words.sql.clone(),
            life: Life::default(),
            is_told: false,
            raised: 0,
        })
    }

    fn apply(&mut self, event: &AlarmEvent, turn: &Turn) {
        let life = &mut self.life;
        if life.stands.take(turn, self.says.latches).is_err() {
            // Two operators at once: the second one came too late, and nothing is lost by it.
            return;
        }
        self.is_told = life.stands.is_told();
        match turn {
            Turn::Raised => {
                self.raised += 1;
                life.raised_us = Some(event.ts.micros());
                life.returned_us = None;
                life.text = Some(event.message.clone());
                life.values = event.details.get("values").cloned().unwrap_or_default();
                (life.by, life.comment) = (None, None);
            }
            Turn::Cleared => life.returned_us = Some(event.ts.micros()),
            Turn::Suppressed | Turn::Unsuppressed => {}
            Turn::Acknowledged
            | Turn::Reset
            | Turn::Shelved { .. }
            | Turn::Unshelved
            | Turn::OutOfService
            | Turn::InService => {
                (life.by, life.comment) = (event.text("by"), event.text("comment"));
            }
        }
    }
}
