//! What operators see of a device: status, counters, and the last error with its remedy.

use std::sync::Arc;
use std::time::Duration;

use signals::adapter::{Health, Status, Vitals};
use signals::{Reason, Timestamp, duration};

use crate::scan::{Read, Tally};
use crate::wire::Fault;

/// How a device is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Condition {
    /// Nothing has been asked yet.
    Waiting,
    /// Every signal has a value.
    Good,
    /// The last answer did not come; the one before did.
    Doubtful,
    /// Some signals have no value.
    Partly(Tally),
    /// No signal has a value, though the device answers.
    Useless(Reason),
    /// It does not answer.
    Silent,
    /// There is no connection to it.
    NotConnected,
}

/// Counted since the last publication.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) answers: u64,
    pub(super) timeouts: u64,
    pub(super) exceptions: u64,
    pub(super) missed: u64,
    pub(super) dropped: u64,
}

/// The health of one device on its way to whoever shows it.
pub(super) struct Report {
    health: Arc<Health>,
    pub(super) counts: Counts,
    /// Counted up to the last publication.
    published: Counts,
    condition: Condition,
    /// The fault whose text was published last.
    fault: Option<(Fault, Read)>,
    error: Option<String>,
}

/// What a text about a fault needs to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) unit: u8,
    pub(super) read: Read,
    pub(super) timeout: Duration,
}

impl Report {
    pub(super) fn new(health: Arc<Health>) -> Self {
        Self {
            health,
            counts: Counts::default(),
            published: Counts::default(),
            condition: Condition::Waiting,
            fault: None,
            error: None,
        }
    }

    /// The device's name.
    pub(super) fn device(&self) -> &str {
        &self.health.device
    }

    /// What has been counted since the start.
    pub(super) fn totals(&self) -> Counts {
        self.published.plus(self.counts)
    }

    /// A request failed: counts it, and keeps its text unless it was told last time too.
    pub(super) fn note(&mut self, fault: Fault, asked: Asked) {
        if self.fault != Some((fault, asked.read)) {
            self.fault = Some((fault, asked.read));
            self.tell(format!("{}: {}", self.health.device, advice(fault, asked)));
        }
    }

    /// Keeps a text as the last error.
    pub(super) fn tell(&mut self, error: String) {
        self.error = Some(error);
    }

    /// Publishes what was counted, and the condition if it changed.
    pub(super) fn publish(
        &mut self,
        condition: Condition,
        now: Timestamp,
        round_trip: Option<Duration>,
    ) {
        let counts = std::mem::take(&mut self.counts);
        self.published = self.published.plus(counts);
        let error = self.error.take();
        let changed = std::mem::replace(&mut self.condition, condition) != condition;
        let good = matches!(condition, Condition::Good | Condition::Partly(_));
        self.health.update(|vitals| {
            vitals.requests += counts.requests;
            vitals.answers += counts.answers;
            vitals.timeouts += counts.timeouts;
            vitals.exceptions += counts.exceptions;
            vitals.missed += counts.missed;
            vitals.dropped += counts.dropped;
            vitals.round_trip = round_trip.or(vitals.round_trip);
            if good {
                vitals.last_good = Some(now);
            }
            if error.is_some() {
                vitals.last_error = error;
            }
            if changed {
                let (status, detail) = condition.shown(vitals);
                if status != vitals.status {
                    log(&self.health.device, status, &detail, vitals.last_error.as_deref());
                }
                vitals.turn(status, detail, now);
            }
        });
    }
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            answers: self.answers + other.answers,
            timeouts: self.timeouts + other.timeouts,
            exceptions: self.exceptions + other.exceptions,
            missed: self.missed + other.missed,
            dropped: self.dropped + other.dropped,
        }
    }
}

impl Condition {
    fn shown(self, vitals: &Vitals) -> (Status, String) {
        match self {
            Self::Waiting => (Status::FunctionCheck, "waiting for the first answer".to_owned()),
            Self::Good => (Status::Normal, "answers".to_owned()),
            Self::Doubtful => {
                (Status::OutOfSpecification, "the last answer did not come".to_owned())
            }
            Self::Partly(tally) => (
                Status::OutOfSpecification,
                format!(
                    "{} of {} signals without a value: {}",
                    tally.bad, tally.signals, tally.reason
                ),
            ),
            Self::Useless(reason) => {
                (Status::Failure, format!("answers, but no signal has a value: {reason}"))
            }
            Self::Silent => (Status::Failure, since("no answer", vitals)),
            Self::NotConnected => (Status::Failure, since("no connection", vitals)),
        }
    }
}

/// One line a change of status, never one a sample.
fn log(device: &str, status: Status, detail: &str, error: Option<&str>) {
    match status {
        Status::Normal | Status::FunctionCheck => tracing::info!("{device}: {detail}"),
        Status::Maintenance | Status::OutOfSpecification | Status::Failure => {
            tracing::warn!("{device}: {detail}; last error: {}", error.unwrap_or("none"));
        }
    }
}

fn since(what: &str, vitals: &Vitals) -> String {
    match vitals.last_good {
        Some(last) => format!("{what} since {last}"),
        None => format!("{what} since the start"),
    }
}

/// What a fault means and what to do.
fn advice(fault: Fault, asked: Asked) -> String {
    let Asked { unit, read, timeout } = asked;
    let place = format!("{}:{} ({} long)", read.area.name(), read.start, read.count);
    match fault {
        Fault::Timeout => format!(
            "no answer from unit {unit} within {}; check power, wiring and the unit id, or raise \
             `timeout`",
            duration::show(timeout)
        ),
        Fault::Exception(1) => format!(
            "cannot read {} at all (exception 1); take the area from its manual",
            read.area.name()
        ),
        Fault::Exception(2) => {
            format!("has no {place} (exception 2); check `at`, or name the gap in `holes`")
        }
        Fault::Exception(3) => format!(
            "refuses to read {place} at once (exception 3); lower `max_registers` or `max_bits`"
        ),
        Fault::Exception(5 | 6) => format!("is busy reading {place} ({fault}); scan slower"),
        Fault::Exception(10 | 11) => format!(
            "the gateway does not reach unit {unit} ({fault}); check the device behind it and the \
             unit id"
        ),
        Fault::Exception(_) => {
            format!("{fault} for {place}; look the number up in its manual")
        }
        Fault::Unit(_) => {
            format!("{fault}; two devices may share an address, correct the unit id")
        }
        Fault::Function(_) | Fault::Quantity | Fault::Short => {
            format!("{fault} ({place}); the device or a gateway on the way is faulty")
        }
        Fault::Crc => format!(
            "{fault} ({place}); check termination, shielding, baud rate and parity, and that no \
             other master or unit {unit} is on the line"
        ),
        Fault::Framing(_) => {
            format!("{fault}; check that host and port belong to a Modbus TCP server")
        }
        Fault::Closed | Fault::Io(_) => {
            format!("{fault}; check the cable and whether another client holds the only connection")
        }
        Fault::Request => format!("{place}: {fault}; this is a defect of the gateway"),
    }
}
