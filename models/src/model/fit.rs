//! Fitting: one pass over the rows for the covariances, one over the newest for what remains.

use std::collections::VecDeque;

use signals::Timestamp;

use super::{Model, step_micros};
use crate::Row;
use crate::dpca::Dpca;
use crate::ewma::Ewma;
use crate::family::{Family, Scorer};
use crate::frame::{Centre, FIT_ROWS_MIN, FitError, Frame};
use crate::matrix::Covariance;
use crate::settings::{Settings, gain, settling_rows};
use crate::var::Var;

/// Newest rows that are scored again after fitting: for limits, and to be where they end.
const REPLAYED_ROWS: usize = 4_000;
/// Cells of a window of lagged rows. Beyond, a covariance costs more than it tells: a greater
/// group looks back less far.
const WINDOW_CELLS_MAX: usize = 704;

/// What the first pass gathers.
struct Walk {
    settings: Settings,
    /// Rows in a window, the newest included; 0 when no family looks back.
    rows_back: usize,
    ewma: Option<Vec<f64>>,
    states: Covariance,
    window: VecDeque<f64>,
    windows: Covariance,
    replayed: VecDeque<(bool, Vec<Option<f64>>)>,
    last: Option<Timestamp>,
    age_rows: usize,
    usable: usize,
}

pub(super) fn fit(
    (family, settings): (Family, Settings),
    frame: Frame,
    rows: &[Row],
    gap_micros_max: i64,
) -> Result<Model, FitError> {
    let width = frame.moving().len();
    let settings = bounded(settings, width);
    let mut walk = Walk::new(family, settings, width);
    let mut centre = frame.centre();
    for row in rows {
        walk.take(row, &frame, (&mut centre, gap_micros_max));
    }
    let seen = walk.states.count().max(walk.windows.count());
    if walk.usable < FIT_ROWS_MIN || seen < FIT_ROWS_MIN / 2 {
        let usable = walk.usable;
        return Err(FitError::TooFewRows { rows: rows.len(), usable, needed: FIT_ROWS_MIN });
    }
    let replayed: Vec<(bool, Vec<Option<f64>>)> = walk.replayed.drain(..).collect();
    let scorers = walk.scorers(family, &replayed).ok_or(FitError::Covariance)?;
    let mut model = Model { family, settings, frame, centre, scorers };
    for (anew, residuals) in &replayed {
        if *anew {
            model.forget();
        }
        for scorer in &mut model.scorers {
            scorer.observe(residuals);
        }
    }
    Ok(model)
}

/// Lags that keep windows of `width` signals within [`WINDOW_CELLS_MAX`].
fn bounded(settings: Settings, width: usize) -> Settings {
    let lag_max = (WINDOW_CELLS_MAX / width.max(1)).max(2);
    Settings {
        dpca_lag: settings.dpca_lag.min(lag_max),
        var_lag: settings.var_lag.min(lag_max - 1),
        ..settings
    }
}

impl Walk {
    fn new(family: Family, settings: Settings, width: usize) -> Self {
        let [ewma, dpca, var] = family.has();
        let back = |wanted: bool, rows: usize| if wanted { rows } else { 0 };
        let rows_back = back(dpca, settings.dpca_lag).max(back(var, settings.var_lag + 1));
        Self {
            settings,
            rows_back,
            ewma: ewma.then(|| vec![0.0; width]),
            states: Covariance::new(width),
            window: VecDeque::new(),
            windows: Covariance::new(rows_back * width),
            replayed: VecDeque::new(),
            last: None,
            age_rows: 0,
            usable: 0,
        }
    }

    fn take(&mut self, row: &Row, frame: &Frame, (centre, gap_micros_max): (&mut Centre, i64)) {
        let step = self.last.map(|last| step_micros(last, row.ts));
        let anew = step.is_none_or(|step| step > gap_micros_max);
        if anew {
            self.age_rows = 0;
            self.window.clear();
            self.ewma.iter_mut().flatten().for_each(|cell| *cell = 0.0);
        }
        self.last = Some(row.ts);
        self.age_rows += 1;
        let residuals = frame.residuals(centre, &row.values);
        centre.follow(self.settings.centre_rate);
        if self.replayed.len() >= REPLAYED_ROWS {
            self.replayed.pop_front();
        }
        let enough = frame.is_enough(&residuals);
        self.gather(&residuals, enough);
        self.usable += usize::from(enough);
        self.replayed.push_back((anew, residuals));
    }

    fn gather(&mut self, residuals: &[Option<f64>], enough: bool) {
        let plain = || residuals.iter().map(|cell| cell.unwrap_or(0.0));
        if let Some(state) = &mut self.ewma {
            let gain = gain(self.settings.ewma_lambda, self.age_rows);
            for (cell, residual) in state.iter_mut().zip(plain()) {
                *cell = (1.0 - gain) * *cell + gain * residual;
            }
            if enough && self.age_rows >= settling_rows(self.settings.ewma_lambda) {
                self.states.add(state);
            }
        }
        if self.rows_back == 0 {
            return;
        }
        for cell in plain().collect::<Vec<_>>().into_iter().rev() {
            self.window.push_front(cell);
        }
        self.window.truncate(self.rows_back * residuals.len());
        if enough && self.age_rows >= self.rows_back {
            self.windows.add(self.window.make_contiguous());
        }
    }

    fn scorers(
        &mut self,
        family: Family,
        replayed: &[(bool, Vec<Option<f64>>)],
    ) -> Option<Vec<Scorer>> {
        let settings = self.settings;
        let [ewma, dpca, var] = family.has();
        let mut scorers = Vec::new();
        if ewma {
            let covariance = self.states.estimate();
            let fitted = Ewma::fit(settings.ewma_lambda, &covariance, settings.shrinkage)?;
            scorers.push(Scorer::Ewma(fitted));
        }
        if self.rows_back == 0 {
            return Some(scorers);
        }
        let windows = self.windows.estimate();
        let mean = self.windows.mean();
        let newest =
            |rows: usize| -> Vec<usize> { (0..mean.len() / self.rows_back * rows).collect() };
        if dpca {
            let places = newest(settings.dpca_lag);
            let mean = mean.get(..places.len())?;
            let (lag, variance) = (settings.dpca_lag, settings.dpca_variance);
            let fitted = Dpca::fit((lag, variance), &windows.choose(&places), mean, replayed)?;
            scorers.push(Scorer::Dpca(fitted));
        }
        if var {
            let places = newest(settings.var_lag + 1);
            let mean = mean.get(..places.len())?;
            let how = (settings.var_lag, settings.var_ridge, settings.var_lambda);
            let fitted = Var::fit(how, &windows.choose(&places), mean, settings.shrinkage)?;
            scorers.push(Scorer::Var(fitted));
        }
        Some(scorers)
    }
}
