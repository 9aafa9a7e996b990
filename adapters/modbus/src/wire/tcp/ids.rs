//! Transaction ids of one connection: which are on their way, which were given up or answered.
//!
//! I-1 At most [`IN_FLIGHT_MAX`] requests are on their way, each under its own id.
//! I-2 An id that was given up is not used again while it is remembered.
//! I-3 A frame is the answer of at most one request: the one on its way under its id.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::wire::{Fate, Strays};

/// Requests on their way at once.
pub(super) const IN_FLIGHT_MAX: usize = 16;
/// Requests given up whose late answers are still told from foreign ones.
const GIVEN_UP_MAX: usize = 64;
/// Requests answered whose second answers are still told from foreign ones.
const ANSWERED_MAX: usize = 2 * IN_FLIGHT_MAX;

/// One request on its way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Pending {
    /// Its transaction id.
    pub(super) id: u16,
    /// Who is asked.
    pub(super) unit: u8,
    /// Its place among the requests asked for together.
    pub(super) place: usize,
    /// When it is given up.
    pub(super) deadline: Instant,
}

/// The ids of one connection.
#[derive(Debug)]
pub(super) struct Ids {
    /// Id of the next request.
    next: u16,
    pending: Vec<Pending>,
    /// Ids and units, oldest first.
    given_up: VecDeque<(u16, u8)>,
    /// Ids, oldest first.
    answered: VecDeque<u16>,
}

/// Whose frame it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Owner {
    /// A request on its way.
    Pending(Pending),
    /// A request that had been given up, of this unit.
    Late(u8),
    /// A request that has its answer.
    Duplicate,
    /// Nobody.
    Foreign,
}

impl Ids {
    pub(super) fn new(first_id: u16) -> Self {
        Self {
            next: first_id,
            pending: Vec::with_capacity(IN_FLIGHT_MAX),
            given_up: VecDeque::with_capacity(GIVEN_UP_MAX),
            answered: VecDeque::with_capacity(ANSWERED_MAX),
        }
    }

    /// Id of the next request.
    pub(super) fn next(&self) -> u16 {
        self.next
    }

    /// Requests on their way.
    pub(super) fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// Puts a request on its way and gives it its id; there must be room.
    pub(super) fn send(&mut self, unit: u8, place: usize, deadline: Instant) -> u16 {
        assert!(self.pending.len() < IN_FLIGHT_MAX, "the caller keeps to the depth");
        // Ends: less ids are taken than there are.
        while self.is_taken(self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let id = self.next;
        self.next = id.wrapping_add(1);
        self.pending.push(Pending { id, unit, place, deadline });
        id
    }

    fn is_taken(&self, id: u16) -> bool {
        self.given_up.iter().any(|(other, _)| *other == id)
            || self.pending.iter().any(|pending| pending.id == id)
    }

    /// Whose frame it is that came under this id; its request is then no longer on its way.
    pub(super) fn receive(&mut self, id: u16) -> Owner {
        if let Some(place) = self.pending.iter().position(|pending| pending.id == id) {
            let pending = self.pending.swap_remove(place);
            if self.answered.len() == ANSWERED_MAX {
                self.answered.pop_front();
            }
            self.answered.push_back(id);
            return Owner::Pending(pending);
        }
        let given_up = self.given_up.iter().position(|(other, _)| *other == id);
        if let Some((_, unit)) = given_up.and_then(|place| self.given_up.remove(place)) {
            return Owner::Late(unit);
        }
        if self.answered.contains(&id) { Owner::Duplicate } else { Owner::Foreign }
    }

    /// The requests on their way.
    pub(super) fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.pending.iter()
    }

    /// The deadline that comes first.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.pending.iter().map(|pending| pending.deadline).min()
    }

    /// Gives up a request whose deadline is not after `now`, one at a time.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Pending> {
        let place = self.pending.iter().position(|pending| pending.deadline <= now)?;
        let pending = self.pending.swap_remove(place);
        self.give_up(pending);
        Some(pending)
    }

    /// Gives up everything that is on its way.
    pub(super) fn abandon(&mut self) {
        while let Some(pending) = self.pending.pop() {
            self.give_up(pending);
        }
    }

    /// Whether a request is on its way under this id.
    pub(super) fn awaits(&self, id: u16) -> bool {
        self.pending.iter().any(|pending| pending.id == id)
    }

    fn give_up(&mut self, pending: Pending) {
        if self.given_up.len() == GIVEN_UP_MAX {
            self.given_up.pop_front();
        }
        self.given_up.push_back((pending.id, pending.unit));
    }
}

impl Owner {
    /// What becomes of the frame, for the trace.
    pub(super) fn fate(self) -> Fate {
        match self {
            Self::Pending(_) => Fate::Answer,
            Self::Late(_) => Fate::Late,
            Self::Duplicate => Fate::Duplicate,
            Self::Foreign => Fate::Foreign,
        }
    }

    /// Counts a frame that is no answer.
    pub(super) fn count(self, strays: &mut Strays) {
        match self {
            Self::Pending(_) => {}
            Self::Late(_) => strays.late += 1,
            Self::Duplicate => strays.duplicate += 1,
            Self::Foreign => strays.foreign += 1,
        }
    }
}
