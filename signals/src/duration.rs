//! Durations as people write them in a configuration: `500 ms`, `1 s`, `10 min`.

use std::time::Duration;

/// Units a duration may be written in, with their length in microseconds.
const UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("min", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// Reads `1 s`, `1s`, `250 ms`, `1.5 min`, `2 h`, `7 d`.
///
/// # Errors
/// What is wrong and what is allowed, as one clause.
pub fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .ok_or_else(|| format!("`{text}` has no unit; write for example `{text} s`"))?;
    let (number, unit) = text.split_at(split);
    let unit = unit.trim();
    let number: f64 = number
        .parse()
        .map_err(|_| format!("`{text}` does not start with a number; write for example `1 s`"))?;
    let micros = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, micros)| *micros)
        .ok_or_else(|| format!("`{unit}` is not a unit of time; use us, ms, s, min, h or d"))?;
    #[expect(clippy::cast_precision_loss, reason = "units are far below 2^52 µs")]
    Duration::try_from_secs_f64(number * micros as f64 / 1e6)
        .map_err(|_| format!("`{text}` is longer than can be; write for example `1 d`"))
}

/// Writes a duration the way [`parse`] reads it, in the greatest unit that leaves no fraction.
#[must_use]
pub fn show(span: Duration) -> String {
    let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    let fits = |(_, unit): &&(&str, u64)| micros >= *unit && micros.is_multiple_of(*unit);
    match UNITS.iter().rev().find(fits) {
        Some((name, unit)) => format!("{} {name}", micros / unit),
        None => format!("{micros} us"),
    }
}

#[cfg(test)]
mod tests;
