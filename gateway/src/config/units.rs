//! Durations and sizes as people write them, within their bounds.

use std::time::Duration;

use serde_json::Value as Plain;
use signals::duration;

use super::shape::Checked;

/// Units a size may be written in, with their length in bytes; a unit comes before its tail.
const SIZES: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// The text, when it is a duration from `low` to `high`.
pub(crate) fn span_text(text: &str, low: Duration, high: Duration) -> Checked {
    let span = duration::parse(text).map_err(|err| match err.split_once("; ") {
        Some((problem, remedy)) => (problem.to_owned(), remedy.to_owned()),
        None => (err, "write for example \"1 s\"".to_owned()),
    })?;
    if span < low || span > high {
        let bounds = format!("use {} to {}", duration::show(low), duration::show(high));
        let side = if span < low { "short" } else { "long" };
        return Err((format!("\"{text}\" is too {side}"), bounds));
    }
    Ok(Plain::from(text))
}

/// The bytes of `64 MiB`, `1 GB`, `512 kB`, `100 B`, when they are from `low` to `high`.
pub(crate) fn size_text(text: &str, low: u64, high: u64) -> Checked {
    let wrong = || {
        (format!("\"{text}\" is not a size"), "write for example \"64 MiB\" or \"1 GB\"".to_owned())
    };
    let trimmed = text.trim();
    let (number, unit) = SIZES
        .iter()
        .find_map(|(name, bytes)| trimmed.strip_suffix(name).map(|number| (number, *bytes)))
        .ok_or_else(wrong)?;
    let number: u64 = number.trim().parse().map_err(|_| wrong())?;
    let bytes = number.saturating_mul(unit);
    if (low..=high).contains(&bytes) {
        return Ok(Plain::from(bytes));
    }
    let side = if bytes < low { "small" } else { "large" };
    let remedy = format!("use {} to {}", show_size(low), show_size(high));
    Err((format!("\"{text}\" is too {side}"), remedy))
}

fn show_size(bytes: u64) -> String {
    let whole = |(_, unit): &&(&str, u64)| unit.is_power_of_two() && bytes.is_multiple_of(*unit);
    match SIZES.iter().filter(whole).max_by_key(|(_, unit)| (*unit <= bytes, *unit)) {
        Some((name, unit)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} B"),
    }
}
