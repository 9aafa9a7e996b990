//! A scan: what is read of one device at one period, and how its answers become one row.
//!
//! In: for each read the words, or the reason why there are none. Out: one row of the scan's
//! table, with a value or a flaw for every signal.

mod answers;
mod atoms;
mod cut;
mod watch;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use signals::{BatchBuilder, ClockState, Quality, QualityClass, Reason, Table, Timestamp, Value};

use crate::area::{Address, Area};
use crate::decode::Format;
use crate::plan::{CostModel, Span, Terms, plan};

pub use answers::Answers;
use atoms::Atoms;
pub(crate) use cut::Cut;
pub(crate) use watch::Watch;

/// Formats that are looked through for one that can be shared.
const FORMATS_MAX: usize = 32;

/// What a device allows in one answer, and what it lacks.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Registers in one answer, 1..=125.
    pub registers_max: u16,
    /// Bits in one answer, 1..=2000.
    pub bits_max: u16,
    /// Addresses that do not exist, ascending.
    pub holes: Vec<Address>,
    /// What a request costs the line.
    pub cost: CostModel,
}

/// One value of a scan: where it is and how it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// First register, or the coil.
    pub address: Address,
    /// How its words are read; shared by points that are read alike.
    pub format: Arc<Format>,
    /// The value that is the power of ten of this one, in the same area; it comes from the same
    /// answer wherever the device allows that.
    pub scale: Option<Box<Point>>,
    /// Points of one group come from one answer.
    pub group: Option<u16>,
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
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    table: Arc<Table>,
    period: Duration,
    /// In the order of the table's signals.
    points: Vec<Point>,
    /// For each point the read that brings it, and its first word in the answer.
    sources: Vec<(u16, u16)>,
    /// Likewise for the scale of each point; empty when no point has one.
    scales: Vec<(u16, u16)>,
    reads: Vec<Read>,
    /// The reads as planned, before any was cut.
    planned: Vec<Read>,
    /// What the configuration says of the device.
    limits: Limits,
}

impl Scan {
    /// A planned scan; `points` are in the order of the table's signals.
    #[must_use]
    pub fn new(
        table: Arc<Table>,
        period: Duration,
        mut points: Vec<Point>,
        limits: &Limits,
    ) -> Self {
        share_formats(&mut points);
        points.shrink_to_fit();
        let reads = reads_of(&points, limits, &[]);
        let (planned, limits) = (reads.clone(), limits.clone());
        let (sources, scales) = (Vec::new(), Vec::new());
        let mut scan = Self { table, period, points, sources, scales, reads, planned, limits };
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

    /// Where its values stand, in the order of the table's signals.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
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
            let source = (*read, *first);
            let quality = match answers.words(source, point.format.words()) {
                Err(reason) => Quality::bad(reason),
                Ok(words) => {
                    let decoded = match &point.scale {
                        None => point.format.decode(words, &mut text),
                        Some(scale) => {
                            let (power, from) = self.power(signal, scale, answers);
                            let mut decoded = point.format.decode_scaled(words, power);
                            if from != *read && decoded.quality.is_good() {
                                decoded.quality = Quality::uncertain(Reason::ScaleFromOtherRead);
                            }
                            decoded
                        }
                    };
                    if let Some(value) = decoded.value {
                        builder.set(signal, value);
                    }
                    if decoded.quality.is_good() && answers.is_doubtful(*read) {
                        Quality::uncertain(Reason::WatchdogStill)
                    } else {
                        decoded.quality
                    }
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
        let source = |area: Area, wanted: Span, part: Span| {
            let after = order.partition_point(|place| {
                self.reads
                    .get(usize::from(*place))
                    .is_some_and(|read| key(read.area, read.start) <= key(area, wanted.start))
            });
            order.get(..after)?.iter().rev().find_map(|place| {
                let read = self.reads.get(usize::from(*place))?;
                let inside = read.area == area && read.span().holds(wanted);
                inside.then(|| (*place, part.start - read.start))
            })
        };
        let atoms = Atoms::of(&self.points, &self.limits);
        let (mut sources, mut scales) = (Vec::with_capacity(self.points.len()), Vec::new());
        for (point, atom) in self.points.iter().zip(&atoms.of_points) {
            let (area, own) = (point.address.area, point.span());
            let together = source(area, *atom, own);
            sources.push(together.or_else(|| source(area, own, own)).unwrap_or((u16::MAX, 0)));
            let Some(scale) = &point.scale else { continue };
            let part = scale.span();
            scales.resize(sources.len().saturating_sub(1), (u16::MAX, 0));
            let beside =
                together.filter(|_| atom.holds(part)).and_then(|_| source(area, *atom, part));
            scales.push(beside.or_else(|| source(area, part, part)).unwrap_or((u16::MAX, 0)));
        }
        (self.sources, self.scales) = (sources, scales);
    }

    /// The power of ten that came with a value, and the read that brought it.
    fn power(&self, signal: usize, scale: &Point, answers: &Answers) -> (Result<i64, Reason>, u16) {
        let place = self.scales.get(signal).copied().unwrap_or((u16::MAX, 0));
        let power = answers.words(place, scale.format.words()).and_then(|words| {
            let mut text = String::new();
            let decoded = scale.format.decode(words, &mut text);
            match (decoded.value, decoded.quality.reason) {
                (Some(Value::I64(power)), _) => Ok(power),
                (Some(Value::U64(power)), _) => Ok(i64::try_from(power).unwrap_or(i64::MAX)),
                (None, Reason::NotImplemented) => Err(Reason::ScaleFactorNotImplemented),
                (None, reason @ Reason::ScaleFactorOutOfRange) => Err(reason),
                (Some(_) | None, _) => Err(Reason::ScaleFactor),
            }
        });
        (power, place.0)
    }
}

/// The cheapest reads that bring all points and cross no border.
fn reads_of(points: &[Point], limits: &Limits, borders: &[Address]) -> Vec<Read> {
    let mut reads = Vec::new();
    let atoms = Atoms::of(points, limits);
    for area in Area::ALL {
        let is_bits = area.holds_bits();
        let terms = Terms {
            request_cost: limits.cost.request,
            word_cost: if is_bits { limits.cost.bit } else { limits.cost.register },
            count_max: if is_bits { limits.bits_max } else { limits.registers_max },
            holes: limits.of_area(area),
        };
        let atoms = atoms.in_area(points, area);
        for part in cut::parts(&atoms, area, borders) {
            let spans = plan(part, &terms);
            reads.extend(spans.into_iter().map(|span| Read::new(area, span)));
        }
    }
    reads
}

/// Lets points that are read alike share one format: a device has hundreds of points and a
/// handful of formats.
fn share_formats(points: &mut [Point]) {
    let mut known: VecDeque<Arc<Format>> = VecDeque::with_capacity(FORMATS_MAX);
    for point in points {
        if let Some(like) = known.iter().find(|like| **like == point.format) {
            point.format = Arc::clone(like);
            continue;
        }
        if known.len() == FORMATS_MAX {
            known.pop_front();
        }
        known.push_back(Arc::clone(&point.format));
    }
}

impl Point {
    /// A value that stands for itself.
    #[must_use]
    pub fn new(address: Address, format: Format) -> Self {
        Self { address, format: Arc::new(format), scale: None, group: None }
    }
}

impl Read {
    fn new(area: Area, span: Span) -> Self {
        Self { area, start: span.start, count: span.count }
    }

    pub(crate) fn span(self) -> Span {
        Span { start: self.start, count: self.count }
    }
}

impl Default for Limits {
    /// What the protocol allows (Modbus Application Protocol V1.1b3, clauses 6.1 and 6.3).
    fn default() -> Self {
        Self { registers_max: 125, bits_max: 2000, holes: Vec::new(), cost: CostModel::default() }
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
