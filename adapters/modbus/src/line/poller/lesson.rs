//! Lessons: refused reads are cut until they are answered, and the plan follows what that shows.

use std::time::Duration;

use signals::{Reason, Timestamp};

use super::Poller;
use crate::line::learn::FORGET_AFTER;
use crate::scan::Read;
use crate::wire::{Ask, Fault};

/// Extra requests of a device in a minute in search of what it refuses; a cut costs two.
const EXTRA_MAX: u32 = 12;
const EXTRA_WINDOW: Duration = Duration::from_mins(1);
/// First pause in learning after a device refused everything; it doubles up to the last.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);
const REFUSED_PAUSE_MAX: Duration = Duration::from_mins(10);
/// Rows in a row without a refusal, after which a new refusal means that the device has changed.
const SETTLED_ROWS: u32 = 50;
/// Trials without an answer either way before the worse is assumed.
const TRIALS_MAX: u32 = 3;

/// How many requests may be spent to find out what a device refuses.
#[derive(Debug, Default)]
pub(super) struct Budget {
    since: Duration,
    used: u32,
    /// Rounds in a row in which it refused everything, and when to try again.
    refused: u32,
    not_before: Duration,
    /// Trials without an outcome.
    trials: u32,
}

impl Budget {
    fn take(&mut self, now: Duration, requests: u32) -> bool {
        if now < self.not_before {
            return false;
        }
        if now.saturating_sub(self.since) >= EXTRA_WINDOW {
            (self.since, self.used) = (now, 0);
        }
        let fits = self.used + requests <= EXTRA_MAX;
        if fits {
            self.used += requests;
        }
        fits
    }

    fn refused_all(&mut self, now: Duration) {
        let pause = REFUSED_PAUSE * 2_u32.saturating_pow(self.refused.min(8));
        self.not_before = now + pause.min(REFUSED_PAUSE_MAX);
        self.refused = self.refused.saturating_add(1);
    }
}

impl Poller {
    /// Cuts a read that was refused because of a hole or its length.
    pub(super) fn cut(&mut self, errand: usize, read: usize) -> bool {
        let now = self.now();
        let Some(errand) = self.errands.get_mut(errand) else { return false };
        let Some(run) = self.scans.get_mut(errand.scan) else { return false };
        let Some(device) = self.devices.get_mut(errand.device) else { return false };
        if !run.believes_refusals() || !run.scan.can_cut(read) || !device.budget.take(now, 2) {
            return false;
        }
        let Some(cut) = run.scan.cut(read) else { return false };
        run.cuts.push(cut);
        errand.answers.split(read);
        true
    }

    /// What the outcomes of a whole errand teach.
    pub(super) fn learn(&mut self, errand: usize) {
        let (now, wall) = (self.now(), self.feed.clock.now());
        let Some(errand) = self.errands.get(errand) else { return };
        let Some(run) = self.scans.get_mut(errand.scan) else { return };
        let Some(device) = self.devices.get_mut(errand.device) else { return };
        let refused = |place: usize| match errand.answers.get(place) {
            Err(Reason::Exception(code @ 2..=4)) => Some(code),
            Ok(_) | Err(_) => None,
        };
        let places = 0..run.scan.reads().len();
        let believes = run.believes_refusals();
        if places.clone().any(|place| refused(place).is_some()) {
            run.refused_rows = run.refused_rows.saturating_add(1);
        } else if errand.given_up.is_none() && run.cuts.is_empty() {
            run.settled_rows = run.settled_rows.saturating_add(1);
            run.refused_rows = 0;
        }
        if errand.good == 0 {
            // A device that refuses everything is not full of holes: it is not ready.
            if !run.cuts.is_empty() {
                run.cuts.clear();
                run.scan.uncut();
                device.budget.refused_all(now);
            }
            return;
        }
        device.budget.refused = 0;
        let mut is_settled = errand.given_up.is_none();
        for place in places {
            let (Some(code), Some(read)) = (refused(place), run.scan.reads().get(place)) else {
                continue;
            };
            if run.scan.can_cut(place) {
                is_settled = false;
            } else if code == 2 && (believes || device.learner.lessons.missing.contains(read)) {
                device.learner.lacks(*read, (wall, now));
            }
        }
        if is_settled && !run.cuts.is_empty() {
            let was_settled = run.settled_rows >= SETTLED_ROWS;
            (run.settled_rows, run.refused_rows) = (0, 0);
            if was_settled && !device.learner.lessons.is_empty() {
                tracing::warn!(
                    "{}: what it refuses has changed; known was: {}. It is found out anew",
                    device.report.device(),
                    device.learner.lessons.told()
                );
                device.learner.forget();
            } else {
                device.learner.take(&run.cuts, wall);
            }
            run.cuts.clear();
        }
    }

    /// Lets the plans follow what was learned. Only between errands, whose answers follow the
    /// plan they were asked for.
    pub(super) fn apply_lessons(&mut self) {
        let wall = self.feed.clock.now();
        for place in 0..self.devices.len() {
            self.forget_old(place, wall);
            let Some(device) = self.devices.get_mut(place) else { continue };
            if !device.learner.is_new || device.learner.trial().is_some() {
                continue;
            }
            device.learner.is_new = false;
            let lessons = &device.learner.lessons;
            let own = self.scans.iter_mut().filter(|run| run.device == place);
            let mut probe: Option<Read> = None;
            for run in own {
                run.scan.replan(&lessons.within(run.scan.limits()), &lessons.borders);
                run.cuts.clear();
                let reads = run.scan.reads().iter().filter(|read| !lessons.missing.contains(read));
                probe = reads.chain(&probe).min_by_key(|read| read.count).copied();
            }
            device.probe = probe.or(device.probe);
            if let Some(notebook) = &self.notebook {
                notebook.keep(&device.place.page(), &lessons.to_page(&device.place));
            }
            let (name, told) = (device.report.device(), lessons.told());
            tracing::info!("{name}: learned what it refuses: {told}");
        }
    }

    fn forget_old(&mut self, place: usize, wall: Timestamp) {
        let Some(device) = self.devices.get_mut(place) else { return };
        let lessons = &device.learner.lessons;
        if !lessons.is_empty() && lessons.since.is_some_and(|at| wall.since(at) >= FORGET_AFTER) {
            tracing::info!(
                "{}: what it refuses was learned a day ago and is found out anew",
                device.report.device()
            );
            device.learner.forget();
        }
    }

    /// A device of which a trial read shall be made, when that disturbs nobody.
    pub(super) fn due_trial(&mut self, now: Duration) -> Option<usize> {
        let trip = self.trips.smooth().unwrap_or_default();
        for place in 0..self.devices.len() {
            let fits = self.link.is_up() && self.slack(now, place) >= trip * 2;
            let Some(device) = self.devices.get_mut(place) else { continue };
            if fits
                && device.unit.is_ok()
                && device.learner.trial().is_some()
                && device.budget.take(now, 1)
            {
                return Some(place);
            }
        }
        None
    }

    /// One read whose outcome decides what a device lacks or how much it gives.
    pub(super) async fn try_read(&mut self, place: usize) {
        let Some(device) = self.devices.get(place) else { return };
        let Some(read) = device.learner.trial() else { return };
        let ask = Ask { unit: device.unit_id, read, timeout: device.timeout };
        let outcome = self.ask_alone(place, ask).await;
        let Some(device) = self.devices.get_mut(place) else { return };
        match outcome {
            Some(Ok(())) => device.learner.tried(true),
            Some(Err(Fault::Exception(2..=4))) => device.learner.tried(false),
            // Not sent: it tells nothing.
            None => return,
            Some(Err(_)) => {
                device.budget.trials += 1;
                if device.budget.trials < TRIALS_MAX {
                    return;
                }
                device.learner.tried(false);
            }
        }
        device.budget.trials = 0;
    }
}
