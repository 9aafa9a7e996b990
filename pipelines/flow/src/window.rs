//! Windows: what is told of a signal over a span of time.
//!
//! Windows are tumbling, aligned to the Unix epoch, and hold `start <= ts < end` in event time.
//! Pure: no clock, no I/O. [`crate::aggregate`] decides when a window is complete.
//!
//! W-1 `mean` is the mean of every finite non-null value with `start <= ts < end`, good or
//!     uncertain: what `avg(column)` gives over the same rows.
//! W-2 Everything told of a window is a function of the rows with
//!     `start - length <= ts < end`; older rows have no say.

use std::time::Duration;

use signals::Timestamp;

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
}

/// Collects the samples of one signal over one window.
///
/// Samples come in order of time. One that is older than the sample before it (the clock was
/// stepped back) counts everywhere except in the time-weighted mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    count: u64,
    good: u64,
    sum: Sum,
    running_mean: f64,
    squares: f64,
    min: f64,
    max: f64,
    first: f64,
    last: f64,
    first_event: Option<Timestamp>,
    last_event: Timestamp,
    held: Option<f64>,
    area: Sum,
    covered: Duration,
}

impl Tally {
    /// A sample with a value. NaN and infinities are no values: they count as [`Tally::lose`].
    pub fn add(&mut self, ts: Timestamp, value: f64, is_good: bool) {
        if !value.is_finite() {
            self.lose(ts);
            return;
        }
        if self.count == 0 {
            (self.min, self.max, self.first) = (value, value, value);
        }
        self.count += 1;
        self.good += u64::from(is_good);
        self.sum.add(value);
        let before = value - self.running_mean;
        #[expect(clippy::cast_precision_loss, reason = "a window has far fewer than 2^52 samples")]
        let count = self.count as f64;
        self.running_mean += before / count;
        self.squares += before * (value - self.running_mean);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.last = value;
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

    /// The summary of a window, given what held at the end of the window before.
    #[must_use]
    pub fn close(&self, (start, end): (Timestamp, Timestamp), carried: Option<f64>) -> Summary {
        let mut area = self.area;
        let mut covered = self.covered;
        let mut stretch = |value: Option<f64>, from: Timestamp, to: Timestamp| {
            if let Some(value) = value {
                area.add(value * to.since(from).as_secs_f64());
                covered += to.since(from);
            }
        };
        stretch(carried, start, self.first_event.unwrap_or(end));
        stretch(self.held, self.last_event, end);
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
            first: told(self.first),
            last: told(self.last),
            stddev: told((self.squares / count).max(0.0).sqrt()),
        }
    }

    fn hold(&mut self, ts: Timestamp, value: Option<f64>) {
        if self.first_event.is_none() {
            self.first_event = Some(ts);
        } else if ts < self.last_event {
            return;
        } else if let Some(held) = self.held {
            self.area.add(held * ts.since(self.last_event).as_secs_f64());
            self.covered += ts.since(self.last_event);
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

    fn total(self) -> f64 {
        self.rough + self.rest
    }
}

#[cfg(test)]
mod tests;
