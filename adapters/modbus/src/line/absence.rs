//! Absence: slots of a scan without a row, told as gaps. Pure.
//!
//! In: times of the rows before and behind slots that passed. Out: gaps, one a stretch.
//! AB-1 Every slot that was counted as missed lies in a gap that is told, at the latest
//!      [`PAUSE_MAX`] after it, or at the end of the line.
//! AB-2 A line that misses slots on and on tells one gap each pause, and the pauses double.

use std::time::Duration;

use signals::{Gap, Timestamp};

/// Cause: the line was not free when the slot came.
pub(crate) const LINE_BUSY: &str = "line_busy";
/// Cause: from the beginning of the line to the first row.
pub(crate) const STARTING: &str = "starting";
/// Cause: the wall clock was set forward; no slot has passed.
pub(crate) const CLOCK: &str = "clock";

/// How long a stretch is awaited at first, and at the longest.
const PAUSE_MIN: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_mins(10);

/// What a scan has missed and not told yet.
#[derive(Clone, Debug)]
pub(super) struct Absence {
    open: Option<Open>,
    /// How long the next stretch may be.
    pause: Duration,
    told_at: Duration,
    /// Slots that have passed since the last row.
    passed: u64,
    /// Time of the last row.
    last: Option<Timestamp>,
}

/// A stretch that slots are missing from.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Times of the rows before the first and behind the last of them.
    start: Timestamp,
    end: Timestamp,
    slots: u64,
    /// When it was begun, on the monotonic clock.
    since: Duration,
}

impl Default for Absence {
    fn default() -> Self {
        Self { open: None, pause: PAUSE_MIN, told_at: Duration::ZERO, passed: 0, last: None }
    }
}

impl Absence {
    /// Slots have passed; the row behind them is still to come.
    pub(super) fn pass(&mut self, slots: u64) {
        self.passed += slots;
    }

    /// The row behind them, or the end of the line. Before the first row nothing is counted: the
    /// line was starting.
    pub(super) fn row(&mut self, end: Timestamp, now: Duration) {
        let slots = std::mem::take(&mut self.passed);
        let start = self.last.replace(end);
        let Some(start) = start.filter(|_| slots > 0) else { return };
        let open = self.open.get_or_insert(Open { start, end, slots: 0, since: now });
        open.end = end;
        open.slots += slots;
    }

    /// The gap to be told now, if there is one; `is_last` when nothing comes after it.
    pub(super) fn gap(&self, table: &str, now: Duration, is_last: bool) -> Option<Gap> {
        let open = self.open.as_ref()?;
        let is_due = is_last || now.saturating_sub(open.since) >= self.pause;
        let slots = open.slots;
        let what = if slots == 1 { "slot" } else { "slots" };
        let detail = format!("{slots} {what} passed before the line was free");
        is_due.then(|| gap(table, (open.start, open.end), LINE_BUSY, detail))
    }

    /// The gap was told.
    pub(super) fn told(&mut self, now: Duration) {
        let Some(open) = self.open.take() else { return };
        // However few they are: what comes again within a stretch of the longest is one matter.
        let goes_on = open.since.saturating_sub(self.told_at) <= PAUSE_MAX;
        self.pause = if goes_on && self.told_at > Duration::ZERO {
            (self.pause * 2).min(PAUSE_MAX)
        } else {
            PAUSE_MIN
        };
        self.told_at = now;
    }
}

/// A gap of a table.
pub(super) fn gap(
    table: &str,
    (start, end): (Timestamp, Timestamp),
    cause: &'static str,
    detail: String,
) -> Gap {
    Gap { table: table.to_owned(), start: Some(start), end: Some(end), cause, detail }
}

#[cfg(test)]
mod tests;
