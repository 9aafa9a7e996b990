//! What is fixed for all groups; chosen once, on public recordings.

use serde::{Deserialize, Serialize};

/// Settings of all families. A model card carries those its weights were fitted with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Part of a residual by which the centre follows per row, 0..1.
    pub centre_rate: f64,
    /// `ewma`: weight of the newest row, 0..1. 1/λ rows is how long a shift takes to show fully.
    pub ewma_lambda: f64,
    /// Part of the mean variance that is added to every variance before inverting, above 0.
    pub shrinkage: f64,
    /// `dpca`: rows in a window, 1..=16.
    pub dpca_lag: usize,
    /// `dpca`: part of the variance that the components carry, 0..1.
    pub dpca_variance: f64,
    /// `var`: rows a forecast is made from, 1..=15.
    pub var_lag: usize,
    /// `var`: part of the mean variance that the ridge is, above 0.
    pub var_ridge: f64,
    /// `var`: weight of the newest row's forecast error, 0..=1.
    pub var_lambda: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            centre_rate: 1.0 / 300.0,
            ewma_lambda: 0.05,
            shrinkage: 1e-3,
            dpca_lag: 10,
            dpca_variance: 0.9,
            var_lag: 4,
            var_ridge: 0.01,
            var_lambda: 0.05,
        }
    }
}

impl Settings {
    /// Whether a stored model may have them.
    #[must_use]
    pub fn are_possible(&self) -> bool {
        let part = |value: f64| value > 0.0 && value < 1.0;
        part(self.centre_rate)
            && part(self.ewma_lambda)
            && part(self.shrinkage)
            && (1..=16).contains(&self.dpca_lag)
            && part(self.dpca_variance)
            && (1..=15).contains(&self.var_lag)
            && part(self.var_ridge)
            && self.var_lambda > 0.0
            && self.var_lambda <= 1.0
    }
}

/// Weight of the newest row when it is the `age_rows`th since a start or a gap. The state starts
/// as the plain mean, so that a shift that outlasts a gap shows at once after it.
pub(crate) fn gain(lambda: f64, age_rows: usize) -> f64 {
    lambda.max(1.0 / crate::real(age_rows.max(1)))
}

/// After how many rows two states of an EWMA are as good as independent: `(2 − λ) / λ`.
pub(crate) fn correlation_rows(lambda: f64) -> f64 {
    (2.0 - lambda) / lambda
}

/// Rows after a start or a gap until an EWMA says something: `1 / λ`.
pub(crate) fn settling_rows(lambda: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most 10^6, at least 1"
    )]
    let rows = (1.0 / lambda).clamp(1.0, 1e6).ceil() as usize;
    rows
}
