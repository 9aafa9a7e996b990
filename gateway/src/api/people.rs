//! Who may, for admins: users, tokens, sessions, and the audit.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::gate::By;
use super::query::Queried;
use super::session::{blocking, read, unmet};
use super::{Problem, Shared};
use crate::access::{Access, Role};

/// Records of the audit in one answer.
const RECORDS_MAX: usize = 1_000;

/// A new user.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    name: String,
    role: Role,
    password: String,
}

/// What is to change of a user.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserChange {
    role: Option<Role>,
    password: Option<String>,
}

/// A new token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    name: String,
    role: Role,
    days: Option<u32>,
}

/// `GET /api/v1/users`.
pub(super) async fn users(State(view): State<Shared>) -> Result<Json<Value>, Problem> {
    let access = Arc::clone(&view.access);
    let users = blocking(move || Ok(access.users.list()?)).await?;
    let about = |user: &crate::access::User| json!({ "name": user.name, "role": user.role, "created_us": user.created.micros() });
    Ok(Json(json!({ "users": users.iter().map(about).collect::<Vec<_>>() })))
}

/// `POST /api/v1/users`.
pub(super) async fn add_user(
    State(view): State<Shared>,
    By(caller, from): By,
    request: Request,
) -> Result<StatusCode, Problem> {
    let wanted = "{\"name\": …, \"role\": \"viewer|operator|engineer|admin\", \"password\": …}";
    let NewUser { name, role, password } = read(request, wanted).await?;
    let add = move |access: &Access| {
        access.add_user((&caller, from), (&name, role), &password).map_err(|err| unmet(&err))
    };
    view.access.in_turn(add).await?;
    Ok(StatusCode::CREATED)
}

/// `PATCH /api/v1/users/{name}`.
pub(super) async fn change_user(
    State(view): State<Shared>,
    Path(name): Path<String>,
    By(caller, from): By,
    request: Request,
) -> Result<StatusCode, Problem> {
    let wanted = "{\"role\": …} or {\"password\": …}, or both";
    let UserChange { role, password } = read(request, wanted).await?;
    let change = move |access: &Access| {
        let change = (role, password.as_deref());
        access.change_user((&caller, from), &name, change).map_err(|err| unmet(&err))
    };
    view.access.in_turn(change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/users/{name}`.
pub(super) async fn remove_user(
    State(view): State<Shared>,
    Path(name): Path<String>,
    By(caller, from): By,
) -> Result<StatusCode, Problem> {
    let access = Arc::clone(&view.access);
    blocking(move || access.remove_user((&caller, from), &name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/v1/tokens`.
pub(super) async fn tokens(State(view): State<Shared>) -> Result<Json<Value>, Problem> {
    let access = Arc::clone(&view.access);
    let tokens = blocking(move || Ok(access.tokens.list()?)).await?;
    let about = |token: &crate::access::Token| {
        json!({
            "name": token.name,
            "role": token.role,
            "created_us": token.created.micros(),
            "expires_us": token.expires.map(signals::Timestamp::micros),
        })
    };
    Ok(Json(json!({ "tokens": tokens.iter().map(about).collect::<Vec<_>>() })))
}

/// `POST /api/v1/tokens`: the answer is the only one that ever holds the token.
pub(super) async fn add_token(
    State(view): State<Shared>,
    By(caller, from): By,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let wanted = "{\"name\": …, \"role\": \"viewer|operator|engineer|admin\"}, and {\"days\": 90}";
    let NewToken { name, role, days } = read(request, wanted).await?;
    let access = Arc::clone(&view.access);
    let add = move || access.add_token((&caller, from), (&name, role), days);
    let (token, expires) = blocking(add).await?;
    let expires = expires.map(signals::Timestamp::micros);
    Ok((StatusCode::CREATED, Json(json!({ "token": token, "expires_us": expires }))))
}

/// `DELETE /api/v1/tokens/{name}`.
pub(super) async fn revoke_token(
    State(view): State<Shared>,
    Path(name): Path<String>,
    By(caller, from): By,
) -> Result<StatusCode, Problem> {
    let access = Arc::clone(&view.access);
    blocking(move || access.revoke_token((&caller, from), &name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/v1/sessions`.
pub(super) async fn sessions(State(view): State<Shared>) -> Json<Value> {
    Json(json!({ "sessions": view.access.sessions() }))
}

/// `DELETE /api/v1/sessions/{id}`.
pub(super) async fn end_session(
    State(view): State<Shared>,
    Path(id): Path<String>,
    By(caller, from): By,
) -> Result<StatusCode, Problem> {
    let access = Arc::clone(&view.access);
    blocking(move || access.end_session((&caller, from), &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many records are wanted.
#[derive(Deserialize)]
pub(super) struct Wanted {
    limit: Option<usize>,
}

/// `GET /api/v1/audit`: the newest records, newest first.
pub(super) async fn audit(
    State(view): State<Shared>,
    Queried(Wanted { limit }): Queried<Wanted>,
) -> Result<Json<Value>, Problem> {
    let (limit, audit) = (limit.unwrap_or(100).min(RECORDS_MAX), Arc::clone(&view.writes.audit));
    let latest = move || Ok(audit.latest(limit).map_err(anyhow::Error::from)?);
    let records = blocking(latest).await?;
    Ok(Json(json!({ "records": records })))
}
