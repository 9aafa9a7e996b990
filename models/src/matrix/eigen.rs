//! Eigenvalues and eigenvectors of a symmetric matrix: Householder's reduction to a tridiagonal
//! one, then the QL method with implicit shifts (Bowdler, Martin, Reinsch and Wilkinson, 1968).

use super::Square;

/// More turns than this for one eigenvalue means that the matrix holds no numbers.
const TURNS_MAX: usize = 60;

/// Eigenvalues, greatest first, with their vectors.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Eigen {
    pub(crate) values: Vec<f64>,
    /// One vector of length 1 per value.
    pub(crate) vectors: Vec<Vec<f64>>,
}

impl Eigen {
    /// Of a symmetric matrix; `None` when it holds what is not a number.
    pub(crate) fn of(square: &Square) -> Option<Self> {
        let size = square.size;
        if square.cells.iter().any(|cell| !cell.is_finite()) {
            return None;
        }
        let mut work =
            Work { basis: square.clone(), diagonal: vec![0.0; size], off: vec![0.0; size] };
        if size > 0 {
            work.reduce();
            work.accumulate();
            work.turn()?;
        }
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|a, b| work.diagonal[*b].total_cmp(&work.diagonal[*a]).then(a.cmp(b)));
        let vector = |&place: &usize| (0..size).map(|row| work.basis.at(row, place)).collect();
        Some(Self {
            values: order.iter().map(|&place| work.diagonal[place]).collect(),
            vectors: order.iter().map(vector).collect(),
        })
    }
}

struct Work {
    basis: Square,
    diagonal: Vec<f64>,
    off: Vec<f64>,
}

impl Work {
    /// Householder's reflections from the last row up.
    fn reduce(&mut self) {
        let size = self.basis.size;
        for column in 0..size {
            self.diagonal[column] = self.basis.at(size - 1, column);
        }
        for row in (1..size).rev() {
            let scale: f64 = self.diagonal[..row].iter().map(|cell| cell.abs()).sum();
            let mut square_sum = 0.0;
            if scale == 0.0 {
                self.off[row] = self.diagonal[row - 1];
                for column in 0..row {
                    self.diagonal[column] = self.basis.at(row - 1, column);
                    self.basis.put(row, column, 0.0);
                    self.basis.put(column, row, 0.0);
                }
            } else {
                square_sum = self.reflect(row, scale);
            }
            self.diagonal[row] = square_sum;
        }
    }

    fn reflect(&mut self, row: usize, scale: f64) -> f64 {
        for cell in &mut self.diagonal[..row] {
            *cell /= scale;
        }
        let mut square_sum: f64 = self.diagonal[..row].iter().map(|cell| cell * cell).sum();
        let last = self.diagonal[row - 1];
        let length = if last > 0.0 { -square_sum.sqrt() } else { square_sum.sqrt() };
        self.off[row] = scale * length;
        square_sum -= last * length;
        self.diagonal[row - 1] = last - length;
        self.off[..row].fill(0.0);
        for column in 0..row {
            let here = self.diagonal[column];
            self.basis.put(column, row, here);
            let mut sum = self.off[column] + self.basis.at(column, column) * here;
            for below in column + 1..row {
                let cell = self.basis.at(below, column);
                sum += cell * self.diagonal[below];
                self.off[below] += cell * here;
            }
            self.off[column] = sum;
        }
        for cell in &mut self.off[..row] {
            *cell /= square_sum;
        }
        let dot: f64 = self.off[..row].iter().zip(&self.diagonal).map(|(a, b)| a * b).sum();
        let half = dot / (square_sum + square_sum);
        for column in 0..row {
            self.off[column] -= half * self.diagonal[column];
        }
        for column in 0..row {
            let (here, away) = (self.diagonal[column], self.off[column]);
            for below in column..row {
                let less = here * self.off[below] + away * self.diagonal[below];
                self.basis.put(below, column, self.basis.at(below, column) - less);
            }
            self.diagonal[column] = self.basis.at(row - 1, column);
            self.basis.put(row, column, 0.0);
        }
        square_sum
    }

    /// Multiplies the reflections out.
    fn accumulate(&mut self) {
        let size = self.basis.size;
        for row in 0..size - 1 {
            self.basis.put(size - 1, row, self.basis.at(row, row));
            self.basis.put(row, row, 1.0);
            let square_sum = self.diagonal[row + 1];
            if square_sum != 0.0 {
                for k in 0..=row {
                    self.diagonal[k] = self.basis.at(k, row + 1) / square_sum;
                }
                // All sums first, row by row: the matrix is read in the order it lies in memory.
                let mut sums = vec![0.0; row + 1];
                for k in 0..=row {
                    let factor = self.basis.at(k, row + 1);
                    for (column, sum) in sums.iter_mut().enumerate() {
                        *sum += factor * self.basis.at(k, column);
                    }
                }
                for k in 0..=row {
                    let factor = self.diagonal[k];
                    for (column, sum) in sums.iter().enumerate() {
                        self.basis.put(k, column, self.basis.at(k, column) - sum * factor);
                    }
                }
            }
            for k in 0..=row {
                self.basis.put(k, row + 1, 0.0);
            }
        }
        for column in 0..size {
            self.diagonal[column] = self.basis.at(size - 1, column);
            self.basis.put(size - 1, column, 0.0);
        }
        self.basis.put(size - 1, size - 1, 1.0);
        self.off[0] = 0.0;
    }

    /// QL with implicit shifts; `None` when it does not end.
    fn turn(&mut self) -> Option<()> {
        let size = self.basis.size;
        self.off.rotate_left(1);
        self.off[size - 1] = 0.0;
        // Rotations mix two columns: as rows of the transpose they lie side by side in memory.
        self.transpose();
        let mut shift = 0.0;
        let mut greatest = 0.0_f64;
        for place in 0..size {
            greatest = greatest.max(self.diagonal[place].abs() + self.off[place].abs());
            let small = f64::EPSILON * greatest;
            let end = (place..size).find(|&k| self.off[k].abs() <= small).unwrap_or(size - 1);
            if end > place {
                let mut turns = 0;
                loop {
                    turns += 1;
                    if turns > TURNS_MAX {
                        return None;
                    }
                    shift += self.sweep(place, end);
                    if self.off[place].abs() <= small {
                        break;
                    }
                }
            }
            self.diagonal[place] += shift;
            self.off[place] = 0.0;
        }
        self.transpose();
        Some(())
    }

    /// One sweep of rotations from `end` up to `place`; gives the shift.
    #[expect(clippy::many_single_char_names, reason = "the names of the published procedure")]
    fn sweep(&mut self, place: usize, end: usize) -> f64 {
        let first = self.diagonal[place];
        let half = (self.diagonal[place + 1] - first) / (2.0 * self.off[place]);
        let root = if half < 0.0 { -half.hypot(1.0) } else { half.hypot(1.0) };
        self.diagonal[place] = self.off[place] / (half + root);
        self.diagonal[place + 1] = self.off[place] * (half + root);
        let next = self.diagonal[place + 1];
        let shift = first - self.diagonal[place];
        for cell in &mut self.diagonal[place + 2..] {
            *cell -= shift;
        }
        let mut p = self.diagonal[end];
        let (mut c, mut c2, mut c3) = (1.0, 1.0, 1.0);
        let (mut s, mut s2) = (0.0, 0.0);
        let below = self.off[place + 1];
        for k in (place..end).rev() {
            (c3, c2, s2) = (c2, c, s);
            let g = c * self.off[k];
            let h = c * p;
            let r = p.hypot(self.off[k]);
            self.off[k + 1] = s * r;
            s = self.off[k] / r;
            c = p / r;
            p = c * self.diagonal[k] - s * g;
            self.diagonal[k + 1] = h + s * (c * g + s * self.diagonal[k]);
            self.rotate(k, c, s);
        }
        p = -s * s2 * c3 * below * self.off[place] / next;
        self.off[place] = s * p;
        self.diagonal[place] = c * p;
        shift
    }

    /// Mixes rows `k` and `k + 1` of the transposed basis.
    fn rotate(&mut self, k: usize, c: f64, s: f64) {
        let size = self.basis.size;
        let (upper, lower) = self.basis.cells.split_at_mut((k + 1) * size);
        let (here, there) = (&mut upper[k * size..], &mut lower[..size]);
        for (a, b) in here.iter_mut().zip(there) {
            let h = *b;
            *b = s * *a + c * h;
            *a = c * *a - s * h;
        }
    }

    fn transpose(&mut self) {
        for row in 0..self.basis.size {
            for column in 0..row {
                let (a, b) = (self.basis.at(row, column), self.basis.at(column, row));
                self.basis.put(row, column, b);
                self.basis.put(column, row, a);
            }
        }
    }
}
