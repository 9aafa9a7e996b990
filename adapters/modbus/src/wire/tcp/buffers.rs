//! What has arrived and what is to be sent, as bytes. Bounded: an inbox never grows past its
//! capacity, an outbox holds at most one frame for each request on its way.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ids::IN_FLIGHT_MAX;
use crate::wire::Fault;

/// The longest frame.
const FRAME_MAX: usize = 260;

/// What has arrived: whole frames in front, perhaps a part of one behind.
#[derive(Debug)]
pub(super) struct Inbox {
    /// Always of full length; what counts is `begin..end`.
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Inbox {
    /// Room for two of the longest frames.
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; 2 * FRAME_MAX], begin: 0, end: 0 }
    }

    /// Makes room for the answers of this many requests, so that one read takes them all.
    pub(super) fn widen(&mut self, depth: usize) {
        let wanted = (depth.min(IN_FLIGHT_MAX) + 1) * FRAME_MAX;
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        }
    }

    /// What has arrived and is not yet taken.
    pub(super) fn arrived(&self) -> &[u8] {
        self.bytes.get(self.begin..self.end).unwrap_or_default()
    }

    /// Forgets the first `count` bytes.
    pub(super) fn consume(&mut self, count: usize) {
        self.begin = self.end.min(self.begin + count);
        if self.begin == self.end {
            self.begin = 0;
            self.end = 0;
        }
    }

    /// Takes what the operating system has, if only a part; the count of bytes.
    ///
    /// The caller has taken all whole frames, so that there is room.
    pub(super) fn poll_fill(
        &mut self,
        stream: Pin<&mut impl AsyncRead>,
        context: &mut Context<'_>,
    ) -> Poll<Result<usize, Fault>> {
        self.bytes.copy_within(self.begin..self.end, 0);
        self.end -= self.begin;
        self.begin = 0;
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        assert!(!room.is_empty(), "less than a whole frame is left in the inbox");
        let mut room = ReadBuf::new(room);
        let came = ready!(stream.poll_read(context, &mut room));
        let count = room.filled().len();
        self.end += count;
        Poll::Ready(match came {
            Err(err) => Err(lost(&err)),
            Ok(()) if count == 0 => Err(Fault::Closed),
            Ok(()) => Ok(count),
        })
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

/// What is to be sent: frames one behind the other.
#[derive(Debug)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    written: usize,
    /// Whether a stream that keeps bytes itself (TLS) may still hold some.
    unflushed: bool,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::with_capacity(2 * FRAME_MAX), written: 0, unflushed: false }
    }

    /// Where frames are appended.
    pub(super) fn frames(&mut self) -> &mut Vec<u8> {
        self.unflushed = true;
        &mut self.bytes
    }

    /// The bytes from `start` on.
    pub(super) fn since(&self, start: usize) -> &[u8] {
        self.bytes.get(start..).unwrap_or_default()
    }

    /// Whether all of it is with the operating system.
    pub(super) fn is_sent(&self) -> bool {
        !self.unflushed
    }

    /// Whether a part of it is out and the rest is not.
    pub(super) fn is_cut(&self) -> bool {
        self.unflushed && self.written > 0
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.written = 0;
        self.unflushed = false;
    }

    /// Hands everything to the operating system; ready when it is there. Adds to `sent_bytes`.
    pub(super) fn poll_send(
        &mut self,
        mut stream: Pin<&mut impl AsyncWrite>,
        context: &mut Context<'_>,
        sent_bytes: &mut u64,
    ) -> Poll<Result<(), Fault>> {
        while let Some(rest) = self.bytes.get(self.written..).filter(|rest| !rest.is_empty()) {
            match ready!(stream.as_mut().poll_write(context, rest)) {
                Ok(0) => return Poll::Ready(Err(Fault::Closed)),
                Ok(count) => {
                    self.written += count;
                    *sent_bytes += count as u64;
                }
                Err(err) => return Poll::Ready(Err(lost(&err))),
            }
        }
        if self.unflushed {
            ready!(stream.poll_flush(context)).map_err(|err| lost(&err))?;
        }
        self.clear();
        Poll::Ready(Ok(()))
    }
}

fn lost(err: &io::Error) -> Fault {
    Fault::Io(err.kind())
}
