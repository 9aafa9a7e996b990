//! The check of raw values that mean "no value".

use signals::Reason;

use super::TagConfig;
use super::notes::{Notes, nearest};
use crate::decode::{Coding, RawValue, RegisterType, Sentinel};

/// Reasons a sentinel may name; any other name is the device's own.
const SENTINEL_REASONS: [Reason; 7] = [
    Reason::ZeroOrNotImplemented,
    Reason::NotImplemented,
    Reason::NotAvailable,
    Reason::NotReady,
    Reason::UnderRange,
    Reason::OverRange,
    Reason::Disabled,
];

/// The declared values of a tag, and those of a convention.
pub(super) fn check(raw: &TagConfig, kind: RegisterType, notes: &mut Notes<'_>) -> Vec<Sentinel> {
    let mut sentinels = Vec::new();
    for (place, (key, name)) in raw.sentinels.iter().enumerate() {
        let Some(value) = raw_value(key.trim(), kind) else {
            let problem = format!("\"{key}\" is not a raw value of {}", kind.name());
            notes.add(
                "sentinels",
                problem,
                "write a number the type can hold, or its bits as 0x8000",
            );
            continue;
        };
        let known = SENTINEL_REASONS.into_iter().find(|reason| reason.to_string() == *name);
        let place = u8::try_from(place).unwrap_or(u8::MAX);
        let reason = known.unwrap_or(Reason::Sentinel(place));
        sentinels.push(Sentinel { raw: value, name: name.clone(), reason });
    }
    sentinels.extend(not_implemented(raw, kind, notes));
    sentinels
}

/// A raw value as written: `0x8000` are bits, `-32768` and `32768` the same 16 bits of an `i16`.
fn raw_value(text: &str, kind: RegisterType) -> Option<RawValue> {
    let width = kind.bits();
    if matches!(width, 0 | 1) {
        return None;
    }
    let mask = u64::MAX >> (64 - width);
    if let Some(hex) = text.strip_prefix("0x") {
        let bits = u64::from_str_radix(hex, 16).ok()?;
        return (bits <= mask).then_some(RawValue::Bits(bits));
    }
    if kind.is_real() {
        return text.parse().ok().map(RawValue::Real);
    }
    let number: i128 = text.parse().ok()?;
    if !kind.is_plain_integer() {
        return Some(RawValue::Whole(number));
    }
    let lowest = -(1_i128 << (width - 1));
    let fits = (lowest..=i128::from(mask)).contains(&number);
    let low_bits = u64::try_from(number & i128::from(mask)).ok()?;
    fits.then_some(RawValue::Bits(low_bits))
}

/// How a `SunSpec` device says that it does not have a point (`SunSpec` Device Information Model
/// Specification V1.2, clause 5.2).
fn not_implemented(raw: &TagConfig, kind: RegisterType, notes: &mut Notes<'_>) -> Option<Sentinel> {
    let convention = raw.not_implemented.as_deref()?.trim();
    let (bits, reason) = match convention {
        "sunspec" => (sunspec_absent(kind), Reason::NotImplemented),
        "sunspec_acc" => {
            let is_counter = kind.coding() == Coding::Binary && !kind.is_signed();
            (is_counter.then_some(0), Reason::ZeroOrNotImplemented)
        }
        other => {
            let remedy = nearest(other, ["sunspec", "sunspec_acc"]);
            notes.add("not_implemented", format!("there is no convention \"{other}\""), remedy);
            return None;
        }
    };
    if bits.is_none() {
        let problem = format!("{convention} says nothing of {}", kind.name());
        notes.add("not_implemented", problem, "remove it, or name the raw value in sentinels");
    }
    Some(Sentinel { raw: RawValue::Bits(bits?), name: reason.to_string(), reason })
}

/// The bits of "not implemented"; for text, 0 stands for nothing but NUL.
fn sunspec_absent(kind: RegisterType) -> Option<u64> {
    if let Coding::Real(_) = kind.coding() {
        return match kind.bits() {
            32 => Some(0x7FC0_0000),
            64 => Some(0x7FF8_0000_0000_0000),
            _ => None,
        };
    }
    if matches!(kind, RegisterType::Text | RegisterType::Ipv4) {
        return Some(0);
    }
    let is_plain = kind.coding() == Coding::Binary
        || matches!(kind, RegisterType::Mac | RegisterType::Epoch32);
    let is_signed = kind.is_signed();
    is_plain
        .then(|| if is_signed { 1 << (kind.bits() - 1) } else { u64::MAX >> (64 - kind.bits()) })
}
