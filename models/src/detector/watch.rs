//! Watching: one row through model, calibration and episodes.

use signals::{Contribution, Episode, Score, Timestamp};

use super::{DetectorSettings, Learnt};
use crate::Row;
use crate::calibrate::Tail;
use crate::episode::{Change, Episodes, Evidence, REFRACTORY, shares, top};
use crate::model::{Model, Observation};

/// How much slower the centre follows a row that is suspicious (`p < 10 q`).
const SUSPICIOUS_RATE: f64 = 0.1;
const SUSPICIOUS_FACTOR: f64 = 10.0;

/// A fitted detector at work.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) model: Model,
    /// One per family.
    pub(super) tails: Vec<Tail>,
    pub(super) episodes: Episodes,
    pub(super) last: Option<Timestamp>,
    pub(super) settling: usize,
    pub(super) learnt: Learnt,
}

/// What the families say together.
struct Verdict {
    score: f64,
    p: f64,
    /// Each signal's part, in the order of the group.
    parts: Vec<f64>,
    /// The family that finds the row least probable: it says what was expected.
    voice: usize,
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
        let seen = self.model.observe(values);
        let Some(scores) = self.settled(&seen) else {
            let alarm = self.episodes.is_open();
            return Score { alarm, episode: broken_off, ..unscored(ts) };
        };
        let Verdict { score, p, parts, voice } = self.judge(scores, &seen.parts);
        let change = self.episodes.take(Evidence { ts, score, p, parts: &parts });
        let alarm = self.episodes.is_open();
        let named = top(&parts, |place, share| self.contribution(values, voice, (place, share)));
        let episode = self.changed(settings, change, (values, voice)).or(broken_off);
        if !alarm {
            for (tail, score) in self.tails.iter_mut().zip(scores) {
                tail.watch(*score);
            }
            let suspicious = p < self.episodes.q() * SUSPICIOUS_FACTOR;
            self.model.follow(if suspicious { SUSPICIOUS_RATE } else { 1.0 });
        }
        Score { ts, score: Some(score), p: Some(p), alarm, top: named, episode }
    }

    /// Rows of clean history: their scores teach the tails, their residuals the centre. `None`
    /// when there are too few.
    pub(super) fn calibrate(
        &mut self,
        settings: &DetectorSettings,
        rows: &[Row],
    ) -> Option<Vec<Score>> {
        let mut heard = Vec::with_capacity(rows.len());
        for row in rows {
            heard.push(self.hear(settings, row));
        }
        if !self.tails.iter_mut().all(Tail::settle) {
            return None;
        }
        let judged = heard.into_iter().map(|(scores, said)| Score {
            score: scores.map(|scores| self.combined(&scores)),
            ..said
        });
        Some(judged.collect())
    }

    fn hear(&mut self, settings: &DetectorSettings, row: &Row) -> (Option<Vec<f64>>, Score) {
        match self.step(settings, row.ts) {
            Step::On => {}
            Step::Late => return (None, unscored(row.ts)),
            Step::Anew(last) => {
                self.start_anew(row.ts, last);
            }
        }
        let seen = self.model.observe(&row.values);
        let Some(scores) = self.settled(&seen) else { return (None, unscored(row.ts)) };
        let parts = summed(seen.parts.iter().map(|parts| (1.0, parts)));
        let named = top(&parts, |place, share| self.contribution(&row.values, 0, (place, share)));
        for (tail, score) in self.tails.iter_mut().zip(scores) {
            tail.learn(*score);
        }
        self.model.follow(1.0);
        (Some(scores.clone()), Score { top: named, ..unscored(row.ts) })
    }

    /// The least probable family counts; each has its part of the budget.
    fn judge(&self, scores: &[f64], parts: &[Vec<f64>]) -> Verdict {
        let families = self.tails.iter().zip(scores);
        let p: Vec<f64> = families.map(|(tail, score)| tail.p(*score)).collect();
        let ranked = p.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1).then(a.0.cmp(&b.0)));
        let (voice, least) = ranked.map_or((0, 1.0), |(place, p)| (place, *p));
        let p = (least * crate::real(p.len())).min(1.0);
        let weights = self.tails.iter().zip(scores).map(|(tail, score)| over(tail, *score).powi(2));
        let parts = if let [only] = parts { only.clone() } else { summed(weights.zip(parts)) };
        Verdict { score: self.combined(scores), p, parts, voice }
    }

    /// A single family's score as it is; of several, the greatest part of its own limit.
    fn combined(&self, scores: &[f64]) -> f64 {
        if let [only] = scores {
            return *only;
        }
        let families = self.tails.iter().zip(scores);
        families.map(|(tail, score)| over(tail, *score)).fold(0.0, f64::max)
    }

    /// The score at which a row counts as unusual.
    pub(super) fn limit(&self) -> Option<f64> {
        if let [only] = self.tails.as_slice() { only.limit() } else { Some(1.0) }
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
        self.model.forget();
        self.settling = self.model.settling_rows();
        self.episodes.pause();
        let long = ts < last || ts.since(last) > REFRACTORY;
        (long && self.episodes.break_off(last)).then(|| self.episodes.report().cloned()).flatten()
    }

    /// The scores, unless too much is missing or the state still settles.
    fn settled<'a>(&mut self, seen: &'a Observation) -> Option<&'a Vec<f64>> {
        let scores = seen.scores.as_ref()?;
        if self.settling > 0 {
            self.settling -= 1;
            return None;
        }
        Some(scores)
    }

    fn changed(
        &mut self,
        settings: &DetectorSettings,
        change: Change,
        (values, voice): (&[Option<f64>], usize),
    ) -> Option<Episode> {
        match change {
            Change::None => return None,
            Change::Opened | Change::Described => {
                let model = &self.model;
                let describe = |place, share| contribution(model, values, voice, (place, share));
                self.episodes.name(&settings.name, describe);
            }
            Change::Closed => {}
        }
        self.episodes.report().cloned()
    }

    fn contribution(
        &self,
        values: &[Option<f64>],
        voice: usize,
        part: (usize, f64),
    ) -> Option<Contribution> {
        contribution(&self.model, values, voice, part)
    }
}

/// A score as part of the one at which a row is unusual.
fn over(tail: &Tail, score: f64) -> f64 {
    tail.limit().map_or(0.0, |limit| score / limit)
}

/// Shares of several families, weighted.
fn summed<'a>(weighted: impl Iterator<Item = (f64, &'a Vec<f64>)>) -> Vec<f64> {
    let mut sums = Vec::new();
    for (weight, parts) in weighted {
        sums.resize(parts.len(), 0.0);
        for (sum, share) in sums.iter_mut().zip(shares(parts)) {
            *sum += weight * share;
        }
    }
    sums
}

fn contribution(
    model: &Model,
    values: &[Option<f64>],
    voice: usize,
    (place, share): (usize, f64),
) -> Option<Contribution> {
    let (expected, band) = model.expected(voice, place)?;
    let signal = model.frame().signals().get(place)?.clone();
    let value = values.get(place).copied().flatten().filter(|value| value.is_finite())?;
    Some(Contribution { signal, share, value, expected, band })
}

pub(super) fn unscored(ts: Timestamp) -> Score {
    Score { ts, score: None, p: None, alarm: false, top: Vec::new(), episode: None }
}
