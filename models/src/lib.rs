//! Detectors: how unusual is this row, how sure are we, and since when.
//!
//! In: aligned rows of one group of signals, oldest first, missing samples as `None`. Out:
//! [`signals::Score`] per row, with a [`signals::Episode`] when one opened, changed or closed.
//!
//! | module | does |
//! |---|---|
//! | [`table`] | [`GroupClock`]: batches of one or several tables become aligned rows |
//! | [`scaling`] | robust centre and spread per signal; signals that never move are masked |
//! | [`frame`] | what families share: signals, scalings, the slowly adapting centre |
//! | `ewma` | joint EWMA (MEWMA): small shifts of many signals together, on candle tensors |
//! | `dpca` | dynamic PCA: whether the last rows together look like normal ones, likewise |
//! | `var` | ridge forecast of each row from the rows before it, likewise |
//! | [`family`] | [`Family`]: which of them, and what each can do |
//! | [`model`] | [`Model`]: a fitted group, its families and what they remember |
//! | [`calibrate`] | [`Tail`]: a score becomes an upper bound of its tail probability |
//! | [`episode`] | [`Episodes`]: probabilities become episodes with an onset and causes |
//! | [`detector`] | [`GroupDetector`]: all of it as one [`signals::Detector`], learning by itself |
//! | [`registry`] | [`Registry`]: versions on disk that are verified before they are believed |
//! | [`columns`] | [`score_columns`]: the same detector over a file, as it would have run live |
//!
//! M-1 A score depends on the past and the present row alone.
//! M-2 The same rows give the same scores and episodes, however they were batched.
//! M-3 Tail probabilities are never calibrated on rows the weights were fitted on.
//! M-4 Nothing is learnt while an episode is open: a fault does not become normal.
//! M-5 A value that is missing, NaN or infinite never reaches a tensor.

pub mod benchmark;
pub mod calibrate;
pub mod columns;
pub mod detector;
mod dpca;
pub mod episode;
mod ewma;
pub mod family;
pub mod frame;
mod lags;
mod matrix;
mod missing;
pub mod model;
pub mod registry;
pub mod scaling;
pub mod settings;
pub mod table;
mod var;

pub use calibrate::Tail;
pub use columns::{ScoreError, ScoreRequest, ScoredRow, score_columns};
pub use detector::{DetectorSettings, GroupDetector, State};
pub use episode::Episodes;
pub use family::Family;
pub use frame::FitError;
pub use model::Model;
pub use registry::{Registry, RegistryError, Stored};
pub use table::{GroupClock, Row};

/// The variable that keeps candle to the calling thread.
pub const THREADS_VARIABLE: &str = "RAYON_NUM_THREADS";

/// Whether [`THREADS_VARIABLE`] is 1 in this process.
///
/// Without it candle re-reads `/proc/cpuinfo` at every product of matrices: scoring one row is
/// up to forty times slower.
#[must_use]
pub fn is_single_threaded() -> bool {
    keeps_to_one_thread(std::env::var(THREADS_VARIABLE).ok().as_deref())
}

/// Asserts that the process was started with [`THREADS_VARIABLE`] = 1.
///
/// A process cannot change its own environment safely once it has threads. So the service unit
/// sets the variable; a binary started by hand checks [`is_single_threaded`] as the first
/// statement of `main` and, if it is false, replaces itself by itself with the variable set
/// (`std::os::unix::process::CommandExt::exec`).
///
/// # Panics
/// When the variable is missing or not 1.
pub fn assert_single_threaded() {
    assert!(is_single_threaded(), "{THREADS_VARIABLE} is not 1; start fieldgate with it set to 1");
}

fn keeps_to_one_thread(value: Option<&str>) -> bool {
    value.is_some_and(|text| text.trim() == "1")
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^52")]
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "exact until the year 2255")]
pub(crate) fn micros(ts: signals::Timestamp) -> f64 {
    ts.micros() as f64
}

#[cfg(test)]
mod tests;
