//! What a checked configuration says: values that can be used as they are.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pipelines_flow::historian::Profile;
use pipelines_flow::trigger::TriggerSettings;
use pipelines_flow::uplink::{Allowance, Hours, SendOrder};
use pipelines_sql::rule::Rule;
use serde::Serialize;

/// Who this gateway is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GatewayIdentity {
    /// Name in topics and files: letters, digits, `-` and `_`.
    pub id: String,
    /// First part of the paths of its signals.
    pub site: String,
    /// IANA name of the zone people read times in; what is stored is always UTC.
    pub timezone: String,
}

/// How the journal makes samples durable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JournalSettings {
    /// Longest time between an append and its sync: what a power cut may cost. Zero: every batch
    /// is synced.
    pub sync_interval: Duration,
    /// Bytes that are synced at once, however short the time.
    pub sync_bytes: u64,
    /// Bytes of a segment before the next is begun.
    pub segment_bytes: u64,
    /// Bytes of all segments together.
    pub bytes_max: u64,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            // Flash wears out with syncs; one a second is what it bears for ten years.
            sync_interval: Duration::from_secs(1),
            // A burst does not wait for the second to end with more than this at stake.
            sync_bytes: 4 << 20,
            // Small enough to be dropped one at a time, large enough to be few.
            segment_bytes: 16 << 20,
            // Days of a plant of a thousand tags, and room left on an 8 GB card.
            bytes_max: 1 << 30,
        }
    }
}

/// How Parquet files of the lake are cut, and how much of the disk they may have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LakeSettings {
    /// Time after which a file is sealed.
    pub roll_interval: Duration,
    /// Rows after which a file is sealed.
    pub roll_rows: u64,
    /// Who is to read the files.
    pub profile: Profile,
    /// Bytes of all files; `None` for what the volume has above `free_min`.
    pub bytes_max: Option<u64>,
    /// Bytes kept free on the volume; `None` for a tenth of it, at most 512 MiB.
    pub free_min: Option<u64>,
    /// When the lake is over its bounds, the first row of every such interval stays of old samples;
    /// `None`: they go whole.
    pub thin_interval: Option<Duration>,
}

impl Default for LakeSettings {
    fn default() -> Self {
        // An hour a file is 24 a day and table: few enough to list, fresh enough to read.
        // Half a million rows of a wide table encode in some tens of megabytes of memory.
        Self {
            roll_interval: Duration::from_hours(1),
            roll_rows: 500_000,
            // Spark reads it.
            profile: Profile::Default,
            bytes_max: None,
            free_min: None,
            thin_interval: Some(Duration::from_mins(1)),
        }
    }
}

/// One detector.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorSettings {
    /// Its name in events.
    pub name: String,
    /// Family, one of [`super::families`].
    pub family: String,
    /// Paths of its signals, at least two, none twice.
    pub signals: Vec<String>,
    /// False alarms a week that the operator accepts; greater than zero.
    pub budget_per_week: f64,
    /// Clock of the rows it scores.
    pub every: Duration,
}

/// How much an alarm matters, after ISA-18.2.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// There is time.
    Low,
    /// The usual one.
    #[default]
    Medium,
    /// Soon.
    High,
    /// At once.
    Critical,
}

impl Priority {
    /// `low`, `medium`, `high`, `critical`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The priority of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Low, Self::Medium, Self::High, Self::Critical].into_iter().find(|p| p.name() == name)
    }
}

/// What an alarm says to an operator.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct AlarmSettings {
    /// How much it matters.
    pub priority: Priority,
    /// What has happened, in a sentence.
    pub message: Option<String>,
    /// Whether it waits for a reset after its condition has gone.
    pub latches: bool,
    /// What may have brought it about.
    pub cause: Option<String>,
    /// What comes of it when nobody acts.
    pub consequence: Option<String>,
    /// What to do.
    pub action: Option<String>,
    /// How long there is to do it.
    #[serde(serialize_with = "whole_seconds", rename = "respond_within_s")]
    pub respond_within: Option<Duration>,
}

#[expect(clippy::ref_option, reason = "what serde asks for")]
fn whole_seconds<S: serde::Serializer>(
    span: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    span.map(|span| span.as_secs()).serialize(serializer)
}

/// A rule as written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleWords {
    /// Its name in events and of its alarm.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// `SELECT … FROM 'asset' WHERE …`.
    pub sql: String,
    /// The condition that ends it.
    pub clear: Option<String>,
    /// The condition under which nobody is told.
    pub suppress: Option<String>,
    /// How long its conditions must hold, and how old a value may be.
    pub trigger: TriggerSettings,
    /// Its alarm; `None` for a rule that is told and asks nothing of anybody.
    pub alarm: Option<AlarmSettings>,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct RuleSettings {
    /// As written.
    pub words: RuleWords,
    /// As planned.
    pub plan: Arc<Rule>,
}

impl PartialEq for RuleSettings {
    /// The plan follows from the words and the signals, which are compared apart.
    fn eq(&self, other: &Self) -> bool {
        self.words == other.words
    }
}

/// Bounds of one stream's outbox.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OutboxSettings {
    /// Bytes on disk; `None` for 1 GiB. An eighth of the volume is the most in any case.
    pub bytes_max: Option<u64>,
    /// How long a message waits before it is given up; `None` for as long as there is room.
    pub age_max: Option<Duration>,
    /// Whether a full outbox leaves the rest in the journal instead of giving up its oldest.
    pub refuses: bool,
}

/// Kinds of uplinks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UplinkKind {
    /// MQTT 3.1.1.
    Mqtt,
}

/// One uplink.
#[derive(Clone, Debug, PartialEq)]
pub struct UplinkSettings {
    /// Its name on the page and in cursors.
    pub name: String,
    /// What it speaks.
    pub kind: UplinkKind,
    /// Host name or address of the broker.
    pub host: String,
    /// Port of the broker.
    pub port: u16,
    /// What every topic starts with; no slash at either end.
    pub prefix: String,
    /// MQTT client id.
    pub client_id: String,
    /// User name, when the broker wants one.
    pub username: Option<String>,
    /// Where the password is.
    pub password: Option<SecretRef>,
    /// How much may be sent.
    pub allowance: Allowance,
    /// In which order the backlog is sent.
    pub order: SendOrder,
    /// Longest payload the broker takes; `None` for 128 KiB.
    pub message_bytes_max: Option<u64>,
    /// Longest silence on the connection.
    pub keep_alive: Duration,
    /// TLS; `None` for plain TCP.
    pub tls: Option<UplinkTls>,
}

/// Files of an uplink's TLS; relative paths start from the folder of the configuration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UplinkTls {
    /// Authorities to trust; `None` for those the machine trusts.
    pub ca: Option<PathBuf>,
    /// Our certificate and its private key, when the broker wants one.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Name in the broker's certificate; `None` for the host of the address.
    pub server_name: Option<String>,
    /// Revocation lists.
    pub crl: Option<PathBuf>,
}

/// Where files of the lake are uploaded to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UploadSettings {
    /// The place.
    pub place: UploadPlace,
    /// Bytes a second on average; `None` for as many as the link takes.
    pub bytes_per_s: Option<u64>,
    /// When files are sent, UTC; `None` for always.
    pub hours: Option<Hours>,
}

/// A place for files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UploadPlace {
    /// A folder that is there.
    Folder(PathBuf),
    /// A bucket of S3 or of what speaks like it.
    S3 {
        /// Its name.
        bucket: String,
        /// What all names begin with, without a slash at either end.
        prefix: String,
        /// Scheme, host and port; `None` for AWS.
        endpoint: Option<String>,
        /// Region.
        region: String,
        /// Access key and its secret; `None` for those of the cloud instance it runs on.
        keys: Option<(SecretRef, SecretRef)>,
    },
}

/// Where a secret is kept. Configurations never hold the secret itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SecretRef {
    /// A file with the secret as its first line.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A systemd credential.
    Credential(String),
}

impl SecretRef {
    /// Reads `file:…`, `env:…` or `credential:…`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, name) = text.split_once(':')?;
        match scheme {
            _ if name.trim().is_empty() => None,
            "file" => Some(Self::File(PathBuf::from(name))),
            "env" => Some(Self::Env(name.to_owned())),
            "credential" => Some(Self::Credential(name.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Credential(name) => write!(f, "credential:{name}"),
        }
    }
}

/// Writing into devices.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct WriteSettings {
    /// Whether anything may be written at all. Off unless a person has switched it on.
    pub enabled: bool,
}

/// The page and the API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebSettings {
    /// Address they are served on.
    pub listen: SocketAddr,
    /// Who may read.
    pub reading: Reading,
    /// Whether connections are encrypted, and with whose certificate.
    pub tls: WebTls,
}

/// The page's TLS.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum WebTls {
    /// As `Device`, but where only this machine reaches the address.
    #[default]
    Auto,
    /// With a certificate of an authority that is this device's alone.
    Device,
    /// None, by choice.
    Off,
    /// With the owner's certificate.
    Own {
        /// The certificate with its chain, PEM.
        certificate: PathBuf,
        /// Its private key, PEM.
        private_key: PathBuf,
    },
}

/// Who may read the page and the API. Whoever does anything must be known either way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Who is logged in, or has a token.
    #[default]
    Login,
    /// Everybody who reaches the address.
    Open,
}

impl Default for WebSettings {
    fn default() -> Self {
        // Loopback: nobody else reaches a gateway before its owner has decided so.
        let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        Self { listen, reading: Reading::default(), tls: WebTls::default() }
    }
}
