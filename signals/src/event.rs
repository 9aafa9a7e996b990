//! Events: what happened that an operator, an engineer or an auditor may want to know.

use serde::{Deserialize, Serialize};

use crate::table::SystemType;
use crate::{SystemColumn, Table, Timestamp, ValueType};
use std::sync::Arc;

/// How much an event matters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the record.
    Note,
    /// Somebody should look at it, in time.
    Advisory,
    /// Somebody must act.
    Alarm,
}

impl Severity {
    /// `note`, `advisory` or `alarm`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Advisory => "advisory",
            Self::Alarm => "alarm",
        }
    }
}

/// One row of `_events`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    pub ts: Timestamp,
    /// What kind of thing: `anomaly_opened`, `anomaly_closed`, `gateway_started`, `recovered` …
    pub kind: String,
    /// How much it matters.
    pub severity: Severity,
    /// The device, detector or room it is about.
    pub source: String,
    /// A sentence for people.
    pub message: String,
    /// Details for programs, a JSON object.
    pub details: serde_json::Value,
}

/// The `_events` table: `ts, kind, severity, source, message, details` (JSON text).
///
/// # Panics
/// Never: its names are legal.
#[must_use]
pub fn events_table() -> Arc<Table> {
    let columns = ["kind", "severity", "source", "message", "details"]
        .map(|name| SystemColumn {
            name: name.to_owned(),
            kind: SystemType::Plain(ValueType::Text),
            nullable: false,
        })
        .to_vec();
    Table::of_system("_events", columns).expect("the names are legal")
}
