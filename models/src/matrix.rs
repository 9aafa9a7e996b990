//! Dense matrices of a few dozen rows in f64: covariance and the inverse of it.
//!
//! Used while fitting only; a row is scored with tensors.

#![expect(
    clippy::indexing_slicing,
    clippy::needless_range_loop,
    reason = "matrix arithmetic: every index runs below `size`, which made the allocation"
)]

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

    pub(crate) fn into_cells(self) -> Vec<f64> {
        self.cells
    }

    /// The rows and columns at `places`, in that order.
    pub(crate) fn choose(&self, places: &[usize]) -> Self {
        let cells = places.iter().flat_map(|&row| places.iter().map(move |&c| (row, c)));
        Self { size: places.len(), cells: cells.map(|(row, c)| self.at(row, c)).collect() }
    }

    /// The reverse of [`Square::choose`]: zeros in all other places.
    pub(crate) fn spread(&self, places: &[usize], size: usize) -> Self {
        let mut wide = Self::zero(size);
        for (row, &to_row) in places.iter().enumerate() {
            for (column, &to_column) in places.iter().enumerate() {
                wide.put(to_row, to_column, self.at(row, column));
            }
        }
        wide
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
    count: usize,
}

impl Covariance {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            origin: vec![0.0; size],
            sums: vec![0.0; size],
            products: Square::zero(size),
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
        let size = self.sums.len();
        for row in 0..size {
            let here = vector[row] - self.origin[row];
            self.sums[row] += here;
            for column in 0..=row {
                let there = vector[column] - self.origin[column];
                self.products.cells[row * size + column] += here * there;
            }
        }
        self.count += 1;
    }

    /// The unbiased estimate; zero for fewer than two vectors.
    pub(crate) fn estimate(&self) -> Square {
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
}

#[cfg(test)]
mod tests;
