//! Slots: which rows of a table on a fixed grid are not there, from the times of those that are.
//! Pure.
//!
//! - SL-1 A row that is late is not a row that is missing: two rows may be almost two periods apart
//!   with no slot between them, when the next row makes up for it.

use std::cmp::Reverse;

/// What a row's lateness is forgotten by, per row: a grid that drifts is still a grid.
const FORGOTTEN: i64 = 64;
/// Periods behind a hole in which rows show that it was none.
const SOON: i64 = 4;

/// Rows that follow each other without a missing slot.
#[derive(Clone, Copy, Debug)]
struct Island {
    first: i64,
    last: i64,
    /// Slots of the hole in front of it that have turned out to be late, not missing.
    late: i64,
}

/// The times of a table's rows, as far as holes between them need them. They may come in any
/// order of batches; within a batch they mostly rise.
#[derive(Debug)]
pub(super) struct Islands {
    period: i64,
    list: Vec<Island>,
}

/// Slots without rows: `missing` of them, evenly between two times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hole {
    after: i64,
    before: i64,
    pub(super) missing: i64,
}

impl Islands {
    /// No rows yet; `period` in µs.
    pub(super) fn new(period: i64) -> Self {
        Self { period: period.max(1), list: Vec::new() }
    }

    /// Memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.list.capacity() * size_of::<Island>()
    }

    /// Takes the times of a batch, µs.
    pub(super) fn add(&mut self, times: &[i64]) {
        let Some(first) = times.first() else { return };
        let begun = self.list.len();
        self.list.push(Island { first: *first, last: *first, late: 0 });
        // How much later than on the grid the rows are by now.
        let mut late_by = 0;
        for pair in times.windows(2) {
            let [before, at] = pair else { continue };
            let distance = at - before;
            if distance < 0 {
                late_by = 0;
                self.list.push(Island { first: *at, last: *at, late: 0 });
                continue;
            }
            late_by += distance - self.period;
            let slots = rounded(late_by, self.period);
            if slots > 0 {
                late_by -= slots * self.period;
                self.list.push(Island { first: *at, last: *at, late: 0 });
                continue;
            }
            let may_be_late = self.list.len() > begun + 1;
            if let Some(island) = self.list.last_mut() {
                island.last = *at;
                let is_soon = at - island.first <= SOON * self.period;
                if slots < 0 && may_be_late && is_soon {
                    island.late += 1;
                    late_by += self.period;
                }
            }
            late_by = late_by.max(-self.period);
            late_by -= late_by / FORGOTTEN;
        }
    }

    /// The holes from `begin` up to `end`, in order.
    pub(super) fn holes(mut self, begin: i64, end: i64) -> Vec<Hole> {
        self.list.sort_unstable_by_key(|island| (island.first, Reverse(island.last)));
        let (Some(first), period) = (self.list.first().copied(), self.period) else {
            return Vec::new();
        };
        let mut holes = Vec::new();
        let leading = (first.first - begin).max(0) / period;
        let edge = Hole {
            after: first.first - (leading + 1) * period,
            before: first.first,
            missing: leading,
        };
        holes.push(edge);
        let mut last = first.last;
        for island in self.list.iter().skip(1) {
            let missing = rounded(island.first - last, period) - 1 - island.late;
            holes.push(Hole { after: last, before: island.first, missing });
            last = last.max(island.last);
        }
        let trailing = slots_between(last, end, period) - 1;
        holes.push(Hole { after: last, before: last + (trailing + 1) * period, missing: trailing });
        holes.retain(|hole| hole.missing > 0);
        holes
    }

    /// The newest row.
    pub(super) fn newest(&self) -> Option<i64> {
        self.list.iter().map(|island| island.last).max()
    }

    /// Whether there are no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl Hole {
    /// All slots from `begin` on and before `end`.
    pub(super) fn all(begin: i64, end: i64, period: i64) -> Self {
        let missing = slots_between(begin, end, period);
        Self { after: begin - period, before: begin + missing * period, missing }
    }

    /// How many of its slots are in `from..to`.
    pub(super) fn within(&self, from: i64, to: i64) -> i64 {
        (self.earlier_than(to) - self.earlier_than(from)).max(0)
    }

    /// Time of the first and of the last of its slots in `from..to`.
    pub(super) fn ends_within(&self, from: i64, to: i64) -> (i64, i64) {
        (self.slot(self.earlier_than(from) + 1), self.slot(self.earlier_than(to)))
    }

    /// Around all of its slots.
    pub(super) fn span(&self) -> (i64, i64) {
        (self.after, self.before)
    }

    /// Time of a slot, from 1.
    fn slot(&self, number: i64) -> i64 {
        let span = i128::from(self.before) - i128::from(self.after);
        let offset = span * i128::from(number) / i128::from(self.missing + 1);
        self.after.saturating_add(i64::try_from(offset).unwrap_or(i64::MAX))
    }

    /// How many of its slots are earlier than a time.
    fn earlier_than(&self, time: i64) -> i64 {
        let span = i128::from(self.before) - i128::from(self.after);
        let since = i128::from(time) - i128::from(self.after);
        if since <= 0 || span <= 0 {
            return 0;
        }
        let slots = i128::from(self.missing + 1);
        let count = (since * slots + span - 1) / span - 1;
        i64::try_from(count).unwrap_or(i64::MAX).clamp(0, self.missing)
    }
}

/// Slots from one time on, with it, and before another.
fn slots_between(from: i64, to: i64, period: i64) -> i64 {
    let period = period.max(1);
    (to.saturating_sub(from).max(0)).saturating_add(period - 1) / period
}

/// How many periods a span is, to the nearest.
fn rounded(span: i64, period: i64) -> i64 {
    span.saturating_add(period / 2).div_euclid(period)
}

#[cfg(test)]
mod tests;
