//! The MQTT uplink's thread: connection after connection, with pauses in between.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signals::{Clock, Disk, Envelope, Stop};

use super::error::UplinkError;
use super::session::Session;
use super::vitals::StreamVitals;
use super::{Link, MqttSettings, Outbox, Uplink, UplinkHealth, UplinkState};
use crate::event_log::EventLog;
use crate::log::{Cursor, Log};

/// How often deadlines, switches and outboxes are looked at.
pub(super) const TICK: Duration = Duration::from_millis(50);

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
    pub(super) files: Files,
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
    /// Where it keeps its own files.
    pub files: Files,
}

/// Where an uplink keeps what is not in a log.
#[derive(Clone)]
pub struct Files {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// The bytes used of the day.
    pub used_today: PathBuf,
    /// Folder of the messages set aside.
    pub quarantine: PathBuf,
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
        let Logs { outboxes, status, events, files } = logs;
        Self { settings, outboxes, status, link, clock, events, files, health }
    }

    /// Its cursor in a log.
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
            session.judge();
            match ended {
                Ok(()) | Err(UplinkError::Cut) => {}
                Err(err) => session.pause(&err, stop),
            }
        }
        self.health.turn(UplinkState::Stopped, self.clock.now());
        session.flush();
    }
}
