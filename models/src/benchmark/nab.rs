//! The score of the Numenta Anomaly Benchmark (Lavin and Ahmad, 2015), standard profile: the first
//! detection in a window counts the more the earlier it is, false ones count against it, and one
//! threshold is chosen for all series.

#![expect(
    clippy::indexing_slicing,
    reason = "every index comes from the length of the list it goes into"
)]

use super::metrics::stretches;
use crate::scaling::quantile;

/// What a false detection costs.
const FALSE_WEIGHT: f64 = 0.11;
/// Thresholds that are tried.
const THRESHOLDS_MAX: usize = 1_500;
/// What the first row of a window is worth: the greatest value of [`value`].
const VALUE_MAX: f64 = 0.986_61;

/// Scores of one series, and the rows in a window around an anomaly.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// One per row, finite.
    pub scores: Vec<f64>,
    /// Whether the row lies in a window.
    pub in_window: Vec<bool>,
}

/// Rows at the start of a series of `rows` that are not judged.
#[must_use]
pub fn probation_rows(rows: usize) -> usize {
    (rows * 15 / 100).min(750)
}

/// The score of all series together: 0 is what silence gets, 100 what is perfect. `None` without
/// a window.
#[must_use]
pub fn score(series: &[Series]) -> Option<f64> {
    let thresholds = thresholds(series);
    let mut sums = vec![0.0; thresholds.len()];
    let mut windows = 0;
    for one in series {
        windows += judge(one, &thresholds, &mut sums);
    }
    let best = sums.into_iter().max_by(f64::total_cmp)?;
    let worst = -crate::real(windows);
    (windows > 0).then(|| 100.0 * (best - worst) / (2.0 * crate::real(windows)))
}

fn thresholds(series: &[Series]) -> Vec<f64> {
    let mut found = Vec::new();
    for one in series {
        let mut sorted = one.scores.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let coarse = (0..50).map(|step| 0.5 + 0.49 * f64::from(step) / 49.0);
        let fine = (0..400).map(|step| 0.99 + 0.01 * f64::from(step) / 399.0);
        found.extend(coarse.chain(fine).filter_map(|ratio| quantile(&sorted, ratio)));
    }
    found.sort_unstable_by(f64::total_cmp);
    found.dedup_by(|a, b| a.total_cmp(b).is_eq());
    if found.len() <= THRESHOLDS_MAX {
        return found;
    }
    let ratio = |place: usize| crate::real(place) / crate::real(THRESHOLDS_MAX - 1);
    (0..THRESHOLDS_MAX).filter_map(|place| quantile(&found, ratio(place))).collect()
}

/// Adds what one series earns at each threshold; gives its number of windows.
fn judge(series: &Series, thresholds: &[f64], sums: &mut [f64]) -> usize {
    let rows = series.scores.len();
    let probation = probation_rows(rows);
    let windows: Vec<(usize, usize)> =
        stretches(&series.in_window).into_iter().filter(|(_, to)| *to >= probation).collect();
    for (from, to) in &windows {
        let first = *from.max(&probation);
        let mut highest = f64::NEG_INFINITY;
        // Greatest score up to each row of the window: rises, so the first row is found by search.
        let rising: Vec<f64> = series.scores[first..=*to]
            .iter()
            .map(|score| {
                highest = highest.max(*score);
                highest
            })
            .collect();
        let length = crate::real(to - from + 1);
        for (threshold, sum) in thresholds.iter().zip(sums.iter_mut()) {
            let found = rising.partition_point(|score| score < threshold);
            *sum += if found < rising.len() {
                value(-crate::real(to - (first + found) + 1) / length) / VALUE_MAX
            } else {
                -1.0
            };
        }
    }
    let mut outside = costs(series, &windows, probation);
    outside.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut running = vec![0.0];
    for (_, cost) in &outside {
        running.push(running[running.len() - 1] + cost);
    }
    for (threshold, sum) in thresholds.iter().zip(sums.iter_mut()) {
        let above = outside.partition_point(|(score, _)| score >= threshold);
        *sum += FALSE_WEIGHT * running[above];
    }
    windows.len()
}

/// Score and worth of each judged row outside of all windows.
fn costs(series: &Series, windows: &[(usize, usize)], probation: usize) -> Vec<(f64, f64)> {
    let mut found = Vec::new();
    let mut before: Option<(usize, usize)> = None;
    for (row, score) in series.scores.iter().enumerate() {
        if let Some(window) = windows.iter().find(|(from, to)| (*from..=*to).contains(&row)) {
            before = Some(*window);
        } else if row >= probation {
            let cost = before.map_or(-1.0, |(from, to)| {
                value(crate::real(row - to) / crate::real((to - from).max(1)))
            });
            found.push((*score, cost));
        }
    }
    found
}

/// Worth of a detection at `place` window lengths behind the end of a window.
fn value(place: f64) -> f64 {
    if place > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * place).exp()) - 1.0 }
}

#[cfg(test)]
mod tests;
