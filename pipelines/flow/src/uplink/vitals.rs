//! What is known of an uplink, for the page and for metrics.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use signals::{Offset, Timestamp};

use super::loss::{LossReason, stamp};
use super::track::Track;
use super::{CertificateTerm, Outbox};

/// What an uplink is doing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UplinkState {
    /// Not running.
    #[default]
    Stopped,
    /// Waiting for the broker to accept us.
    Connecting,
    /// Accepted by the broker.
    Online,
    /// Pausing after a failure before the next attempt.
    Waiting,
    /// The link is cut on purpose.
    Cut,
}

/// What is known of an uplink, counted since its start.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UplinkVitals {
    /// What it is doing.
    pub state: UplinkState,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Why the last connection ended, and what to do; kept when all is well again.
    pub last_error: Option<String>,
    /// When the last connection ended.
    pub last_error_at: Option<Timestamp>,
    /// Connections the broker has accepted.
    pub connections: u64,
    /// Certificates in use and when they end; empty without TLS.
    pub certificates: Vec<CertificateTerm>,
    /// Bytes that may still be sent today (UTC); `None` without a limit.
    pub bytes_left_today: Option<u64>,
    /// The streams, in order of precedence.
    pub streams: Vec<StreamVitals>,
}

/// What is known of a stream on its way out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StreamVitals {
    /// The stream.
    pub stream: String,
    /// Messages given to the network, those sent again included.
    pub sent: u64,
    /// Messages the broker has acknowledged.
    pub acknowledged: u64,
    /// Messages that will never be delivered because the outbox was full.
    pub lost_outbox_full: u64,
    /// Messages that will never be delivered because they had waited too long.
    pub lost_too_old: u64,
    /// Messages set aside because they are refused or too large.
    pub set_aside: u64,
    /// Messages not acknowledged yet.
    pub backlog_messages: u64,
    /// Their size on disk, approximately.
    pub backlog_bytes: u64,
    /// `ts` of the oldest of them, RFC 3339.
    pub oldest: Option<String>,
    /// Messages acknowledged per second, smoothed over some seconds.
    pub drain_per_s: f64,
    /// Messages added per second, smoothed over some seconds.
    pub fill_per_s: f64,
    /// Seconds until the backlog is gone at these rates; `None` when it is not shrinking.
    pub eta_s: Option<f64>,
}

impl StreamVitals {
    pub(super) fn lose(&mut self, reason: LossReason, messages: u64) {
        let count = match reason {
            LossReason::OutboxFull => &mut self.lost_outbox_full,
            LossReason::TooOld => &mut self.lost_too_old,
            LossReason::Refused | LossReason::TooLarge => &mut self.set_aside,
        };
        *count += messages;
    }
}

/// The vitals of an uplink, shared between it and whoever shows them.
#[derive(Debug)]
pub struct UplinkHealth {
    /// The uplink's name.
    pub name: String,
    /// The broker as an engineer would write it: `mqtt://127.0.0.1:1883`.
    pub address: String,
    vitals: Mutex<UplinkVitals>,
}

impl UplinkHealth {
    pub(super) fn new(name: &str, address: String) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), address, vitals: Mutex::default() })
    }

    /// A copy of what is known now.
    #[must_use]
    pub fn vitals(&self) -> UplinkVitals {
        self.locked().clone()
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut UplinkVitals)) {
        change(&mut self.locked());
    }

    pub(super) fn turn(&self, state: UplinkState, now: Timestamp) {
        self.update(|vitals| {
            if vitals.state != state || vitals.since.is_none() {
                vitals.since = Some(now);
            }
            vitals.state = state;
        });
    }

    fn locked(&self) -> MutexGuard<'_, UplinkVitals> {
        self.vitals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Measures a stream's backlog and rates, about once a second.
#[derive(Debug)]
pub(super) struct Gauge {
    /// When, how many were settled, and the head.
    last: Option<(Duration, u64, Offset)>,
    drain_per_s: f64,
    fill_per_s: f64,
}

/// How long a measuring interval is at least.
const INTERVAL: Duration = Duration::from_secs(1);
/// Weight of the newest interval.
const WEIGHT: f64 = 0.3;

impl Gauge {
    pub(super) fn new() -> Self {
        Self { last: None, drain_per_s: 0.0, fill_per_s: 0.0 }
    }

    /// Brings `vitals` up to date; `now` is monotonic.
    pub(super) fn measure(
        &mut self,
        (outbox, track): (&Outbox, &Track),
        now: Duration,
        vitals: &mut StreamVitals,
    ) {
        let (at, head) = (track.floor(), outbox.log.durable());
        vitals.backlog_messages = track.waiting(head);
        let settled = head.0.saturating_sub(vitals.backlog_messages);
        vitals.backlog_bytes = outbox.log.bytes_between(at, head);
        let (before, settled_before, head_before) = *self.last.get_or_insert((now, settled, head));
        let span = now.saturating_sub(before);
        if span >= INTERVAL {
            let rate = |moved: u64| per_second(moved, span);
            self.drain_per_s +=
                WEIGHT * (rate(settled.saturating_sub(settled_before)) - self.drain_per_s);
            self.fill_per_s += WEIGHT * (rate(head.since(head_before)) - self.fill_per_s);
            self.last = Some((now, settled, head));
            vitals.oldest = oldest(outbox, at);
        }
        (vitals.drain_per_s, vitals.fill_per_s) = (self.drain_per_s, self.fill_per_s);
        vitals.eta_s = eta_s(vitals);
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates for people")]
fn per_second(moved: u64, span: Duration) -> f64 {
    moved as f64 / span.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
fn eta_s(vitals: &StreamVitals) -> Option<f64> {
    let net = vitals.drain_per_s - vitals.fill_per_s;
    match vitals.backlog_messages {
        0 => Some(0.0),
        messages => (net > 0.01).then(|| messages as f64 / net),
    }
}

fn oldest(outbox: &Outbox, at: Offset) -> Option<String> {
    let entry = outbox.log.read(at, 1).ok()?.into_iter().next()?;
    stamp(&entry.record)
}
