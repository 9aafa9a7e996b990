//! Rows: what was answered becomes a row of the scan's table, and the device's health.

use std::sync::Arc;
use std::time::Duration;

use signals::{Notice, Reason, Timestamp};

use super::Poller;
use super::ask::Moment;
use crate::line::absence::{CLOCK, STARTING, gap};
use crate::line::meters::{LineNow, UnitNow};
use crate::line::report::Condition;
use crate::line::stamp::Given;
use crate::line::unit::State;
use crate::scan::{Stamp, Tally};

/// Rows of fast scans are offered together, at the latest after this long: a batch costs far more
/// than a row.
const HELD_MAX: Duration = Duration::from_millis(100);
const HELD_ROWS_MAX: usize = 64;
/// Gaps of a line that wait for room in the journal.
const UNTOLD_MAX: usize = 1_024;

impl Poller {
    /// Makes the row of an errand, and settles what its outcomes say of the plan.
    pub(super) fn end_errand(&mut self, place: usize, moment: Moment) {
        let Some(errand) = self.errands.get(place) else { return };
        let (scan, device) = (errand.scan, errand.device);
        self.add_row(place, moment);
        self.learn(place);
        let Some(errand) = self.errands.get(place) else { return };
        if let Some(run) = self.scans.get_mut(scan)
            && errand.good > 0
            && errand.given_up.is_none()
        {
            run.cost = Some(run.cost.map_or(errand.cost, |cost| cost.min(errand.cost)));
        }
        self.publish(device);
    }

    fn add_row(&mut self, place: usize, moment: Moment) {
        let Some(errand) = self.errands.get_mut(place) else { return };
        let now = self.feed.clock.monotonic();
        // The middle of the scan on the wall clock of its beginning: a step meanwhile is no matter.
        let begin = errand.first_sent.unwrap_or(moment.instant);
        let end = errand.last_ended.unwrap_or(begin);
        let half = end.saturating_duration_since(begin) / 2;
        let (wall, monotonic) = moment.at(begin + half);
        if let Some(sent) = errand.first_sent.filter(|_| self.packs > 0) {
            self.meters.started(moment.at(sent).1.saturating_sub(errand.due));
        }
        let Some(run) = self.scans.get_mut(errand.scan) else { return };
        let given = run.stamper.next(wall, monotonic);
        run.absence.row(given.ts, now);
        let table = Arc::clone(run.scan.table());
        if let Some((from, cause, detail)) = silence(&given, self.started, run.scan.period()) {
            if self.untold.len() < UNTOLD_MAX {
                self.untold.push(gap(table.name(), (from, given.ts), cause, detail));
            } else {
                tracing::error!(table = table.name(), cause, "a gap is not told: no room for it");
            }
        }
        let stamp = Stamp { ts: given.ts, error: half, clock: self.feed.clock.state() };
        if run.builder.rows() == 0 {
            run.oldest = now;
        }
        if let Some(watch) = &mut run.watch {
            watch.look(&run.scan, &mut errand.answers);
        }
        run.tally = run.scan.decode_into(&errand.answers, stamp, &mut run.builder);
        let is_slow = run.scan.period() >= HELD_MAX;
        let is_full = run.builder.rows() >= HELD_ROWS_MAX;
        if is_slow || is_full || now.saturating_sub(run.oldest) >= HELD_MAX {
            self.offer(self.errands.get(place).map_or(usize::MAX, |errand| errand.scan));
        }
    }

    /// Tells the gaps that are due; all there are when the line ends. What finds no room is told
    /// later, with what has come to it.
    pub(super) fn tell_gaps(&mut self, is_last: bool) {
        let now = self.now();
        let intake = &self.feed.intake;
        self.untold.retain(|gap| intake.tell(Notice::Gap(gap.clone())).is_err());
        let wall = self.feed.clock.now();
        for run in &mut self.scans {
            if is_last {
                let due = run.slot.due() <= now;
                run.absence.pass(if due { run.slot.take(now) + 1 } else { 0 });
                run.absence.row(wall, now);
            }
            let gap = run.absence.gap(run.scan.table().name(), now, is_last);
            if gap.is_some_and(|gap| intake.tell(Notice::Gap(gap)).is_ok()) {
                run.absence.told(now);
            }
        }
    }

    /// Offers the rows a scan has.
    pub(super) fn offer(&mut self, scan: usize) {
        let Some(run) = self.scans.get_mut(scan) else { return };
        let refused =
            run.builder.finish().is_some_and(|batch| self.feed.intake.offer(batch).is_err());
        if let Some(device) = self.devices.get_mut(run.device) {
            device.report.counts.dropped += u64::from(refused);
        }
    }

    /// Shows what was counted, once a second.
    pub(super) fn show_meters(&mut self) {
        let now = self.now();
        if !self.meters.is_due(now) {
            return;
        }
        self.tell_gaps(false);
        let mut units = Vec::new();
        for device in &self.devices {
            let unit = UnitNow {
                counts: device.report.totals(),
                state: device.unit.state(),
                lessons: &device.learner.lessons,
            };
            device.meters.read(&unit, now, &mut units);
        }
        let line = LineNow {
            wire: self.link.counts(),
            connects: self.link.connects(),
            is_up: self.link.is_up(),
            depth: self.depth.depth(),
        };
        self.meters.show(now, &line, units);
    }

    /// Tells the health of a device.
    pub(super) fn publish(&mut self, place: usize) {
        let mut tally = Tally { signals: 0, bad: 0, reason: Reason::None };
        for run in self.scans.iter().filter(|run| run.device == place) {
            tally.add(run.tally);
        }
        let connected = self.link.is_up();
        let now = self.feed.clock.now();
        let Some(device) = self.devices.get_mut(place) else { return };
        let condition = match device.unit.state() {
            _ if !connected => Condition::NotConnected,
            State::Demoted { .. } => Condition::Silent,
            State::Suspect(timeouts) if timeouts >= crate::line::unit::TIMEOUTS_MAX => {
                Condition::Silent
            }
            State::Suspect(_) => Condition::Doubtful,
            State::Ok if tally.bad == 0 => Condition::Good,
            State::Ok if tally.bad < tally.signals => Condition::Partly(tally),
            State::Ok => Condition::Useless(tally.reason),
        };
        device.report.publish(condition, now, self.trips.smooth());
    }
}

/// Why there is no row between one and the one before although no slot has passed: from when on,
/// the cause, and a sentence. The first row of a line that took no time has nothing before it.
fn silence(
    given: &Given,
    started: Timestamp,
    period: Duration,
) -> Option<(Timestamp, &'static str, String)> {
    match given.before {
        None if given.ts.since(started) >= period => {
            Some((started, STARTING, "from the start of the line to its first row".to_owned()))
        }
        Some(before) if given.step >= period / 2 => {
            let step = given.step.as_secs_f64();
            Some((before, CLOCK, format!("the wall clock was set forward by {step:.3} s")))
        }
        None | Some(_) => None,
    }
}
