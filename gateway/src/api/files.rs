//! The lake's files as they lie: a list, and each for download, also in ranges.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use pipelines_flow::disk::RealDisk;
use pipelines_flow::lake;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_http::services::ServeFile;

use super::query::Queried;
use super::{Problem, Shared};

/// Files of one answer.
const FILES_MAX: usize = 10_000;

#[derive(Deserialize)]
pub(super) struct Wanted {
    table: String,
}

/// The files of a table, newest first.
pub(super) async fn list(
    State(view): State<Shared>,
    Queried(wanted): Queried<Wanted>,
) -> Result<Json<Value>, Problem> {
    let table = wanted.table;
    let unknown = || {
        let detail = format!("the lake has no table \"{table}\"");
        Problem::not_found("unknown_table", detail, "take a name from /api/v1/lake")
    };
    if !is_plain(&table) {
        return Err(unknown());
    }
    let (folder, name) = (view.lake_size.folder().to_owned(), table.clone());
    let listed = tokio::task::spawn_blocking(move || lake::files(&RealDisk, &folder, &name)).await;
    let files = listed.map_err(std::io::Error::other).and_then(|files| files).map_err(|err| {
        let detail = format!("the lake cannot be listed: {err}");
        Problem::internal("lake_unreadable", detail, "see the gateway's log; check the disk")
    })?;
    if files.is_empty() {
        return Err(unknown());
    }
    let rows: Vec<Value> = files
        .iter()
        .rev()
        .take(FILES_MAX)
        .filter_map(|file| {
            let name = file.path.file_name()?.to_str()?;
            // One that went while we looked is not listed.
            let bytes = std::fs::metadata(&file.path).ok()?.len();
            Some(json!({
                "url": format!("/api/v1/files/{}/date={}/{name}", file.table, file.date),
                "date": file.date,
                "first_us": file.first.micros(),
                "bytes": bytes,
            }))
        })
        .collect();
    Ok(Json(json!({ "table": table, "files": rows, "cut": files.len() > FILES_MAX })))
}

/// One file. Files never change, so a range of one always belongs to the rest.
pub(super) async fn download(
    State(view): State<Shared>,
    Path((table, date, name)): Path<(String, String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let is_ours = is_plain(&table)
        && date.strip_prefix("date=").is_some_and(is_plain)
        && name.strip_suffix(".parquet").is_some_and(is_plain);
    let path = view.lake_size.folder().join(&table).join(&date).join(&name);
    if !is_ours || !path.is_file() {
        let detail = format!("there is no file {table}/{date}/{name}");
        return Err(Problem::not_found(
            "unknown_file",
            detail,
            "take a url from /api/v1/files?table=…; the file may have been given up since",
        ));
    }
    let served = ServeFile::new(&path).try_call(request).await.map_err(|err| {
        let detail = format!("{}: {err}", path.display());
        Problem::internal("file_unreadable", detail, "see the gateway's log; check the disk")
    })?;
    Ok(served.map(axum::body::Body::new))
}

/// A part of a path that names something in its folder and nowhere else.
fn is_plain(part: &str) -> bool {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !part.is_empty() && !part.starts_with('.') && part.chars().all(is_legal)
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn only_names_within_the_folder_are_plain() {
        for name in ["pump_1s", "_gaps", "2026-11-23", "0001_2", "truck.EEC1"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", ".", "..", ".x.parquet.tmp", "a/b", "a\\b", "a\0", "ä"] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
