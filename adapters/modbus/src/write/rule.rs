//! What may be written, and within which limits: the allow-list of a device, as checked.

use std::time::Duration;

use crate::scan::Point;

/// A tag that may be written. A tag that is not in the list of its device is read only.
#[derive(Clone, Debug, PartialEq)]
pub struct WritableTag {
    /// Path of its signal: `plant/pump-3/setpoint`.
    pub path: String,
    /// Unit id of its device; 0 is a broadcast to all devices of the line.
    pub unit: u8,
    /// Where it stands, a coil or holding registers, and how its value is coded.
    pub point: Point,
    /// How long its device may take to answer.
    pub timeout: Duration,
    /// The limits.
    pub rule: WriteRule,
}

/// The limits of one tag's writes: `write = { min = 0.0, max = 10.0, … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteRule {
    /// Smallest value, in engineering units, itself included.
    pub min: Option<f64>,
    /// Greatest value, likewise.
    pub max: Option<f64>,
    /// Greatest change of one write against the value read right before it, engineering units.
    pub step_max: Option<f64>,
    /// The only values there are, in engineering units; empty: any within the limits.
    pub values: Vec<f64>,
    /// Shortest time between two writes of the tag; zero: no limit.
    pub interval_min: Duration,
    /// Whether a second order with the token of the first is needed.
    pub confirm: bool,
    /// How what was written is read back; `None`: the device's word is taken for it.
    pub readback: Option<Readback>,
    /// The tag that must be good and true for a write to happen.
    pub interlock: Option<Interlock>,
    /// Which function codes the device takes.
    pub function: WriteFunction,
    /// Whether a part of a register may be written by reading, changing and writing the whole
    /// register where the device has no mask write. Somebody else's change in between is undone.
    pub rmw: bool,
    /// Whether unit 0, a broadcast nobody answers, may be written to.
    pub broadcast: bool,
}

/// How a written value is checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Readback {
    /// Time between the device's answer and the reading.
    pub after: Duration,
    /// Greatest difference of the raw numbers that still counts as the same.
    pub tolerance: u32,
}

/// A tag that must be good and true when another is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Interlock {
    /// Path of its signal, for messages.
    pub path: String,
    /// Unit id of its device, on the same line.
    pub unit: u8,
    /// Where it stands and how it is read: a `bool` or a `bit`, or a number, true unless 0.
    pub point: Point,
    /// How long its device may take to answer.
    pub timeout: Duration,
}

/// Function codes a device takes for writing (Modbus Application Protocol V1.1b3, clauses 6.5,
/// 6.6, 6.11, 6.12).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum WriteFunction {
    /// 5 and 6 for one coil or register, 16 for values over several registers.
    #[default]
    Auto,
    /// 5 and 6 only: values over several registers are refused.
    Single,
    /// 15 and 16 only.
    Multiple,
}

impl Default for Readback {
    /// At once, and exactly.
    fn default() -> Self {
        Self { after: Duration::ZERO, tolerance: 0 }
    }
}

impl Default for WriteRule {
    /// No limits but those of the type, read back at once.
    fn default() -> Self {
        Self {
            min: None,
            max: None,
            step_max: None,
            values: Vec::new(),
            interval_min: Duration::ZERO,
            confirm: false,
            readback: Some(Readback::default()),
            interlock: None,
            function: WriteFunction::Auto,
            rmw: false,
            broadcast: false,
        }
    }
}
