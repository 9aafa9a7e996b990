//! One turn on the line: silence, the request, and the wait for its answer.

use std::future::poll_fn;
use std::ops::Range;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

use super::fence::late_until;
use super::inbox::{Found, Wanted};
use super::shape::Shape;
use super::{REMEMBERED, RtuWire, Unanswered};
use crate::wire::Fault;
use crate::wire::trace::Fate;

/// Silence after which nothing more belongs to what came before: serial adapters on USB and TCP
/// deliver in lumps.
const LUMP: Duration = Duration::from_millis(50);
/// How long after its beginning an answer shows: serial adapters on USB deliver every 16 ms.
const LATENCY: Duration = Duration::from_millis(20);
/// How long requests are remembered after their answers were to be expected.
const MEMORY: Duration = Duration::from_secs(10);
/// What may be left to do between two ticks of the timer.
const TICK: Duration = Duration::from_millis(1);

impl<S: AsyncRead + AsyncWrite + Unpin> RtuWire<S> {
    /// Waits until the request with this answer may go out, and drops what has come.
    pub(super) async fn clear(&mut self, shape: &Shape, by: Instant) -> Result<(), Fault> {
        (self.unasked, self.waits) = (0, false);
        let mut now = Instant::now();
        loop {
            let before = self.counts.bytes_in;
            self.drain().await?;
            if self.counts.bytes_in > before && !self.unanswered.is_empty() {
                self.busy_until = self.active + self.hold;
            }
            self.unanswered.retain(|request| request.until + MEMORY > now);
            let mut free = (self.active + self.timing.gap).max(self.busy_until);
            if free <= now {
                if self.fence(shape, by).await? {
                    now = now.max(Instant::now());
                    free = self.active + self.timing.gap;
                } else {
                    free = self.late_of(shape).unwrap_or(now);
                }
            }
            if free <= now {
                break;
            }
            if by <= now {
                return Err(Fault::Timeout);
            }
            now = self.listen(free.min(by)).await?;
        }
        self.inbox.clear();
        self.counts.drained_bytes += self.inbox.take_dropped();
        Ok(())
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
        let sent = Instant::now();
        self.send(deadline).await?;
        let answer = self.wait(shape, deadline).await;
        self.counts.resync_bytes += self.inbox.take_dropped();
        match answer {
            Ok(answer) => {
                self.tap.note(self.active, Fate::Answer, self.inbox.get(answer.clone()));
                self.counts.answers += 1;
                self.last_answered = Some(*shape);
                Ok(answer)
            }
            Err(Told { fault, silent }) => {
                // Whatever has begun is seen by then, and its rest comes without a pause.
                let longest = self.timing.frame(shape.length_max());
                self.hold = LATENCY.min(longest);
                self.busy_until = Instant::now().max(self.active) + self.hold;
                if silent {
                    self.remember(shape, late_until(sent, deadline, longest));
                }
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

    async fn wait(&mut self, shape: &Shape, deadline: Instant) -> Result<Range<usize>, Told> {
        // What repeats the request is the answer unless the line echoes; then it comes twice.
        let mut echo_due = self.echoes || !shape.repeats_request();
        let mut told: Option<Fault> = None;
        let mut quiet = false;
        loop {
            let echo = echo_due.then_some(self.outbox.as_slice());
            let found = self.inbox.scan(Some(Wanted { shape, echo, quiet }));
            let (begun, blocked) = match found {
                Found::Answer(answer) => return Ok(answer),
                Found::Echo => {
                    (self.echoes, echo_due) = (true, false);
                    continue;
                }
                Found::Stray(at, frame) => {
                    told = self.note_stray(at, &frame, Some(shape)).or(told);
                    continue;
                }
                Found::Nothing { begun, blocked, damaged } => {
                    self.counts.crc += damaged;
                    if damaged > 0 {
                        told = Some(Fault::Crc);
                    }
                    (begun, blocked)
                }
            };
            // A damaged or wrong answer was the answer, unless more comes at once.
            let answered = told.is_some_and(|fault| !matches!(fault, Fault::Unit(_)));
            let lull = self.active + LUMP.max(self.timing.gap);
            let until = if answered || blocked { lull.min(deadline) } else { deadline };
            quiet = false;
            match timeout_at(until, poll_fn(|context| self.poll_bytes(context))).await {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => return Err(Told { fault, silent: false }),
                Err(_) if blocked && until < deadline => quiet = true,
                Err(_) => {
                    let silent = !answered && !begun;
                    return Err(Told { fault: told.unwrap_or(Fault::Timeout), silent });
                }
            }
        }
    }

    /// Keeps a request that nobody answered, and until when its answer is to be expected.
    fn remember(&mut self, shape: &Shape, until: Instant) {
        if self.unanswered.len() == REMEMBERED {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back(Unanswered { shape: *shape, until });
    }
}

/// Why there is no answer.
struct Told {
    fault: Fault,
    /// Whether nothing came that could have been it: it may still come.
    silent: bool,
}
