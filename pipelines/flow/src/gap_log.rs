//! The one way gaps get into the journal: every interval without samples, and its cause.
//!
//! - G-1 What is lost on purpose or by force has a row of `_gaps` before anybody asks.
//! - G-2 `_gaps` is in order whoever reports: one writer, shared by its clones.

use std::sync::{Arc, Mutex, PoisonError};

use signals::{Batch, Gap, Timestamp};

use crate::log::{Log, LogError, Recovery};
use crate::system::{Cell, SystemRows};

/// Every table: a gap that is not one table's own.
pub const EVERY_TABLE: &str = "*";

/// Cause: the journal's queue was full.
pub const OVERLOAD: &str = "overload";
/// Cause: given up to keep a bound of the disk.
pub const EVICTED: &str = "evicted";
/// Cause: one row of every minute was left, to keep a bound of the disk.
pub const THINNED: &str = "thinned";
/// Cause: nothing ran.
pub const GATEWAY_OFF: &str = "gateway_off";
/// Cause: the gateway had begun, its sources had not.
pub const STARTING: &str = "starting";
/// Cause: the journal cannot be read there.
pub const DAMAGE: &str = "damage";

/// Writes gaps. Clones share the order.
#[derive(Clone, Debug)]
pub struct GapLog {
    journal: Log<Batch>,
    rows: Arc<Mutex<SystemRows>>,
}

impl GapLog {
    /// Gaps of `journal`.
    #[must_use]
    pub fn new(journal: Log<Batch>) -> Self {
        Self { journal, rows: Arc::new(Mutex::new(SystemRows::gaps())) }
    }

    /// The journal whose gaps these are.
    #[must_use]
    pub const fn journal(&self) -> &Log<Batch> {
        &self.journal
    }

    /// Queues gaps for the journal without waiting; false when it has no room.
    #[must_use]
    pub fn offer(&self, gaps: &[Gap]) -> bool {
        // Held until the batch is queued: order in the table is order in the journal.
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        match rows.batch(&self.cells(gaps)) {
            Some(batch) => self.journal.offer(batch).is_ok(),
            None => true,
        }
    }

    /// Queues gaps for the journal, waiting for room.
    ///
    /// # Errors
    /// When the journal is closed.
    pub fn append(&self, gaps: &[Gap]) -> Result<(), LogError> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(batch) = rows.batch(&self.cells(gaps)) {
            self.journal.append(batch)?;
        }
        Ok(())
    }

    /// Writes the row that explains why nothing was sampled before this start: from the last commit
    /// that survived, in which was all that is left, until now, which it gives.
    ///
    /// # Errors
    /// When the journal is closed.
    pub fn tell_off_time(&self, recovery: &Recovery) -> Result<Timestamp, LogError> {
        let now = self.journal.now();
        let Some(last) = recovery.last_commit.filter(|last| *last < now) else { return Ok(now) };
        let torn = recovery.torn_bytes;
        self.append(&[Gap {
            table: EVERY_TABLE.to_owned(),
            start: Some(last),
            end: Some(now),
            cause: GATEWAY_OFF,
            detail: format!("between the last commit and this start; {torn} bytes were torn"),
        }])?;
        Ok(now)
    }

    /// One row per gap, stamped with the time of its report.
    fn cells(&self, gaps: &[Gap]) -> Vec<(Timestamp, Vec<Cell>)> {
        let now = self.journal.now();
        let row = |gap: &Gap| {
            vec![
                Cell::from(gap.table.as_str()),
                Cell::Time(gap.start),
                Cell::Time(gap.end),
                Cell::from(gap.cause),
                Cell::from(gap.detail.as_str()),
            ]
        };
        gaps.iter().map(|gap| (now, row(gap))).collect()
    }
}
