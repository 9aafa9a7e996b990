//! One face for every wire: what a line's scheduler sees.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_modbus::client::Client;
use tokio_modbus::slave::SlaveContext;
use tokio_modbus::{Request, Response, Slave};

use super::{Fault, FrameTrace, Outstanding, RtuWire, TcpWire, Turn, WireCounts};
use crate::scan::Read;

/// A byte stream a wire runs on: TCP, TLS, a serial port.
pub trait Stream: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Stream for S {}

/// An engine with its connection.
#[derive(Debug)]
pub enum Wire {
    /// Transaction ids: TCP and TLS.
    Tcp(TcpWire<Box<dyn Stream>>),
    /// Checksums and silence: serial lines, and RTU over TCP.
    Rtu(RtuWire<Box<dyn Stream>>),
}

/// One read that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Who is asked.
    pub unit: u8,
    /// What for.
    pub read: Read,
    /// How long from its sending to its answer.
    pub timeout: Duration,
}

/// How one read went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// Where its words lie in [`Outcomes::words`]; a bit is a word of 0 or 1.
    pub words: Result<Range<usize>, Fault>,
    /// When its request was handed to the operating system; `None` when it was not sent.
    pub sent: Option<Instant>,
    /// When its answer was complete, or when it was given up.
    pub ended: Instant,
}

/// The outcomes of several reads, by their place. Kept and used again: no allocation.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    /// Words of all answers.
    pub words: Vec<u16>,
    /// One for each read asked for, in the order of asking.
    pub reads: Vec<Outcome>,
}

impl Wire {
    /// Asks for several reads, at most `depth` at a time; every one gets its outcome.
    ///
    /// Appends to `outcomes.reads` in the order of `asks`. When the wire breaks, what is left
    /// gets the fault that broke it. On a serial line the depth is 1 whatever is asked.
    pub async fn read_many(&mut self, asks: &[Ask], depth: usize, outcomes: &mut Outcomes) {
        match self {
            Self::Tcp(wire) => wire.read_many(asks, depth, outcomes).await,
            Self::Rtu(wire) => wire.read_many(asks, outcomes).await,
        }
    }

    /// Reads registers or bits; appends them to `words`, a bit as 0 or 1.
    ///
    /// # Errors
    /// The [`Fault`]; afterwards [`Wire::is_broken`] says whether to connect anew.
    pub async fn read(
        &mut self,
        turn: Turn,
        read: Read,
        words: &mut Vec<u16>,
    ) -> Result<(), Fault> {
        match self {
            Self::Tcp(wire) => wire.read(turn, read, words).await,
            Self::Rtu(wire) => wire.read(turn, read, words).await,
        }
    }

    /// Asks anything of a unit. To unit 0 it is a broadcast: nobody answers, and the response is
    /// the echo that a device would have given.
    ///
    /// # Errors
    /// As [`Wire::read`].
    pub async fn ask(&mut self, turn: Turn, request: &Request<'_>) -> Result<Response, Fault> {
        match self {
            Self::Tcp(wire) => wire.ask(turn, request).await,
            Self::Rtu(wire) => wire.ask(turn, request).await,
        }
    }

    /// Receives and drops whatever comes unasked; returns when the connection has ended.
    ///
    /// Cancelling it loses nothing.
    pub async fn idle(&mut self) -> Fault {
        match self {
            Self::Tcp(wire) => wire.idle().await,
            Self::Rtu(wire) => wire.idle().await,
        }
    }

    /// Whether the connection cannot be used any more.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        match self {
            Self::Tcp(wire) => wire.is_broken(),
            Self::Rtu(wire) => wire.is_broken(),
        }
    }

    /// Id of the next request, for the wire that follows this one; 0 where there are no ids.
    #[must_use]
    pub fn next_id(&self) -> u16 {
        match self {
            Self::Tcp(wire) => wire.next_id(),
            Self::Rtu(_) => 0,
        }
    }

    /// Keeps at least this pause between the frames of one request, where it may take several;
    /// between requests it is the caller's.
    pub(crate) fn keep_gap(&mut self, gap: Duration) {
        if let Self::Rtu(wire) = self {
            wire.keep_gap(gap);
        }
    }

    /// What is outstanding, for the wire on the next connection of the line.
    pub(crate) fn take_outstanding(&mut self) -> Outstanding {
        match self {
            Self::Tcp(_) => Outstanding::default(),
            Self::Rtu(wire) => wire.take_outstanding(),
        }
    }

    /// Takes over what was outstanding on the connection before; ids need none of it.
    pub(crate) fn inherit(&mut self, outstanding: Outstanding) {
        if let Self::Rtu(wire) = self {
            wire.inherit(outstanding);
        }
    }

    /// Units whose answers came after their request was given up, since the last call: they live.
    pub fn take_late_units(&mut self) -> Vec<u8> {
        match self {
            Self::Tcp(wire) => wire.take_late_units(),
            Self::Rtu(wire) => wire.take_late_units(),
        }
    }

    /// What has been counted since the connection came up.
    #[must_use]
    pub fn counts(&self) -> WireCounts {
        match self {
            Self::Tcp(wire) => wire.counts(),
            Self::Rtu(wire) => wire.counts(),
        }
    }

    /// Keeps the frames of this connection in `trace` from now on.
    pub fn trace_into(&mut self, trace: Arc<FrameTrace>) {
        match self {
            Self::Tcp(wire) => wire.trace_into(trace),
            Self::Rtu(wire) => wire.trace_into(trace),
        }
    }

    /// How long a request through [`Client`] may take.
    pub fn set_timeout(&mut self, timeout: Duration) {
        match self {
            Self::Tcp(wire) => wire.set_timeout(timeout),
            Self::Rtu(wire) => wire.set_timeout(timeout),
        }
    }
}

/// Readers and writers of `tokio-modbus` on any wire: `Context::from(Box::new(wire) as Box<_>)`.
#[async_trait]
impl Client for Wire {
    async fn call(&mut self, request: Request<'_>) -> tokio_modbus::Result<Response> {
        match self {
            Self::Tcp(wire) => wire.call(request).await,
            Self::Rtu(wire) => wire.call(request).await,
        }
    }

    async fn disconnect(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(wire) => wire.disconnect().await,
            Self::Rtu(wire) => wire.disconnect().await,
        }
    }
}

impl SlaveContext for Wire {
    fn set_slave(&mut self, slave: Slave) {
        match self {
            Self::Tcp(wire) => wire.set_slave(slave),
            Self::Rtu(wire) => wire.set_slave(slave),
        }
    }
}
