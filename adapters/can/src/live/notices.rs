//! Notices: what a bus has to tell, on its way to the intake.
//!
//! N-1 Telling never waits: what the intake has no room for is kept and offered again.
//! N-2 At most [`WAITING_MAX`] are kept; further ones are counted and logged.

use std::collections::VecDeque;
use std::sync::Arc;

use signals::{Intake, Notice};

/// Notices kept while the intake has no room.
const WAITING_MAX: usize = 64;

/// The notices of one bus.
pub(crate) struct Notices {
    intake: Arc<dyn Intake>,
    waiting: VecDeque<Notice>,
    lost: u64,
}

impl Notices {
    pub(crate) fn new(intake: Arc<dyn Intake>) -> Self {
        Self { intake, waiting: VecDeque::new(), lost: 0 }
    }

    /// Tells the intake, behind what waits already.
    pub(crate) fn tell(&mut self, notice: Notice) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(notice);
        } else {
            self.lost += 1;
            tracing::error!(?notice, "a notice of a CAN bus is lost: the journal's queue is full");
        }
        self.offer();
    }

    /// Offers what waits.
    pub(crate) fn offer(&mut self) {
        while let Some(notice) = self.waiting.pop_front() {
            if let Err(back) = self.intake.tell(notice) {
                self.waiting.push_front(*back);
                return;
            }
        }
    }

    /// Notices that are lost for good.
    pub(crate) const fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests;
