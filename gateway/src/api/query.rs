//! What stands behind the `?` of an address; what is wrong with it is a problem like any other.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::Problem;

/// The query of a request.
pub(super) struct Queried<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Queried<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri).map(|Query(asked)| Self(asked)).map_err(|err| {
            let hint = "GET /api/v1/openapi.json says what each path takes";
            Problem::bad_request("bad_query", err.body_text(), hint)
        })
    }
}
