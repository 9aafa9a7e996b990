//! Windows: what is told of a signal over a span of time.
//!
//! Windows are aligned to the Unix epoch and hold `start <= ts < end` in event time. They begin
//! every `length` (tumbling) or at shorter steps (hopping); then they are joined from tallies of
//! one step each. Pure: no clock, no I/O. [`crate::aggregate`] decides when a window is complete.
//!
//! W-1 `mean` is the mean of every finite non-null value with `start <= ts < end`, good or
//!     uncertain: what `avg(column)` gives over the same rows.
//! W-2 Everything told of a window is a function of the rows with
//!     `start - length <= ts < end`; older rows have no say.
//! W-3 A tally takes the same memory however many samples it has seen: some 200 bytes, and with
//!     quantiles a sketch (K-2 in `window/sketch.rs`).

use std::time::Duration;

use signals::Timestamp;

mod function;
mod sketch;

pub use function::{Function, QUANTILES_MAX, Quantile};
use sketch::Sketch;
pub use sketch::{ABSOLUTE_ERROR, RELATIVE_ERROR};

/// The name of a window length as tables and messages carry it: `500ms`, `10s`, `1m`, `1h`, `1d`.
#[must_use]
pub fn label(length: Duration) -> String {
    const UNITS: [(&str, u128); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let millis = length.as_millis().max(1);
    let fits = |(_, size): &(&str, u128)| millis.is_multiple_of(*size);
    let (unit, size) = UNITS.into_iter().find(fits).unwrap_or(("ms", 1));
    format!("{}{unit}", millis / size)
}

/// The window of `length` that holds `ts`: its start (inclusive) and end (exclusive).
#[must_use]
pub fn around(ts: Timestamp, length: Duration) -> (Timestamp, Timestamp) {
    let start = ts.floor(length);
    (start, start.plus(length))
}

/// What is told of one signal over one window. Values are in the signal's engineering unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Values: samples that are neither null nor NaN nor infinite, good or uncertain.
    pub count: u64,
    /// Values without any reservation.
    pub good: u64,
    /// Smallest value.
    pub min: Option<f64>,
    /// Greatest value.
    pub max: Option<f64>,
    /// Arithmetic mean of the values.
    pub mean: Option<f64>,
    /// Time-weighted mean: a value holds until the next one, until a sample says that there is
    /// none, or until the window ends. The value that held at the end of the window before holds
    /// on from the start of this one. Time that no value covers does not count.
    pub twa: Option<f64>,
    /// Earliest value.
    pub first: Option<f64>,
    /// Latest value.
    pub last: Option<f64>,
    /// Standard deviation of the population (divisor n): 0 for a single value.
    pub stddev: Option<f64>,
    /// Quantiles in the order they were asked for; see K-1 in `window/sketch.rs`.
    pub quantiles: [Option<f64>; QUANTILES_MAX],
}

/// Collects the samples of one signal over one window.
///
/// Samples come in order of time. One that is older than the newest before it (the clock was
/// stepped back) counts everywhere except in the time-weighted mean.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    count: u64,
    good: u64,
    sum: Sum,
    /// The first value that came. Deviations are taken from it: a counter at 4e9 that moves by
    /// thousands would else lose its deviation in the rounding of its mean.
    origin: f64,
    /// Mean of the distances from `origin`.
    running_mean: f64,
    squares: f64,
    min: f64,
    max: f64,
    first: (Timestamp, f64),
    last: (Timestamp, f64),
    first_event: Option<Timestamp>,
    last_event: Timestamp,
    held: Option<f64>,
    area: Sum,
    covered: Duration,
    sketch: Option<Box<Sketch>>,
}

impl Tally {
    /// A tally that has seen nothing; one that is asked for quantiles keeps a sketch.
    #[must_use]
    pub fn new(with_quantiles: bool) -> Self {
        Self { sketch: with_quantiles.then(|| Box::new(Sketch::new())), ..Self::default() }
    }

    /// A sample with a value. NaN and infinities are no values: they count as [`Tally::lose`].
    pub fn add(&mut self, ts: Timestamp, value: f64, is_good: bool) {
        if !value.is_finite() {
            self.lose(ts);
            return;
        }
        if self.count == 0 {
            (self.min, self.max, self.origin) = (value, value, value);
            (self.first, self.last) = ((ts, value), (ts, value));
        }
        self.count += 1;
        self.good += u64::from(is_good);
        self.sum.add(value);
        let distance = value - self.origin;
        let before = distance - self.running_mean;
        #[expect(clippy::cast_precision_loss, reason = "a window has far fewer than 2^52 samples")]
        let count = self.count as f64;
        self.running_mean += before / count;
        self.squares += before * (distance - self.running_mean);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if ts < self.first.0 {
            self.first = (ts, value);
        }
        if ts >= self.last.0 {
            self.last = (ts, value);
        }
        if let Some(sketch) = &mut self.sketch {
            sketch.add(value);
        }
        self.hold(ts, Some(value));
    }

    /// A sample that says that there is no value: the last one holds no longer.
    pub fn lose(&mut self, ts: Timestamp) {
        self.hold(ts, None);
    }

    /// What holds at the end of the window; `None` without a sample or when the last had no value.
    #[must_use]
    pub fn held(&self) -> Option<f64> {
        self.held
    }

    /// Whether there was any sample, with a value or without.
    #[must_use]
    pub fn has_samples(&self) -> bool {
        self.first_event.is_some()
    }

    /// Takes over what was collected over the time that follows.
    pub fn join(&mut self, later: &Self) {
        if later.count > 0 {
            if self.count == 0 {
                (self.min, self.max) = (later.min, later.max);
                (self.first, self.last) = (later.first, later.last);
                self.origin = later.origin;
            }
            self.min = self.min.min(later.min);
            self.max = self.max.max(later.max);
            self.last = later.last;
            self.join_moments(later);
        }
        if let (Some(sketch), Some(of_later)) = (&mut self.sketch, &later.sketch) {
            sketch.merge(of_later);
        }
        let Some(begins) = later.first_event else { return };
        // What held goes on until the later samples begin.
        match self.first_event {
            None => self.first_event = Some(begins),
            Some(_) => self.stretch(self.held, (self.last_event, begins)),
        }
        self.area.join(later.area);
        self.covered += later.covered;
        (self.last_event, self.held) = (later.last_event, later.held);
    }

    /// Number, sum, mean and squares of two tallies together (Chan and others, 1979).
    #[expect(clippy::cast_precision_loss, reason = "a window has far fewer than 2^52 samples")]
    fn join_moments(&mut self, later: &Self) {
        let (ours, theirs) = (self.count as f64, later.count as f64);
        let apart = (later.running_mean - self.running_mean) + (later.origin - self.origin);
        let all = ours + theirs;
        self.running_mean += apart * (theirs / all);
        self.squares += later.squares + apart * apart * (ours * theirs / all);
        self.count += later.count;
        self.good += later.good;
        self.sum.join(later.sum);
    }

    /// The summary of a window, given what held at the end of the window before.
    #[must_use]
    pub fn close(&self, (start, end): (Timestamp, Timestamp), carried: Option<f64>) -> Summary {
        let mut whole = Self { area: self.area, covered: self.covered, ..Self::default() };
        whole.stretch(carried, (start, self.first_event.unwrap_or(end)));
        whole.stretch(self.held, (self.last_event, end));
        let Self { area, covered, .. } = whole;
        let told = |value: f64| (self.count > 0).then_some(value);
        #[expect(clippy::cast_precision_loss, reason = "a window has far fewer than 2^52 samples")]
        let count = self.count as f64;
        Summary {
            count: self.count,
            good: self.good,
            min: told(self.min),
            max: told(self.max),
            mean: told(self.sum.total() / count),
            twa: (!covered.is_zero()).then(|| area.total() / covered.as_secs_f64()),
            first: told(self.first.1),
            last: told(self.last.1),
            stddev: told((self.squares / count).max(0.0).sqrt()),
            quantiles: [None; QUANTILES_MAX],
        }
    }

    /// The quantiles asked for, at most [`QUANTILES_MAX`] of them; never outside what was seen.
    #[must_use]
    pub fn quantiles(&self, asked: &[Quantile]) -> [Option<f64>; QUANTILES_MAX] {
        let mut told = [None; QUANTILES_MAX];
        if let Some(sketch) = self.sketch.as_ref().filter(|_| self.count > 0) {
            for (place, quantile) in told.iter_mut().zip(asked) {
                let value = sketch.quantile(quantile.share());
                *place = value.map(|value| value.clamp(self.min, self.max));
            }
        }
        told
    }

    /// A value, if there is one, held from one time to another.
    fn stretch(&mut self, value: Option<f64>, (from, to): (Timestamp, Timestamp)) {
        if let Some(value) = value {
            self.area.add(value * to.since(from).as_secs_f64());
            self.covered += to.since(from);
        }
    }

    fn hold(&mut self, ts: Timestamp, value: Option<f64>) {
        if self.first_event.is_none() {
            self.first_event = Some(ts);
        } else if ts < self.last_event {
            return;
        } else {
            self.stretch(self.held, (self.last_event, ts));
        }
        self.last_event = ts;
        self.held = value;
    }
}

/// A sum that keeps what rounding takes (Neumaier's variant of Kahan's sum).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sum {
    rough: f64,
    rest: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let total = self.rough + value;
        self.rest += if self.rough.abs() >= value.abs() {
            (self.rough - total) + value
        } else {
            (value - total) + self.rough
        };
        self.rough = total;
    }

    fn join(&mut self, other: Self) {
        self.add(other.rough);
        self.rest += other.rest;
    }

    fn total(self) -> f64 {
        self.rough + self.rest
    }
}

#[cfg(test)]
mod tests;
