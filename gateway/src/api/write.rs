//! `POST /api/v1/writes`: a command for one tag, from whoever may.

use std::sync::Arc;
use std::time::Duration;

use adapters_modbus::write::{Command, Confirm, Origin, Outcome, Refusal, Reply, Report, Setting};
use axum::Json;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Extension, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use signals::Timestamp;

use super::{Problem, Shared};
use crate::access::Caller;
use crate::listen::Peer;
use crate::view::View;

/// Longest request.
const BYTES_MAX: usize = 16 << 10;
/// How long a command may take: its turn, the longest wait before reading back, and the reading.
const PATIENCE: Duration = Duration::from_secs(90);

/// The request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// Path of the tag.
    #[serde(alias = "path")]
    tag: String,
    value: Setting,
    expected_old: Option<Setting>,
    confirm_token: Option<String>,
    /// RFC 3339, UTC.
    not_after: Option<String>,
}

/// The answer: a settled command, or the wish for a second step.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Told {
    Settled {
        outcome: String,
        detail: String,
        old: Option<Setting>,
        written: Option<Setting>,
        readback: Option<Setting>,
        audit_record: Option<u64>,
    },
    Confirm {
        confirm_token: String,
        seconds: u64,
    },
}

/// Gives the command to the line of the tag and waits for its outcome.
pub(super) async fn order(
    State(view): State<Shared>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    match command(&view, caller, request).await {
        Ok(command) => carry_out(&view, command).await.into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn command(view: &Arc<View>, caller: Caller, request: Request) -> Result<Command, Problem> {
    if !view.writes.enabled {
        return Err(Problem::forbidden(
            "writes_disabled",
            "writing is switched off",
            "set `enabled = true` in [writes] and start again",
        ));
    }
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    let peer = peer.map(|ConnectInfo(peer)| peer.address.to_string());
    let peer = peer.unwrap_or_else(|| "unknown".to_owned());
    let wrong = |what: String| {
        Problem::bad_request(
            "bad_command",
            what,
            "send {\"tag\": …, \"value\": …}, and if wanted expected_old, confirm_token, not_after",
        )
    };
    let body = to_bytes(request.into_body(), BYTES_MAX).await;
    let body = body.map_err(|_| wrong(format!("the request has more than {BYTES_MAX} bytes")))?;
    let wish: Wish = serde_json::from_slice(&body).map_err(|err| wrong(err.to_string()))?;
    let not_after = wish.not_after.map(|text| {
        Timestamp::parse(&text)
            .ok_or_else(|| wrong(format!("\"{text}\" is no time as 2026-01-31T12:00:00Z")))
    });
    Ok(Command {
        path: wish.tag,
        value: wish.value,
        who: caller.name,
        origin: Origin::Local(peer),
        expected_old: wish.expected_old,
        confirm_token: wish.confirm_token,
        not_after: not_after.transpose()?,
    })
}

async fn carry_out(view: &Arc<View>, command: Command) -> Result<Response, Problem> {
    let Some(desk) = view.writes.desk_of(&command.path) else {
        return Err(refused(&Report::refused(Refusal::NotWritable(command.path))));
    };
    let ending = || {
        Problem::internal(
            "gateway_ends",
            "the gateway ends before there is an outcome",
            "look at the audit and at the device before writing again",
        )
    };
    let waited = tokio::select! {
        waited = tokio::time::timeout(PATIENCE, desk.order(command)) => waited,
        () = view.writes.stop.raised() => return Err(ending()),
    };
    match waited {
        Ok(Reply::Confirm(Confirm { token, seconds })) => {
            let told = Told::Confirm { confirm_token: token, seconds };
            Ok((StatusCode::ACCEPTED, Json(told)).into_response())
        }
        Ok(Reply::Settled(report)) => match report.outcome {
            Outcome::Refused(_) => Err(refused(&report)),
            Outcome::ConfirmedByReadback
            | Outcome::Acknowledged
            | Outcome::ReadbackMismatch
            | Outcome::Rejected(_)
            | Outcome::Unknown
            | Outcome::NotConnected => Ok(Json(told(report)).into_response()),
        },
        Err(_) => Err(Problem::internal(
            "no_outcome",
            "the line has not reported an outcome in time",
            "look at the audit and at the device before writing again",
        )),
    }
}

fn told(report: Report) -> Told {
    Told::Settled {
        outcome: report.outcome.name(),
        detail: report.detail,
        old: report.old,
        written: report.written,
        readback: report.readback,
        audit_record: report.audit,
    }
}

/// A refusal by policy, with its reason as the code.
fn refused(report: &Report) -> Problem {
    let Outcome::Refused(refusal) = &report.outcome else {
        return Problem::internal("outcome", report.detail.clone(), "this is a defect");
    };
    let hint = "nothing was sent; the limits of the tag are in its `write` key";
    Problem::unprocessable(refusal.code(), report.detail.clone(), hint)
}

#[cfg(test)]
mod tests;
