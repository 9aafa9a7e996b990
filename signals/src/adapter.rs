//! Adapters: where samples come in. The port, and what adapters are given and must give.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde::Serialize;

use crate::{Batch, Clock, Event, Table, Timestamp};

mod instruments;

pub use instruments::{Instruments, Labels, Metric, MetricKind, Reading};

/// A source of samples: one Modbus line, one CAN bus, one replay.
///
/// The gateway gives each adapter an OS thread of its own, so one that hangs stops no other.
pub trait Adapter: Send {
    /// A name for logs and the page: the line's or bus's.
    fn name(&self) -> &str;
    /// The tables it will send rows of.
    fn tables(&self) -> Vec<Arc<Table>>;
    /// The health of its devices, readable while it runs.
    fn health(&self) -> Vec<Arc<Health>>;
    /// What it counts of its lines or buses, readable while it runs.
    fn instruments(&self) -> Vec<Arc<Instruments>> {
        Vec::new()
    }
    /// Samples until `feed.stop` is raised. Returning earlier means that the source has
    /// failed: it is built and run again after a pause. One that has nothing more to give waits.
    fn run(self: Box<Self>, feed: Feed);
}

/// What an adapter is given to run.
#[derive(Clone)]
pub struct Feed {
    /// Where its batches go.
    pub intake: Arc<dyn Intake>,
    /// The only source of wall time.
    pub clock: Arc<dyn Clock>,
    /// Raised when it shall end.
    pub stop: Stop,
}

/// Where batches go: the bounded queue in front of the journal.
pub trait Intake: Send + Sync {
    /// Takes a batch, or gives it back when the queue is full. Never waits.
    ///
    /// Whoever gets a batch back counts it in [`Vitals::dropped`]; the queue records the gap.
    ///
    /// # Errors
    /// The batch itself, when there is no room.
    fn offer(&self, batch: Batch) -> Result<(), Box<Batch>>;

    /// Takes a notice: what happened, or where samples are missing. Never waits.
    ///
    /// # Errors
    /// The notice itself, when there is no room for it now. An intake that keeps no notices, as
    /// this default, has none for any.
    fn tell(&self, notice: Notice) -> Result<(), Box<Notice>> {
        Err(Box::new(notice))
    }

    /// Says that these are the tables of a device from now on: what describes it was changed while
    /// it ran. May wait for the disk: not to be called where samples would wait for it.
    fn announce(&self, _device: &str, _tables: &[Arc<Table>]) {}
}

/// What an adapter has to say besides samples.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Something happened: a row of `_events`.
    Event(Event),
    /// Samples are missing: a row of `_gaps`.
    Gap(Gap),
}

/// An interval without samples, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// Table that lacks rows; `truck_*` for all tables of bus `truck`, `*` for every table.
    pub table: String,
    /// Time of the first sample that is missing, or of the last one before; `None` when nobody
    /// knows.
    pub start: Option<Timestamp>,
    /// Time of the last sample that is missing, or of the first one after; `None` when nobody
    /// knows.
    pub end: Option<Timestamp>,
    /// Why, in one word: `overload`, `rx_queue_overflow` …
    pub cause: &'static str,
    /// A sentence for people.
    pub detail: String,
}

/// What an adapter keeps over restarts: what it has learned of its devices.
///
/// Losing it costs learning again, never a sample.
pub trait Notebook: Send + Sync {
    /// The page kept under `name`, if there is one that can be read.
    fn recall(&self, name: &str) -> Option<String>;
    /// Keeps a page, replacing what was there. What goes wrong is logged, not returned.
    fn keep(&self, name: &str, page: &str);
}

/// A stop signal that many threads can wait for.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    inner: Arc<StopInner>,
}

#[derive(Debug, Default)]
struct StopInner {
    raised: AtomicBool,
    /// Tasks that wait in [`Stop::raised`], each in a place of its own, which is free again when it
    /// no longer waits: wakers of one task need not be known for the same.
    tasks: Mutex<Vec<Option<Waker>>>,
    bell: Condvar,
}

impl Stop {
    /// A signal that is not raised.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells everybody to end. Cannot be taken back.
    pub fn raise(&self) {
        self.inner.raised.store(true, Ordering::SeqCst);
        let tasks = std::mem::take(&mut *self.tasks());
        self.inner.bell.notify_all();
        tasks.into_iter().flatten().for_each(Waker::wake);
    }

    /// Whether it has been raised.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.inner.raised.load(Ordering::SeqCst)
    }

    /// Waits up to `span`, less when raised; true when raised.
    #[must_use]
    pub fn wait(&self, span: Duration) -> bool {
        let guard = self.tasks();
        let waited = self.inner.bell.wait_timeout_while(guard, span, |_| !self.is_raised());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.is_raised()
    }

    /// Waits, as a task, until it is raised; costs nothing meanwhile, and nothing is left when the
    /// wait is given up.
    pub async fn raised(&self) {
        let mut wait = Wait { stop: self, place: None };
        std::future::poll_fn(|context| wait.poll(context)).await;
    }

    /// Places of tasks that wait, or did at once.
    #[cfg(test)]
    fn places(&self) -> usize {
        self.tasks().len()
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<Option<Waker>>> {
        self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One wait for a [`Stop`].
struct Wait<'a> {
    stop: &'a Stop,
    /// Its place among the tasks.
    place: Option<usize>,
}

impl Wait<'_> {
    /// Ready when raised; else the task is woken when it is.
    fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        let mut tasks = self.stop.tasks();
        if self.stop.is_raised() {
            return Poll::Ready(());
        }
        let own = self.place.or_else(|| tasks.iter().position(Option::is_none));
        let place = own.unwrap_or(tasks.len());
        if place >= tasks.len() {
            tasks.push(None);
        }
        match tasks.get_mut(place) {
            Some(Some(task)) => task.clone_from(context.waker()),
            Some(task) => *task = Some(context.waker().clone()),
            None => {}
        }
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        // After it was raised the places are gone, and nobody takes new ones.
        let task = self.place.and_then(|place| Some(self.stop.tasks().get_mut(place)?.take()));
        drop(task);
    }
}

/// Device status after NAMUR NE 107, best first.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing to report.
    #[default]
    Normal,
    /// M: works, but wants attention soon.
    Maintenance,
    /// S: works outside its specification (some values missing, slow answers).
    OutOfSpecification,
    /// C: values are temporarily not from the process (starting, test).
    FunctionCheck,
    /// F: no usable values.
    Failure,
}

/// What is known of a device's health, counted since the adapter's start.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Vitals {
    /// NE 107 status.
    pub status: Status,
    /// The status in a few words: `answers`, `no answer since …`.
    pub detail: String,
    /// Since when the status has been what it is.
    pub since: Option<Timestamp>,
    /// Last time anything good arrived.
    pub last_good: Option<Timestamp>,
    /// Text of the last error, which says what to do.
    pub last_error: Option<String>,
    /// Requests sent (Modbus) or frames received (CAN).
    pub requests: u64,
    /// Requests answered (Modbus) or frames decoded (CAN).
    pub answers: u64,
    /// Requests without an answer in time.
    pub timeouts: u64,
    /// Answers that were refusals, or frames that could not be decoded.
    pub exceptions: u64,
    /// Sampling slots that passed before the line was free.
    pub missed: u64,
    /// Batches the full intake gave back.
    pub dropped: u64,
    /// Smoothed time from request to answer.
    pub round_trip: Option<Duration>,
}

/// The health of one device, shared between its adapter and whoever shows it.
#[derive(Debug)]
pub struct Health {
    /// The device's name.
    pub device: String,
    /// `modbus-tcp`, `can` …
    pub protocol: &'static str,
    /// Where it is, as an engineer would write it: `127.0.0.1:5020 unit 3`.
    pub address: String,
    vitals: Mutex<Vitals>,
}

impl Health {
    /// A device nothing has been heard of yet.
    #[must_use]
    pub fn new(
        device: impl Into<String>,
        protocol: &'static str,
        address: impl Into<String>,
    ) -> Arc<Self> {
        let vitals = Vitals {
            status: Status::FunctionCheck,
            detail: "waiting for the first answer".to_owned(),
            ..Vitals::default()
        };
        Arc::new(Self {
            device: device.into(),
            protocol,
            address: address.into(),
            vitals: Mutex::new(vitals),
        })
    }

    /// A copy of what is known now.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        self.locked().clone()
    }

    /// Changes what is known.
    pub fn update(&self, change: impl FnOnce(&mut Vitals)) {
        change(&mut self.locked());
    }

    fn locked(&self) -> MutexGuard<'_, Vitals> {
        self.vitals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vitals {
    /// Sets status and detail; `since` moves only when the status changes.
    pub fn turn(&mut self, status: Status, detail: impl Into<String>, now: Timestamp) {
        if self.status != status || self.since.is_none() {
            self.since = Some(now);
        }
        self.status = status;
        self.detail = detail.into();
    }
}

#[cfg(test)]
mod tests;
