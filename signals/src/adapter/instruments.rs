//! Instruments: what an adapter counts of its line or bus, for `/metrics` and the page.
//!
//! In: a whole set of [`Reading`]s at most once a second, from the adapter. Out: the same set,
//! to whoever shows it. Protocol-free: the adapter brings names and meanings along.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What a reading measures. One `static` per metric.
#[derive(Debug)]
pub struct Metric {
    /// Name as Prometheus has it, with its unit and without a prefix: `modbus_unit_timeouts_total`.
    pub name: &'static str,
    /// How its values behave.
    pub kind: MetricKind,
    /// One sentence about it.
    pub help: &'static str,
}

/// How the values of a metric behave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetricKind {
    /// Counts from the adapter's start and only rises.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// Names and values that tell the readings of one metric apart: `device` = `pump 3`.
///
/// The line or bus is not among them: it is [`Instruments::name`], and whoever shows the reading
/// adds it. Shared, because most readings of a device have the same.
pub type Labels = Arc<[(&'static str, String)]>;

/// One value of a metric.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What is measured.
    pub metric: &'static Metric,
    /// Of what.
    pub labels: Labels,
    /// The value, in the unit of the metric's name. Counters are exact up to 2^53.
    pub value: f64,
}

type Frames = Box<dyn Fn() -> String + Send + Sync>;

/// The readings of one line or bus, shared between its adapter and whoever shows them.
pub struct Instruments {
    /// The line's or bus's name.
    pub name: String,
    /// `modbus-tcp`, `can` …
    pub protocol: &'static str,
    readings: Mutex<Arc<[Reading]>>,
    frames: Option<Frames>,
}

impl Instruments {
    /// Instruments that have shown nothing yet.
    #[must_use]
    pub fn new(name: impl Into<String>, protocol: &'static str) -> Self {
        Self { name: name.into(), protocol, readings: Mutex::default(), frames: None }
    }

    /// Adds the last frames on the line, as text for people: a time, a direction and the bytes in
    /// hex per line, oldest first.
    #[must_use]
    pub fn with_frames(mut self, frames: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.frames = Some(Box::new(frames));
        self
    }

    /// The last readings, of one moment; those of one metric stand together.
    #[must_use]
    pub fn readings(&self) -> Arc<[Reading]> {
        Arc::clone(&self.readings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces all readings. Adapters do so at most once a second.
    pub fn show(&self, mut readings: Vec<Reading>) {
        // Stable: within a metric the adapter's order stays.
        readings.sort_by_key(|reading| reading.metric.name);
        *self.readings.lock().unwrap_or_else(PoisonError::into_inner) = readings.into();
    }

    /// The last frames as text, `None` when the adapter keeps none.
    #[must_use]
    pub fn frames_text(&self) -> Option<String> {
        self.frames.as_ref().map(|frames| frames())
    }
}

impl fmt::Debug for Instruments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, protocol, readings: _, frames: _ } = self;
        f.debug_struct("Instruments").field("name", name).field("protocol", protocol).finish()
    }
}
