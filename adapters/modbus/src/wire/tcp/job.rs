//! What a connection works on: one request, or several at a time.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::TcpWire;
use super::ids::{IN_FLIGHT_MAX, Pending};
use crate::wire::{Ask, Fault, Outcome, Outcomes, Turn, pdu};

/// Requests that are wanted, and what becomes of them.
pub(super) trait Job {
    /// Hands requests to `wire` while there are some and there is room; how many.
    ///
    /// # Errors
    /// [`Fault::Request`] when one cannot be a frame; the wire stays as it was.
    fn refill<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &mut TcpWire<S>,
    ) -> Result<usize, Fault>;

    /// A request has its answer, or the fault that stands for it.
    fn settle(&mut self, pending: Pending, answer: Result<&[u8], Fault>, at: Instant);
}

/// One request; `take` judges the answer.
pub(super) struct One<'a, F> {
    pub(super) turn: Turn,
    pub(super) pdu: &'a [u8],
    pub(super) take: F,
    pub(super) is_sent: bool,
    /// `None` until it is settled.
    pub(super) outcome: Option<Result<(), Fault>>,
}

impl<F: FnMut(&[u8]) -> Result<(), Fault>> Job for One<'_, F> {
    fn refill<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &mut TcpWire<S>,
    ) -> Result<usize, Fault> {
        if self.is_sent {
            return Ok(0);
        }
        self.is_sent = true;
        wire.put(self.turn, 0, self.pdu)?;
        Ok(1)
    }

    fn settle(&mut self, _: Pending, answer: Result<&[u8], Fault>, _: Instant) {
        self.outcome = Some(answer.and_then(&mut self.take));
    }
}

/// Several reads, up to `depth` of them on their way at once.
pub(super) struct Many<'a> {
    asks: &'a [Ask],
    depth: usize,
    /// Place of the next ask that is not yet sent.
    next: usize,
    /// Where the outcomes of this job begin.
    base: usize,
    outcomes: &'a mut Outcomes,
}

impl<'a> Many<'a> {
    /// Nothing sent yet: every read has `unsent` as its outcome.
    pub(super) fn new(asks: &'a [Ask], depth: usize, outcomes: &'a mut Outcomes) -> Self {
        let base = outcomes.reads.len();
        let unsent = Outcome { words: Err(Fault::Closed), sent: None, ended: Instant::now() };
        outcomes.reads.resize(base + asks.len(), unsent);
        Self { asks, depth: depth.clamp(1, IN_FLIGHT_MAX), next: 0, base, outcomes }
    }

    /// The connection has broken: what has no outcome yet gets the fault that broke it.
    ///
    /// `pending` are the places of the requests that were on their way.
    pub(super) fn fail(&mut self, fault: Fault, pending: impl Iterator<Item = usize>) {
        let now = Instant::now();
        let unsent = self.next..self.asks.len();
        for place in pending.chain(unsent) {
            if let Some(outcome) = self.outcomes.reads.get_mut(self.base + place) {
                outcome.words = Err(fault);
                outcome.ended = now;
            }
        }
    }
}

impl Job for Many<'_> {
    fn refill<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &mut TcpWire<S>,
    ) -> Result<usize, Fault> {
        let room = self.depth.saturating_sub(wire.ids.in_flight());
        let wanted = self.asks.get(self.next..).unwrap_or_default();
        if room == 0 || wanted.is_empty() {
            return Ok(0);
        }
        let now = Instant::now();
        let mut sent = 0;
        for ask in wanted.iter().take(room) {
            let turn = Turn { unit: ask.unit, deadline: now + ask.timeout };
            wire.put(turn, self.next, &pdu::read_request(ask.read))?;
            if let Some(outcome) = self.outcomes.reads.get_mut(self.base + self.next) {
                outcome.sent = Some(now);
            }
            self.next += 1;
            sent += 1;
        }
        Ok(sent)
    }

    fn settle(&mut self, pending: Pending, answer: Result<&[u8], Fault>, at: Instant) {
        let Some(ask) = self.asks.get(pending.place) else { return };
        let begin = self.outcomes.words.len();
        let taken =
            answer.and_then(|answer| pdu::take_words(ask.read, answer, &mut self.outcomes.words));
        let words = taken.map(|()| begin..self.outcomes.words.len());
        if let Some(outcome) = self.outcomes.reads.get_mut(self.base + pending.place) {
            outcome.words = words;
            outcome.ended = at;
        }
    }
}
