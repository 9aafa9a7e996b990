//! Sketch: quantiles of the values of one signal without keeping the values.
//!
//! A `DDSketch` (Masson, Rim, Lee, VLDB 2019) counts values in buckets whose width
//! grows with the value, so that the error is relative to the value.
//!
//! K-1 The answer for a share `q` of `n` values is within [`RELATIVE_ERROR`] of the value of rank
//!     `⌊q·(n-1)⌋`, counted from 0 upwards; values closer to 0 than [`ABSOLUTE_ERROR`] count as 0.
//!     This holds as long as the magnitudes of a window's values above [`ABSOLUTE_ERROR`] lie
//!     within 17 powers of ten of the greatest; smaller ones are told greater than they are.
//! K-2 A sketch takes at most two times [`BINS_MAX`] counters of 8 bytes; usually 1 to 3 KiB.

use std::fmt;

use sketches_ddsketch::{Config, DDSketch};

/// How far a quantile may be from the value of that rank, as a share of that value.
pub const RELATIVE_ERROR: f64 = 0.01;
/// Below this, values are 0 to a sketch.
pub const ABSOLUTE_ERROR: f64 = 1e-9;
/// Counters for either sign.
const BINS_MAX: u32 = 2_048;
/// What the sketch is asked for: rounding at the edge of a bucket must not break the promise.
const ALPHA: f64 = 0.009_9;

/// The quantiles of values added so far.
#[derive(Clone)]
pub(super) struct Sketch(DDSketch);

impl Sketch {
    pub(super) fn new() -> Self {
        Self(DDSketch::new(Config::new(ALPHA, BINS_MAX, ABSOLUTE_ERROR)))
    }

    /// Counts a finite value.
    pub(super) fn add(&mut self, value: f64) {
        self.0.add(value);
    }

    /// Counts what another sketch has counted.
    pub(super) fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0).expect("all sketches have one configuration");
    }

    /// The value below which a share of the values lies; `None` without a value.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        self.0.quantile(share.clamp(0.0, 1.0)).ok().flatten()
    }
}

impl fmt::Debug for Sketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sketch({} values)", self.0.count())
    }
}

#[cfg(test)]
mod tests;
