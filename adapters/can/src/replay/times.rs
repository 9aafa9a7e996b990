//! Times: what played frames are stamped with.
//!
//! Rebased, the first frame has the time of the start and every other one its distance from it.
//! Original, every frame has the time of its recording. Where the recorder's clock was set back,
//! time runs at half speed until the recording has caught up, as on a live bus, and says that it
//! was not to be trusted.

use std::time::Duration;

use signals::{Clock, ClockState, Timestamp};

use crate::bus::ReplayTime;
use crate::live::stamp::Stamper;

/// The recorder's clock went back by more than this: somebody set it.
const CLOCK_STEP: Duration = Duration::from_secs(1);

/// The times of one played bus.
pub(super) struct Times {
    /// Time of offset 0 on the wall and on the monotonic clock.
    start: (Timestamp, Duration),
    speed: f64,
    original: Option<Original>,
}

/// Times of a recording that are kept.
#[derive(Default)]
struct Original {
    stamper: Stamper,
    /// The recording's time of the last frame, and the time given to it.
    last: Option<(Timestamp, Timestamp)>,
    steps: u64,
}

impl Times {
    /// Times that begin now.
    pub(super) fn begin(clock: &dyn Clock, time: ReplayTime, speed: f64) -> Self {
        let original = match time {
            ReplayTime::Rebased => None,
            ReplayTime::Original => Some(Original::default()),
        };
        Self { start: (clock.now(), clock.monotonic()), speed, original }
    }

    /// Time since the start.
    pub(super) fn elapsed(&self, clock: &dyn Clock) -> Duration {
        clock.monotonic().saturating_sub(self.start.1)
    }

    /// The time of a frame that is played `offset` microseconds after the start and was recorded
    /// at `recorded`, and whether it can be trusted.
    pub(super) fn of(
        &mut self,
        offset: i64,
        recorded: Timestamp,
        clock: &dyn Clock,
    ) -> (Timestamp, ClockState) {
        let Some(original) = &mut self.original else {
            let offset = Duration::from_micros(u64::try_from(offset).unwrap_or(0));
            return (self.start.0.plus(offset), clock.state());
        };
        original.steps +=
            u64::from(original.last.is_some_and(|(last, _)| last.since(recorded) > CLOCK_STEP));
        let given = original.stamper.next(recorded);
        original.last = Some((recorded, given));
        let is_behind = given.since(recorded) > CLOCK_STEP;
        (given, if is_behind { ClockState::Unsynced } else { ClockState::Synced })
    }

    /// What time it is for whoever watches messages: on the wall, on a clock that never steps, and
    /// whether the first can be trusted. `None` before the first frame of a recording.
    pub(super) fn now(&self, clock: &dyn Clock) -> Option<(Timestamp, Duration, ClockState)> {
        let Some(original) = &self.original else {
            return Some((clock.now(), clock.monotonic(), clock.state()));
        };
        // Rows without values stand among the recording's: at the time of its last frame.
        let (_, last) = original.last?;
        Some((last, self.elapsed(clock).mul_f64(self.speed), ClockState::Synced))
    }

    /// Times the recorder's clock was set back so far; `None` where its times are not kept.
    pub(super) fn steps_back(&self) -> Option<u64> {
        self.original.as_ref().map(|original| original.steps)
    }
}

#[cfg(test)]
mod tests;
