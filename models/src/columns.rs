//! A detector over columns of a file, as it would have run live.

use std::time::Duration;

use signals::{Contribution, Detector as _, Timestamp};

use crate::Row;
use crate::detector::{DetectorSettings, GroupDetector};
use crate::family::Family;
use crate::frame::FitError;

/// Episodes a week that a run over a file accepts while all is well.
const BUDGET_PER_WEEK: f64 = 3.0;

/// Columns to score. All columns are as long as `ts`.
#[derive(Clone, Copy, Debug)]
pub struct ScoreRequest<'a> {
    /// Times of the rows, oldest first.
    pub ts: &'a [Timestamp],
    /// Names of the columns.
    pub names: &'a [String],
    /// The columns; `None` for a missing value.
    pub columns: &'a [Vec<Option<f64>>],
    /// Rows from the start to fit on.
    pub fit_rows: usize,
    /// Rows after those to calibrate on; they must be clean, too.
    pub calibrate_rows: usize,
    /// The family of the detector.
    pub family: Family,
}

/// What the detector says of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredRow {
    /// The row's time.
    pub ts: Timestamp,
    /// How unusual it is; `None` for fitted rows and while settling.
    pub score: Option<f64>,
    /// Upper bound of the probability of that score; `None` before the calibration is over.
    pub p: Option<f64>,
    /// Whether an episode is open.
    pub alarm: bool,
    /// The signals that make up the score, greatest share first; at most three.
    pub top: Vec<Contribution>,
}

/// Why columns cannot be scored.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum ScoreError {
    /// The columns are not those of one table.
    #[error(
        "column `{column}` has {found} rows, the time column has {wanted}; give columns of one table"
    )]
    Length {
        /// The column.
        column: String,
        /// Its rows.
        found: usize,
        /// Rows of the time column.
        wanted: usize,
    },
    /// There is nothing left to score.
    #[error(
        "{rows} rows are not more than {fit} to fit and {calibrate} to calibrate on; give more rows or lower --fit and --calibrate"
    )]
    NothingLeft {
        /// Rows in all.
        rows: usize,
        /// Rows to fit on.
        fit: usize,
        /// Rows to calibrate on.
        calibrate: usize,
    },
    /// The detector could not be fitted.
    #[error(transparent)]
    Fit(#[from] FitError),
}

/// Fits on the first rows, calibrates on the next ones and scores the rest one by one. The
/// result has one row per row of the input, in its order.
///
/// # Errors
/// [`ScoreError`] says what is wrong with the columns.
pub fn score_columns(request: ScoreRequest<'_>) -> Result<Vec<ScoredRow>, ScoreError> {
    let rows = rows_of(request)?;
    let settings = DetectorSettings {
        name: request.family.as_str().to_owned(),
        family: request.family,
        signals: request.names.to_vec(),
        budget_per_week: BUDGET_PER_WEEK,
        period: period_of(request.ts),
    };
    let known = request.fit_rows + request.calibrate_rows;
    let history = rows.get(..known).unwrap_or_default();
    let (mut detector, calibrated) = GroupDetector::fit_split(settings, history, request.fit_rows)?;
    let fitted = rows.iter().take(request.fit_rows).map(|row| ScoredRow {
        ts: row.ts,
        score: None,
        p: None,
        alarm: false,
        top: Vec::new(),
    });
    let live = rows.iter().skip(known).map(|row| detector.score(row.ts, &row.values));
    let scored = calibrated.into_iter().chain(live).map(|said| ScoredRow {
        ts: said.ts,
        score: said.score,
        p: said.p,
        alarm: said.alarm,
        top: said.top,
    });
    Ok(fitted.chain(scored).collect())
}

fn rows_of(request: ScoreRequest<'_>) -> Result<Vec<Row>, ScoreError> {
    let wanted = request.ts.len();
    for (name, column) in request.names.iter().zip(request.columns) {
        if column.len() != wanted {
            return Err(ScoreError::Length { column: name.clone(), found: column.len(), wanted });
        }
    }
    let (fit, calibrate) = (request.fit_rows, request.calibrate_rows);
    if fit.saturating_add(calibrate) >= wanted {
        return Err(ScoreError::NothingLeft { rows: wanted, fit, calibrate });
    }
    let value = |column: &Vec<Option<f64>>, row: usize| column.get(row).copied().flatten();
    let row = |(place, ts): (usize, &Timestamp)| Row {
        ts: *ts,
        values: request.columns.iter().map(|column| value(column, place)).collect(),
    };
    Ok(request.ts.iter().enumerate().map(row).collect())
}

/// The median distance of rows that go forward; a second when there is none.
fn period_of(ts: &[Timestamp]) -> Duration {
    let pairs = ts.iter().zip(ts.iter().skip(1));
    let mut steps: Vec<Duration> =
        pairs.map(|(a, b)| b.since(*a)).filter(|step| !step.is_zero()).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied().unwrap_or(Duration::from_secs(1))
}

#[cfg(test)]
mod tests;
