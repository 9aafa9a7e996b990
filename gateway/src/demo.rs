//! The demo: a simulated plant behind real Modbus sockets, a recorded truck, an embedded broker,
//! and a link that fails now and then. Everything behind the sockets is the real gateway.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adapters_modbus::config::{Line, Transport};
use adapters_modbus::scan::{Scan, Stamp};
use adapters_replay::plant::{Plant, Refusal, Schedule, Table as PlantTable};
use adapters_replay::server::PlantServer;
use anyhow::Context as _;
use pipelines_flow::uplink::Link;
use signals::{BatchBuilder, Clock, ClockState, Intake, Reason, Stop, Timestamp};

use crate::config::{self, Config, Files};
use crate::gateway::Gateway;

/// The demo's configuration.
const TEXT: &str = include_str!("../../config/demo/gateway.toml");
/// Its databases and its log, in the binary: the demo needs nothing beside it.
const FILES: [(&str, &[u8]); 3] = [
    ("can/j1939_common.dbc", include_bytes!("../../config/demo/can/j1939_common.dbc")),
    ("can/css-canmod-gps.dbc", include_bytes!("../../config/demo/can/css-canmod-gps.dbc")),
    (
        "can/truck-idle-j1939-gps.log.gz",
        include_bytes!("../../config/demo/can/truck-idle-j1939-gps.log.gz"),
    ),
];
/// Same plant every time.
const SEED: u64 = 7;
/// Simulated past at the first start: what a detector needs to learn, and a trend to look at.
const HISTORY: Duration = Duration::from_secs(31 * 60);
/// The link is cut for a minute, every ten minutes, first after four.
const OUTAGE_FIRST: Duration = Duration::from_secs(4 * 60);
const OUTAGE_PERIOD: Duration = Duration::from_secs(10 * 60);
const OUTAGE_LENGTH: Duration = Duration::from_secs(60);
/// Rows of history per batch.
const HISTORY_ROWS: usize = 120;

/// The demo around a gateway.
pub struct Demo {
    plant: PlantServer,
    past: Plant,
    stop: Stop,
    start: Timestamp,
}

impl Demo {
    /// Starts plant and broker and gives the configuration that reaches them.
    ///
    /// # Errors
    /// When a port cannot be had.
    pub fn start(clock: &Arc<dyn Clock>) -> anyhow::Result<(Self, Config)> {
        let mut config = config::from_text("demo/gateway.toml", TEXT, Files::Embedded(&FILES))
            .map_err(|mistakes| {
                let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
                anyhow::anyhow!("the built-in demo configuration is wrong:\n{}", lines.join("\n"))
            })?;
        let (stop, start) = (Stop::new(), clock.now());
        // One plant with one past: what history shows leads up to what the sockets answer.
        let past = Plant::with_schedule(SEED, start.minus(HISTORY), Schedule::demo(start));
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let plant = PlantServer::start(past.clone(), Arc::clone(clock), anywhere, stop.clone())?;
        for line in &mut config.lines {
            line.transport = Transport::Tcp { host: plant.address().to_string() };
        }
        let broker = config.local_broker.map(free_address).transpose()?;
        if let Some(broker) = broker {
            crate::broker::start(broker)?;
            for uplink in &mut config.uplinks {
                uplink.host = broker.ip().to_string();
                uplink.port = broker.port();
            }
        }
        Ok((Self { plant, past, stop, start }, config))
    }

    /// Writes the plant's past into an empty journal, through the same decoder as live answers.
    ///
    /// # Errors
    /// When the journal is closed.
    pub fn write_history(&self, gateway: &Gateway, lines: &[Line]) -> anyhow::Result<()> {
        let view = gateway.view();
        let seconds = HISTORY.as_secs();
        let from = self.start.minus(HISTORY);
        let mut plant = self.past.clone();
        let scans = || {
            lines.iter().flat_map(|l| &l.devices).flat_map(|d| d.scans.iter().map(|s| (d.unit, s)))
        };
        let mut builders: Vec<BatchBuilder> =
            scans().map(|(_, scan)| BatchBuilder::new(Arc::clone(scan.table()))).collect();
        for second in 0..seconds {
            let ts = from.plus(Duration::from_secs(second));
            plant.advance_to(ts);
            for ((unit, scan), builder) in scans().zip(&mut builders) {
                if second % scan.period().as_secs().max(1) == 0 {
                    row(&plant, unit, scan, (ts, builder));
                }
                if builder.rows() >= HISTORY_ROWS || second + 1 == seconds {
                    // The queue is far larger than a round of batches; a full one is drained.
                    while let Some(batch) = builder.finish() {
                        if view.intake.offer(batch).is_err() {
                            view.journal.sync()?;
                        }
                    }
                }
            }
        }
        view.journal.sync().context("writing the demo's history")?;
        Ok(())
    }

    /// Cuts the link on schedule until stopped.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn run_outages(link: Arc<Link>, stop: Stop) -> std::io::Result<()> {
        std::thread::Builder::new().name("outages".to_owned()).spawn(move || {
            let mut pause = OUTAGE_FIRST;
            while !stop.wait(pause) {
                tracing::info!("demo: link outage begins; messages wait in the outbox");
                link.set_cut(true);
                let stopped = stop.wait(OUTAGE_LENGTH);
                link.set_cut(false);
                tracing::info!("demo: link outage ends");
                if stopped {
                    return;
                }
                pause = OUTAGE_PERIOD.saturating_sub(OUTAGE_LENGTH);
            }
        })?;
        Ok(())
    }

    /// The demo's own stop signal.
    #[must_use]
    pub fn stop_signal(&self) -> Stop {
        self.stop.clone()
    }

    /// Ends the simulated plant.
    pub fn stop(self) {
        self.stop.raise();
        self.plant.join();
    }
}

/// One row of the past, as the device would have answered.
fn row(plant: &Plant, unit: u8, scan: &Scan, (ts, builder): (Timestamp, &mut BatchBuilder)) {
    use adapters_modbus::area::Area;
    let stamp = Stamp { ts, error: Duration::ZERO, clock: ClockState::Synced };
    scan.row_from(stamp, builder, |read| {
        let table = match read.area {
            Area::Coil => PlantTable::Coil,
            Area::Discrete => PlantTable::Discrete,
            Area::Holding => PlantTable::Holding,
            Area::Input => PlantTable::Input,
        };
        let words = plant.read(unit, table, read.start, read.count);
        words.map(<[u16]>::to_vec).map_err(|refusal| {
            Reason::Exception(match refusal {
                Refusal::Address => 2,
                Refusal::Count => 3,
                Refusal::Unit => 11,
            })
        })
    });
}

/// The wanted address if it is free, else another port beside it.
fn free_address(wanted: SocketAddr) -> anyhow::Result<SocketAddr> {
    let port = |address| TcpListener::bind(address).and_then(|listener| listener.local_addr());
    port(wanted).or_else(|_| port(SocketAddr::new(wanted.ip(), 0))).with_context(|| {
        format!("no port can be had on {}; check the network settings", wanted.ip())
    })
}

/// A folder for the demo's data that ends with the demo.
///
/// # Errors
/// When it cannot be made.
pub fn temporary_folder() -> anyhow::Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix("fieldgate-demo-")
        .tempdir()
        .context("no temporary folder can be made; give one with --data")
}

/// Whether nothing has ever been kept in a folder.
#[must_use]
pub fn is_new(data: &Path) -> bool {
    matches!(data.join("journal").try_exists(), Ok(false))
}

#[cfg(test)]
mod tests;
