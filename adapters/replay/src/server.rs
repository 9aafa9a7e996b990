//! The plant behind a real Modbus TCP server: what the gateway polls in demos, tests and benches.
//!
//! One thread with a runtime of its own. The plant moves on to the clock's time whenever a
//! request arrives, and not in between.
//!
//! S-1 At most 64 connections; one more is closed at once.
//! S-2 Nothing can be written: every function but 1 to 4 is refused with exception 1.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use signals::{Clock, Stop};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::Server;
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};

use crate::plant::{Plant, Refusal, Table};

const CONNECTIONS_MAX: usize = 64;
/// How often the thread looks whether it shall end.
const STOP_LATENCY: Duration = Duration::from_millis(50);
/// Pause after the system refused to accept a connection (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Why the server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address could not be bound.
    #[error("simulated plant: cannot listen on {address}: {source}; choose port 0 or a free one")]
    Listen {
        /// The address wanted.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no thread or no event queue.
    #[error("simulated plant: cannot start its thread: {0}; raise the limits of the process")]
    Thread(io::Error),
}

/// A running server.
pub struct PlantServer {
    address: SocketAddr,
    switches: Arc<Switches>,
    thread: Option<JoinHandle<()>>,
}

impl PlantServer {
    /// Serves `plant` on `address` (port 0 takes a free one) until `stop` is raised. Requests
    /// see the plant at the time that `clock` shows.
    ///
    /// # Errors
    /// When the address cannot be bound, or the thread cannot be started.
    pub fn start(
        plant: Plant,
        clock: Arc<dyn Clock>,
        address: SocketAddr,
        stop: Stop,
    ) -> Result<Self, ServerError> {
        let listen = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(ServerError::Thread)?;
        let switches = Arc::new(Switches::default());
        let desk =
            Arc::new(Desk { plant: Mutex::new(plant), clock, switches: Arc::clone(&switches) });
        let thread = std::thread::Builder::new()
            .name("plant".to_owned())
            .spawn(move || runtime.block_on(serve(listener, desk, stop)))
            .map_err(ServerError::Thread)?;
        tracing::info!(%address, "simulated plant listens");
        Ok(Self { address, switches, thread: Some(thread) })
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Switches that make its units misbehave.
    #[must_use]
    pub fn switches(&self) -> Arc<Switches> {
        Arc::clone(&self.switches)
    }

    /// Waits for its end, at most about 50 ms after `stop` was raised.
    ///
    /// # Panics
    /// When the server's thread panicked, which is a bug.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the plant's thread does not panic");
        }
    }
}

/// Misbehaviour on demand: units that are silent or slow.
#[derive(Debug, Default)]
pub struct Switches {
    units: Mutex<BTreeMap<u8, Misbehaviour>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Misbehaviour {
    dead: bool,
    delay: Duration,
}

impl Switches {
    /// Whether a unit leaves requests without an answer, as one without power does.
    pub fn set_dead(&self, unit: u8, dead: bool) {
        self.units().entry(unit).or_default().dead = dead;
    }

    /// How long a unit takes for each answer; other connections do not wait.
    pub fn set_delay(&self, unit: u8, delay: Duration) {
        self.units().entry(unit).or_default().delay = delay;
    }

    fn of(&self, unit: u8) -> Misbehaviour {
        self.units().get(&unit).copied().unwrap_or_default()
    }

    fn units(&self) -> MutexGuard<'_, BTreeMap<u8, Misbehaviour>> {
        self.units.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, desk: Arc<Desk>, stop: Stop) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(err) => {
            tracing::error!(%err, "simulated plant: its socket cannot be used; restart the gateway");
            return;
        }
    };
    let server = Server::new(listener);
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let on_connected = |stream: tokio::net::TcpStream, peer: SocketAddr| {
        let desk = Arc::clone(&desk);
        let room = Arc::clone(&room);
        async move {
            let Ok(permit) = room.try_acquire_owned() else {
                tracing::warn!(%peer, "simulated plant: closed connection above {CONNECTIONS_MAX}");
                return Ok(None);
            };
            // Answers are small: without this the second of two waits for the first's receipt.
            if let Err(err) = stream.set_nodelay(true) {
                tracing::debug!(%peer, %err, "simulated plant: connection is already gone");
            }
            Ok(Some((Visitor { desk, _permit: permit }, stream)))
        }
    };
    let raised = async {
        while !stop.is_raised() {
            tokio::time::sleep(STOP_LATENCY).await;
        }
    };
    tokio::pin!(raised);
    loop {
        let on_error = |err: io::Error| tracing::debug!(%err, "simulated plant: connection lost");
        tokio::select! {
            () = &mut raised => return,
            // Only accepting can fail here; connections that stand are cut by the next round.
            ended = server.serve(&on_connected, on_error) => if let Err(err) = ended {
                tracing::warn!(%err, "simulated plant: cannot accept; tries again in a second");
            }
        }
        tokio::select! {
            () = &mut raised => return,
            () = tokio::time::sleep(ACCEPT_PAUSE) => {}
        }
    }
}

/// What all connections share.
struct Desk {
    plant: Mutex<Plant>,
    clock: Arc<dyn Clock>,
    switches: Arc<Switches>,
}

impl Desk {
    fn answer(&self, unit: u8, request: &Request<'_>) -> Result<Response, ExceptionCode> {
        let (table, start, count) = match *request {
            Request::ReadCoils(start, count) => (Table::Coil, start, count),
            Request::ReadDiscreteInputs(start, count) => (Table::Discrete, start, count),
            Request::ReadHoldingRegisters(start, count) => (Table::Holding, start, count),
            Request::ReadInputRegisters(start, count) => (Table::Input, start, count),
            Request::WriteSingleCoil(..)
            | Request::WriteMultipleCoils(..)
            | Request::WriteSingleRegister(..)
            | Request::WriteMultipleRegisters(..)
            | Request::ReportServerId
            | Request::MaskWriteRegister(..)
            | Request::ReadWriteMultipleRegisters(..)
            | Request::ReadDeviceIdentification(..)
            | Request::Custom(..) => return Err(ExceptionCode::IllegalFunction),
        };
        let mut plant = self.plant.lock().unwrap_or_else(PoisonError::into_inner);
        self.move_on(&mut plant);
        let words = plant.read(unit, table, start, count).map_err(|refusal| match refusal {
            Refusal::Address => ExceptionCode::IllegalDataAddress,
            Refusal::Count => ExceptionCode::IllegalDataValue,
            Refusal::Unit => ExceptionCode::GatewayTargetDevice,
        })?;
        let bits = || words.iter().map(|&word| word != 0).collect();
        Ok(match table {
            Table::Coil => Response::ReadCoils(bits()),
            Table::Discrete => Response::ReadDiscreteInputs(bits()),
            Table::Holding => Response::ReadHoldingRegisters(words.to_vec()),
            Table::Input => Response::ReadInputRegisters(words.to_vec()),
        })
    }

    /// Lets the plant catch up with the clock, and says what began and ended on the way.
    fn move_on(&self, plant: &mut Plant) {
        let before = plant.now();
        plant.advance_to(self.clock.now());
        for (begins, fault) in plant.schedule().changes(before, plant.now()) {
            let (device, kind, severity) = (fault.device, fault.kind, fault.severity);
            let signals = fault.signals.join(" ");
            if begins {
                tracing::info!(device, ?kind, severity, signals, "simulated fault begins");
            } else {
                tracing::info!(device, ?kind, severity, signals, "simulated fault ends");
            }
        }
    }
}

/// One connection; its place is free again when it is dropped.
struct Visitor {
    desk: Arc<Desk>,
    _permit: OwnedSemaphorePermit,
}

impl Service for Visitor {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = Pin<Box<dyn Future<Output = Result<Option<Response>, ExceptionCode>> + Send>>;

    fn call(&self, asked: SlaveRequest<'static>) -> Self::Future {
        let desk = Arc::clone(&self.desk);
        Box::pin(async move {
            let Misbehaviour { dead, delay } = desk.switches.of(asked.slave);
            if dead {
                return Ok(None);
            }
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            desk.answer(asked.slave, &asked.request).map(Some)
        })
    }
}

#[cfg(test)]
mod tests;
