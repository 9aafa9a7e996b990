//! The local HTTP API and the page. The only room that speaks HTTP and JSON to people.
//!
//! Reading only, but for two, both from whoever has a token for it: `write` gives a command to a
//! line, `alarms` takes what operators do to them.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};

use crate::view::View;

mod alarms;
mod events;
mod files;
mod health;
mod lake;
mod lines;
mod live;
mod metrics;
mod origin;
mod page;
mod problem;
mod signals_list;
mod sql;
mod status;
mod trend;
mod write;

pub use problem::Problem;

/// State of every handler.
type Shared = Arc<View>;

/// All routes.
pub fn router(view: Arc<View>) -> Router {
    let asks = post(sql::post).layer(DefaultBodyLimit::max(sql::QUESTION_BYTES_MAX));
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .route("/api/v1/status", get(status::show))
        .route("/api/v1/signals", get(signals_list::show))
        .route("/api/v1/reasons", get(signals_list::reasons))
        .route("/api/v1/trend", get(trend::show))
        .route("/api/v1/events", get(events::events))
        .route("/api/v1/anomalies", get(events::anomalies))
        .route("/api/v1/alarms", get(alarms::list))
        .route("/api/v1/alarms/{alarm}/{verb}", post(alarms::order))
        .route("/api/v1/lake", get(lake::show))
        .route("/api/v1/files", get(files::list))
        .route("/api/v1/files/{table}/{date}/{name}", get(files::download))
        .route("/api/v1/sql", get(sql::get).merge(asks))
        .route("/api/v1/lines", get(lines::list))
        .route("/api/v1/lines/{name}/frames", get(lines::frames))
        .route("/api/v1/live", get(live::open))
        .route("/api/v1/writes", post(write::order))
        .fallback(page::serve)
        .layer(middleware::from_fn(origin::guard))
        .layer(middleware::map_response(harden))
        .with_state(view)
}

/// Headers of every answer: nothing from elsewhere, no framing, no guessing of types.
async fn harden(mut response: Response) -> Response {
    const CONTENT: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; \
                           base-uri 'none'; form-action 'self'; frame-ancestors 'self'";
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
