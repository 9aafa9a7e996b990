//! The limits of writing, as pure functions: a command against its rule, against the present
//! value, and against the time.

use std::time::Duration;

use signals::{Clock, ClockState, Timestamp};

use super::coding::{Coded, good_and_true, value_in};
use super::command::{Command, Origin, Setting};
use super::outcome::Refusal;
use super::rule::{Interlock, WritableTag, WriteFunction};
use crate::area::Area;

/// Registers in one write (Modbus Application Protocol V1.1b3, clause 6.12).
const REGISTERS_MAX: usize = 123;
/// Differences of engineering values below this share of them are rounding.
const ROUNDING: f64 = 1e-9;

/// What is to be sent for a setting, if the rule allows it.
///
/// # Errors
/// The first limit it does not keep.
pub(super) fn admit(tag: &WritableTag, setting: &Setting) -> Result<Coded, Refusal> {
    if !matches!(tag.point.address.area, Area::Coil | Area::Holding) {
        return Err(Refusal::NotWritable(tag.path.clone()));
    }
    let coded = Coded::new(&tag.point.format, setting).map_err(Refusal::Type)?;
    let Some(written) = value_in(&tag.point.format, &coded.words) else {
        let problem = format!("{setting} means \"no value\" to the device; give another value");
        return Err(Refusal::Type(problem));
    };
    // What was asked for, and what rounding to a raw count makes of it.
    for value in [setting, &written] {
        if let Some(number) = value.number() {
            within(tag, number)?;
        }
    }
    among(tag, &written)?;
    one_request(tag, &coded)?;
    if tag.unit == 0 {
        broadcast(tag, &coded)?;
    }
    Ok(coded)
}

fn within(tag: &WritableTag, value: f64) -> Result<(), Refusal> {
    if let Some(min) = tag.rule.min
        && value < min
    {
        return Err(Refusal::BelowMin { value, min });
    }
    if let Some(max) = tag.rule.max
        && value > max
    {
        return Err(Refusal::AboveMax { value, max });
    }
    Ok(())
}

fn among(tag: &WritableTag, written: &Setting) -> Result<(), Refusal> {
    if tag.rule.values.is_empty() {
        return Ok(());
    }
    let is = |number: f64| tag.rule.values.iter().any(|value| same(*value, number));
    match written.number() {
        Some(number) if is(number) => Ok(()),
        Some(_) | None => Err(Refusal::NotAmongValues(written.clone())),
    }
}

fn one_request(tag: &WritableTag, coded: &Coded) -> Result<(), Refusal> {
    let count = coded.words.len();
    let single_only = tag.rule.function == WriteFunction::Single && count > 1;
    if single_only || count > REGISTERS_MAX {
        return Err(Refusal::NotOneRequest(count));
    }
    Ok(())
}

/// Nobody answers a broadcast: what needs an answer cannot be asked for.
fn broadcast(tag: &WritableTag, coded: &Coded) -> Result<(), Refusal> {
    if !tag.rule.broadcast {
        return Err(Refusal::Broadcast);
    }
    if tag.rule.step_max.is_some() {
        return Err(Refusal::BroadcastBlind("the greatest step"));
    }
    if coded.is_part() {
        return Err(Refusal::BroadcastBlind("the rest of the register"));
    }
    Ok(())
}

/// The limits that depend on the value right before. `old` is what was read, or why it was not.
///
/// # Errors
/// The limit that is not kept, or cannot be known to be.
pub(super) fn against_old(
    tag: &WritableTag,
    new: &Coded,
    old: Result<&[u16], String>,
    expected: Option<&Setting>,
) -> Result<(), Refusal> {
    let format = &tag.point.format;
    if expected.is_none() && tag.rule.step_max.is_none() {
        return Ok(());
    }
    let old = old.map_err(Refusal::OldUnknown)?;
    let present = value_in(format, old);
    if let Some(expected) = expected {
        let wanted = Coded::new(format, expected).map_err(Refusal::Type)?;
        if !wanted.is_in(format, old, 0) {
            let shown = present.unwrap_or_else(|| Setting::Text("bad".to_owned()));
            return Err(Refusal::OldDiffers(shown));
        }
    }
    let Some(step_max) = tag.rule.step_max else { return Ok(()) };
    let number = |value: Option<Setting>| value.as_ref().and_then(Setting::number);
    let (Some(old), Some(new)) = (number(present), number(value_in(format, &new.words))) else {
        return Err(Refusal::OldUnknown("it is not a number".to_owned()));
    };
    let change = (new - old).abs();
    // A step limit that is not a number lets nothing through.
    if change <= step_max || same(change, step_max) {
        return Ok(());
    }
    Err(Refusal::Step { old, new, step_max })
}

/// # Errors
/// When the interlock is not good and true, or could not be read.
pub(super) fn unlocked(
    interlock: &Interlock,
    words: Result<&[u16], String>,
) -> Result<(), Refusal> {
    let state = match words {
        Ok(words) => good_and_true(&interlock.point.format, words),
        Err(why) => Err(format!("it could not be read, {why}")),
    };
    state.map_err(|state| Refusal::Interlock { path: interlock.path.clone(), state })
}

/// # Errors
/// When the last write is less than `interval_min` ago. Times are of the monotonic clock.
pub(super) fn not_too_soon(
    interval_min: Duration,
    last: Option<Duration>,
    now: Duration,
) -> Result<(), Refusal> {
    let Some(last) = last else { return Ok(()) };
    let left = interval_min.saturating_sub(now.saturating_sub(last));
    if left.is_zero() { Ok(()) } else { Err(Refusal::TooSoon(left)) }
}

/// # Errors
/// When the command came, or comes to the wire, too late.
pub(super) fn in_time(command: &Command, clock: &dyn Clock) -> Result<(), Refusal> {
    let Some(not_after) = command.not_after else {
        return match command.origin {
            Origin::Local(_) => Ok(()),
            Origin::Cloud(_) => Err(Refusal::NoExpiry),
        };
    };
    if clock.state() == ClockState::Unsynced {
        return Err(Refusal::ClockNotSet);
    }
    let now: Timestamp = clock.now();
    if now > not_after { Err(Refusal::Expired(not_after.to_string())) } else { Ok(()) }
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= ROUNDING * a.abs().max(b.abs())
}

#[cfg(test)]
mod tests;
