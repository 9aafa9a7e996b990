//! Watching: one row through model, calibration and episodes.

use signals::{Contribution, Episode, Score, Timestamp};

use super::{DetectorSettings, Learnt};
use crate::Row;
use crate::calibrate::Tail;
use crate::episode::{CLOSE_FACTOR, Change, Episodes, Evidence, REFRACTORY, top};
use crate::ewma::{Ewma, Memory, Observation};

/// How much slower the centre follows a row that is suspicious (`p < 10 q`).
const SUSPICIOUS_RATE: f64 = 0.1;

/// A fitted detector at work.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) model: Ewma,
    pub(super) memory: Memory,
    pub(super) tail: Tail,
    pub(super) episodes: Episodes,
    pub(super) last: Option<Timestamp>,
    pub(super) settling: usize,
    pub(super) learnt: Learnt,
}

/// How a row follows the one before.
enum Step {
    On,
    /// Not later: not scored.
    Late,
    /// After a gap or a step of the clock, with the time of the row before.
    Anew(Timestamp),
}

impl Watch {
    pub(super) fn score(
        &mut self,
        settings: &DetectorSettings,
        ts: Timestamp,
        values: &[Option<f64>],
    ) -> Score {
        let mut broken_off = None;
        match self.step(settings, ts) {
            Step::On => {}
            Step::Late => return Score { alarm: self.episodes.is_open(), ..unscored(ts) },
            Step::Anew(last) => broken_off = self.start_anew(ts, last),
        }
        let seen = self.model.observe(&mut self.memory, values);
        let Some(score) = self.settled(&seen) else {
            let alarm = self.episodes.is_open();
            return Score { alarm, episode: broken_off, ..unscored(ts) };
        };
        let p = self.tail.p(score);
        let evidence = Evidence { ts, score, p, parts: &seen.parts };
        let change = self.episodes.take(evidence);
        let alarm = self.episodes.is_open();
        let describe = |place, share| self.contribution(values, place, share);
        let named = top(&seen.parts, describe);
        let episode = self.changed(settings, change, values).or(broken_off);
        if !alarm {
            self.tail.watch(score);
            let suspicious = p < self.episodes.q() * CLOSE_FACTOR;
            self.follow(if suspicious { SUSPICIOUS_RATE } else { 1.0 });
        }
        Score { ts, score: Some(score), p: Some(p), alarm, top: named, episode }
    }

    /// A row of clean history: its score teaches the tail, its residual the centre.
    pub(super) fn calibrate(&mut self, settings: &DetectorSettings, row: &Row) -> Score {
        match self.step(settings, row.ts) {
            Step::On => {}
            Step::Late => return unscored(row.ts),
            Step::Anew(last) => {
                self.start_anew(row.ts, last);
            }
        }
        let seen = self.model.observe(&mut self.memory, &row.values);
        let Some(score) = self.settled(&seen) else { return unscored(row.ts) };
        let named = top(&seen.parts, |place, share| self.contribution(&row.values, place, share));
        self.tail.learn(score);
        self.follow(1.0);
        Score { score: Some(score), top: named, ..unscored(row.ts) }
    }

    fn step(&mut self, settings: &DetectorSettings, ts: Timestamp) -> Step {
        let Some(last) = self.last else {
            self.last = Some(ts);
            return Step::Anew(ts);
        };
        let bridged = settings.gap_max();
        if ts <= last && last.since(ts) <= bridged {
            return Step::Late;
        }
        self.last = Some(ts);
        if ts < last || ts.since(last) > bridged { Step::Anew(last) } else { Step::On }
    }

    /// After a gap the shift is not bridged; what is open closes when the gap is long.
    fn start_anew(&mut self, ts: Timestamp, last: Timestamp) -> Option<Episode> {
        self.memory.forget_shift();
        self.settling = self.model.settings().settling_rows();
        self.episodes.pause();
        let long = ts < last || ts.since(last) > REFRACTORY;
        (long && self.episodes.break_off(last)).then(|| self.episodes.report().cloned()).flatten()
    }

    /// The score, unless too much is missing or the state still settles.
    fn settled(&mut self, seen: &Observation) -> Option<f64> {
        let score = seen.score?;
        if self.settling > 0 {
            self.settling -= 1;
            return None;
        }
        Some(score)
    }

    fn changed(
        &mut self,
        settings: &DetectorSettings,
        change: Change,
        values: &[Option<f64>],
    ) -> Option<Episode> {
        match change {
            Change::None => return None,
            Change::Opened | Change::Described => {
                let (model, memory) = (&self.model, &self.memory);
                let describe = |place, share| contribution(model, memory, values, (place, share));
                self.episodes.name(&settings.name, describe);
            }
            Change::Closed => {}
        }
        self.episodes.report().cloned()
    }

    fn follow(&mut self, speed: f64) {
        let rate = self.model.settings().centre_rate * speed;
        Ewma::follow(&mut self.memory, rate);
    }

    fn contribution(
        &self,
        values: &[Option<f64>],
        place: usize,
        share: f64,
    ) -> Option<Contribution> {
        contribution(&self.model, &self.memory, values, (place, share))
    }
}

fn contribution(
    model: &Ewma,
    memory: &Memory,
    values: &[Option<f64>],
    (place, share): (usize, f64),
) -> Option<Contribution> {
    let (expected, band) = model.expected(memory, place)?;
    let signal = model.signals().get(place)?.clone();
    let value = values.get(place).copied().flatten().filter(|value| value.is_finite())?;
    Some(Contribution { signal, share, value, expected, band })
}

pub(super) fn unscored(ts: Timestamp) -> Score {
    Score { ts, score: None, p: None, alarm: false, top: Vec::new(), episode: None }
}
