//! The operating system's clocks: the one place where wall time enters.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use signals::{Clock, ClockState, Timestamp};

/// Wall time before this is a clock that nobody has set: the year this program was written.
const SET_AFTER: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
/// Names a file that is there once a time source has set the clock since boot. The appliance makes
/// it when chrony is in step; systemd-timesyncd has `/run/systemd/timesync/synchronized`.
const WITNESS_VARIABLE: &str = "FIELDGATE_CLOCK_SYNCED";
/// How often the file is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The real clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
    witness: Option<Witness>,
}

/// A file whose being there says that the clock was set.
#[derive(Debug)]
struct Witness {
    path: PathBuf,
    /// Once set, a clock stays set until the next boot.
    is_seen: AtomicBool,
    /// When it is looked for again, ms of monotonic time.
    next_look_ms: AtomicU64,
}

impl Witness {
    fn is_there(&self, now: Duration) -> bool {
        if self.is_seen.load(Ordering::Relaxed) {
            return true;
        }
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let look = LOOK_EVERY.as_secs() * 1_000;
        let is_due = |next: u64| (now >= next).then(|| now.saturating_add(look));
        if self.next_look_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_due).is_err() {
            return false;
        }
        let is_there = self.path.try_exists().unwrap_or(false);
        self.is_seen.store(is_there, Ordering::Relaxed);
        is_there
    }
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    ///
    /// Where `FIELDGATE_CLOCK_SYNCED` names a file, the clock counts as set only once that file is
    /// there; without it, once it shows a time after this program was written.
    #[must_use]
    pub fn new() -> Self {
        let path = std::env::var_os(WITNESS_VARIABLE).filter(|path| !path.is_empty());
        Self { witness: path.map(PathBuf::from).map(Witness::at), ..Self::unwitnessed() }
    }

    fn unwitnessed() -> Self {
        Self { start: Instant::now(), witness: None }
    }
}

impl Witness {
    fn at(path: PathBuf) -> Self {
        Self { path, is_seen: AtomicBool::new(false), next_look_ms: AtomicU64::new(0) }
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
        let is_set = self.now() >= SET_AFTER;
        let is_vouched = self.witness.as_ref().is_none_or(|file| file.is_there(self.monotonic()));
        if is_set && is_vouched { ClockState::Synced } else { ClockState::Unsynced }
    }
}

#[cfg(test)]
mod tests;
