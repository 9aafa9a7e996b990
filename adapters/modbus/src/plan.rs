//! Which registers to ask for together: the poll plan.
//!
//! In: atoms (runs of registers that belong to one value) of one area of one device.
//! Out: the set of reads with the least cost, found exactly.
//! P-1 Every atom lies inside one read.
//! P-2 No read is longer than the device allows or touches a register known not to exist, but
//! for an atom that does so by itself: it is read alone, so that its refusal is its own.

use std::collections::VecDeque;
use std::time::Duration;

use crate::config::Serial;

/// What requests cost a line, in nanoseconds of its time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CostModel {
    /// A request with its answer, whatever it reads.
    pub request: u64,
    /// Each register.
    pub register: u64,
    /// Each coil or discrete input.
    pub bit: u64,
}

impl Default for CostModel {
    /// A device on the network that answers within a millisecond.
    fn default() -> Self {
        Self::network(Duration::from_millis(1))
    }
}

impl CostModel {
    /// A line over the network: the round trip, and 4 µs a register (what a gateway to a serial
    /// line takes is part of the measured round trip).
    #[must_use]
    pub fn network(round_trip: Duration) -> Self {
        Self { request: nanos(round_trip), register: 4_000, bit: 250 }
    }

    /// A serial line: 8 characters of the request and 5 of the answer beside its values, the
    /// device's turnaround, and a silence of 3.5 characters on either side (Modbus over Serial
    /// Line V1.02, clause 2.5.1.1).
    #[must_use]
    pub fn serial(serial: &Serial, turnaround: Duration) -> Self {
        let character = character(serial);
        Self {
            request: 13 * character + nanos(turnaround) + 2 * nanos(silence(serial)),
            register: 2 * character,
            bit: character / 8,
        }
    }

    /// With a pause of the line after each answer; `floor` is the pause that is in it already.
    #[must_use]
    pub fn with_gap(self, gap: Duration, floor: Duration) -> Self {
        Self { request: self.request + nanos(gap.saturating_sub(floor)), ..self }
    }

    /// Time of one request.
    #[must_use]
    pub fn time(&self, is_bits: bool, count: u16) -> Duration {
        let each = if is_bits { self.bit } else { self.register };
        Duration::from_nanos(self.request + each * u64::from(count))
    }
}

/// The silence between frames: 3.5 characters, 1.75 ms above 19,200 bits a second.
#[must_use]
pub fn silence(serial: &Serial) -> Duration {
    if serial.baud > 19_200 {
        Duration::from_micros(1750)
    } else {
        Duration::from_nanos(character(serial) * 7 / 2)
    }
}

/// One character on the line, in nanoseconds.
fn character(serial: &Serial) -> u64 {
    u64::from(serial.bits_per_char()) * 1_000_000_000 / u64::from(serial.baud.max(1))
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX / 4)
}

/// Registers (or bits) that must come from one answer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Span {
    /// First address.
    pub start: u16,
    /// How many, at least 1.
    pub count: u16,
}

impl Span {
    /// The address after the last one.
    #[must_use]
    pub fn end(self) -> u32 {
        u32::from(self.start) + u32::from(self.count)
    }

    /// Whether all of `other` lies inside.
    #[must_use]
    pub fn holds(self, other: Self) -> bool {
        self.start <= other.start && other.end() <= self.end()
    }

    /// The shortest span that holds both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let start = self.start.min(other.start);
        let count = self.end().max(other.end()) - u32::from(start);
        Self { start, count: u16::try_from(count).unwrap_or(u16::MAX) }
    }
}

/// What a read costs the line, and what the device allows.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Cost of a request, whatever it reads, in any unit of time.
    pub request_cost: u64,
    /// Cost of each register (or bit) more, in the same unit.
    pub word_cost: u64,
    /// Registers (or bits) in one read, at least 1.
    pub count_max: u16,
    /// Addresses that do not exist, ascending.
    pub holes: Vec<u16>,
}

impl Terms {
    /// Cost of one read.
    #[must_use]
    pub fn cost(&self, read: Span) -> u64 {
        self.request_cost + self.word_cost * u64::from(read.count)
    }

    /// Where a read that ends before `end` may begin: behind the hole before it, and not so early
    /// that it gets too long.
    fn first_start(&self, end: u32) -> u32 {
        let holes_before = self.holes.partition_point(|hole| u32::from(*hole) < end);
        let hole = holes_before.checked_sub(1).and_then(|place| self.holes.get(place));
        let behind_hole = hole.map_or(0, |hole| u32::from(*hole) + 1);
        behind_hole.max(end.saturating_sub(u32::from(self.count_max)))
    }
}

/// No span ends behind it, not even a wrong one.
const REACH: u64 = 1 << 17;

/// The cheapest reads that cover all `atoms`, ascending by their start.
///
/// Exact, and linear in the atoms but for sorting them. What lies inside of another atom comes
/// with it, so that starts and ends of those that are left rise together. A plan of reads of
/// consecutive atoms loses nothing: of the reads that start at or before an atom, the last one
/// covers it if any does. Which atoms may begin the read that ends with a given one is a window
/// that only moves on, so that the best of them is kept in a queue.
#[must_use]
pub fn plan(atoms: &[Span], terms: &Terms) -> Vec<Span> {
    let (atoms, mut reads) = sort_out(atoms, terms);
    // best[n]: least cost of the first n atoms, and the atom that the last read of it begins with.
    let mut best: Vec<(u64, usize)> = Vec::with_capacity(atoms.len() + 1);
    best.push((0, 0));
    let mut begins: VecDeque<(u64, usize, u16)> = VecDeque::new();
    for (last, atom) in atoms.iter().enumerate() {
        // What a read that begins here costs, but for the words up to a common end.
        let before = best.get(last).map_or(0, |(cost, _)| *cost);
        let rank = before + terms.word_cost * (REACH - u64::from(atom.start));
        while begins.back().is_some_and(|(other, ..)| *other > rank) {
            begins.pop_back();
        }
        begins.push_back((rank, last, atom.start));
        let first_legal = terms.first_start(atom.end());
        while begins.front().is_some_and(|(_, _, start)| u32::from(*start) < first_legal) {
            begins.pop_front();
        }
        let (rank, first) = begins.front().map_or((rank, last), |(rank, first, _)| (*rank, *first));
        let words_less = terms.word_cost * (REACH - u64::from(atom.end()));
        best.push((rank - words_less + terms.request_cost, first));
    }
    let mut reached = atoms.len();
    while let Some((last, (_, first))) = reached.checked_sub(1).zip(best.get(reached)) {
        reads.extend(atoms.get(*first).zip(atoms.get(last)).map(|(from, to)| from.join(*to)));
        reached = *first;
    }
    reads.sort_unstable();
    reads
}

/// The atoms that legal reads can cover, without those inside of others, starts and ends rising;
/// and those that no legal read can, each alone.
fn sort_out(atoms: &[Span], terms: &Terms) -> (Vec<Span>, Vec<Span>) {
    let mut atoms = atoms.to_vec();
    // Of those with one start the longest first, so that the others are inside of it.
    atoms.sort_unstable_by_key(|atom| (atom.start, std::cmp::Reverse(atom.count)));
    atoms.dedup();
    let is_legal = |atom: &Span| u32::from(atom.start) >= terms.first_start(atom.end());
    let (mut legal, alone): (Vec<Span>, Vec<Span>) = atoms.into_iter().partition(is_legal);
    let mut end = 0;
    legal.retain(|atom| {
        let is_new = atom.end() > end;
        end = end.max(atom.end());
        is_new
    });
    (legal, alone)
}

#[cfg(test)]
mod tests;
