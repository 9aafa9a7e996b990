//! Limits: how much may be sent now. Messages and bytes a second, bytes a day, hours of backlog.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signals::{Disk, Timestamp, disk};

use super::lane::Side;
use super::pace::{Bucket, Hours};

/// How often the bytes of the day are written: what a crash may leave uncounted.
const SAVE_EVERY: Duration = Duration::from_secs(5);
const DAY_US: i64 = 86_400_000_000;

/// What an uplink may send. `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allowance {
    /// Messages in any second.
    pub rate_per_s: Option<f64>,
    /// Bytes in any second, as MQTT packs them.
    pub bytes_per_s: Option<u64>,
    /// Bytes a day (UTC). When they are used up only urgent streams are sent.
    pub bytes_per_day: Option<u64>,
    /// Messages of the backlog in any second, when what is new goes first.
    pub backlog_rate_per_s: Option<f64>,
    /// Hours in which the backlog is sent, when what is new goes first.
    pub backlog_hours: Option<Hours>,
}

/// A message that wants to leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) bytes: u64,
    pub(super) side: Side,
    /// Whether its stream is sent although the day's bytes are used up.
    pub(super) is_urgent: bool,
}

/// The allowance and what of it is used.
pub(super) struct Limits {
    messages: Bucket,
    bytes: Bucket,
    backlog: Bucket,
    hours: Option<Hours>,
    per_day: Option<u64>,
    day: i64,
    used: u64,
    disk: Arc<dyn Disk>,
    file: PathBuf,
    is_saved: bool,
    saved: Duration,
}

impl Limits {
    /// What is left of the day stands in `file`.
    #[expect(clippy::cast_precision_loss, reason = "bytes a second are far below 2^52")]
    pub(super) fn open(allowance: &Allowance, disk: &Arc<dyn Disk>, file: PathBuf) -> Self {
        let (day, used) = load(&**disk, &file).unwrap_or_default();
        Self {
            messages: Bucket::new(allowance.rate_per_s),
            bytes: Bucket::new(allowance.bytes_per_s.map(|bytes| bytes as f64)),
            backlog: Bucket::new(allowance.backlog_rate_per_s),
            hours: allowance.backlog_hours,
            per_day: allowance.bytes_per_day,
            day,
            used,
            disk: Arc::clone(disk),
            file,
            is_saved: true,
            saved: Duration::ZERO,
        }
    }

    /// Whether a message may leave; what it costs is taken then. `now` is monotonic and wall time.
    #[expect(clippy::cast_precision_loss, reason = "a message is far below 2^52 bytes")]
    pub(super) fn admit(&mut self, wish: Wish, (now, wall): (Duration, Timestamp)) -> bool {
        self.turn_day(wall);
        let is_late = wish.side == Side::Backlog;
        if is_late && self.hours.is_some_and(|hours| !hours.contain(wall)) {
            return false;
        }
        if !wish.is_urgent && self.per_day.is_some_and(|max| self.used + wish.bytes > max) {
            return false;
        }
        let bytes = wish.bytes as f64;
        let has_room = self.messages.has(1.0, now)
            && self.bytes.has(bytes, now)
            && (!is_late || self.backlog.has(1.0, now));
        if !has_room {
            return false;
        }
        self.messages.take(1.0);
        self.bytes.take(bytes);
        if is_late {
            self.backlog.take(1.0);
        }
        if self.per_day.is_some() {
            self.used += wish.bytes;
            self.is_saved = false;
        }
        true
    }

    /// Bytes left of the day; `None` without a limit.
    pub(super) fn left_today(&self) -> Option<u64> {
        self.per_day.map(|max| max.saturating_sub(self.used))
    }

    /// A new day begins at midnight. A clock that was set back stays in its day: bytes are given
    /// out once.
    fn turn_day(&mut self, wall: Timestamp) {
        let day = wall.micros().div_euclid(DAY_US);
        if day > self.day {
            (self.day, self.used) = (day, 0);
        }
    }

    /// Writes the bytes of the day now and then; `now` is monotonic.
    pub(super) fn save(&mut self, now: Duration) {
        if !self.is_saved && now.saturating_sub(self.saved) >= SAVE_EVERY {
            self.saved = now;
            self.flush();
        }
    }

    /// Writes the bytes of the day.
    pub(super) fn flush(&mut self) {
        if self.is_saved {
            return;
        }
        let text = format!("{} {}\n", self.day, self.used);
        match disk::replace(&*self.disk, &self.file, text.as_bytes()) {
            Ok(()) => self.is_saved = true,
            Err(err) => {
                tracing::warn!(file = %self.file.display(), %err, "the day's bytes are not saved");
            }
        }
    }
}

fn load(disk: &dyn Disk, file: &std::path::Path) -> Option<(i64, u64)> {
    let mut text = String::new();
    disk.open(file).ok()?.read_to_string(&mut text).ok()?;
    let (day, used) = text.trim_end().split_once(' ')?;
    Some((day.parse().ok()?, used.parse().ok()?))
}

#[cfg(test)]
mod tests;
