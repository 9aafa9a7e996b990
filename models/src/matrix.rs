//! Dense matrices of up to a few hundred rows in f64: covariance, its inverse, its eigenvectors.
//!
//! Used while fitting only; a row is scored with tensors.

#![expect(
    clippy::indexing_slicing,
    clippy::needless_range_loop,
    reason = "matrix arithmetic: every index runs below `size`, which made the allocation"
)]

use candle_core::{Device, Tensor};

mod eigen;

pub(crate) use eigen::Eigen;

/// Vectors that are gathered before their products are summed: one product of matrices then.
const CHUNK_VECTORS: usize = 256;

/// A square matrix, row after row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Square {
    size: usize,
    cells: Vec<f64>,
}

impl Square {
    pub(crate) fn zero(size: usize) -> Self {
        Self { size, cells: vec![0.0; size * size] }
    }

    #[cfg(test)]
    pub(crate) fn into_cells(self) -> Vec<f64> {
        self.cells
    }

    /// The matrix as a tensor, `[size, size]`, f64.
    pub(crate) fn to_tensor(&self) -> Tensor {
        Tensor::from_slice(&self.cells, (self.size, self.size), &Device::Cpu)
            .expect("as many cells as the shape says")
    }

    /// Of a tensor `[size, size]`, f64; `None` for another one.
    pub(crate) fn from_tensor(tensor: &Tensor) -> Option<Self> {
        let (rows, columns) = tensor.dims2().ok()?;
        let cells = tensor.flatten_all().and_then(|flat| flat.to_vec1()).ok()?;
        (rows == columns).then_some(Self { size: rows, cells })
    }

    /// The rows and columns at `places`, in that order.
    pub(crate) fn choose(&self, places: &[usize]) -> Self {
        let cells = places.iter().flat_map(|&row| places.iter().map(move |&c| (row, c)));
        Self { size: places.len(), cells: cells.map(|(row, c)| self.at(row, c)).collect() }
    }

    pub(crate) fn diagonal(&self) -> Vec<f64> {
        (0..self.size).map(|place| self.at(place, place)).collect()
    }

    fn at(&self, row: usize, column: usize) -> f64 {
        self.cells[row * self.size + column]
    }

    fn put(&mut self, row: usize, column: usize, value: f64) {
        self.cells[row * self.size + column] = value;
    }

    /// Adds `ratio` of the mean of the diagonal to the diagonal: afterwards the matrix can be
    /// inverted, however collinear the signals are.
    pub(crate) fn shrink(&mut self, ratio: f64) {
        let trace: f64 = (0..self.size).map(|i| self.at(i, i)).sum();
        let ridge = (trace / crate::real(self.size.max(1)) * ratio).max(1e-12);
        for i in 0..self.size {
            let cell = self.at(i, i);
            self.put(i, i, cell + ridge);
        }
    }

    /// The inverse of a symmetric positive definite matrix, `None` if it is not one.
    pub(crate) fn inverse(&self) -> Option<Self> {
        let lower = self.cholesky()?;
        let mut inverse = Self::zero(self.size);
        let mut column = vec![0.0; self.size];
        for unit in 0..self.size {
            for row in 0..self.size {
                let mut sum = if row == unit { 1.0 } else { 0.0 };
                for k in 0..row {
                    sum -= lower.at(row, k) * column[k];
                }
                column[row] = sum / lower.at(row, row);
            }
            for row in (0..self.size).rev() {
                let mut sum = column[row];
                for k in row + 1..self.size {
                    sum -= lower.at(k, row) * column[k];
                }
                column[row] = sum / lower.at(row, row);
            }
            for row in 0..self.size {
                inverse.put(row, unit, column[row]);
            }
        }
        inverse.symmetrise();
        inverse.cells.iter().all(|cell| cell.is_finite()).then_some(inverse)
    }

    fn symmetrise(&mut self) {
        for row in 0..self.size {
            for column in 0..row {
                let mean = f64::midpoint(self.at(row, column), self.at(column, row));
                self.put(row, column, mean);
                self.put(column, row, mean);
            }
        }
    }

    fn cholesky(&self) -> Option<Self> {
        let mut lower = Self::zero(self.size);
        for row in 0..self.size {
            for column in 0..=row {
                let mut sum = self.at(row, column);
                for k in 0..column {
                    sum -= lower.at(row, k) * lower.at(column, k);
                }
                if row == column {
                    if sum <= 0.0 || !sum.is_finite() {
                        return None;
                    }
                    lower.put(row, row, sum.sqrt());
                } else {
                    lower.put(row, column, sum / lower.at(column, column));
                }
            }
        }
        Some(lower)
    }
}

/// Covariance of vectors of one length, gathered in one pass around the first one.
#[derive(Debug)]
pub(crate) struct Covariance {
    origin: Vec<f64>,
    sums: Vec<f64>,
    products: Square,
    /// Vectors whose products are not summed yet.
    pending: Vec<f64>,
    count: usize,
}

impl Covariance {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            origin: vec![0.0; size],
            sums: vec![0.0; size],
            products: Square::zero(size),
            pending: Vec::new(),
            count: 0,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn add(&mut self, vector: &[f64]) {
        assert_eq!(vector.len(), self.sums.len(), "vectors of one length");
        if self.count == 0 {
            self.origin.copy_from_slice(vector);
        }
        for place in 0..vector.len() {
            let here = vector[place] - self.origin[place];
            self.sums[place] += here;
            self.pending.push(here);
        }
        self.count += 1;
        if self.pending.len() >= CHUNK_VECTORS * vector.len() {
            self.sum_up();
        }
    }

    /// The mean vector.
    pub(crate) fn mean(&self) -> Vec<f64> {
        let count = crate::real(self.count.max(1));
        self.origin.iter().zip(&self.sums).map(|(origin, sum)| origin + sum / count).collect()
    }

    /// The unbiased estimate; zero for fewer than two vectors.
    pub(crate) fn estimate(&mut self) -> Square {
        self.sum_up();
        let size = self.sums.len();
        let mut result = Square::zero(size);
        if self.count < 2 {
            return result;
        }
        let count = crate::real(self.count);
        for row in 0..size {
            for column in 0..=row {
                let product = self.products.at(row, column);
                let cell = (product - self.sums[row] * self.sums[column] / count) / (count - 1.0);
                result.put(row, column, cell);
                result.put(column, row, cell);
            }
        }
        result
    }

    fn sum_up(&mut self) {
        let size = self.sums.len();
        if self.pending.is_empty() {
            return;
        }
        let vectors =
            Tensor::from_slice(&self.pending, (self.pending.len() / size, size), &Device::Cpu);
        let products = vectors
            .and_then(|vectors| vectors.t()?.matmul(&vectors)?.flatten_all()?.to_vec1::<f64>())
            .expect("whole vectors of one length are a matrix");
        for (sum, product) in self.products.cells.iter_mut().zip(products) {
            *sum += product;
        }
        self.pending.clear();
    }
}

#[cfg(test)]
mod tests;
