//! What is on the disk: tables of the lake, the room that is left, how long it lasts.

use axum::Json;
use axum::extract::State;
use pipelines_flow::disk::RealDisk;
use serde_json::{Value, json};
use signals::{Disk as _, Timestamp};

use super::{Problem, Shared};
use crate::lake_size::Outlook;

/// Tables, volume, budget and forecast.
pub(super) async fn show(State(view): State<Shared>) -> Result<Json<Value>, Problem> {
    let now = view.clock.now();
    let upload = view.upload.as_ref().map(|upload| {
        let mut told = json!(upload.counts());
        if let Some(figures) = told.as_object_mut() {
            figures.insert("to".to_owned(), json!(upload.place));
        }
        told
    });
    let counts = view.historian.counts();
    let look = tokio::task::spawn_blocking(move || {
        let room = RealDisk.room(view.lake_size.folder());
        (view.lake_size.get(now), room, view.historian.budget())
    });
    let (size, room, budget) = look.await.map_err(|err| {
        Problem::internal("lake_unreadable", err.to_string(), "see the gateway's log")
    })?;
    let room = room.ok();
    let outlook = Outlook::of(&size, room, budget, now);
    Ok(Json(json!({
        "error": size.error,
        "files": size.files,
        "bytes": size.bytes,
        "oldest_us": size.oldest().map(Timestamp::micros),
        "bytes_per_day": outlook.bytes_per_day,
        "volume": room.map(|room| json!({ "free": room.free, "total": room.total })),
        "budget": { "bytes_max": budget.bytes_max, "free_min": budget.free_min },
        "bytes_left": outlook.bytes_left,
        "days_left": outlook.days_left(),
        "evicted_files": counts.evicted,
        "evicted_bytes": counts.evicted_bytes,
        "thinned_files": counts.thinned,
        "thinned_bytes": counts.thinned_bytes,
        "upload": upload,
        "tables": size.tables.iter().map(|table| json!({
            "table": table.table,
            "files": table.files,
            "bytes": table.bytes,
            "bytes_of_day": table.bytes_of_day,
            "oldest_us": table.oldest.map(Timestamp::micros),
            "newest_us": table.newest.map(Timestamp::micros),
        })).collect::<Vec<_>>(),
    })))
}
