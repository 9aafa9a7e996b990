//! Times of rows: from the wall clock, rising strictly even when it steps back.

use std::time::Duration;

use signals::Timestamp;

/// The times of one table's rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stamper {
    /// The last time given out, and when that was on the monotonic clock.
    last: Option<(Timestamp, Duration)>,
}

/// The time of a row, and what lies between it and the row before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Given {
    pub(super) ts: Timestamp,
    /// The row before.
    pub(super) before: Option<Timestamp>,
    /// How far the wall clock was set forward since.
    pub(super) step: Duration,
}

impl Stamper {
    /// The time of a row sampled at `wall`, at `monotonic` on the clock that never steps.
    ///
    /// After a step back time runs at half speed until the wall clock has caught up: rows keep
    /// their order and their distance keeps a meaning.
    pub(super) fn next(&mut self, wall: Timestamp, monotonic: Duration) -> Given {
        let before = self.last;
        let given = match self.last {
            None => wall,
            Some((last, at)) => {
                let half = monotonic.saturating_sub(at) / 2;
                let earliest = last.plus(half.max(Duration::from_micros(1)));
                if wall > last { wall } else { earliest }
            }
        };
        self.last = Some((given, monotonic));
        let step = before.map_or(Duration::ZERO, |(last, at)| {
            given.since(last).saturating_sub(monotonic.saturating_sub(at))
        });
        Given { ts: given, before: before.map(|(last, _)| last), step }
    }
}

#[cfg(test)]
mod tests;
