//! What the signals that are there let expect of those that are missing.

use candle_core::{DType, Tensor};

/// Turns over the missing places: enough where half of the signals are there.
pub(crate) const FILL_TURNS: usize = 8;

/// An inverse covariance, row after row, to fill gaps by.
#[derive(Clone, Debug)]
pub(crate) struct Filler {
    width: usize,
    cells: Vec<f64>,
}

impl Filler {
    /// Of an inverse covariance `[width, width]`.
    ///
    /// # Errors
    /// A clause about what is none.
    pub(crate) fn of(precision: &Tensor) -> Result<Self, String> {
        let width = precision.dims().first().copied().unwrap_or(0);
        let wide = precision.to_dtype(DType::F64).and_then(|wide| wide.flatten_all()?.to_vec1());
        let cells: Vec<f64> = wide.map_err(|err| err.to_string())?;
        if width == 0 || !cells.iter().step_by(width + 1).all(|own| *own > 0.0) {
            return Err("an inverse covariance has a diagonal above 0".to_owned());
        }
        Ok(Self { width, cells })
    }

    /// Puts into each place that is missing in `known` what makes the whole most probable
    /// (Gauss–Seidel on the least `v (P v)`): its part is then 0.
    pub(crate) fn fill(&self, vector: &mut [f64], known: &[Option<f64>]) {
        if known.iter().all(Option::is_some) {
            return;
        }
        for _ in 0..FILL_TURNS {
            for (place, row) in self.cells.chunks(self.width).enumerate() {
                if known.get(place).is_none_or(Option::is_some) {
                    continue;
                }
                let pull: f64 = row.iter().zip(vector.iter()).map(|(p, v)| p * v).sum();
                if let (Some(own), Some(cell)) = (row.get(place), vector.get_mut(place)) {
                    *cell -= pull / own;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
