//! Calendar dates in the headers of logs. None of them names a time zone: all count as UTC.

use signals::Timestamp;

use super::scan::{next_word, number, scaled};

const MONTHS: [&[u8]; 12] = [
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
];

/// A date and a time of day in microseconds; `None` for one that no calendar has.
pub(super) fn instant((year, month, day): (u32, u32, u32), of_day_us: i64) -> Option<Timestamp> {
    let date = format!("{year:04}-{month:02}-{day:02}T00:00:00.0Z");
    let legal = (1601..=9999).contains(&year) && (0..86_400_000_000).contains(&of_day_us);
    let midnight = legal.then(|| Timestamp::parse(&date)).flatten()?;
    Some(Timestamp::from_micros(midnight.micros() + of_day_us))
}

/// `Mon Oct 25 07:00:55.20 pm 2021`, or without `pm` and with 24 hours.
pub(super) fn spelled_out(text: &[u8]) -> Option<Timestamp> {
    let (_weekday, rest) = next_word(text)?;
    let (month, rest) = next_word(rest)?;
    let (day, rest) = next_word(rest)?;
    let (time, rest) = next_word(rest)?;
    let (last, rest) = next_word(rest)?;
    let (half, year) = match next_word(rest) {
        Some((year, _)) => (Some(last), year),
        None => (None, last),
    };
    let month = month.get(..3)?.to_ascii_lowercase();
    let month = u32::try_from(MONTHS.iter().position(|known| **known == month[..])?).ok()? + 1;
    let mut parts = time.splitn(3, |&b| b == b':');
    let hour = number(parts.next()?, 10)?;
    let minute = number(parts.next()?, 10).filter(|minute| *minute < 60)?;
    let second_us = parts.next().map_or(Some(0), |second| scaled(second, 1_000_000))?;
    let hour = match half.map(<[u8]>::to_ascii_lowercase).as_deref() {
        None => hour,
        Some(b"am") => hour % 12,
        Some(b"pm") => hour % 12 + 12,
        Some(_) => return None,
    };
    let of_day = (i64::from(hour) * 60 + i64::from(minute)) * 60_000_000 + second_us;
    instant((number(year, 10)?, month, number(day, 10)?), of_day)
}
