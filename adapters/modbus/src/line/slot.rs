//! Slots: when a scan is due. Pure; times are on the monotonic clock.

use std::time::Duration;

/// The next slot of a scan: epoch + phase + k × period.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Slot {
    due: Duration,
    period: Duration,
}

impl Slot {
    /// The first slot at `first`; `period` is above zero.
    pub(super) fn new(first: Duration, period: Duration) -> Self {
        Self { due: first, period }
    }

    /// When the scan may start.
    pub(super) fn due(self) -> Duration {
        self.due
    }

    /// When the next slot begins, which this one must not reach into.
    pub(super) fn deadline(self) -> Duration {
        self.due + self.period
    }

    /// Takes the latest slot at or before `now`; returns how many older ones were missed.
    pub(super) fn take(&mut self, now: Duration) -> u64 {
        let late = now.saturating_sub(self.due);
        let missed = late.as_nanos() / self.period.as_nanos().max(1);
        let missed = u64::try_from(missed).unwrap_or(u64::MAX);
        let nanos = u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX);
        let steps = nanos.saturating_mul(missed.saturating_add(1));
        self.due += Duration::from_nanos(steps);
        missed
    }
}

/// Phases of scans with these periods: those of one period are spread evenly over it.
pub(super) fn phases(periods: &[Duration]) -> Vec<Duration> {
    let phase = |(place, period): (usize, &Duration)| {
        let alike = |periods: &[Duration]| periods.iter().filter(|p| *p == period).count();
        let before = alike(periods.get(..place).unwrap_or_default());
        let all = u32::try_from(alike(periods)).unwrap_or(u32::MAX).max(1);
        *period / all * u32::try_from(before).unwrap_or(0)
    };
    periods.iter().enumerate().map(phase).collect()
}

#[cfg(test)]
mod tests;
