//! A scan: what is read of one device at one period, and how its answers become one row.
//!
//! In: for each read the words, or the reason why there are none. Out: one row of the scan's
//! table, with a value or a flaw for every signal.

mod answers;
mod cut;

use std::sync::Arc;
use std::time::Duration;

use signals::{BatchBuilder, ClockState, Quality, QualityClass, Reason, Table, Timestamp};

use crate::area::{Address, Area};
use crate::decode::Format;
use crate::plan::{Span, Terms, plan};

pub use answers::Answers;
pub(crate) use cut::Cut;

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

/// When a row was sampled.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// UTC: the middle of the exchange.
    pub ts: Timestamp,
    /// Half the time from the first request sent to the last answer received.
    pub error: Duration,
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
    sources: Vec<(u16, u16)>,
    reads: Vec<Read>,
    /// The reads as planned, before any was cut.
    planned: Vec<Read>,
    /// What the configuration says of the device.
    limits: Limits,
}

impl Scan {
    /// A planned scan; `points` are in the order of the table's signals.
    #[must_use]
    pub fn new(table: Arc<Table>, period: Duration, points: Vec<Point>, limits: &Limits) -> Self {
        let reads = reads_of(&points, limits, &[]);
        let (planned, limits) = (reads.clone(), limits.clone());
        let mut scan = Self { table, period, points, sources: Vec::new(), reads, planned, limits };
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
        builder.time_error(stamp.error);
        let mut tally = Tally { signals: self.points.len(), ..Tally::default() };
        let mut text = String::new();
        for (signal, (point, (read, first))) in self.points.iter().zip(&self.sources).enumerate() {
            let words = answers.get(usize::from(*read)).and_then(|words| {
                let first = usize::from(*first);
                let last = first + usize::from(point.format.words());
                words.get(first..last).ok_or(Reason::QuantityMismatch)
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

    /// Finds the read and the place in its answer for every point.
    fn locate(&mut self) {
        // Reads in order of area and start; among those that start at or before a point, one of
        // the last ones holds it (P-1 of the plan), and the search back ends at the first.
        let key = |area: Area, start: u16| (area.function(), start);
        let mut order: Vec<u16> =
            (0..u16::try_from(self.reads.len()).unwrap_or(u16::MAX)).collect();
        order.sort_unstable_by_key(|place| {
            self.reads.get(usize::from(*place)).map(|read| key(read.area, read.start))
        });
        let source = |point: &Point| {
            let wanted = key(point.address.area, point.address.offset);
            let after = order.partition_point(|place| {
                self.reads
                    .get(usize::from(*place))
                    .is_some_and(|read| key(read.area, read.start) <= wanted)
            });
            order.get(..after)?.iter().rev().find_map(|place| {
                let read = self.reads.get(usize::from(*place))?;
                let first = point.address.offset.checked_sub(read.start)?;
                let last = u32::from(first) + u32::from(point.format.words());
                let inside = read.area == point.address.area && last <= u32::from(read.count);
                inside.then_some((*place, first))
            })
        };
        self.sources = self.points.iter().map(|p| source(p).unwrap_or((u16::MAX, 0))).collect();
    }
}

/// The cheapest reads that bring all points and cross no border.
fn reads_of(points: &[Point], limits: &Limits, borders: &[Address]) -> Vec<Read> {
    let mut reads = Vec::new();
    for area in Area::ALL {
        let terms = Terms {
            request_cost: REQUEST_COST,
            word_cost: if area.holds_bits() { BIT_COST } else { REGISTER_COST },
            count_max: if area.holds_bits() { limits.bits_max } else { limits.registers_max },
            holes: limits.of_area(area),
        };
        let mut atoms: Vec<Span> =
            points.iter().filter(|p| p.address.area == area).map(Point::span).collect();
        atoms.sort_unstable();
        for part in cut::parts(&atoms, area, borders) {
            let spans = plan(part, &terms);
            reads.extend(spans.into_iter().map(|span| Read::new(area, span)));
        }
    }
    reads
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
