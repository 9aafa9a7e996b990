//! Figures of uplinks.

use std::sync::PoisonError;

use pipelines_flow::forward::ForwardVitals;
use pipelines_flow::uplink::StreamVitals;

use super::Figures;
use crate::view::View;

/// A figure of a stream of an uplink.
type OfStream = fn(&StreamVitals) -> u64;

/// Name, kind and help of a figure, and where it comes from.
const STREAMS: [(&str, &str, &str, OfStream); 5] = [
    ("fieldgate_uplink_backlog_messages", "gauge", "Messages not acknowledged yet.", |s| {
        s.backlog_messages
    }),
    ("fieldgate_uplink_backlog_bytes", "gauge", "Their bytes.", |s| s.backlog_bytes),
    ("fieldgate_uplink_sent_total", "counter", "Messages given to the network.", |s| s.sent),
    (
        "fieldgate_uplink_acknowledged_total",
        "counter",
        "Messages the broker has acknowledged.",
        |s| s.acknowledged,
    ),
    (
        "fieldgate_uplink_set_aside_total",
        "counter",
        "Messages in quarantine: refused by the broker, or too long.",
        |s| s.set_aside,
    ),
];

pub(super) fn put(view: &View, out: &mut String) {
    let mut figures =
        Figures::of(out, "fieldgate_uplink_up", "gauge", "1 while the broker has accepted us.");
    for uplink in &view.uplinks {
        figures.put(&[("uplink", &uplink.health.name)], u8::from(uplink.link.is_up()));
    }
    for (name, kind, help, count) in STREAMS {
        let mut figures = Figures::of(out, name, kind, help);
        for uplink in &view.uplinks {
            for stream in &uplink.health.vitals().streams {
                let labels = [("uplink", uplink.health.name.as_str()), ("stream", &stream.stream)];
                figures.put(&labels, count(stream));
            }
        }
    }
    let help = "Messages that will never be delivered.";
    let mut figures = Figures::of(out, "fieldgate_uplink_lost_total", "counter", help);
    for uplink in &view.uplinks {
        for stream in &uplink.health.vitals().streams {
            let reasons =
                [("outbox_full", stream.lost_outbox_full), ("too_old", stream.lost_too_old)];
            for (reason, count) in reasons {
                let labels = [
                    ("uplink", uplink.health.name.as_str()),
                    ("stream", &stream.stream),
                    ("reason", reason),
                ];
                figures.put(&labels, count);
            }
        }
    }
    forwards(view, out);
    let help = "Whole days until a certificate ends; negative when it is over.";
    let name = "fieldgate_uplink_certificate_days_left";
    let mut figures = Figures::of(out, name, "gauge", help);
    for uplink in &view.uplinks {
        for term in uplink.health.vitals().certificates {
            let labels = [("uplink", uplink.health.name.as_str()), ("certificate", term.role)];
            figures.put(&labels, term.days_left(view.clock.now()));
        }
    }
}

/// A figure of a stream on its way to its outbox.
type OfForward = fn(&ForwardVitals) -> u64;

/// Streams on their way from the journal to their outbox.
fn forwards(view: &View, out: &mut String) {
    let families: [(&'static str, &str, &str, OfForward); 3] = [
        ("fieldgate_outbox_messages_total", "counter", "Messages put into the outbox.", |v| {
            v.messages
        }),
        (
            "fieldgate_outbox_missed_records_total",
            "counter",
            "Records the journal gave up before they became messages.",
            |v| v.missed,
        ),
        (
            "fieldgate_outbox_held",
            "gauge",
            "1 while the outbox is full and the journal is not read because of it.",
            |v| u64::from(v.is_held),
        ),
    ];
    for (name, kind, help, count) in families {
        let mut figures = Figures::of(out, name, kind, help);
        for (stream, vitals) in &view.forwards {
            let vitals = vitals.lock().unwrap_or_else(PoisonError::into_inner);
            figures.put(&[("stream", stream)], count(&vitals));
        }
    }
}
