//! Learning what a device refuses: registers it lacks, and how much it gives at once. Pure.
//!
//! In: the cuts that made refused reads answerable, and the outcomes of trials. Out: trials to
//! make, and lessons that keep the next plan within what the device takes.
//! Le-1 A lesson is drawn from a refusal next to an answer; a device that refuses everything
//! teaches nothing.
//! Le-2 A wrong lesson costs requests, never a value: plans keep values whole, whatever is learned.

mod page;

use std::collections::VecDeque;
use std::time::Duration;

use signals::Timestamp;

use crate::area::{Address, Area};
use crate::scan::{Cut, Limits, Read};

pub(super) use page::Place;

/// How long a value that the device lacks is left alone.
const REST: Duration = Duration::from_secs(60);
/// After this long everything is forgotten and found out again: devices get new firmware.
pub(super) const FORGET_AFTER: Duration = Duration::from_hours(24);
/// Cuts whose cause is looked for at a time; more of them stay cut without a lesson.
const CUTS_MAX: usize = 64;
/// Most stretches, and most borders, of a device that are kept; more are found again.
const STRETCHES_MAX: usize = 256;

/// What a device taught.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Lessons {
    /// Registers it gives in one answer, if fewer than configured.
    pub(super) registers_max: Option<u16>,
    /// Bits it gives in one answer, if fewer than configured.
    pub(super) bits_max: Option<u16>,
    /// Addresses between values that it lacks.
    pub(super) holes: Vec<Read>,
    /// Values that it lacks.
    pub(super) missing: Vec<Read>,
    /// Addresses that no answer begins before and ends behind.
    pub(super) borders: Vec<Address>,
    /// When the first of it was learned.
    pub(super) since: Option<Timestamp>,
}

/// What is being found out about a device.
#[derive(Clone, Debug, Default)]
pub(super) struct Learner {
    pub(super) lessons: Lessons,
    /// The longest good answers since the lessons began: registers, bits.
    good_max: [u16; 2],
    /// The shortest refused reads that only their length explains: registers, bits.
    long_min: [Option<Read>; 2],
    cuts: Vec<Cut>,
    /// The trial that is to be made next.
    trial: Option<Trial>,
    /// When each missing value may be asked for again.
    rests: VecDeque<(Read, Duration)>,
    /// Whether the plan does not follow the lessons yet.
    pub(super) is_new: bool,
}

/// A read whose outcome decides between two explanations.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Trial {
    /// The longest refused read once more: answered means that the refusals meant nothing.
    Again(Read),
    /// Over a cut: refused means that what lies between is missing.
    Across(Cut, Read),
    /// Of a length: refused means that it is too long.
    Long(Read),
}

impl Lessons {
    /// The limits to plan within: the configured ones and what was learned.
    pub(super) fn within(&self, configured: &Limits) -> Limits {
        let mut limits = configured.clone();
        limits.registers_max = limits.registers_max.min(self.registers_max.unwrap_or(u16::MAX));
        limits.bits_max = limits.bits_max.min(self.bits_max.unwrap_or(u16::MAX));
        for read in self.holes.iter().chain(&self.missing) {
            let offsets = (0..read.count).filter_map(|step| read.start.checked_add(step));
            limits.holes.extend(offsets.map(|offset| Address { area: read.area, offset }));
        }
        limits.holes.sort_unstable();
        limits.holes.dedup();
        limits
    }

    /// Whether nothing was learned.
    pub(super) fn is_empty(&self) -> bool {
        let Self { registers_max, bits_max, holes, missing, borders, since: _ } = self;
        registers_max.is_none()
            && bits_max.is_none()
            && holes.is_empty()
            && missing.is_empty()
            && borders.is_empty()
    }

    /// `at most 32 registers at once; lacks holding:10-13, holding:22`.
    pub(super) fn told(&self) -> String {
        let mut parts = Vec::new();
        let most = self.registers_max.map(|most| format!("at most {most} registers at once"));
        parts.extend(most);
        parts.extend(self.bits_max.map(|most| format!("at most {most} bits at once")));
        let lacks: Vec<String> =
            self.holes.iter().chain(&self.missing).copied().map(range).collect();
        if !lacks.is_empty() {
            parts.push(format!("lacks {}", lacks.join(", ")));
        }
        let borders: Vec<String> = self.borders.iter().map(Address::to_string).collect();
        if !borders.is_empty() {
            parts.push(format!("no read over the start of {}", borders.join(", ")));
        }
        if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
    }

    fn longest(&mut self, area: Area) -> &mut Option<u16> {
        if area.holds_bits() { &mut self.bits_max } else { &mut self.registers_max }
    }
}

impl Learner {
    /// A learner that remembers what the device taught before.
    pub(super) fn remembering(lessons: Lessons) -> Self {
        let rests = lessons.missing.iter().map(|read| (*read, Duration::ZERO)).collect();
        Self { is_new: !lessons.is_empty(), lessons, rests, ..Self::default() }
    }

    /// A read was answered. True when it was thought to be missing.
    pub(super) fn answered(&mut self, read: Read) -> bool {
        let kind = kind(read.area);
        if let Some(most) = self.good_max.get_mut(kind) {
            *most = (*most).max(read.count);
        }
        if self.rests.is_empty() || !self.lessons.missing.contains(&read) {
            return false;
        }
        self.lessons.missing.retain(|other| *other != read);
        self.rests.retain(|(other, _)| *other != read);
        self.is_new = true;
        true
    }

    /// A read of one value was refused while others were answered: the device lacks it.
    pub(super) fn lacks(&mut self, read: Read, now: (Timestamp, Duration)) {
        let (wall, now) = now;
        self.rests.retain(|(other, _)| *other != read);
        if self.rests.len() == STRETCHES_MAX {
            self.rests.pop_front();
        }
        self.rests.push_back((read, now + REST));
        if !self.lessons.missing.contains(&read) {
            keep(&mut self.lessons.missing, read);
            self.lessons.since.get_or_insert(wall);
            self.is_new = true;
        }
    }

    /// Whether a read of a missing value is not worth a request now.
    pub(super) fn rests(&self, read: Read, now: Duration) -> bool {
        self.rests.iter().any(|(other, until)| *other == read && now < *until)
    }

    /// Takes the cuts of a scan whose reads have all been answered, but for single values.
    pub(super) fn take(&mut self, cuts: &[Cut], wall: Timestamp) {
        let room = CUTS_MAX.saturating_sub(self.cuts.len());
        self.cuts.extend(cuts.iter().take(room));
        // Shortest first: they are explained by what is known, and explain the longer ones.
        self.cuts.sort_by_key(|cut| std::cmp::Reverse(cut.whole.count));
        self.lessons.since.get_or_insert(wall);
        self.trial = self.cuts.first().map(|cut| Trial::Again(cut.whole));
    }

    /// The read to try next.
    pub(super) fn trial(&self) -> Option<Read> {
        self.trial.map(|trial| match trial {
            Trial::Again(read) | Trial::Across(_, read) | Trial::Long(read) => read,
        })
    }

    /// The outcome of the trial.
    pub(super) fn tried(&mut self, answered: bool) {
        match self.trial.take() {
            None => return,
            Some(Trial::Again(read)) if answered => {
                self.answered(read);
                self.cuts.clear();
            }
            Some(Trial::Again(_)) => {}
            Some(Trial::Across(cut, read)) if answered => {
                self.answered(read);
                if !self.is_explained(cut.whole) {
                    self.note_long(cut.whole);
                }
            }
            Some(Trial::Across(cut, _)) => self.note_gap(cut),
            Some(Trial::Long(read)) if answered => {
                self.answered(read);
            }
            Some(Trial::Long(read)) => self.note_long(read),
        }
        self.judge();
    }

    /// Forgets all lessons; what is refused then is found out anew.
    pub(super) fn forget(&mut self) {
        *self = Self { is_new: true, ..Self::default() };
    }

    /// Draws what follows from the cuts without asking; stops where a trial must decide.
    fn judge(&mut self) {
        while let Some(cut) = self.cuts.pop() {
            let whole = cut.whole;
            let missing = |offset: u16| {
                self.lessons.missing.iter().any(|read| {
                    read.area == whole.area && (read.start..=last(*read)).contains(&offset)
                })
            };
            if missing(cut.before.start) || missing(cut.after.start) {
                continue;
            }
            let longest = self.good_max.get(kind(whole.area)).copied().unwrap_or(0);
            let long = self.long_min.get(kind(whole.area)).copied().flatten();
            let is_explained = self.is_explained(whole);
            if !is_explained && long.is_some_and(|long| whole.count >= long.count) {
                continue;
            }
            if !is_explained && whole.count <= longest {
                self.note_gap(cut);
                continue;
            }
            if let Some(read) = cut.across() {
                self.trial = Some(Trial::Across(cut, read));
                return;
            }
        }
        for kind in [0, 1] {
            let longest = self.good_max.get(kind).copied().unwrap_or(0);
            let Some(long) = self.long_min.get(kind).copied().flatten() else { continue };
            if longest >= long.count {
                // Refused once and answered another time: length is not the cause.
                self.long_min = [None; 2];
                continue;
            }
            if long.count - longest > 1 && longest > 0 {
                let count = longest + (long.count - longest) / 2;
                self.trial = Some(Trial::Long(Read { count, ..long }));
                return;
            }
            *self.lessons.longest(long.area) = Some(longest.max(1));
            if let Some(long) = self.long_min.get_mut(kind) {
                *long = None;
            }
        }
        self.is_new = true;
    }

    /// Whether a read was refused for something else than its length.
    fn is_explained(&self, whole: Read) -> bool {
        let inside = |read: &Read| {
            read.area == whole.area && read.start <= last(whole) && last(*read) >= whole.start
        };
        self.lessons.missing.iter().chain(&self.lessons.holes).any(inside)
    }

    fn note_long(&mut self, read: Read) {
        if let Some(long) = self.long_min.get_mut(kind(read.area)) {
            *long = Some(long.filter(|long| long.count <= read.count).unwrap_or(read));
        }
    }

    fn note_gap(&mut self, cut: Cut) {
        let start = u16::try_from(cut.before.end()).unwrap_or(u16::MAX);
        match u16::try_from(cut.gap()).unwrap_or(0) {
            0 => keep(&mut self.lessons.borders, cut.border()),
            count => keep(&mut self.lessons.holes, Read { area: cut.whole.area, start, count }),
        }
    }
}

fn keep<T: PartialEq>(all: &mut Vec<T>, one: T) {
    if all.len() < STRETCHES_MAX && !all.contains(&one) {
        all.push(one);
    }
}

fn kind(area: Area) -> usize {
    usize::from(area.holds_bits())
}

fn last(read: Read) -> u16 {
    read.start.saturating_add(read.count.saturating_sub(1))
}

fn range(read: Read) -> String {
    match read.count {
        0 | 1 => format!("{}:{}", read.area.name(), read.start),
        2.. => format!("{}:{}-{}", read.area.name(), read.start, last(read)),
    }
}

#[cfg(test)]
mod tests;
