//! Lines and buses: what their adapters count, and the last frames on them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};
use signals::adapter::{Instruments, MetricKind, Reading};

use super::{Problem, Shared};

/// Every line with its readings.
pub(super) async fn list(State(view): State<Shared>) -> Json<Value> {
    let lines = view.instrument_list();
    Json(Value::Array(lines.iter().map(|line| line_of(line)).collect()))
}

/// The last frames of a line as text.
pub(super) async fn frames(
    State(view): State<Shared>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let lines = view.instrument_list();
    let line = lines.iter().find(|line| line.name == name).ok_or_else(|| {
        let detail = format!("there is no line \"{name}\"");
        Problem::not_found("unknown_line", detail, "take a name from /api/v1/lines")
    })?;
    let text = line.frames_text().ok_or_else(|| {
        let detail = format!("{name} keeps no frames");
        Problem::not_found("no_frames", detail, "ask a Modbus line")
    })?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

fn line_of(line: &Instruments) -> Value {
    json!({
        "name": line.name,
        "protocol": line.protocol,
        "readings": line.readings().iter().map(reading).collect::<Vec<_>>(),
    })
}

fn reading(reading: &Reading) -> Value {
    let labels: Map<String, Value> =
        reading.labels.iter().map(|(key, text)| ((*key).to_owned(), json!(text))).collect();
    let kind = match reading.metric.kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
    };
    json!({
        "metric": reading.metric.name,
        "kind": kind,
        "labels": labels,
        "value": reading.value.is_finite().then_some(reading.value),
    })
}
