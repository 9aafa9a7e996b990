//! The page: built files of `gateway/ui/dist`, inside the binary.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::Problem;

#[derive(RustEmbed)]
#[folder = "ui/dist"]
#[allow_missing = true]
struct Dist;

/// A file of the page; every other path that is not the API's is a view of the page itself.
pub(super) async fn serve(uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("api/") {
        let detail = format!("there is nothing at /{path}");
        return Problem::not_found("unknown_path", detail, "see the paths under /api/v1")
            .into_response();
    }
    match Dist::get(path).filter(|_| !path.is_empty()) {
        Some(file) => answer(path, file),
        None => match Dist::get("index.html") {
            Some(file) => answer("index.html", file),
            None => without_page(),
        },
    }
}

fn answer(path: &str, file: EmbeddedFile) -> Response {
    let mut response = Response::new(Body::from(file.data));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind_of(path)));
    // Names under assets carry a hash of their content; the rest must be asked for again.
    let keep = if path.starts_with("assets/") { "max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    response
}

fn without_page() -> Response {
    let text = "fieldgate: this build has no page; the API is under /api/v1, \
                figures under /metrics\n";
    (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

fn kind_of(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json" | "webmanifest") => "application/json",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some(_) | None => "application/octet-stream",
    }
}
