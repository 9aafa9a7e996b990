//! Asking: the requests of one scan, what each outcome says of unit, line and plan.

use std::time::Duration;

use signals::Reason;
use tokio::time::{Instant, sleep};

use super::Poller;
use crate::line::report::Asked;
use crate::scan::Read;
use crate::wire::{Fault, Turn};

/// Requests in a row that nobody answered before the connection counts as half open.
const SILENCE_MAX: u32 = 3;
/// Pause before a busy device is asked once more.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// Reads of a device that may be cut in a minute: each costs a request.
const CUTS_MAX: u32 = 12;
const CUTS_WINDOW: Duration = Duration::from_mins(1);

/// How often the plan of a device was changed lately.
#[derive(Debug, Default)]
pub(super) struct CutBudget {
    since: Duration,
    used: u32,
}

impl CutBudget {
    fn take(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.since) >= CUTS_WINDOW {
            (self.since, self.used) = (now, 0);
        }
        self.used += 1;
        self.used <= CUTS_MAX
    }
}

impl Poller {
    /// Asks for everything in a scan; every read gets its outcome in `answers`.
    pub(super) async fn ask_scan(&mut self, place: usize, device: usize) {
        self.answers.clear();
        let (mut next, mut cuts, mut good, mut retried) = (0, 0, 0, false);
        // Why the rest is not asked for.
        let mut given_up = self.is_demoted(device).then_some(Reason::Demoted);
        while let Some(read) = self.read_of(place, next) {
            let outcome = match given_up {
                Some(reason) => Err(reason),
                None => self.ask(device, read, self.timeout_of(device)).await,
            };
            match outcome {
                Ok(()) => {
                    good += 1;
                    self.answers.good(&self.words);
                }
                Err(Reason::Exception(code)) if self.cut(place, device, (next, code)) => {
                    cuts += 1;
                    continue;
                }
                Err(Reason::Exception(5 | 6)) if !retried && self.has_time(device) => {
                    retried = true;
                    sleep(BUSY_PAUSE).await;
                    continue;
                }
                Err(reason) => {
                    self.answers.failed(reason);
                    given_up = given_up.or_else(|| self.reason_to_give_up(device, reason));
                }
            }
            next += 1;
        }
        // A device that refuses everything is not full of holes: it is not ready.
        if cuts > 0 && good == 0 {
            self.replan(place);
        }
    }

    /// One short request to a demoted unit.
    pub(super) async fn probe(&mut self, device: usize) {
        let Some(run) = self.devices.get(device) else { return };
        let timeout = self.trips.probe_timeout(run.timeout);
        let Some(read) = run.probe else { return };
        let outcome = self.ask(device, read, timeout).await;
        tracing::debug!("{}: probe of device {device}: {outcome:?}", self.name);
    }

    /// One request. On success its words are in `words`.
    async fn ask(&mut self, device: usize, read: Read, timeout: Duration) -> Result<(), Reason> {
        sleep_if(self.gap_left()).await;
        let (unit, sent) = (self.unit_of(device), Instant::now());
        let Some(wire) = self.link.wire() else { return Err(Reason::NotConnected) };
        self.words.clear();
        if self.first_sent.is_none() {
            self.first_sent = Some((self.feed.clock.now(), self.feed.clock.monotonic()));
        }
        let outcome =
            wire.read(Turn { unit, deadline: sent + timeout }, read, &mut self.words).await;
        let broken = wire.is_broken();
        self.last_exchange = Some(self.now());
        self.settle(device, Asked { unit, read, timeout }, outcome);
        if outcome.is_ok() {
            self.trips.note(sent.elapsed());
        }
        self.settle_late();
        let nobody_lives = !self.devices.iter().any(|device| device.unit.is_ok());
        if broken || (self.silence >= SILENCE_MAX && nobody_lives) {
            self.silence = 0;
            let now = self.now();
            self.link.lose(now);
        }
        outcome.map_err(Fault::reason)
    }

    /// What an outcome says of the unit and of the line.
    fn settle(&mut self, device: usize, asked: Asked, outcome: Result<(), Fault>) {
        let now = self.now();
        let Some(run) = self.devices.get_mut(device) else { return };
        run.report.counts.requests += 1;
        if let Err(fault) = outcome {
            run.report.note(fault, asked);
        }
        match outcome {
            Ok(()) => {
                run.report.counts.answers += 1;
                run.unit.answered();
            }
            Err(Fault::Timeout) => {
                run.report.counts.timeouts += 1;
                run.unit.timed_out(now);
                self.silence += 1;
                return;
            }
            // A gateway says that the unit behind it does not answer.
            Err(Fault::Exception(10 | 11)) => {
                run.report.counts.exceptions += 1;
                run.unit.timed_out(now);
            }
            Err(Fault::Exception(_)) => {
                run.report.counts.answers += 1;
                run.report.counts.exceptions += 1;
                run.unit.answered();
            }
            Err(Fault::Unit(_) | Fault::Function(_) | Fault::Quantity | Fault::Short) => {
                run.report.counts.exceptions += 1;
            }
            Err(Fault::Framing(_) | Fault::Closed | Fault::Io(_) | Fault::Request) => return,
        }
        self.silence = 0;
        self.link.answered();
    }

    /// Cuts a read that was refused because of a hole or its length. `refused`: place and code.
    fn cut(&mut self, place: usize, device: usize, refused: (usize, u8)) -> bool {
        let (read, code) = refused;
        let now = self.now();
        let (Some(run), Some(device)) = (self.scans.get_mut(place), self.devices.get_mut(device))
        else {
            return false;
        };
        let plan_is_wrong = matches!(code, 2..=4);
        plan_is_wrong
            && run.scan.can_cut(read)
            && device.cuts.take(now)
            && run.scan.cut(read).is_some()
    }

    /// Takes the cuts of a scan back; its outcomes, all without words, stay as they are.
    fn replan(&mut self, place: usize) {
        if let Some(run) = self.scans.get_mut(place) {
            run.scan.uncut();
        }
    }

    /// Why the rest of a scan is not asked for after an outcome, if it is not.
    fn reason_to_give_up(&self, device: usize, reason: Reason) -> Option<Reason> {
        if !self.link.is_up() {
            return Some(Reason::NotConnected);
        }
        let hopeless = self.is_demoted(device) || !self.has_time(device);
        (reason == Reason::Timeout && hopeless).then_some(reason)
    }

    /// Whether one more request that times out makes nobody late.
    fn has_time(&self, device: usize) -> bool {
        self.slack(self.now(), device) >= self.timeout_of(device)
    }

    /// What is left of the pause that the line keeps after an exchange.
    fn gap_left(&self) -> Duration {
        let since = self.last_exchange.map(|end| self.now().saturating_sub(end));
        since.map_or(Duration::ZERO, |since| self.request_gap.saturating_sub(since))
    }

    fn read_of(&self, place: usize, next: usize) -> Option<Read> {
        self.scans.get(place)?.scan.reads().get(next).copied()
    }

    fn is_demoted(&self, device: usize) -> bool {
        self.devices.get(device).is_some_and(|device| device.unit.is_demoted())
    }

    fn timeout_of(&self, device: usize) -> Duration {
        self.devices.get(device).map_or(Duration::ZERO, |device| device.timeout)
    }

    fn unit_of(&self, device: usize) -> u8 {
        self.devices.get(device).map_or(0, |device| device.unit_id)
    }
}

async fn sleep_if(pause: Duration) {
    if !pause.is_zero() {
        sleep(pause).await;
    }
}
