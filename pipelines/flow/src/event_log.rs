//! The one way events get into the journal, so that `_events` is in order whoever reports.

use std::sync::{Arc, Mutex, PoisonError};

use signals::{Batch, Event, Table};

use crate::log::{Log, LogError};
use crate::system::SystemRows;

/// Writes events. Clones share the order.
#[derive(Clone, Debug)]
pub struct EventLog {
    journal: Log<Batch>,
    rows: Arc<Mutex<SystemRows>>,
}

impl EventLog {
    /// Events of `journal`.
    #[must_use]
    pub fn new(journal: Log<Batch>) -> Self {
        Self { journal, rows: Arc::new(Mutex::new(SystemRows::events())) }
    }

    /// The `_events` table.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        Arc::clone(self.rows.lock().unwrap_or_else(PoisonError::into_inner).table())
    }

    /// Queues events for the journal. An event that is older than one written before keeps its
    /// times in `details`; its `ts` is moved behind that one.
    ///
    /// # Errors
    /// When the journal is closed.
    pub fn append(&self, events: &[Event]) -> Result<(), LogError> {
        // Held until the batch is queued: order in the table is order in the journal.
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(batch) = rows.events_batch(events) {
            self.journal.append(batch)?;
        }
        Ok(())
    }

    /// As [`EventLog::append`], but never waits: false when the journal's queue has no room.
    #[must_use]
    pub fn offer(&self, events: &[Event]) -> bool {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.events_batch(events).is_none_or(|batch| self.journal.offer(batch).is_ok())
    }
}
