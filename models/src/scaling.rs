//! Robust standardisation: every signal in units of its own normal spread.
//!
//! A rough spread (the larger of MAD and the 5 %..95 % range, both as standard deviations) sets
//! a fence at six of them around the median; mean and standard deviation of what the fence
//! leaves are then the centre and the spread. So a few wild rows do not count, and a quantised
//! signal still gets a spread that fits it.

use serde::{Deserialize, Serialize};

/// Greatest distance from the centre, in spreads, that a row may claim.
pub const Z_MAX: f64 = 30.0;
/// Width of the fence in rough spreads.
const FENCE: f64 = 6.0;
/// Standard deviations between the 5 % and 95 % quantiles of a normal distribution.
const SPREADS_IN_90_PERCENT: f64 = 3.29;
/// MAD to standard deviation of a normal distribution.
const MAD_TO_SPREAD: f64 = 1.4826;
/// A spread below this part of the centre is rounding, not movement.
const STILL_RATIO: f64 = 1e-12;

/// Centre and spread of one signal, in its engineering unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Where it normally lies.
    pub centre: f64,
    /// Standard deviation around it; `None` when the signal did not move and is masked.
    pub spread: Option<f64>,
}

impl Scaling {
    /// Of the values seen; without any, the signal is masked.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Self {
        values.retain(|value| value.is_finite());
        values.sort_unstable_by(f64::total_cmp);
        let Some(median) = quantile(&values, 0.5) else {
            return Self { centre: 0.0, spread: None };
        };
        let fence = FENCE * rough_spread(&values, median);
        // Sums run around the median: an offset of 10^7 costs no digits.
        let fenced = || values.iter().map(|v| (v - median).clamp(-fence, fence));
        let count = crate::real(values.len());
        let shift = fenced().sum::<f64>() / count;
        let spread = (fenced().map(|v| (v - shift).powi(2)).sum::<f64>() / count).sqrt();
        let moved = spread.is_normal() && spread > STILL_RATIO * median.abs();
        Self { centre: median + shift, spread: moved.then_some(spread) }
    }

    /// The value in spreads from the centre, within ±[`Z_MAX`]. `None` for a masked signal and
    /// for a value that is missing or not finite.
    #[must_use]
    pub fn standardise(self, value: Option<f64>) -> Option<f64> {
        let value = value.filter(|v| v.is_finite())?;
        Some(((value - self.centre) / self.spread?).clamp(-Z_MAX, Z_MAX))
    }
}

/// Linear between neighbours of a sorted list; `None` of nothing.
pub(crate) fn quantile(sorted: &[f64], ratio: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = crate::real(last) * ratio.clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 ≤ place ≤ last")]
    let below = place.floor() as usize;
    let low = *sorted.get(below)?;
    let high = *sorted.get((below + 1).min(last))?;
    Some(low + (high - low) * (place - place.floor()))
}

fn rough_spread(sorted: &[f64], median: f64) -> f64 {
    let mut away: Vec<f64> = sorted.iter().map(|v| (v - median).abs()).collect();
    away.sort_unstable_by(f64::total_cmp);
    let mad = MAD_TO_SPREAD * quantile(&away, 0.5).unwrap_or(0.0);
    let low = quantile(sorted, 0.05).unwrap_or(median);
    let high = quantile(sorted, 0.95).unwrap_or(median);
    let rough = mad.max((high - low) / SPREADS_IN_90_PERCENT);
    if rough > STILL_RATIO * median.abs() {
        return rough;
    }
    // Nine rows in ten are the same: only the plain deviation says how far the others lie.
    let count = crate::real(sorted.len().max(1));
    let mean = away.iter().sum::<f64>() / count;
    (away.iter().map(|v| v * v).sum::<f64>() / count).sqrt().max(mean)
}

#[cfg(test)]
mod tests;
