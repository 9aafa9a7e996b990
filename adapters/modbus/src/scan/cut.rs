//! Cutting reads that a device refuses, where no value is lost, and planning anew with what it
//! taught.

use crate::area::{Address, Area};
use crate::plan::Span;

use super::atoms::Atoms;
use super::{Limits, Read, Scan, reads_of};

/// Where a read was cut in two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Cut {
    /// The read that was refused.
    pub(crate) whole: Read,
    /// The last value before the cut and those it overlaps with.
    pub(crate) before: Span,
    /// The first value after the cut.
    pub(crate) after: Span,
}
impl Cut {
    /// Registers between the two halves that nobody wants.
    pub(crate) fn gap(self) -> u32 {
        u32::from(self.after.start).saturating_sub(self.before.end())
    }

    /// The shortest read over the cut.
    pub(crate) fn across(self) -> Option<Read> {
        let count = self.after.end().checked_sub(u32::from(self.before.start))?;
        let count = u16::try_from(count).ok()?;
        Some(Read { area: self.whole.area, start: self.before.start, count })
    }

    /// The first address behind the cut.
    pub(crate) fn border(self) -> Address {
        Address { area: self.whole.area, offset: self.after.start }
    }
}

impl Scan {
    /// Cuts a read in two between values, near its middle, at a gap if there is one.
    ///
    /// `None` when it cannot be cut, because it holds one value.
    pub(crate) fn cut(&mut self, place: usize) -> Option<Cut> {
        let whole = self.reads.get(place).copied()?;
        let cut = self.cut_of(place, whole)?;
        let before_count = u16::try_from(cut.before.end() - u32::from(whole.start)).ok()?;
        let end = u32::from(whole.start) + u32::from(whole.count);
        let after_count = u16::try_from(end - u32::from(cut.after.start)).ok()?;
        let before = Read { count: before_count, ..whole };
        let after = Read { start: cut.after.start, count: after_count, ..whole };
        self.reads.splice(place..=place, [before, after]);
        self.locate();
        Some(cut)
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

    /// The limits of the configuration.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Plans anew within other limits; no read crosses a border, which is the first address
    /// behind it.
    pub(crate) fn replan(&mut self, limits: &Limits, borders: &[Address]) {
        self.reads = reads_of(&self.points, limits, borders);
        self.planned.clone_from(&self.reads);
        self.locate();
    }

    fn cut_of(&self, place: usize, whole: Read) -> Option<Cut> {
        let own = self.sources.iter().map(|(read, _)| usize::from(*read) == place);
        let atoms = Atoms::of(&self.points, &self.limits);
        let of_read = atoms.of_points.iter().zip(&self.points).zip(own);
        let of_read = of_read.filter(|((_, point), own)| *own && point.address.area == whole.area);
        let wanted = of_read.map(|((span, _), _)| *span);
        let alone = atoms.alone.iter().filter(|(area, _)| *area == whole.area).map(|(_, s)| *s);
        let inside = |atom: &Span| whole.span().holds(*atom);
        let mut atoms: Vec<Span> = wanted.chain(alone).filter(inside).collect();
        atoms.sort_unstable();
        // Borders between runs of overlapping atoms, and how far each lies from the middle.
        let middle = u32::from(whole.start) * 2 + u32::from(whole.count);
        let near = u32::from(whole.count) / 2;
        let (mut best, mut run) = (None, *atoms.first()?);
        for atom in atoms {
            if let Some(gap) = u32::from(atom.start).checked_sub(run.end()) {
                let distance = (run.end() + u32::from(atom.start)).abs_diff(middle);
                // A gap in the middle half is worth more than the very middle: holes are in gaps.
                let rank = (gap == 0 || distance > near, distance);
                if best.is_none_or(|(other, _)| rank < other) {
                    best = Some((rank, Cut { whole, before: run, after: atom }));
                }
                run = atom;
            } else {
                let end = run.end().max(atom.end());
                run.count = u16::try_from(end - u32::from(run.start)).unwrap_or(u16::MAX);
            }
        }
        best.map(|(_, cut)| cut)
    }
}

/// Atoms, ascending, in parts that no border runs through. An atom over a border stays whole.
pub(super) fn parts<'a>(
    atoms: &'a [Span],
    area: Area,
    borders: &'a [Address],
) -> impl Iterator<Item = &'a [Span]> {
    let side = move |atom: &Span| {
        borders.iter().filter(|b| b.area == area && b.offset <= atom.start).count()
    };
    atoms.chunk_by(move |before, after| side(before) == side(after))
}
