//! Reception: the journal's intake as adapters get it, and the record of signals while they run.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use pipelines_flow::Log;
use pipelines_flow::condition::JournalIntake;
use signals::{Batch, Clock, Intake, Notice, Table};

use crate::columns::Columns;
use crate::registration;

/// Where adapters hand over what they have.
pub struct Reception {
    intake: Arc<JournalIntake>,
    columns: Arc<Columns>,
    /// All tables of signals, as they are now.
    tables: Mutex<Vec<Arc<Table>>>,
    data: PathBuf,
    journal: Log<Batch>,
    clock: Arc<dyn Clock>,
}

impl Reception {
    /// A reception in front of `intake`, which settles columns, with the tables that are registered
    /// already, the folder of data, the journal and the clock.
    #[must_use]
    pub fn new(
        (intake, columns): (&Arc<JournalIntake>, Arc<Columns>),
        tables: [&[Arc<Table>]; 2],
        (data, journal, clock): (&Path, &Log<Batch>, &Arc<dyn Clock>),
    ) -> Self {
        Self {
            intake: Arc::clone(intake),
            columns,
            tables: Mutex::new(tables.concat()),
            data: data.to_owned(),
            journal: journal.clone(),
            clock: Arc::clone(clock),
        }
    }
}

impl Reception {
    /// The tables as their rows are kept.
    #[must_use]
    pub fn settled(&self, tables: &[Arc<Table>]) -> Vec<Arc<Table>> {
        tables.iter().map(|table| self.columns.settle(table)).collect()
    }
}

impl Intake for Reception {
    fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        self.intake.offer(self.columns.settle_batch(batch))
    }

    fn tell(&self, notice: Notice) -> Result<(), Box<Notice>> {
        self.intake.tell(notice)
    }

    /// Rows of `_signals` for what has changed.
    fn announce(&self, device: &str, tables: &[Arc<Table>]) {
        let tables = self.settled(tables);
        let mut known = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|table| table.device() != device);
        known.extend(tables.iter().filter(|table| !table.signals().is_empty()).cloned());
        if let Err(err) =
            registration::register(known.iter(), &self.data, &self.journal, &*self.clock)
        {
            tracing::error!(%err, device, "changed signals are not in `_signals` before a restart");
        }
    }
}
