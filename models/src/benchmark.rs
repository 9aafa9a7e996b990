//! Public benchmarks: a detector over labelled recordings, as it would have run live, and what it
//! is worth by the measures of each set. One configuration for all recordings.
//!
//! | set | protocol |
//! |---|---|
//! | SKAB | per file: fitted on rows 0..300, calibrated on 300..400, judged on the rest |
//! | Tennessee Eastman | fitted and calibrated on the normal run; a threshold that 1 % of the normal rows before the faults exceed |
//! | NAB | per file: fitted and calibrated on the first 15 %, which are not judged |

use std::time::Duration;

use signals::Timestamp;

use crate::columns::{ScoreError, ScoreRequest, ScoredRow, score_columns};
use crate::family::Family;
use crate::frame::FitError;
use crate::scaling::{Scaling, quantile};

pub mod metrics;
pub mod nab;

use metrics::{Events, Points, VUS_ROWS, percent, vus_pr};

/// Rows of a SKAB file to fit on, and rows to calibrate on.
const SKAB_ROWS: (usize, usize) = (300, 100);
/// Part of the normal rows above the threshold in the Tennessee Eastman protocol.
const TEP_FALSE_RATIO: f64 = 0.01;
/// Part of the Tennessee Eastman normal run that is fitted on; the rest calibrates.
const TEP_FIT_RATIO: f64 = 0.8;
/// Time between the normal run and a faulty one: they are no neighbours.
const TEP_PAUSE: Duration = Duration::from_hours(24 * 30);
/// Rows after a fault's onset over which its signals are ranked: three hours.
const TEP_RANKED_ROWS: usize = 60;
/// Part of a NAB file's probation that is fitted on; the rest calibrates.
const NAB_FIT_RATIO: f64 = 0.67;
/// Part of a NAB file in which an episode is one detection.
const NAB_REFRACTORY_RATIO: f64 = 0.03;

/// A labelled recording. All columns and `labels` are as long as `ts`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// Its file.
    pub name: String,
    /// Times of the rows, oldest first.
    pub ts: Vec<Timestamp>,
    /// Names of the columns.
    pub names: Vec<String>,
    /// The columns; `None` for a missing value.
    pub columns: Vec<Vec<Option<f64>>>,
    /// Whether something was wrong at the row.
    pub labels: Vec<bool>,
}

/// What is judged of one recording.
#[derive(Clone, Debug, Default, PartialEq)]
struct Judged {
    ts: Vec<Timestamp>,
    scores: Vec<f64>,
    alarms: Vec<bool>,
    labels: Vec<bool>,
}

/// A row of the SKAB table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Skab {
    /// Mean volume under the range-aware surface of precision and recall.
    pub vus_pr: f64,
    /// All rows of all files.
    pub points: Points,
    /// All events of all files.
    pub events: Events,
}

/// A fault of the Tennessee Eastman process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TepFault {
    /// Its file.
    pub name: String,
    /// Part of the rows of the fault below the threshold, in percent.
    pub missed_percent: f64,
    /// The signals with the greatest share in its first three hours, greatest first.
    pub top: Vec<String>,
}

/// What NAB says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nab {
    /// Standard profile, one threshold for all series; `None` without a window.
    pub standard: Option<f64>,
    /// Mean volume under the range-aware surface of precision and recall.
    pub vus_pr: f64,
}

impl Recording {
    fn request(
        &self,
        family: Family,
        (fit_rows, calibrate_rows): (usize, usize),
    ) -> ScoreRequest<'_> {
        let (ts, names, columns) = (&self.ts, &self.names, &self.columns);
        ScoreRequest { ts, names, columns, fit_rows, calibrate_rows, family }
    }

    /// The rows of `self`, and behind them, after a pause, those of `next`.
    fn followed_by(&self, next: &Self) -> Self {
        let (last, first) = (self.ts.last().copied(), next.ts.first().copied());
        let start = last.unwrap_or_default().plus(TEP_PAUSE);
        let moved = next.ts.iter().map(|ts| start.plus(ts.since(first.unwrap_or_default())));
        let columns = self.columns.iter().zip(&next.columns);
        Self {
            name: next.name.clone(),
            ts: self.ts.iter().copied().chain(moved).collect(),
            names: self.names.clone(),
            columns: columns.map(|(a, b)| a.iter().chain(b).copied().collect()).collect(),
            labels: self.labels.iter().chain(&next.labels).copied().collect(),
        }
    }
}

impl Judged {
    /// The rows from `first` on. A row without a score is as normal as can be.
    fn of(recording: &Recording, scored: &[ScoredRow], first: usize) -> Self {
        let rows = || scored.iter().skip(first);
        Self {
            ts: rows().map(|row| row.ts).collect(),
            scores: rows().map(|row| row.score.unwrap_or(0.0)).collect(),
            alarms: rows().map(|row| row.alarm).collect(),
            labels: recording.labels.iter().skip(first).copied().collect(),
        }
    }
}

/// SKAB with a family of detectors.
///
/// # Errors
/// [`ScoreError`] of the first file that cannot be scored.
pub fn skab(family: Family, recordings: &[Recording]) -> Result<Skab, ScoreError> {
    let (fit, calibrate) = SKAB_ROWS;
    let judge = |recording: &Recording| {
        let scored = score_columns(recording.request(family, SKAB_ROWS))?;
        Ok(Judged::of(recording, &scored, fit + calibrate))
    };
    Ok(skab_of(&recordings.iter().map(judge).collect::<Result<Vec<_>, ScoreError>>()?))
}

/// SKAB with the greatest robust distance of any signal from its centre, alarmed above twice the
/// 99.9 % quantile of the rows to learn from: what is easily reached.
#[must_use]
pub fn skab_greatest_distance(recordings: &[Recording]) -> Skab {
    let (fit, calibrate) = SKAB_ROWS;
    let judge = |recording: &Recording| {
        let scaling = |column: &Vec<Option<f64>>| {
            Scaling::of(column.iter().take(fit).copied().flatten().collect())
        };
        let scalings: Vec<Scaling> = recording.columns.iter().map(scaling).collect();
        let distance = |row: usize| {
            let pairs = scalings.iter().zip(&recording.columns);
            let cells = pairs.filter_map(|(s, column)| s.standardise(*column.get(row)?));
            cells.fold(0.0, |greatest: f64, cell| greatest.max(cell.abs()))
        };
        let scores: Vec<f64> = (0..recording.ts.len()).map(distance).collect();
        let mut clean: Vec<f64> = scores.iter().take(fit + calibrate).skip(60).copied().collect();
        clean.sort_unstable_by(f64::total_cmp);
        let threshold = 2.0 * quantile(&clean, 0.999).unwrap_or(f64::INFINITY);
        let rest = |flags: &[bool]| flags.iter().skip(fit + calibrate).copied().collect();
        let scores: Vec<f64> = scores.into_iter().skip(fit + calibrate).collect();
        Judged {
            ts: recording.ts.iter().skip(fit + calibrate).copied().collect(),
            alarms: scores.iter().map(|score| *score > threshold).collect(),
            scores,
            labels: rest(&recording.labels),
        }
    };
    skab_of(&recordings.iter().map(judge).collect::<Vec<_>>())
}

fn skab_of(judged: &[Judged]) -> Skab {
    let mut report = Skab::default();
    let mut volumes = Vec::new();
    for one in judged {
        volumes.extend(vus_pr(&one.scores, &one.labels, VUS_ROWS));
        report.points.add(&one.alarms, &one.labels);
        report.events.add(&one.ts, &one.alarms, &one.labels);
    }
    report.vus_pr = mean(&volumes);
    report
}

/// Tennessee Eastman: missed detection of each fault.
///
/// # Errors
/// [`ScoreError`] of the first run that cannot be scored.
pub fn tep(
    family: Family,
    normal: &Recording,
    faults: &[Recording],
) -> Result<Vec<TepFault>, ScoreError> {
    let fit = part_of(normal.ts.len(), TEP_FIT_RATIO);
    let rows = (fit, normal.ts.len() - fit);
    let mut runs = Vec::new();
    for fault in faults {
        let whole = normal.followed_by(fault);
        let scored = score_columns(whole.request(family, rows))?;
        runs.push((fault, scored.into_iter().skip(normal.ts.len()).collect::<Vec<_>>()));
    }
    let scored = |row: &ScoredRow| row.score;
    let before = runs.iter().flat_map(|(fault, rows)| {
        rows.iter()
            .zip(&fault.labels)
            .filter(|(_, label)| !**label)
            .filter_map(|(row, _)| scored(row))
    });
    let mut clean: Vec<f64> = before.collect();
    clean.sort_unstable_by(f64::total_cmp);
    let threshold = quantile(&clean, 1.0 - TEP_FALSE_RATIO).unwrap_or(f64::INFINITY);
    let report = |(fault, rows): &(&Recording, Vec<ScoredRow>)| {
        let during = rows.iter().zip(&fault.labels).filter(|(_, label)| **label);
        let during: Vec<&ScoredRow> = during.map(|(row, _)| row).collect();
        let seen = during.iter().filter(|row| row.score.is_some_and(|s| s > threshold)).count();
        TepFault {
            name: fault.name.clone(),
            missed_percent: percent(during.len() - seen, during.len()),
            top: greatest_shares(during.iter().take(TEP_RANKED_ROWS)),
        }
    };
    Ok(runs.iter().map(report).collect())
}

/// The three signals with the greatest sum of shares over some rows.
fn greatest_shares<'a>(rows: impl Iterator<Item = &'a &'a ScoredRow>) -> Vec<String> {
    let mut sums: Vec<(String, f64)> = Vec::new();
    for part in rows.flat_map(|row| &row.top) {
        match sums.iter_mut().find(|(signal, _)| *signal == part.signal) {
            Some((_, sum)) => *sum += part.share,
            None => sums.push((part.signal.clone(), part.share)),
        }
    }
    sums.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    sums.into_iter().take(3).map(|(signal, _)| signal).collect()
}

/// NAB: rows of `labels` are those in a window around an anomaly.
///
/// # Errors
/// [`ScoreError`] of the first file that cannot be scored.
pub fn nab(family: Family, recordings: &[Recording]) -> Result<Nab, ScoreError> {
    let mut series = Vec::new();
    let mut volumes = Vec::new();
    for recording in recordings {
        let probation = nab::probation_rows(recording.ts.len());
        let fit = part_of(probation, NAB_FIT_RATIO);
        let scored = match score_columns(recording.request(family, (fit, probation - fit))) {
            // A flat line, or rows too far apart: nothing to learn from, so nothing is said.
            Err(ScoreError::Fit(FitError::NothingMoves { .. } | FitError::TooFewRows { .. })) => {
                silent(recording)
            }
            scored => scored?,
        };
        let judged = Judged::of(recording, &scored, probation);
        volumes.extend(vus_pr(&judged.scores, &judged.labels, VUS_ROWS));
        let improbable = |row: &ScoredRow| row.p.map_or(0.0, |p| -p.max(1e-300).log10());
        let surprise: Vec<f64> = scored.iter().map(improbable).collect();
        let refractory = part_of(recording.ts.len(), NAB_REFRACTORY_RATIO);
        series.push(nab::Series {
            scores: onsets(&surprise, refractory),
            in_window: recording.labels.clone(),
        });
    }
    Ok(Nab { standard: nab::score(&series), vus_pr: mean(&volumes) })
}

/// Rows of which nothing is said.
fn silent(recording: &Recording) -> Vec<ScoredRow> {
    let row =
        |ts: &Timestamp| ScoredRow { ts: *ts, score: None, p: None, alarm: false, top: Vec::new() };
    recording.ts.iter().map(row).collect()
}

/// Each score that is not the greatest of the `rows` before it counts as none: an episode is one
/// detection.
fn onsets(scores: &[f64], rows: usize) -> Vec<f64> {
    let first = |(row, score): (usize, &f64)| {
        let before = scores.get(row.saturating_sub(rows)..row).unwrap_or_default();
        if before.iter().all(|earlier| earlier < score) { *score } else { 0.0 }
    };
    scores.iter().enumerate().map(first).collect()
}

fn part_of(rows: usize, ratio: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a number of rows"
    )]
    let part = (crate::real(rows) * ratio.clamp(0.0, 1.0)) as usize;
    part
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / crate::real(values.len().max(1))
}

#[cfg(test)]
mod tests;
