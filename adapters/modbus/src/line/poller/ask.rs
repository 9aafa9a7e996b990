//! Asking: the requests of the scans that are due, in rounds, until each read has its outcome.

use std::time::Duration;

use signals::{Reason, Timestamp};
use tokio::time::{Instant, sleep};

use super::{Permit, Poller};
use crate::scan::Answers;
use crate::wire::{Ask, Fault};

/// One scan that is being asked for. Kept and used again: no allocation.
#[derive(Debug, Default)]
pub(super) struct Errand {
    pub(super) scan: usize,
    pub(super) device: usize,
    /// Its slot.
    pub(super) due: Duration,
    /// How long to wait for each answer.
    pub(super) timeout: Duration,
    pub(super) answers: Answers,
    /// Why the rest is not asked for.
    pub(super) given_up: Option<Reason>,
    /// When the first request was sent.
    pub(super) first_sent: Option<Instant>,
    /// When the last answer was complete.
    pub(super) last_ended: Option<Instant>,
    /// Time its requests took of the line.
    pub(super) cost: Duration,
    /// Requests that were sent again in this slot.
    pub(super) retries: u32,
    /// Reads that were answered.
    pub(super) good: u32,
}

/// One moment on three clocks, so that times on one can be told on the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) instant: Instant,
    pub(super) wall: Timestamp,
    pub(super) monotonic: Duration,
}

impl Moment {
    /// Wall and monotonic time of an instant near this moment.
    pub(super) fn at(self, instant: Instant) -> (Timestamp, Duration) {
        let after = instant.saturating_duration_since(self.instant);
        let before = self.instant.saturating_duration_since(instant);
        let monotonic = (self.monotonic + after).saturating_sub(before);
        (self.wall.plus(after).minus(before), monotonic)
    }
}

impl Poller {
    pub(super) fn moment(&self) -> Moment {
        let clock = &self.feed.clock;
        Moment { instant: Instant::now(), wall: clock.now(), monotonic: clock.monotonic() }
    }

    /// Takes the slot of a scan and makes an errand of it.
    pub(super) fn begin(&mut self, place: usize, permit: Permit, now: Duration) {
        let Some(run) = self.scans.get_mut(place) else { return };
        let missed = run.slot.take(now);
        run.absence.pass(missed);
        let due = run.slot.due().saturating_sub(run.scan.period());
        run.asked |= permit != Permit::Skip(Reason::NotConnected);
        if let Some(device) = self.devices.get_mut(run.device) {
            device.report.counts.missed += missed;
        }
        if self.busy == self.errands.len() {
            self.errands.push(Errand::default());
        }
        let Some(errand) = self.errands.get_mut(self.busy) else { return };
        self.busy += 1;
        let (timeout, given_up) = match permit {
            Permit::Ask(timeout) => (timeout, None),
            Permit::Skip(reason) => (Duration::ZERO, Some(reason)),
            Permit::Wait => (Duration::ZERO, Some(Reason::WaitingFirst)),
        };
        self.meters.took(missed, given_up.is_none());
        let mut answers = std::mem::take(&mut errand.answers);
        answers.open(run.scan.reads().len());
        if let Some(device) = self.devices.get(run.device).filter(|_| given_up.is_none()) {
            for (place, read) in run.scan.reads().iter().enumerate() {
                if device.learner.rests(*read, now) {
                    answers.put_failed(place, Reason::IllegalAddress);
                }
            }
        }
        *errand = Errand {
            scan: place,
            device: run.device,
            due,
            timeout,
            answers,
            given_up,
            ..Errand::default()
        };
    }

    /// Asks for everything in the errands, in rounds; then makes their rows.
    pub(super) async fn ask_errands(&mut self) {
        let moment = self.moment();
        while self.gather_asks() {
            self.exchange().await;
            for place in 0..self.asks.len() {
                self.settle_ask(place);
            }
            self.settle_line();
            if self.feed.stop.is_raised() {
                break;
            }
        }
        // At a stop, those that have all their answers are rows; the rest was never sampled.
        for place in 0..self.busy {
            if self.is_whole(place) {
                self.end_errand(place, moment);
            }
        }
    }

    /// Whether each read of an errand has its outcome.
    fn is_whole(&self, place: usize) -> bool {
        let Some(errand) = self.errands.get(place) else { return false };
        let reads = self.scans.get(errand.scan).map_or(0, |run| run.scan.reads().len());
        !(0..reads).any(|read| errand.answers.is_open(read))
    }

    /// One short request to a demoted unit.
    pub(super) async fn probe(&mut self, device: usize) {
        let Some(run) = self.devices.get(device) else { return };
        let timeout = self.trips.probe_timeout(run.timeout);
        let timeout = self.within(self.slack(self.now(), device), timeout);
        let Some(read) = run.probe else { return };
        let ask = Ask { unit: run.unit_id, read, timeout };
        let outcome = self.ask_alone(device, ask).await;
        tracing::debug!("{}: probe of unit {}: {outcome:?}", self.name, ask.unit);
        let (now, company) = (self.now(), self.has_company(device));
        match outcome {
            Some(Ok(())) => {}
            Some(Err(fault)) => self.note(device, ask, fault),
            // It may not go out yet: an older answer could pass for its own.
            None => {
                if let Some(run) = self.devices.get_mut(device) {
                    run.unit.timed_out(now, company);
                }
            }
        }
        self.publish(device);
    }

    /// One request outside of any scan; `None` when it was not sent.
    pub(super) async fn ask_alone(&mut self, device: usize, ask: Ask) -> Option<Result<(), Fault>> {
        self.busy = 0;
        self.asks.clear();
        self.asks.push(ask);
        self.exchange().await;
        let outcome = self.outcomes.reads.first().cloned();
        if let Some(outcome) = &outcome {
            self.settle_outcome(device, outcome);
        }
        self.settle_line();
        outcome.filter(|outcome| outcome.sent.is_some()).map(|outcome| outcome.words.map(|_| ()))
    }

    /// Collects the next reads to ask for, as many as the wire may have; false when none is left.
    fn gather_asks(&mut self) -> bool {
        self.asks.clear();
        self.askers.clear();
        let most = self.reads_at_once();
        for (place, errand) in self.errands.iter_mut().enumerate().take(self.busy) {
            let Some(run) = self.scans.get(errand.scan) else { continue };
            let unit = self.devices.get(errand.device).map_or(0, |device| device.unit_id);
            for (read, wanted) in run.scan.reads().iter().enumerate() {
                if !errand.answers.is_open(read) {
                    continue;
                }
                if let Some(reason) = errand.given_up {
                    errand.answers.put_failed(read, reason);
                } else if self.asks.len() < most {
                    self.asks.push(Ask { unit, read: *wanted, timeout: errand.timeout });
                    self.askers.push((place, read));
                } else {
                    return true;
                }
            }
        }
        !self.asks.is_empty()
    }

    /// Sends the asks and waits for their outcomes.
    async fn exchange(&mut self) {
        let busy =
            self.busy_until.take().map(|until| until.saturating_duration_since(Instant::now()));
        sleep_if(self.gap_left().max(busy.unwrap_or_default())).await;
        let begun = Instant::now();
        self.outcomes.words.clear();
        self.outcomes.reads.clear();
        let Some(wire) = self.link.wire() else { return };
        self.reads_since_order = self.reads_since_order.saturating_add(self.asks.len());
        wire.read_many(&self.asks, self.depth.depth(), &mut self.outcomes).await;
        self.depth.note(&self.outcomes.reads, wire.counts().strays);
        let ended = Instant::now();
        let took = ended.saturating_duration_since(begun);
        self.round_share = took / u32::try_from(self.asks.len().max(1)).unwrap_or(u32::MAX);
        self.meters.asked(took);
        self.last_exchange = Some(ended);
    }

    /// What is left of the pause that the line keeps after an exchange.
    pub(super) fn gap_left(&self) -> Duration {
        let since = self.last_exchange.map(|end| end.elapsed());
        since.map_or(Duration::ZERO, |since| self.request_gap.saturating_sub(since))
    }
}

pub(super) async fn sleep_if(pause: Duration) {
    if !pause.is_zero() {
        sleep(pause).await;
    }
}
