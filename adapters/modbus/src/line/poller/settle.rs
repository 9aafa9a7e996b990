//! Settling: what each outcome says of its read, its unit, the line and the plan.

use std::time::Duration;

use signals::Reason;
use tokio::time::Instant;

use super::Poller;
use crate::line::report::Asked;
use crate::wire::{Ask, Fault, Outcome};

/// Requests in a row that nobody answered before the connection counts as half open.
const SILENCE_MAX: u32 = 3;
/// Pause before a busy device is asked once more, and how often it is.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
const BUSY_RETRIES: u32 = 3;
/// How long a late answer keeps a device from being asked again in the same slot.
const LATE_MEMORY: Duration = Duration::from_mins(1);
/// Shortest time worth asking again in.
const RETRY_MIN: Duration = Duration::from_millis(5);

impl Poller {
    /// Takes the outcome of one ask of the round into its errand.
    pub(super) fn settle_ask(&mut self, place: usize) {
        let Some((ask, (errand, read))) =
            self.asks.get(place).copied().zip(self.askers.get(place).copied())
        else {
            return;
        };
        let device = self.errands.get(errand).map_or(usize::MAX, |errand| errand.device);
        let Some(outcome) = self.outcomes.reads.get(place).cloned() else {
            // There was no connection to ask on.
            if let Some(errand) = self.errands.get_mut(errand) {
                errand.given_up = Some(Reason::NotConnected);
            }
            return;
        };
        let first_doubt = self.devices.get(device).is_some_and(|device| device.unit.is_ok());
        self.settle_outcome(device, &outcome);
        if let Some(errand) = self.errands.get_mut(errand)
            && let Some(sent) = outcome.sent
        {
            errand.first_sent = errand.first_sent.or(Some(sent));
            errand.last_ended = Some(outcome.ended);
            errand.cost += self.round_share;
        }
        match outcome.words {
            Ok(range) => {
                let words = self.outcomes.words.get(range).unwrap_or_default();
                if let Some(errand) = self.errands.get_mut(errand) {
                    errand.good += 1;
                    errand.answers.put_good(read, words);
                }
                if let Some(device) = self.devices.get_mut(device)
                    && device.learner.answered(ask.read)
                {
                    let name = device.report.device();
                    tracing::info!("{name}: answers what it lacked before, {:?}", ask.read);
                }
            }
            Err(fault) => {
                if matches!(fault, Fault::Exception(2..=4)) && self.cut(errand, read) {
                    return;
                }
                self.note(device, ask, fault);
                self.settle_fault((errand, read), fault, first_doubt);
            }
        }
    }

    /// Tells a fault, with what to do, to the device's health.
    pub(super) fn note(&mut self, device: usize, ask: Ask, fault: Fault) {
        let Some(run) = self.devices.get_mut(device) else { return };
        let asked = Asked { unit: ask.unit, read: ask.read, timeout: ask.timeout };
        run.report.note(fault, asked);
    }

    /// A read of an errand failed: it is asked again, or has failed for good.
    fn settle_fault(&mut self, of: (usize, usize), fault: Fault, first_doubt: bool) {
        let (place, read) = of;
        let Some((scan, device, retries)) =
            self.errands.get(place).map(|errand| (errand.scan, errand.device, errand.retries))
        else {
            return;
        };
        let left = self.time_left(scan, device);
        let is_busy = matches!(fault, Fault::Exception(5 | 6)) && retries < BUSY_RETRIES;
        // Without ids another read has to be answered first: that the answer to the first request
        // is not taken for that to the second. A unit that is only late is not given more to do.
        let trips = if self.has_ids { 1 } else { 2 };
        let is_slow = !self.has_ids && self.was_late(device);
        let is_lost = fault == Fault::Timeout && first_doubt && retries == 0 && !is_slow;
        let needed = if is_busy {
            2 * BUSY_PAUSE
        } else if is_lost {
            (self.trips.smooth().unwrap_or_default() * 2 * trips).max(RETRY_MIN)
        } else {
            Duration::MAX
        };
        let again = left.filter(|left| *left >= needed && needed < Duration::MAX);
        let is_up = self.link.wire().is_some_and(|wire| !wire.is_broken());
        let give_up = self.reason_to_give_up(device, fault);
        let Some(errand) = self.errands.get_mut(place) else { return };
        if let Some(left) = again.filter(|_| is_up) {
            errand.retries += 1;
            errand.timeout = errand.timeout.min(left / trips);
            if fault != Fault::Timeout {
                self.busy_until = Some(Instant::now() + BUSY_PAUSE);
            }
            return;
        }
        errand.answers.put_failed(read, fault.reason());
        errand.given_up = errand.given_up.or(give_up);
    }

    /// Whether an answer of the device came late not long ago.
    fn was_late(&self, device: usize) -> bool {
        let late_at = self.devices.get(device).and_then(|device| device.late_at);
        late_at.is_some_and(|at| self.now().saturating_sub(at) < LATE_MEMORY)
    }

    /// Time until this scan's next slot or a slot of somebody else, if there is any.
    fn time_left(&self, scan: usize, device: usize) -> Option<Duration> {
        let now = self.now();
        let own = self.scans.get(scan).map(|run| run.slot.due().saturating_sub(now))?;
        Some(own.min(self.slack(now, device)))
    }

    /// What an outcome says of the unit and of the line.
    pub(super) fn settle_outcome(&mut self, device: usize, outcome: &Outcome) {
        let Some(sent) = outcome.sent else { return };
        let (now, company) = (self.now(), self.has_company(device));
        let took = outcome.ended.saturating_duration_since(sent);
        let Some(run) = self.devices.get_mut(device) else { return };
        run.report.counts.requests += 1;
        run.asked_at = now;
        let fault = outcome.words.as_ref().err().copied();
        match fault {
            None => {
                run.report.counts.answers += 1;
                run.unit.answered();
                run.hold = None;
                run.meters.trips.note(took);
            }
            Some(Fault::Timeout) => {
                run.report.counts.timeouts += 1;
                run.unit.timed_out(now, company);
                self.silence += 1;
                self.unanswered = Some((device, sent));
                return;
            }
            // A gateway says that the unit behind it does not answer.
            Some(Fault::Exception(code @ (10 | 11))) => {
                run.meters.refused(code);
                run.report.counts.exceptions += 1;
                run.unit.timed_out(now, company);
                run.hold = Some(took + took / 8);
            }
            Some(Fault::Exception(code)) => {
                run.meters.refused(code);
                run.report.counts.answers += 1;
                run.report.counts.exceptions += 1;
                run.unit.answered();
            }
            Some(Fault::Framing(_) | Fault::Closed | Fault::Io(_) | Fault::Request) => return,
            Some(_) => run.report.counts.exceptions += 1,
        }
        self.silence = 0;
        self.link.answered();
        if fault.is_none() {
            self.learn_hold(device, sent, outcome.ended);
            self.trips.note(took);
        }
    }

    /// What the first answer after a request that timed out shows: when it took much longer than
    /// usual, a gateway waited for the dead unit longer than we did, and the next probe needs so
    /// much slack.
    fn learn_hold(&mut self, device: usize, sent: Instant, ended: Instant) {
        let Some((silent, since)) = self.unanswered.take().filter(|(silent, _)| *silent != device)
        else {
            return;
        };
        let usual = self.trips.smooth().unwrap_or_default();
        let took = ended.saturating_duration_since(sent);
        let waited = sent.saturating_duration_since(since);
        let Some(run) = self.devices.get_mut(silent) else { return };
        if took >= usual * 3 + Duration::from_millis(5) {
            let held = ended.saturating_duration_since(since).saturating_sub(usual);
            run.hold = Some((held + held / 8).min(run.timeout * 4));
        } else if waited < run.hold() {
            run.hold = Some(waited);
        }
    }

    /// What the round says of the connection.
    pub(super) fn settle_line(&mut self) {
        self.settle_late();
        let broken = self.link.wire().is_some_and(|wire| wire.is_broken());
        let nobody_lives = !self.devices.iter().any(|device| device.unit.is_ok());
        if broken || (self.silence >= SILENCE_MAX && nobody_lives && !self.is_serial) {
            self.silence = 0;
            let now = self.now();
            self.link.lose(now);
        }
        if !self.link.is_up() {
            for errand in self.errands.iter_mut().take(self.busy) {
                errand.given_up = errand.given_up.or(Some(Reason::NotConnected));
            }
        }
    }

    /// Why the rest of a scan is not asked for after a fault, if it is not.
    fn reason_to_give_up(&self, device: usize, fault: Fault) -> Option<Reason> {
        let unit = &self.devices.get(device)?.unit;
        // Whoever was silent once may be so for all its reads: the others come first.
        let doubtful = unit.is_demoted() || (unit.is_suspect() && self.has_company(device));
        (fault == Fault::Timeout && doubtful).then_some(Reason::Timeout).or_else(|| {
            let refused = matches!(fault, Fault::Exception(10 | 11)) && doubtful;
            refused.then_some(fault.reason())
        })
    }
}
