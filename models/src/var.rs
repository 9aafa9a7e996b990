//! Vector autoregression with ridge: each row is forecast from the last ones, and the error of
//! the forecast says how unusual it is.
//!
//! Forecast `ŷ = W x + b` from the window `x` of the last `lag` rows of residuals; error
//! `e = y − ŷ`; each signal's part is `e (P e)` with the inverse covariance `P` of the errors over
//! the fitted rows, smoothed over rows; the score is the root of their sum. A missing sample takes
//! its forecast, and the error that the others let expect.

use candle_core::{DType, Device, Tensor};

use crate::family::{Said, ScorerMemory, finite, numbers};
use crate::lags::{Lags, narrow};
use crate::matrix::Square;
use crate::missing::Filler;
use crate::settings::{correlation_rows, gain, settling_rows};

/// Half the width of the band, in standard deviations of the error.
const BAND: f64 = 3.0;

/// The weights as they are stored, all f32.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    /// `[signals, lag · signals]`, newest row first.
    pub(crate) forecast: Tensor,
    /// `[signals]`.
    pub(crate) offset: Tensor,
    /// Inverse covariance of the errors, `[signals, signals]`.
    pub(crate) precision: Tensor,
    /// Standard deviation of the errors, `[signals]`.
    pub(crate) errors: Tensor,
}

/// Fitted weights and what they made of the rows so far.
#[derive(Clone, Debug)]
pub(crate) struct Var {
    lambda: f64,
    weights: Weights,
    offset: Vec<f32>,
    errors: Vec<f32>,
    filler: Filler,
    lags: Lags,
    /// Smoothed parts per signal.
    parts: Vec<f64>,
    /// The forecast of the newest row.
    expected: Vec<f32>,
}

impl Var {
    /// Of the covariance and mean of windows of `lag + 1` rows, newest row first; `None` when it
    /// is not one.
    pub(crate) fn fit(
        (lag, ridge, lambda): (usize, f64, f64),
        covariance: &Square,
        mean: &[f64],
        shrinkage: f64,
    ) -> Option<Self> {
        let width = mean.len() / (lag + 1);
        let past: Vec<usize> = (width..mean.len()).collect();
        let mut spread = covariance.choose(&past);
        let plain = spread.to_tensor();
        spread.shrink(ridge);
        let inverse = spread.inverse()?.to_tensor();
        let (forecast, errors) = regress(&covariance.to_tensor(), &plain, &inverse, width).ok()?;
        let mut errors = Square::from_tensor(&errors)?;
        errors.shrink(shrinkage);
        let deviations = errors.diagonal().into_iter().map(|cell| narrow(cell.max(0.0).sqrt()));
        let precision = errors.inverse()?.to_tensor().to_dtype(DType::F32).ok()?;
        let cells: Vec<Vec<f64>> = forecast.to_vec2().ok()?;
        let (now, before) = mean.split_at(width);
        let told = |row: &Vec<f64>| row.iter().zip(before).map(|(w, mean)| w * mean).sum::<f64>();
        let offset: Vec<f32> =
            now.iter().zip(&cells).map(|(mean, row)| narrow(mean - told(row))).collect();
        let weights = Weights {
            forecast: forecast.to_dtype(DType::F32).ok()?,
            offset: Tensor::from_vec(offset, width, &Device::Cpu).ok()?,
            precision,
            errors: Tensor::from_vec(deviations.collect::<Vec<_>>(), width, &Device::Cpu).ok()?,
        };
        Self::from_weights(lambda, weights).ok()
    }

    /// Of stored weights.
    ///
    /// # Errors
    /// A clause about what does not fit.
    pub(crate) fn from_weights(lambda: f64, weights: Weights) -> Result<Self, String> {
        let (width, size) = weights.forecast.dims2().map_err(|err| err.to_string())?;
        if width == 0 || size == 0 || size % width != 0 {
            return Err(format!("a forecast of {width} signals from {size} cells"));
        }
        finite("forecast", &weights.forecast, DType::F32, &[width, size])?;
        finite("precision", &weights.precision, DType::F32, &[width, width])?;
        let offset = numbers("offset", &weights.offset, width)?;
        let errors = numbers("errors", &weights.errors, width)?;
        let filler = Filler::of(&weights.precision)?;
        let lags = Lags::new(size / width, width);
        let (parts, expected) = (vec![0.0; width], vec![0.0; width]);
        Ok(Self { lambda, weights, offset, errors, filler, lags, parts, expected })
    }

    pub(crate) fn weights(&self) -> &Weights {
        &self.weights
    }

    pub(crate) fn width(&self) -> usize {
        self.offset.len()
    }

    /// Takes one row of residuals and says how unusual it is after the rows before it.
    pub(crate) fn observe(&mut self, residuals: &[Option<f64>]) -> Said {
        let full = self.lags.age_rows() >= self.lag();
        let (expected, parts) = self
            .forecast(residuals)
            .expect("shapes and types were checked when the model was made");
        let known = residuals.iter().zip(&expected);
        let row: Vec<f64> = known.map(|(y, told)| y.unwrap_or(f64::from(*told))).collect();
        self.lags.push(row.into_iter());
        self.expected = expected;
        if full {
            let gain = gain(self.lambda, self.lags.age_rows() - self.lag());
            for (smooth, part) in self.parts.iter_mut().zip(parts) {
                *smooth += gain * (f64::from(part) - *smooth);
            }
        }
        let score = self.parts.iter().sum::<f64>().max(0.0).sqrt();
        Said { score, parts: self.parts.iter().map(|part| part.max(0.0)).collect() }
    }

    /// The forecast of the newest row's signal, and a band, in spreads.
    pub(crate) fn expected(&self, place: usize) -> Option<(f64, f64)> {
        let (expected, error) = (self.expected.get(place)?, self.errors.get(place)?);
        Some((f64::from(*expected), BAND * f64::from(*error)))
    }

    /// Rows until there is a forecast and its error has been smoothed.
    pub(crate) fn settling_rows(&self) -> usize {
        self.lag() + settling_rows(self.lambda)
    }

    pub(crate) fn correlation_rows(&self) -> f64 {
        correlation_rows(self.lambda)
    }

    pub(crate) fn forget(&mut self) {
        self.lags.clear();
        self.parts.fill(0.0);
    }

    pub(crate) fn memory(&self) -> ScorerMemory {
        let (cells, age_rows) = (self.lags.to_cells(), self.lags.age_rows());
        ScorerMemory { cells, parts: self.parts.clone(), age_rows }
    }

    pub(crate) fn recall(&mut self, memory: &ScorerMemory) -> bool {
        let fits = memory.parts.len() == self.parts.len();
        if !fits || !memory.parts.iter().all(|part| part.is_finite()) {
            return false;
        }
        self.parts.clone_from(&memory.parts);
        self.lags.recall(&memory.cells, memory.age_rows)
    }

    fn lag(&self) -> usize {
        self.lags.lag()
    }

    /// The forecast, and each signal's part in the square of the error.
    fn forecast(&mut self, residuals: &[Option<f64>]) -> candle_core::Result<(Vec<f32>, Vec<f32>)> {
        let width = self.width();
        let window = self.lags.window();
        let window = Tensor::from_slice(window, (window.len(), 1), &Device::Cpu)?;
        let told: Vec<f32> = self.weights.forecast.matmul(&window)?.flatten_all()?.to_vec1()?;
        let mut expected: Vec<f32> = told.iter().zip(&self.offset).map(|(a, b)| a + b).collect();
        let known = residuals.iter().zip(&expected);
        let mut error: Vec<f64> =
            known.map(|(y, told)| y.map_or(0.0, |y| y - f64::from(*told))).collect();
        self.filler.fill(&mut error, residuals);
        let filled = residuals.iter().zip(&error).zip(&mut expected);
        for ((_, error), told) in filled.filter(|((y, _), _)| y.is_none()) {
            *told += narrow(*error);
        }
        let error: Vec<f32> = error.into_iter().map(narrow).collect();
        let error = Tensor::from_vec(error, (width, 1), &Device::Cpu)?;
        let pull = self.weights.precision.matmul(&error)?;
        Ok((expected, (error * pull)?.flatten_all()?.to_vec1()?))
    }
}

/// Weights of the forecast and covariance of its errors, both f64.
fn regress(
    covariance: &Tensor,
    past: &Tensor,
    inverse: &Tensor,
    width: usize,
) -> candle_core::Result<(Tensor, Tensor)> {
    let rest = covariance.dim(0)? - width;
    let now = covariance.narrow(0, 0, width)?;
    let cross = now.narrow(1, width, rest)?.contiguous()?;
    let now = now.narrow(1, 0, width)?.contiguous()?;
    let forecast = cross.matmul(inverse)?;
    let told = forecast.matmul(&cross.t()?)?;
    let carried = forecast.matmul(past)?.matmul(&forecast.t()?)?;
    let errors = (((now - &told)? - told.t()?)? + carried)?;
    Ok((forecast, errors.contiguous()?))
}

#[cfg(test)]
mod tests;
