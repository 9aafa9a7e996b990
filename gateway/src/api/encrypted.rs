//! Where TLS is on, whoever comes without it from another machine is sent to `https`.

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Problem, Shared};
use crate::listen::Peer;

/// Paths that need no TLS: whether the gateway lives, and the certificate to trust.
const OPEN: [&str; 2] = ["/healthz", "/ca.crt"];

/// Serves what is encrypted, or comes from this machine; sends everything else to `https`.
pub(super) async fn guard(State(view): State<Shared>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| *peer);
    let is_safe = peer.is_none_or(|peer| peer.is_tls || peer.is_local);
    if view.certificates.is_none() || is_safe || OPEN.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    elsewhere(&request)
}

/// The same by `https`; a request that carries something is refused, for it was sent in the clear.
fn elsewhere(request: &Request) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let to = host.map(|host| format!("https://{host}{path}"));
    let to = to.and_then(|to| HeaderValue::from_str(&to).ok());
    match to {
        Some(to) if [Method::GET, Method::HEAD].contains(request.method()) => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response()
        }
        Some(_) | None => Problem::forbidden(
            "tls_required",
            "what was sent could be read by others on the network",
            "use https; /ca.crt has the certificate to trust; change a password sent this way",
        )
        .into_response(),
    }
}

/// `GET /ca.crt`: the certificate of this device's authority.
pub(super) async fn authority(State(view): State<Shared>) -> Response {
    let Some(pem) = view.certificates.as_ref().and_then(|all| all.authority()) else {
        return Problem::not_found(
            "no_authority",
            "this gateway has no authority of its own",
            "its certificate is the owner's, or TLS is off",
        )
        .into_response();
    };
    let kind = [
        (header::CONTENT_TYPE, "application/x-x509-ca-cert"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"fieldgate-ca.crt\""),
    ];
    (kind, pem.to_owned()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, uri: &str, host: &str) -> Response {
        let request = Request::builder().method(method).uri(uri).header("host", host);
        elsewhere(&request.body(axum::body::Body::empty()).unwrap())
    }

    #[test]
    fn who_looks_is_sent_to_the_same_place_and_who_sends_is_refused() {
        let answer = asked("GET", "/trend?pens=a%2Fb", "192.0.2.7:8080");
        assert_eq!(answer.status(), 307);
        assert_eq!(answer.headers()["location"], "https://192.0.2.7:8080/trend?pens=a%2Fb");
        assert_eq!(asked("POST", "/api/v1/session", "192.0.2.7:8080").status(), 403);
    }
}
