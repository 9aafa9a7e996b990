//! Values that are read as text: strings, times, addresses.

use std::fmt::Write as _;

use signals::{Quality, Reason, Timestamp};

use super::{Encoding, Order};

/// Characters up to the first NUL, without trailing spaces, into `text`.
///
/// What is not legal in the encoding becomes one U+FFFD a byte, and the text uncertain.
pub(super) fn string(
    words: &[u16],
    order: Order,
    encoding: Encoding,
    text: &mut String,
) -> Quality {
    let bytes = words.iter().flat_map(|word| order.word(*word).to_be_bytes());
    let mut bytes_until_nul = std::mem::take(text).into_bytes();
    bytes_until_nul.clear();
    bytes_until_nul.extend(bytes.take_while(|byte| *byte != 0));
    while bytes_until_nul.last() == Some(&b' ') {
        bytes_until_nul.pop();
    }
    match encoding {
        Encoding::Utf8 => utf8(bytes_until_nul, text),
        Encoding::Latin1 => {
            text.extend(bytes_until_nul.iter().map(|byte| char::from(*byte)));
            Quality::GOOD
        }
    }
}

fn utf8(bytes: Vec<u8>, text: &mut String) -> Quality {
    let err = match String::from_utf8(bytes) {
        Ok(legal) => {
            *text = legal;
            return Quality::GOOD;
        }
        Err(err) => err,
    };
    for chunk in err.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Quality::uncertain(Reason::InvalidText)
}

/// Six words, year to second, as `2026-10-25T02:30:15`; bad when no calendar has it.
pub(super) fn datetime(words: &[u16], order: Order, text: &mut String) -> Quality {
    let mut parts = [0_u16; 6];
    for (part, word) in parts.iter_mut().zip(words) {
        *part = order.word(*word);
    }
    let [year, month, day, hour, minute, second] = parts;
    let legal = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !legal {
        return Quality::bad(Reason::InvalidDate);
    }
    text.clear();
    write!(text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
        .expect("writing to a string cannot fail");
    Quality::GOOD
}

/// Days of a month, 1..=12, of a year in the Gregorian calendar.
pub(crate) fn days_of(year: u16, month: u16) -> u16 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u16::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Seconds since 1970 as `2026-10-25T01:30:15Z`.
pub(super) fn epoch(seconds: u64, text: &mut String) -> Quality {
    let micros = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    let date = Timestamp::from_micros(micros).date();
    let of_day = seconds % 86_400;
    text.clear();
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    write!(text, "{date}T{hour:02}:{minute:02}:{second:02}Z")
        .expect("writing to a string cannot fail");
    Quality::GOOD
}

/// The low 32 bits as `192.0.2.17`.
pub(super) fn ipv4(bits: u64, text: &mut String) -> Quality {
    let [.., a, b, c, d] = bits.to_be_bytes();
    text.clear();
    write!(text, "{a}.{b}.{c}.{d}").expect("writing to a string cannot fail");
    Quality::GOOD
}

/// The low 48 bits as `00:00:5e:00:53:11`.
pub(super) fn mac(bits: u64, text: &mut String) -> Quality {
    let [_, _, first, others @ ..] = bits.to_be_bytes();
    text.clear();
    write!(text, "{first:02x}").expect("writing to a string cannot fail");
    for byte in others {
        write!(text, ":{byte:02x}").expect("writing to a string cannot fail");
    }
    Quality::GOOD
}
