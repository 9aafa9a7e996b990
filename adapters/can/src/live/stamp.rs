//! Stamps: times of rows from the kernel's, which follow a wall clock that may be set.
//!
//! T-1 Times never go back, in the order in which frames came.
//! T-2 Without a step of the clock a frame has exactly the kernel's time.

use std::time::Duration;

use signals::{Clock, Timestamp};

/// The wall clock moved by more than this against the one that never steps: somebody set it. Below
/// that, frames of several queues change places; time servers slew both clocks alike.
const STEP_MIN: Duration = Duration::from_millis(50);
/// Two readings of one clock around one of the other that are further apart say nothing.
const READING_MAX: Duration = Duration::from_millis(5);

/// The times of one bus's rows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stamper {
    /// The last time of the kernel, and the time given for it.
    last: Option<(Timestamp, Timestamp)>,
    /// Where the clock was set back: the first such time of the kernel, the time given before it.
    behind: Option<(Timestamp, Timestamp)>,
}

impl Stamper {
    /// The time of the row of a frame that the kernel received at `kernel`.
    ///
    /// After the clock was set back time runs at half speed until the clock has caught up: rows
    /// keep their order and their distance keeps a meaning.
    pub(crate) fn next(&mut self, kernel: Timestamp) -> Timestamp {
        let Some((last, given)) = self.last else {
            self.last = Some((kernel, kernel));
            return kernel;
        };
        if last.since(kernel) > STEP_MIN {
            self.behind = Some((kernel, given));
        }
        let earliest = match self.behind {
            Some((from, at)) => given.max(at.plus(kernel.since(from) / 2)),
            None => given,
        };
        if kernel > earliest {
            self.behind = None;
        }
        let time = kernel.max(earliest);
        self.last = Some((kernel, time));
        time
    }
}

/// Watches for steps of the wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StepWatch {
    /// Wall less monotonic time in microseconds, as last read.
    offset: Option<i64>,
}

impl StepWatch {
    /// How far the wall clock was set since the last look, in microseconds, if it was.
    pub(crate) fn look(&mut self, clock: &dyn Clock) -> Option<i64> {
        let before = clock.monotonic();
        let wall = clock.now();
        let after = clock.monotonic();
        if after.saturating_sub(before) > READING_MAX {
            return None;
        }
        let steady = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
        let offset = wall.micros().saturating_sub(steady);
        let Some(known) = self.offset else {
            self.offset = Some(offset);
            return None;
        };
        // Followed also without a step: clocks that are slewed apart by and by were not set.
        self.offset = Some(offset);
        let moved = offset.saturating_sub(known);
        (u128::from(moved.unsigned_abs()) > STEP_MIN.as_micros()).then_some(moved)
    }
}

#[cfg(test)]
mod tests;
