//! A server with device images, and a desk that runs a line and collects its batches.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use signals::adapter::{Health, Intake};
use signals::{Adapter as _, Batch, Clock, ClockState, Feed, Stop, Timestamp};
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::{Server as TcpServer, accept_tcp_connection};
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};

use super::PATIENCE;
use crate::area::Area;
use crate::image::Image;
use crate::line::ModbusLine;
use crate::scan::Read;

/// Devices behind one server.
#[derive(Default)]
pub(super) struct Plant {
    units: HashMap<u8, Image>,
    /// Units that do not answer.
    pub(super) dead: Mutex<HashSet<u8>>,
    /// Units that answer 60 ms late.
    pub(super) slow: Mutex<HashSet<u8>>,
    /// What every answer takes.
    pub(super) delay_millis: AtomicU64,
    pub(super) requests: AtomicU64,
}

impl Plant {
    pub(super) fn of(documents: &[Json]) -> Self {
        let unit = |document: &Json| u8::try_from(document["unit"].as_u64().unwrap()).unwrap();
        let units = documents.iter().map(|document| (unit(document), Image::of(document)));
        Self { units: units.collect(), ..Self::default() }
    }

    fn answer(&self, asked: &SlaveRequest<'_>) -> Result<Option<Response>, ExceptionCode> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let image = self.units.get(&asked.slave);
        let Some(image) = image.filter(|_| !self.dead.lock().unwrap().contains(&asked.slave))
        else {
            return Ok(None);
        };
        let (Request::ReadCoils(start, count)
        | Request::ReadDiscreteInputs(start, count)
        | Request::ReadInputRegisters(start, count)
        | Request::ReadHoldingRegisters(start, count)) = asked.request
        else {
            return Err(ExceptionCode::IllegalFunction);
        };
        let function = asked.request.function_code().value();
        let area = Area::ALL.into_iter().find(|area| area.function() == function).unwrap();
        let words = image
            .read(Read { area, start, count })
            .map_err(|_| ExceptionCode::IllegalDataAddress)?;
        let bits = || words.iter().map(|word| *word != 0).collect();
        Ok(Some(match area {
            Area::Coil => Response::ReadCoils(bits()),
            Area::Discrete => Response::ReadDiscreteInputs(bits()),
            Area::Input => Response::ReadInputRegisters(words),
            Area::Holding => Response::ReadHoldingRegisters(words),
        }))
    }
}

struct PlantService(Arc<Plant>);

impl Service for PlantService {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future =
        Pin<Box<dyn Future<Output = Result<Option<Response>, ExceptionCode>> + Send + 'static>>;

    fn call(&self, asked: Self::Request) -> Self::Future {
        let plant = Arc::clone(&self.0);
        Box::pin(async move {
            let slow = plant.slow.lock().unwrap().contains(&asked.slave);
            let delay = plant.delay_millis.load(Ordering::SeqCst) + if slow { 60 } else { 0 };
            tokio::time::sleep(Duration::from_millis(delay)).await;
            plant.answer(&asked)
        })
    }
}

/// The server of a plant, on a thread of its own.
pub(super) struct Server {
    pub(super) address: String,
    pub(super) plant: Arc<Plant>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(plant: Plant) -> Self {
        Self::start_at("127.0.0.1:0", Arc::new(plant))
    }

    pub(super) fn start_at(address: &str, plant: Arc<Plant>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind(address)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, served) = (Stop::new(), Arc::clone(&plant));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let accept = |stream, peer| {
                    let served = Arc::clone(&served);
                    async move {
                        accept_tcp_connection(stream, peer, |_| {
                            Ok(Some(PlantService(Arc::clone(&served))))
                        })
                    }
                };
                let endpoint = TcpServer::new(listener);
                tokio::select! {
                    served = endpoint.serve(&accept, |_| {}) => served.unwrap(),
                    () = stopped.raised() => {}
                }
            });
        });
        Self { address, plant, stop, thread: Some(thread) }
    }

    /// Ends the server and all its connections.
    pub(super) fn stop(mut self) -> Arc<Plant> {
        self.end();
        Arc::clone(&self.plant)
    }

    fn end(&mut self) {
        self.stop.raise();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// A clock that runs, and whose wall time can be stepped.
pub(super) struct StepClock {
    start: Instant,
    pub(super) ahead_micros: AtomicI64,
}

impl Clock for StepClock {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead_micros.load(Ordering::SeqCst);
        Timestamp::from_micros(ahead).plus(self.start.elapsed())
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn state(&self) -> ClockState {
        ClockState::Synced
    }
}

/// Runs a line and keeps what it offers.
pub(super) struct Desk {
    tray: Arc<Tray>,
    pub(super) clock: Arc<StepClock>,
    pub(super) shut: Arc<AtomicBool>,
    health: Vec<Arc<Health>>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Tray {
    batches: Mutex<Vec<Batch>>,
    bell: Condvar,
    shut: Arc<AtomicBool>,
}

impl Intake for Tray {
    fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        if self.shut.load(Ordering::SeqCst) {
            return Err(Box::new(batch));
        }
        self.batches.lock().unwrap().push(batch);
        self.bell.notify_all();
        Ok(())
    }
}

impl Desk {
    pub(super) fn run(line: ModbusLine) -> Self {
        let tray = Arc::new(Tray::default());
        let clock = Arc::new(StepClock {
            start: Instant::now(),
            ahead_micros: AtomicI64::new(1_800_000_000_000_000),
        });
        let (stop, health) = (Stop::new(), line.health());
        let feed = Feed {
            intake: Arc::clone(&tray) as Arc<dyn Intake>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            stop: stop.clone(),
        };
        let thread = std::thread::spawn(move || Box::new(line).run(feed));
        let shut = Arc::clone(&tray.shut);
        Self { tray, clock, shut, health, stop, thread: Some(thread) }
    }

    pub(super) fn batches(&self) -> Vec<Batch> {
        self.tray.batches.lock().unwrap().clone()
    }

    /// Waits until the batches so far are as wanted.
    pub(super) fn wait(&self, what: &str, wanted: impl Fn(&[Batch]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut batches = self.tray.batches.lock().unwrap();
        while !wanted(&batches) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what}: {} batches, {:?}", batches.len(), batches.last());
            batches = self.tray.bell.wait_timeout(batches, left).unwrap().0;
        }
    }

    pub(super) fn health(&self, device: &str) -> Arc<Health> {
        Arc::clone(self.health.iter().find(|health| health.device == device).unwrap())
    }

    pub(super) fn missed(&self) -> u64 {
        self.health.iter().map(|health| health.vitals().missed).sum()
    }

    /// Everything that was offered until the line had ended.
    pub(super) fn stop(mut self) -> Vec<Batch> {
        self.end();
        self.batches()
    }

    fn end(&mut self) {
        self.stop.raise();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.end();
    }
}
