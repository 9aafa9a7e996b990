//! Accepting connections to the page and the API: TLS and plain HTTP on one port, bounded.
//!
//! LI-1 At most 512 connections are open, 64 of one address; one more is closed at once. Whoever
//!      opens many leaves room for others.
//! LI-2 A handshake that is slow, or never begins, holds up nobody: each has a task of its own and
//!      ten seconds.
//! LI-3 Where TLS is on, plain HTTP is served to this machine alone; others are sent to `https`.

mod certificates;
mod stream;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub use certificates::Certificates;
use stream::Stream;

/// Connections at once.
const OPEN_MAX: usize = 512;
/// Connections at once of one address.
const OPEN_OF_ONE_MAX: usize = 64;
/// Longest time until a connection says whether it wants TLS, and until the handshake is done.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Longest time without a byte in either direction: above what any answer takes to begin.
const IDLE: Duration = Duration::from_mins(5);
/// Pause after accepting failed, for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(200);
/// First byte of a TLS record of type handshake (RFC 8446, section 5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Whether nobody in between can read it.
    pub is_tls: bool,
    /// Whether it comes from this machine.
    pub is_local: bool,
}

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        *stream.remote_addr()
    }
}

/// Connections, counted.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<HashMap<IpAddr, usize>>,
    refused: AtomicU64,
    handshakes_failed: AtomicU64,
    idle: AtomicU64,
}

impl Connections {
    /// Those open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.locked().values().sum()
    }

    /// Those closed at once for want of room.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// TLS handshakes that failed or took too long.
    #[must_use]
    pub fn handshakes_failed(&self) -> u64 {
        self.handshakes_failed.load(Ordering::Relaxed)
    }

    /// Those closed because nothing was said for too long.
    #[must_use]
    pub fn idle(&self) -> u64 {
        self.idle.load(Ordering::Relaxed)
    }

    /// A place for one more of that address, if there is room.
    fn place(self: &Arc<Self>, of: IpAddr) -> Option<Place> {
        let mut open = self.locked();
        let all: usize = open.values().sum();
        let of_one = open.get(&of).copied().unwrap_or_default();
        if all >= OPEN_MAX || of_one >= OPEN_OF_ONE_MAX {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        open.insert(of, of_one + 1);
        Some(Place { of, connections: Arc::clone(self) })
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place; dropping it makes room.
#[derive(Debug)]
struct Place {
    of: IpAddr,
    connections: Arc<Connections>,
}

impl Place {
    /// Counts that its connection was silent for too long.
    fn tell_idle(&self) {
        self.connections.idle.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.locked();
        if let Some(count) = open.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.of);
            }
        }
    }
}

/// The port of the page.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Acceptor>,
    connections: Arc<Connections>,
    idle: Duration,
    /// Connections that have not said yet what they want; no more than are open.
    beginning: JoinSet<Option<(Stream, Peer)>>,
}

impl Door {
    /// The port that `listener` has.
    ///
    /// # Errors
    /// When the socket has no address.
    pub fn new(
        listener: TcpListener,
        certificates: Option<&Certificates>,
        connections: Arc<Connections>,
    ) -> io::Result<Self> {
        let (address, tls) = (listener.local_addr()?, certificates.map(Certificates::acceptor));
        Ok(Self {
            listener,
            address,
            tls: tls.map(Acceptor),
            connections,
            idle: IDLE,
            beginning: JoinSet::new(),
        })
    }

    /// Lets a connection begin, if there is room for it.
    fn begin(&mut self, tcp: TcpStream, address: SocketAddr) {
        let Some(place) = self.connections.place(address.ip().to_canonical()) else { return };
        // Live values are small and often: they do not wait for each other.
        if let Err(err) = tcp.set_nodelay(true) {
            tracing::debug!("{address}: {err}");
        }
        let tls = self.tls.as_ref().map(|Acceptor(tls)| tls.clone());
        let (connections, idle) = (Arc::clone(&self.connections), self.idle);
        self.beginning.spawn(async move {
            let began = tokio::time::timeout(HANDSHAKE, begin(tcp, tls, (place, idle))).await;
            let began = began.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            match began {
                Ok((stream, is_tls, is_local)) => {
                    Some((stream, Peer { address, is_tls, is_local }))
                }
                Err(err) => {
                    connections.handshakes_failed.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!("{address}: no connection: {err}");
                    None
                }
            }
        });
    }
}

impl Listener for Door {
    type Io = Stream;
    type Addr = Peer;

    async fn accept(&mut self) -> (Stream, Peer) {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((tcp, address)) => self.begin(tcp, address),
                    Err(err) => {
                        tracing::warn!("the page accepts no connection: {err}");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(began) = self.beginning.join_next() => match began {
                    Ok(Some(began)) => return began,
                    Ok(None) => {}
                    Err(err) => tracing::error!("a connection to the page ended early: {err}"),
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer { address: self.address, is_tls: false, is_local: true })
    }
}

/// Makes TLS of a connection.
struct Acceptor(TlsAcceptor);

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

/// A stream to serve, whether it has TLS, and whether it comes from this machine.
async fn begin(
    tcp: TcpStream,
    tls: Option<TlsAcceptor>,
    (place, idle): (Place, Duration),
) -> io::Result<(Stream, bool, bool)> {
    let here = tcp.local_addr()?.ip().to_canonical();
    let is_local = place.of.is_loopback() || place.of == here;
    let Some(tls) = tls else { return Ok((Stream::plain(tcp, (place, idle)), false, is_local)) };
    let mut first = [0];
    if tcp.peek(&mut first).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if first != [HANDSHAKE_RECORD] {
        return Ok((Stream::plain(tcp, (place, idle)), false, is_local));
    }
    Ok((Stream::tls(tls.accept(tcp).await?, (place, idle)), true, is_local))
}

#[cfg(test)]
mod tests;
