//! A fitted model: the frame all families share, and the families with what they remember.

use std::collections::HashMap;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use signals::Timestamp;

use crate::Row;
use crate::dpca::{self, Dpca};
use crate::ewma::Ewma;
use crate::family::{Family, Said, Scorer, ScorerMemory};
use crate::frame::{Centre, FitError, Frame};
use crate::settings::Settings;
use crate::var::{self, Var};

mod fit;

/// A model of one group of signals at work.
#[derive(Clone, Debug)]
pub struct Model {
    family: Family,
    settings: Settings,
    frame: Frame,
    centre: Centre,
    scorers: Vec<Scorer>,
}

/// What the families say of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// One per family; `None` when more than half of the moving signals are missing.
    pub scores: Option<Vec<f64>>,
    /// Per family, each signal's part in the square of its score, in the order of the group.
    pub parts: Vec<Vec<f64>>,
}

/// What changes from row to row, in plain numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelMemory {
    centre: Vec<f64>,
    scorers: Vec<ScorerMemory>,
}

impl Model {
    /// Fits on rows of normal running, oldest first. Rows further apart than `gap_micros_max` are
    /// no neighbours. The model stands as it is after the last row.
    ///
    /// # Errors
    /// [`FitError`] says what is missing.
    pub fn fit(
        (family, settings): (Family, Settings),
        signals: &[String],
        rows: &[Row],
        gap_micros_max: i64,
    ) -> Result<Self, FitError> {
        let frame = Frame::fit(signals, rows)?;
        fit::fit((family, settings), frame, rows, gap_micros_max)
    }

    /// A model of stored weights. Anything that would give a score that is not a number is
    /// refused.
    ///
    /// # Errors
    /// A clause about what does not fit.
    pub fn from_tensors(
        (family, settings): (Family, Settings),
        frame: Frame,
        tensors: &HashMap<String, Tensor>,
    ) -> Result<Self, String> {
        if !settings.are_possible() {
            return Err(format!("impossible settings {settings:?}"));
        }
        let named = |name: &str| {
            tensors.get(name).cloned().ok_or_else(|| format!("there is no tensor `{name}`"))
        };
        let [ewma, dpca, var] = family.has();
        let mut scorers = Vec::new();
        if ewma {
            let precision = named("ewma.precision")?;
            scorers.push(Scorer::Ewma(Ewma::from_precision(settings.ewma_lambda, &precision)?));
        }
        if dpca {
            scorers.push(Scorer::Dpca(Dpca::from_weights(dpca::Weights {
                mean: named("dpca.mean")?,
                components: named("dpca.components")?,
                variances: named("dpca.variances")?,
                limits: named("dpca.limits")?,
                rest: named("dpca.rest")?,
            })?));
        }
        if var {
            let weights = var::Weights {
                forecast: named("var.forecast")?,
                offset: named("var.offset")?,
                precision: named("var.precision")?,
                errors: named("var.errors")?,
            };
            scorers.push(Scorer::Var(Var::from_weights(settings.var_lambda, weights)?));
        }
        let width = frame.moving().len();
        if let Some(other) = scorers.iter().find(|scorer| scorer.width() != width) {
            return Err(format!("weights of {} signals, {width} of them move", other.width()));
        }
        let centre = frame.centre();
        Ok(Self { family, settings, frame, centre, scorers })
    }

    /// What it is made of.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// The settings it was fitted with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Signals and their scalings.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The weights of all families with their names in a file.
    #[must_use]
    pub fn tensors(&self) -> Vec<(&'static str, Tensor)> {
        self.scorers.iter().flat_map(Scorer::tensors).collect()
    }

    /// Per family, rows after which two of its scores are as good as independent.
    #[must_use]
    pub fn correlation_rows(&self) -> Vec<f64> {
        self.scorers.iter().map(Scorer::correlation_rows).collect()
    }

    /// Rows after a start or a gap until all families say something.
    #[must_use]
    pub fn settling_rows(&self) -> usize {
        self.scorers.iter().map(Scorer::settling_rows).max().unwrap_or(0)
    }

    /// Takes one row and says how unusual it is.
    ///
    /// # Panics
    /// When `values` does not have one entry per signal, which is a bug of the caller.
    pub fn observe(&mut self, values: &[Option<f64>]) -> Observation {
        let size = self.frame.signals().len();
        assert_eq!(values.len(), size, "one value per signal");
        let residuals = self.frame.residuals(&mut self.centre, values);
        let said: Vec<Said> =
            self.scorers.iter_mut().map(|scorer| scorer.observe(&residuals)).collect();
        let enough = self.frame.is_enough(&residuals);
        let usable = enough && said.iter().all(|said| said.score.is_finite());
        let scores = usable.then(|| said.iter().map(|said| said.score).collect());
        let parts = said.into_iter().map(|said| self.widened(&said.parts)).collect();
        Observation { scores, parts }
    }

    /// Lets the centre follow the last row at `speed` times its rate.
    pub fn follow(&mut self, speed: f64) {
        self.centre.follow(self.settings.centre_rate * speed);
    }

    /// For the first row after a gap: nothing before it is a neighbour. The centre stays.
    pub fn forget(&mut self) {
        self.scorers.iter_mut().for_each(Scorer::forget);
    }

    /// What the family at `scorer` expected of the signal at `place` in the newest row, in its
    /// engineering unit, and half the width of the band in which it is normally seen; `None` when
    /// masked.
    #[must_use]
    pub fn expected(&self, scorer: usize, place: usize) -> Option<(f64, f64)> {
        let moving = self.frame.moving().iter().position(|&moving| moving == place)?;
        let (residual, band) = self.scorers.get(scorer)?.expected(moving)?;
        let (value, spread) = self.frame.value_of(&self.centre, moving, residual)?;
        Some((value, band * spread))
    }

    /// What has to be stored beside the weights to go on exactly here.
    #[must_use]
    pub fn memory(&self) -> ModelMemory {
        let scorers = self.scorers.iter().map(Scorer::memory).collect();
        ModelMemory { centre: self.centre.at().to_vec(), scorers }
    }

    /// Goes on where `memory` stood.
    ///
    /// # Errors
    /// A clause about what does not fit.
    pub fn recall(&mut self, memory: &ModelMemory) -> Result<(), String> {
        let fits = memory.centre.len() == self.frame.moving().len()
            && memory.scorers.len() == self.scorers.len();
        if !fits {
            return Err("the state is of another model".to_owned());
        }
        let centre = Centre::from_at(memory.centre.clone());
        self.centre = centre.ok_or("the state holds numbers that are none")?;
        let mut pairs = self.scorers.iter_mut().zip(&memory.scorers);
        let fits = pairs.all(|(scorer, memory)| scorer.recall(memory));
        fits.then_some(()).ok_or_else(|| "the state holds numbers that are none".to_owned())
    }

    /// Parts of the moving signals in the places of all signals.
    fn widened(&self, parts: &[f64]) -> Vec<f64> {
        let mut wide = vec![0.0; self.frame.signals().len()];
        for (&place, part) in self.frame.moving().iter().zip(parts) {
            if let Some(cell) = wide.get_mut(place) {
                *cell = *part;
            }
        }
        wide
    }

    /// The same weights with nothing remembered.
    #[must_use]
    pub fn blank(&self) -> Self {
        let mut blank = self.clone();
        blank.centre = blank.frame.centre();
        blank.forget();
        blank
    }
}

/// The distance of two rows in microseconds when the second one is later.
fn step_micros(last: Timestamp, ts: Timestamp) -> i64 {
    ts.micros().saturating_sub(last.micros())
}

#[cfg(test)]
mod tests;
