//! Making the connection of a line.

use std::io;

use tokio::net::TcpStream;

use super::{RtuWire, TcpWire, Timing, Wire, serial};
use crate::config::Transport;

/// Connects, or opens the port. Whoever calls sets the time limit.
///
/// `first_id` is the transaction id to begin with, where there are such.
///
/// # Errors
/// What the operating system says, with the remedy where one is known.
pub async fn dial(transport: &Transport, first_id: u16) -> io::Result<Wire> {
    match transport {
        Transport::Tcp { host } => {
            let stream = TcpStream::connect(host).await?;
            stream.set_nodelay(true)?;
            Ok(Wire::Tcp(TcpWire::new(Box::new(stream), first_id)))
        }
        Transport::RtuOverTcp { host } => {
            let stream = TcpStream::connect(host).await?;
            stream.set_nodelay(true)?;
            Ok(Wire::Rtu(RtuWire::new(Box::new(stream), Timing::over_tcp())))
        }
        Transport::Rtu { port, serial } => {
            let stream = serial::Port::open(port, serial)?;
            Ok(Wire::Rtu(RtuWire::new(Box::new(stream), Timing::of(serial))))
        }
        Transport::Tls { .. } => Err(io::ErrorKind::Unsupported.into()),
    }
}
