//! The `status` stream: whether the gateway is there, retained, with a last will.
//!
//! `seq` of the status stream is the offset in a log of its own. A connection takes two numbers:
//! one for `online`, the next for the `offline` that is its last will. They are used up as soon as
//! a broker may have seen them, so that no number ever stands for two texts.

use serde::Serialize;
use signals::{Envelope, Offset, Timestamp};

use crate::log::Log;

/// The two status messages of one connection.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) online: Vec<u8>,
    pub(super) offline: Vec<u8>,
}

#[derive(Serialize)]
struct Body<'a> {
    gateway: &'a str,
    stream: &'a str,
    seq: Offset,
    ts: String,
    state: &'a str,
    version: &'a str,
}

impl Pair {
    /// The messages with the next two numbers of `log`, made at `now`.
    pub(super) fn make(gateway: &str, log: &Log<Envelope>, now: Timestamp) -> Self {
        let body = |seq, state| {
            let ts = now.to_string();
            let version = env!("CARGO_PKG_VERSION");
            let body = Body { gateway, stream: "status", seq, ts, state, version };
            serde_json::to_vec(&body).expect("a plain struct can always be written")
        };
        let first = log.next();
        Self { online: body(first, "online"), offline: body(first.next(), "offline") }
    }

    /// Uses up the two numbers; durable with the log's next commit. Never waits: a full disk
    /// shall not keep messages from leaving.
    pub(super) fn keep(&self, log: &Log<Envelope>) {
        for payload in [&self.online, &self.offline] {
            let envelope = Envelope { source: Offset::START, payload: payload.clone() };
            if log.offer(envelope).is_err() {
                tracing::warn!("status log is full; a number of the status stream may come twice");
            }
        }
    }
}
