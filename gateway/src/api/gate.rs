//! Who may ask what: every route says what it needs, and asks here before anything else.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Problem, Shared};
use crate::access::{Caller, Means, Role};
use crate::config::Reading;
use crate::listen::Peer;

/// What a route needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Needs {
    /// Nothing: the page's own files, logging in, whether the gateway lives.
    Nothing,
    /// Somebody who may read: anybody where `web.reading = "open"`, else a viewer.
    Reading,
    /// At least that role, always.
    AtLeast(Role),
}

impl Needs {
    /// As the table of routes in `docs/access.md` says it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Reading => "reading",
            Self::AtLeast(role) => role.name(),
        }
    }
}

/// Lets a request through to its route when its caller may; the caller goes with it.
pub(super) async fn pass(
    State((view, needs)): State<(Shared, Needs)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    match caller(&view, needs, &parts).await {
        Ok(None) => {}
        Ok(Some(caller)) => {
            parts.extensions.insert(caller);
        }
        Err(problem) => return problem.into_response(),
    }
    next.run(Request::from_parts(parts, body)).await
}

/// From where a request comes, and whether nobody in between can read it.
pub(super) struct From(pub(super) SocketAddr, pub(super) bool);

impl<S: Sync> FromRequestParts<S> for From {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let from = parts.extensions.get::<ConnectInfo<Peer>>();
        from.map(|ConnectInfo(from)| Self(from.address, from.is_tls)).ok_or_else(|| {
            Problem::internal("no_address", "the request has no address", "this is a defect")
        })
    }
}

/// Who changes something, and from where.
pub(super) struct By(pub(super) Caller, pub(super) SocketAddr);

impl<S: Sync> FromRequestParts<S> for By {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let From(from, _) = From::from_request_parts(parts, state).await?;
        // Only a route that lets strangers in comes here without: none that changes anything.
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.map(|caller| Self(caller, from)).ok_or_else(|| {
            Problem::internal("no_caller", "the request has no caller", "this is a defect")
        })
    }
}

/// The caller, if there is one and they may.
async fn caller(view: &Shared, needs: Needs, request: &Parts) -> Result<Option<Caller>, Problem> {
    let caller = known(view, needs, &request.headers).await?;
    let least = match needs {
        Needs::Nothing => return Ok(caller),
        Needs::Reading if view.access.reading == Reading::Open => return Ok(caller),
        Needs::Reading => Role::Viewer,
        Needs::AtLeast(role) => role,
    };
    let Some(caller) = caller else {
        return Err(Problem::unauthorized(
            "not_logged_in",
            "the request does not say who makes it",
            "log in at the page, or send `Authorization: Bearer TOKEN`; `fieldgate token add` makes one",
        ));
    };
    may(&caller, least)?;
    if !is_own(request, &caller) {
        return Err(Problem::forbidden(
            "foreign_origin",
            "a request that changes something does not come from the gateway's own page",
            "use the gateway's own page, or a program with a token",
        ));
    }
    Ok(Some(caller))
}

/// Whether the caller has that role.
///
/// # Errors
/// The problem to answer with.
pub(super) fn may(caller: &Caller, least: Role) -> Result<(), Problem> {
    if caller.role >= least {
        return Ok(());
    }
    let (name, has, wants) = (&caller.name, caller.role.name(), least.name());
    Err(Problem::forbidden(
        "role",
        format!("{name} is {has}, and that is for {wants}"),
        "log in as somebody else, or ask an admin for the role",
    ))
}

async fn known(
    view: &Shared,
    needs: Needs,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(given) = text(header::AUTHORIZATION) {
        let token = given.strip_prefix("Bearer ").map(|token| token.trim().to_owned());
        let caller = match token {
            Some(token) => look_up(view, move |access| access.by_token(&token)).await?,
            None => None,
        };
        if caller.is_none() && needs != Needs::Nothing {
            tracing::warn!("a request came with a token that is not, or no longer, known");
            return Err(Problem::unauthorized(
                "no_valid_token",
                "the token is not, or no longer, known",
                "`fieldgate token list` names those that are; `fieldgate token add` makes one",
            ));
        }
        return Ok(caller);
    }
    match cookie(headers, &view.access.cookie) {
        Some(cookie) => look_up(view, move |access| access.by_cookie(&cookie)).await,
        None => Ok(None),
    }
}

/// Looks in the files, off the threads that serve.
async fn look_up(
    view: &Shared,
    look: impl FnOnce(&crate::access::Access) -> anyhow::Result<Option<Caller>> + Send + 'static,
) -> Result<Option<Caller>, Problem> {
    let access = std::sync::Arc::clone(&view.access);
    let found = tokio::task::spawn_blocking(move || look(&access)).await;
    found.map_err(anyhow::Error::from).and_then(|found| found).map_err(|err| {
        tracing::error!("{err:#}");
        Problem::internal("access", "the files about who may cannot be read", "see the log")
    })
}

/// The cookie of that name (RFC 6265, section 4.2.1).
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs =
        sent.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

/// A browser sends the cookie with whatever a page asks for, so what changes something must come
/// from our page: browsers say so in `Origin`, which [`super::origin`] has compared.
fn is_own(request: &Parts, caller: &Caller) -> bool {
    let is_safe = [Method::GET, Method::HEAD].contains(&request.method);
    let by_page = request.headers.contains_key(header::ORIGIN)
        || request.headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    is_safe || by_page || !matches!(caller.means, Means::Session(_))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("xgw=1; gw2=2"));
        assert_eq!(cookie(&headers, "gw"), None);
        headers.append(header::COOKIE, HeaderValue::from_static("a=b;gw=c=d; gw=later"));
        assert_eq!(cookie(&headers, "gw").as_deref(), Some("c=d"));
    }

    #[test]
    fn a_session_changes_nothing_for_a_page_that_does_not_say_it_is_ours() {
        let asked = |method: &str, header: Option<(&str, &str)>| {
            let mut builder = Request::builder().method(method).uri("/");
            if let Some((name, value)) = header {
                builder = builder.header(name, value);
            }
            builder.body(()).unwrap().into_parts().0
        };
        let caller = |means| Caller { name: "eva".to_owned(), role: Role::Admin, means };
        let session = caller(Means::Session(String::new()));
        assert!(is_own(&asked("GET", None), &session));
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            assert!(!is_own(&asked(method, None), &session));
            assert!(!is_own(&asked(method, Some(("sec-fetch-site", "same-site"))), &session));
            assert!(is_own(&asked(method, Some(("sec-fetch-site", "same-origin"))), &session));
            assert!(is_own(&asked(method, Some(("origin", "http://gw"))), &session));
            assert!(is_own(&asked(method, None), &caller(Means::Token(String::new()))));
        }
    }
}
