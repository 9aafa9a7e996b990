//! What must come from one answer: values, values with their scale, coherent groups.

use std::collections::HashMap;

use super::{Limits, Point};
use crate::area::{Address, Area};
use crate::plan::Span;

/// The spans of a scan's points.
#[derive(Debug, Default)]
pub(super) struct Atoms {
    /// For each point, in their order: what must come together for its sake.
    pub(super) of_points: Vec<Span>,
    /// Scales that no answer can hold together with their values.
    pub(super) alone: Vec<(Area, Span)>,
}

impl Atoms {
    pub(super) fn of(points: &[Point], limits: &Limits) -> Self {
        let mut groups: HashMap<(Area, u16), Span> = HashMap::new();
        for point in points {
            let Some(group) = point.group else { continue };
            let own = point.with_scale();
            let whole = groups.entry((point.address.area, group)).or_insert(own);
            *whole = whole.join(own);
        }
        let mut atoms = Self::default();
        for point in points {
            let area = point.address.area;
            let group = point.group.and_then(|group| groups.get(&(area, group)));
            let wishes = [group.copied(), Some(point.with_scale())];
            let fitting = wishes.into_iter().flatten().find(|span| limits.allow(area, *span));
            let atom = fitting.unwrap_or(point.span());
            if let Some(scale) = point.scale.as_ref().filter(|scale| !atom.holds(scale.span())) {
                atoms.alone.push((area, scale.span()));
            }
            atoms.of_points.push(atom);
        }
        atoms
    }

    /// All spans of one area, ascending.
    pub(super) fn in_area(&self, points: &[Point], area: Area) -> Vec<Span> {
        let of_points = points.iter().zip(&self.of_points);
        let own = of_points.filter(|(point, _)| point.address.area == area).map(|(_, span)| *span);
        let alone = self.alone.iter().filter(|(of, _)| *of == area).map(|(_, span)| *span);
        let mut spans: Vec<Span> = own.chain(alone).collect();
        spans.sort_unstable();
        spans
    }
}

impl Point {
    /// Its own registers.
    pub(super) fn span(&self) -> Span {
        Span { start: self.address.offset, count: self.format.words() }
    }

    /// Its own registers and those of its scale.
    fn with_scale(&self) -> Span {
        self.scale.as_ref().map_or(self.span(), |scale| self.span().join(scale.span()))
    }
}

impl Limits {
    /// Whether one answer can hold the span.
    fn allow(&self, area: Area, span: Span) -> bool {
        let max = if area.holds_bits() { self.bits_max } else { self.registers_max };
        let first = Address { area, offset: span.start };
        let place = self.holes.partition_point(|hole| *hole < first);
        let hole = self.holes.get(place).filter(|hole| hole.area == area);
        span.count <= max && hole.is_none_or(|hole| u32::from(hole.offset) >= span.end())
    }

    pub(super) fn of_area(&self, area: Area) -> Vec<u16> {
        self.holes.iter().filter(|hole| hole.area == area).map(|hole| hole.offset).collect()
    }
}
