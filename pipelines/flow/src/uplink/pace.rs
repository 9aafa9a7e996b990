//! Pace: how fast to send, at what hours, and how long to wait before trying again. Pure.

use std::time::Duration;

use signals::Timestamp;

use super::mqtt::TICK;

/// A bucket of tokens: never more than its rate in any second.
///
/// It holds a burst, and fills with the rest: whatever second is looked at, what was in it and
/// what has come in since is the rate at most. Below two a second it is the rate in the long run.
#[derive(Debug)]
pub(super) struct Bucket {
    fill: Option<Fill>,
    tokens: f64,
    /// When it was last filled; monotonic. `None` before the first look.
    filled: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Fill {
    per_s: f64,
    capacity: f64,
}

impl Bucket {
    /// An empty bucket: whoever starts again and again sends no more. Without a rate it never runs
    /// dry.
    pub(super) fn new(rate_per_s: Option<f64>) -> Self {
        let fill = rate_per_s.map(|rate| {
            // A burst of a twentieth of a second, at least one message, and what comes in between
            // two looks.
            let capacity = (rate / 20.0).max(1.0) + rate * TICK.as_secs_f64();
            let per_s = if rate < 2.0 { rate } else { rate - capacity };
            Fill { per_s, capacity }
        });
        Self { fill, tokens: 0.0, filled: None }
    }

    /// Whether `cost` may be taken at `now` (monotonic). What costs more than the bucket holds
    /// needs a full one, and leaves a debt.
    pub(super) fn has(&mut self, cost: f64, now: Duration) -> bool {
        let Some(Fill { per_s, capacity }) = self.fill else { return true };
        let since = self.filled.map_or(Duration::ZERO, |filled| now.saturating_sub(filled));
        let grown = since.as_secs_f64() * per_s;
        self.tokens = (self.tokens + grown).min(capacity);
        self.filled = self.filled.max(Some(now));
        // A tick ends a hair before the token is whole.
        self.tokens >= cost.min(capacity) - 1e-9
    }

    /// Takes `cost`.
    pub(super) fn take(&mut self, cost: f64) {
        if self.fill.is_some() {
            self.tokens -= cost;
        }
    }
}

/// Hours of the day, UTC, from and to, in minutes; `from` above `to` goes over midnight.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hours {
    from: u16,
    to: u16,
}

impl Hours {
    /// Reads `22:00-06:00`; `None` for anything else and for no hours at all.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let minutes = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            let (hour, minute) = (digits(hour).then_some(hour)?, digits(minute).then_some(minute)?);
            let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
            (minute < 60 && hour * 60 + minute <= 1_440).then_some(hour * 60 + minute)
        };
        let (from, to) = text.split_once('-')?;
        let (from, to) = (minutes(from)?, minutes(to)?);
        (from != to && from < 1_440).then_some(Self { from, to })
    }

    /// Whether it is one of these hours.
    #[must_use]
    pub fn contain(self, now: Timestamp) -> bool {
        const MINUTE_US: i64 = 60_000_000;
        let minute = now.micros().div_euclid(MINUTE_US).rem_euclid(1_440);
        let (from, to) = (i64::from(self.from), i64::from(self.to));
        if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to }
    }
}

/// Growing pauses with jitter, so that a thousand gateways do not come back at once.
#[derive(Debug)]
pub(super) struct Backoff {
    min: Duration,
    failures: u32,
    state: u64,
}
impl Backoff {
    /// Pauses that start at `min`.
    pub(super) fn new(min: Duration, seed: u64) -> Self {
        Self { min, failures: 0, state: seed }
    }

    /// The pause after one more failure: between half and all of `min` doubled each time, at
    /// most `max`.
    pub(super) fn pause(&mut self, max: Duration) -> Duration {
        let doubled = self.min.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = (self.failures + 1).min(31);
        doubled.min(max).mul_f64(0.5 + 0.5 * self.fraction())
    }

    /// All is well: the next pause is a short one.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next of a sequence in 0..1 (`SplitMix64`, Steele et al. 2014).
    fn fraction(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let fraction = (mixed >> 11) as f64 / (1_u64 << 53) as f64;
        fraction
    }
}

#[cfg(test)]
mod tests;
