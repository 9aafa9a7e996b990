//! Dynamic PCA: whether the last rows together look like rows that were seen while all was well.
//!
//! The window of the last `lag` rows of residuals, `x`, is taken apart into a few components
//! `t = V (x − μ)` that carry most of the variance while all is well, and the rest. Score:
//! `√(T²/a + SPE/b)`, where `T² = Σ t²/λ` says how far the components are from where they are
//! seen, `SPE = |x − μ − Vᵀt|²` how much is none of them, and `a`, `b` are the 99 % quantiles of
//! both over the fitted rows. A missing sample takes the value that the others let expect.

use candle_core::{DType, Device, Tensor};

use crate::family::{Said, ScorerMemory, finite, numbers};
use crate::lags::{Lags, narrow};
use crate::matrix::{Eigen, Square};
use crate::missing::FILL_TURNS;
use crate::scaling::quantile;

/// Least part of a variance that a component may have of the greatest one.
const COMPONENT_RATIO_MIN: f64 = 1e-9;
/// Part of the fitted rows below their own limit.
const LIMIT_RATIO: f64 = 0.99;
/// Half the width of the band, in standard deviations of what is left over.
const BAND: f64 = 3.0;

/// The weights as they are stored, all f32.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    /// Mean window, `[lag · signals]`, newest row first.
    pub(crate) mean: Tensor,
    /// Components, `[components, lag · signals]`.
    pub(crate) components: Tensor,
    /// Their variances, `[components]`.
    pub(crate) variances: Tensor,
    /// 99 % quantiles of `T²` and `SPE`, `[2]`.
    pub(crate) limits: Tensor,
    /// Standard deviation of what is left over of the newest row, `[signals]`.
    pub(crate) rest: Tensor,
}

/// Fitted weights and the window of the rows so far.
#[derive(Clone, Debug)]
pub(crate) struct Dpca {
    width: usize,
    weights: Weights,
    mean: Vec<f32>,
    variances: Vec<f32>,
    limits: [f64; 2],
    rest: Vec<f32>,
    lags: Lags,
    /// The newest row as the components give it.
    expected: Vec<f32>,
}

/// One window taken apart.
struct Apart {
    t2: f64,
    spe: f64,
    /// Per cell of the window: part of `T²` and of `SPE`.
    t2_parts: Vec<f32>,
    spe_parts: Vec<f32>,
    rebuilt: Vec<f32>,
}

impl Dpca {
    /// Of the covariance and mean of windows; `windows` are some of the fitted rows of residuals,
    /// with `true` where a row does not follow the one before.
    pub(crate) fn fit(
        (lag, variance): (usize, f64),
        covariance: &Square,
        mean: &[f64],
        rows: &[(bool, Vec<Option<f64>>)],
    ) -> Option<Self> {
        let size = mean.len();
        let eigen = Eigen::of(covariance)?;
        let whole: f64 = eigen.values.iter().map(|value| value.max(0.0)).sum();
        let greatest = eigen.values.first().copied().filter(|value| *value > 0.0)?;
        let mut carried = 0.0;
        let mut count = 0;
        for value in &eigen.values {
            if carried >= variance * whole || *value < COMPONENT_RATIO_MIN * greatest {
                break;
            }
            carried += value;
            count += 1;
        }
        let cells = eigen.vectors.iter().take(count).flatten().map(|cell| narrow(*cell));
        let components = tensor(cells.collect(), &[count, size])?;
        let width = size / lag;
        let weights = Weights {
            mean: tensor(mean.iter().map(|cell| narrow(*cell)).collect(), &[size])?,
            components,
            variances: tensor(
                eigen.values.iter().take(count).map(|v| narrow(*v)).collect(),
                &[count],
            )?,
            limits: tensor(vec![1.0, 1.0], &[2])?,
            rest: tensor(vec![1.0; width], &[width])?,
        };
        Self::from_weights(weights).ok()?.limited(rows)
    }

    /// Of stored weights.
    ///
    /// # Errors
    /// A clause about what does not fit.
    pub(crate) fn from_weights(weights: Weights) -> Result<Self, String> {
        let (count, size) = weights.components.dims2().map_err(|err| err.to_string())?;
        let width = weights.rest.elem_count();
        if width == 0 || size == 0 || size % width != 0 || count == 0 || count > size {
            return Err(format!("{count} components of {size} cells for {width} signals"));
        }
        finite("components", &weights.components, DType::F32, &[count, size])?;
        let mean = numbers("mean", &weights.mean, size)?;
        let variances = numbers("variances", &weights.variances, count)?;
        let limits = numbers("limits", &weights.limits, 2)?;
        let rest = numbers("rest", &weights.rest, width)?;
        if !variances.iter().chain(&limits).all(|cell| *cell > 0.0) {
            return Err("variances and limits must be above 0".to_owned());
        }
        let limits =
            [limits.first(), limits.last()].map(|limit| limit.map_or(1.0, |l| f64::from(*l)));
        let lags = Lags::new(size / width, width);
        Ok(Self { width, mean, variances, limits, rest, lags, expected: vec![0.0; width], weights })
    }

    /// With limits and leftovers measured over `rows`.
    fn limited(mut self, rows: &[(bool, Vec<Option<f64>>)]) -> Option<Self> {
        let lag = self.settling_rows();
        let mut seen: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
        let mut squares = vec![0.0_f64; self.width];
        for (anew, residuals) in rows {
            if *anew {
                self.forget();
            }
            let apart = self.take(residuals);
            if self.lags.age_rows() < lag {
                continue;
            }
            seen[0].push(apart.t2);
            seen[1].push(apart.spe);
            for (sum, part) in squares.iter_mut().zip(&apart.spe_parts) {
                *sum += f64::from(*part);
            }
        }
        let count = crate::real(seen[0].len().max(1));
        let limits = seen.map(|mut list| {
            list.sort_unstable_by(f64::total_cmp);
            narrow(quantile(&list, LIMIT_RATIO).unwrap_or(1.0).max(1e-12))
        });
        let rest: Vec<f32> = squares.iter().map(|sum| narrow((sum / count).sqrt())).collect();
        let weights = Weights {
            limits: tensor(limits.to_vec(), &[2])?,
            rest: tensor(rest, &[self.width])?,
            ..self.weights
        };
        Self::from_weights(weights).ok()
    }

    pub(crate) fn weights(&self) -> &Weights {
        &self.weights
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Takes one row of residuals and says how unusual the window is.
    pub(crate) fn observe(&mut self, residuals: &[Option<f64>]) -> Said {
        let apart = self.take(residuals);
        let [t2_limit, spe_limit] = self.limits;
        let mut parts = vec![0.0_f64; self.width];
        for (t2, spe) in apart.t2_parts.chunks(self.width).zip(apart.spe_parts.chunks(self.width)) {
            for (part, (t2, spe)) in parts.iter_mut().zip(t2.iter().zip(spe)) {
                *part += f64::from(*t2) / t2_limit + f64::from(*spe) / spe_limit;
            }
        }
        let score = (apart.t2 / t2_limit + apart.spe / spe_limit).sqrt();
        Said { score, parts: parts.into_iter().map(|part| part.max(0.0)).collect() }
    }

    /// The newest row's signal as the components give it, and a band, in spreads.
    pub(crate) fn expected(&self, place: usize) -> Option<(f64, f64)> {
        let (expected, rest) = (self.expected.get(place)?, self.rest.get(place)?);
        Some((f64::from(*expected), BAND * f64::from(*rest)))
    }

    /// Rows until a window is full.
    pub(crate) fn settling_rows(&self) -> usize {
        self.mean.len() / self.width
    }

    /// Windows share rows with so many others.
    pub(crate) fn correlation_rows(&self) -> f64 {
        crate::real(2 * self.settling_rows() - 1)
    }

    pub(crate) fn forget(&mut self) {
        self.lags.clear();
    }

    pub(crate) fn memory(&self) -> ScorerMemory {
        let (cells, age_rows) = (self.lags.to_cells(), self.lags.age_rows());
        ScorerMemory { cells, parts: Vec::new(), age_rows }
    }

    pub(crate) fn recall(&mut self, memory: &ScorerMemory) -> bool {
        self.lags.recall(&memory.cells, memory.age_rows)
    }

    fn take(&mut self, residuals: &[Option<f64>]) -> Apart {
        self.lags.push(residuals.iter().map(|cell| cell.unwrap_or(0.0)));
        let mut apart = self.apart();
        let turns = if residuals.iter().any(Option::is_none) { FILL_TURNS } else { 0 };
        for _ in 0..turns {
            let missing = residuals.iter().enumerate().filter(|(_, cell)| cell.is_none());
            for (place, _) in missing {
                self.lags.amend(place, apart.rebuilt.get(place).copied().unwrap_or(0.0));
            }
            apart = self.apart();
        }
        for (expected, rebuilt) in self.expected.iter_mut().zip(&apart.rebuilt) {
            *expected = *rebuilt;
        }
        apart
    }

    fn apart(&mut self) -> Apart {
        let window = self.lags.window();
        let away: Vec<f32> =
            window.iter().zip(&self.mean).map(|(cell, mean)| cell - mean).collect();
        let (inside, pull, t2) = split(&self.weights.components, &self.variances, &away)
            .expect("shapes and types were checked when the model was made");
        let mut spe = 0.0;
        let mut spe_parts = Vec::with_capacity(away.len());
        for (away, inside) in away.iter().zip(&inside) {
            let part = (away - inside) * (away - inside);
            spe += f64::from(part);
            spe_parts.push(part);
        }
        let t2_parts = away.iter().zip(&pull).map(|(away, pull)| away * pull).collect();
        let rebuilt = inside.iter().zip(&self.mean).map(|(inside, mean)| inside + mean).collect();
        Apart { t2, spe, t2_parts, spe_parts, rebuilt }
    }
}

/// What the components make of a window: itself, the pull of `T²` on each cell, and `T²`.
fn split(
    components: &Tensor,
    variances: &[f32],
    away: &[f32],
) -> candle_core::Result<(Vec<f32>, Vec<f32>, f64)> {
    let window = Tensor::from_slice(away, (away.len(), 1), &Device::Cpu)?;
    let parts: Vec<f32> = components.matmul(&window)?.flatten_all()?.to_vec1()?;
    let scaled = parts.iter().zip(variances).map(|(part, variance)| part / variance);
    let mut both = parts.clone();
    both.extend(scaled);
    let t2 = both.iter().skip(parts.len()).zip(&parts);
    let t2 = t2.map(|(scaled, part)| f64::from(*scaled) * f64::from(*part)).sum();
    let both = Tensor::from_vec(both, (2, parts.len()), &Device::Cpu)?;
    let mut rows = both.matmul(components)?.to_vec2::<f32>()?.into_iter();
    Ok((rows.next().unwrap_or_default(), rows.next().unwrap_or_default(), t2))
}

fn tensor(cells: Vec<f32>, shape: &[usize]) -> Option<Tensor> {
    Tensor::from_vec(cells, shape, &Device::Cpu).ok()
}

#[cfg(test)]
mod tests;
