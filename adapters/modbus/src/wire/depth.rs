//! How many requests may be on their way at once: declared, or found out.
//!
//! Pure: it is told how each [`Wire::read_many`](super::Wire::read_many) went and says the depth
//! of the next.
//! D-1 After an id nobody sent, a wrong answer or exception 6 at a depth above 1 the depth is 1
//!     for a day; after the third connection in an hour that ends at such a depth, likewise.
//! D-2 After a timeout at a depth above 1 the depth is 1 on trial. If requests time out singly
//!     as well, it is not the depth's fault, and the former depth returns; else it is 1 for a
//!     day, or for an hour when the depth was declared.
//! D-3 Found out: the depth doubles only after a trial at which requests got faster by a tenth.

use std::time::Duration;

use tokio::time::Instant;

use super::{Fault, Outcome, Strays};
use crate::config::Depth;

/// Deepest pipeline.
const DEPTH_MAX: usize = 16;
/// Requests at a depth before it is judged.
const JUDGED_AFTER: usize = 64;
/// A deeper pipeline stays when a request takes at most this many hundredths of what it took.
const WORTH_PERCENT: u32 = 90;
/// How long a device that cannot take overlapping requests is spared.
const SPARED: Duration = Duration::from_hours(24);
/// How long a depth that was no gain is not tried again, and a blameless one is not suspected.
const SETTLED: Duration = Duration::from_hours(1);
/// "Device busy": what a device without room for a second request says.
const BUSY: u8 = 6;
/// Connections that may end at a depth above 1 within [`SETTLED`]: devices are switched off.
const ENDS_MAX: u32 = 2;

/// The depth of one line.
#[derive(Clone, Debug)]
pub struct DepthControl {
    /// What was declared; 0 when it is to be found out.
    declared: usize,
    stage: Stage,
    /// Time per request in the rounds at this depth, one per round.
    round_times: Vec<Duration>,
    /// Requests of those rounds.
    requests: usize,
    /// Time per request at the depth before.
    before: Option<Duration>,
    /// Until when timeouts are not held against the depth.
    blameless_until: Option<Instant>,
    strays: Strays,
    /// Connections that ended at a depth above 1, and when the first of them did.
    ends: u32,
    first_end: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// At this depth, which may rise from `from` on.
    At { depth: usize, from: Option<Instant> },
    /// At 1 to see whether timeouts go away; `former` is the depth that is suspected.
    Trial { former: usize, answers: usize },
    /// At 1 until then.
    Spared { until: Instant },
}

/// What one round says.
struct Round {
    answers: usize,
    timeouts: usize,
    refuses: bool,
    /// Whether the connection ended.
    ends: bool,
    /// Time per answer, when requests waited for their turn.
    time: Option<Duration>,
    ended: Instant,
}

impl DepthControl {
    /// The declared depth, or 1 to begin with.
    #[must_use]
    pub fn new(depth: Depth) -> Self {
        let declared = match depth {
            Depth::Fixed(depth) => usize::from(depth).clamp(1, DEPTH_MAX),
            Depth::Auto => 0,
        };
        Self {
            declared,
            stage: Stage::At { depth: declared.max(1), from: None },
            round_times: Vec::with_capacity(JUDGED_AFTER),
            requests: 0,
            before: None,
            blameless_until: None,
            strays: Strays::default(),
            ends: 0,
            first_end: None,
        }
    }

    /// The depth of the next round, 1..=16.
    #[must_use]
    pub fn depth(&self) -> usize {
        match self.stage {
            Stage::At { depth, .. } => depth,
            Stage::Trial { .. } | Stage::Spared { .. } => 1,
        }
    }

    /// Takes in how one round at [`DepthControl::depth`] went: its outcomes, and the strays that
    /// its wire has counted so far. A wire that follows another begins at zero again.
    pub fn note(&mut self, outcomes: &[Outcome], strays: Strays) {
        let strange = strays.foreign > self.strays.foreign;
        self.strays = strays;
        let depth = self.depth();
        let Some(round) = Round::of(outcomes, depth) else { return };
        if depth > 1 && outcomes.len() > 1 {
            let ends_too_often = round.ends && self.ends_too_often(round.ended);
            if strange || round.refuses || ends_too_often {
                return self.spare(round.ended, SPARED);
            }
            if round.ends {
                return;
            }
        }
        match self.stage {
            Stage::At { .. } => self.note_at(depth, &round),
            Stage::Trial { former, answers } => self.note_trial(former, answers, &round),
            Stage::Spared { until } if round.ended >= until => {
                self.settle(self.declared.max(1), None);
            }
            Stage::Spared { .. } => {}
        }
    }

    fn note_at(&mut self, depth: usize, round: &Round) {
        let blameless = self.blameless_until.is_some_and(|until| round.ended < until);
        if round.timeouts > 0 {
            if depth > 1 && !blameless {
                self.settle(depth, None);
                self.stage = Stage::Trial { former: depth, answers: 0 };
            }
            return;
        }
        let waits = matches!(self.stage, Stage::At { from: Some(from), .. } if round.ended < from);
        let Some(time) = round.time.filter(|_| self.declared == 0 && !waits) else { return };
        if self.round_times.len() < JUDGED_AFTER {
            self.round_times.push(time);
        }
        self.requests += round.answers;
        if self.requests >= JUDGED_AFTER {
            self.judge(depth, round.ended);
        }
    }

    /// Goes deeper, or back to the depth before when that was as fast.
    fn judge(&mut self, depth: usize, now: Instant) {
        self.round_times.sort_unstable();
        let median = self.round_times.get(self.round_times.len() / 2).copied().unwrap_or_default();
        let worth = self.before.is_none_or(|before| median * 100 <= before * WORTH_PERCENT);
        if !worth {
            self.before = None;
            self.settle(depth / 2, Some(now + SETTLED));
        } else if depth < DEPTH_MAX {
            self.before = Some(median);
            self.settle(depth * 2, None);
        } else {
            self.before = None;
            self.settle(depth, Some(now + SETTLED));
        }
    }

    fn note_trial(&mut self, former: usize, answers: usize, round: &Round) {
        let answers = answers + round.answers;
        if round.timeouts > 0 {
            self.blameless_until = Some(round.ended + SETTLED);
            self.settle(former, None);
        } else if answers >= JUDGED_AFTER {
            self.spare(round.ended, if self.declared == 0 { SPARED } else { SETTLED });
        } else {
            self.stage = Stage::Trial { former, answers };
        }
    }

    fn ends_too_often(&mut self, now: Instant) -> bool {
        let first = self.first_end.filter(|first| now.duration_since(*first) < SETTLED);
        self.ends = if first.is_some() { self.ends + 1 } else { 1 };
        self.first_end = first.or(Some(now));
        self.ends > ENDS_MAX
    }

    fn spare(&mut self, now: Instant, span: Duration) {
        self.settle(1, None);
        self.before = None;
        self.first_end = None;
        self.stage = Stage::Spared { until: now + span };
    }

    fn settle(&mut self, depth: usize, from: Option<Instant>) {
        self.round_times.clear();
        self.requests = 0;
        self.stage = Stage::At { depth: depth.max(1), from };
    }
}

impl Round {
    /// `None` when nothing was sent.
    fn of(outcomes: &[Outcome], depth: usize) -> Option<Self> {
        let sent = || outcomes.iter().filter(|outcome| outcome.sent.is_some());
        let begin = sent().filter_map(|outcome| outcome.sent).min()?;
        let ended = sent().map(|outcome| outcome.ended).max()?;
        let faults = || sent().filter_map(|outcome| outcome.words.as_ref().err().copied());
        let timeouts = faults().filter(|fault| *fault == Fault::Timeout).count();
        let answers = sent().count() - timeouts;
        let divisor = u32::try_from(answers).ok().filter(|answers| *answers > 0);
        // Nothing is to be gained by going deeper than there are requests.
        let time = divisor.filter(|_| outcomes.len() > depth && outcomes.len() > 1);
        Some(Self {
            answers,
            timeouts,
            refuses: faults().any(is_refusal),
            ends: faults().any(|fault| matches!(fault, Fault::Closed | Fault::Io(_))),
            time: time.map(|answers| (ended - begin) / answers),
            ended,
        })
    }
}

/// Whether a device answers so that cannot take overlapping requests.
fn is_refusal(fault: Fault) -> bool {
    match fault {
        Fault::Exception(code) => code == BUSY,
        Fault::Unit(_)
        | Fault::Function(_)
        | Fault::Quantity
        | Fault::Short
        | Fault::Framing(_)
        | Fault::Crc => true,
        Fault::Timeout | Fault::Closed | Fault::Io(_) | Fault::Request => false,
    }
}

#[cfg(test)]
mod tests;
