//! Events and anomaly episodes, newest first.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use signals::Episode;

use super::Shared;
use super::query::Queried;
use crate::view::View;

#[derive(Deserialize)]
pub(super) struct Limit {
    limit: Option<usize>,
}

/// The newest events.
pub(super) async fn events(
    State(view): State<Shared>,
    Queried(wanted): Queried<Limit>,
) -> Json<Value> {
    Json(json!({ "events": view.live.events(wanted.limit.unwrap_or(200)) }))
}

/// The newest episodes; one that is still open has no `closed_us`.
pub(super) async fn anomalies(
    State(view): State<Shared>,
    Queried(wanted): Queried<Limit>,
) -> Json<Value> {
    let episodes = view.live.episodes(wanted.limit.unwrap_or(50));
    let rows: Vec<Value> = episodes.iter().map(|episode| row(&view, episode)).collect();
    Json(json!({ "episodes": rows }))
}

fn row(view: &View, episode: &Episode) -> Value {
    let top: Vec<Value> = episode
        .top
        .iter()
        .map(|part| {
            json!({
                "signal": part.signal,
                "id": view.catalog.id_of(&part.signal),
                "share": part.share,
                "value": part.value,
                "expected": part.expected,
                "band": part.band,
            })
        })
        .collect();
    json!({
        "detector": episode.detector,
        "onset_us": episode.onset.micros(),
        "opened_us": episode.opened.micros(),
        "closed_us": episode.closed.map(signals::Timestamp::micros),
        "peak": episode.peak,
        "top": top,
    })
}
