//! Detection: the port of detectors, and what they say.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A model that scores the signals of one group, one row at a time, knowing only the past.
pub trait Detector: Send {
    /// Paths of its signals, in the order of the values it wants.
    fn signals(&self) -> &[String];
    /// Scores the row at `ts`. `values` has one entry per signal, in engineering units; `None`
    /// for a sample that is missing or not good.
    fn score(&mut self, ts: Timestamp, values: &[Option<f64>]) -> Score;
}

/// What a detector says of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The row's time.
    pub ts: Timestamp,
    /// How unusual the row is: 0 is the centre of normal, no upper end. `None` when too much is
    /// missing, or the detector has not settled yet.
    pub score: Option<f64>,
    /// Probability of a score at least this high while all is well, 0..=1.
    pub p: Option<f64>,
    /// Whether an episode is open at this row.
    pub alarm: bool,
    /// The signals that make up the score, greatest share first; at most three.
    pub top: Vec<Contribution>,
    /// Set when this row opened, changed or closed an episode.
    pub episode: Option<Episode>,
}

/// One signal's part in a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// Path of the signal.
    pub signal: String,
    /// Its share of the score, 0..=1.
    pub share: f64,
    /// The value seen.
    pub value: f64,
    /// The value expected.
    pub expected: f64,
    /// Half the width of the band in which it is normally seen.
    pub band: f64,
}

/// A stretch of time during which something was unusual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// Detector that saw it.
    pub detector: String,
    /// First unusual row.
    pub onset: Timestamp,
    /// Row at which it was reported.
    pub opened: Timestamp,
    /// Row at which all was well again; `None` while it lasts.
    pub closed: Option<Timestamp>,
    /// Highest score in it.
    pub peak: f64,
    /// The signals that make it up, greatest share first; at most three.
    pub top: Vec<Contribution>,
}
