//! The check of one line: its transport, and the keys that belong to it.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::notes::{Notes, nearest};
use super::{Depth, Line, LineConfig, Parity, Rs485, Serial, TlsIdentity, Transport};

/// How long a connection may take to come up: two lost SYN packets.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The port IANA gave to Modbus.
const PORT: u16 = 502;
/// The port IANA gave to Modbus/TCP Security.
const TLS_PORT: u16 = 802;
/// Fastest serial port the kernel names.
const BAUD_MAX: i64 = 4_000_000;
/// Slowest one that is in use.
const BAUD_MIN: i64 = 300;
/// Deepest pipeline (Modbus TCP devices buffer few requests).
const DEPTHS: RangeInclusive<u8> = 1..=16;
const TRANSPORTS: [&str; 4] = ["tcp", "rtu", "rtu_over_tcp", "tls"];

/// What a transport's keys depend on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Tcp,
    Rtu,
    RtuOverTcp,
    Tls,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Rtu => "rtu",
            Self::RtuOverTcp => "rtu_over_tcp",
            Self::Tls => "tls",
        }
    }
}

/// The line, or `None` with at least one note. `others` were checked before; relative file names
/// are below `folder`.
pub(super) fn check(
    raw: &LineConfig,
    others: &[Option<Line>],
    folder: &Path,
    notes: &mut Notes<'_>,
) -> Option<Line> {
    let name =
        notes.required("name", raw.name.clone(), "give the line a name; devices refer to it");
    if name.is_some() && others.iter().flatten().any(|line| Some(&line.name) == name.as_ref()) {
        notes.add("name", "another line has this name", "choose another name");
    }
    let way = check_way(raw, notes);
    if let Some(way) = way {
        check_fit(raw, way, notes);
    }
    let transport = way.and_then(|way| check_transport(raw, way, folder, notes));
    if let Some(Transport::Rtu { port, .. }) = &transport {
        check_port_is_free(port, others, notes);
    }
    let second = Duration::from_secs(1);
    let connect_timeout = notes
        .duration("connect_timeout", raw.connect_timeout.as_deref(), second / 100..=60 * second)
        .unwrap_or(CONNECT_TIMEOUT);
    let gap = raw.request_gap.as_deref().filter(|gap| gap.trim() != "auto");
    let request_gap =
        notes.duration("request_gap", gap, Duration::ZERO..=10 * second).unwrap_or(Duration::ZERO);
    let pipeline = check_pipeline(raw, notes);
    let (name, transport) = (name?, transport?);
    Some(Line { name, transport, pipeline, connect_timeout, request_gap, devices: Vec::new() })
}

fn check_way(raw: &LineConfig, notes: &mut Notes<'_>) -> Option<Way> {
    match raw.transport.as_deref().map(str::trim) {
        // A serial port without a host says what is meant; it is told, not guessed.
        None if raw.port.is_some() && raw.host.is_none() => {
            let problem = "a line is \"tcp\" unless it says otherwise, and this one has a port";
            notes.add("transport", problem, "add transport = \"rtu\"");
            None
        }
        None | Some("tcp") => Some(Way::Tcp),
        Some("rtu") => Some(Way::Rtu),
        Some("rtu_over_tcp") => Some(Way::RtuOverTcp),
        Some("tls") => Some(Way::Tls),
        Some(other) => {
            let remedy = nearest(other, TRANSPORTS);
            notes.add("transport", format!("there is no transport \"{other}\""), remedy);
            None
        }
    }
}

/// Keys that say something only on another transport.
fn check_fit(raw: &LineConfig, way: Way, notes: &mut Notes<'_>) {
    const NETWORK: &[Way] = &[Way::Tcp, Way::RtuOverTcp, Way::Tls];
    const SERIAL: &[Way] = &[Way::Rtu];
    const TLS: &[Way] = &[Way::Tls];
    let keys: [(&str, bool, &[Way]); 14] = [
        ("host", raw.host.is_some(), NETWORK),
        ("connect_timeout", raw.connect_timeout.is_some(), NETWORK),
        ("pipeline", raw.pipeline.is_some(), &[Way::Tcp, Way::Tls]),
        ("port", raw.port.is_some(), SERIAL),
        ("baud", raw.baud.is_some(), SERIAL),
        ("parity", raw.parity.is_some(), SERIAL),
        ("data_bits", raw.data_bits.is_some(), SERIAL),
        ("stop_bits", raw.stop_bits.is_some(), SERIAL),
        ("local_echo", raw.local_echo.is_some(), SERIAL),
        ("rs485", raw.rs485.is_some(), SERIAL),
        ("ca", raw.ca.is_some(), TLS),
        ("certificate", raw.certificate.is_some(), TLS),
        ("key", raw.key.is_some(), TLS),
        ("server_name", raw.server_name.is_some(), TLS),
    ];
    for (key, is_given, ways) in keys {
        if !is_given || ways.contains(&way) {
            continue;
        }
        let names: Vec<String> = ways.iter().map(|way| format!("\"{}\"", way.name())).collect();
        let problem = format!("says nothing on a line of transport \"{}\"", way.name());
        let remedy = match key {
            "port" => "write host = \"10.0.0.5:502\" with the port in it, or \
                       set transport = \"rtu\" for a serial port"
                .to_owned(),
            _ => format!("remove it, or set transport = {}", names.join(" or ")),
        };
        notes.add(key, problem, remedy);
    }
}

fn check_transport(
    raw: &LineConfig,
    way: Way,
    folder: &Path,
    notes: &mut Notes<'_>,
) -> Option<Transport> {
    if way == Way::Rtu {
        let remedy = "write the device file, for example \"/dev/serial/by-path/…\"";
        let port = notes.required("port", raw.port.clone(), remedy);
        let serial = check_serial(raw, notes);
        return Some(Transport::Rtu { port: PathBuf::from(port?.trim()), serial });
    }
    let example = format!("write host:port, for example \"10.0.0.5:{}\"", default_port(way));
    let host = notes.required("host", raw.host.clone(), &example);
    let host = host.and_then(|host| check_host(host.trim(), default_port(way), notes));
    match way {
        Way::Rtu | Way::Tcp => Some(Transport::Tcp { host: host? }),
        Way::RtuOverTcp => Some(Transport::RtuOverTcp { host: host? }),
        Way::Tls => {
            let identity = check_identity(raw, folder, notes);
            Some(Transport::Tls { host: host?, identity: identity? })
        }
    }
}

const fn default_port(way: Way) -> u16 {
    match way {
        Way::Tls => TLS_PORT,
        Way::Tcp | Way::Rtu | Way::RtuOverTcp => PORT,
    }
}

/// `host:port` with the standard port where none is given.
fn check_host(host: &str, port: u16, notes: &mut Notes<'_>) -> Option<String> {
    let has_port = host.rsplit_once(':').is_some_and(|(before, _)| !before.contains(':'))
        || host.contains("]:");
    let Some((name, given)) = host.rsplit_once(':').filter(|_| has_port) else {
        let bare_v6 = host.contains(':') && !host.starts_with('[');
        return Some(if bare_v6 { format!("[{host}]:{port}") } else { format!("{host}:{port}") });
    };
    let port_fits = given.parse::<u16>().is_ok_and(|port| port != 0);
    if name.is_empty() || !port_fits || host.contains(char::is_whitespace) {
        let problem = format!("\"{host}\" is not a host and port");
        notes.add("host", problem, format!("write host:port, for example \"10.0.0.5:{port}\""));
        return None;
    }
    Some(host.to_owned())
}

fn check_serial(raw: &LineConfig, notes: &mut Notes<'_>) -> Serial {
    let mut serial = Serial::default();
    if let Some(baud) = raw.baud {
        match u32::try_from(baud).ok().filter(|_| (BAUD_MIN..=BAUD_MAX).contains(&baud)) {
            Some(baud) => serial.baud = baud,
            None => notes.add(
                "baud",
                format!("{baud} is no speed of a serial port"),
                format!("write bits per second, {BAUD_MIN} to {BAUD_MAX}, for example 19200"),
            ),
        }
    }
    match raw.parity.as_deref().map(str::trim) {
        None | Some("even") => {}
        Some("none") => serial.parity = Parity::None,
        Some("odd") => serial.parity = Parity::Odd,
        Some(other) => notes.add(
            "parity",
            format!("there is no parity \"{other}\""),
            nearest(other, ["none", "even", "odd"]),
        ),
    }
    if let Some(bits) = raw.data_bits.filter(|bits| *bits != 8) {
        notes.add("data_bits", format!("RTU frames do not fit in {bits} bits"), "write 8");
    }
    match raw.stop_bits {
        None | Some(1) => {}
        Some(2) => serial.stop_bits = 2,
        Some(other) => notes.add("stop_bits", format!("{other} is out of range"), "write 1 or 2"),
    }
    serial.local_echo = raw.local_echo.unwrap_or(false);
    match raw.rs485.as_deref().map(str::trim) {
        None | Some("adapter") => {}
        Some("kernel") => serial.rs485 = Rs485::Kernel,
        Some(other) => notes.add(
            "rs485",
            format!("\"{other}\" does not switch a line"),
            nearest(other, ["adapter", "kernel"]),
        ),
    }
    serial
}

fn check_port_is_free(port: &Path, others: &[Option<Line>], notes: &mut Notes<'_>) {
    let taken_by = others.iter().flatten().find(
        |line| matches!(&line.transport, Transport::Rtu { port: taken, .. } if taken == port),
    );
    if let Some(line) = taken_by {
        let problem = format!("line \"{}\" is on {} already", line.name, port.display());
        notes.add("port", problem, "put the devices on one line, or correct the port");
    }
}

fn check_identity(raw: &LineConfig, folder: &Path, notes: &mut Notes<'_>) -> Option<TlsIdentity> {
    let remedy = "name the PEM file with the authority that signed the device's certificate";
    let ca = notes.required("ca", raw.ca.clone(), remedy);
    let client = match (&raw.certificate, &raw.key) {
        (Some(certificate), Some(key)) => Some((folder.join(certificate), folder.join(key))),
        (None, None) => None,
        (Some(_), None) => {
            notes.add("key", "is missing", "name the PEM file with the key of the certificate");
            None
        }
        (None, Some(_)) => {
            let remedy = "name the PEM file with the certificate of the key";
            notes.add("certificate", "is missing", remedy);
            None
        }
    };
    Some(TlsIdentity { ca: folder.join(ca?), client, server_name: raw.server_name.clone() })
}

fn check_pipeline(raw: &LineConfig, notes: &mut Notes<'_>) -> Depth {
    let Some(text) = raw.pipeline.as_deref().map(str::trim) else { return Depth::Fixed(1) };
    if text == "auto" {
        return Depth::Auto;
    }
    if let Some(depth) = text.parse().ok().filter(|depth| DEPTHS.contains(depth)) {
        return Depth::Fixed(depth);
    }
    let remedy = format!("write {} to {}, or \"auto\"", DEPTHS.start(), DEPTHS.end());
    notes.add("pipeline", format!("\"{text}\" is no number of requests"), remedy);
    Depth::Fixed(1)
}

#[cfg(test)]
mod tests;
