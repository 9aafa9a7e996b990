//! Rules on the past: what they would have said of what the lake and the journal hold. Nothing is
//! written and nobody is told.
//!
//! - RH-1 Watch and trigger are those of the live rules: from the same samples come the same starts
//!   and ends. Tables are read in the order of their times; live, in that of the journal.
//! - RH-2 Bounded memory: the past is read some hours at a time, and so many episodes are kept.

mod samples;
mod timeline;

use std::fmt::Display;
use std::ops::Range;
use std::time::Duration;

use futures::StreamExt as _;
use pipelines_flow::trigger::Change;
use pipelines_sql::rule::{Cell, Moment};
use pipelines_sql::{Lake, SqlError};
use serde_json::{Value, json};
use signals::{Batch, Timestamp};

use super::work::{One, plain, shown};
use crate::config::RuleSettings;
use samples::Reading;
use timeline::{Mark, Timeline};

/// The past is read so much at a time.
const SPAN: Duration = Duration::from_hours(6);
/// Episodes of a rule that are kept; more are counted.
const EPISODES_MAX: usize = 10_000;

/// From a start to an end.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// First sample of the stretch that met the condition.
    pub since: Timestamp,
    /// The sample that decided it.
    pub started: Timestamp,
    /// The sample that decided its end; `None` while it lasts.
    pub ended: Option<Timestamp>,
    /// Whether `suppress` was met at its start: nobody would have been told.
    pub is_silent: bool,
    /// The columns after SELECT, at its start.
    pub values: Vec<(String, Option<Cell>)>,
}

/// What a rule would have done.
#[derive(Clone, Debug, PartialEq)]
pub struct Rehearsal {
    /// Until when there are samples, within what was asked for.
    pub end: Timestamp,
    /// Oldest first.
    pub episodes: Vec<Episode>,
    /// Episodes beyond those.
    pub more: u64,
    /// Moments it was asked about.
    pub moments: u64,
    /// Moments of which it knew nothing.
    pub unknown: u64,
    /// Batches on which its SQL failed.
    pub failures: u64,
    /// Why, the first time.
    pub failure: Option<String>,
}

impl Rehearsal {
    /// How long it was met.
    #[must_use]
    pub fn met(&self) -> Duration {
        self.episodes.iter().map(|e| e.ended.unwrap_or(self.end).since(e.started)).sum()
    }
}

impl Episode {
    /// `speed 712.5, running true`.
    #[must_use]
    pub fn values_shown(&self) -> String {
        let shown = self.values.iter().map(|(name, cell)| shown(name, cell.as_ref()));
        shown.collect::<Vec<_>>().join(", ")
    }

    /// As JSON: times in µs UTC.
    #[must_use]
    pub fn to_json(&self, rule: &str) -> Value {
        let values = self.values.iter().map(|(name, cell)| (name.clone(), plain(cell.as_ref())));
        json!({
            "rule": rule, "since_us": self.since.micros(), "at_us": self.started.micros(),
            "ended_us": self.ended.map(Timestamp::micros), "is_silent": self.is_silent,
            "values": values.collect::<serde_json::Map<_, _>>(),
        })
    }
}

/// What a rule would have done within a time.
///
/// # Errors
/// When the lake cannot be read.
pub async fn rehearse(
    lake: &Lake,
    settings: &RuleSettings,
    within: Range<Timestamp>,
) -> Result<Rehearsal, SqlError> {
    let mut reading = Reading::of(lake, settings.plan.inputs()).await?;
    let end = timeline::end_of(lake, within.end).await?;
    let marks = timeline::marks(lake, &within).await?;
    let mut rehearser = Rehearser::new(settings, Timeline::new(marks), end);
    let mut from = within.start;
    while from < end {
        let to = from.plus(SPAN).min(end);
        let mut rows = lake.query(&reading.question(&(from..to))).await?;
        while let Some(rows) = rows.next().await {
            reading.read(&rows?, |batch| rehearser.take(batch));
        }
        reading.flush(|batch| rehearser.take(batch));
        from = to;
    }
    rehearser.pass_until(end);
    Ok(rehearser.told)
}

/// A rule while the past goes by.
struct Rehearser {
    one: One,
    timeline: Timeline,
    is_timed: bool,
    told: Rehearsal,
}

impl Rehearser {
    fn new(settings: &RuleSettings, timeline: Timeline, end: Timestamp) -> Self {
        let told = Rehearsal {
            end,
            episodes: Vec::new(),
            more: 0,
            moments: 0,
            unknown: 0,
            failures: 0,
            failure: None,
        };
        Self { one: One::new(settings), timeline, is_timed: settings.plan.is_timed(), told }
    }

    /// Rows that follow each other without a pause.
    fn take(&mut self, batch: &Batch) {
        let (Some(first), Some(last)) = (batch.first_ts(), batch.last_ts()) else { return };
        self.pass_until(first);
        let moments = self.one.watch.feed(batch);
        self.step(moments);
        self.timeline.reach(last);
    }

    /// Time passes without a sample: the gateway stops and starts, rules about silence are asked.
    fn pass_until(&mut self, end: Timestamp) {
        while let Some(mark) = self.timeline.next(end, self.is_timed) {
            match mark {
                Mark::Tick(ts) => {
                    let moments = self.one.watch.tick(ts);
                    self.step(moments);
                }
                // What a start takes up is what it would have found in its checkpoint.
                Mark::Started(_) => {
                    let anew = One::new(&self.one.settings);
                    let before = std::mem::replace(&mut self.one, anew);
                    self.one.watch.resume(&before.watch.state());
                    self.one.trigger = before.trigger;
                    self.one.is_suppressed = before.is_suppressed;
                }
                Mark::Stopped(_) => {}
            }
        }
    }

    fn step<E: Display>(&mut self, moments: Result<Vec<Moment>, E>) {
        let moments = match moments {
            Ok(moments) => moments,
            Err(err) => {
                self.told.failures += 1;
                self.told.failure.get_or_insert_with(|| err.to_string());
                return;
            }
        };
        for moment in moments {
            self.told.moments += 1;
            self.told.unknown += u64::from(moment.raise.is_none());
            match self.one.step(&moment).change {
                Some(Change::Started { since }) => self.begin(since, moment),
                Some(Change::Ended { .. }) if self.told.more == 0 => {
                    if let Some(last) = self.told.episodes.last_mut() {
                        last.ended = Some(moment.ts);
                    }
                }
                Some(Change::Ended { .. }) | None => {}
            }
        }
    }

    fn begin(&mut self, since: Timestamp, moment: Moment) {
        if self.told.episodes.len() >= EPISODES_MAX {
            self.told.more += 1;
            return;
        }
        self.told.episodes.push(Episode {
            since,
            started: moment.ts,
            ended: None,
            is_silent: self.one.is_suppressed,
            values: moment.values,
        });
    }
}
