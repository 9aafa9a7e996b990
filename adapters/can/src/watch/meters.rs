//! Meters: watched messages as readings for `/metrics`.

use std::sync::Arc;
use std::time::Duration;

use signals::adapter::{Labels, Metric, MetricKind, Reading};

use super::{Heard, WatchCounts};

/// Messages that are shown; further ones are watched, but not shown.
const MESSAGES_MAX: usize = 500;

macro_rules! metrics {
    ($($metric:ident $kind:ident $name:literal $help:literal;)*) => {
        $(static $metric: Metric =
            Metric { name: $name, kind: MetricKind::$kind, help: $help };)*
    };
}

metrics! {
    AGE Gauge "can_message_age_seconds" "Time since the last frame of a watched message.";
    CYCLE Gauge "can_message_cycle_seconds" "Distance that is expected of its frames: configured, declared or learned.";
    STALE Gauge "can_message_stale" "1 while it has been silent for longer than it may be.";
    SILENCES Counter "can_message_silences_total" "Times it fell silent.";
    CHECKSUM Counter "can_message_wrong_checksums_total" "Frames whose checksum is wrong.";
    STILL Counter "can_message_still_counters_total" "Frames whose counter stood still.";
    MISSED Counter "can_message_missed_frames_total" "Frames that are missing by their counter.";
}

/// Readings of watched messages: name, counts, senders.
pub(crate) fn readings<'a>(
    watched: impl Iterator<Item = (&'a str, WatchCounts, Vec<Heard>)>,
) -> Vec<Reading> {
    let mut readings = Vec::new();
    for (message, counts, senders) in watched.take(MESSAGES_MAX) {
        let labels: Labels = [("message", message.to_owned())].into();
        let totals = [
            (&SILENCES, counts.stale),
            (&CHECKSUM, counts.checksum),
            (&STILL, counts.counter_still),
            (&MISSED, counts.counter_missed),
        ];
        readings.extend(totals.map(|(metric, count)| Reading {
            metric,
            labels: Arc::clone(&labels),
            value: float(count),
        }));
        for sender in senders {
            let source = ("source", sender.source.to_string());
            let labels: Labels = [("message", message.to_owned()), source].into();
            let now = [
                (&AGE, Some(sender.age.as_secs_f64())),
                (&CYCLE, sender.cycle.as_ref().map(Duration::as_secs_f64)),
                (&STALE, Some(f64::from(u8::from(sender.stale)))),
            ];
            readings.extend(now.into_iter().filter_map(|(metric, value)| {
                Some(Reading { metric, labels: Arc::clone(&labels), value: value? })
            }));
        }
    }
    readings
}

#[expect(clippy::cast_precision_loss, reason = "counters are exact up to 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
