//! The configuration as written: every field optional, what is missing is for the checks to say.

use adapters_can::config::CanConfig;
use adapters_modbus::config::{DeviceConfig, LineConfig, ProfileConfig};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Raw {
    pub(crate) gateway: RawGateway,
    pub(crate) line: Vec<LineConfig>,
    pub(crate) profile: Vec<ProfileConfig>,
    pub(crate) device: Vec<DeviceConfig>,
    pub(crate) can: Vec<CanConfig>,
    pub(crate) journal: RawJournal,
    pub(crate) lake: RawLake,
    pub(crate) aggregate: Vec<RawAggregate>,
    pub(crate) detector: Vec<RawDetector>,
    pub(crate) reduction: Vec<RawReduction>,
    pub(crate) rule: Vec<RawRule>,
    pub(crate) outbox: RawOutbox,
    pub(crate) uplink: Vec<RawUplink>,
    pub(crate) upload: Option<RawUpload>,
    pub(crate) web: RawWeb,
    pub(crate) writes: RawWrites,
    pub(crate) local_broker: Option<RawLocalBroker>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawGateway {
    pub(crate) id: Option<String>,
    pub(crate) site: Option<String>,
    pub(crate) timezone: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawJournal {
    pub(crate) sync: Option<String>,
    pub(crate) sync_interval: Option<String>,
    pub(crate) sync_bytes: Option<u64>,
    pub(crate) segment_bytes: Option<u64>,
    pub(crate) bytes_max: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawLake {
    pub(crate) roll_interval: Option<String>,
    pub(crate) roll_rows: Option<u64>,
    pub(crate) profile: Option<String>,
    pub(crate) bytes_max: Option<u64>,
    pub(crate) free_min: Option<u64>,
    pub(crate) thin_interval: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawAggregate {
    pub(crate) window: Option<String>,
    pub(crate) every: Option<String>,
    pub(crate) lateness: Option<String>,
    pub(crate) functions: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawDetector {
    pub(crate) name: Option<String>,
    pub(crate) family: Option<String>,
    pub(crate) signals: Vec<String>,
    pub(crate) budget_per_week: Option<f64>,
    pub(crate) every: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawReduction {
    pub(crate) signals: Vec<String>,
    pub(crate) method: Option<String>,
    pub(crate) error: Option<f64>,
    pub(crate) heartbeat: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawOutbox {
    pub(crate) events: RawOutboxStream,
    pub(crate) aggregates: RawOutboxStream,
    pub(crate) samples: RawOutboxStream,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawOutboxStream {
    pub(crate) bytes_max: Option<u64>,
    pub(crate) age_max: Option<String>,
    pub(crate) when_full: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawUplink {
    pub(crate) name: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) rate_per_s: Option<f64>,
    pub(crate) bytes_per_s: Option<u64>,
    pub(crate) bytes_per_day: Option<u64>,
    pub(crate) message_bytes_max: Option<u64>,
    pub(crate) order: Option<String>,
    pub(crate) backlog_rate_per_s: Option<f64>,
    pub(crate) backlog_hours: Option<String>,
    pub(crate) keep_alive: Option<String>,
    pub(crate) tls: Option<bool>,
    pub(crate) ca: Option<String>,
    pub(crate) certificate: Option<String>,
    pub(crate) private_key: Option<String>,
    pub(crate) server_name: Option<String>,
    pub(crate) crl: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawUpload {
    pub(crate) to: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) access_key: Option<String>,
    pub(crate) secret_key: Option<String>,
    pub(crate) bytes_per_s: Option<u64>,
    pub(crate) hours: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawWeb {
    pub(crate) listen: Option<String>,
    pub(crate) reading: Option<String>,
    pub(crate) tls: Option<String>,
    pub(crate) certificate: Option<String>,
    pub(crate) private_key: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawWrites {
    pub(crate) enabled: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawLocalBroker {
    pub(crate) listen: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawRule {
    pub(crate) name: Option<String>,
    pub(crate) sql: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) clear: Option<String>,
    pub(crate) r#for: Option<String>,
    pub(crate) clear_for: Option<String>,
    pub(crate) age_max: Option<String>,
    pub(crate) suppress: Option<String>,
    pub(crate) alarm: Option<RawAlarm>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawAlarm {
    pub(crate) priority: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) latched: Option<bool>,
    pub(crate) cause: Option<String>,
    pub(crate) consequence: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) respond_within: Option<String>,
}
