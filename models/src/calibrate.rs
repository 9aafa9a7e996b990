//! Calibration: what a score means, learnt from clean rows the weights have not seen.
//!
//! The answer is an upper bound of the probability of such a score while all is well. Scores of
//! an EWMA hang together, so `n` rows count as `n_eff = n / ((2−λ)/λ)` independent ones, and the
//! distance of the empirical distribution from the true one is bounded by
//! `ε = √(ln(1/δ) / 2 n_eff)` (Dvoretzky, Kiefer, Wolfowitz; Massart 1990).
//! - up to the greatest clean score: share of clean scores above, plus ε;
//! - beyond it: ε, falling with the 12th power of the score;
//! - from 2,000 rows on also a generalised Pareto tail over the 95 % quantile (peaks over
//!   threshold); the more cautious of the two counts.
//!
//! The buffer rolls. Unusual scores are clipped to the greatest clean one before they enter it,
//! and what would alarm rises by at most 5 % a minute: a fault cannot buy itself silence quickly.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::real;
use crate::scaling::quantile;

/// Fewest clean rows to calibrate on.
pub const CALIBRATE_ROWS_MIN: usize = 30;
/// Clean rows that are remembered: a good hour at one a second.
pub const BUFFER_ROWS_MAX: usize = 4_000;
/// From so many clean rows on, the tail is fitted as well.
const PARETO_ROWS_MIN: usize = 2_000;
/// Part of the clean rows that are the tail.
const TAIL_RATIO: f64 = 0.05;
/// One minus the confidence of the bound.
const DELTA: f64 = 0.05;
/// How fast the bound falls beyond the greatest clean score. A normal tail falls faster; chosen
/// on the public SKAB recordings, 100 clean rows each.
const POWER: f64 = 12.0;
/// Greatest relative rise of the alarm limit per minute.
const RISE_PER_MINUTE: f64 = 0.05;
/// Clean rows between two looks at the buffer.
const REFIT_ROWS: usize = 60;

/// The rolling distribution of clean scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    settings: TailSettings,
    /// Oldest first.
    kept: VecDeque<f64>,
    /// The buffer at the last look, ascending.
    sorted: Vec<f64>,
    bound: f64,
    pareto: Option<Pareto>,
    /// At most 1: scores are divided by it so that the limit does not rise too fast.
    brake: f64,
    limit: Option<f64>,
    fresh_rows: usize,
}

/// What calibration needs to know of the detector.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TailSettings {
    /// Probability at which a row counts as unusual, 0..1.
    pub q: f64,
    /// Rows after which two scores are as good as independent.
    pub correlation_rows: f64,
    /// Minutes from row to row.
    pub row_minutes: f64,
}

/// Generalised Pareto tail by probability-weighted moments, shape within 0..=0.5.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pareto {
    from: f64,
    scale: f64,
    shape: f64,
}

/// A [`Tail`] as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TailState {
    /// Clean scores, oldest first.
    pub kept: VecDeque<f64>,
    /// Those of the last look, ascending.
    pub sorted: Vec<f64>,
    /// Score at which a row counts as unusual; `None` before the first look.
    pub limit: Option<f64>,
    /// What slowed the rise of the limit at the last look, 0..=1.
    pub brake: f64,
    /// Rows since the last look.
    pub fresh_rows: usize,
}

impl Tail {
    /// Nothing known yet.
    #[must_use]
    pub fn new(settings: TailSettings) -> Self {
        Self {
            settings,
            kept: VecDeque::new(),
            sorted: Vec::new(),
            bound: 1.0,
            pareto: None,
            brake: 1.0,
            limit: None,
            fresh_rows: 0,
        }
    }

    /// Takes the score of a row that is known to be clean and was not fitted on.
    pub fn learn(&mut self, score: f64) {
        if self.kept.len() >= BUFFER_ROWS_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(score);
    }

    /// Ends the first calibration. False when there are fewer than [`CALIBRATE_ROWS_MIN`] rows.
    pub fn settle(&mut self) -> bool {
        if self.kept.len() < CALIBRATE_ROWS_MIN {
            return false;
        }
        self.limit = None;
        self.look();
        true
    }

    /// Takes the score of a row while watching and no episode is open.
    pub fn watch(&mut self, score: f64) {
        let unusual = self.limit.is_some_and(|limit| score >= limit);
        let greatest = self.sorted.last().map_or(score, |max| max * self.brake);
        self.learn(if unusual { score.min(greatest) } else { score });
        self.fresh_rows += 1;
        if self.fresh_rows >= REFIT_ROWS {
            self.look();
        }
    }

    /// Upper bound of the probability of a score at least this high while all is well; 1 before
    /// calibration.
    #[must_use]
    pub fn p(&self, score: f64) -> f64 {
        let Some(&greatest) = self.sorted.last() else { return 1.0 };
        let score = score / self.brake;
        let below = self.sorted.partition_point(|kept| *kept < score);
        let above = real(self.sorted.len() - below) / real(self.sorted.len());
        let bound = if score <= greatest {
            above + self.bound
        } else {
            self.bound * (greatest / score).powf(POWER)
        };
        let pareto = self.pareto.map_or(0.0, |tail| tail.p(score));
        bound.max(pareto).min(1.0)
    }

    /// The score at which a row counts as unusual; `None` before calibration.
    #[must_use]
    pub fn limit(&self) -> Option<f64> {
        self.limit
    }

    /// Clean rows remembered.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.kept.len()
    }

    /// What has to be stored to go on exactly here.
    #[must_use]
    pub fn to_state(&self) -> TailState {
        TailState {
            kept: self.kept.clone(),
            sorted: self.sorted.clone(),
            limit: self.limit,
            brake: self.brake,
            fresh_rows: self.fresh_rows,
        }
    }

    /// Goes on where [`Tail::to_state`] stood; `None` for a state that no tail can have.
    #[must_use]
    pub fn from_state(settings: TailSettings, state: TailState) -> Option<Self> {
        let scores = || state.kept.iter().chain(&state.sorted);
        let legal = scores().all(|score| score.is_finite() && *score >= 0.0)
            && state.sorted.is_sorted()
            && state.kept.len().max(state.sorted.len()) <= BUFFER_ROWS_MAX
            && state.limit.is_none_or(|limit| limit.is_finite() && limit >= 0.0)
            && (0.0..=1.0).contains(&state.brake)
            && state.brake > 0.0;
        if !legal {
            return None;
        }
        let mut tail = Self {
            kept: state.kept,
            sorted: state.sorted,
            limit: state.limit,
            brake: state.brake,
            fresh_rows: state.fresh_rows,
            ..Self::new(settings)
        };
        tail.measure();
        Some(tail)
    }

    fn look(&mut self) {
        let rows = std::mem::take(&mut self.fresh_rows);
        self.see();
        self.brake = 1.0;
        let free = self.free_limit().max(f64::MIN_POSITIVE);
        let minutes = real(rows) * self.settings.row_minutes;
        let highest = self.limit.map(|limit| limit * (1.0 + RISE_PER_MINUTE * minutes));
        if let Some(highest) = highest.filter(|highest| *highest < free) {
            self.brake = highest / free;
        }
        self.limit = Some(free * self.brake);
    }

    fn see(&mut self) {
        self.sorted.clear();
        self.sorted.extend(&self.kept);
        self.sorted.sort_unstable_by(f64::total_cmp);
        self.measure();
    }

    /// Bound and tail of the sorted scores.
    fn measure(&mut self) {
        let independent = (real(self.sorted.len()) / self.settings.correlation_rows).max(1.0);
        self.bound = ((1.0 / DELTA).ln() / (2.0 * independent)).sqrt().min(1.0);
        self.pareto =
            if self.sorted.len() >= PARETO_ROWS_MIN { Pareto::of(&self.sorted) } else { None };
    }

    /// The score with probability `q`, before the brake.
    fn free_limit(&self) -> f64 {
        let greatest = self.sorted.last().copied().unwrap_or(0.0);
        let bound = greatest * (self.bound / self.settings.q).max(1.0).powf(1.0 / POWER);
        self.pareto.map_or(bound, |tail| tail.limit(self.settings.q).max(bound))
    }
}

impl Pareto {
    /// Of an ascending list; `None` when the tail has no width.
    fn of(sorted: &[f64]) -> Option<Self> {
        let from = quantile(sorted, 1.0 - TAIL_RATIO)?;
        let first = sorted.partition_point(|score| *score <= from);
        let tail = sorted.get(first..).filter(|tail| tail.len() >= 20)?;
        let count = real(tail.len());
        let mean = tail.iter().map(|score| score - from).sum::<f64>() / count;
        let ranked = tail.iter().rev().enumerate();
        let weighted = ranked.map(|(rank, score)| real(rank) / (count - 1.0) * (score - from));
        let moment = weighted.sum::<f64>() / count;
        let spread = mean - 2.0 * moment;
        if mean <= 0.0 || spread <= 0.0 {
            return None;
        }
        let shape = 2.0 - mean / spread;
        if shape <= 0.0 {
            return Some(Self { from, scale: mean, shape: 0.0 });
        }
        Some(Self { from, scale: 2.0 * mean * moment / spread, shape: shape.min(0.5) })
    }

    fn p(self, score: f64) -> f64 {
        let over = (score - self.from) / self.scale;
        if over <= 0.0 {
            return 1.0;
        }
        let falls = if self.shape < 1e-6 {
            (-over).exp()
        } else {
            (1.0 + self.shape * over).powf(-1.0 / self.shape)
        };
        TAIL_RATIO * falls
    }

    fn limit(self, q: f64) -> f64 {
        let ratio = (TAIL_RATIO / q).max(1.0);
        let over = if self.shape < 1e-6 {
            ratio.ln()
        } else {
            (ratio.powf(self.shape) - 1.0) / self.shape
        };
        self.from + self.scale * over
    }
}

#[cfg(test)]
mod tests;
