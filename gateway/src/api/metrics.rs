//! Figures for Prometheus, text format 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use pipelines_flow::disk::RealDisk;
use pipelines_flow::historian::HistorianCounts;
use signals::Disk as _;
use signals::adapter::{Instruments, MetricKind, Reading};

use super::Shared;
use crate::lake_size::{Outlook, Size};
use crate::view::View;

mod aggregates;
mod uplinks;
mod upload;

/// All figures.
pub(super) async fn show(State(view): State<Shared>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text(&view)).into_response()
}

/// A figure of a device.
type OfDevice = fn(&signals::adapter::Vitals) -> u64;

/// A family of figures: one name, one meaning, any number of labelled values.
struct Figures<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl Figures<'_> {
    fn of<'a>(out: &'a mut String, name: &'static str, kind: &str, help: &str) -> Figures<'a> {
        // Writing to a String cannot fail.
        let _ok = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Figures { out, name }
    }

    fn put(&mut self, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> =
            labels.iter().map(|(key, text)| format!("{key}=\"{}\"", escape(text))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ok = writeln!(self.out, "{}{labels} {value}", self.name);
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn text(view: &View) -> String {
    let mut out = String::new();
    journal(view, &mut out);
    lake(view, &mut out);
    aggregates::put(view, &mut out);
    devices(view, &mut out);
    lines(&view.instrument_list(), &mut out);
    uplinks::put(view, &mut out);
    upload::put(view, &mut out);
    rules(view, &mut out);
    connections(view, &mut out);
    out
}

fn connections(view: &View, out: &mut String) {
    let all = &view.connections;
    let open = "Connections to the page that are open.";
    Figures::of(out, "fieldgate_http_connections", "gauge", open).put(&[], all.open());
    for (name, help, value) in [
        (
            "fieldgate_http_connections_refused_total",
            "Connections closed at once: 512 are open, or 64 of that address.",
            all.refused(),
        ),
        (
            "fieldgate_http_connections_idle_total",
            "Connections closed because not a byte had come or gone for 5 minutes.",
            all.idle(),
        ),
        (
            "fieldgate_tls_handshakes_failed_total",
            "Connections to the page that began no HTTP: TLS failed, or nothing came in 10 s.",
            all.handshakes_failed(),
        ),
    ] {
        Figures::of(out, name, "counter", help).put(&[], value);
    }
}

fn rules(view: &View, out: &mut String) {
    let (moments, failures) = view.board.counts();
    let told = view.board.told();
    let one = [
        (
            "fieldgate_rules_moments_total",
            "counter",
            "Samples that rules were asked about.",
            moments,
        ),
        (
            "fieldgate_rules_failures_total",
            "counter",
            "Batches on which a rule could not be evaluated.",
            failures,
        ),
        ("fieldgate_alarms_told", "gauge", "Alarms that want something of an operator.", told.told),
        (
            "fieldgate_alarms_unacknowledged",
            "gauge",
            "Of these, those nobody has acknowledged.",
            told.unacknowledged,
        ),
    ];
    for (name, kind, help, value) in one {
        Figures::of(out, name, kind, help).put(&[], value);
    }
    if let Some(at) = view.board.at() {
        let lag = view.journal.durable().0.saturating_sub(at.0);
        let help = "Records of the journal that the rules have not read yet.";
        Figures::of(out, "fieldgate_rules_lag_records", "gauge", help).put(&[], lag);
    }
}

fn journal(view: &View, out: &mut String) {
    let counts = view.journal.counts();
    let one = [
        (
            "fieldgate_journal_offset",
            "gauge",
            "Records made durable since the journal was begun.",
            view.journal.durable().0,
        ),
        ("fieldgate_journal_bytes", "gauge", "Bytes of the journal on disk.", view.journal.bytes()),
        (
            "fieldgate_journal_written_bytes_total",
            "counter",
            "Bytes written in commits.",
            counts.bytes_written,
        ),
        ("fieldgate_journal_commits_total", "counter", "Commits made durable.", counts.commits),
        (
            "fieldgate_journal_failed_commits_total",
            "counter",
            "Commits that failed and were tried again.",
            counts.failed_commits,
        ),
        (
            "fieldgate_journal_refused_total",
            "counter",
            "Batches refused because the queue was full.",
            view.intake.refused(),
        ),
        (
            "fieldgate_journal_evicted_total",
            "counter",
            "Records given up before every consumer had read them.",
            counts.evicted,
        ),
        (
            "fieldgate_journal_unreadable_total",
            "counter",
            "Records that could not be read.",
            counts.unreadable,
        ),
    ];
    for (name, kind, help, value) in one {
        Figures::of(out, name, kind, help).put(&[], value);
    }
}

fn lake(view: &View, out: &mut String) {
    let now = view.clock.now();
    let size = view.lake_size.get(now);
    let counts = view.historian.counts();
    let one = [
        ("fieldgate_lake_files", "gauge", "Parquet files in the lake.", size.files),
        ("fieldgate_lake_bytes", "gauge", "Their bytes.", size.bytes),
        (
            "fieldgate_lake_rows_total",
            "counter",
            "Rows sealed into files since the start.",
            counts.rows,
        ),
        (
            "fieldgate_lake_failed_files_total",
            "counter",
            "Files that could not be written and were tried again.",
            counts.failed,
        ),
        (
            "fieldgate_lake_compacted_files_total",
            "counter",
            "Small files that were joined to larger ones.",
            counts.compacted,
        ),
        (
            "fieldgate_lake_compaction_bytes_total",
            "counter",
            "Bytes written for that.",
            counts.compaction_bytes,
        ),
        (
            "fieldgate_lake_damaged_files_total",
            "counter",
            "Files found damaged and set aside.",
            counts.damaged,
        ),
        (
            "fieldgate_lake_missed_records_total",
            "counter",
            "Records the journal lost before they were in a file.",
            counts.missed,
        ),
        (
            "fieldgate_lake_unsealed_rows",
            "gauge",
            "Rows in the journal that are not in a file yet.",
            view.historian.unsealed_rows() as u64,
        ),
    ];
    for (name, kind, help, value) in one {
        Figures::of(out, name, kind, help).put(&[], value);
    }
    given_up(counts, out);
    volume(view, &size, out);
}

/// What went to keep the lake within its budget.
fn given_up(counts: HistorianCounts, out: &mut String) {
    for (name, kind, help, value) in [
        (
            "fieldgate_lake_evicted_files_total",
            "counter",
            "Files given up to keep the lake within its budget.",
            counts.evicted,
        ),
        ("fieldgate_lake_evicted_bytes_total", "counter", "Their bytes.", counts.evicted_bytes),
        (
            "fieldgate_lake_thinned_files_total",
            "counter",
            "Files of which one row a minute was left to keep the lake within its budget.",
            counts.thinned,
        ),
        (
            "fieldgate_lake_thinned_bytes_total",
            "counter",
            "Bytes that were freed by it.",
            counts.thinned_bytes,
        ),
        (
            "fieldgate_lake_damaged_removed_total",
            "counter",
            "Of those set aside, removed because the volume had no room.",
            counts.damaged_removed,
        ),
    ] {
        Figures::of(out, name, kind, help).put(&[], value);
    }
}

/// The volume the lake is on, and how long its room lasts.
fn volume(view: &View, size: &Size, out: &mut String) {
    let room = RealDisk.room(view.lake_size.folder()).ok();
    let outlook = Outlook::of(size, room, view.historian.budget(), view.clock.now());
    if let Some(room) = room {
        for (name, help, value) in [
            ("fieldgate_volume_free_bytes", "Bytes free on the volume of the lake.", room.free),
            ("fieldgate_volume_bytes", "Bytes of that volume.", room.total),
        ] {
            Figures::of(out, name, "gauge", help).put(&[], value);
        }
    }
    if let Some(bytes) = outlook.bytes_per_day {
        let help = "Bytes a day that the lake grows by.";
        Figures::of(out, "fieldgate_lake_bytes_per_day", "gauge", help).put(&[], bytes);
    }
    if let Some(days) = outlook.days_left() {
        let help = "Days until the oldest files go, if the lake goes on growing like this.";
        Figures::of(out, "fieldgate_lake_days_left", "gauge", help).put(&[], days);
    }
}

fn devices(view: &View, out: &mut String) {
    let families: [(&'static str, &str, OfDevice); 6] = [
        ("fieldgate_device_requests_total", "Requests sent, or frames received.", |v| v.requests),
        ("fieldgate_device_answers_total", "Requests answered, or frames decoded.", |v| v.answers),
        ("fieldgate_device_timeouts_total", "Requests without an answer in time.", |v| v.timeouts),
        (
            "fieldgate_device_exceptions_total",
            "Refusals, or frames that could not be decoded.",
            |v| v.exceptions,
        ),
        (
            "fieldgate_device_missed_slots_total",
            "Sampling slots that passed before the line was free.",
            |v| v.missed,
        ),
        ("fieldgate_device_dropped_batches_total", "Batches the full journal gave back.", |v| {
            v.dropped
        }),
    ];
    for (name, help, count) in families {
        let mut figures = Figures::of(out, name, "counter", help);
        for health in view.device_list() {
            figures.put(&[("device", &health.device)], count(&health.vitals()));
        }
    }
    let help = "NE 107 status: 0 normal, 1 maintenance, 2 out of specification, 3 function check, 4 failure.";
    let mut figures = Figures::of(out, "fieldgate_device_status", "gauge", help);
    for health in view.device_list() {
        figures.put(&[("device", &health.device)], health.vitals().status as u8);
    }
}

/// What adapters count of their lines and buses: `fieldgate_` and the adapter's own name, with the
/// line beside the adapter's labels. Readings of one metric stand together, whatever the line.
fn lines(all: &[Arc<Instruments>], out: &mut String) {
    let sets: Vec<(&str, Arc<[Reading]>)> =
        all.iter().map(|line| (line.name.as_str(), line.readings())).collect();
    let mut metrics: BTreeMap<&'static str, Vec<(&str, &Reading)>> = BTreeMap::new();
    for (line, readings) in &sets {
        for reading in readings.iter() {
            metrics.entry(reading.metric.name).or_default().push((*line, reading));
        }
    }
    for readings in metrics.values() {
        let Some((_, first)) = readings.first() else { continue };
        let (name, help) = (first.metric.name, first.metric.help);
        let kind = match first.metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
        };
        // Writing to a String cannot fail.
        let _ok = writeln!(out, "# HELP fieldgate_{name} {help}\n# TYPE fieldgate_{name} {kind}");
        for (line, reading) in readings {
            let mut labels = format!("line=\"{}\"", escape(line));
            for (key, text) in reading.labels.iter() {
                let _ok = write!(labels, ",{key}=\"{}\"", escape(text));
            }
            let _ok = writeln!(out, "fieldgate_{name}{{{labels}}} {}", reading.value);
        }
    }
}

#[cfg(test)]
mod tests;
