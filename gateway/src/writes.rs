//! Writing as the gateway knows it: the switch, the desks of all lines, the tokens, the audit.

use std::path::Path;
use std::sync::Arc;

use adapters_modbus::config::Line;
use adapters_modbus::write::{DeskHandle, Office};
use anyhow::Context as _;
use pipelines_flow::disk::RealDisk;
use pipelines_flow::event_log::EventLog;
use signals::{Clock, Stop};

use crate::audit::Audit;
use crate::tokens::{self, Tokens};

/// Everything about writing.
pub struct Writes {
    /// The global switch.
    pub enabled: bool,
    /// One desk a line, in the order of the lines; none when writing is off.
    pub desks: Vec<DeskHandle>,
    /// Who may.
    pub tokens: Tokens,
    /// What was done. Opened when the folder belongs to this gateway alone.
    pub audit: Arc<Audit>,
    /// Raised when the gateway ends: whoever waits for an outcome is told to look at the audit.
    pub stop: Stop,
}

impl Writes {
    /// The desks of all lines. Opens and writes nothing.
    #[must_use]
    pub fn new(enabled: bool, lines: &[Line], data: &Path, clock: &Arc<dyn Clock>) -> Self {
        let audit = Arc::new(Audit::new(data, Arc::new(RealDisk), Arc::clone(clock)));
        let office = Office {
            clock: Arc::clone(clock),
            ledger: Arc::clone(&audit) as _,
            random: tokens::random,
        };
        let desks = lines.iter().filter(|_| enabled);
        let desks = desks.map(|line| DeskHandle::new(line, office.clone())).collect();
        Self { enabled, desks, tokens: Tokens::of(data), audit, stop: Stop::new() }
    }

    /// Opens the audit, and closes what an earlier run left open. The folder must be ours alone.
    ///
    /// # Errors
    /// When files cannot be read or written.
    pub fn open(&self, events: &EventLog) -> anyhow::Result<()> {
        let opened = self.audit.open(Some(events.clone()));
        opened.context("the audit cannot be opened; check the disk and its permissions")
    }

    /// The desk of the line at `place`; a closed one when writing is off.
    #[must_use]
    pub fn desk(&self, place: usize, line: &Line) -> DeskHandle {
        self.desks.get(place).cloned().unwrap_or_else(|| DeskHandle::closed(line))
    }
}
