//! Families of detectors and what each can do: score a row of residuals, say what it expected,
//! be stored.

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::dpca::Dpca;
use crate::ewma::Ewma;
use crate::var::Var;

/// What a detector is made of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Joint EWMA: small shifts that last.
    #[default]
    Ewma,
    /// Dynamic PCA: the last rows together.
    Dpca,
    /// Ridge forecast: each row after the rows before it.
    Var,
    /// All three; the least probable one counts.
    Combined,
}

impl Family {
    /// All families.
    pub const ALL: [Self; 4] = [Self::Ewma, Self::Dpca, Self::Var, Self::Combined];

    /// Its name on the command line, in configurations and in model cards.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ewma => "ewma",
            Self::Dpca => "dpca",
            Self::Var => "var",
            Self::Combined => "combined",
        }
    }

    /// The family of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.as_str() == name)
    }

    /// Whether a detector of this family has a joint EWMA, a dynamic PCA and a ridge forecast.
    pub(crate) const fn has(self) -> [bool; 3] {
        match self {
            Self::Ewma => [true, false, false],
            Self::Dpca => [false, true, false],
            Self::Var => [false, false, true],
            Self::Combined => [true, true, true],
        }
    }
}

/// One fitted family with what it remembers of the rows so far.
#[derive(Clone, Debug)]
pub(crate) enum Scorer {
    Ewma(Ewma),
    Dpca(Dpca),
    Var(Var),
}

/// What a family says of one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) score: f64,
    /// Each moving signal's part in the square of the score; negative parts count as 0.
    pub(crate) parts: Vec<f64>,
}

/// What a family remembers, in plain numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScorerMemory {
    /// State or window.
    pub(crate) cells: Vec<f64>,
    /// Smoothed parts per signal, where they are smoothed.
    pub(crate) parts: Vec<f64>,
    /// Rows since the start or the last gap.
    pub(crate) age_rows: usize,
}

/// Calls the method of whichever family it is.
macro_rules! each {
    ($scorer:expr, $name:ident => $call:expr) => {
        match $scorer {
            Scorer::Ewma($name) => $call,
            Scorer::Dpca($name) => $call,
            Scorer::Var($name) => $call,
        }
    };
}

impl Scorer {
    pub(crate) fn observe(&mut self, residuals: &[Option<f64>]) -> Said {
        each!(self, of => of.observe(residuals))
    }

    /// Where the signal was expected in the newest row, in spreads from the centre, and half the
    /// width of its band.
    pub(crate) fn expected(&self, place: usize) -> Option<(f64, f64)> {
        each!(self, of => of.expected(place))
    }

    /// Rows after a start or a gap until it says something.
    pub(crate) fn settling_rows(&self) -> usize {
        each!(self, of => of.settling_rows())
    }

    /// Rows after which two scores are as good as independent.
    pub(crate) fn correlation_rows(&self) -> f64 {
        each!(self, of => of.correlation_rows())
    }

    /// Number of signals it sees.
    pub(crate) fn width(&self) -> usize {
        each!(self, of => of.width())
    }

    /// For the first row after a gap: what was before it is no neighbour.
    pub(crate) fn forget(&mut self) {
        each!(self, of => of.forget());
    }

    pub(crate) fn memory(&self) -> ScorerMemory {
        each!(self, of => of.memory())
    }

    /// Goes on with a stored memory; false when it is not one of this model.
    pub(crate) fn recall(&mut self, memory: &ScorerMemory) -> bool {
        each!(self, of => of.recall(memory))
    }

    /// Its weights with their names in a file.
    pub(crate) fn tensors(&self) -> Vec<(&'static str, Tensor)> {
        match self {
            Self::Ewma(of) => vec![("ewma.precision", of.precision().clone())],
            Self::Dpca(of) => {
                let weights = of.weights();
                vec![
                    ("dpca.mean", weights.mean.clone()),
                    ("dpca.components", weights.components.clone()),
                    ("dpca.variances", weights.variances.clone()),
                    ("dpca.limits", weights.limits.clone()),
                    ("dpca.rest", weights.rest.clone()),
                ]
            }
            Self::Var(of) => {
                let weights = of.weights();
                vec![
                    ("var.forecast", weights.forecast.clone()),
                    ("var.offset", weights.offset.clone()),
                    ("var.precision", weights.precision.clone()),
                    ("var.errors", weights.errors.clone()),
                ]
            }
        }
    }
}

/// Refuses a tensor of another type or shape, and one that holds what is not a number.
pub(crate) fn finite(
    name: &str,
    tensor: &Tensor,
    dtype: DType,
    shape: &[usize],
) -> Result<(), String> {
    if tensor.dims() != shape || tensor.dtype() != dtype {
        let (dims, found) = (tensor.dims(), tensor.dtype());
        return Err(format!("tensor `{name}` is {dims:?} {found:?}, not {shape:?} {dtype:?}"));
    }
    let cells = tensor.to_dtype(DType::F64).and_then(|wide| wide.flatten_all()?.to_vec1::<f64>());
    let cells = cells.map_err(|err| err.to_string())?;
    if cells.iter().all(|cell| cell.is_finite()) {
        return Ok(());
    }
    Err(format!("tensor `{name}` holds weights that are not finite"))
}

/// A checked vector of f32.
pub(crate) fn numbers(name: &str, tensor: &Tensor, size: usize) -> Result<Vec<f32>, String> {
    finite(name, tensor, DType::F32, &[size])?;
    tensor.to_vec1().map_err(|err| err.to_string())
}

#[cfg(test)]
mod tests;
