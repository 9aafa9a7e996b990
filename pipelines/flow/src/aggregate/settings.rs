//! Settings: which windows there are, what is told of them and when they close.

use std::time::Duration;

use signals::{Mistake, Timestamp};

use crate::window::{self, Function, QUANTILES_MAX, Quantile};

/// Most steps of one window: so many tallies are kept of each signal.
pub const STEPS_MAX: u32 = 60;
/// How far a table's newest timestamp must be past the end of a window, when nothing is said: rows
/// of one table come from one adapter in order, and this covers a small clock step.
pub const LATENESS: Duration = Duration::from_secs(2);

/// How long windows are and how often one begins.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WindowShape {
    /// Length of a window.
    pub length: Duration,
    /// Time from the start of one window to the start of the next: `length` for tumbling windows,
    /// a whole part of it, at least a [`STEPS_MAX`]th, for hopping ones.
    pub every: Duration,
}

impl WindowShape {
    /// Windows that follow each other without overlap.
    #[must_use]
    pub const fn tumbling(length: Duration) -> Self {
        Self { length, every: length }
    }

    /// Name in tables: `10s`, `1m_every_10s`.
    #[must_use]
    pub fn label(self) -> String {
        let length = window::label(self.length);
        if self.every == self.length {
            return length;
        }
        format!("{length}_every_{}", window::label(self.every))
    }

    /// The start of the first window that is still open when all that end at `boundary` or before
    /// are closed.
    pub(super) fn first_open(self, boundary: Timestamp) -> Timestamp {
        boundary.minus(self.length).plus(self.every)
    }

    /// The boundary that leaves the window from `start` on open and none before it.
    pub(super) fn boundary_before(self, start: Timestamp) -> Timestamp {
        start.plus(self.length).minus(self.every)
    }
}

/// Windows of one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowSettings {
    /// Their length and step.
    pub shape: WindowShape,
    /// How far a table's newest timestamp must be past the end of a window before it closes.
    pub lateness: Duration,
    /// What is told of each signal, none twice.
    pub functions: Vec<Function>,
}

impl WindowSettings {
    /// Tumbling windows that tell what is usual.
    #[must_use]
    pub fn tumbling(length: Duration) -> Self {
        Self {
            shape: WindowShape::tumbling(length),
            lateness: LATENESS,
            functions: Function::USUAL.to_vec(),
        }
    }

    /// The quantiles among its functions.
    pub(crate) fn quantiles(&self) -> Vec<Quantile> {
        let quantile = |function: &Function| match function {
            Function::Quantile(quantile) => Some(*quantile),
            Function::Count
            | Function::Good
            | Function::Min
            | Function::Max
            | Function::Mean
            | Function::Twa
            | Function::First
            | Function::Last
            | Function::Stddev => None,
        };
        self.functions.iter().filter_map(quantile).take(QUANTILES_MAX).collect()
    }
}

/// Which windows there are and when they close.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateSettings {
    /// Windows, each shape once.
    pub windows: Vec<WindowSettings>,
    /// After so many journal records without a row of a table, its windows close without waiting
    /// for one: a bus that was unplugged shall not hold the journal for ever.
    pub silence_records: u64,
}

impl Default for AggregateSettings {
    fn default() -> Self {
        let lengths = [Duration::from_secs(10), Duration::from_mins(1)];
        Self {
            windows: lengths.map(WindowSettings::tumbling).to_vec(),
            // Ten minutes of a busy gateway, some hours of a quiet one.
            silence_records: 100_000,
        }
    }
}

impl AggregateSettings {
    /// What is wrong with the settings; empty when nothing is.
    #[must_use]
    pub fn check(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for (place, window) in self.windows.iter().enumerate() {
            let WindowShape { length, every } = window.shape;
            let mut wrong = |key: &str, problem: String, remedy: &str| {
                mistakes.push(Mistake::new(format!("aggregate[{place}].{key}"), problem, remedy));
            };
            let is_whole =
                |span: Duration| !span.is_zero() && span.as_micros().is_multiple_of(1_000);
            let steps = length.as_micros().checked_div(every.as_micros()).unwrap_or(0);
            let before = self.windows.iter().take(place);
            let is_twice = |list: &[Function]| {
                list.iter()
                    .enumerate()
                    .any(|(at, one)| list.iter().take(at).any(|other| other == one))
            };
            if !is_whole(length) {
                let problem = format!("{length:?} is not a whole number of milliseconds");
                wrong("window", problem, "write for example `10 s`");
            } else if !is_whole(every) || !length.as_micros().is_multiple_of(every.as_micros()) {
                let problem = format!("{every:?} is not a whole part of {length:?}");
                wrong("every", problem, "use the window's length divided by a whole number");
            } else if steps > u128::from(STEPS_MAX) {
                let problem = format!("{steps} steps are more than {STEPS_MAX}");
                wrong("every", problem, "make it longer, or the window shorter");
            } else if before.clone().any(|other| other.shape == window.shape) {
                wrong("window", "appears twice".to_owned(), "remove one of the two");
            }
            if window.functions.is_empty() || is_twice(&window.functions) {
                let problem = "are none, or one stands twice".to_owned();
                wrong("functions", problem, "name each once, or leave the key out");
            }
        }
        mistakes
    }
}
