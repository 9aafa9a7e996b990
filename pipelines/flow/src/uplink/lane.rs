//! Lane: what of one outbox is sent next on one connection. Pure but for reading the outbox.
//!
//! In strict order there is one reader. Live first, a lane with a backlog has two: one begins at
//! what is new when the broker accepts us, the other works off what waited before; when it reaches
//! the place where the first one began, they become one again. Whatever is settled is passed over.

use std::collections::VecDeque;

use signals::{Envelope, Offset};

use super::track::Track;
use crate::log::{Entry, LogError};

/// Messages read from an outbox at a time.
const CHUNK: usize = 32;
/// So few messages waiting are no backlog: they go first in order.
const BACKLOG_MIN: u64 = 64;

/// In which order messages of a stream are sent after an outage.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SendOrder {
    /// In the order of `seq`: what is new waits until the backlog is gone.
    #[default]
    Strict,
    /// What is new first, the backlog beside it with what the rate leaves.
    LiveFirst,
}

/// Which of a lane's readers a message comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    /// What is new, and everything in strict order.
    Live,
    /// What waited while a connection was away, beside what is new.
    Backlog,
}

#[derive(Debug)]
struct Reader {
    next: Offset,
    ready: VecDeque<Entry<Envelope>>,
}

impl Reader {
    fn at(next: Offset) -> Self {
        Self { next, ready: VecDeque::new() }
    }

    /// The next message that is not settled, left in place.
    fn peek(&mut self, track: &Track) -> Result<Option<&Entry<Envelope>>, LogError> {
        loop {
            while let Some(front) = self.ready.front()
                && (front.offset < self.next || track.is_settled(front.offset))
            {
                self.next = self.next.max(front.offset.next());
                self.ready.pop_front();
            }
            if !self.ready.is_empty() || track.log.durable() <= self.next {
                return Ok(self.ready.front());
            }
            let chunk = track.log.read(self.next, CHUNK)?;
            if chunk.is_empty() {
                return Ok(None);
            }
            self.ready.extend(chunk);
        }
    }

    fn pass(&mut self) {
        if let Some(passed) = self.ready.pop_front() {
            self.next = passed.offset.next();
        }
    }
}

/// One stream on one connection.
#[derive(Debug)]
pub(super) struct Lane {
    /// Its topic.
    pub(super) topic: String,
    main: Reader,
    /// Where the reader of what is new began, and itself; `None` while there is one reader.
    live: Option<(Offset, Reader)>,
}

impl Lane {
    /// A lane that goes on where the track is.
    pub(super) fn open(topic: String, track: &Track, order: SendOrder) -> Self {
        let (floor, head) = (track.floor(), track.log.durable());
        let main = Reader::at(floor);
        if order == SendOrder::Strict || head.since(floor.max(track.log.oldest())) <= BACKLOG_MIN {
            return Self { topic, main, live: None };
        }
        // What came during a short break goes on in order; so does everything once there are too
        // many ranges to remember.
        let goes_on = |end: &Offset| head.since(*end) <= BACKLOG_MIN || !track.may_begin_range();
        let start = track.ahead_end().filter(goes_on).unwrap_or(head);
        Self { topic, main, live: Some((start, Reader::at(start))) }
    }

    /// The next message of this side, left in place.
    pub(super) fn peek(
        &mut self,
        side: Side,
        track: &Track,
    ) -> Result<Option<Entry<Envelope>>, LogError> {
        if let Some((start, _)) = &self.live {
            let start = *start;
            let front = self.main.peek(track)?.map(|entry| entry.offset);
            if front.unwrap_or(self.main.next) >= start
                && let Some((_, live)) = self.live.take()
            {
                self.main = live;
            }
        }
        match (side, &mut self.live) {
            (Side::Live, Some((_, live))) => Ok(live.peek(track)?.cloned()),
            (Side::Live, None) | (Side::Backlog, Some(_)) => Ok(self.main.peek(track)?.cloned()),
            (Side::Backlog, None) => Ok(None),
        }
    }

    /// The message last peeked has been sent.
    pub(super) fn pass(&mut self, side: Side) {
        match (side, &mut self.live) {
            (Side::Live, Some((_, live))) => live.pass(),
            (Side::Live | Side::Backlog, _) => self.main.pass(),
        }
    }
}

#[cfg(test)]
mod tests;
