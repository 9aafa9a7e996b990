//! Coming in and going: login, logout, claim, one's own password.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, body};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::gate::{By, From};
use super::{Problem, Shared};
use crate::access::{AccessError, Caller, Entered, EntryError};

/// Longest request.
const BYTES_MAX: usize = 16 << 10;
/// How long a browser keeps the cookie, s; the gateway forgets the session earlier.
const KEPT_S: u32 = 30 * 24 * 3_600;

/// The request of a login.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    name: String,
    password: String,
}

/// The request of a claim.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    code: String,
    name: String,
    password: String,
}

/// The request of another password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    old: String,
    new: String,
}

/// `GET /api/v1/session`: who asks, and what they need to come in.
pub(super) async fn show(
    State(view): State<Shared>,
    caller: Option<Extension<Caller>>,
) -> Result<Json<Value>, Problem> {
    let access = Arc::clone(&view.access);
    let claimed = blocking(move || Ok(access.users.is_claimed()?)).await?;
    let user = caller.map(|Extension(caller)| about(&caller));
    Ok(Json(json!({ "claimed": claimed, "reading": view.access.reading, "user": user })))
}

/// `POST /api/v1/session`: a login.
pub(super) async fn open(
    State(view): State<Shared>,
    From(from, is_tls): From,
    request: Request,
) -> Result<Response, Problem> {
    let Login { name, password } = read(request, "{\"name\": …, \"password\": …}").await?;
    let entered = view.access.log_in(name, password, from).await;
    Ok(entered_as((&view, is_tls), &entered.map_err(refused)?))
}

/// `POST /api/v1/claim`: the first admin.
pub(super) async fn claim(
    State(view): State<Shared>,
    From(from, is_tls): From,
    request: Request,
) -> Result<Response, Problem> {
    let wanted = "{\"code\": …, \"name\": …, \"password\": …}";
    let Claim { code, name, password } = read(request, wanted).await?;
    let entered = view.access.claim(code, (name, password), from).await;
    Ok(entered_as((&view, is_tls), &entered.map_err(refused)?))
}

/// `DELETE /api/v1/session`: a logout.
pub(super) async fn close(
    State(view): State<Shared>,
    caller: Option<Extension<Caller>>,
    From(from, is_tls): From,
) -> Result<Response, Problem> {
    let access = Arc::clone(&view.access);
    if let Some(Extension(caller)) = caller {
        blocking(move || {
            access.log_out(&caller, from);
            Ok(())
        })
        .await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie((&view, is_tls), &mut response, ("", 0));
    Ok(response)
}

/// `PUT /api/v1/session/password`: another one for who asks.
pub(super) async fn change_password(
    State(view): State<Shared>,
    By(caller, from): By,
    request: Request,
) -> Result<StatusCode, Problem> {
    let NewPassword { old, new } = read(request, "{\"old\": …, \"new\": …}").await?;
    let change = move |access: &crate::access::Access| {
        access.change_own_password(&caller, (&old, &new), from)
    };
    view.access.in_turn(change).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

fn about(caller: &Caller) -> Value {
    let is_session = matches!(caller.means, crate::access::Means::Session(_));
    json!({ "name": caller.name, "role": caller.role, "is_session": is_session })
}

fn entered_as(by: (&Shared, bool), entered: &Entered) -> Response {
    let mut response = Json(json!({ "user": about(&entered.caller) })).into_response();
    set_cookie(by, &mut response, (&entered.cookie, KEPT_S));
    response
}

/// Scripts never see it, and no other site's page makes a browser send it; where it came by TLS it
/// is never sent without.
fn set_cookie(
    (view, is_tls): (&Shared, bool),
    response: &mut Response,
    (value, seconds): (&str, u32),
) {
    let name = &view.access.cookie;
    let secure = if is_tls { "; Secure" } else { "" };
    let text =
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    if let Ok(mut value) = HeaderValue::from_str(&text) {
        value.set_sensitive(true);
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
}

/// The body of a request, read strictly. What was sent is not repeated: it may hold a password.
pub(super) async fn read<T: DeserializeOwned>(
    request: Request,
    wanted: &'static str,
) -> Result<T, Problem> {
    let wrong = |detail: &str| Problem::bad_request("bad_request", detail, wanted);
    let sent = body::to_bytes(request.into_body(), BYTES_MAX).await;
    let sent = sent.map_err(|_| wrong("the request has more than 16 KiB"))?;
    serde_json::from_slice(&sent).map_err(|err| {
        use serde_json::error::Category;
        wrong(match err.classify() {
            Category::Data => "the request has other fields than it should have",
            Category::Io | Category::Syntax | Category::Eof => "the request is no JSON",
        })
    })
}

/// Work with files, off the threads that serve.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AccessError> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|err| Err(AccessError::Broken(err.into()))).map_err(|err| unmet(&err))
}

/// Why somebody was not let in, as a problem.
pub(super) fn refused(err: EntryError) -> Problem {
    let detail = err.to_string();
    match err {
        EntryError::Wait(wait) => {
            Problem::too_many("wait", detail, "wait; who has forgotten asks an admin")
                .after(wait.as_secs() + 1)
        }
        EntryError::Wrong => {
            Problem::unauthorized("wrong", detail, "check the name, the password, or the code")
        }
        EntryError::Busy => Problem::too_many("busy", detail, "try again").after(1),
        EntryError::Access(err) => unmet(&err),
    }
}

/// Why something about users or tokens was not done, as a problem.
pub(super) fn unmet(err: &AccessError) -> Problem {
    let detail = err.to_string();
    match err {
        AccessError::Unfit(_) => Problem::unprocessable("unfit", detail, "send it otherwise"),
        AccessError::Unknown(_) => Problem::not_found("unknown", detail, "list what there is"),
        AccessError::Conflict(_) => Problem::conflict("conflict", detail, "look at what there is"),
        AccessError::Broken(_) => {
            tracing::error!("access: {detail}");
            Problem::internal("access", detail, "see the gateway's log, and check the disk")
        }
    }
}

impl std::convert::From<EntryError> for Problem {
    fn from(err: EntryError) -> Self {
        refused(err)
    }
}
