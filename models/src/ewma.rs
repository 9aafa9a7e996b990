//! Joint EWMA (MEWMA): small shifts of many signals together.
//!
//! Per row of residuals `r`: state `e ← (1−λ) e + λ r`, score `√(eᵀ P e)`. `P` is the inverse
//! covariance of the state over the fitted rows, so the score has one unit whatever the signals
//! are. A missing sample puts its state where the others let it be: it neither alarms nor hides
//! them.

use candle_core::{DType, Device, Tensor};

use crate::family::{Said, ScorerMemory, finite};
use crate::matrix::Square;
use crate::missing::Filler;
use crate::settings::{correlation_rows, gain, settling_rows};

/// Half the width of the band in which a signal is normally seen, in spreads.
const BAND: f64 = 3.0;

/// Fitted weights and the state they made of the rows so far.
#[derive(Clone, Debug)]
pub(crate) struct Ewma {
    lambda: f64,
    /// Inverse covariance of the state, `[signals, signals]`, f64.
    precision: Tensor,
    filler: Filler,
    /// EWMA of residuals, `[signals, 1]`, f64.
    state: Tensor,
    /// Rows since the start or the last gap.
    age_rows: usize,
}

impl Ewma {
    /// Of the covariance of the state; `None` when it is not one in spite of shrinkage.
    pub(crate) fn fit(lambda: f64, covariance: &Square, shrinkage: f64) -> Option<Self> {
        let mut core = covariance.clone();
        core.shrink(shrinkage);
        Self::from_precision(lambda, &core.inverse()?.to_tensor()).ok()
    }

    /// Of stored weights.
    ///
    /// # Errors
    /// A clause about what does not fit.
    pub(crate) fn from_precision(lambda: f64, precision: &Tensor) -> Result<Self, String> {
        let size = precision.dims().first().copied().unwrap_or(0);
        finite("precision", precision, DType::F64, &[size, size])?;
        // A tensor of our own: nothing else holds a handle that could change it.
        let precision = precision.force_contiguous().map_err(|err| err.to_string())?;
        let filler = Filler::of(&precision)?;
        Ok(Self { lambda, precision, filler, state: column(vec![0.0; size]), age_rows: 0 })
    }

    pub(crate) fn precision(&self) -> &Tensor {
        &self.precision
    }

    pub(crate) fn width(&self) -> usize {
        self.precision.dims().first().copied().unwrap_or(0)
    }

    /// Takes one row of residuals and says how unusual it is. Costs a few microseconds.
    pub(crate) fn observe(&mut self, residuals: &[Option<f64>]) -> Said {
        let residual = column(residuals.iter().map(|cell| cell.unwrap_or(0.0)).collect());
        self.age_rows = self.age_rows.saturating_add(1);
        let (state, parts) = self
            .advance(&residual, gain(self.lambda, self.age_rows), residuals)
            .expect("shapes and types were checked when the model was made");
        self.state = state;
        let score = parts.iter().sum::<f64>().max(0.0).sqrt();
        Said { score, parts: parts.into_iter().map(|part| part.max(0.0)).collect() }
    }

    /// What it expects is the centre.
    pub(crate) fn expected(&self, place: usize) -> Option<(f64, f64)> {
        (place < self.width()).then_some((0.0, BAND))
    }

    pub(crate) fn settling_rows(&self) -> usize {
        settling_rows(self.lambda)
    }

    pub(crate) fn correlation_rows(&self) -> f64 {
        correlation_rows(self.lambda)
    }

    /// Forgets the shift: for the first row after a gap.
    pub(crate) fn forget(&mut self) {
        self.state = column(vec![0.0; self.width()]);
        self.age_rows = 0;
    }

    pub(crate) fn memory(&self) -> ScorerMemory {
        let cells = self.state.flatten_all().and_then(|flat| flat.to_vec1());
        let cells = cells.expect("the state is a column of f64");
        ScorerMemory { cells, parts: Vec::new(), age_rows: self.age_rows }
    }

    pub(crate) fn recall(&mut self, memory: &ScorerMemory) -> bool {
        let fits = memory.cells.len() == self.width();
        if !fits || !memory.cells.iter().all(|cell| cell.is_finite()) {
            return false;
        }
        self.state = column(memory.cells.clone());
        self.age_rows = memory.age_rows;
        true
    }

    fn advance(
        &self,
        residual: &Tensor,
        gain: f64,
        known: &[Option<f64>],
    ) -> candle_core::Result<(Tensor, Vec<f64>)> {
        let mut next = (self.state.affine(1.0 - gain, 0.0)? + residual.affine(gain, 0.0)?)?;
        if known.iter().any(Option::is_none) {
            let mut cells = next.flatten_all()?.to_vec1()?;
            self.filler.fill(&mut cells, known);
            next = column(cells);
        }
        let parts = (&next * self.precision.matmul(&next)?)?.flatten_all()?.to_vec1()?;
        Ok((next, parts))
    }
}

fn column(cells: Vec<f64>) -> Tensor {
    let size = cells.len();
    Tensor::from_vec(cells, (size, 1), &Device::Cpu).expect("as many cells as the shape says")
}
