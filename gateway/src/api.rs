//! The local HTTP API and the page. The only room that speaks HTTP and JSON to people.
//!
//! Each route says what it needs of its caller; `gate` asks before anything else does.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::middleware;
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, patch, post, put};

use crate::access::Role;
use crate::view::View;
use gate::Needs;

mod alarms;
mod encrypted;
mod events;
mod files;
mod gate;
mod health;
mod lake;
mod lines;
mod live;
mod metrics;
mod openapi;
mod origin;
mod page;
mod people;
mod problem;
mod query;
mod session;
mod signals_list;
mod sql;
mod status;
mod trend;
mod write;

pub use problem::Problem;

/// State of every handler.
type Shared = Arc<View>;

/// A method of a path, what it needs of its caller, and who answers.
struct Route {
    method: &'static str,
    path: &'static str,
    needs: Needs,
    answers: MethodRouter<Shared>,
}

/// All routes but the page's own files, which need nothing.
fn routes() -> Vec<Route> {
    use Needs::{AtLeast, Nothing, Reading};
    use Role::{Admin, Operator, Viewer};
    let asks = post(sql::post).layer(DefaultBodyLimit::max(sql::QUESTION_BYTES_MAX));
    let route = |method, path, needs, answers| Route { method, path, needs, answers };
    vec![
        route("GET", "/healthz", Nothing, get(health::alive)),
        route("GET", "/ca.crt", Nothing, get(encrypted::authority)),
        route("GET", "/readyz", Nothing, get(health::ready)),
        route("GET", "/metrics", Reading, get(metrics::show)),
        route("GET", "/api/v1/openapi.json", Nothing, get(openapi::show)),
        route("GET", "/api/v1/session", Nothing, get(session::show)),
        route("POST", "/api/v1/session", Nothing, post(session::open)),
        route("DELETE", "/api/v1/session", Nothing, delete(session::close)),
        route("PUT", "/api/v1/session/password", AtLeast(Viewer), put(session::change_password)),
        route("POST", "/api/v1/claim", Nothing, post(session::claim)),
        route("GET", "/api/v1/status", Reading, get(status::show)),
        route("GET", "/api/v1/signals", Reading, get(signals_list::show)),
        route("GET", "/api/v1/reasons", Reading, get(signals_list::reasons)),
        route("GET", "/api/v1/trend", Reading, get(trend::show)),
        route("GET", "/api/v1/events", Reading, get(events::events)),
        route("GET", "/api/v1/anomalies", Reading, get(events::anomalies)),
        route("GET", "/api/v1/alarms", Reading, get(alarms::list)),
        // Some verbs are for engineers: the handler asks again.
        route("POST", "/api/v1/alarms/{alarm}/{verb}", AtLeast(Operator), post(alarms::order)),
        route("GET", "/api/v1/lake", Reading, get(lake::show)),
        route("GET", "/api/v1/files", Reading, get(files::list)),
        route("GET", "/api/v1/files/{table}/{date}/{name}", Reading, get(files::download)),
        route("GET", "/api/v1/sql", Reading, get(sql::get)),
        route("POST", "/api/v1/sql", Reading, asks),
        route("GET", "/api/v1/lines", Reading, get(lines::list)),
        route("GET", "/api/v1/lines/{name}/frames", Reading, get(lines::frames)),
        route("GET", "/api/v1/live", Reading, get(live::open)),
        route("POST", "/api/v1/writes", AtLeast(Operator), post(write::order)),
        route("GET", "/api/v1/users", AtLeast(Admin), get(people::users)),
        route("POST", "/api/v1/users", AtLeast(Admin), post(people::add_user)),
        route("PATCH", "/api/v1/users/{name}", AtLeast(Admin), patch(people::change_user)),
        route("DELETE", "/api/v1/users/{name}", AtLeast(Admin), delete(people::remove_user)),
        route("GET", "/api/v1/tokens", AtLeast(Admin), get(people::tokens)),
        route("POST", "/api/v1/tokens", AtLeast(Admin), post(people::add_token)),
        route("DELETE", "/api/v1/tokens/{name}", AtLeast(Admin), delete(people::revoke_token)),
        route("GET", "/api/v1/sessions", AtLeast(Admin), get(people::sessions)),
        route("DELETE", "/api/v1/sessions/{id}", AtLeast(Admin), delete(people::end_session)),
        route("GET", "/api/v1/audit", AtLeast(Admin), get(people::audit)),
    ]
}

/// All routes, each behind the gate.
pub fn router(view: Arc<View>) -> Router {
    let mut router = Router::new();
    for Route { path, needs, answers, .. } in routes() {
        let gate = middleware::from_fn_with_state((Arc::clone(&view), needs), gate::pass);
        router = router.route(path, answers.route_layer(gate));
    }
    router
        .fallback(page::serve)
        .layer(middleware::from_fn(origin::guard))
        .layer(middleware::from_fn_with_state(Arc::clone(&view), encrypted::guard))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_routes_in_the_docs_is_the_table_of_routes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/access.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (_, section) = text.split_once("## Routes").unwrap();
        let table = section.lines().filter(|line| line.contains("| `/"));
        let told: Vec<String> = table.map(str::to_owned).collect();
        let line = |route: &Route| {
            format!("| {} | `{}` | {} |", route.method, route.path, route.needs.name())
        };
        assert_eq!(told, routes().iter().map(line).collect::<Vec<_>>());
    }
}
