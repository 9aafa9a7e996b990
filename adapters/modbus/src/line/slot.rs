//! Slots: when a scan is due. Pure; times are on the monotonic clock.

use std::time::Duration;

/// Most frames of the shortest period that phases are spread over.
const FRAMES_MAX: u128 = 1024;

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

    /// Moves the slots to an earlier phase.
    pub(super) fn advance(&mut self, span: Duration) {
        self.due = self.due.saturating_sub(span);
    }

    /// Gives the slots another phase: the next one is the first at `first` + k × period that
    /// comes after `now`.
    pub(super) fn move_to(&mut self, first: Duration, now: Duration) {
        let mut moved = Self::new(first, self.period);
        if first <= now {
            moved.take(now);
        }
        *self = moved;
    }
}

/// What one scan takes of its line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Time between two of its slots.
    pub(super) period: Duration,
    /// Line time of one slot.
    pub(super) cost: Duration,
}

/// Phases of scans that share a line: one directly behind the other, so that slack stays whole.
///
/// Scans slower than the fastest are dealt out to the frames (of the shortest period) that are
/// loaded least, longest period last.
pub(super) fn phases(loads: &[Load]) -> Vec<Duration> {
    let frame = loads.iter().map(|load| load.period).min().unwrap_or_default();
    let frames_of = |load: &Load| {
        let frames = load.period.as_nanos() / frame.as_nanos().max(1);
        usize::try_from(frames.clamp(1, FRAMES_MAX)).unwrap_or(1)
    };
    let count = loads.iter().map(frames_of).max().unwrap_or(1);
    let mut taken = vec![Duration::ZERO; count];
    let mut order: Vec<usize> = (0..loads.len()).collect();
    order.sort_by_key(|place| loads.get(*place).map(|load| load.period));
    let mut phases = vec![Duration::ZERO; loads.len()];
    for place in order {
        let (Some(load), Some(phase)) = (loads.get(place), phases.get_mut(place)) else { continue };
        let step = frames_of(load);
        let begin = |first: usize| taken.iter().skip(first).step_by(step).max().copied();
        let choice = (0..step).map(|first| (begin(first).unwrap_or_default(), first)).min();
        let (start, first) = choice.unwrap_or_default();
        *phase = frame * u32::try_from(first).unwrap_or(0) + start;
        for busy in taken.iter_mut().skip(first).step_by(step) {
            *busy = start + load.cost;
        }
    }
    phases
}

#[cfg(test)]
mod tests;
