//! The bus: mailboxes, arbitration and time on the wire.
//!
//! B-1 One frame at a time; of those that wait the lowest identifier goes first.
//! B-2 A message that has not gone when its next value comes is overwritten, as in a controller's
//!     mailbox.

use std::collections::BTreeMap;

/// 500 kbit/s.
const BIT_US: u64 = 2;

/// Who sends: a controller of the vehicle, or somebody who does not belong there.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Sender {
    Own,
    Intruder,
}

/// A frame that waits or has gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Posted {
    /// Since when it waits, µs.
    pub(crate) at_us: u64,
    pub(crate) id: u32,
    pub(crate) sender: Sender,
    pub(crate) bytes: [u8; 8],
}

/// The wire and the mailboxes at it.
#[derive(Default)]
pub(crate) struct Bus {
    waiting: BTreeMap<(u32, Sender), Posted>,
    free_us: u64,
    overwritten: u64,
}

impl Bus {
    /// Puts a frame into its mailbox.
    pub(crate) fn post(&mut self, frame: Posted) {
        let before = self.waiting.insert((frame.id, frame.sender), frame);
        if before.is_some_and(|before| before.sender == Sender::Own) {
            self.overwritten += 1;
        }
    }

    /// When the next frame could begin: when the wire is free and somebody waits.
    pub(crate) fn next_us(&self) -> Option<u64> {
        let first = self.waiting.values().map(|frame| frame.at_us).min()?;
        Some(first.max(self.free_us))
    }

    /// Sends the most urgent frame that waits at `at_us`; gives it with the time of its end.
    pub(crate) fn send(&mut self, at_us: u64) -> Option<(u64, Posted)> {
        let ready = |(_, frame): &(&(u32, Sender), &Posted)| frame.at_us <= at_us;
        let key = *self.waiting.iter().find(ready)?.0;
        let frame = self.waiting.remove(&key)?;
        self.free_us = at_us + BIT_US * bits(&frame);
        Some((self.free_us, frame))
    }

    /// Frames of the vehicle that never went.
    pub(crate) fn overwritten(&self) -> u64 {
        self.overwritten
    }
}

/// Bits of a frame with 11-bit identifier and eight bytes, stuff bits (one in ten) and the pause
/// behind it included (ISO 11898-1).
fn bits(frame: &Posted) -> u64 {
    let stuffed = 34 + 8 * u64::try_from(frame.bytes.len()).unwrap_or(8);
    47 + 8 * 8 + stuffed / 10
}

#[cfg(test)]
mod tests;
