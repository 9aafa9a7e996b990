//! Trail: how far a consumer may commit, given how much of what it wrote is durable.

use std::collections::VecDeque;

use signals::Offset;

/// Steps that a consumer has made and whose results are not durable yet.
///
/// Committing a step whose result a power cut could still take would lose the result.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// Where the results of a step end in the log written, and where the step ended in the log
    /// read. Both rise.
    steps: VecDeque<(Offset, Offset)>,
}

/// Steps kept apart; beyond, the newest are taken together.
const STEPS_MAX: usize = 1_024;

impl Trail {
    /// Notes that reading has reached `position`, with all results written before `written`.
    pub(crate) fn note(&mut self, written: Offset, position: Offset) {
        let is_full = self.steps.len() >= STEPS_MAX;
        match self.steps.back_mut() {
            Some(last) if is_full || last.0 == written => *last = (written, position),
            Some(_) | None => self.steps.push_back((written, position)),
        }
    }

    /// The position that may be committed now that everything before `durable` is durable.
    pub(crate) fn settle(&mut self, durable: Offset) -> Option<Offset> {
        let mut reached = None;
        while let Some((_, position)) = self.steps.front().filter(|step| step.0 <= durable) {
            reached = Some(*position);
            self.steps.pop_front();
        }
        reached
    }
}
