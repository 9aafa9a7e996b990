//! Text on its way into registers: strings, times, addresses.

use std::net::Ipv4Addr;

use super::EncodeError;
use crate::decode::{Encoding, Format, Order, days_of};

const DATE_TIME: &str = "a date and time; write for example 2026-10-25T02:30:15";
const EPOCH: &str = "a time in UTC from 1970 to 2106; write for example 2026-10-25T01:30:15Z";
const IPV4: &str = "an IPv4 address; write for example 192.0.2.17";
const MAC: &str = "a MAC address; write for example 00:00:5e:00:53:11";

/// The text without trailing spaces, padded with NUL.
pub(super) fn string(text: &str, format: &Format) -> Result<Vec<u16>, EncodeError> {
    let text = text.trim_end_matches(' ');
    let bytes: Vec<u8> = match format.encoding {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Latin1 => {
            let bytes: Option<_> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
            bytes.ok_or(EncodeError::Characters)?
        }
    };
    if bytes.contains(&0) {
        return Err(EncodeError::Characters);
    }
    let bytes_max = usize::from(format.words()) * 2;
    if bytes.len() > bytes_max {
        return Err(EncodeError::TooLong { bytes: bytes.len(), bytes_max });
    }
    let mut padded = bytes.into_iter().chain(std::iter::repeat(0));
    let mut byte = || padded.next().unwrap_or(0);
    Ok((0..format.words())
        .map(|_| format.order.word(u16::from_be_bytes([byte(), byte()])))
        .collect())
}

/// `2026-10-25T02:30:15` as year, month, day, hour, minute, second.
pub(super) fn datetime(text: &str, order: Order) -> Result<Vec<u16>, EncodeError> {
    let parts = clock_parts(text).ok_or_else(|| form(text, DATE_TIME))?;
    Ok(parts.into_iter().map(|part| order.word(part)).collect())
}

/// `2026-10-25T01:30:15Z` as seconds since 1970.
pub(super) fn epoch(text: &str) -> Result<u64, EncodeError> {
    let wrong = || form(text, EPOCH);
    let parts = text.strip_suffix('Z').and_then(clock_parts).ok_or_else(wrong)?;
    let [year, month, day, hour, minute, second] = parts;
    let days_of_year =
        |year: u16| (1..=12).map(|month| u64::from(days_of(year, month))).sum::<u64>();
    if !(1970..=2106).contains(&year) {
        return Err(wrong());
    }
    let years: u64 = (1970..year).map(days_of_year).sum();
    let months: u64 = (1..month).map(|month| u64::from(days_of(year, month))).sum();
    let days = years + months + u64::from(day) - 1;
    let seconds = ((days * 24 + u64::from(hour)) * 60 + u64::from(minute)) * 60 + u64::from(second);
    if seconds > u64::from(u32::MAX) { Err(wrong()) } else { Ok(seconds) }
}

pub(super) fn ipv4(text: &str) -> Result<u64, EncodeError> {
    let address: Ipv4Addr = text.trim().parse().map_err(|_| form(text, IPV4))?;
    Ok(u32::from(address).into())
}

pub(super) fn mac(text: &str) -> Result<u64, EncodeError> {
    let parts: Vec<&str> = text.trim().split([':', '-']).collect();
    let mut bits = 0;
    for part in &parts {
        let byte = (part.len() == 2).then(|| u8::from_str_radix(part, 16).ok()).flatten();
        bits = bits << 8 | u64::from(byte.ok_or_else(|| form(text, MAC))?);
    }
    if parts.len() == 6 { Ok(bits) } else { Err(form(text, MAC)) }
}

/// Year to second of `2026-10-25T02:30:15`; a space may stand for the `T`.
fn clock_parts(text: &str) -> Option<[u16; 6]> {
    let (date, time) = text.trim().split_once(['T', ' '])?;
    let mut parts = [0_u16; 6];
    let given: Vec<&str> = date.split('-').chain(time.split(':')).collect();
    if given.len() != parts.len() || date.split('-').count() != 3 {
        return None;
    }
    for (part, digits) in parts.iter_mut().zip(given) {
        *part = digits.parse().ok()?;
    }
    let [year, month, day, hour, minute, second] = parts;
    let legal = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    legal.then_some(parts)
}

fn form(text: &str, wanted: &'static str) -> EncodeError {
    EncodeError::Form { text: text.to_owned(), wanted }
}
