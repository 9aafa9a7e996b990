//! Whether the process is alive, and whether it does its job.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use signals::adapter::Status;

use super::Shared;

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "ok"
}

/// Samples arrive and become durable. 503 with the reason when not.
pub(super) async fn ready(State(view): State<Shared>) -> (StatusCode, Json<serde_json::Value>) {
    let journal = view.journal.last_error();
    let known = view.device_list();
    let failed = known.iter().filter(|d| d.vitals().status == Status::Failure).count();
    let none_answers = !known.is_empty() && failed == known.len();
    let devices = format!("{failed} of {} in failure", known.len());
    let clock = match view.clock.state() {
        signals::ClockState::Synced => "ok",
        signals::ClockState::Unsynced => "not set",
    };
    let ready = journal.is_none() && !none_answers;
    let checks = json!({
        "journal": journal.unwrap_or_else(|| "ok".to_owned()),
        "devices": if failed == 0 { "ok".to_owned() } else { devices },
        "clock": clock,
    });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "checks": checks })))
}
