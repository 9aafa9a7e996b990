//! A connection, with TLS or without, that ends when nothing is said for too long and makes room
//! when it ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};
use tokio_rustls::server::TlsStream;

use super::Place;

/// Bytes to and from a peer.
#[derive(Debug)]
pub struct Stream {
    way: Way,
    silence: Silence,
    place: Place,
}

#[derive(Debug)]
enum Way {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// How long nothing may be said, in either direction.
#[derive(Debug)]
struct Silence {
    longest: Duration,
    over: Pin<Box<Sleep>>,
    is_over: bool,
}

impl Silence {
    fn new(longest: Duration) -> Self {
        Self { longest, over: Box::pin(sleep(longest)), is_over: false }
    }

    /// Passes on what became of an attempt to read or write; a wait that is too long ends in an
    /// error, counted once.
    fn judge<T>(
        &mut self,
        done: Poll<io::Result<T>>,
        context: &mut Context<'_>,
        place: &Place,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.over.as_mut().reset(Instant::now() + self.longest);
            return done;
        }
        if self.over.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        if !std::mem::replace(&mut self.is_over, true) {
            place.tell_idle();
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing was said for too long")))
    }
}

impl Stream {
    pub(super) fn plain(tcp: TcpStream, (place, idle): (Place, Duration)) -> Self {
        Self { way: Way::Plain(tcp), silence: Silence::new(idle), place }
    }

    pub(super) fn tls(tls: TlsStream<TcpStream>, (place, idle): (Place, Duration)) -> Self {
        Self { way: Way::Tls(Box::new(tls)), silence: Silence::new(idle), place }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { way, silence, place } = self.get_mut();
        let done = match way {
            Way::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Way::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        };
        silence.judge(done, context, place)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { way, silence, place } = self.get_mut();
        let done = match way {
            Way::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Way::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        };
        silence.judge(done, context, place)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { way, silence, place } = self.get_mut();
        let done = match way {
            Way::Plain(tcp) => Pin::new(tcp).poll_write_vectored(context, pieces),
            Way::Tls(tls) => Pin::new(tls).poll_write_vectored(context, pieces),
        };
        silence.judge(done, context, place)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.way {
            Way::Plain(tcp) => tcp.is_write_vectored(),
            Way::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { way, silence, place } = self.get_mut();
        match way {
            // Nothing waits here, so it says nothing of the peer.
            Way::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Way::Tls(tls) => {
                let done = Pin::new(tls).poll_flush(context);
                if done.is_ready() { done } else { silence.judge(done, context, place) }
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.way {
            Way::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Way::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}
