//! Flight: the messages that are on their way, and what their acknowledgements prove. Pure.
//!
//! Messages of all streams of one connection share one window, in the order they were sent. Packet
//! ids are given by the client library in that order; while the window is no longer than the
//! library's own limit, no id is given twice.

use std::collections::VecDeque;
use std::time::Duration;

use signals::Offset;

/// What a message is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cargo {
    /// The retained status message.
    Status,
    /// The message at `offset` of the outbox at `stream` in the uplink's list.
    Message {
        /// Place of the outbox.
        stream: usize,
        /// Its `seq`.
        offset: Offset,
    },
}

#[derive(Debug)]
struct Slot {
    cargo: Cargo,
    packet_id: Option<u16>,
    is_acknowledged: bool,
    sent: Duration,
}

/// The window of one connection.
#[derive(Debug)]
pub(super) struct Flight {
    slots: VecDeque<Slot>,
    window: usize,
    /// When an acknowledgement last came; monotonic.
    progress: Duration,
}

impl Flight {
    /// An empty window for `window` messages.
    pub(super) fn new(window: u16) -> Self {
        Self { slots: VecDeque::new(), window: usize::from(window), progress: Duration::ZERO }
    }

    /// Whether one more message may be sent: the oldest one unacknowledged and everything behind
    /// it count.
    pub(super) fn has_room(&self) -> bool {
        self.slots.len() < self.window
    }

    /// Whether everything sent has been acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Notes that a message was given to the client library at `now` (monotonic).
    pub(super) fn send(&mut self, cargo: Cargo, now: Duration) {
        self.slots.push_back(Slot { cargo, packet_id: None, is_acknowledged: false, sent: now });
    }

    /// Notes the packet id of the oldest message that has none: ids come in sending order.
    pub(super) fn number(&mut self, packet_id: u16) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.packet_id.is_none()) {
            slot.packet_id = Some(packet_id);
        }
    }

    /// Notes an acknowledgement; the messages that are now proven delivered, oldest first.
    ///
    /// An acknowledgement of nothing we sent proves nothing.
    pub(super) fn acknowledge(&mut self, packet_id: u16, now: Duration) -> Vec<Cargo> {
        let is_meant =
            |slot: &&mut Slot| slot.packet_id == Some(packet_id) && !slot.is_acknowledged;
        if let Some(slot) = self.slots.iter_mut().find(is_meant) {
            slot.is_acknowledged = true;
            self.progress = now;
        }
        let mut delivered = Vec::new();
        while self.slots.front().is_some_and(|slot| slot.is_acknowledged) {
            delivered.extend(self.slots.pop_front().map(|slot| slot.cargo));
        }
        delivered
    }

    /// How long an acknowledgement has been due: since the oldest message was sent or the last
    /// acknowledgement came. Zero when nothing is on its way.
    pub(super) fn waiting(&self, now: Duration) -> Duration {
        let due = self.slots.front().map(|slot| slot.sent.max(self.progress));
        due.map_or(Duration::ZERO, |due| now.saturating_sub(due))
    }

    /// The oldest message on its way.
    pub(super) fn oldest(&self) -> Option<Cargo> {
        self.slots.front().map(|slot| slot.cargo)
    }
}

#[cfg(test)]
mod tests;
