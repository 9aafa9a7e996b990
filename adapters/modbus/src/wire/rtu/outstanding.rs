//! Outstanding requests: answers that may still come, and how to tell them from later ones. Pure.
//!
//! An RTU answer says its unit, function and length, and nothing else. Devices, and the gateways in
//! front of them, answer a unit's requests in the order in which they came: once an answer is
//! certain, everything the unit was asked before has been answered or never will be.
//!
//! O-1 A request is outstanding from before its first byte goes out, whatever comes of it, over
//!     connections too. Only an answer that is certain settles it, with all older ones of its unit,
//!     in time or late.
//! O-2 What was read is certain: by O-4 no two outstanding requests of a unit have answers of one
//!     function and length. A refusal is certain when no other request of the unit with its
//!     function is outstanding: refusals are all of one length.
//! O-3 What a unit sends unasked makes the request it would answer outstanding: it may have been
//!     the answer to the request that another frame was taken to answer.
//! O-4 A request goes out only when no outstanding one of its unit has the same answer, by function
//!     and length. Else a fence goes first: another read of the unit, of another function or
//!     length, or "return query data" with a token (function 8, sub-function 0; Modbus Application
//!     Protocol V1.1b3, clause 6.8). Its answer is certain by O-2.
//! O-5 Where no fence is left (one register, and a unit that ignores function 8), the unit is not
//!     asked until it must be done with everything, at [`LOST_AFTER`] for each request; only there
//!     does time decide.
//! O-6 Every request to a silent unit adds to the time of O-5. On a serial line it is therefore given
//!     a few of them, then one each [`PACE`], by which the time falls again before the shapes are
//!     used up; only where it is known to answer function 8 that is asked for in each slot. A
//!     connection is not paced: that nobody answers is what shows that it has to be made anew.
//! O-7 A frame takes no memory: what is remembered of a unit has its room from the first request to
//!     it on, and what is heard of units that were never asked stands in a table of fixed size.

mod heard;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::shape::{Frame, Shape};
use crate::wire::trace::Fate;
use heard::{Heard, Voices};

/// Function code of "return query data".
pub(super) const ECHO: u8 = 8;
/// Shapes of answers that are remembered of a unit; with more, every answer may come.
const SHAPES_MAX: usize = 32;
/// The longest that a unit works on one request, where there is no fence; and how much longer is
/// waited where function 8 has worked before.
pub(super) const LOST_AFTER: Duration = Duration::from_secs(10);
const LOST_AFTER_ECHO: Duration = Duration::from_mins(5);
/// The pause between requests to a silent unit (O-6): half as long again as [`LOST_AFTER`], so that
/// the time until it must be done with everything falls by 5 s with each.
const PACE: Duration = Duration::from_secs(15);
/// Requests before that are 2, and one more for so many shapes that a read has: when the last of
/// them is taken, the unit is done at most 30 s later.
const SHAPES_PER_BURST: u32 = 3;
/// Function 8 counts as ignored when the unit has passed over so many and answered what came later.
const IGNORED_MAX: u8 = 2;

/// PDU of a read: function, start, count.
pub(super) type ReadPdu = [u8; 5];

/// What is outstanding on one line: of each unit that was asked at most [`SHAPES_MAX`] shapes, 400
/// bytes; of all others together 2 KB.
#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    units: BTreeMap<u8, Unit>,
    /// Units that were never asked.
    heard: Heard,
    /// What was answered last on the line.
    last: Option<Shape>,
}

/// What is outstanding of one unit.
#[derive(Debug)]
struct Unit {
    /// Oldest first.
    open: Vec<Open>,
    /// Whether there are more than could be remembered.
    is_full: bool,
    /// Requests since an answer was certain, less those that were answered, and when the last went
    /// out. Function 8 aside.
    asked: u32,
    asked_at: Option<Instant>,
    /// When the unit must be done with everything, and with everything but function 8.
    done_at: Option<Instant>,
    lost_at: Option<Instant>,
    /// The last two reads it answered that differ in function or length.
    known: [Option<ReadPdu>; 2],
    echo: Echo,
}

/// A request that may still be answered.
#[derive(Clone, Copy, Debug)]
struct Open {
    shape: Shape,
    /// Whether it went out and was not answered; else a frame nobody waited for makes it doubtful.
    is_asked: bool,
}

/// What a unit makes of function 8.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Echo {
    #[default]
    Unknown,
    Answers,
    /// It answered something later instead, so often.
    Ignored(u8),
}

/// A request that is to go out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// What answers it.
    pub(super) shape: &'a Shape,
    pub(super) pdu: &'a [u8],
    /// Whether an answer to function 8 can be told from the echo of a two-wire line.
    pub(super) may_echo: bool,
    /// Whether a silent unit is asked at a pace (O-6).
    pub(super) is_paced: bool,
}

/// What to do before a request goes out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Nothing: no other answer can pass for its own.
    Ask,
    /// Get an answer to this read.
    Read(ReadPdu),
    /// Get an answer to function 8.
    Echo,
    /// Wait until then.
    Wait(Instant),
}

impl Outstanding {
    /// What to do before a request goes out (O-4, O-5, O-6).
    pub(super) fn step(&mut self, wanted: &Wanted<'_>, now: Instant) -> Step {
        let Wanted { shape, pdu, may_echo, is_paced } = *wanted;
        let Some(unit) = self.known(shape.unit) else { return Step::Ask };
        let next_at = unit.next_at(pdu, now).filter(|_| is_paced);
        let is_taken = unit.is_taken(shape);
        if !is_taken && next_at.is_none() {
            return Step::Ask;
        }
        let other = if is_taken { unit.other_read(shape.unit, pdu) } else { None };
        if let Some(read) = other.filter(|_| next_at.is_none()) {
            return Step::Read(read);
        }
        let more = if unit.echo == Echo::Answers { LOST_AFTER_ECHO } else { Duration::ZERO };
        let lost_at = unit.lost_at.map_or(now, |lost_at| lost_at + more);
        if lost_at <= now {
            unit.settle();
            return Step::Ask;
        }
        // Reads that are left shall not wait for what the unit may not know.
        let has_reads = !is_taken || other.is_some();
        let may_know = match unit.echo {
            Echo::Answers => true,
            Echo::Unknown => !has_reads,
            Echo::Ignored(times) => !has_reads && times < IGNORED_MAX,
        };
        if may_echo && may_know {
            return Step::Echo;
        }
        Step::Wait(next_at.filter(|_| has_reads).map_or(lost_at, |next_at| next_at.min(lost_at)))
    }

    /// What is outstanding of a unit; `None` when nothing ever was.
    fn known(&mut self, unit: u8) -> Option<&mut Unit> {
        if !self.units.contains_key(&unit) {
            let voices = self.heard.take(unit)?;
            self.units.insert(unit, Unit::heard(unit, &voices));
        }
        self.units.get_mut(&unit)
    }

    /// A request goes out; says whether a refusal of it is certain (O-2).
    pub(super) fn ask(&mut self, shape: &Shape, now: Instant) -> bool {
        let unit = self.units.entry(shape.unit).or_default();
        let is_first = !unit.is_full && !unit.has_function(shape.function);
        unit.done_at = Some(unit.done_at.map_or(now, |done_at| done_at.max(now)) + LOST_AFTER);
        if shape.function != ECHO {
            unit.lost_at = unit.done_at;
            (unit.asked, unit.asked_at) = (unit.asked.saturating_add(1), Some(now));
        }
        // Tokens are never used again, and a refusal has none: one function 8 stands for all of them,
        // in the place of the last, so that only what is newer than all of them settles it.
        let echo = unit.open.iter().position(|open| open.shape.function == ECHO);
        match echo.filter(|_| shape.function == ECHO) {
            Some(echo) => unit.open.get_mut(echo..).unwrap_or_default().rotate_left(1),
            None => unit.remember(shape, true),
        }
        is_first
    }

    /// The request that was sent last is answered, certainly or not (O-2).
    pub(super) fn answered(&mut self, shape: &Shape, is_certain: bool) {
        self.last = Some(*shape);
        let unit = self.units.entry(shape.unit).or_default();
        if !is_certain {
            unit.asked = unit.asked.saturating_sub(1);
            return;
        }
        if shape.function == ECHO {
            unit.echo = Echo::Answers;
        } else if unit.has_function(ECHO) {
            let before = if let Echo::Ignored(before) = unit.echo { before } else { 0 };
            unit.echo = Echo::Ignored(before.saturating_add(1));
        }
        unit.settle();
    }

    /// A unit has answered a request with this PDU; reads among them can be fences later.
    pub(super) fn knows(&mut self, of: u8, pdu: ReadPdu) {
        if words(pdu).is_none() {
            return;
        }
        let unit = self.units.entry(of).or_default();
        let fits = |known: &Option<ReadPdu>| {
            known.is_none_or(|known| Shape::of(of, &known) == Shape::of(of, &pdu))
        };
        if let Some(place) = unit.known.iter_mut().find(|known| fits(known)) {
            *place = Some(pdu);
        } else {
            let [first, _] = unit.known;
            unit.known = [Some(pdu), first];
        }
    }

    /// A frame that answers nothing: says what it is, and remembers what it may have been (O-3).
    ///
    /// `in_flight` is the request whose answer is waited for.
    pub(super) fn stray(&mut self, frame: &Frame, in_flight: Option<&Shape>, now: Instant) -> Fate {
        let Some(unit) = self.units.get_mut(&frame.unit) else {
            self.heard.note(frame, now);
            return Fate::Foreign;
        };
        let is_it = |open: &Open| {
            open.is_asked && Some(&open.shape) != in_flight && open.shape.suits(frame)
        };
        if let Some(place) = unit.open.iter().position(is_it) {
            let function = unit.open.get(place).map_or(0, |open| open.shape.function);
            let alike = unit.open.iter().filter(|open| open.shape.function == function).count();
            let is_certain = Shape::of_data(frame).is_some() || (alike == 1 && function != ECHO);
            if is_certain && !unit.is_full {
                unit.open.drain(..=place);
                if unit.open.is_empty() {
                    unit.settle();
                }
            }
            return Fate::Late;
        }
        let last = self.last.filter(|last| last.suits(frame));
        if let Some(shape) = last.or_else(|| Shape::of_data(frame)) {
            unit.remember(&shape, false);
            unit.lost_at = unit.lost_at.or(Some(now + LOST_AFTER));
        }
        if last.is_some() { Fate::Duplicate } else { Fate::Foreign }
    }
}

impl Default for Unit {
    /// With room for all that may become outstanding (O-7).
    fn default() -> Self {
        Self {
            open: Vec::with_capacity(SHAPES_MAX),
            is_full: false,
            asked: 0,
            asked_at: None,
            done_at: None,
            lost_at: None,
            known: [None; 2],
            echo: Echo::default(),
        }
    }
}

impl Unit {
    /// A unit of which nothing but frames that nobody asked for has come.
    fn heard(of: u8, voices: &Voices) -> Self {
        let mut unit = Self { lost_at: Some(voices.at + LOST_AFTER), ..Self::default() };
        for shape in voices.shapes(of) {
            unit.remember(&shape, false);
        }
        unit.is_full = voices.has_more();
        unit
    }

    /// When it may be asked next, if not now (O-6).
    fn next_at(&self, pdu: &[u8], now: Instant) -> Option<Instant> {
        let read = <ReadPdu>::try_from(pdu).ok();
        let shapes = read.map_or(1, |read| 1 + parts(read).take(SHAPES_MAX - 1).count());
        let burst = 2 + u32::try_from(shapes).unwrap_or(0) / SHAPES_PER_BURST;
        let next_at = self.asked_at.filter(|_| self.asked >= burst)? + PACE;
        Some(next_at).filter(|next_at| *next_at > now)
    }

    /// Whether an older answer may come that looks like this.
    fn is_taken(&self, shape: &Shape) -> bool {
        self.is_full || self.open.iter().any(|open| open.shape == *shape)
    }

    fn has_function(&self, function: u8) -> bool {
        self.open.iter().any(|open| open.shape.function == function)
    }

    fn remember(&mut self, shape: &Shape, is_asked: bool) {
        if self.open.iter().any(|open| open.shape == *shape) {
            return;
        }
        if self.open.len() < SHAPES_MAX {
            self.open.push(Open { shape: *shape, is_asked });
        } else {
            self.is_full = true;
        }
    }

    fn settle(&mut self) {
        self.open.clear();
        (self.is_full, self.asked, self.done_at, self.lost_at) = (false, 0, None, None);
    }

    /// A read whose answer looks like none that may come: one that the unit has answered before,
    /// the shorter first, else the least part of the read in hand.
    fn other_read(&self, unit: u8, pdu: &[u8]) -> Option<ReadPdu> {
        let mut known = self.known;
        known.sort_by_key(|known| known.and_then(words));
        let parts = <ReadPdu>::try_from(pdu).ok().into_iter().flat_map(parts);
        let mut reads = known.into_iter().flatten().chain(parts);
        reads.find(|read| Shape::of(unit, read).is_ok_and(|shape| !self.is_taken(&shape)))
    }
}

/// Registers or bits of a read.
fn words(pdu: ReadPdu) -> Option<u16> {
    let [function, _, _, high, low] = pdu;
    matches!(function, 1..=4).then(|| u16::from_be_bytes([high, low]))
}

/// The beginnings of a read, the shortest first: by registers, or by bytes of bits.
fn parts(read: ReadPdu) -> impl Iterator<Item = ReadPdu> {
    let [function, start, end, ..] = read;
    let step = if function <= 2 { 8 } else { 1 };
    let counts = (1..words(read).unwrap_or(0).div_ceil(step)).map(move |count| count * step);
    counts.map(move |count| {
        let [high, low] = count.to_be_bytes();
        [function, start, end, high, low]
    })
}

#[cfg(test)]
mod tests;
