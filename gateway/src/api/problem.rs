//! Errors of the API as RFC 9457 problems: what happened and what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An error as a client gets it.
#[derive(Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// Stable name of the problem, for programs.
    code: &'static str,
    /// What happened.
    detail: String,
    /// What to do.
    hint: &'static str,
    /// When to try again, s.
    #[serde(skip)]
    after: Option<u64>,
}

impl Problem {
    /// Something in the request is not as it should be.
    #[must_use]
    pub fn bad_request(code: &'static str, detail: impl Into<String>, hint: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail.into(), hint)
    }

    /// There is no such thing.
    #[must_use]
    pub fn not_found(code: &'static str, detail: impl Into<String>, hint: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail.into(), hint)
    }

    /// The request comes from a place that must not make it.
    #[must_use]
    pub fn forbidden(code: &'static str, detail: impl Into<String>, hint: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail.into(), hint)
    }

    /// The request must say, with a token, who makes it.
    #[must_use]
    pub fn unauthorized(code: &'static str, detail: impl Into<String>, hint: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, detail.into(), hint)
    }

    /// The request is understood, and the gateway's limits do not allow it.
    #[must_use]
    pub fn unprocessable(
        code: &'static str,
        detail: impl Into<String>,
        hint: &'static str,
    ) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail.into(), hint)
    }

    /// It does not go with what there is.
    #[must_use]
    pub fn conflict(code: &'static str, detail: impl Into<String>, hint: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail.into(), hint)
    }

    /// Says when to try again, in s.
    #[must_use]
    pub fn after(self, seconds: u64) -> Self {
        Self { after: Some(seconds), ..self }
    }

    /// Too much of it is going on already.
    #[must_use]
    pub fn too_many(code: &'static str, detail: impl Into<String>, hint: &'static str) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail.into(), hint)
    }

    /// The gateway could not do it.
    #[must_use]
    pub fn internal(code: &'static str, detail: impl Into<String>, hint: &'static str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, detail.into(), hint)
    }

    fn new(status: StatusCode, code: &'static str, detail: String, hint: &'static str) -> Self {
        let title = status.canonical_reason().unwrap_or("Problem");
        Self {
            kind: "about:blank",
            title,
            status: status.as_u16(),
            code,
            detail,
            hint,
            after: None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let after = self.after;
        let mut response = (status, Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(after) = after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after));
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
