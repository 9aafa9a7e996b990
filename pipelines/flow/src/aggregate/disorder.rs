//! Disorder: stretches of the journal where a table's rows are older than what came before them.
//!
//! Which windows are closed when such a record comes depends on the records before it. So nobody
//! may begin to read in the middle of a stretch.

use std::collections::VecDeque;

use signals::{Offset, Timestamp};

/// Stretches remembered; beyond, the two oldest are taken as one.
const STRETCHES_MAX: usize = 256;

/// A record of a table whose rows are not older than anything before it, and the records that came
/// out of order after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    /// The record in order.
    pub(super) first: Offset,
    /// The last of those that follow it out of order; `first` where there are none.
    pub(super) last: Offset,
    /// Time of the newest row.
    pub(super) newest: Timestamp,
}

/// Stretches that lie behind what open windows need.
#[derive(Debug, Default)]
pub(super) struct Disorder {
    /// First and last record of each.
    stretches: VecDeque<(Offset, Offset)>,
}

impl Disorder {
    /// Remembers records that are not kept any more, if they are a stretch.
    pub(super) fn remember(&mut self, kept: Kept) {
        if kept.first == kept.last {
            return;
        }
        self.stretches.push_back((kept.first, kept.last));
        if self.stretches.len() > STRETCHES_MAX
            && let (Some(one), Some(other)) =
                (self.stretches.pop_front(), self.stretches.pop_front())
        {
            self.stretches.push_front((one.0.min(other.0), one.1.max(other.1)));
        }
    }

    /// `position`, or the record before it that lies in no stretch. Stretches of records that are
    /// still kept need not be looked at: nobody begins behind the first of those.
    pub(super) fn avoid(&mut self, position: Offset) -> Offset {
        let mut at = position;
        let holds =
            |at: Offset| move |(first, last): &&(Offset, Offset)| *first < at && at <= *last;
        while let Some((first, _)) = self.stretches.iter().find(holds(at)) {
            at = *first;
        }
        // Positions rise: nobody will begin before this one again.
        self.stretches.retain(|(_, last)| *last >= at);
        at
    }
}
