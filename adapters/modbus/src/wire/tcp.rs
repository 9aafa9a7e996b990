//! The engine of one Modbus TCP connection: one request in flight, ids matched, strays counted.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_modbus::client::Client;
use tokio_modbus::slave::SlaveContext;
use tokio_modbus::{ExceptionCode, Request, Response, Slave};

use super::mbap::{self, Frame};
use super::{Fault, Strays, Turn, pdu};
use crate::scan::Read;

/// Bytes taken from the operating system at once: two of the longest frames.
const CHUNK: usize = 520;
/// Requests given up whose late answers are still told from foreign ones.
const REMEMBERED: usize = 64;
/// Strays between two requests before the peer counts as mad.
const STRAYS_MAX: u32 = 1000;

/// One connection to a Modbus TCP server, and what has arrived on it.
///
/// Memory is bounded whatever the peer sends: an inbox of at most one frame and one chunk.
#[derive(Debug)]
pub struct TcpWire<S = TcpStream> {
    stream: S,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    /// Id of the next request.
    next_id: u16,
    /// Ids and units of requests that were given up, oldest first.
    given_up: VecDeque<(u16, u8)>,
    last_answered: Option<u16>,
    late_units: Vec<u8>,
    strays: Strays,
    /// Whether the place of the next frame, or the end of the last request, is unknown.
    broken: bool,
    /// Unit and timeout of requests through [`Client`].
    unit: u8,
    timeout: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TcpWire<S> {
    /// An engine on a fresh connection. `first_id` is the id of its first request: an owner that
    /// reconnects passes on [`TcpWire::next_id`], so that ids do not start again.
    #[must_use]
    pub fn new(stream: S, first_id: u16) -> Self {
        Self {
            stream,
            inbox: Vec::with_capacity(2 * CHUNK),
            outbox: Vec::with_capacity(CHUNK),
            next_id: first_id,
            given_up: VecDeque::with_capacity(REMEMBERED),
            last_answered: None,
            late_units: Vec::new(),
            strays: Strays::default(),
            broken: false,
            unit: 1,
            timeout: Duration::from_secs(1),
        }
    }

    /// Reads registers or bits; appends them to `words`, a bit as 0 or 1.
    ///
    /// # Errors
    /// The [`Fault`]; afterwards [`TcpWire::is_broken`] says whether to connect anew.
    pub async fn read(
        &mut self,
        turn: Turn,
        read: Read,
        words: &mut Vec<u16>,
    ) -> Result<(), Fault> {
        mbap::open(&mut self.outbox, self.next_id, turn.unit);
        pdu::put_read(read, &mut self.outbox);
        let frame = self.exchange(turn.deadline).await?;
        let taken = pdu::take_words(read, self.answer(&frame), words);
        self.forget(&frame);
        taken
    }

    /// Asks anything of a unit.
    ///
    /// # Errors
    /// As [`TcpWire::read`].
    pub async fn ask(&mut self, turn: Turn, request: &Request<'_>) -> Result<Response, Fault> {
        mbap::open(&mut self.outbox, self.next_id, turn.unit);
        pdu::put_request(request, &mut self.outbox)?;
        let frame = self.exchange(turn.deadline).await?;
        let taken = pdu::take_response(request, mbap::pdu(&self.outbox), self.answer(&frame));
        self.forget(&frame);
        taken
    }

    /// Receives and drops whatever comes unasked; returns when the connection has ended.
    ///
    /// Cancelling it loses nothing.
    pub async fn idle(&mut self) -> Fault {
        let mut budget = STRAYS_MAX;
        loop {
            let came = match poll_fn(|context| self.poll_chunk(context)).await {
                Ok(()) => self.drop_strays(&mut budget),
                Err(fault) => Err(fault),
            };
            if let Err(fault) = came {
                self.broken = true;
                return fault;
            }
        }
    }

    /// Whether the connection cannot be used any more.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Id of the next request.
    #[must_use]
    pub fn next_id(&self) -> u16 {
        self.next_id
    }

    /// What came that was not asked for.
    #[must_use]
    pub fn strays(&self) -> Strays {
        self.strays
    }

    /// Units whose answers came after their request was given up, since the last call: they live.
    pub fn take_late_units(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.late_units)
    }

    /// Sends the request in the outbox and waits for its answer, which is left in the inbox.
    async fn exchange(&mut self, deadline: Instant) -> Result<Frame, Fault> {
        if self.broken {
            return Err(Fault::Closed);
        }
        mbap::seal(&mut self.outbox)?;
        let (id, unit) = (self.next_id, self.outbox.get(6).copied().unwrap_or_default());
        self.next_id = id.wrapping_add(1);
        let mut sent = false;
        let waited = timeout_at(deadline, self.send_and_wait(id, &mut sent)).await;
        let frame = match waited {
            Ok(Ok(frame)) => frame,
            Ok(Err(fault)) => {
                self.broken = true;
                return Err(fault);
            }
            Err(_) => {
                self.broken = !sent || !self.inbox.is_empty();
                if self.given_up.len() == REMEMBERED {
                    self.given_up.pop_front();
                }
                self.given_up.push_back((id, unit));
                return Err(Fault::Timeout);
            }
        };
        self.last_answered = Some(id);
        if frame.unit == unit {
            return Ok(frame);
        }
        self.forget(&frame);
        Err(Fault::Unit(frame.unit))
    }

    async fn send_and_wait(&mut self, id: u16, sent: &mut bool) -> Result<Frame, Fault> {
        let mut budget = STRAYS_MAX;
        self.drain(&mut budget).await?;
        self.stream.write_all(&self.outbox).await.map_err(|err| lost(&err))?;
        *sent = true;
        loop {
            while let Some(frame) = mbap::first(&self.inbox)? {
                if frame.id == id {
                    return Ok(frame);
                }
                self.drop_stray(&frame, &mut budget)?;
            }
            poll_fn(|context| self.poll_chunk(context)).await?;
        }
    }

    /// Takes what has already arrived, here and in the operating system, without waiting.
    async fn drain(&mut self, budget: &mut u32) -> Result<(), Fault> {
        loop {
            self.drop_strays(budget)?;
            let came = poll_fn(|context| match self.poll_chunk(context) {
                Poll::Pending => Poll::Ready(None),
                Poll::Ready(came) => Poll::Ready(Some(came)),
            });
            match came.await {
                None => return Ok(()),
                Some(came) => came?,
            }
        }
    }

    fn drop_strays(&mut self, budget: &mut u32) -> Result<(), Fault> {
        while let Some(frame) = mbap::first(&self.inbox)? {
            self.drop_stray(&frame, budget)?;
        }
        Ok(())
    }

    fn drop_stray(&mut self, frame: &Frame, budget: &mut u32) -> Result<(), Fault> {
        let given_up = self.given_up.iter().position(|(id, _)| *id == frame.id);
        if let Some((_, unit)) = given_up.and_then(|place| self.given_up.remove(place)) {
            self.strays.late += 1;
            if unit == frame.unit && !self.late_units.contains(&unit) {
                self.late_units.push(unit);
            }
        } else if self.last_answered == Some(frame.id) {
            self.strays.duplicate += 1;
        } else {
            self.strays.foreign += 1;
        }
        self.forget(frame);
        *budget = budget.checked_sub(1).ok_or(Fault::Framing("frames nobody asked for"))?;
        Ok(())
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let mut chunk = [0; CHUNK];
        let mut room = ReadBuf::new(&mut chunk);
        let came = ready!(Pin::new(&mut self.stream).poll_read(context, &mut room));
        Poll::Ready(match came {
            Err(err) => Err(lost(&err)),
            Ok(()) if room.filled().is_empty() => Err(Fault::Closed),
            Ok(()) => {
                self.inbox.extend_from_slice(room.filled());
                Ok(())
            }
        })
    }

    fn answer(&self, frame: &Frame) -> &[u8] {
        self.inbox.get(frame.pdu.clone()).unwrap_or_default()
    }

    fn forget(&mut self, frame: &Frame) {
        self.inbox.drain(..frame.pdu.end.min(self.inbox.len()));
    }
}

/// The public client of `tokio-modbus`, so that its readers and writers work on this engine.
#[async_trait]
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client for TcpWire<S> {
    async fn call(&mut self, request: Request<'_>) -> tokio_modbus::Result<Response> {
        let turn = Turn { unit: self.unit, deadline: Instant::now() + self.timeout };
        match self.ask(turn, &request).await {
            Ok(response) => Ok(Ok(response)),
            Err(Fault::Exception(code)) => Ok(Err(ExceptionCode::new(code))),
            Err(fault) => Err(io::Error::new(fault.io_kind(), fault).into()),
        }
    }

    async fn disconnect(&mut self) -> io::Result<()> {
        self.broken = true;
        self.stream.shutdown().await
    }
}

impl<S> SlaveContext for TcpWire<S> {
    fn set_slave(&mut self, slave: Slave) {
        self.unit = slave.into();
    }
}

impl<S> TcpWire<S> {
    /// How long a request through [`Client`] may take.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }
}

fn lost(err: &io::Error) -> Fault {
    Fault::Io(err.kind())
}

#[cfg(test)]
mod tests;
