//! One line: one task that owns a connection and asks the devices on it in their slots.
//!
//! In: a checked [`Line`]. Out: one row per scan and slot, offered to the intake.
//! L-1 Every slot yields a row, whether the device answers or not, or is counted as missed and told
//!     as a gap.
//! L-2 Slots lie at epoch + phase + k × period; a passed one is counted and skipped, never caught up.
//! L-3 Within a run the times of a table's rows rise strictly, whatever the wall clock does.
//! L-4 A unit that does not answer is asked in slack only; the others keep their slots.

mod absence;
mod histogram;
mod learn;
mod link;
mod meters;
mod poller;
mod report;
mod slot;
mod stamp;
mod unit;

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use signals::adapter::{Health, Instruments, Notebook, Status};
use signals::{Adapter, Clock, Feed, Table};
use tokio::time::Instant;

use crate::config::{Line, Transport};
use crate::wire::FrameTrace;
use crate::write::DeskHandle;
use poller::{Poller, Shown};

/// How long a request on a bus may still take when the line is to end: the port is closed between
/// frames.
const STOP_SERIAL_MAX: Duration = Duration::from_secs(3);
/// The same on a network, where nobody is hurt by a connection that ends: most devices answer
/// sooner, and what they answer is a row.
const STOP_NETWORK_MAX: Duration = Duration::from_millis(500);

/// The adapter of one line.
pub struct ModbusLine {
    line: Line,
    health: Vec<Arc<Health>>,
    desk: DeskHandle,
    notebook: Option<Arc<dyn Notebook>>,
    instruments: Arc<Instruments>,
    trace: Arc<FrameTrace>,
    /// The clock of the run, for times of frames.
    clock: Arc<OnceLock<Arc<dyn Clock>>>,
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
        let (trace, clock) = (Arc::new(FrameTrace::new()), Arc::new(OnceLock::new()));
        let instruments = {
            let (trace, clock) = (Arc::clone(&trace), Arc::clone(&clock));
            Instruments::new(&line.name, line.transport.protocol()).with_frames(move || {
                let wall = clock.get().map(|clock: &Arc<dyn Clock>| clock.now());
                trace.to_text(Instant::now(), wall.unwrap_or_default())
            })
        };
        let instruments = Arc::new(instruments);
        Self { line, health, desk, notebook: None, instruments, trace, clock }
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

    fn instruments(&self) -> Vec<Arc<Instruments>> {
        vec![Arc::clone(&self.instruments)]
    }

    fn run(self: Box<Self>, feed: Feed) {
        // The line runs once: nobody has set its clock before.
        self.clock.get_or_init(|| Arc::clone(&feed.clock));
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
        let shown = Shown {
            health: self.health,
            notebook: self.notebook,
            desk,
            instruments: self.instruments,
            trace: self.trace,
        };
        let is_serial = matches!(self.line.transport, Transport::Rtu { .. });
        let name = self.line.name.clone();
        let mut poller = Poller::new(self.line, shown, feed);
        runtime.block_on(async {
            let mut polling = pin!(poller.run());
            tokio::select! {
                biased;
                () = stop.raised() => {}
                () = &mut polling => return,
            }
            // A request that is on its way is answered, or given up: the device has been read.
            let patience = if is_serial { STOP_SERIAL_MAX } else { STOP_NETWORK_MAX };
            if tokio::time::timeout(patience, polling).await.is_err() {
                tracing::warn!("{name}: closed {patience:?} after the stop, a request unanswered");
            }
        });
        poller.finish();
        // A name server that does not answer must not hold up the stop.
        runtime.shutdown_background();
    }
}

#[cfg(test)]
mod tests;
