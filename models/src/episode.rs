//! Episodes: from the probability of each row to "since then something is unusual, and why".
//!
//! An episode opens when 3 of the last 5 rows are unusual (`p < q`) and closes at the first row
//! with `p > 5 q`; its onset is the first row since which `p` stayed below `5 q`. When it opens
//! again within the refractory time it is the same episode, so one cause is reported once.
//! The signals that make it up are summed over its first minute.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use signals::{Contribution, Episode, Timestamp};

/// Unusual rows that open an episode …
const OPEN_ROWS: usize = 3;
/// … among so many.
const OF_ROWS: usize = 5;
/// An episode closes when `p` is above `q` times this.
pub const CLOSE_FACTOR: f64 = 5.0;
/// An episode that opens so soon after one has closed continues it.
pub const REFRACTORY: Duration = Duration::from_mins(1);
/// Contributions are summed so long after the opening.
const DESCRIBED_OVER: Duration = Duration::from_mins(1);
/// Signals named in an episode.
const TOP: usize = 3;

/// One row as episodes see it.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The row's time.
    pub ts: Timestamp,
    /// Its score.
    pub score: f64,
    /// Upper bound of the probability of that score while all is well.
    pub p: f64,
    /// Each signal's part in the score, in the order of the group.
    pub parts: &'a [f64],
}

/// Opens, describes and closes episodes of one detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Episodes {
    q: f64,
    recent: VecDeque<bool>,
    /// First row of the current stretch below `5 q`.
    onset: Option<Timestamp>,
    /// Contributions summed since the onset.
    sums: Vec<f64>,
    current: Option<Standing>,
}

/// An episode that is open, or closed so recently that it may continue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Standing {
    episode: Episode,
    described: bool,
}

/// What a row did to the episodes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// Nothing to report.
    None,
    /// One opened, or opened again.
    Opened,
    /// The first minute is over: who makes it up is settled.
    Described,
    /// It closed.
    Closed,
}

impl Episodes {
    /// No episode yet; `q` is the probability at which a row is unusual.
    #[must_use]
    pub fn new(q: f64) -> Self {
        let recent = VecDeque::with_capacity(OF_ROWS);
        Self { q, recent, onset: None, sums: Vec::new(), current: None }
    }

    /// The same episodes with another probability at which a row is unusual.
    #[must_use]
    pub fn with_q(self, q: f64) -> Self {
        Self { q, ..self }
    }

    /// The probability at which a row is unusual.
    #[must_use]
    pub fn q(&self) -> f64 {
        self.q
    }

    /// Whether an episode is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.current.as_ref().is_some_and(|standing| standing.episode.closed.is_none())
    }

    /// Takes a row. After any change but `None`, [`Episodes::report`] has the episode.
    pub fn take(&mut self, row: Evidence<'_>) -> Change {
        let calm = row.p > self.q * CLOSE_FACTOR;
        if self.recent.len() >= OF_ROWS {
            self.recent.pop_front();
        }
        self.recent.push_back(row.p < self.q);
        if self.is_open() {
            return self.go_on(row, calm);
        }
        if calm {
            self.onset = None;
        } else {
            self.note(row);
        }
        let unusual = self.recent.iter().filter(|unusual| **unusual).count();
        if unusual >= OPEN_ROWS { self.open(row) } else { Change::None }
    }

    /// Closes what is open because rows are missing from `last` on, and forgets recent rows.
    /// Returns whether there was something to close.
    pub fn break_off(&mut self, last: Timestamp) -> bool {
        self.pause();
        let open = self.current.as_mut().filter(|standing| standing.episode.closed.is_none());
        let Some(standing) = open else { return false };
        standing.episode.closed = Some(last);
        true
    }

    /// Forgets recent rows: those before and after a gap do not count together.
    pub fn pause(&mut self) {
        self.recent.clear();
        self.onset = None;
    }

    /// The open or last episode, with its signals named by `describe`: at most three.
    #[must_use]
    pub fn report(&self) -> Option<&Episode> {
        self.current.as_ref().map(|standing| &standing.episode)
    }

    /// Names the signals of the open or last episode. `describe` gives the contribution of the
    /// signal at a place with a share, `None` for one that cannot be named.
    pub fn name(&mut self, detector: &str, describe: impl Fn(usize, f64) -> Option<Contribution>) {
        if let Some(standing) = &mut self.current {
            detector.clone_into(&mut standing.episode.detector);
            standing.episode.top = top(&self.sums, describe);
        }
    }

    fn go_on(&mut self, row: Evidence<'_>, calm: bool) -> Change {
        let Some(standing) = &mut self.current else { return Change::None };
        standing.episode.peak = standing.episode.peak.max(row.score);
        if calm {
            standing.episode.closed = Some(row.ts);
            self.pause();
            return Change::Closed;
        }
        if standing.described {
            return Change::None;
        }
        let over = row.ts.since(standing.episode.opened) >= DESCRIBED_OVER;
        standing.described = over;
        self.note(row);
        if over { Change::Described } else { Change::None }
    }

    fn open(&mut self, row: Evidence<'_>) -> Change {
        let onset = self.onset.unwrap_or(row.ts);
        let closed = self.current.as_ref().and_then(|standing| standing.episode.closed);
        let again = closed.is_some_and(|closed| onset.since(closed) < REFRACTORY);
        if let Some(standing) = self.current.as_mut().filter(|_| again) {
            standing.episode.closed = None;
            standing.episode.peak = standing.episode.peak.max(row.score);
            return Change::Opened;
        }
        let episode = Episode {
            detector: String::new(),
            onset,
            opened: row.ts,
            closed: None,
            peak: row.score,
            top: Vec::new(),
        };
        self.current = Some(Standing { episode, described: false });
        Change::Opened
    }

    /// Adds the row's contributions to the sums of the stretch it belongs to.
    fn note(&mut self, row: Evidence<'_>) {
        if self.onset.is_none() && !self.is_open() {
            self.onset = Some(row.ts);
            self.sums.clear();
        }
        self.sums.resize(row.parts.len(), 0.0);
        for (sum, share) in self.sums.iter_mut().zip(shares(row.parts)) {
            *sum += share;
        }
    }
}

/// The signals with the greatest parts, greatest first; at most three, none without a part.
pub fn top(
    parts: &[f64],
    describe: impl Fn(usize, f64) -> Option<Contribution>,
) -> Vec<Contribution> {
    let mut ranked: Vec<(usize, f64)> =
        shares(parts).into_iter().enumerate().filter(|(_, share)| *share > 0.0).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.into_iter().filter_map(|(place, share)| describe(place, share)).take(TOP).collect()
}

/// Parts of a whole, 0..=1 each; all 0 when there is no whole.
pub(crate) fn shares(parts: &[f64]) -> Vec<f64> {
    let whole: f64 = parts.iter().sum();
    let share = |part: &f64| if whole > 0.0 { part / whole } else { 0.0 };
    parts.iter().map(share).collect()
}

#[cfg(test)]
mod tests;
