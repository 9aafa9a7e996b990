//! Reduce: which samples of a signal are worth sending, with a bound on what the others may lose.
//!
//! In: the samples of one signal and sender in the order they were recorded. Out: those that are
//! kept. Pure: no clock, no I/O. [`crate::forward`] makes messages of what is kept.
//!
//! - R-1 Every sample that is dropped lies within the error of what the kept ones say at its time:
//!   for a deadband the kept value before it, for a swinging door the straight line between the
//!   kept samples around it.
//! - R-2 In each stretch of `heartbeat` (aligned to the Unix epoch) the first sample is kept: a
//!   signal that stands still is seen. What is kept of a stretch depends on its samples alone,
//!   but for the last one of the stretch before, which is kept with it.
//! - R-3 A sample whose quality differs from the one before it is kept, and so is the one before.
//! - R-4 A sample that is not newer than the one before it is left out and counted.
//! - R-5 A reducer keeps two samples, whatever it has seen.

use std::time::Duration;

use signals::{Quality, Timestamp};

/// How samples are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// A sample is dropped while it differs from the last one kept by no more than the error.
    Deadband,
    /// A sample is dropped while a straight line passes it and all others since the last one kept
    /// no further away than the error.
    SwingingDoor,
}

/// The rule of one signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// How samples are chosen.
    pub method: Method,
    /// What a dropped sample may differ by, in the signal's engineering unit; not negative.
    pub error: f64,
    /// Length of the stretches of which the first sample is kept; at least 1 µs.
    pub heartbeat: Duration,
}

/// A sample: `None` where there is no value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was measured.
    pub ts: Timestamp,
    /// Its value; never NaN and never infinite.
    pub value: Option<f64>,
    /// Its quality.
    pub quality: Quality,
}

/// Chooses the samples of one signal.
#[derive(Clone, Debug)]
pub struct Reducer {
    rule: Rule,
    /// The last sample seen.
    newest: Option<Sample>,
    /// The last sample kept with a value: time and value.
    anchor: (Timestamp, f64),
    /// Whether `newest` was kept.
    is_kept: bool,
    /// Slopes that pass all samples since the anchor, in units a second.
    door: (f64, f64),
    late: u64,
}

/// What a sample causes to be kept: the one before it, and itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Kept {
    /// The sample before, if it had been held back until now.
    pub before: Option<Sample>,
    /// The sample itself.
    pub this: Option<Sample>,
}

const OPEN: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

impl Reducer {
    /// A reducer that has seen nothing: the first sample is kept.
    #[must_use]
    pub fn new(rule: Rule) -> Self {
        let anchor = (Timestamp::from_micros(i64::MIN), 0.0);
        Self { rule, newest: None, anchor, is_kept: false, door: OPEN, late: 0 }
    }

    /// Takes the next sample. NaN and infinities are no values.
    pub fn push(&mut self, sample: Sample) -> Kept {
        let sample = Sample { value: sample.value.filter(|value| value.is_finite()), ..sample };
        let Some(before) = self.newest else { return self.keep(sample) };
        if sample.ts <= before.ts {
            self.late += 1;
            return Kept::default();
        }
        let is_alike = sample.quality == before.quality
            && sample.value.is_some() == before.value.is_some()
            && self.stretch(sample.ts) == self.stretch(before.ts);
        let Some(value) = sample.value.filter(|_| is_alike) else {
            if is_alike {
                // Still no value, for the same reason.
                (self.newest, self.is_kept) = (Some(sample), false);
                return Kept::default();
            }
            let held = (!self.is_kept).then_some(before);
            return Kept { before: held, ..self.keep(sample) };
        };
        match self.rule.method {
            Method::Deadband => self.within_band(sample, value),
            Method::SwingingDoor => self.through_door(before, sample, value),
        }
    }

    /// The time of the first sample that what is kept from now on depends on: the beginning of the
    /// stretch of the newest one. `None` before the first sample.
    #[must_use]
    pub fn stretch_start(&self) -> Option<Timestamp> {
        self.newest.map(|newest| self.stretch(newest.ts))
    }

    /// Samples left out because they were not newer than the one before.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.late
    }

    fn stretch(&self, ts: Timestamp) -> Timestamp {
        ts.floor(self.rule.heartbeat)
    }

    fn keep(&mut self, sample: Sample) -> Kept {
        (self.newest, self.is_kept, self.door) = (Some(sample), true, OPEN);
        if let Some(value) = sample.value {
            self.anchor = (sample.ts, value);
        }
        Kept { before: None, this: Some(sample) }
    }

    fn within_band(&mut self, sample: Sample, value: f64) -> Kept {
        if (value - self.anchor.1).abs() <= self.rule.error {
            (self.newest, self.is_kept) = (Some(sample), false);
            return Kept::default();
        }
        self.keep(sample)
    }

    /// The last sample is held back until it is known whether the line can go on past it.
    fn through_door(&mut self, before: Sample, sample: Sample, value: f64) -> Kept {
        let slope = self.slope(sample.ts, value);
        let (low, high) = self.door;
        let mut kept = Kept::default();
        if !(low..=high).contains(&slope) {
            // No line from the anchor to here passes all between: it must turn at the one before.
            kept = Kept { before: self.keep(before).this, this: None };
        }
        let (low, high) = self.door;
        let least = self.slope(sample.ts, value - self.rule.error);
        let most = self.slope(sample.ts, value + self.rule.error);
        self.door = (low.max(least), high.min(most));
        (self.newest, self.is_kept) = (Some(sample), false);
        kept
    }

    /// From the anchor to a later point.
    fn slope(&self, ts: Timestamp, value: f64) -> f64 {
        (value - self.anchor.1) / ts.since(self.anchor.0).as_secs_f64()
    }
}

#[cfg(test)]
mod tests;
