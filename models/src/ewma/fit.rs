//! Fitting: scalings, then one pass for the covariance of the state.

use candle_core::{Device, Tensor};
use signals::Timestamp;

use super::{CENTRE_STEP_MAX, Settings};
use crate::Row;
use crate::matrix::{Covariance, Square};
use crate::scaling::Scaling;

/// The fitting pass over the rows: EWMA and centre as in [`Ewma::observe`], without a score.
pub(super) struct Walk {
    settings: Settings,
    pub(super) state: Vec<f64>,
    pub(super) centre: Vec<f64>,
    pub(super) z: Vec<Option<f64>>,
    pub(super) seen: Covariance,
    last: Option<Timestamp>,
    pub(super) age_rows: usize,
    pub(super) usable: usize,
    /// Signals that move.
    active: usize,
    gap_micros_max: i64,
}

impl Walk {
    pub(super) fn new(settings: Settings, scaling: &[Scaling], gap_micros_max: i64) -> Self {
        let size = scaling.len();
        Self {
            settings,
            state: vec![0.0; size],
            centre: vec![0.0; size],
            z: vec![None; size],
            seen: Covariance::new(size),
            last: None,
            age_rows: 0,
            usable: 0,
            active: scaling.iter().filter(|s| s.spread.is_some()).count(),
            gap_micros_max,
        }
    }

    pub(super) fn take(&mut self, ts: Timestamp, z: Vec<Option<f64>>) {
        let step = self.last.map(|last| ts.micros().saturating_sub(last.micros()));
        if step.is_some_and(|step| step > self.gap_micros_max) {
            self.state.fill(0.0);
            self.age_rows = 0;
        }
        self.last = Some(ts);
        self.z = z;
        self.age_rows += 1;
        let gain = self.settings.gain(self.age_rows);
        for ((state, centre), z) in self.state.iter_mut().zip(&mut self.centre).zip(&self.z) {
            let residual = z.map_or(0.0, |z| z - *centre);
            *state = (1.0 - gain) * *state + gain * residual;
            *centre +=
                self.settings.centre_rate * residual.clamp(-CENTRE_STEP_MAX, CENTRE_STEP_MAX);
        }
        let present = self.z.iter().flatten().count();
        if self.active == 0 || present * 2 < self.active {
            return;
        }
        self.usable += 1;
        if self.age_rows >= self.settings.settling_rows() {
            self.seen.add(&self.state);
        }
    }
}

pub(super) fn scalings(rows: &[Row], size: usize) -> Vec<Scaling> {
    (0..size)
        .map(|place| {
            let values: Vec<f64> = rows
                .iter()
                .filter_map(|row| row.values.get(place).copied().flatten())
                .filter(|value| value.is_finite())
                .collect();
            let mostly_there = values.len() * 2 >= rows.len();
            let scaling = Scaling::of(values);
            if mostly_there { scaling } else { Scaling { spread: None, ..scaling } }
        })
        .collect()
}

/// The inverse of the covariance of the moving signals, with zeros for the masked ones.
pub(super) fn precision_of(
    covariance: &Square,
    scaling: &[Scaling],
    shrinkage: f64,
) -> Option<Tensor> {
    let moving: Vec<usize> = (0..scaling.len())
        .filter(|place| scaling.get(*place).is_some_and(|s| s.spread.is_some()))
        .collect();
    let mut core = covariance.choose(&moving);
    core.shrink(shrinkage);
    let cells = core.inverse()?.spread(&moving, scaling.len()).into_cells();
    Tensor::from_vec(cells, (scaling.len(), scaling.len()), &Device::Cpu).ok()
}
