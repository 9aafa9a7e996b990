//! A signal over time, in buckets.

use axum::Json;
use axum::extract::State;
use pipelines_flow::history::Span;
use serde::Deserialize;
use serde_json::{Value, json};
use signals::Timestamp;

use super::query::Queried;
use super::{Problem, Shared};

/// Buckets of one answer at most: no screen has more columns.
const BUCKETS_MAX: u32 = 4_000;

#[derive(Deserialize)]
pub(super) struct Wanted {
    id: u32,
    from: i64,
    to: i64,
    px: Option<u32>,
}

/// Minimum, maximum and mean per bucket.
pub(super) async fn show(
    State(view): State<Shared>,
    Queried(wanted): Queried<Wanted>,
) -> Result<Json<Value>, Problem> {
    let entry = view.catalog.entry(wanted.id).ok_or_else(|| {
        let detail = format!("there is no signal {}", wanted.id);
        Problem::not_found("unknown_signal", detail, "take an id from /api/v1/signals")
    })?;
    if wanted.to <= wanted.from {
        let detail = format!("`to` {} is not after `from` {}", wanted.to, wanted.from);
        return Err(Problem::bad_request(
            "empty_span",
            detail,
            "give `to` after `from`, in µs UTC",
        ));
    }
    if !entry.signal().kind.is_numeric() {
        let detail = format!("{} is text", entry.path());
        return Err(Problem::bad_request("not_a_number", detail, "choose a number or a boolean"));
    }
    let span = Span {
        table: entry.table.name().to_owned(),
        column: entry.signal().column.to_owned(),
        sender: entry.sender,
        from: Timestamp::from_micros(wanted.from),
        to: Timestamp::from_micros(wanted.to),
    };
    let buckets = wanted.px.unwrap_or(1_000).clamp(1, BUCKETS_MAX);
    let history = view.history.clone();
    let read = tokio::task::spawn_blocking(move || history.trend(&span, buckets)).await;
    let failed = |detail: String| {
        Problem::internal("history_unreadable", detail, "see the gateway's log; check the disk")
    };
    let trend =
        read.map_err(|err| failed(err.to_string()))?.map_err(|err| failed(err.to_string()))?;
    let finite = |value: f64| value.is_finite().then_some(value);
    let column = |of: fn(&pipelines_flow::history::Bucket) -> f64| -> Vec<Option<f64>> {
        trend.buckets.iter().map(|bucket| finite(of(bucket))).collect()
    };
    Ok(Json(json!({
        "id": wanted.id,
        "from_us": wanted.from,
        "to_us": wanted.to,
        "bucket_us": trend.bucket_us,
        "t_us": trend.buckets.iter().map(|b| b.start.micros()).collect::<Vec<_>>(),
        "min": column(|b| b.min),
        "max": column(|b| b.max),
        "mean": column(|b| b.mean),
        "q": trend.buckets.iter().map(|b| b.worst.code()).collect::<Vec<_>>(),
    })))
}
