//! Pieces: a message whose frames must be heard one after the other, each in its place.

use std::hash::Hash;
use std::time::Duration;

use signals::Timestamp;

use super::Failure;
use super::sessions::Sessions;

/// What has been heard of a message.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    /// When its first frame was heard.
    pub(super) first: Timestamp,
    /// The bytes so far, never more than `length`.
    pub(super) payload: Vec<u8>,
    length: usize,
    next: u8,
}

/// How a protocol numbers its frames, and how long it may pause between two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Numbers count from 0 to this, a power of two less one, and begin again.
    pub(super) number_max: u8,
    /// Longest pause.
    pub(super) pause_max: Duration,
}

impl Pieces {
    /// A message of `length` bytes that begins with these, in frame 0.
    pub(super) fn begin(first: Timestamp, length: usize, begin: &[u8]) -> Self {
        let begin = begin.get(..length).unwrap_or(begin);
        Self { first, payload: begin.to_vec(), length, next: 1 }
    }

    /// Whether nothing is missing.
    pub(super) fn is_whole(&self) -> bool {
        self.payload.len() >= self.length
    }
}

impl<K: Copy + Eq + Hash> Sessions<K, Pieces> {
    /// Takes the next frame of an open message: its time, number and bytes. The message and how it
    /// ended, once it has.
    pub(super) fn take_piece(
        &mut self,
        key: K,
        (now, number, bytes): (Timestamp, u8, &[u8]),
        rules: Rules,
    ) -> Option<(Pieces, Result<(), Failure>)> {
        let (heard, pieces) = self.get_mut(&key)?;
        let late = now.since(*heard) > rules.pause_max;
        *heard = now;
        let how = if late {
            Err(Failure::Timeout)
        } else if number != pieces.next {
            Err(Failure::Sequence)
        } else {
            let missing = pieces.length.saturating_sub(pieces.payload.len());
            pieces.payload.extend(bytes.iter().take(missing));
            pieces.next = (pieces.next + 1) & rules.number_max;
            if !pieces.is_whole() {
                return None;
            }
            Ok(())
        };
        Some((self.close(&key)?, how))
    }
}
