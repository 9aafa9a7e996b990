//! Flight: the messages that are on their way, and what their acknowledgements prove. Pure.
//!
//! Messages of all streams of one connection share one window, in the order they were sent. Packet
//! ids are given by the client library in that order; while the window is no longer than the
//! library's own limit, no id is given twice.

use std::collections::VecDeque;
use std::time::Duration;

use signals::Offset;

use super::lane::Side;

/// What a message is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cargo {
    /// The retained status message.
    Status,
    /// A message of an outbox.
    Message(Parcel),
}

/// A message of an outbox.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Parcel {
    /// Place of the outbox in the uplink's list.
    pub(super) stream: usize,
    /// Its `seq`.
    pub(super) offset: Offset,
    /// Whether it is new, or of the backlog beside what is new.
    pub(super) side: Side,
}

impl Cargo {
    fn is_backlog(self) -> bool {
        matches!(self, Self::Message(Parcel { side: Side::Backlog, .. }))
    }
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
    /// Messages of the backlog that may be on their way beside what is new.
    backlog_window: f64,
    /// The shortest way to an acknowledgement.
    shortest: Duration,
    /// When the backlog was last given less; monotonic.
    lessened: Duration,
}

/// An acknowledgement of the backlog that takes so much longer than twice the shortest one says
/// that the network or the broker is full: what is new must not wait behind it.
const SLOW: Duration = Duration::from_millis(500);
/// Share of the window that the backlog may take.
const BACKLOG_SHARE: f64 = 0.7;

impl Flight {
    /// An empty window for `window` messages.
    pub(super) fn new(window: u16) -> Self {
        let window = usize::from(window);
        // Begins low, as TCP does.
        let backlog_window = 2.0;
        Self {
            slots: VecDeque::new(),
            window,
            progress: Duration::ZERO,
            backlog_window,
            shortest: Duration::MAX,
            lessened: Duration::ZERO,
        }
    }

    /// Whether one more message may be sent: the oldest one unacknowledged and everything behind
    /// it count.
    pub(super) fn has_room(&self) -> bool {
        self.slots.len() < self.window
    }

    /// Whether one more message of the backlog may be sent: as many as come back quickly.
    pub(super) fn has_room_for_backlog(&self) -> bool {
        let backlog = self.slots.iter().filter(|slot| slot.cargo.is_backlog()).count();
        #[expect(clippy::cast_precision_loss, reason = "at most 20")]
        let backlog = backlog as f64;
        self.has_room() && backlog + 1.0 <= self.backlog_window
    }

    /// Additive increase, multiplicative decrease, at most once a round trip (RFC 5681 has it for
    /// the same reason).
    fn learn(&mut self, (sent, now): (Duration, Duration), is_backlog: bool) {
        let took = now.saturating_sub(sent);
        self.shortest = self.shortest.min(took);
        if !is_backlog {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 20")]
        let most = (self.window as f64 * BACKLOG_SHARE).max(1.0);
        if took <= self.shortest.saturating_mul(2) + SLOW {
            // Quickly until it was too much for the first time, then with care.
            let is_untried = self.lessened == Duration::ZERO;
            self.backlog_window += if is_untried { 1.0 } else { 1.0 / self.backlog_window };
        } else if sent >= self.lessened {
            self.lessened = now;
            self.backlog_window *= 0.5;
        }
        self.backlog_window = self.backlog_window.clamp(1.0, most);
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
            let (sent, is_backlog) = (slot.sent, slot.cargo.is_backlog());
            self.learn((sent, now), is_backlog);
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
