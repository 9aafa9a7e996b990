//! Pace: how fast to send and how long to wait before trying again. Pure.

use std::time::Duration;

/// A bucket of tokens, one a message; holds what a second gives.
#[derive(Debug)]
pub(super) struct Bucket {
    rate_per_s: Option<f64>,
    tokens: f64,
    filled: Duration,
}

impl Bucket {
    /// A full bucket; without a rate it never runs dry.
    pub(super) fn new(rate_per_s: Option<u32>) -> Self {
        let rate_per_s = rate_per_s.map(f64::from);
        Self { rate_per_s, tokens: rate_per_s.unwrap_or(0.0), filled: Duration::ZERO }
    }

    /// Takes a token if there is one; `now` is monotonic.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let Some(rate) = self.rate_per_s else { return true };
        let grown = now.saturating_sub(self.filled).as_secs_f64() * rate;
        self.tokens = (self.tokens + grown).min(rate.max(1.0));
        self.filled = now;
        let is_there = self.tokens >= 1.0;
        if is_there {
            self.tokens -= 1.0;
        }
        is_there
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
