//! A scan: what is read of one device at one period, and how its answers become one row.
//!
//! In: for each read the words, or the reason why there are none. Out: one row of the scan's
//! table, with a value or a flaw for every signal.

use std::sync::Arc;
use std::time::Duration;

use signals::{BatchBuilder, ClockState, Quality, QualityClass, Reason, Table, Timestamp};

use crate::area::{Address, Area};
use crate::decode::Format;
use crate::plan::{Span, Terms, plan};

/// What a request costs on TCP next to a register more, in sixteenths of a microsecond: a round
/// trip of 1 ms against 4 µs a register. Between the two a gap of 250 registers pays.
const REQUEST_COST: u64 = 16_000;
const REGISTER_COST: u64 = 64;
const BIT_COST: u64 = 4;

/// What a device allows in one answer, and what it lacks.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Registers in one answer, 1..=125.
    pub registers_max: u16,
    /// Bits in one answer, 1..=2000.
    pub bits_max: u16,
    /// Addresses that do not exist, ascending.
    pub holes: Vec<Address>,
}

/// One value of a scan: where it is and how it is read.
#[derive(Clone, Debug)]
pub struct Point {
    /// First register, or the coil.
    pub address: Address,
    /// How its words are read.
    pub format: Format,
}

/// One request of a scan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Read {
    /// The address space.
    pub area: Area,
    /// First address.
    pub start: u16,
    /// Registers, 1..=125, or bits, 1..=2000.
    pub count: u16,
}

/// The answers to the reads of one scan, in their order. Kept and used again: no allocation.
#[derive(Debug, Default)]
pub struct Answers {
    words: Vec<u16>,
    outcomes: Vec<Result<usize, Reason>>,
}

/// When a row was sampled.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// UTC.
    pub ts: Timestamp,
    /// Whether the clock could be trusted.
    pub clock: ClockState,
}

/// How a row came out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Signals in the row.
    pub signals: usize,
    /// Signals without a value.
    pub bad: usize,
    /// Why the first of them has none.
    pub reason: Reason,
}

/// What is read of one device at one period, with the requests that do it.
#[derive(Clone, Debug)]
pub struct Scan {
    table: Arc<Table>,
    period: Duration,
    /// In the order of the table's signals.
    points: Vec<Point>,
    /// For each point the read that brings it, and its first word in the answer.
    sources: Vec<(usize, usize)>,
    reads: Vec<Read>,
    /// The reads as planned, before any was cut.
    planned: Vec<Read>,
}

impl Scan {
    /// A planned scan; `points` are in the order of the table's signals.
    #[must_use]
    pub fn new(table: Arc<Table>, period: Duration, points: Vec<Point>, limits: &Limits) -> Self {
        let mut reads = Vec::new();
        for area in Area::ALL {
            let atoms: Vec<Span> =
                points.iter().filter(|p| p.address.area == area).map(Point::span).collect();
            let terms = Terms {
                request_cost: REQUEST_COST,
                word_cost: if area.holds_bits() { BIT_COST } else { REGISTER_COST },
                count_max: if area.holds_bits() { limits.bits_max } else { limits.registers_max },
                holes: limits.of_area(area),
            };
            let spans = plan(&atoms, &terms);
            reads.extend(spans.into_iter().map(|span| Read::new(area, span)));
        }
        let planned = reads.clone();
        let mut scan = Self { table, period, points, sources: Vec::new(), reads, planned };
        scan.locate();
        scan
    }

    /// The table its rows go to.
    #[must_use]
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Time between two rows.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// The requests of one row, in the order they are sent.
    #[must_use]
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// Writes one row: values, flaws and nulls of every signal.
    ///
    /// A read without an outcome counts as not asked yet ([`Reason::WaitingFirst`]).
    pub fn decode_into(
        &self,
        answers: &Answers,
        stamp: Stamp,
        builder: &mut BatchBuilder,
    ) -> Tally {
        builder.begin(stamp.ts, 0, stamp.clock);
        let mut tally = Tally { signals: self.points.len(), ..Tally::default() };
        let mut text = String::new();
        for (signal, (point, (read, first))) in self.points.iter().zip(&self.sources).enumerate() {
            let words = answers.get(*read).and_then(|words| {
                let last = first + usize::from(point.format.words());
                words.get(*first..last).ok_or(Reason::QuantityMismatch)
            });
            let quality = match words {
                Err(reason) => Quality::bad(reason),
                Ok(words) => {
                    let decoded = point.format.decode(words, &mut text);
                    if let Some(value) = decoded.value {
                        builder.set(signal, value);
                    }
                    decoded.quality
                }
            };
            if !quality.is_good() {
                builder.flaw(signal, quality);
                tally.count(quality);
            }
        }
        tally
    }

    /// Writes one row whose words come from anywhere: a register image, a recording.
    pub fn row_from(
        &self,
        stamp: Stamp,
        builder: &mut BatchBuilder,
        mut read: impl FnMut(Read) -> Result<Vec<u16>, Reason>,
    ) -> Tally {
        let mut answers = Answers::default();
        for wanted in &self.reads {
            match read(*wanted) {
                Ok(words) => answers.good(&words),
                Err(reason) => answers.failed(reason),
            }
        }
        self.decode_into(&answers, stamp, builder)
    }

    /// Cuts a read in two where no value is lost: at its widest gap, else in the middle.
    ///
    /// False when it cannot be cut, because it holds one value.
    pub(crate) fn cut(&mut self, place: usize) -> bool {
        let Some(read) = self.reads.get(place).copied() else { return false };
        let Some((before, after)) = self.cut_of(place, read) else { return false };
        self.reads.splice(place..=place, [before, after]);
        self.locate();
        true
    }

    /// Whether [`Scan::cut`] can cut the read at `place`.
    pub(crate) fn can_cut(&self, place: usize) -> bool {
        self.reads.get(place).is_some_and(|read| self.cut_of(place, *read).is_some())
    }

    /// Takes all cuts back.
    pub(crate) fn uncut(&mut self) {
        self.reads.clone_from(&self.planned);
        self.locate();
    }

    fn cut_of(&self, place: usize, read: Read) -> Option<(Read, Read)> {
        let of_read = self.points.iter().zip(&self.sources).filter(|(_, (own, _))| *own == place);
        let mut atoms: Vec<Span> = of_read.map(|(point, _)| point.span()).collect();
        atoms.sort_unstable();
        // Borders between runs of overlapping atoms: (gap, distance from the middle, end, start).
        let mut borders = Vec::new();
        let middle = u32::from(read.start) + u32::from(read.count) / 2;
        let mut end = atoms.first()?.end();
        for atom in atoms {
            let start = u32::from(atom.start);
            if let Some(gap) = start.checked_sub(end) {
                borders.push((gap, std::cmp::Reverse(start.abs_diff(middle)), end, atom.start));
            }
            end = end.max(atom.end());
        }
        let (_, _, before_end, after_start) = borders.into_iter().max()?;
        let count = |from: u16, to: u32| u16::try_from(to - u32::from(from)).ok();
        let before = Read { count: count(read.start, before_end)?, ..read };
        Some((
            before,
            Read { area: read.area, start: after_start, count: count(after_start, end)? },
        ))
    }

    /// Finds the read and the place in its answer for every point.
    fn locate(&mut self) {
        let source = |point: &Point| {
            let holds = |read: &Read| {
                let first = point.address.offset.checked_sub(read.start)?;
                let last = u32::from(first) + u32::from(point.format.words());
                let inside = read.area == point.address.area && last <= u32::from(read.count);
                inside.then_some(usize::from(first))
            };
            let mut found = self.reads.iter().map(holds).enumerate();
            found.find_map(|(read, first)| Some((read, first?)))
        };
        // P-1 of the plan: every atom lies inside one read.
        self.sources = self.points.iter().map(|p| source(p).unwrap_or((usize::MAX, 0))).collect();
    }
}

impl Point {
    fn span(&self) -> Span {
        Span { start: self.address.offset, count: self.format.words() }
    }
}

impl Read {
    fn new(area: Area, span: Span) -> Self {
        Self { area, start: span.start, count: span.count }
    }
}

impl Limits {
    fn of_area(&self, area: Area) -> Vec<u16> {
        self.holes.iter().filter(|hole| hole.area == area).map(|hole| hole.offset).collect()
    }
}

impl Answers {
    /// Forgets all answers and keeps the room.
    pub fn clear(&mut self) {
        self.words.clear();
        self.outcomes.clear();
    }

    /// The next read was answered with these words; a bit is a word of 0 or 1.
    pub fn good(&mut self, words: &[u16]) {
        self.words.extend_from_slice(words);
        self.outcomes.push(Ok(self.words.len()));
    }

    /// The next read has no answer.
    pub fn failed(&mut self, reason: Reason) {
        self.outcomes.push(Err(reason));
    }

    /// Reads with an outcome.
    #[must_use]
    pub fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// Whether there is no outcome yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
    }

    /// The words of the read at `place`.
    ///
    /// # Errors
    /// The reason why there are none.
    pub fn get(&self, place: usize) -> Result<&[u16], Reason> {
        let end = (*self.outcomes.get(place).ok_or(Reason::WaitingFirst)?)?;
        let before = self.outcomes.get(..place).unwrap_or_default();
        let start = before.iter().rev().find_map(|outcome| outcome.ok()).unwrap_or(0);
        self.words.get(start..end).ok_or(Reason::QuantityMismatch)
    }
}

impl Tally {
    /// Adds the signals of another row.
    pub(crate) fn add(&mut self, other: Self) {
        if self.bad == 0 {
            self.reason = other.reason;
        }
        self.signals += other.signals;
        self.bad += other.bad;
    }

    fn count(&mut self, quality: Quality) {
        if quality.class == QualityClass::Bad {
            if self.bad == 0 {
                self.reason = quality.reason;
            }
            self.bad += 1;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
