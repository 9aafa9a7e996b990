//! Times as files hold them.

use anyhow::Context as _;
use arrow_cast::parse::string_to_timestamp_nanos;
use signals::Timestamp;

/// Times of a column of text: all numbers, or all ISO 8601 (UTC unless it says otherwise).
///
/// # Errors
/// The first row that is neither.
pub(super) fn of_text(column: &str, cells: &[Option<&str>]) -> anyhow::Result<Vec<Timestamp>> {
    let numbers: Option<Vec<f64>> = cells.iter().map(|cell| (*cell)?.trim().parse().ok()).collect();
    if let Some(numbers) = numbers.filter(|numbers| numbers.iter().all(|n| n.is_finite())) {
        return Ok(of_numbers(&numbers));
    }
    let time = |(row, cell): (usize, Option<&str>)| {
        let text = cell.unwrap_or_default().trim();
        let nanos = string_to_timestamp_nanos(text)
            .or_else(|_| string_to_timestamp_nanos(&text.replace('/', "-")))
            .ok()
            .with_context(|| {
                let row = row + 1;
                format!("column `{column}`, row {row}: `{text}` is not a time; write 2026-03-09T10:14:33Z or a number")
            })?;
        Ok(Timestamp::from_micros(nanos.div_euclid(1_000)))
    };
    cells.iter().copied().enumerate().map(time).collect()
}

/// Times of numbers since an epoch, in s, ms, µs or ns, whichever puts the last of them before
/// the year 5138.
pub(super) fn of_numbers(numbers: &[f64]) -> Vec<Timestamp> {
    let greatest = numbers.iter().fold(0.0_f64, |most, number| most.max(number.abs()));
    let micros = match greatest {
        seconds if seconds < 1e11 => 1e6,
        millis if millis < 1e14 => 1e3,
        micros if micros < 1e17 => 1.0,
        _ => 1e-3,
    };
    #[expect(clippy::cast_possible_truncation, reason = "saturates at the ends of time")]
    let time = |number: &f64| Timestamp::from_micros((number * micros).round() as i64);
    numbers.iter().map(time).collect()
}
