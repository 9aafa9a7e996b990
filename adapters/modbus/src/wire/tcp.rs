//! The engine of one Modbus TCP connection: ids matched in any order, strays counted.
//!
//! What has arrived is taken before anything is sent, so that a frame that was there before its
//! request cannot pass for the answer. Requests that become due together leave in one write, and
//! one read takes as many answers as there are.

mod buffers;
mod client;
mod ids;
mod job;

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_modbus::{Request, Response};

use self::buffers::{Inbox, Outbox};
use self::ids::{Ids, Owner};
use self::job::{Job, Many, One};
use super::mbap;
use super::trace::{Fate, FrameTrace, Framing, TraceTap};
use super::{Ask, Fault, Outcomes, Strays, Turn, WireCounts, pdu};
use crate::scan::Read;

/// Strays in a row before the peer counts as mad.
const STRAYS_MAX: u32 = 1000;

/// One connection to a Modbus TCP server, and what has arrived on it.
///
/// Memory is bounded whatever the peer sends: an inbox of as many frames as may be on their way.
#[derive(Debug)]
pub struct TcpWire<S = TcpStream> {
    stream: S,
    inbox: Inbox,
    outbox: Outbox,
    ids: Ids,
    /// When the last bytes came.
    came_at: Instant,
    late_units: Vec<u8>,
    counts: WireCounts,
    /// Strays that may still come before the next request.
    budget: u32,
    tap: TraceTap,
    /// Whether the place of the next frame, or the end of the last request, is unknown.
    broken: bool,
    /// Unit and timeout of requests through [`tokio_modbus::client::Client`].
    unit: u8,
    timeout: Duration,
}

impl<S> TcpWire<S> {
    /// An engine on a fresh connection. `first_id` is the id of its first request: an owner that
    /// reconnects passes on [`TcpWire::next_id`], so that ids do not start again.
    #[must_use]
    pub fn new(stream: S, first_id: u16) -> Self {
        Self {
            stream,
            inbox: Inbox::new(),
            outbox: Outbox::new(),
            ids: Ids::new(first_id),
            came_at: Instant::now(),
            late_units: Vec::new(),
            counts: WireCounts::default(),
            budget: STRAYS_MAX,
            tap: TraceTap::default(),
            broken: false,
            unit: 1,
            timeout: Duration::from_secs(1),
        }
    }

    /// Keeps the frames of this connection in `trace` from now on.
    pub fn trace_into(&mut self, trace: Arc<FrameTrace>) {
        self.tap = TraceTap::new(trace, Framing::Mbap);
    }

    /// How long a request through [`tokio_modbus::client::Client`] may take.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Whether the connection cannot be used any more.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Id of the next request.
    #[must_use]
    pub fn next_id(&self) -> u16 {
        self.ids.next()
    }

    /// What has been counted since the connection came up.
    #[must_use]
    pub fn counts(&self) -> WireCounts {
        self.counts
    }

    /// What came that was not asked for.
    #[must_use]
    pub fn strays(&self) -> Strays {
        self.counts.strays
    }

    /// Units whose answers came after their request was given up, since the last call: they live.
    pub fn take_late_units(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.late_units)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TcpWire<S> {
    /// Asks for several reads, at most `depth` at a time, 1..=16; every one gets its outcome.
    ///
    /// Answers may come in any order. A fault of one read, its timeout among them, leaves the
    /// others as they are, unless the connection is lost by it: when bytes of a half frame stand
    /// that belongs to nobody, or a request could not be written to its end. Cancelling it gives
    /// up what was on its way.
    pub async fn read_many(&mut self, asks: &[Ask], depth: usize, outcomes: &mut Outcomes) {
        self.inbox.widen(depth.min(asks.len()));
        let mut many = Many::new(asks, depth, outcomes);
        if let Err(fault) = self.drive(&mut many).await {
            many.fail(fault, self.ids.pending().map(|pending| pending.place));
            self.ids.abandon();
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
        let take = |answer: &[u8]| pdu::take_words(read, answer, words);
        self.exchange(turn, &pdu::read_request(read), take).await
    }

    /// Asks anything of a unit. A write to unit 0 is a broadcast: nobody answers, and the
    /// response is the echo that a device would have given. Anything else asked of unit 0 waits
    /// for its answer: a device that is connected directly may listen to it (Modbus Messaging on
    /// TCP/IP V1.0b, clause 4.4.2.1).
    ///
    /// # Errors
    /// As [`TcpWire::read`].
    pub async fn ask(&mut self, turn: Turn, request: &Request<'_>) -> Result<Response, Fault> {
        let mut asked = Vec::new();
        pdu::put_request(request, &mut asked)?;
        if turn.unit == 0
            && let Some(echo) = pdu::echo(request)
        {
            return self.broadcast(turn, &asked).await.map(|()| echo);
        }
        let mut response = Err(Fault::Closed);
        let take = |answer: &[u8]| {
            response = pdu::take_response(request, &asked, answer);
            Ok(())
        };
        self.exchange(turn, &asked, take).await?;
        response
    }

    /// Receives and drops whatever comes unasked; returns when the connection has ended.
    ///
    /// Cancelling it loses nothing.
    pub async fn idle(&mut self) -> Fault {
        if self.begin().is_err() {
            return Fault::Closed;
        }
        self.budget = STRAYS_MAX;
        let fault = poll_fn(|context| {
            loop {
                if let Err(fault) = self.drop_strays() {
                    return Poll::Ready(fault);
                }
                if let Err(fault) = ready!(self.poll_chunk(context)) {
                    return Poll::Ready(fault);
                }
            }
        });
        let fault = fault.await;
        self.broken = true;
        fault
    }

    /// One request and its answer, which `take` judges.
    async fn exchange(
        &mut self,
        turn: Turn,
        pdu: &[u8],
        take: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut one = One { turn, pdu, take, is_sent: false, outcome: None };
        let driven = self.drive(&mut one).await;
        self.ids.abandon();
        one.outcome.unwrap_or(driven)
    }

    async fn broadcast(&mut self, turn: Turn, pdu: &[u8]) -> Result<(), Fault> {
        self.begin()?;
        self.put(turn, 0, pdu)?;
        // Whoever answers all the same is late.
        self.ids.abandon();
        let written = timeout_at(turn.deadline, poll_fn(|context| self.poll_send(context))).await;
        let outcome = written.unwrap_or(Err(Fault::Timeout));
        self.broken |= outcome.is_err();
        outcome
    }

    /// Works on `job` until all of it is settled.
    ///
    /// # Errors
    /// The fault that broke the connection; what is on its way is then for the caller to settle.
    async fn drive(&mut self, job: &mut impl Job) -> Result<(), Fault> {
        self.begin()?;
        self.budget = STRAYS_MAX;
        let mut timer = pin!(sleep_until(self.came_at));
        let mut is_set = false;
        let driven = poll_fn(|context| {
            loop {
                self.poll_exchanges(context, job)?;
                let Some(earliest) = self.ids.earliest() else { return Poll::Ready(Ok(())) };
                // A timer that is set too early costs nothing unless it fires.
                if !is_set || timer.deadline() > earliest {
                    timer.as_mut().reset(earliest);
                    is_set = true;
                }
                ready!(timer.as_mut().poll(context));
                self.expire(timer.deadline(), job)?;
                is_set = false;
            }
        });
        let driven = driven.await;
        self.broken |= driven.is_err_and(|fault| fault != Fault::Request);
        driven
    }

    /// Leaves behind what a caller that has gone away left on its way.
    fn begin(&mut self) -> Result<(), Fault> {
        self.ids.abandon();
        self.broken |= self.outbox.is_cut();
        if self.broken {
            return Err(Fault::Closed);
        }
        self.outbox.clear();
        Ok(())
    }

    /// Takes, sends and takes again, until there is nothing to do but wait.
    fn poll_exchanges(
        &mut self,
        context: &mut Context<'_>,
        job: &mut impl Job,
    ) -> Result<(), Fault> {
        loop {
            loop {
                self.take_answers(job)?;
                match self.poll_chunk(context) {
                    Poll::Ready(came) => came?,
                    Poll::Pending => break,
                }
            }
            let queued = job.refill(self)?;
            if let Poll::Ready(sent) = self.poll_send(context) {
                sent?;
            }
            if queued == 0 {
                return Ok(());
            }
        }
    }

    /// Puts a request in the outbox, and on its way.
    fn put(&mut self, turn: Turn, place: usize, pdu: &[u8]) -> Result<(), Fault> {
        let length = mbap::length_of(pdu)?;
        let id = self.ids.send(turn.unit, place, turn.deadline);
        let frames = self.outbox.frames();
        let start = frames.len();
        mbap::put(frames, id, length, turn.unit);
        frames.extend_from_slice(pdu);
        self.counts.requests += 1;
        self.budget = STRAYS_MAX;
        if self.tap.is_open() {
            self.tap.note(Instant::now(), Fate::Sent, self.outbox.since(start));
        }
        Ok(())
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if self.outbox.is_sent() {
            return Poll::Ready(Ok(()));
        }
        self.outbox.poll_send(Pin::new(&mut self.stream), context, &mut self.counts.bytes_out)
    }

    /// Hands every answer in the inbox to `job`, and drops what is none.
    fn take_answers(&mut self, job: &mut impl Job) -> Result<(), Fault> {
        while let Some(frame) = self.first_frame()? {
            match self.ids.receive(frame.id) {
                Owner::Pending(pending) => {
                    self.counts.answers += 1;
                    let arrived = self.inbox.arrived();
                    let whole = arrived.get(..frame.pdu.end).unwrap_or_default();
                    self.tap.note(self.came_at, Fate::Answer, whole);
                    let pdu = arrived.get(frame.pdu.clone()).unwrap_or_default();
                    let answer = if frame.unit == pending.unit {
                        Ok(pdu)
                    } else {
                        Err(Fault::Unit(frame.unit))
                    };
                    job.settle(pending, answer, self.came_at);
                    self.inbox.consume(frame.pdu.end);
                }
                stray @ (Owner::Late(_) | Owner::Duplicate | Owner::Foreign) => {
                    self.drop_stray(stray, &frame)?;
                }
            }
        }
        Ok(())
    }

    /// Drops every frame in the inbox; nothing is on its way.
    fn drop_strays(&mut self) -> Result<(), Fault> {
        while let Some(frame) = self.first_frame()? {
            let owner = self.ids.receive(frame.id);
            self.drop_stray(owner, &frame)?;
        }
        Ok(())
    }

    fn drop_stray(&mut self, owner: Owner, frame: &mbap::Frame) -> Result<(), Fault> {
        owner.count(&mut self.counts.strays);
        // A gateway that says that it does not reach a unit is no sign of life of that unit.
        let pdu = self.inbox.arrived().get(frame.pdu.clone()).unwrap_or_default();
        let is_unreached = matches!(pdu, [0x80..=0xFF, 10 | 11]);
        if let Owner::Late(unit) = owner
            && unit == frame.unit
            && !is_unreached
            && !self.late_units.contains(&unit)
        {
            self.late_units.push(unit);
        }
        let whole = self.inbox.arrived().get(..frame.pdu.end).unwrap_or_default();
        self.counts.drained_bytes += whole.len() as u64;
        self.tap.note(self.came_at, owner.fate(), whole);
        self.inbox.consume(frame.pdu.end);
        self.budget =
            self.budget.checked_sub(1).ok_or(Fault::Framing("frames nobody asked for"))?;
        Ok(())
    }

    fn first_frame(&self) -> Result<Option<mbap::Frame>, Fault> {
        mbap::first(self.inbox.arrived()).inspect_err(|_| {
            self.tap.note(self.came_at, Fate::Garbage, self.inbox.arrived());
        })
    }

    /// Gives up what is due by `now`.
    ///
    /// # Errors
    /// The connection cannot go on: a request is cut off, or a frame that nobody waits for.
    fn expire(&mut self, now: Instant, job: &mut impl Job) -> Result<(), Fault> {
        let (at, in_flight) = (Instant::now(), self.ids.in_flight());
        while let Some(pending) = self.ids.expire(now) {
            job.settle(pending, Err(Fault::Timeout), at);
        }
        if self.ids.in_flight() == in_flight {
            return Ok(());
        }
        if !self.outbox.is_sent() {
            return Err(Fault::Io(std::io::ErrorKind::TimedOut));
        }
        let arrived = self.inbox.arrived();
        let awaited = match mbap::first_id(arrived) {
            Some(id) => self.ids.awaits(id),
            None => arrived.is_empty() || self.ids.in_flight() > 0,
        };
        if awaited { Ok(()) } else { Err(Fault::Framing("a frame that stops half-way")) }
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let came = ready!(self.inbox.poll_fill(Pin::new(&mut self.stream), context));
        Poll::Ready(came.map(|count| {
            self.came_at = Instant::now();
            self.counts.bytes_in += count as u64;
        }))
    }
}

#[cfg(test)]
mod tests;
