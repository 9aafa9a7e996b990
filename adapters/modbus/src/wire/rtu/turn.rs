//! One turn on the line: silence, the request, and the wait for its answer.

use std::future::poll_fn;
use std::ops::Range;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

use super::RtuWire;
use super::inbox::{self, Found};
use super::outstanding::{ECHO, ReadPdu, Step, Wanted};
use super::shape::Shape;
use crate::wire::Fault;
use crate::wire::trace::Fate;

/// Silence after which nothing more belongs to what came before: serial adapters on USB and TCP
/// deliver in lumps.
const LUMP: Duration = Duration::from_millis(50);
/// How long after its beginning an answer shows: serial adapters on USB deliver every 16 ms.
const LATENCY: Duration = Duration::from_millis(20);
/// Fences before one request: a unit may refuse one because it gives no half of a value.
const FENCES_MAX: usize = 4;
/// Bytes of a fence.
const FENCE_LEN: usize = 8;
/// What may be left to do between two ticks of the timer.
const TICK: Duration = Duration::from_millis(1);

impl<S: AsyncRead + AsyncWrite + Unpin> RtuWire<S> {
    /// Waits until the request in the outbox may go out, and drops what has come.
    pub(super) async fn clear(&mut self, shape: &Shape, by: Instant) -> Result<(), Fault> {
        self.unasked = 0;
        let mut from = Instant::now();
        for _ in 0..FENCES_MAX {
            let now = self.quiet(from, by).await?;
            let pdu = self.outbox.get(1..self.outbox.len().saturating_sub(2)).unwrap_or_default();
            let (may_echo, is_paced) = (self.may_echo(), !self.timing.char_time.is_zero());
            match self.outstanding.step(&Wanted { shape, pdu, may_echo, is_paced }, now) {
                Step::Ask => {
                    self.inbox.clear();
                    self.counts.drained_bytes += self.inbox.take_dropped();
                    return Ok(());
                }
                Step::Read(read) => self.pass(shape.unit, &read, by).await?,
                Step::Echo => {
                    self.token = self.token.wrapping_add(1);
                    let [high, low] = self.token.to_be_bytes();
                    self.pass(shape.unit, &[ECHO, 0, 0, high, low], by).await?;
                }
                Step::Wait(until) if until > by => break,
                Step::Wait(until) => from = until,
            }
        }
        Err(Fault::Timeout)
    }

    /// Gets an answer to a fence, certain or not.
    async fn pass(&mut self, unit: u8, pdu: &ReadPdu, by: Instant) -> Result<(), Fault> {
        let mut frame = Vec::with_capacity(FENCE_LEN);
        frame.push(unit);
        frame.extend_from_slice(pdu);
        let request = std::mem::replace(&mut self.outbox, frame);
        let passed = match self.seal() {
            Ok(shape) => self.exchange(&shape, by).await,
            Err(fault) => Err(fault),
        };
        self.outbox = request;
        self.inbox.take(&passed?);
        Ok(())
    }

    /// Whether an answer that repeats its request can be told from the echo of a two-wire line.
    fn may_echo(&self) -> bool {
        self.echoes || self.knows_echo
    }

    /// Waits from a time on until the line is silent; says what time it is then.
    async fn quiet(&mut self, from: Instant, by: Instant) -> Result<Instant, Fault> {
        let mut now = Instant::now();
        loop {
            let before = self.counts.bytes_in;
            self.drain().await?;
            if self.counts.bytes_in > before {
                self.busy_until = self.active + self.hold;
            }
            let free = (self.active + self.timing.gap).max(self.busy_until).max(from);
            if free <= now {
                return Ok(now);
            }
            if by <= now {
                return Err(Fault::Timeout);
            }
            now = self.listen(free.min(by)).await?;
        }
    }

    /// Takes what has already arrived, here and in the operating system, without waiting.
    async fn drain(&mut self) -> Result<(), Fault> {
        loop {
            self.drop_strays();
            let came = poll_fn(|context| match self.poll_bytes(context) {
                Poll::Pending => Poll::Ready(None),
                Poll::Ready(came) => Poll::Ready(Some(came)),
            });
            match came.await {
                None => return Ok(()),
                Some(came) => came?,
            }
        }
    }

    /// Receives until bytes have come or the time is reached; says what time it is then.
    async fn listen(&mut self, until: Instant) -> Result<Instant, Fault> {
        if until.saturating_duration_since(Instant::now()) > TICK {
            let came = timeout_at(until - TICK, poll_fn(|context| self.poll_bytes(context)));
            if let Ok(came) = came.await {
                return came.map(|()| Instant::now());
            }
        }
        // The timer rounds up to its tick: the rest is slept off exactly.
        std::thread::sleep(until.saturating_duration_since(Instant::now()).min(TICK));
        Ok(until)
    }

    /// Sends the request in the outbox and waits for its answer, which is left in the inbox.
    pub(super) async fn exchange(
        &mut self,
        shape: &Shape,
        deadline: Instant,
    ) -> Result<Range<usize>, Fault> {
        let may_be_refused = self.outstanding.ask(shape, Instant::now());
        self.send(deadline).await?;
        let answer = self.wait(shape, deadline).await;
        self.counts.resync_bytes += self.inbox.take_dropped();
        match answer {
            Ok(answer) => {
                let frame = self.inbox.get(answer.clone());
                let is_refused = frame.get(1).is_some_and(|function| *function != shape.function);
                self.tap.note(self.active, Fate::Answer, frame);
                self.counts.answers += 1;
                self.knows_echo |= !shape.repeats_request();
                self.outstanding.answered(shape, may_be_refused || !is_refused);
                if !is_refused && let Ok(pdu) = ReadPdu::try_from(self.asked()) {
                    self.outstanding.knows(shape.unit, pdu);
                }
                Ok(answer)
            }
            Err(fault) => {
                // Whatever has begun is seen by then, and its rest comes without a pause.
                self.hold = LATENCY.min(self.timing.frame(shape.length_max()));
                self.busy_until = Instant::now().max(self.active) + self.hold;
                Err(fault)
            }
        }
    }

    /// Sends a broadcast and waits until devices have done it.
    pub(super) async fn broadcast(&mut self, deadline: Instant) -> Result<(), Fault> {
        self.send(deadline).await?;
        let flushed = timeout_at(deadline, self.stream.flush()).await;
        if let Ok(Err(err)) = flushed {
            return Err(self.breaks(Fault::Io(err.kind())));
        }
        self.active = Instant::now();
        self.busy_until = self.active + self.timing.turnaround;
        tokio::time::sleep_until(self.busy_until).await;
        Ok(())
    }

    async fn send(&mut self, deadline: Instant) -> Result<(), Fault> {
        if let Some(fault) = self.broken {
            return Err(fault);
        }
        let written = timeout_at(deadline, self.stream.write_all(&self.outbox)).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(err)) => return Err(self.breaks(Fault::Io(err.kind()))),
            // How much of it is out is not known.
            Err(_) => {
                self.broken = Some(Fault::Closed);
                return Err(Fault::Timeout);
            }
        }
        self.tap.note(Instant::now(), Fate::Sent, &self.outbox);
        self.counts.requests += 1;
        self.counts.bytes_out += self.outbox.len() as u64;
        self.active = Instant::now() + self.timing.char_time * self.outbox_chars();
        Ok(())
    }

    fn outbox_chars(&self) -> u32 {
        u32::try_from(self.outbox.len()).unwrap_or(u32::MAX)
    }

    async fn wait(&mut self, shape: &Shape, deadline: Instant) -> Result<Range<usize>, Fault> {
        // What repeats the request is the answer unless the line echoes; then it comes twice.
        let mut echo_due = self.echoes || !shape.repeats_request();
        let mut told: Option<Fault> = None;
        let mut quiet = false;
        loop {
            let echo = echo_due.then_some(self.outbox.as_slice());
            let found = self.inbox.scan(Some(inbox::Wanted { shape, echo, quiet }));
            let blocked = match found {
                Found::Answer(answer) => return Ok(answer),
                Found::Echo => {
                    (self.echoes, echo_due) = (true, false);
                    continue;
                }
                Found::Stray(at, frame) => {
                    told = self.note_stray(at, &frame, Some(shape)).or(told);
                    continue;
                }
                Found::Nothing { blocked, damaged } => {
                    self.counts.crc += damaged;
                    if damaged > 0 {
                        told = Some(Fault::Crc);
                    }
                    blocked
                }
            };
            // A damaged or wrong answer was the answer, unless more comes at once.
            let answered = told.is_some_and(|fault| !matches!(fault, Fault::Unit(_)));
            let lull = self.active + LUMP.max(self.timing.gap);
            let until = if answered || blocked { lull.min(deadline) } else { deadline };
            quiet = false;
            match timeout_at(until, poll_fn(|context| self.poll_bytes(context))).await {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => return Err(fault),
                Err(_) if blocked && until < deadline => quiet = true,
                Err(_) => return Err(told.unwrap_or(Fault::Timeout)),
            }
        }
    }
}
