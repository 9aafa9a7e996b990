//! Alarms: where they stand, and what operators do to them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Path, Request, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Problem, Shared};
use crate::access::Caller;
use crate::rules::{Order, OrderError, Standing, Verb};
use crate::view::View;

/// Longest request.
const BYTES_MAX: usize = 16 << 10;

/// The request.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wish {
    comment: Option<String>,
    /// Only for `shelve`.
    minutes: Option<f64>,
}

/// All alarms: those that want something first, then by priority.
pub(super) async fn list(State(view): State<Shared>) -> Json<Value> {
    let counts = view.board.told();
    Json(json!({
        "alarms": view.board.standings(),
        "told": counts.told,
        "unacknowledged": counts.unacknowledged,
    }))
}

/// `POST /api/v1/alarms/{alarm}/{verb}`.
pub(super) async fn order(
    State(view): State<Shared>,
    Path((alarm, verb)): Path<(String, String)>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Standing>, Problem> {
    let wrong = |what: String| {
        let hint = "send {\"comment\": \"…\"}, and {\"minutes\": 30} to shelve";
        Problem::bad_request("bad_order", what, hint)
    };
    let body = axum::body::to_bytes(request.into_body(), BYTES_MAX).await;
    let body = body.map_err(|_| wrong(format!("the request has more than {BYTES_MAX} bytes")))?;
    let wish: Wish = if body.is_empty() {
        Wish::default()
    } else {
        serde_json::from_slice(&body).map_err(|err| wrong(err.to_string()))?
    };
    let verb = match (verb.as_str(), wish.minutes) {
        ("acknowledge", None) => Verb::Acknowledge,
        ("reset", None) => Verb::Reset,
        ("shelve", Some(minutes)) => {
            let time = Duration::try_from_secs_f64(minutes * 60.0);
            Verb::Shelve(time.map_err(|_| wrong(format!("{minutes} is no number of minutes")))?)
        }
        ("shelve", None) => return Err(wrong("`minutes` is missing".to_owned())),
        ("unshelve", None) => Verb::Unshelve,
        ("out_of_service", None) => Verb::OutOfService,
        ("in_service", None) => Verb::InService,
        (_, Some(_)) => return Err(wrong("`minutes` is for `shelve` only".to_owned())),
        (unknown, None) => {
            let hint = "there are acknowledge, reset, shelve, unshelve, out_of_service, in_service";
            return Err(Problem::not_found("unknown_verb", format!("no verb {unknown}"), hint));
        }
    };
    super::gate::may(&caller, verb.role())?;
    let order = Order { alarm, verb, by: caller.name, comment: wish.comment };
    follow(&view, order).await
}

async fn follow(view: &Arc<View>, order: Order) -> Result<Json<Standing>, Problem> {
    view.board.follow(order).await.map(Json).map_err(|err| {
        let detail = err.to_string();
        match err {
            OrderError::Unknown(_) => {
                Problem::not_found("unknown_alarm", detail, "GET /api/v1/alarms lists them")
            }
            OrderError::Senseless(..) => {
                let hint = "look at the alarm again: somebody may have been faster";
                Problem::unprocessable("senseless", detail, hint)
            }
            OrderError::Unfit(_) => Problem::bad_request("bad_order", detail, "send it again so"),
            OrderError::NotDurable(_) => Problem::internal(
                "not_durable",
                detail,
                "it may still come to pass: look before you send it again",
            ),
        }
    })
}
