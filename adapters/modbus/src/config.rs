//! Configuration of Modbus lines, devices and tags: raw as written, and the check of it.
//!
//! Every field is optional here: what is missing is a mistake that the check reports together
//! with all others, not a reason to stop at the first.

mod check;
mod device;
mod notes;
mod tag;
mod transport;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use check::check;
pub use device::{Device, Line};
pub(crate) use notes::nearest;
pub use transport::{Depth, Parity, Rs485, Serial, TlsIdentity, Transport};

/// `[[line]]`: one connection or serial port, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct LineConfig {
    /// Name of the line; devices refer to it.
    pub name: Option<String>,
    /// `tcp` (more transports follow).
    pub transport: Option<String>,
    /// `host:port` of a TCP line.
    pub host: Option<String>,
    /// How long to wait for a connection: `2 s`.
    pub connect_timeout: Option<String>,
    /// Pause between an answer and the next request: `5 ms`.
    pub request_gap: Option<String>,
}

/// `[[device]]`: one unit on a line, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeviceConfig {
    /// Name of the device; its tables are named after it.
    pub name: Option<String>,
    /// The line it is on.
    pub line: Option<String>,
    /// Unit id.
    pub unit: Option<i64>,
    /// Path its tags stand under: `plant/hall1/pump`. Default: `<site>/<name>`.
    pub path: Option<String>,
    /// One line for the operator.
    pub description: Option<String>,
    /// How long to wait for an answer: `300 ms`.
    pub timeout: Option<String>,
    /// Registers the device gives in one answer, 1..=125.
    pub max_registers: Option<i64>,
    /// Coils or discrete inputs the device gives in one answer, 1..=2000.
    pub max_bits: Option<i64>,
    /// Order of bytes in values over several registers: `ABCD`, `CDAB`, `BADC`, `DCBA`.
    pub word_order: Option<String>,
    /// `protocol` (0-based) or `modicon` (1-based, 5 or 6 digits).
    pub address_style: Option<String>,
    /// Scan period of tags that name none: `1 s`.
    pub every: Option<String>,
    /// Addresses known not to exist: `input:7`, `input:16-39`. What is not listed is found out.
    pub holes: Vec<String>,
    /// Whether unit ids outside 1..=247 are meant.
    pub allow_reserved_unit: Option<bool>,
    /// The tags.
    pub tag: Vec<TagConfig>,
}

/// `[[device.tag]]`: one value of a device, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TagConfig {
    /// Name of the tag, unique in its device.
    pub name: Option<String>,
    /// `input:42`, `holding:3`, `coil:0`, `discrete:5`, or `30043` in Modicon numbers.
    pub at: Option<String>,
    /// `u16`, `f32`, `bit` … (all types of the decoder).
    pub r#type: Option<String>,
    /// Byte order of this tag, if it differs from the device's.
    pub order: Option<String>,
    /// Registers of a string.
    pub length: Option<i64>,
    /// Encoding of a string: `utf-8` (default), `latin-1`.
    pub encoding: Option<String>,
    /// Bit in the register, 0 = least significant.
    pub bit: Option<i64>,
    /// Engineering value = raw × scale + offset.
    pub scale: Option<f64>,
    /// See `scale`.
    pub offset: Option<f64>,
    /// Engineering unit.
    pub unit: Option<String>,
    /// One line for the operator.
    pub description: Option<String>,
    /// Scan period.
    pub every: Option<String>,
    /// Plausible range in engineering units.
    pub range: Option<RangeConfig>,
    /// Names of raw values: `{ 0 = "off", 1 = "on" }`.
    pub labels: BTreeMap<String, String>,
    /// Raw values that mean "no value", with their reason: `{ "-32768" = "sensor_short" }`.
    pub sentinels: BTreeMap<String, String>,
    /// A raw number at or below this lies under the measuring range (a 4-20 mA loop below 4 mA).
    pub under_range_raw: Option<i64>,
    /// A raw number at or above this lies over the measuring range.
    pub over_range_raw: Option<i64>,
}

/// `range = { low = 0, high = 16, outside = "uncertain" }`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RangeConfig {
    /// Smallest plausible value.
    pub low: Option<f64>,
    /// Greatest plausible value.
    pub high: Option<f64>,
    /// What a value outside is: `uncertain` (default) or `bad`.
    pub outside: Option<String>,
}
