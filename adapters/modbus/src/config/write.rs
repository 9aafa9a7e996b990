//! The check of a tag's `write` key: what may be written, within limits the type can hold.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::notes::{Notes, nearest};
use super::{DeviceConfig, WriteConfig};
use crate::area::Area;
use crate::decode::{Format, Part, RegisterType};
use crate::scan::Point;
use crate::write::{Readback, WriteFunction, WriteRule};

/// Registers that fit in one write (Modbus Application Protocol V1.1b3, clause 6.12).
const REGISTERS_MAX: u16 = 123;
/// Longest wait before a value is read back: a slow actuator, not a process.
const READBACK_MAX: Duration = Duration::from_secs(60);
const INTERVALS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(24);

/// What a tag's writes take from its device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writing {
    /// Function codes the device takes.
    pub(super) function: WriteFunction,
    /// Whether it is unit 0: all hear, nobody answers.
    pub(super) is_broadcast: bool,
}

impl Writing {
    pub(super) fn of(raw: &DeviceConfig, notes: &mut Notes<'_>) -> Self {
        let function = match raw.write_function.as_deref().map(str::trim) {
            None | Some("auto") => WriteFunction::Auto,
            Some("single") => WriteFunction::Single,
            Some("multiple") => WriteFunction::Multiple,
            Some(other) => {
                let remedy = nearest(other, ["auto", "single", "multiple"]);
                notes.add("write_function", format!("there is no choice \"{other}\""), remedy);
                WriteFunction::Auto
            }
        };
        Self { function, is_broadcast: raw.unit == Some(0) }
    }
}

/// The rule of a tag; its interlock is found later, when all tags are known.
pub(super) fn check(
    raw: &WriteConfig,
    point: &Point,
    device: Writing,
    notes: &mut Notes<'_>,
) -> WriteRule {
    let notes = &mut notes.below("write");
    check_place(point, device, notes);
    check_parts(raw, &point.format, notes);
    let (min, max) = check_limits(raw, &point.format, notes);
    let broadcast = raw.broadcast.unwrap_or(false);
    if device.is_broadcast && !broadcast {
        let problem = "unit 0 reaches every device on the line, and none of them answers";
        notes.add("broadcast", problem, "set broadcast = true if that is meant");
    }
    if broadcast && !device.is_broadcast {
        notes.add("broadcast", "the device is not unit 0", "remove it");
    }
    WriteRule {
        min,
        max,
        step_max: check_step(raw, notes),
        values: raw.values.clone(),
        interval_min: notes
            .duration("interval", raw.interval.as_deref(), INTERVALS)
            .unwrap_or(Duration::ZERO),
        confirm: raw.confirm.unwrap_or(false),
        readback: check_readback(raw, device, notes),
        interlock: None,
        function: device.function,
        rmw: raw.rmw.unwrap_or(false),
        broadcast,
    }
}

fn check_place(point: &Point, device: Writing, notes: &mut Notes<'_>) {
    let (area, words) = (point.address.area, point.format.words());
    if matches!(area, Area::Discrete | Area::Input) {
        let other = if area == Area::Discrete { "a coil" } else { "a holding register" };
        notes.add(
            "",
            format!("{} can only be read", point.address),
            format!("remove write, or give the address of {other}"),
        );
    }
    if words > REGISTERS_MAX {
        let problem = format!("one write takes {REGISTERS_MAX} registers, the value has {words}");
        notes.add("", problem, "remove write, or take a shorter length");
    }
    if device.function == WriteFunction::Single && words > 1 {
        let problem = format!("a value of {words} registers would be written in parts");
        notes.add("", problem, "remove write, or set write_function = \"auto\" on the device");
    }
}

fn check_parts(raw: &WriteConfig, format: &Format, notes: &mut Notes<'_>) {
    if raw.rmw.is_some() && format.kind.part() == Part::Whole {
        let problem = format!("{} is not a part of a register", format.kind.name());
        notes.add("rmw", problem, "remove it: the whole value is written");
    }
}

/// Both ends inside of what the type can hold.
fn check_limits(
    raw: &WriteConfig,
    format: &Format,
    notes: &mut Notes<'_>,
) -> (Option<f64>, Option<f64>) {
    let kind = format.kind.name();
    let is_number =
        !matches!(format.kind.column(), signals::ValueType::Text | signals::ValueType::Bool);
    let limits = format.value_limits().filter(|_| is_number);
    let ends = [("min", raw.min), ("max", raw.max), ("max_step", raw.max_step)];
    let Some((low, high)) = limits else {
        for (key, _) in ends.into_iter().filter(|(_, value)| value.is_some()) {
            notes.add(key, format!("{kind} is no number"), "remove it");
        }
        if !raw.values.is_empty() && format.kind.column() == signals::ValueType::Text {
            notes.add("values", format!("{kind} is no number"), "remove it");
        }
        return (None, None);
    };
    for (key, value) in ends.into_iter().take(2) {
        if value.is_some_and(|value| !(low..=high).contains(&value)) {
            let value = value.unwrap_or_default();
            let problem = format!("{value} does not fit {kind}, which holds {low} to {high} here");
            notes.add(key, problem, "give a limit within, in engineering units");
        }
    }
    if let (Some(min), Some(max)) = (raw.min, raw.max)
        && min > max
    {
        notes.add("min", format!("{min} is above max {max}"), "exchange or correct them");
    }
    let (least, most) = (raw.min.unwrap_or(low).max(low), raw.max.unwrap_or(high).min(high));
    for value in raw.values.iter().filter(|value| !(least..=most).contains(value)) {
        let problem = format!("{value} is not within {least} to {most}");
        notes.add("values", problem, "remove it, or correct the limits");
    }
    (raw.min, raw.max)
}

fn check_step(raw: &WriteConfig, notes: &mut Notes<'_>) -> Option<f64> {
    let step = raw.max_step?;
    let is_step = step.is_finite() && step > 0.0;
    if !is_step {
        notes.add("max_step", format!("{step} allows no change"), "write a number above 0");
    }
    is_step.then_some(step)
}

fn check_readback(raw: &WriteConfig, device: Writing, notes: &mut Notes<'_>) -> Option<Readback> {
    let after = notes.duration(
        "readback_after",
        raw.readback_after.as_deref(),
        Duration::ZERO..=READBACK_MAX,
    );
    let tolerance = raw.tolerance.map(|tolerance| u32::try_from(tolerance).ok());
    if tolerance == Some(None) {
        notes.add("tolerance", "is out of range", "write raw counts, 0 or more");
    }
    let wanted = raw.readback.unwrap_or(!device.is_broadcast);
    if wanted && device.is_broadcast {
        notes.add("readback", "nobody answers for unit 0", "set readback = false");
    }
    if !wanted {
        for (key, given) in [
            ("readback_after", raw.readback_after.is_some()),
            ("tolerance", raw.tolerance.is_some()),
        ] {
            if given {
                notes.add(key, "nothing is read back", "remove it, or set readback = true");
            }
        }
        return None;
    }
    Some(Readback {
        after: after.unwrap_or(Duration::ZERO),
        tolerance: tolerance.flatten().unwrap_or(0),
    })
}

/// Whether a tag can hold a write back: a truth value or a number.
pub(super) fn can_interlock(kind: RegisterType) -> bool {
    kind.column() != signals::ValueType::Text
}
