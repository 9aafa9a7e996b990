//! Figures of uplinks.

use pipelines_flow::uplink::StreamVitals;

use super::Figures;
use crate::view::View;

/// A figure of a stream of an uplink.
type OfStream = fn(&StreamVitals) -> u64;

/// Name, kind and help of a figure, and where it comes from.
const STREAMS: [(&str, &str, &str, OfStream); 4] = [
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
