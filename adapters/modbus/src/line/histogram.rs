//! Durations in few buckets: quantiles of the recent past for little memory. Pure.

use std::time::Duration;

/// Buckets; each is √2 times as long as the one before.
const BUCKETS: usize = BUCKETS_U32 as usize;
const BUCKETS_U32: u32 = 44;
/// Upper end of the first bucket; the last one reaches to 76 s and beyond.
const FIRST: Duration = Duration::from_micros(25);
/// When so many durations have been noted, the old ones count half from then on.
const NOTED_MAX: u32 = 4096;

/// Recent durations.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: [u16; BUCKETS],
    noted: u32,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], noted: 0 }
    }
}

impl Histogram {
    /// Takes one duration in.
    pub(super) fn note(&mut self, span: Duration) {
        if self.noted >= NOTED_MAX {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.noted = self.counts.iter().map(|count| u32::from(*count)).sum();
        }
        let place = bounds().take(BUCKETS - 1).take_while(|bound| span > *bound).count();
        if let Some(count) = self.counts.get_mut(place) {
            *count = count.saturating_add(1);
            self.noted += 1;
        }
    }

    /// The duration that a share (0..=1) of the recent ones do not exceed, at most √2 too long;
    /// `None` before the first.
    pub(super) fn quantile(&self, share: f64) -> Option<Duration> {
        if self.noted == 0 {
            return None;
        }
        let wanted = f64::from(self.noted) * share;
        let mut below = 0;
        let place = self.counts.iter().position(|count| {
            below += u32::from(*count);
            f64::from(below) >= wanted
        });
        bounds().nth(place.unwrap_or(BUCKETS - 1))
    }
}

/// Upper ends of the buckets.
fn bounds() -> impl Iterator<Item = Duration> {
    // √2 as a fraction, good to 1e-4.
    (0..BUCKETS_U32).map(|place| {
        let whole = FIRST * (1 << (place / 2));
        if place % 2 == 0 { whole } else { whole * 577 / 408 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_at_most_a_factor_of_root_two_too_long() {
        let mut recent = Histogram::default();
        assert_eq!(recent.quantile(0.5), None);
        (1..=1000).for_each(|ms| recent.note(Duration::from_millis(ms)));
        for (share, exact) in [(0.5, 0.5), (0.99, 0.99), (0.01, 0.01)] {
            let shown = recent.quantile(share).unwrap().as_secs_f64();
            assert!(shown >= exact && shown <= exact * 1.42, "{share}: {shown}");
        }
    }

    #[test]
    fn the_distant_past_is_forgotten() {
        let mut recent = Histogram::default();
        (0..10_000).for_each(|_| recent.note(Duration::from_secs(1)));
        (0..20_000).for_each(|_| recent.note(Duration::from_millis(1)));
        assert!(recent.quantile(0.9).unwrap() < Duration::from_millis(2));
    }
}
