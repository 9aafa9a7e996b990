//! Meters: what a line counts, as readings for `/metrics` and the page, once a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use signals::adapter::{Instruments, Labels, Metric, MetricKind, Reading};

use super::histogram::Histogram;
use super::learn::Lessons;
use super::report::Counts;
use super::unit::State;
use crate::wire::WireCounts;

/// Time between two sets of readings.
pub(super) const SHOW_EVERY: Duration = Duration::from_secs(1);

macro_rules! metrics {
    ($($metric:ident $kind:ident $name:literal $help:literal;)*) => {
        $(static $metric: Metric =
            Metric { name: $name, kind: MetricKind::$kind, help: $help };)*
    };
}

metrics! {
    UTILISATION Gauge "modbus_line_utilisation_ratio" "Share of the last second in which the line was asking.";
    DUE Counter "modbus_line_slots_due_total" "Slots that came due, missed ones among them.";
    DONE Counter "modbus_line_slots_done_total" "Slots whose scan was asked for.";
    MISSED Counter "modbus_line_slots_missed_total" "Slots that passed before the line was free.";
    SKIPPED Counter "modbus_line_slots_skipped_total" "Slots of devices that were not asked: silent or not connected.";
    BYTES_OUT Counter "modbus_line_bytes_sent_total" "Bytes sent.";
    BYTES_IN Counter "modbus_line_bytes_received_total" "Bytes received.";
    CRC Counter "modbus_line_crc_errors_total" "Frames whose checksum was wrong.";
    RESYNC Counter "modbus_line_resync_bytes_total" "Bytes skipped in search of an answer.";
    DRAINED Counter "modbus_line_drained_bytes_total" "Bytes thrown away before a request.";
    LATE Counter "modbus_line_late_answers_total" "Answers to requests that had been given up.";
    DUPLICATE Counter "modbus_line_duplicate_answers_total" "Second answers to a request.";
    FOREIGN Counter "modbus_line_foreign_answers_total" "Answers to requests that were never sent.";
    ECHO Gauge "modbus_line_undeclared_echo" "1 when our own bytes come back though local_echo does not say so: set it.";
    CONNECTS Counter "modbus_line_connects_total" "Connections that came up, or openings of the port.";
    CONNECTED Gauge "modbus_line_connected" "1 while the connection is up, else 0.";
    DEPTH Gauge "modbus_line_pipeline_depth" "Requests that may be on their way at once.";
    LATENESS Gauge "modbus_line_start_lateness_p99_seconds" "How late after its slot a scan is asked for, 99th percentile of the recent past.";
    REQUESTS Counter "modbus_unit_requests_total" "Requests sent to the unit.";
    ANSWERS Counter "modbus_unit_answers_total" "Requests it answered.";
    TIMEOUTS Counter "modbus_unit_timeouts_total" "Requests without an answer in time.";
    EXCEPTIONS Counter "modbus_unit_exceptions_total" "Refusals, by exception code.";
    ROUND_TRIP Gauge "modbus_unit_round_trip_seconds" "Time from request to answer, quantile of the recent past.";
    STATE Gauge "modbus_unit_state" "0 answers, 1 in doubt, 2 silent and asked now and then.";
    PROBE Gauge "modbus_unit_next_probe_seconds" "Time until a silent unit is asked again.";
    REGISTERS_MAX Gauge "modbus_unit_learned_registers_max" "Registers it gives at once, as found out.";
    BITS_MAX Gauge "modbus_unit_learned_bits_max" "Bits it gives at once, as found out.";
    HOLES Gauge "modbus_unit_learned_holes" "Stretches of addresses it lacks, as found out.";
}

/// The counters of a line.
pub(super) struct Meters {
    instruments: Arc<Instruments>,
    none: Labels,
    shown_at: Duration,
    /// Time the line was asking since `shown_at`.
    busy: Duration,
    done: u64,
    skipped: u64,
    missed: u64,
    lateness: Histogram,
}

/// The counters of a unit.
pub(super) struct UnitMeters {
    labels: Labels,
    p50: Labels,
    p99: Labels,
    exceptions: BTreeMap<u8, (u64, Labels)>,
    pub(super) trips: Histogram,
}

/// What a line is now.
pub(super) struct LineNow {
    pub(super) wire: WireCounts,
    pub(super) connects: u64,
    pub(super) is_up: bool,
    pub(super) depth: usize,
}

/// What a unit is now.
pub(super) struct UnitNow<'a> {
    pub(super) counts: Counts,
    pub(super) state: State,
    pub(super) lessons: &'a Lessons,
}

impl Meters {
    pub(super) fn new(instruments: Arc<Instruments>) -> Self {
        Self {
            instruments,
            none: Labels::default(),
            shown_at: Duration::ZERO,
            busy: Duration::ZERO,
            done: 0,
            skipped: 0,
            missed: 0,
            lateness: Histogram::default(),
        }
    }

    /// The line was asking for this long.
    pub(super) fn asked(&mut self, span: Duration) {
        self.busy += span;
    }

    /// A slot was taken after `missed` others had passed.
    pub(super) fn took(&mut self, missed: u64, is_asked: bool) {
        self.missed += missed;
        self.done += u64::from(is_asked);
        self.skipped += u64::from(!is_asked);
    }

    /// A scan was asked for so long after its slot.
    pub(super) fn started(&mut self, late: Duration) {
        self.lateness.note(late);
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        now.saturating_sub(self.shown_at) >= SHOW_EVERY
    }

    /// Shows everything; `units` are the readings of the line's units.
    pub(super) fn show(&mut self, now: Duration, line: &LineNow, units: Vec<Reading>) {
        let span = now.saturating_sub(self.shown_at);
        let busy = std::mem::take(&mut self.busy);
        self.shown_at = now;
        let LineNow { wire, connects, is_up, depth } = *line;
        let mut readings = units;
        let values = [
            (&UTILISATION, (busy.as_secs_f64() / span.as_secs_f64()).min(1.0)),
            (&DUE, float(self.done + self.skipped + self.missed)),
            (&DONE, float(self.done)),
            (&MISSED, float(self.missed)),
            (&SKIPPED, float(self.skipped)),
            (&BYTES_OUT, float(wire.bytes_out)),
            (&BYTES_IN, float(wire.bytes_in)),
            (&CRC, float(wire.crc)),
            (&RESYNC, float(wire.resync_bytes)),
            (&DRAINED, float(wire.drained_bytes)),
            (&LATE, float(wire.strays.late)),
            (&DUPLICATE, float(wire.strays.duplicate)),
            (&FOREIGN, float(wire.strays.foreign)),
            (&ECHO, float(wire.echoes)),
            (&CONNECTS, float(connects)),
            (&CONNECTED, f64::from(u8::from(is_up))),
            (&DEPTH, float(u64::try_from(depth).unwrap_or(u64::MAX))),
        ];
        readings.extend(values.into_iter().map(|(metric, value)| Reading {
            metric,
            labels: Arc::clone(&self.none),
            value,
        }));
        let late = self.lateness.quantile(0.99);
        readings.extend(late.map(|late| Reading {
            metric: &LATENESS,
            labels: Arc::clone(&self.none),
            value: late.as_secs_f64(),
        }));
        self.instruments.show(readings);
    }
}

impl UnitMeters {
    pub(super) fn new(device: &str, unit: u8) -> Self {
        let labels = |more: Option<(&'static str, String)>| -> Labels {
            let own = [("device", device.to_owned()), ("unit", unit.to_string())];
            own.into_iter().chain(more).collect()
        };
        Self {
            labels: labels(None),
            p50: labels(Some(("quantile", "0.5".to_owned()))),
            p99: labels(Some(("quantile", "0.99".to_owned()))),
            exceptions: BTreeMap::new(),
            trips: Histogram::default(),
        }
    }

    /// The unit refused with this code.
    pub(super) fn refused(&mut self, code: u8) {
        let labels = || {
            let code = ("code", code.to_string());
            self.labels.iter().cloned().chain([code]).collect()
        };
        self.exceptions.entry(code).or_insert_with(|| (0, labels())).0 += 1;
    }

    /// Appends the readings of the unit.
    pub(super) fn read(&self, unit: &UnitNow<'_>, now: Duration, readings: &mut Vec<Reading>) {
        let (state, probe) = match unit.state {
            State::Ok => (0, None),
            State::Suspect(_) => (1, None),
            State::Demoted { probe_at, .. } => (2, Some(probe_at.saturating_sub(now))),
        };
        let lessons = unit.lessons;
        let holes = lessons.holes.len() + lessons.missing.len();
        let values = [
            (&REQUESTS, Some(float(unit.counts.requests))),
            (&ANSWERS, Some(float(unit.counts.answers))),
            (&TIMEOUTS, Some(float(unit.counts.timeouts))),
            (&STATE, Some(f64::from(state))),
            (&PROBE, probe.map(|probe| probe.as_secs_f64())),
            (&REGISTERS_MAX, lessons.registers_max.map(f64::from)),
            (&BITS_MAX, lessons.bits_max.map(f64::from)),
            (&HOLES, (holes > 0).then(|| float(u64::try_from(holes).unwrap_or(u64::MAX)))),
        ];
        let mut add = |metric, labels: &Labels, value| {
            readings.push(Reading { metric, labels: Arc::clone(labels), value });
        };
        for (metric, value) in values {
            if let Some(value) = value {
                add(metric, &self.labels, value);
            }
        }
        for (share, labels) in [(0.5, &self.p50), (0.99, &self.p99)] {
            if let Some(trip) = self.trips.quantile(share) {
                add(&ROUND_TRIP, labels, trip.as_secs_f64());
            }
        }
        for (count, labels) in self.exceptions.values() {
            add(&EXCEPTIONS, labels, float(*count));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counters are exact up to 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
