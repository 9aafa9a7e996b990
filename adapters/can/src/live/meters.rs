//! Meters: what is counted of a live bus, as readings for `/metrics` and the page, once a second.

use std::sync::Arc;
use std::time::Duration;

use signals::adapter::{Instruments, Labels, Metric, MetricKind, Reading};

use super::errors::{Cause, CauseCounts};
use super::report::Stage;
use super::state::BusState;
use crate::reload::Reload;
use crate::stream::{Counts, Stream};

macro_rules! metrics {
    ($($metric:ident $kind:ident $name:literal $help:literal;)*) => {
        $(static $metric: Metric =
            Metric { name: $name, kind: MetricKind::$kind, help: $help };)*
    };
}

metrics! {
    STATE Gauge "can_bus_state" "0 active, 1 warning, 2 passive, 3 off the bus, 4 interface down, 5 absent, 6 settings refused.";
    FRAMES Counter "can_bus_frames_total" "Frames received, remote and error frames among them.";
    DECODED Counter "can_bus_decoded_frames_total" "Frames that became a row with all its signals.";
    TRUNCATED Counter "can_bus_truncated_frames_total" "Frames too short for one of their signals.";
    UNKNOWN Counter "can_bus_unknown_frames_total" "Frames that no database knows, remote and error frames among them.";
    UNKNOWN_IDS Gauge "can_bus_unknown_ids" "Identifiers that no database knows, seen so far.";
    MALFORMED Counter "can_bus_malformed_messages_total" "Messages of the kernel that are no frames.";
    ERROR_FRAMES Counter "can_bus_error_frames_received_total" "Error frames, whatever their causes.";
    ERRORS Counter "can_bus_error_frames_total" "Error frames, by cause; one with several counts for each.";
    LOST Counter "can_bus_lost_frames_total" "Frames lost before they were read, by stage.";
    REFUSED Counter "can_bus_refused_rows_total" "Rows the journal had no room for.";
    LOAD Gauge "can_bus_load_ratio" "Share of the last second in which frames occupied the bus, to the bit; error frames are not in it.";
    RATE Gauge "can_bus_frame_rate_hz" "Frames in the last second.";
    TEC Gauge "can_bus_transmit_errors" "Transmit error counter of the controller.";
    REC Gauge "can_bus_receive_errors" "Receive error counter of the controller.";
    RESTARTS Counter "can_bus_restarts_total" "Times the controller came back from bus-off.";
    OPENED Counter "can_bus_opened_total" "Times the interface was opened.";
    BUFFER Gauge "can_bus_receive_buffer_bytes" "Receive buffer that the kernel granted.";
    AGE Gauge "can_bus_last_frame_age_seconds" "Time since the last frame.";
    STEPS Counter "can_bus_clock_steps_total" "Times the wall clock was set.";
    DATABASES Counter "can_bus_database_changes_total" "Times that changed databases were taken while frames flowed.";
    REFUSALS Counter "can_bus_database_refusals_total" "Times that changed databases could not be used.";
    UNUSABLE Gauge "can_bus_databases_refused" "1 while the databases on disk cannot be used and those before the change go on.";
    NOTICES Counter "can_bus_lost_notices_total" "Events and gaps that found no room in the journal for good.";
}

/// What is counted of a live bus besides its [`Counts`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) state: BusState,
    pub(crate) malformed: u64,
    pub(crate) causes: CauseCounts,
    pub(crate) error_frames: u64,
    /// Frames lost, in the order of [`Stage::ALL`].
    pub(crate) lost: [u64; Stage::ALL.len()],
    /// Share of the last second that was busy.
    pub(crate) load: Option<f64>,
    pub(crate) rate: f64,
    /// Transmit and receive error counters.
    pub(crate) counters: Option<(u16, u16)>,
    pub(crate) restarts: u64,
    pub(crate) opened: u64,
    pub(crate) buffer_bytes: usize,
    pub(crate) age: Option<Duration>,
    pub(crate) clock_steps: u64,
    pub(crate) lost_notices: u64,
}

/// Shows readings.
pub(crate) struct Meters {
    instruments: Arc<Instruments>,
    none: Labels,
}

impl Meters {
    pub(crate) fn new(instruments: Arc<Instruments>) -> Self {
        Self { instruments, none: Labels::default() }
    }

    pub(crate) fn show(&self, tally: &Tally, stream: &Stream, reload: &Reload) {
        let one = [
            (&STATE, Some(tally.state.number())),
            (&MALFORMED, Some(float(tally.malformed))),
            (&LOAD, tally.load),
            (&RATE, Some(tally.rate)),
            (&TEC, tally.counters.map(|(transmit, _)| f64::from(transmit))),
            (&REC, tally.counters.map(|(_, receive)| f64::from(receive))),
            (&RESTARTS, Some(float(tally.restarts))),
            (&OPENED, Some(float(tally.opened))),
            (&BUFFER, Some(count(tally.buffer_bytes))),
            (&AGE, tally.age.map(|age| age.as_secs_f64())),
            (&STEPS, Some(float(tally.clock_steps))),
            (&ERROR_FRAMES, Some(float(tally.error_frames))),
            (&NOTICES, Some(float(tally.lost_notices))),
        ];
        let mut readings: Vec<Reading> = one
            .into_iter()
            .filter_map(|(metric, value)| {
                Some(Reading { metric, labels: Arc::clone(&self.none), value: value? })
            })
            .collect();
        readings.extend(of_stream(stream));
        readings.extend(of_databases(reload));
        let labelled = |metric, key, label: &str, value| Reading {
            metric,
            labels: [(key, label.to_owned())].into(),
            value: float(value),
        };
        readings.extend(
            Stage::ALL
                .into_iter()
                .zip(tally.lost)
                .map(|(stage, frames)| labelled(&LOST, "stage", stage.label(), frames)),
        );
        let all = Cause::ALL.iter().map(|cause| (*cause, tally.causes.of(*cause)));
        readings.extend(all.map(|(cause, n)| labelled(&ERRORS, "cause", cause.label(), n)));
        self.instruments.show(readings);
    }
}

/// What is counted of any bus, live or recorded, and of its watched messages.
pub(crate) fn of_stream(stream: &Stream) -> Vec<Reading> {
    let counts: &Counts = stream.counts();
    let labels = Labels::default();
    let totals = [
        (&FRAMES, float(counts.frames)),
        (&DECODED, float(counts.decoded)),
        (&TRUNCATED, float(counts.truncated)),
        (&UNKNOWN, float(counts.unknown)),
        (&UNKNOWN_IDS, count(counts.unknown_ids.len())),
        (&REFUSED, float(counts.dropped_rows)),
    ];
    let mut readings: Vec<Reading> = totals
        .into_iter()
        .map(|(metric, value)| Reading { metric, labels: Arc::clone(&labels), value })
        .collect();
    readings.extend(stream.message_readings());
    readings
}

/// What became of databases that changed while frames flowed.
pub(crate) fn of_databases(reload: &Reload) -> [Reading; 3] {
    let (taken, refused) = reload.counts;
    let now = u64::from(reload.refused().is_some());
    [(&DATABASES, taken), (&REFUSALS, refused), (&UNUSABLE, now)].map(|(metric, count)| Reading {
        metric,
        labels: Labels::default(),
        value: float(count),
    })
}

/// Times a clock was set, of a bus or of the recorder of a log.
pub(crate) fn of_clock(steps: u64) -> Reading {
    Reading { metric: &STEPS, labels: Labels::default(), value: float(steps) }
}

fn count(value: usize) -> f64 {
    float(u64::try_from(value).unwrap_or(u64::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "counters are exact up to 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
