//! The last rows of residuals as one window, newest row first.

use std::collections::VecDeque;

/// A window of `lag` rows of `width` residuals each; zeros before the first row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lags {
    width: usize,
    cells: VecDeque<f32>,
    age_rows: usize,
}

impl Lags {
    pub(crate) fn new(lag: usize, width: usize) -> Self {
        Self { width, cells: vec![0.0; lag * width].into(), age_rows: 0 }
    }

    /// Rows in the window.
    pub(crate) fn lag(&self) -> usize {
        self.cells.len() / self.width.max(1)
    }

    /// Takes a row; the oldest one goes.
    pub(crate) fn push(&mut self, row: impl DoubleEndedIterator<Item = f64>) {
        for cell in row.rev() {
            self.cells.pop_back();
            self.cells.push_front(narrow(cell));
        }
        self.age_rows = self.age_rows.saturating_add(1);
    }

    /// Puts another value into the newest row.
    pub(crate) fn amend(&mut self, place: usize, value: f32) {
        if let Some(cell) = self.cells.get_mut(place).filter(|_| place < self.width) {
            *cell = value;
        }
    }

    /// The window as one slice, newest row first.
    pub(crate) fn window(&mut self) -> &[f32] {
        self.cells.make_contiguous()
    }

    /// Forgets everything: rows before and after a gap are no neighbours.
    pub(crate) fn clear(&mut self) {
        self.cells.iter_mut().for_each(|cell| *cell = 0.0);
        self.age_rows = 0;
    }

    /// Rows taken since the start or the last gap.
    pub(crate) fn age_rows(&self) -> usize {
        self.age_rows
    }

    pub(crate) fn to_cells(&self) -> Vec<f64> {
        self.cells.iter().copied().map(f64::from).collect()
    }

    /// Goes on with stored cells; false when they are not those of such a window.
    pub(crate) fn recall(&mut self, cells: &[f64], age_rows: usize) -> bool {
        let fits = cells.len() == self.cells.len() && cells.iter().all(|cell| cell.is_finite());
        if fits {
            self.cells = cells.iter().copied().map(narrow).collect();
            self.age_rows = age_rows;
        }
        fits
    }
}

/// The nearest `f32`. Residuals are within ±100, weights are checked to be finite.
pub(crate) fn narrow(value: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounding is what is wanted")]
    let narrow = value as f32;
    narrow
}

#[cfg(test)]
mod tests;
