//! The MQTT uplink's thread: connection after connection, with pauses in between.

use std::sync::Arc;
use std::time::Duration;

use signals::{Clock, Envelope, Event, Stop};

use super::connection::Connection;
use super::error::UplinkError;
use super::pace::{Backoff, Bucket};
use super::terms::Warnings;
use super::vitals::{Gauge, StreamVitals};
use super::{CertificateTerm, Link, MqttSettings, Outbox, Uplink, UplinkHealth, UplinkState};
use crate::event_log::EventLog;
use crate::log::{Cursor, Log};

/// How often deadlines, switches and outboxes are looked at.
pub(super) const TICK: Duration = Duration::from_millis(50);
/// How often the terms of certificates are looked at.
const TERMS_EVERY: Duration = Duration::from_mins(1);

/// Publishes outboxes to an MQTT 3.1.1 broker over TCP, at least once.
///
/// The client library is trusted with one connection only: its event loop is thrown away on any
/// error, and what it had not delivered is sent again from our cursor. Its own queue would lose
/// messages on a reconnect.
pub struct MqttUplink {
    pub(super) settings: MqttSettings,
    pub(super) outboxes: Vec<Outbox>,
    pub(super) status: Log<Envelope>,
    pub(super) link: Arc<Link>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) events: EventLog,
    pub(super) health: Arc<UplinkHealth>,
}

/// Where messages wait, besides the outboxes themselves.
pub struct Logs {
    /// The streams, most important first: a stream is sent when those before it have nothing.
    pub outboxes: Vec<Outbox>,
    /// The log of this uplink's own status messages. Nobody else may add to it.
    pub status: Log<Envelope>,
    /// Where the uplink tells what an operator must know.
    pub events: EventLog,
}

impl MqttUplink {
    /// An uplink that is not running. Its cursor in each log is called `uplink:<name>`.
    #[must_use]
    pub fn new(settings: MqttSettings, logs: Logs, link: Arc<Link>, clock: Arc<dyn Clock>) -> Self {
        let scheme = if settings.tls.is_some() { "mqtts" } else { "mqtt" };
        let address = format!("{scheme}://{}:{}", settings.host, settings.port);
        let health = UplinkHealth::new(&settings.name, address);
        let stream = |outbox: &Outbox| StreamVitals {
            stream: outbox.stream.clone(),
            ..StreamVitals::default()
        };
        health.update(|vitals| vitals.streams = logs.outboxes.iter().map(stream).collect());
        let Logs { outboxes, status, events } = logs;
        Self { settings, outboxes, status, link, clock, events, health }
    }

    pub(super) fn cursor(&self, log: &Log<Envelope>) -> Cursor {
        log.cursor(&format!("uplink:{}", self.settings.name))
    }
}

impl Uplink for MqttUplink {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn health(&self) -> Arc<UplinkHealth> {
        Arc::clone(&self.health)
    }

    fn run(self: Box<Self>, stop: &Stop) {
        let mut session = Session::new(&self);
        while !stop.is_raised() {
            if self.link.is_cut() {
                self.health.turn(UplinkState::Cut, self.clock.now());
                session.measure();
                let _stopped = stop.wait(TICK);
                // A link that is mended is tried at once.
                session.backoff.reset();
                continue;
            }
            self.health.turn(UplinkState::Connecting, self.clock.now());
            let ended = session.connect(stop);
            self.link.set_up(false);
            match ended {
                Ok(()) | Err(UplinkError::Cut) => {}
                Err(err) => session.pause(&err, stop),
            }
        }
        self.health.turn(UplinkState::Stopped, self.clock.now());
        for cursor in &session.cursors {
            // What is committed and not written yet only costs sending again.
            if let Err(err) = cursor.flush() {
                tracing::warn!(uplink = self.settings.name, %err, "cursor is older than it could be");
            }
        }
    }
}

/// What outlives a connection.
pub(super) struct Session<'a> {
    pub(super) uplink: &'a MqttUplink,
    /// One per outbox.
    pub(super) cursors: Vec<Cursor>,
    gauges: Vec<Gauge>,
    pub(super) bucket: Bucket,
    pub(super) backoff: Backoff,
    warnings: Warnings,
    terms_seen: Duration,
}

impl<'a> Session<'a> {
    fn new(uplink: &'a MqttUplink) -> Self {
        let settings = &uplink.settings;
        Self {
            uplink,
            cursors: uplink.outboxes.iter().map(|outbox| uplink.cursor(&outbox.log)).collect(),
            gauges: uplink.outboxes.iter().map(|_| Gauge::new()).collect(),
            bucket: Bucket::new(settings.rate_per_s),
            backoff: Backoff::new(settings.retry_min, settings.seed),
            warnings: Warnings::default(),
            terms_seen: Duration::ZERO,
        }
    }

    /// One connection from beginning to end.
    fn connect(&mut self, stop: &Stop) -> Result<(), UplinkError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(UplinkError::Runtime)?;
        let ended = runtime.block_on(Connection::run(self, stop));
        // A name look-up that hangs shall not hold us.
        runtime.shutdown_background();
        ended
    }

    /// Tells what happened and waits before the next attempt.
    fn pause(&mut self, err: &UplinkError, stop: &Stop) {
        let uplink = self.uplink;
        let now = uplink.clock.now();
        let text = err.to_string();
        uplink.health.update(|vitals| {
            if vitals.last_error.as_ref() != Some(&text) {
                tracing::warn!(uplink = uplink.settings.name, "{text}");
            }
            vitals.last_error = Some(text);
            vitals.last_error_at = Some(now);
        });
        uplink.health.turn(UplinkState::Waiting, now);
        let max = match err {
            UplinkError::Unreachable { .. } => uplink.settings.retry_unreachable_max,
            UplinkError::NoAnswer { .. }
            | UplinkError::Refused { .. }
            | UplinkError::Tls { .. }
            | UplinkError::Lost { .. }
            | UplinkError::Stalled { .. }
            | UplinkError::Silent { .. }
            | UplinkError::Log(_)
            | UplinkError::Runtime(_)
            | UplinkError::Cut => uplink.settings.retry_max,
        };
        let until = uplink.clock.monotonic() + self.backoff.pause(max);
        while uplink.clock.monotonic() < until && !uplink.link.is_cut() && !stop.wait(TICK) {
            self.measure();
        }
    }

    /// Brings backlog and rates up to date.
    pub(super) fn measure(&mut self) {
        let uplink = self.uplink;
        let now = uplink.clock.monotonic();
        let measured = uplink.outboxes.iter().zip(&self.cursors).zip(&mut self.gauges);
        uplink.health.update(|vitals| {
            for (stream, (what, gauge)) in vitals.streams.iter_mut().zip(measured) {
                gauge.measure(what, now, stream);
            }
        });
        if now.saturating_sub(self.terms_seen) >= TERMS_EVERY {
            let terms = uplink.health.vitals().certificates;
            self.note_terms(terms);
        }
    }

    /// Notes when the certificates in use end, and warns in time.
    pub(super) fn note_terms(&mut self, terms: Vec<CertificateTerm>) {
        let uplink = self.uplink;
        self.terms_seen = uplink.clock.monotonic();
        let due = self.warnings.due(&uplink.settings.name, &terms, uplink.clock.now());
        uplink.health.update(|vitals| vitals.certificates = terms);
        for event in due {
            tracing::warn!(uplink = uplink.settings.name, "{}", event.message);
            self.tell(event);
        }
    }

    /// Puts an event into the journal. Never waits: the log has it in any case.
    pub(super) fn tell(&self, event: Event) {
        if !self.uplink.events.offer(&[event]) {
            tracing::warn!(
                uplink = self.uplink.settings.name,
                "the journal has no room for an event"
            );
        }
    }
}
