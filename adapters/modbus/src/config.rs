//! Configuration of Modbus lines, devices and tags: raw as written, and the check of it.
//!
//! Every field is optional here: what is missing is a mistake that the check reports together
//! with all others, not a reason to stop at the first.

mod budget;
mod check;
mod device;
mod line;
mod list;
mod notes;
mod plant;
mod sentinel;
mod tag;
mod together;
mod transport;
mod write;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use device::{Device, Line, Watchdog};
pub(crate) use notes::nearest;
pub use plant::{Around, PlantConfig, ProfileConfig, check, check_plant};
pub use transport::{Depth, Parity, Rs485, Serial, TlsIdentity, Transport};

/// `[[line]]`: one connection or serial port, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct LineConfig {
    /// Name of the line; devices refer to it.
    pub name: Option<String>,
    /// `tcp` (default), `rtu`, `rtu_over_tcp` or `tls`.
    pub transport: Option<String>,
    /// `host:port` of a line over the network.
    pub host: Option<String>,
    /// How long to wait for a connection: `2 s`.
    pub connect_timeout: Option<String>,
    /// Pause between an answer and the next request: `5 ms`, or `auto`.
    pub request_gap: Option<String>,
    /// Requests on their way at once, 1..=16, or `auto`; TCP and TLS only.
    pub pipeline: Option<String>,
    /// Device file of a serial port: `/dev/ttyRS485-1`.
    pub port: Option<String>,
    /// Bits per second of a serial port.
    pub baud: Option<i64>,
    /// `none`, `even` (default) or `odd`.
    pub parity: Option<String>,
    /// Always 8 for RTU.
    pub data_bits: Option<i64>,
    /// 1 (default) or 2.
    pub stop_bits: Option<i64>,
    /// Whether the adapter returns our own bytes to us.
    pub local_echo: Option<bool>,
    /// Who switches the direction of an RS-485 line: `adapter` (default) or `kernel`.
    pub rs485: Option<String>,
    /// TLS: PEM file with the authorities to trust.
    pub ca: Option<String>,
    /// TLS: PEM file with our certificate, if the device asks for one.
    pub certificate: Option<String>,
    /// TLS: PEM file with the key of our certificate.
    pub key: Option<String>,
    /// TLS: the name the device's certificate must carry, if it is not the host.
    pub server_name: Option<String>,
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
    /// Name of the tag list it shares with others of its kind.
    pub profile: Option<String>,
    /// CSV file with more tags.
    pub tags: Option<String>,
    /// The tag that changes with every cycle of the device: standing still, its block is stale.
    pub watchdog_tag: Option<String>,
    /// Function codes the device takes for writing: `auto` (default), `single`, `multiple`.
    pub write_function: Option<String>,
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
    /// The tag whose value is the power of ten this one is multiplied by (`SunSpec`).
    pub scale_tag: Option<String>,
    /// How the device says "not implemented": `sunspec`, or `sunspec_acc` for accumulators.
    pub not_implemented: Option<String>,
    /// Tags of the same group come from the same answer.
    pub coherent: Option<String>,
    /// Limits of writing it; without them it is read only.
    pub write: Option<WriteConfig>,
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

/// `write = { min = 0, max = 10, max_step = 1, confirm = true }`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct WriteConfig {
    /// Smallest value, in engineering units.
    pub min: Option<f64>,
    /// Greatest value.
    pub max: Option<f64>,
    /// Greatest change of one write.
    pub max_step: Option<f64>,
    /// The only values there are.
    pub values: Vec<f64>,
    /// Shortest time between two writes: `10 s`.
    pub interval: Option<String>,
    /// Whether a second order with the token of the first is needed.
    pub confirm: Option<bool>,
    /// Whether it is read back (default true).
    pub readback: Option<bool>,
    /// Time between the device's answer and the reading: `200 ms`.
    pub readback_after: Option<String>,
    /// Greatest difference, in raw counts, that still counts as the same.
    pub tolerance: Option<i64>,
    /// Path of the tag that must be good and true, or its name in this device.
    pub interlock: Option<String>,
    /// Whether a part of a register may be written by reading, changing and writing all of it.
    pub rmw: Option<bool>,
    /// Whether the device may be unit 0, which all hear and nobody answers.
    pub broadcast: Option<bool>,
}
