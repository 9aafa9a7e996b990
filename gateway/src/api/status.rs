//! The state of everything at a glance.

use axum::Json;
use axum::extract::State;
use pipelines_flow::uplink::UplinkState;
use serde_json::{Value, json};
use signals::adapter::Health;

use super::Shared;
use crate::view::{UplinkView, View};

/// See [`of`].
pub(super) async fn show(State(view): State<Shared>) -> Json<Value> {
    Json(of(&view))
}

/// Devices, journal, lake, uplinks and detectors.
pub(super) fn of(view: &View) -> Value {
    let size = view.lake_size.get(view.clock.now());
    let written = view.historian.counts();
    json!({
        "gateway": view.gateway,
        "site": view.site,
        "timezone": view.timezone,
        "signals": view.catalog.len(),
        "catalog_turns": view.catalog.turns(),
        "version": env!("CARGO_PKG_VERSION"),
        "demo": view.demo,
        "started_us": view.started.micros(),
        "now_us": view.clock.now().micros(),
        "clock": view.clock.state(),
        "devices": view.device_list().iter().map(|health| device(view, health)).collect::<Vec<_>>(),
        "journal": {
            "head": view.journal.durable().0,
            "bytes": view.journal.bytes(),
            "segments": view.journal.segments(),
            "sync_interval_ms": view.sync_interval_ms,
            "refused": view.intake.refused(),
            "error": view.journal.last_error(),
        },
        "lake": {
            "files": size.files,
            "bytes": size.bytes,
            "error": size.error,
            "rows": written.rows,
            "bytes_written": written.bytes,
            "evicted_files": written.evicted,
            "evicted_bytes": written.evicted_bytes,
            "thinned_files": written.thinned,
            "thinned_bytes": written.thinned_bytes,
            "missed_records": written.missed,
            "damaged_files": written.damaged,
            "unsealed_rows": view.historian.unsealed_rows(),
        },
        "alarms": view.board.told(),
        "uplinks": view.uplinks.iter().map(|each| uplink(view, each)).collect::<Vec<_>>(),
        "detectors": view.detectors.iter().map(|detector| {
            let vitals = detector.vitals();
            json!({
                "name": detector.name,
                "asset": detector.asset,
                "signals": detector.signals,
                "state": vitals.state,
                "detail": vitals.detail,
                "alarm": vitals.alarm,
                "open_episodes": u8::from(vitals.alarm),
                "score_signal": view.catalog.id_of(&detector.score_path()),
            })
        }).collect::<Vec<_>>(),
    })
}

fn device(view: &View, health: &Health) -> Value {
    let vitals = health.vitals();
    let [good, uncertain, bad] = view.live.classes_of(&health.device);
    let entries = view.catalog.entries();
    let mut tables: Vec<&str> = entries
        .iter()
        .filter(|entry| entry.table.device() == health.device)
        .map(|entry| entry.table.name())
        .collect();
    tables.dedup();
    json!({
        "name": health.device,
        "protocol": health.protocol,
        "address": health.address,
        "status": vitals.status,
        "detail": vitals.detail,
        "since_us": vitals.since.map(signals::Timestamp::micros),
        "last_good_us": vitals.last_good.map(signals::Timestamp::micros),
        "last_error": vitals.last_error,
        "requests": vitals.requests,
        "answers": vitals.answers,
        "timeouts": vitals.timeouts,
        "exceptions": vitals.exceptions,
        "missed": vitals.missed,
        "dropped": vitals.dropped,
        "round_trip_us": vitals.round_trip.map(|span| span.as_micros()),
        "tables": tables,
        "good": good,
        "uncertain": uncertain,
        "bad": bad,
        "key_signal": key_signal(view, &health.device),
        "bus": bus(view, &health.device),
    })
}

/// Figures of a CAN bus; null where it has none: replays have no state, virtual interfaces no load.
fn bus(view: &View, device: &str) -> Option<Value> {
    let all = view.instrument_list();
    let readings = all.iter().find(|one| one.name == device && one.protocol == "can")?.readings();
    let figure = |name: &str| {
        let of = readings.iter().filter(|reading| reading.metric.name == name);
        of.map(|reading| reading.value).reduce(|sum, value| sum + value)
    };
    let total = |name: &str| figure(name).unwrap_or(0.0);
    Some(json!({
        "state": figure("can_bus_state").and_then(adapters_can::live::state_label),
        "frame_rate_hz": figure("can_bus_frame_rate_hz"),
        "load_ratio": figure("can_bus_load_ratio"),
        "transmit_errors": figure("can_bus_transmit_errors"),
        "receive_errors": figure("can_bus_receive_errors"),
        "error_frames": figure("can_bus_error_frames_received_total"),
        "lost_frames": figure("can_bus_lost_frames_total"),
        "refused_rows": total("can_bus_refused_rows_total"),
        "unknown_ids": total("can_bus_unknown_ids"),
        "unknown_frames": total("can_bus_unknown_frames_total"),
        "stale_messages": total("can_message_stale"),
        "databases_refused": total("can_bus_databases_refused") > 0.0,
    }))
}

/// The signal a tile draws: the first analogue one with a unit, else the first number.
fn key_signal(view: &View, device: &str) -> Option<usize> {
    let entries = view.catalog.entries();
    let of_device = || {
        let of = entries.iter().enumerate().filter(|(_, e)| e.table.device() == device);
        of.filter(|(_, e)| {
            matches!(e.signal().kind, signals::ValueType::F32 | signals::ValueType::F64)
        })
    };
    let analogue = of_device().find(|(_, entry)| entry.signal().unit.is_some());
    analogue.or_else(|| of_device().next()).map(|(id, _)| id)
}

fn uplink(view: &View, uplink: &UplinkView) -> Value {
    let vitals = uplink.health.vitals();
    let state = match vitals.state {
        UplinkState::Online => "connected",
        UplinkState::Connecting => "connecting",
        UplinkState::Stopped | UplinkState::Waiting | UplinkState::Cut => "down",
    };
    let rate = |of: fn(&pipelines_flow::uplink::StreamVitals) -> f64| -> f64 {
        vitals.streams.iter().map(of).sum()
    };
    let streams: Vec<Value> = vitals
        .streams
        .iter()
        .map(|stream| {
            // Measured a moment apart: nothing waiting has no oldest.
            let oldest = stream.oldest.as_deref().filter(|_| stream.backlog_messages > 0);
            json!({
                "stream": stream.stream,
                "backlog_messages": stream.backlog_messages,
                "backlog_bytes": stream.backlog_bytes,
                "oldest": oldest,
                "oldest_us": oldest.and_then(micros_of),
                "sent": stream.sent,
                "acknowledged": stream.acknowledged,
                "seq": stream.acknowledged,
                "set_aside": stream.set_aside,
                "lost": stream.lost_outbox_full + stream.lost_too_old,
            })
        })
        .collect();
    let now = view.clock.now();
    let certificates: Vec<Value> = vitals
        .certificates
        .iter()
        .map(|term| {
            json!({
                "certificate": term.role,
                "not_after_us": term.not_after.micros(),
                "days_left": term.days_left(now),
            })
        })
        .collect();
    json!({
        "name": uplink.health.name,
        "kind": "mqtt",
        "address": uplink.health.address,
        "state": state,
        "since_us": vitals.since.map(signals::Timestamp::micros),
        "last_error": vitals.last_error,
        "connections": vitals.connections,
        "streams": streams,
        "drain_per_s": rate(|s| s.drain_per_s),
        "fill_per_s": rate(|s| s.fill_per_s),
        "eta_s": vitals.streams.iter().filter_map(|s| s.eta_s).reduce(f64::max),
        "certificates": certificates,
        "bytes_left_today": vitals.bytes_left_today,
        "note": note(view, uplink),
    })
}

/// What a person should know although it is no error.
fn note(view: &View, uplink: &UplinkView) -> Option<String> {
    const SOON_DAYS: i64 = 30;
    if uplink.link.is_cut() {
        return Some("link outage simulated".to_owned());
    }
    let vitals = uplink.health.vitals();
    let never: u64 = vitals
        .streams
        .iter()
        .map(|stream| stream.set_aside + stream.lost_outbox_full + stream.lost_too_old)
        .sum();
    if never > 0 {
        return Some(format!("{never} messages will never be delivered: see the events"));
    }
    let now = view.clock.now();
    let first = vitals.certificates.into_iter().min_by_key(|term| term.not_after)?;
    let days = first.days_left(now);
    let ends = first.not_after.date();
    (days < SOON_DAYS).then(|| format!("certificate ({}) ends on {ends}: renew it", first.role))
}

/// Microseconds of a time printed by [`signals::Timestamp`].
fn micros_of(text: &str) -> Option<i64> {
    signals::Timestamp::parse(text).map(signals::Timestamp::micros)
}
