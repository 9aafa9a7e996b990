//! Whether the process is alive, and whether it does its job.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;

use super::Shared;
use crate::readiness::Readiness;

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "ok"
}

/// Samples arrive and become durable. 503 with the reason when not.
pub(super) async fn ready(State(view): State<Shared>) -> (StatusCode, Json<serde_json::Value>) {
    let readiness = Readiness::of(&view);
    let clock = match readiness.clock {
        signals::ClockState::Synced => "ok",
        signals::ClockState::Unsynced => "not set",
    };
    let ready = readiness.is_ready();
    let devices = readiness.devices_text();
    let checks = json!({
        "journal": readiness.journal_error.unwrap_or_else(|| "ok".to_owned()),
        "devices": devices,
        "clock": clock,
    });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "checks": checks })))
}
