//! Making the connection of a line.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};

use super::{RtuWire, TcpWire, Timing, Wire, serial, tls};
use crate::config::Transport;

/// Port of Modbus TCP, where none is given.
const PORT: u16 = 502;
/// Port of Modbus/TCP Security, where none is given.
const TLS_PORT: u16 = 802;
/// Silence before the operating system asks whether the peer is still there, how often it asks
/// and how many times: a peer whose cable was pulled is found dead after half a minute.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(15);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
const KEEPALIVE_TRIES: u32 = 3;
/// How long bytes may stay unacknowledged before the connection counts as lost.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// Connects, or opens the port. Whoever calls sets the time limit.
///
/// `first_id` is the transaction id to begin with, where there are such.
///
/// # Errors
/// What happened, and the remedy where one is known.
pub async fn dial(transport: &Transport, first_id: u16) -> io::Result<Wire> {
    match transport {
        Transport::Tcp { host } => {
            let stream = connect(host, PORT).await?;
            Ok(Wire::Tcp(TcpWire::new(Box::new(stream), first_id)))
        }
        Transport::Tls { host, identity } => {
            let stream = connect(host, TLS_PORT).await?;
            let stream = tls::connect(stream, split(host, TLS_PORT).0, identity).await?;
            Ok(Wire::Tcp(TcpWire::new(Box::new(stream), first_id)))
        }
        Transport::RtuOverTcp { host } => {
            let stream = connect(host, PORT).await?;
            Ok(Wire::Rtu(RtuWire::new(Box::new(stream), Timing::over_tcp())))
        }
        Transport::Rtu { port, serial } => {
            let stream = serial::Port::open(port, serial)?;
            Ok(Wire::Rtu(RtuWire::new(Box::new(stream), Timing::of(serial))))
        }
    }
}

/// A TCP connection that sends at once and notices a peer that is gone; `port` is for a `host`
/// without one. Addresses of a name are tried in turn.
///
/// # Errors
/// The one of the last address tried, with its remedy.
pub(super) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let (name, port) = split(host, port);
    let addresses = lookup_host((name, port)).await.map_err(|err| {
        let remedy = "check the name, or give the address in figures";
        refused(err.kind(), format!("the name \"{name}\" leads nowhere ({err}); {remedy}"))
    })?;
    let mut last = refused(
        io::ErrorKind::NotFound,
        format!("\"{name}\" has no address; give the address in figures"),
    );
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                attend(&stream)?;
                return Ok(stream);
            }
            Err(err) => last = explained(&err, port),
        }
    }
    Err(last)
}

/// No delay for small frames, and probes to a silent peer.
fn attend(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_TRIES);
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))
}

/// Name and port of `name`, `name:port`, `address` or `[address]:port`.
fn split(host: &str, port: u16) -> (&str, u16) {
    let given =
        host.rsplit_once(':').filter(|(name, _)| !name.contains(':') || name.ends_with(']'));
    let (name, port) = match given.map(|(name, digits)| (name, digits.parse())) {
        Some((name, Ok(digits))) => (name, digits),
        Some((_, Err(_))) | None => (host, port),
    };
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    (bare.unwrap_or(name), port)
}

/// A failed connection in words for the operator.
fn explained(err: &io::Error, port: u16) -> io::Error {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, PermissionDenied,
        TimedOut,
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest has one remedy")]
    let remedy = match err.kind() {
        ConnectionRefused => format!(
            "the device is there, but nothing listens on port {port}; check the port, that Modbus \
             is switched on in the device, and that no other client takes its last connection"
        ),
        ConnectionReset => "check how many clients the device allows".to_owned(),
        HostUnreachable | TimedOut => {
            "check the address, and that the device is switched on and its cable plugged in"
                .to_owned()
        }
        NetworkUnreachable => {
            "check the address, and the network settings of the gateway".to_owned()
        }
        PermissionDenied => "check the firewall of the gateway".to_owned(),
        _ => "check the address and the port".to_owned(),
    };
    refused(err.kind(), format!("{err}; {remedy}"))
}

/// An error with our own words.
pub(super) fn refused(kind: io::ErrorKind, told: String) -> io::Error {
    io::Error::new(kind, told)
}

#[cfg(test)]
mod tests;
