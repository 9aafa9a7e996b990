//! Joint EWMA (MEWMA): small shifts of many signals together, around a slowly adapting centre.
//!
//! Per row: residual `r = z − centre`, state `e ← (1−λ) e + λ r`, score `√(eᵀ P e)`. `P` is the
//! inverse covariance of the state over the fitted rows, so the score has one unit whatever the
//! signals are. A missing sample has residual 0: it neither alarms nor hides the others. Rows
//! are scored with candle tensors; fitting is plain f64.

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::Row;
use crate::scaling::Scaling;

mod fit;

use fit::{Walk, precision_of, scalings};

/// Fewest usable rows to fit on. Below, a covariance is chance.
pub const FIT_ROWS_MIN: usize = 60;
/// Most signals of one group; a greater group is several machines.
pub const SIGNALS_MAX: usize = 256;
/// Greatest step of a residual that the centre follows, in spreads.
const CENTRE_STEP_MAX: f64 = 3.0;

/// What is fixed for all groups; chosen once, on public recordings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Weight of the newest row, 0..1. 1/λ rows is how long a shift takes to show fully.
    pub lambda: f64,
    /// Part of a residual by which the centre follows per row.
    pub centre_rate: f64,
    /// Part of the mean variance that is added to every variance before inverting.
    pub shrinkage: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { lambda: 0.05, centre_rate: 1.0 / 300.0, shrinkage: 1e-3 }
    }
}

impl Settings {
    /// Rows after a start or a gap until the state says something: `1 / λ`.
    #[must_use]
    pub fn settling_rows(&self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 10^6, at least 1"
        )]
        let rows = (1.0 / self.lambda).clamp(1.0, 1e6).ceil() as usize;
        rows
    }

    /// Weight of the newest row when it is the `age_rows`th since a start or a gap. The state
    /// starts as the plain mean, so that a shift that outlasts a gap shows at once after it.
    #[must_use]
    pub fn gain(&self, age_rows: usize) -> f64 {
        self.lambda.max(1.0 / crate::real(age_rows.max(1)))
    }

    /// After how many rows two states are as good as independent: `(2 − λ) / λ`.
    #[must_use]
    pub fn correlation_rows(&self) -> f64 {
        (2.0 - self.lambda) / self.lambda
    }
}

/// Why there is no model.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum FitError {
    /// Not enough rows in which at least half of the signals have a value.
    #[error(
        "{usable} of {rows} rows can be learnt from, {needed} are needed; wait for more history or choose a longer or better-filled stretch of it"
    )]
    TooFewRows {
        /// Rows offered.
        rows: usize,
        /// Rows with at least half of the moving signals.
        usable: usize,
        /// [`FIT_ROWS_MIN`], or what the caller needs.
        needed: usize,
    },
    /// No signal moved, or none was there.
    #[error(
        "none of the {signals} signals moved while learning (constant or missing); choose a stretch in which the machine runs, or other signals"
    )]
    NothingMoves {
        /// Signals offered.
        signals: usize,
    },
    /// A group without signals, or with too many.
    #[error("a group has 1 to {SIGNALS_MAX} signals, not {0}; choose signals, or split the group")]
    Signals(usize),
    /// A row that does not have one entry per signal.
    #[error("row {row} has {found} values for {wanted} signals; this is a bug of the caller")]
    Width {
        /// The row, from 0.
        row: usize,
        /// Its values.
        found: usize,
        /// Signals of the group.
        wanted: usize,
    },
    /// The covariance could not be inverted in spite of shrinkage.
    #[error(
        "the signals' covariance is not a covariance; report this with the history it was fitted on"
    )]
    Covariance,
}

/// The fitted weights: immutable.
#[derive(Clone, Debug)]
pub struct Ewma {
    signals: Vec<String>,
    scaling: Vec<Scaling>,
    settings: Settings,
    /// Inverse covariance of the state, `[signals, signals]`, f64; zero where masked.
    precision: Tensor,
}

/// What changes from row to row.
#[derive(Clone, Debug)]
pub struct Memory {
    /// EWMA of residuals, `[signals, 1]`, f64.
    state: Tensor,
    /// Where normal lies now, in spreads from the fitted centre.
    centre: Vec<f64>,
    /// The last row, in spreads; `None` where masked or missing.
    z: Vec<Option<f64>>,
    /// Rows since the start or the last gap.
    age_rows: usize,
}

/// What the model says of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// `√(eᵀ P e)`; `None` when more than half of the moving signals are missing.
    pub score: Option<f64>,
    /// Each signal's part in the square of the score; negative parts count as 0.
    pub parts: Vec<f64>,
}

impl Ewma {
    /// Fits on rows of normal running, oldest first. `gap_micros_max` is the greatest distance of
    /// two rows that the EWMA may bridge.
    ///
    /// Returns the memory as it is after the last row, too.
    ///
    /// # Errors
    /// [`FitError`] says what is missing.
    pub fn fit(
        signals: &[String],
        rows: &[Row],
        settings: Settings,
        gap_micros_max: i64,
    ) -> Result<(Self, Memory), FitError> {
        let size = signals.len();
        if size == 0 || size > SIGNALS_MAX {
            return Err(FitError::Signals(size));
        }
        for (place, row) in rows.iter().enumerate() {
            if row.values.len() != size {
                let found = row.values.len();
                return Err(FitError::Width { row: place, found, wanted: size });
            }
        }
        let scaling = scalings(rows, size);
        let moves = scaling.iter().any(|s| s.spread.is_some());
        if !moves && rows.len() >= FIT_ROWS_MIN {
            return Err(FitError::NothingMoves { signals: size });
        }
        let mut walk = Walk::new(settings, &scaling, gap_micros_max);
        for row in rows {
            let z = standardised(&scaling, &row.values);
            walk.take(row.ts, z);
        }
        if walk.usable < FIT_ROWS_MIN || walk.seen.count() < FIT_ROWS_MIN / 2 {
            let usable = walk.usable;
            return Err(FitError::TooFewRows { rows: rows.len(), usable, needed: FIT_ROWS_MIN });
        }
        let precision = precision_of(&walk.seen.estimate(), &scaling, settings.shrinkage)
            .ok_or(FitError::Covariance)?;
        let memory = Memory {
            state: column(walk.state),
            centre: walk.centre,
            z: walk.z,
            age_rows: walk.age_rows,
        };
        Ok((Self { signals: signals.to_vec(), scaling, settings, precision }, memory))
    }

    /// A model of stored parts. Anything that would give a score that is not a number is
    /// refused.
    ///
    /// # Errors
    /// A clause about what does not fit.
    pub fn from_parts(
        signals: Vec<String>,
        scaling: Vec<Scaling>,
        settings: Settings,
        precision: &Tensor,
    ) -> Result<Self, String> {
        let size = signals.len();
        if size == 0 || size > SIGNALS_MAX || scaling.len() != size {
            return Err(format!("{size} signals with {} scalings", scaling.len()));
        }
        if precision.dims() != [size, size] || precision.dtype() != DType::F64 {
            let (dims, dtype) = (precision.dims(), precision.dtype());
            return Err(format!("weights are {dims:?} {dtype:?}, not [{size}, {size}] F64"));
        }
        let finite = |s: &Scaling| s.centre.is_finite() && s.spread.is_none_or(f64::is_normal);
        let cells = precision.flatten_all().and_then(|flat| flat.to_vec1::<f64>());
        let cells = cells.map_err(|err| err.to_string())?;
        if !cells.iter().all(|cell| cell.is_finite()) || !scaling.iter().all(finite) {
            return Err("weights that are not finite".to_owned());
        }
        let ranges = 0.0 < settings.lambda && settings.lambda <= 1.0 && settings.centre_rate < 1.0;
        if !ranges {
            return Err(format!("impossible settings {settings:?}"));
        }
        // A tensor of our own: nothing else holds a handle that could change it.
        let precision = precision.force_contiguous().map_err(|err| err.to_string())?;
        Ok(Self { signals, scaling, settings, precision })
    }

    /// Paths of the signals, in the order of a row's values.
    #[must_use]
    pub fn signals(&self) -> &[String] {
        &self.signals
    }

    /// Centre and spread per signal; masked signals have no spread.
    #[must_use]
    pub fn scaling(&self) -> &[Scaling] {
        &self.scaling
    }

    /// The settings it was fitted with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The weights, `[signals, signals]`, f64.
    #[must_use]
    pub fn precision(&self) -> &Tensor {
        &self.precision
    }

    /// A memory of nothing: the fitted centre, no shift.
    #[must_use]
    pub fn blank(&self) -> Memory {
        let size = self.signals.len();
        Memory {
            state: column(vec![0.0; size]),
            centre: vec![0.0; size],
            z: vec![None; size],
            age_rows: 0,
        }
    }

    /// Takes one row into the memory and says how unusual it is. Costs a few microseconds.
    ///
    /// # Panics
    /// When `values` does not have one entry per signal, which is a bug of the caller.
    pub fn observe(&self, memory: &mut Memory, values: &[Option<f64>]) -> Observation {
        assert_eq!(values.len(), self.signals.len(), "one value per signal");
        memory.z = standardised(&self.scaling, values);
        let residual = column(memory.residuals());
        memory.age_rows = memory.age_rows.saturating_add(1);
        let (state, parts) = self
            .advance(&memory.state, &residual, self.settings.gain(memory.age_rows))
            .expect("shapes and types were checked when the model was made");
        memory.state = state;
        let active = self.scaling.iter().filter(|s| s.spread.is_some()).count();
        let present = memory.z.iter().flatten().count();
        let score = parts.iter().sum::<f64>().max(0.0).sqrt();
        let enough = present > 0 && present * 2 >= active;
        let parts = parts.into_iter().map(|part| part.max(0.0)).collect();
        Observation { score: Some(score).filter(|s| enough && s.is_finite()), parts }
    }

    /// Lets the centre follow the last row by `rate` of its residual. Not called while an episode
    /// is open: what is unusual would become normal.
    pub fn follow(memory: &mut Memory, rate: f64) {
        for (centre, z) in memory.centre.iter_mut().zip(&memory.z) {
            if let Some(z) = z {
                *centre += rate * (z - *centre).clamp(-CENTRE_STEP_MAX, CENTRE_STEP_MAX);
            }
        }
    }

    /// Value expected of the signal at `place` now, in its engineering unit, and half the width
    /// of the band in which it is normally seen; `None` when masked.
    #[must_use]
    pub fn expected(&self, memory: &Memory, place: usize) -> Option<(f64, f64)> {
        let scaling = self.scaling.get(place)?;
        let spread = scaling.spread?;
        let centre = memory.centre.get(place)?;
        Some((scaling.centre + spread * centre, 3.0 * spread))
    }

    fn advance(
        &self,
        state: &Tensor,
        residual: &Tensor,
        gain: f64,
    ) -> candle_core::Result<(Tensor, Vec<f64>)> {
        let next = (state.affine(1.0 - gain, 0.0)? + residual.affine(gain, 0.0)?)?;
        let parts = (&next * self.precision.matmul(&next)?)?.flatten_all()?.to_vec1()?;
        Ok((next, parts))
    }
}

impl Memory {
    /// Forgets the shift but keeps the centre: for the first row after a gap.
    pub fn forget_shift(&mut self) {
        self.state = column(vec![0.0; self.centre.len()]);
        self.age_rows = 0;
    }

    /// Shift, centre and rows since the last gap as plain numbers, for storing.
    ///
    /// # Panics
    /// Never: the state is a column of f64.
    #[must_use]
    pub fn to_parts(&self) -> (Vec<f64>, Vec<f64>, usize) {
        let state = self.state.flatten_all().and_then(|flat| flat.to_vec1());
        (state.expect("the state is a column of f64"), self.centre.clone(), self.age_rows)
    }

    /// A memory of stored numbers; `None` if they do not fit each other or are not finite.
    #[must_use]
    pub fn from_parts(state: Vec<f64>, centre: Vec<f64>, age_rows: usize) -> Option<Self> {
        let finite = state.iter().chain(&centre).all(|cell| cell.is_finite());
        let size = centre.len();
        (finite && state.len() == size && size > 0).then(|| Self {
            state: column(state),
            centre,
            z: vec![None; size],
            age_rows,
        })
    }

    fn residuals(&self) -> Vec<f64> {
        let pairs = self.z.iter().zip(&self.centre);
        pairs.map(|(z, centre)| z.map_or(0.0, |z| z - centre)).collect()
    }
}

fn standardised(scaling: &[Scaling], values: &[Option<f64>]) -> Vec<Option<f64>> {
    scaling.iter().zip(values).map(|(scaling, value)| scaling.standardise(*value)).collect()
}

fn column(cells: Vec<f64>) -> Tensor {
    let size = cells.len();
    Tensor::from_vec(cells, (size, 1), &Device::Cpu).expect("as many cells as the shape says")
}

/// Parts of a whole, 0..=1 each; all 0 when there is no whole.
pub(crate) fn shares(parts: &[f64]) -> Vec<f64> {
    let whole: f64 = parts.iter().sum();
    let share = |part: &f64| if whole > 0.0 { part / whole } else { 0.0 };
    parts.iter().map(share).collect()
}

#[cfg(test)]
mod tests;
