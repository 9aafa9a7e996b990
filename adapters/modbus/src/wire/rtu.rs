//! The engine of one RTU line, serial or over TCP: one request in flight, found by its shape.
//!
//! RTU answers carry no id. What keeps a late one from passing for the next:
//! R-1 Before a request goes out the line has been silent for t3.5 and everything received is
//!     dropped, here and in the operating system.
//! R-2 An answer has the unit, function, length and checksum that its request calls for.
//! R-3 A request goes out only when no older one of its unit can still be answered alike; else the
//!     unit has to pass a fence first. What that rests on stands in `outstanding`.

mod inbox;
mod outstanding;
mod shape;
mod timing;
mod turn;

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::Instant;
use tokio_modbus::client::Client;
use tokio_modbus::slave::SlaveContext;
use tokio_modbus::{ExceptionCode, Request, Response, Slave};

use super::trace::{Fate, FrameTrace, Framing, TraceTap};
use super::{Ask, Fault, Outcome, Outcomes, Turn, WireCounts, crc, pdu};
use crate::scan::Read;
use inbox::{Found, Inbox};
pub(crate) use outstanding::Outstanding;
use shape::{FRAME_MAX, Frame, Shape};
pub use timing::Timing;

/// Bytes between two requests before the peer counts as mad.
const UNASKED_MAX: u64 = 1 << 20;

/// One line of RTU devices, and what has arrived on it.
///
/// Memory is bounded whatever the line brings: an inbox of two frames, nothing else grows.
#[derive(Debug)]
pub struct RtuWire<S> {
    stream: S,
    timing: Timing,
    inbox: Box<Inbox>,
    /// The frame that was sent last.
    outbox: Vec<u8>,
    counts: WireCounts,
    outstanding: Outstanding,
    /// Token of the last function 8.
    token: u16,
    /// Whether an answer that does not repeat its request has shown whether the line echoes.
    knows_echo: bool,
    late_units: Vec<u8>,
    /// When the last byte came, or was sent.
    active: Instant,
    /// An answer may still be on the line until then, and for so long after more bytes.
    busy_until: Instant,
    hold: Duration,
    /// Whether our own bytes come back: declared, or seen.
    echoes: bool,
    /// Bytes that came since the last request.
    unasked: u64,
    tap: TraceTap,
    /// What broke the line.
    broken: Option<Fault>,
    /// Unit and timeout of requests through [`Client`].
    unit: u8,
    timeout: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> RtuWire<S> {
    /// An engine on a fresh connection or an opened port.
    #[must_use]
    pub fn new(stream: S, timing: Timing) -> Self {
        let now = Instant::now();
        Self {
            stream,
            timing,
            inbox: Box::new(Inbox::new()),
            outbox: Vec::with_capacity(FRAME_MAX),
            counts: WireCounts::default(),
            outstanding: Outstanding::default(),
            token: 0,
            knows_echo: false,
            late_units: Vec::new(),
            active: now,
            busy_until: now,
            hold: Duration::ZERO,
            echoes: timing.local_echo,
            unasked: 0,
            tap: TraceTap::default(),
            broken: None,
            unit: 1,
            timeout: Duration::from_secs(1),
        }
    }

    /// Asks for several reads, one after another; every one gets its outcome.
    ///
    /// The time a line needs to become quiet comes before the timeout of a request, and is at
    /// most as long.
    pub async fn read_many(&mut self, asks: &[Ask], outcomes: &mut Outcomes) {
        for ask in asks {
            let begin = outcomes.words.len();
            let mut sent = None;
            let asked = self.read_once(ask, &mut sent, &mut outcomes.words).await;
            let words = asked.map(|()| begin..outcomes.words.len());
            outcomes.reads.push(Outcome { words, sent, ended: Instant::now() });
        }
    }

    async fn read_once(
        &mut self,
        ask: &Ask,
        sent: &mut Option<Instant>,
        words: &mut Vec<u16>,
    ) -> Result<(), Fault> {
        let shape = self.open_read(ask.unit, ask.read)?;
        let (began, before) = (Instant::now(), self.counts.requests);
        let cleared = self.clear(&shape, began + ask.timeout).await;
        if self.counts.requests > before {
            *sent = Some(began);
        }
        cleared?;
        let now = Instant::now();
        *sent = Some(now);
        let answer = self.exchange(&shape, now + ask.timeout).await;
        self.take_words(ask.read, answer, words)
    }

    /// Reads registers or bits; appends them to `words`, a bit as 0 or 1.
    ///
    /// # Errors
    /// The [`Fault`]; afterwards [`RtuWire::is_broken`] says whether to connect anew.
    pub async fn read(
        &mut self,
        turn: Turn,
        read: Read,
        words: &mut Vec<u16>,
    ) -> Result<(), Fault> {
        let shape = self.open_read(turn.unit, read)?;
        self.clear(&shape, turn.deadline).await?;
        let answer = self.exchange(&shape, turn.deadline).await;
        self.take_words(read, answer, words)
    }

    /// Asks anything of a unit but functions of one's own, whose answers have no known length.
    ///
    /// Unit 0 is a broadcast of a write: devices do it and nobody answers. The turnaround delay
    /// is waited for, and the response is the echo that a device would have given.
    ///
    /// # Errors
    /// As [`RtuWire::read`].
    pub async fn ask(&mut self, turn: Turn, request: &Request<'_>) -> Result<Response, Fault> {
        self.outbox.clear();
        self.outbox.push(turn.unit);
        pdu::put_request(request, &mut self.outbox)?;
        let shape = self.seal()?;
        let echo = match turn.unit {
            0 => Some(pdu::echo(request).ok_or(Fault::Request)?),
            1.. => None,
        };
        self.clear(&shape, turn.deadline).await?;
        if let Some(echo) = echo {
            self.broadcast(turn.deadline).await?;
            return Ok(echo);
        }
        let answer = self.exchange(&shape, turn.deadline).await?;
        let taken = pdu::take_response(request, self.asked(), self.answer(&answer));
        self.inbox.take(&answer);
        taken
    }

    /// Receives and drops whatever comes unasked; returns when the connection has ended.
    ///
    /// Cancelling it loses nothing.
    pub async fn idle(&mut self) -> Fault {
        loop {
            if let Some(fault) = self.broken {
                return fault;
            }
            if let Err(fault) = poll_fn(|context| self.poll_bytes(context)).await {
                return fault;
            }
            self.drop_strays();
        }
    }

    /// Whether the connection or port cannot be used any more.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Units whose answers came after their request was given up, since the last call: they live.
    pub fn take_late_units(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.late_units)
    }

    /// What has been counted since the connection came up.
    #[must_use]
    pub fn counts(&self) -> WireCounts {
        WireCounts { echoes: u64::from(self.echo_seen()), ..self.counts }
    }

    /// Keeps at least this pause between frames, before fences too.
    pub(crate) fn keep_gap(&mut self, gap: Duration) {
        self.timing.gap = self.timing.gap.max(gap);
    }

    /// What is outstanding, for the wire on the next connection to the same line.
    pub(crate) fn take_outstanding(&mut self) -> Outstanding {
        std::mem::take(&mut self.outstanding)
    }

    /// Takes over what was outstanding on the connection before.
    pub(crate) fn inherit(&mut self, outstanding: Outstanding) {
        self.outstanding = outstanding;
    }

    /// Keeps the frames of this line in `trace` from now on.
    pub fn trace_into(&mut self, trace: Arc<FrameTrace>) {
        self.tap = TraceTap::new(trace, Framing::Rtu);
    }

    /// Whether our own bytes have come back though that was not declared: two-wire adapters do
    /// that, and `local_echo` belongs into the configuration.
    #[must_use]
    pub fn echo_seen(&self) -> bool {
        self.echoes && !self.timing.local_echo
    }

    fn open_read(&mut self, unit: u8, read: Read) -> Result<Shape, Fault> {
        self.outbox.clear();
        self.outbox.push(unit);
        self.outbox.extend_from_slice(&pdu::read_request(read));
        if unit == 0 { Err(Fault::Request) } else { self.seal() }
    }

    /// Ends the frame in the outbox, and says what answers it.
    fn seal(&mut self) -> Result<Shape, Fault> {
        let (Some((unit, pdu)), true) = (self.outbox.split_first(), self.outbox.len() <= 254)
        else {
            return Err(Fault::Request);
        };
        let shape = Shape::of(*unit, pdu)?;
        self.outbox.extend_from_slice(&crc::crc(&self.outbox).to_le_bytes());
        Ok(shape)
    }

    /// The PDU of the frame in the outbox.
    fn asked(&self) -> &[u8] {
        self.outbox.get(1..self.outbox.len().saturating_sub(2)).unwrap_or_default()
    }

    /// The PDU of an answer in the inbox.
    fn answer(&self, frame: &Range<usize>) -> &[u8] {
        self.inbox.get(frame.start + 1..frame.end.saturating_sub(2))
    }

    fn take_words(
        &mut self,
        read: Read,
        answer: Result<Range<usize>, Fault>,
        words: &mut Vec<u16>,
    ) -> Result<(), Fault> {
        let answer = answer?;
        let taken = pdu::take_words(read, self.answer(&answer), words);
        self.inbox.take(&answer);
        taken
    }

    fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let mut room = ReadBuf::new(self.inbox.room());
        let came = ready!(Pin::new(&mut self.stream).poll_read(context, &mut room));
        let count = room.filled().len();
        Poll::Ready(match came {
            Err(err) => Err(self.breaks(Fault::Io(err.kind()))),
            Ok(()) if count == 0 => Err(self.breaks(Fault::Closed)),
            Ok(()) => {
                self.inbox.came(count);
                self.counts.bytes_in += count as u64;
                self.unasked += count as u64;
                self.active = Instant::now();
                if self.unasked > UNASKED_MAX {
                    return Poll::Ready(Err(self.breaks(Fault::Framing("bytes without end"))));
                }
                Ok(())
            }
        })
    }

    /// Takes what strays have come out of the inbox; the rest may be the beginning of one.
    fn drop_strays(&mut self) {
        while let Found::Stray(at, frame) = self.inbox.scan(None) {
            self.note_stray(at, &frame, None);
        }
        self.counts.drained_bytes += self.inbox.take_dropped();
    }

    /// Takes out and counts the frame at a place, which is no answer; says what it means for the
    /// request in flight.
    fn note_stray(&mut self, at: usize, frame: &Frame, asked: Option<&Shape>) -> Option<Fault> {
        let place = at..at + frame.length;
        // A gateway that says that it does not reach a unit is no sign of life of that unit.
        let code = self.inbox.get(place.clone()).get(2).copied();
        let is_unreached = frame.function >= 0x80 && matches!(code, Some(10 | 11));
        let fate = self.outstanding.stray(frame, asked, self.active);
        match fate {
            Fate::Late => {
                self.counts.strays.late += 1;
                if !is_unreached && !self.late_units.contains(&frame.unit) {
                    self.late_units.push(frame.unit);
                }
            }
            Fate::Duplicate => self.counts.strays.duplicate += 1,
            Fate::Sent | Fate::Answer | Fate::Foreign | Fate::Garbage => {
                self.counts.strays.foreign += 1;
            }
        }
        self.tap.note(self.active, fate, self.inbox.get(place.clone()));
        self.inbox.take(&place);
        let asked = asked.filter(|_| fate == Fate::Foreign)?;
        // As long as a request to read: another master is at work.
        let is_request = matches!(frame.function, 3 | 4) && frame.length == 8;
        let is_echo = frame.function & 0x7F == outstanding::ECHO;
        match frame.unit == asked.unit {
            _ if is_request || is_echo => None,
            false => Some(Fault::Unit(frame.unit)),
            true if frame.function == asked.function => Some(Fault::Quantity),
            true => Some(Fault::Function(frame.function)),
        }
    }

    fn breaks(&mut self, fault: Fault) -> Fault {
        self.broken = Some(fault);
        fault
    }
}

/// The public client of `tokio-modbus`, so that its readers and writers work on this engine.
#[async_trait]
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client for RtuWire<S> {
    async fn call(&mut self, request: Request<'_>) -> tokio_modbus::Result<Response> {
        let turn = Turn { unit: self.unit, deadline: Instant::now() + self.timeout };
        match self.ask(turn, &request).await {
            Ok(response) => Ok(Ok(response)),
            Err(Fault::Exception(code)) => Ok(Err(ExceptionCode::new(code))),
            Err(fault) => Err(io::Error::new(fault.io_kind(), fault).into()),
        }
    }

    async fn disconnect(&mut self) -> io::Result<()> {
        self.broken = Some(Fault::Closed);
        self.stream.shutdown().await
    }
}

impl<S> SlaveContext for RtuWire<S> {
    fn set_slave(&mut self, slave: Slave) {
        self.unit = slave.into();
    }
}

impl<S> RtuWire<S> {
    /// How long a request through [`Client`] may take.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }
}

#[cfg(test)]
mod tests;
