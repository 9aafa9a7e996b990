//! Writing as the gateway knows it: the switch, the desks of all lines, the audit.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use adapters_modbus::config::Line;
use adapters_modbus::write::{DeskHandle, Office};
use anyhow::Context as _;
use pipelines_flow::disk::RealDisk;
use pipelines_flow::event_log::EventLog;
use signals::{Clock, Stop};

use crate::access;
use crate::audit::Audit;

/// Everything about writing.
pub struct Writes {
    /// The global switch.
    pub enabled: bool,
    /// One desk a line; none when writing is off.
    desks: Mutex<Vec<DeskHandle>>,
    office: Office,
    /// What was done. Opened when the folder belongs to this gateway alone.
    pub audit: Arc<Audit>,
    /// Raised when the gateway ends: whoever waits for an outcome is told to look at the audit.
    pub stop: Stop,
}

impl Writes {
    /// No desk yet. Opens and writes nothing.
    #[must_use]
    pub fn new(enabled: bool, data: &Path, clock: &Arc<dyn Clock>) -> Self {
        let audit = Arc::new(Audit::new(data, Arc::new(RealDisk), Arc::clone(clock)));
        let office = Office {
            clock: Arc::clone(clock),
            ledger: Arc::clone(&audit) as _,
            random: access::random,
        };
        Self { enabled, desks: Mutex::default(), office, audit, stop: Stop::new() }
    }

    /// Opens the audit, and closes what an earlier run left open. The folder must be ours alone.
    ///
    /// # Errors
    /// When files cannot be read or written.
    pub fn open(&self, events: &EventLog) -> anyhow::Result<()> {
        let opened = self.audit.open(Some(events.clone()));
        opened.context("the audit cannot be opened; check the disk and its permissions")
    }

    /// A desk for a line; a closed one when writing is off. It is open once it is in
    /// [`Writes::set_desks`].
    #[must_use]
    pub fn desk(&self, line: &Line) -> DeskHandle {
        if self.enabled {
            DeskHandle::new(line, self.office.clone())
        } else {
            DeskHandle::closed(line)
        }
    }

    /// From now on these are the desks of all lines. Those of lines that are read no longer settle
    /// what is open with their line.
    pub fn set_desks(&self, desks: Vec<DeskHandle>) {
        *self.locked() = if self.enabled { desks } else { Vec::new() };
    }

    /// The desk that takes commands for a tag; of a tag that none takes the first, which refuses
    /// the command and records that.
    #[must_use]
    pub fn desk_of(&self, path: &str) -> Option<DeskHandle> {
        let desks = self.locked();
        desks.iter().find(|desk| desk.takes(path)).or(desks.first()).cloned()
    }

    fn locked(&self) -> MutexGuard<'_, Vec<DeskHandle>> {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
