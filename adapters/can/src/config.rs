//! Configuration of CAN buses: raw as written, and the check of it.

use serde::Deserialize;

/// `[[can]]`: one bus, as written. What is missing is reported by the check.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CanConfig {
    /// Name of the bus; its tables are named after it.
    pub name: Option<String>,
    /// Path its signals stand under: `yard/truck`. Default: `<site>/<name>`.
    pub path: Option<String>,
    /// One line for the operator.
    pub description: Option<String>,
    /// Network interface, `can0`. Either this or `replay`.
    pub interface: Option<String>,
    /// candump log to play, plain or `.gz`. Either this or `interface`.
    pub replay: Option<String>,
    /// Interface name in the log to take frames of; all when not given.
    pub channel: Option<String>,
    /// 1 plays as recorded, 2 twice as fast.
    pub speed: Option<f64>,
    /// Whether to start again at the end of the log.
    pub r#loop: Option<bool>,
    /// Databases, first wins where two claim an identifier.
    pub dbc: Vec<String>,
    /// `exact`, `pgn`, or `auto` (default: what each database says).
    pub r#match: Option<String>,
    /// Signals to take: `EEC1.EngineSpeed`, `EEC1.*`; all when empty.
    pub signals: Vec<String>,
}
