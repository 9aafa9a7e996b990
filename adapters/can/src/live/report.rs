//! Report: what happens to a bus, as rows of `_events` and `_gaps`.
//!
//! R-1 A bus that flaps or storms tells a bounded number of changes, [`BUDGET`] and one more per
//!     second, each in a row or two; what was not told is counted in the next one that is.
//! R-2 The state told last is the state of the bus, at the latest when there is budget again.
//! R-3 Lost frames of one burst are one event and one gap, with their number.

use std::time::Duration;

use serde_json::{Map, Value, json};
use signals::{Event, Gap, Notice, Severity, Timestamp};

use super::errors::CauseCounts;
use super::notices::Notices;
use super::state::BusState;

/// Changes that may be told in one go.
const BUDGET: u32 = 20;
/// A burst of lost frames is over when none was lost for this long.
const LOSS_QUIET: Duration = Duration::from_secs(1);
/// A loss that does not end is told this often.
const LOSS_MAX: Duration = Duration::from_secs(60);
/// Error frames per second from which on they are a storm.
const STORM_RATE: f64 = 100.0;
/// A storm is over when there was none for this long.
const STORM_QUIET: Duration = Duration::from_secs(5);
/// States of one outage that are remembered.
const OUTAGE_STATES_MAX: usize = 8;

/// A moment on both clocks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    /// UTC.
    pub(crate) wall: Timestamp,
    /// On the clock that never steps.
    pub(crate) steady: Duration,
}

/// Where frames were lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// The controller's own buffer was full.
    Controller,
    /// The kernel had no room for them.
    Kernel,
    /// The queue of our socket was full.
    Socket,
}

impl Stage {
    /// All, in the order a frame passes them.
    pub(crate) const ALL: [Self; 3] = [Self::Controller, Self::Kernel, Self::Socket];

    /// Its name in metrics.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Kernel => "kernel",
            Self::Socket => "socket",
        }
    }

    const fn cause(self) -> &'static str {
        match self {
            Self::Controller => "controller_overrun",
            Self::Kernel => "kernel_dropped",
            Self::Socket => "rx_queue_overflow",
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::Controller => {
                "the controller's buffer ran over before the driver read it; use a controller with \
                 a larger one, or a faster bus to it"
            }
            Self::Kernel => "the kernel dropped them; look at `ip -statistics link show`",
            Self::Socket => {
                "the receive queue was full; raise net.core.rmem_max to 8388608, or give the \
                 gateway more processor time"
            }
        }
    }
}

/// Frames lost in one burst.
#[derive(Clone, Copy, Debug)]
struct Loss {
    frames: u64,
    from: Timestamp,
    to: Timestamp,
    begun: Duration,
    last: Duration,
}

/// A time without frames.
#[derive(Clone, Debug)]
struct Outage {
    since: Timestamp,
    states: Vec<BusState>,
}

/// Many error frames.
#[derive(Clone, Copy, Debug)]
struct Storm {
    begun: Timestamp,
    before: CauseCounts,
    last: Duration,
}

/// Tells what happens to one bus.
pub(crate) struct Reporter {
    bus: String,
    interface: String,
    notices: Notices,
    /// Changes that may be told now, and when that was reckoned.
    budget: (u32, Duration),
    /// Changes that were not told for want of budget.
    untold: u64,
    told: Option<BusState>,
    seen: Option<BusState>,
    outage: Option<Outage>,
    losses: [Option<Loss>; Stage::ALL.len()],
    storm: Option<Storm>,
}

impl Reporter {
    pub(crate) fn new(bus: &str, interface: &str, notices: Notices) -> Self {
        Self {
            bus: bus.to_owned(),
            interface: interface.to_owned(),
            notices,
            budget: (BUDGET, Duration::ZERO),
            untold: 0,
            told: None,
            seen: None,
            outage: None,
            losses: [None; Stage::ALL.len()],
            storm: None,
        }
    }

    /// Whether `state` needs no telling any more.
    pub(crate) fn is_told(&self, state: BusState) -> bool {
        self.told == Some(state) && (self.outage.is_none() || !state.hears())
    }

    /// The bus is in `state` since `now`; `heard` is the time of its last frame. `more` is what
    /// else is known, for the details of the event.
    pub(crate) fn state(
        &mut self,
        state: BusState,
        heard: Option<Timestamp>,
        now: (Moment, Value),
    ) {
        let (now, more) = now;
        let has_changed = self.seen.replace(state) != Some(state);
        if !state.hears() {
            let outage = self.outage.get_or_insert_with(|| Outage {
                since: heard.unwrap_or(now.wall),
                states: Vec::new(),
            });
            if outage.states.last() != Some(&state) && outage.states.len() < OUTAGE_STATES_MAX {
                outage.states.push(state);
            }
        }
        if self.is_told(state) {
            return;
        }
        if !self.spend(now.steady) {
            self.untold += u64::from(has_changed);
            return;
        }
        if self.told != Some(state) {
            self.tell_state(state, now, more);
        }
        if state.hears()
            && let Some(outage) = self.outage.take()
        {
            self.end_outage(&outage, now.wall);
        }
    }

    fn tell_state(&mut self, state: BusState, now: Moment, more: Value) {
        let from = self.told.map_or("unknown", BusState::label);
        self.told = Some(state);
        let mut details = details_of(more);
        details.insert("from".to_owned(), json!(from));
        details.insert("to".to_owned(), json!(state.label()));
        let untold = std::mem::take(&mut self.untold);
        if untold > 0 {
            details.insert("untold_changes".to_owned(), json!(untold));
        }
        let message = format!("{}: {}", self.interface, state.advice());
        self.event(now.wall, ("can_bus_state", state.severity()), (message, details));
    }

    /// `frames` were lost between two moments.
    pub(crate) fn lost(&mut self, stage: Stage, frames: u64, span: (Timestamp, Moment)) {
        let (from, now) = span;
        let Some(place) = self.losses.get_mut(stage as usize) else { return };
        let loss = place.get_or_insert(Loss {
            frames: 0,
            from,
            to: now.wall,
            begun: now.steady,
            last: now.steady,
        });
        loss.frames += frames;
        loss.to = loss.to.max(now.wall);
        loss.last = now.steady;
    }

    /// The wall clock was set by this many microseconds.
    pub(crate) fn clock_step(&mut self, step_micros: i64, now: Moment) {
        let direction = if step_micros < 0 { "back" } else { "forward" };
        let span = Duration::from_micros(step_micros.unsigned_abs());
        let message = format!("the wall clock was set {direction} by {span:?}");
        let details = details_of(json!({ "step_us": step_micros }));
        self.event(now.wall, ("clock_step", Severity::Advisory), (message, details));
    }

    /// Error frames so far, and how many a second there were lately.
    pub(crate) fn errors(&mut self, counts: &CauseCounts, rate: f64, now: Moment) {
        let is_storm = rate > STORM_RATE;
        let Some(storm) = &mut self.storm else {
            if is_storm && self.spend(now.steady) {
                self.begin_storm(counts, rate, now);
            }
            return;
        };
        if is_storm {
            storm.last = now.steady;
            return;
        }
        if now.steady.saturating_sub(storm.last) < STORM_QUIET {
            return;
        }
        let added = counts.since(&storm.before);
        let begun = storm.begun.to_string();
        self.storm = None;
        let details = details_of(json!({ "begun": begun, "causes": causes(&added) }));
        let message = format!("{}: the error frames have ceased", self.interface);
        self.event(now.wall, ("can_error_storm_ended", Severity::Note), (message, details));
    }

    fn begin_storm(&mut self, counts: &CauseCounts, rate: f64, now: Moment) {
        self.storm = Some(Storm { begun: now.wall, before: *counts, last: now.steady });
        let message = format!(
            "{}: {rate:.0} error frames in a second; check termination, cable and bit rate",
            self.interface
        );
        let details = details_of(json!({ "rate": rate.round(), "causes": causes(counts) }));
        self.event(now.wall, ("can_error_storm", Severity::Advisory), (message, details));
    }

    /// Tells what is over by now, and offers again what the intake had no room for.
    pub(crate) fn settle(&mut self, now: Moment) {
        for stage in Stage::ALL {
            let Some(place) = self.losses.get_mut(stage as usize) else { continue };
            let is_over = |loss: &mut Loss| {
                now.steady.saturating_sub(loss.last) >= LOSS_QUIET
                    || now.steady.saturating_sub(loss.begun) >= LOSS_MAX
            };
            if let Some(loss) = place.take_if(is_over) {
                self.end_loss(stage, loss);
            }
        }
        self.notices.offer();
    }

    /// Tells what is still open, at the end.
    pub(crate) fn finish(&mut self, now: Moment) {
        for stage in Stage::ALL {
            if let Some(loss) = self.losses.get_mut(stage as usize).and_then(Option::take) {
                self.end_loss(stage, loss);
            }
        }
        if let Some(outage) = self.outage.take() {
            self.end_outage(&outage, now.wall);
        }
        self.notices.offer();
    }

    /// Notices that are lost for good.
    pub(crate) const fn lost_notices(&self) -> u64 {
        self.notices.lost()
    }

    fn end_loss(&mut self, stage: Stage, loss: Loss) {
        let frames = loss.frames;
        let message = format!("{}: {frames} frames lost: {}", self.interface, stage.advice());
        let details = details_of(json!({
            "frames": frames,
            "stage": stage.label(),
            "from": loss.from.to_string(),
            "to": loss.to.to_string(),
        }));
        tracing::error!(bus = %self.bus, "{message}");
        self.event(loss.to, ("can_frames_lost", Severity::Alarm), (message, details));
        let detail = format!("{frames} frames lost before they could be read");
        self.gap((loss.from, loss.to), stage.cause(), detail);
    }

    fn end_outage(&mut self, outage: &Outage, end: Timestamp) {
        let labels: Vec<&str> = outage.states.iter().map(|state| state.label()).collect();
        let cause = outage.states.first().map_or("interface_down", |state| state.gap_cause());
        let detail = format!("{} was {}", self.interface, labels.join(", then "));
        self.gap((outage.since, end), cause, detail);
    }

    fn gap(&mut self, (start, end): (Timestamp, Timestamp), cause: &'static str, detail: String) {
        let table = format!("{}_*", signals::column_name(&self.bus));
        // The clock may have been set back meanwhile.
        let end = end.max(start);
        let (start, end) = (Some(start), Some(end));
        self.notices.tell(Notice::Gap(Gap { table, start, end, cause, detail }));
    }

    fn event(
        &mut self,
        ts: Timestamp,
        (kind, severity): (&str, Severity),
        (message, mut details): (String, Map<String, Value>),
    ) {
        details.insert("interface".to_owned(), json!(self.interface));
        self.notices.tell(Notice::Event(Event {
            ts,
            kind: kind.to_owned(),
            severity,
            source: self.bus.clone(),
            message,
            details: Value::Object(details),
        }));
    }

    /// Takes one change from the budget; false when there is none.
    fn spend(&mut self, now: Duration) -> bool {
        let (rows, at) = &mut self.budget;
        let seconds = now.saturating_sub(*at).as_secs();
        if seconds > 0 {
            *rows = rows.saturating_add(u32::try_from(seconds).unwrap_or(u32::MAX)).min(BUDGET);
            *at = now;
        }
        let has = *rows > 0;
        *rows = rows.saturating_sub(1);
        has
    }
}

fn details_of(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

fn causes(counts: &CauseCounts) -> Value {
    let all = counts.iter().map(|(cause, count)| (cause.label().to_owned(), json!(count)));
    Value::Object(all.collect())
}

#[cfg(test)]
mod tests;
