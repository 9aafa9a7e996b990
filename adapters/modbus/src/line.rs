//! One line: one task that owns a connection and asks the devices on it in their slots.
//!
//! In: a checked [`Line`]. Out: one row per scan and slot, offered to the intake.
//! L-1 Every slot that is not counted as missed yields a row, whether the device answers or not.
//! L-2 Slots lie at epoch + phase + k × period; a passed one is counted and skipped, never caught up.
//! L-3 Within a run the times of a table's rows rise strictly, whatever the wall clock does.
//! L-4 A unit that does not answer is asked in slack only; the others keep their slots.

mod learn;
mod link;
mod poller;
mod report;
mod slot;
mod stamp;
mod unit;

use std::sync::Arc;

use signals::adapter::{Health, Notebook, Status};
use signals::{Adapter, Feed, Table};

use crate::config::Line;
use crate::write::DeskHandle;
use poller::{Poller, Shown};

/// The adapter of one line.
pub struct ModbusLine {
    line: Line,
    health: Vec<Arc<Health>>,
    desk: DeskHandle,
    notebook: Option<Arc<dyn Notebook>>,
}

impl ModbusLine {
    /// The adapter of a checked line. Opens nothing; [`Adapter::run`] does.
    #[must_use]
    pub fn new(line: Line) -> Self {
        let health = line
            .devices
            .iter()
            .map(|device| {
                let address = format!("{} unit {}", line.transport, device.unit);
                Health::new(&device.name, line.transport.protocol(), address)
            })
            .collect();
        let desk = DeskHandle::closed(&line);
        Self { line, health, desk, notebook: None }
    }

    /// The line with a desk for commands; without it nothing is written.
    #[must_use]
    pub fn with_desk(self, desk: DeskHandle) -> Self {
        Self { desk, ..self }
    }

    /// Where commands for its tags are given.
    #[must_use]
    pub fn desk(&self) -> DeskHandle {
        self.desk.clone()
    }

    /// Lets the line keep over restarts what it learns of its devices: a page for each device.
    #[must_use]
    pub fn remembering(mut self, notebook: Arc<dyn Notebook>) -> Self {
        self.notebook = Some(notebook);
        self
    }
}

impl Adapter for ModbusLine {
    fn name(&self) -> &str {
        &self.line.name
    }

    fn tables(&self) -> Vec<Arc<Table>> {
        let scans = self.line.devices.iter().flat_map(|device| &device.scans);
        scans.map(|scan| Arc::clone(scan.table())).collect()
    }

    fn health(&self) -> Vec<Arc<Health>> {
        self.health.clone()
    }

    fn run(self: Box<Self>, feed: Feed) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(err) => {
                let told = format!(
                    "{}: no event loop: {err}; raise the limit of open files",
                    self.line.name
                );
                tracing::error!("{told}");
                let now = feed.clock.now();
                for health in &self.health {
                    health.update(|vitals| {
                        vitals.turn(Status::Failure, "not running", now);
                        vitals.last_error = Some(told.clone());
                    });
                }
                return;
            }
        };
        let stop = feed.stop.clone();
        let desk = self.desk.desk();
        let shown = Shown { health: self.health, notebook: self.notebook, desk };
        let mut poller = Poller::new(self.line, shown, feed);
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = stop.raised() => {}
                () = poller.run() => {}
            }
        });
        poller.finish();
        // A name server that does not answer must not hold up the stop.
        runtime.shutdown_background();
    }
}

#[cfg(test)]
mod tests;
