//! Keeps other sites out: a page from elsewhere in the same browser must not read the plant.

use std::net::IpAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Problem;
use crate::listen::Peer;

/// Lets a request through when it names the gateway by an address or a local name, and, if it
/// comes from a page, the page is the gateway's own.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let Some(host) = text(headers, &header::HOST) else {
        // A browser sends both: what cannot be compared is not ours.
        if headers.contains_key(header::ORIGIN) || headers.contains_key(header::HOST) {
            return foreign();
        }
        return next.run(request).await;
    };
    // A name that an attacker's DNS may point here is no name of ours.
    if !is_local_name(host) {
        let detail = format!("`{host}` is not a name of this gateway");
        return Problem::forbidden(
            "foreign_host",
            detail,
            "open the page by the gateway's address, for example http://192.0.2.7:8080",
        )
        .into_response();
    }
    // A proxy may have taken the TLS off; nobody puts it on.
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    let is_tls = peer.is_some_and(|ConnectInfo(peer)| peer.is_tls);
    let is_ours = |origin: &str| {
        let from = origin.split_once("://");
        from.is_some_and(|(scheme, from)| from == host && (scheme == "https" || !is_tls))
    };
    let is_foreign = headers.contains_key(header::ORIGIN)
        && !text(headers, &header::ORIGIN).is_some_and(is_ours);
    if is_foreign {
        return foreign();
    }
    next.run(request).await
}

fn foreign() -> Response {
    Problem::forbidden(
        "foreign_origin",
        "a page of another site asked",
        "use the gateway's own page, or a program that sends no Origin header",
    )
    .into_response()
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Addresses, `localhost`, names without a dot and `.local` names.
fn is_local_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok()
        || !bare.contains('.')
        || bare.to_ascii_lowercase().strip_suffix(".local").is_some()
}

#[cfg(test)]
mod tests {
    use super::is_local_name;

    #[test]
    fn a_name_that_public_dns_can_hold_is_refused() {
        for host in ["127.0.0.1:8080", "[::1]:8080", "localhost", "gw-7:80", "gw-7.local"] {
            assert!(is_local_name(host), "{host}");
        }
        for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example"] {
            assert!(!is_local_name(host), "{host}");
        }
    }
}
