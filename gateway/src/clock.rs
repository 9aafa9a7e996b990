//! The operating system's clocks: the one place where wall time enters.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use signals::{Clock, ClockState, Timestamp};

/// Wall time before this is a clock that nobody has set: the year this program was written.
const SET_AFTER: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// The real clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock everybody else takes")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn state(&self) -> ClockState {
        if self.now() < SET_AFTER { ClockState::Unsynced } else { ClockState::Synced }
    }
}
