//! Whose turn it is: the earliest deadline among those who answer, then those in doubt, in slack
//! only.

use std::time::Duration;

use signals::Reason;

use super::run::{DeviceRun, ScanRun};
use super::{EARLY, Permit, Poller};

/// A probe or a doubtful unit that found no slack for this long is asked where slack is greatest,
/// after twice that at any time: it must be able to return.
const OVERDUE: Duration = Duration::from_secs(3);
/// What a line is silent for after a timeout, before the next request.
const SILENCE: Duration = Duration::from_millis(25);
/// Reads handed to the wire at once, per request on its way: enough that it never runs dry.
const READS_PER_DEPTH: usize = 4;

impl Poller {
    /// Reads of one round. With one request on its way at a time each read is a round, so that a
    /// timeout is known before the next is sent.
    pub(super) fn reads_at_once(&self) -> usize {
        match self.depth.depth() {
            0 | 1 => 1 + usize::from(self.finds_depth),
            depth => depth * READS_PER_DEPTH,
        }
    }

    /// Fills the errands with what is due: the earliest deadlines, units in doubt behind the
    /// others. False when nothing is.
    pub(super) fn take_due(&mut self, now: Duration) -> bool {
        self.busy = 0;
        let soon = now + EARLY;
        let most = self.reads_at_once();
        let mut reads = 0;
        while reads < most {
            let Some((place, sure)) = self.due_scan(soon) else { break };
            // A unit in doubt may hold the line up: it is asked alone.
            if !sure && self.busy > 0 {
                break;
            }
            let permit = self.permit(place, now);
            if permit == Permit::Wait {
                break;
            }
            self.begin(place, permit, soon);
            reads += self.scans.get(place).map_or(1, |run| run.scan.reads().len());
            if !sure {
                break;
            }
        }
        self.busy > 0
    }

    /// The due scan with the earliest deadline, and whether its unit is beyond doubt.
    pub(super) fn due_scan(&self, now: Duration) -> Option<(usize, bool)> {
        let due = self.scans.iter().enumerate().filter(|(_, run)| run.slot.due() <= now);
        let rank = |run: &ScanRun| {
            let device = self.devices.get(run.device);
            // A demoted unit is not asked: its rows cost the line nothing.
            let sure = device.is_some_and(|device| !device.unit.is_suspect());
            (!sure, run.slot.deadline())
        };
        let first = due.map(|(place, run)| (rank(run), place)).min()?;
        Some((first.1, !first.0.0))
    }

    /// What may be done about a scan that is due.
    pub(super) fn permit(&self, place: usize, now: Duration) -> Permit {
        let Some(run) = self.scans.get(place) else { return Permit::Wait };
        let Some(device) = self.devices.get(run.device) else { return Permit::Wait };
        if !self.link.is_up() {
            return Permit::Skip(Reason::NotConnected);
        }
        if device.unit.is_demoted() {
            return Permit::Skip(Reason::Demoted);
        }
        if !device.unit.is_suspect() || !self.has_company(run.device) {
            return Permit::Ask(device.timeout);
        }
        let slack = self.slack(now, run.device);
        let short = self.trips.probe_timeout(device.timeout);
        if self.is_overdue(device.asked_at, run.device, now) {
            return Permit::Ask(self.within(slack, short));
        }
        if slack >= device.timeout.max(self.hold(device)) {
            Permit::Ask(device.timeout)
        } else if slack >= self.least_slack(device) {
            Permit::Ask(self.within(slack, short))
        } else if now + EARLY < run.slot.deadline() {
            Permit::Wait
        } else {
            Permit::Skip(Reason::Timeout)
        }
    }

    /// Whether anybody but this device is known to answer.
    pub(super) fn has_company(&self, except: usize) -> bool {
        self.devices.iter().enumerate().any(|(place, device)| {
            place != except && device.unit.is_ok() && device.unit.has_answered()
        })
    }

    /// Time until a slot of a unit that answers, other than `except`.
    pub(super) fn slack(&self, now: Duration, except: usize) -> Duration {
        let lives = |run: &&ScanRun| {
            let device = self.devices.get(run.device);
            run.device != except && device.is_some_and(|device| device.unit.is_ok())
        };
        let next = self.scans.iter().filter(lives).map(|run| run.slot.due()).min();
        next.map_or(Duration::MAX, |due| due.saturating_sub(now))
    }

    /// Whether a unit that has waited for slack since then is asked without enough of it.
    fn is_overdue(&self, since: Duration, place: usize, now: Duration) -> bool {
        let waited = now.saturating_sub(since);
        let is_best = || self.slack(now, place) >= self.longest_slack(place) / 4 * 3;
        waited >= OVERDUE * 2 || (waited >= OVERDUE && is_best())
    }

    /// The longest time between the end of a scan of a unit that answers and the next slot, from
    /// now on.
    fn longest_slack(&self, except: usize) -> Duration {
        let lives = |run: &&ScanRun| {
            let device = self.devices.get(run.device);
            run.device != except && device.is_some_and(|device| device.unit.is_ok())
        };
        let trip = self.trips.smooth().unwrap_or_default();
        let live = self.scans.iter().filter(lives);
        let mut slots: Vec<(Duration, Duration)> =
            live.map(|run| (run.slot.due(), run.load(trip).cost)).collect();
        slots.sort_unstable();
        let again = slots.first().map(|(due, cost)| (*due + self.frame(), *cost));
        let next = slots.iter().skip(1).chain(&again);
        let gaps = slots.iter().zip(next).map(|(one, next)| next.0.saturating_sub(one.0 + one.1));
        gaps.max().unwrap_or_default()
    }

    /// The shortest period on the line.
    fn frame(&self) -> Duration {
        self.scans.iter().map(|run| run.scan.period()).min().unwrap_or_default()
    }

    /// How long a request to it may hold up the line beyond its timeout: only where a gateway
    /// stands before it.
    fn hold(&self, device: &DeviceRun) -> Duration {
        if self.is_serial { Duration::ZERO } else { device.hold() }
    }

    /// The least slack in which a unit in doubt is asked. On a serial line a timeout may end with
    /// the slack; behind a gateway the unit holds up the others for as long as the gateway waits.
    fn least_slack(&self, device: &DeviceRun) -> Duration {
        if self.is_serial {
            self.answer_time().map_or(device.timeout, |time| time.min(device.timeout))
        } else {
            self.trips.probe_timeout(device.timeout).max(device.hold())
        }
    }

    /// What an answer takes that is on time.
    fn answer_time(&self) -> Option<Duration> {
        self.trips.smooth().map(|trip| trip + trip / 2)
    }

    /// A timeout that ends with the slack, as long as an answer in time still would.
    pub(super) fn within(&self, slack: Duration, timeout: Duration) -> Duration {
        let least = self.answer_time().unwrap_or(timeout);
        timeout.min(slack.saturating_sub(SILENCE).max(least))
    }

    /// A demoted unit whose probe is due and disturbs nobody.
    pub(super) fn due_probe(&self, now: Duration) -> Option<usize> {
        if !self.link.is_up() {
            return None;
        }
        let due = |(place, device): (usize, &DeviceRun)| {
            let probe_at = device.unit.probe_at().filter(|at| *at <= now)?;
            let fits = self.slack(now, place) >= self.least_slack(device);
            (fits || self.is_overdue(probe_at, place, now)).then_some((probe_at, place))
        };
        self.devices.iter().enumerate().filter_map(due).min().map(|(_, place)| place)
    }
}
