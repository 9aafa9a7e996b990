//! What all families of a detector share: the group's signals, their scalings, and where normal
//! lies now. Families see residuals: spreads from the slowly adapting centre, of the signals that
//! move.

use crate::Row;
use crate::scaling::Scaling;

/// Fewest usable rows to fit on. Below, a covariance is chance.
pub const FIT_ROWS_MIN: usize = 60;
/// Most signals of one group; a greater group is several machines.
pub const SIGNALS_MAX: usize = 256;
/// Greatest step of a residual that the centre follows, in spreads.
const CENTRE_STEP_MAX: f64 = 3.0;

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

/// The signals of a group and what is normal for each by itself: immutable.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    signals: Vec<String>,
    scaling: Vec<Scaling>,
    /// Places of the signals that move.
    moving: Vec<usize>,
}

/// Where normal lies now, and the last row.
#[derive(Clone, Debug, PartialEq)]
pub struct Centre {
    /// Of the moving signals, in spreads from the fitted centre.
    at: Vec<f64>,
    /// The last row of the moving signals, in spreads; `None` where missing.
    z: Vec<Option<f64>>,
}

impl Frame {
    /// Scalings of rows of normal running.
    ///
    /// # Errors
    /// [`FitError`] for no or too many signals, rows of another width, and when nothing moves.
    pub fn fit(signals: &[String], rows: &[Row]) -> Result<Self, FitError> {
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
        let frame = Self::of(signals.to_vec(), scalings(rows, size));
        if frame.moving.is_empty() && rows.len() >= FIT_ROWS_MIN {
            return Err(FitError::NothingMoves { signals: size });
        }
        Ok(frame)
    }

    /// A frame of stored parts.
    ///
    /// # Errors
    /// A clause about what does not fit.
    pub fn from_parts(signals: Vec<String>, scaling: Vec<Scaling>) -> Result<Self, String> {
        let size = signals.len();
        if size == 0 || size > SIGNALS_MAX || scaling.len() != size {
            return Err(format!("{size} signals with {} scalings", scaling.len()));
        }
        let finite = |s: &Scaling| s.centre.is_finite() && s.spread.is_none_or(f64::is_normal);
        if !scaling.iter().all(finite) {
            return Err("scalings that are not finite".to_owned());
        }
        Ok(Self::of(signals, scaling))
    }

    fn of(signals: Vec<String>, scaling: Vec<Scaling>) -> Self {
        let places = scaling.iter().enumerate().filter(|(_, s)| s.spread.is_some());
        let moving = places.map(|(place, _)| place).collect();
        Self { signals, scaling, moving }
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

    /// Places of the signals that move: what families see.
    #[must_use]
    pub fn moving(&self) -> &[usize] {
        &self.moving
    }

    /// The fitted centre.
    #[must_use]
    pub fn centre(&self) -> Centre {
        Centre { at: vec![0.0; self.moving.len()], z: vec![None; self.moving.len()] }
    }

    /// Takes a row and gives the residuals of the moving signals.
    pub fn residuals(&self, centre: &mut Centre, values: &[Option<f64>]) -> Vec<Option<f64>> {
        let place = |&place: &usize| {
            let scaling = self.scaling.get(place)?;
            scaling.standardise(values.get(place).copied().flatten())
        };
        centre.z = self.moving.iter().map(place).collect();
        let pairs = centre.z.iter().zip(&centre.at);
        pairs.map(|(z, at)| z.map(|z| z - at)).collect()
    }

    /// Whether so many residuals are there that a score means something.
    #[must_use]
    pub fn is_enough(&self, residuals: &[Option<f64>]) -> bool {
        let present = residuals.iter().flatten().count();
        present > 0 && present * 2 >= self.moving.len()
    }

    /// A value in spreads from the centre, in its engineering unit, and the width of a spread.
    #[must_use]
    pub fn value_of(&self, centre: &Centre, moving: usize, residual: f64) -> Option<(f64, f64)> {
        let scaling = self.scaling.get(*self.moving.get(moving)?)?;
        let spread = scaling.spread?;
        Some((scaling.centre + spread * (centre.at.get(moving)? + residual), spread))
    }
}

impl Centre {
    /// Follows the last row by `rate` of its residual. Not called while an episode is open: what
    /// is unusual would become normal.
    pub fn follow(&mut self, rate: f64) {
        for (at, z) in self.at.iter_mut().zip(&self.z) {
            if let Some(z) = z {
                *at += rate * (z - *at).clamp(-CENTRE_STEP_MAX, CENTRE_STEP_MAX);
            }
        }
    }

    /// Where it is, for storing.
    #[must_use]
    pub fn at(&self) -> &[f64] {
        &self.at
    }

    /// A stored centre; `None` if it is not finite.
    #[must_use]
    pub fn from_at(at: Vec<f64>) -> Option<Self> {
        let z = vec![None; at.len()];
        at.iter().all(|cell| cell.is_finite()).then_some(Self { at, z })
    }
}

fn scalings(rows: &[Row], size: usize) -> Vec<Scaling> {
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

#[cfg(test)]
mod tests;
