//! A place as written on a command line: `tcp://10.0.0.5`, `rtu:///dev/ttyUSB0?baud=9600`.

use std::path::PathBuf;
use std::str::FromStr;

use crate::config::{Parity, Rs485, Serial, TlsIdentity, Transport};

/// The ports IANA gave to Modbus and to Modbus/TCP Security.
const PORT: u16 = 502;
const PORT_TLS: u16 = 802;

/// A place that cannot be used; says what to write.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{place}\": {problem}; {remedy}")]
pub struct PlaceError {
    place: String,
    problem: String,
    remedy: &'static str,
}

const PLACES: &str = "write tcp://HOST[:PORT], rtu:///dev/ttyUSB0?baud=19200&parity=even, \
                      rtu+tcp://HOST:PORT or tls://HOST[:PORT]?ca=FILE";
const SERIAL_KEYS: &str = "a serial port takes baud=19200, parity=even|none|odd, stop_bits=1|2, \
                           echo=true, rs485=kernel|adapter";
const TLS_KEYS: &str = "TLS takes ca=FILE, certificate=FILE with key=FILE, and server_name=NAME";

/// Reads a place: a URL, or `HOST[:PORT]` for Modbus TCP.
///
/// # Errors
/// What is wrong, and what to write.
pub fn place(text: &str) -> Result<Transport, PlaceError> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("tcp", text));
    let (target, query) = rest.split_once('?').unwrap_or((rest, ""));
    let wrong = |problem: String, remedy| PlaceError { place: text.to_owned(), problem, remedy };
    let nothing = |transport, remedy| match query {
        "" => Ok(transport),
        _ => Err(wrong(format!("\"{query}\" means nothing here"), remedy)),
    };
    if target.is_empty() || target.contains(char::is_whitespace) {
        return Err(wrong("names no place".to_owned(), PLACES));
    }
    match scheme {
        "tcp" => nothing(Transport::Tcp { host: with_port(target, PORT) }, PLACES),
        "rtu+tcp" => nothing(Transport::RtuOverTcp { host: with_port(target, PORT) }, PLACES),
        "rtu" => {
            let serial = serial(query).map_err(|problem| wrong(problem, SERIAL_KEYS))?;
            Ok(Transport::Rtu { port: PathBuf::from(target), serial })
        }
        "tls" => {
            let identity = identity(query).map_err(|problem| wrong(problem, TLS_KEYS))?;
            Ok(Transport::Tls { host: with_port(target, PORT_TLS), identity })
        }
        other => Err(wrong(format!("there is no transport \"{other}\""), PLACES)),
    }
}

/// `10.0.0.5` with the port, `[::1]` too; what has a port keeps it.
fn with_port(host: &str, port: u16) -> String {
    let is_bracketed = host.ends_with(']');
    let has_port = !is_bracketed && host.rsplit_once(':').is_some_and(|(_, p)| !p.is_empty());
    if has_port { host.to_owned() } else { format!("{}:{port}", host.trim_end_matches(':')) }
}

fn keys(query: &str) -> impl Iterator<Item = Result<(&str, &str), String>> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').ok_or_else(|| format!("\"{part}\" has no value")))
}

fn serial(query: &str) -> Result<Serial, String> {
    let mut serial = Serial::default();
    let mut stops_given = false;
    for key in keys(query) {
        let (key, value) = key?;
        let wrong = || format!("{key} cannot be \"{value}\"");
        match key {
            "baud" => serial.baud = baud(value).ok_or_else(wrong)?,
            "parity" => serial.parity = parity(value).ok_or_else(wrong)?,
            "stop_bits" => {
                stops_given = true;
                serial.stop_bits = number(value, &[1, 2]).ok_or_else(wrong)?;
            }
            "echo" => serial.local_echo = value.parse().map_err(|_| wrong())?,
            "rs485" => {
                let modes = [("kernel", Rs485::Kernel), ("adapter", Rs485::Adapter)];
                let mode = modes.iter().find(|(name, _)| *name == value);
                serial.rs485 = mode.map(|(_, mode)| *mode).ok_or_else(wrong)?;
            }
            other => return Err(format!("there is no key \"{other}\"")),
        }
    }
    // Without parity its place is a second stop bit (Serial Line V1.02, clause 2.5.1).
    if serial.parity == Parity::None && !stops_given {
        serial.stop_bits = 2;
    }
    Ok(serial)
}

fn baud(value: &str) -> Option<u32> {
    value.parse().ok().filter(|baud| (300..=4_000_000).contains(baud))
}

fn number<T: FromStr + PartialEq>(value: &str, allowed: &[T]) -> Option<T> {
    value.parse().ok().filter(|number| allowed.contains(number))
}

/// `none`, `even` or `odd`; also by its first letter.
#[must_use]
pub fn parity(value: &str) -> Option<Parity> {
    match value.to_ascii_lowercase().as_str() {
        "none" | "n" => Some(Parity::None),
        "even" | "e" => Some(Parity::Even),
        "odd" | "o" => Some(Parity::Odd),
        _ => None,
    }
}

fn identity(query: &str) -> Result<TlsIdentity, String> {
    let mut identity = TlsIdentity::default();
    let (mut certificate, mut private_key) = (None, None);
    for key in keys(query) {
        let (key, value) = key?;
        match key {
            "ca" => identity.ca = PathBuf::from(value),
            "certificate" => certificate = Some(PathBuf::from(value)),
            "key" => private_key = Some(PathBuf::from(value)),
            "server_name" => identity.server_name = Some(value.to_owned()),
            other => return Err(format!("there is no key \"{other}\"")),
        }
    }
    if identity.ca.as_os_str().is_empty() {
        return Err("ca is missing".to_owned());
    }
    identity.client = match (certificate, private_key) {
        (Some(certificate), Some(private_key)) => Some((certificate, private_key)),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            return Err("certificate and key belong together".to_owned());
        }
    };
    Ok(identity)
}

#[cfg(test)]
mod tests;
