//! Uplink: outboxes → a broker. The only room that speaks MQTT.
//!
//! In: envelopes, one outbox log per stream. Out: messages at least once, in order per stream,
//! byte-identical whenever they are sent again.
//!
//! - U-1 A cursor moves only over messages the broker has acknowledged or whose loss was told,
//!   without a gap.
//! - U-2 At most `window` messages are on their way; memory does not grow with the backlog.
//! - U-3 It never gives up, and whatever happens to the network, it notices within a deadline of
//!   its own.
//!
//! - U-4 What will never be delivered is counted and told by an event, which is itself forwarded:
//!   what was evicted, what was too old, what the broker refuses for ever.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signals::{Envelope, Mistake, Stop};

use crate::log::Log;

mod connection;
mod error;
mod flight;
mod lane;
mod limits;
mod loss;
mod mqtt;
mod pace;
mod quarantine;
mod session;
mod status;
mod suspicion;
mod terms;
mod tls;
mod track;
mod vitals;

pub use error::UplinkError;
pub use lane::SendOrder;
pub use limits::Allowance;
pub use mqtt::{Files, Logs, MqttUplink};
pub use pace::Hours;
pub use tls::{CertificateTerm, TlsSettings, first_to_end};
pub use vitals::{StreamVitals, UplinkHealth, UplinkState, UplinkVitals};

/// A way out of the gateway. The gateway gives each uplink an OS thread of its own.
pub trait Uplink: Send {
    /// Its name, which its cursors carry.
    fn name(&self) -> &str;
    /// Its health, readable while it runs.
    fn health(&self) -> Arc<UplinkHealth>;
    /// Sends until `stop` is raised, then says goodbye.
    fn run(self: Box<Self>, stop: &Stop);
}

/// Whether messages can leave, shared by an uplink, whoever makes messages and whoever tests.
#[derive(Debug, Default)]
pub struct Link {
    up: AtomicBool,
    cut: AtomicBool,
}

impl Link {
    /// A link that is not up and not cut.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Whether the broker has accepted us and has not been lost since.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::SeqCst)
    }

    /// Whether the network is to be treated as if it were gone.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    /// Cuts the link or mends it: while cut, the uplink drops its connection without a goodbye
    /// and makes no new one. For demonstrations and tests of an outage.
    pub fn set_cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    pub(crate) fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::SeqCst);
    }
}

/// A stream of messages and where they wait.
#[derive(Clone, Debug)]
pub struct Outbox {
    /// The stream's name, the last part of its topic.
    pub stream: String,
    /// The messages; offsets are their `seq`.
    pub log: Log<Envelope>,
    /// The log's folder; what uplinks know beside their cursors is in `ahead` below it.
    pub folder: PathBuf,
    /// Whether it is sent although the bytes of the day are used up.
    pub is_urgent: bool,
    /// How long messages wait before they are given up; `None` for as long as there is room.
    pub age_max: Option<Duration>,
}

#[cfg(test)]
impl Outbox {
    /// One whose log the tests' fixtures made.
    fn of(stream: &str, log: Log<Envelope>) -> Self {
        let folder = PathBuf::from("/outbox").join(stream);
        let is_urgent = stream == "events";
        Self { stream: stream.to_owned(), log, folder, is_urgent, age_max: None }
    }
}

/// A user name and its password, which no message and no log shows.
#[derive(Clone)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How to reach an MQTT broker and how to behave there.
#[derive(Clone, Debug)]
pub struct MqttSettings {
    /// Name of the uplink.
    pub name: String,
    /// Name or address of the broker.
    pub host: String,
    /// Port of the broker.
    pub port: u16,
    /// MQTT client id; two clients of one id throw each other out.
    pub client_id: String,
    /// User name and password.
    pub credentials: Option<Credentials>,
    /// TLS; `None` for plain TCP.
    pub tls: Option<TlsSettings>,
    /// What topics begin with.
    pub prefix: String,
    /// The gateway's id, the second part of topics.
    pub gateway: String,
    /// Whole seconds, at least 1.
    pub keep_alive: Duration,
    /// Longest time from the first packet to the broker's CONNACK.
    pub connect_timeout: Duration,
    /// Longest time without any acknowledgement while one is due.
    pub ack_timeout: Duration,
    /// Messages that may be on their way unacknowledged, 1..=20.
    pub window: u16,
    /// How much may be sent.
    pub allowance: Allowance,
    /// In which order the backlog is sent.
    pub order: SendOrder,
    /// How long a connection must hold before a message is sent that ended others.
    pub trial_hold: Duration,
    /// Longest payload that is sent; longer ones are set aside.
    pub message_bytes_max: usize,
    /// First pause after a failure; doubles each time.
    pub retry_min: Duration,
    /// Longest pause after a broker has turned us away or fallen silent.
    pub retry_max: Duration,
    /// Longest pause while nothing can be reached: trying costs no broker anything.
    pub retry_unreachable_max: Duration,
    /// Seed of the pauses' jitter; differs between gateways.
    pub seed: u64,
}

/// More would leave no room for a broker that acknowledges out of order.
const WINDOW_MAX: u16 = 20;

impl MqttSettings {
    /// Settings for a broker at `host:port`, with defaults for the rest.
    #[must_use]
    pub fn new(name: &str, gateway: &str, host: &str, port: u16) -> Self {
        Self {
            name: name.to_owned(),
            host: host.to_owned(),
            port,
            client_id: gateway.to_owned(),
            credentials: None,
            tls: None,
            prefix: "fieldgate/v1".to_owned(),
            gateway: gateway.to_owned(),
            keep_alive: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            ack_timeout: Duration::from_secs(20),
            window: WINDOW_MAX,
            allowance: Allowance::default(),
            order: SendOrder::Strict,
            trial_hold: Duration::from_secs(1),
            message_bytes_max: crate::forward::PAYLOAD_BYTES_MAX,
            retry_min: Duration::from_millis(200),
            retry_max: Duration::from_mins(1),
            // Publishing again within 5 s after the network is back.
            retry_unreachable_max: Duration::from_secs(4),
            seed: gateway.bytes().fold(0, |seed: u64, b| seed.rotate_left(8) ^ u64::from(b)),
        }
    }

    /// What is wrong with the settings; empty when nothing is.
    #[must_use]
    pub fn check(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut wrong = |is_wrong: bool, key: &str, problem: String, remedy: &str| {
            if is_wrong {
                mistakes.push(Mistake::new(key, problem, remedy));
            }
        };
        let topic_part = |text: &str| {
            !text.is_empty() && !text.contains(['+', '#', '\0']) && !text.starts_with('$')
        };
        let is_file_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_named = !self.name.is_empty() && self.name.chars().all(is_file_name);
        let problem = format!("`{}` cannot name a cursor", self.name);
        wrong(!is_named, "name", problem, "use letters, digits, `-` and `_`");
        wrong(self.host.is_empty(), "host", "is empty".to_owned(), "write the broker's name");
        wrong(self.client_id.is_empty(), "client_id", "is empty".to_owned(), "leave it out");
        for (key, part) in [("prefix", &self.prefix), ("gateway", &self.gateway)] {
            let problem = format!("`{part}` cannot be part of a topic");
            wrong(!topic_part(part), key, problem, "use letters, digits, `-`, `_` and `/`");
        }
        let is_seconds = self.keep_alive.as_secs() >= 1
            && self.keep_alive.subsec_nanos() == 0
            && u16::try_from(self.keep_alive.as_secs()).is_ok();
        let problem = format!("{:?} is not a whole number of seconds", self.keep_alive);
        wrong(!is_seconds, "keep_alive", problem, "write 1 s to 65535 s, for example `30 s`");
        let problem = format!("{} is not in 1..=20", self.window);
        wrong(!(1..=WINDOW_MAX).contains(&self.window), "window", problem, "leave it out for 20");
        let is_still = self.allowance.rate_per_s.is_some_and(|rate| rate <= 0.0);
        wrong(is_still, "rate_per_s", "0 sends nothing".to_owned(), "leave it out for no limit");
        mistakes
    }

    /// The topic of a stream: `<prefix>/<gateway>/<stream>`.
    #[must_use]
    pub fn topic(&self, stream: &str) -> String {
        format!("{}/{}/{stream}", self.prefix, self.gateway)
    }
}

#[cfg(test)]
mod tests;
