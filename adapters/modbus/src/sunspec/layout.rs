//! Where the points of a model stand: its definition laid over its length and its own counts.
//!
//! Pure. A device may have a shorter model than the definition (an older edition): points that do
//! not lie wholly inside its length are not there.

use super::definition::{Count, Definition, Group, Point, ScaleFactor};

/// Registers of the header: `ID` and `L`.
const HEADER: u32 = 2;
/// Points of one model; more than any device has.
const POINTS_MAX: usize = 8192;

/// A point at its place.
#[derive(Clone, Debug)]
pub(super) struct Placed<'a> {
    /// Its name in the model: `A`, `module_2.DCA`.
    pub(super) name: String,
    /// Its definition.
    pub(super) point: &'a Point,
    /// Its first register, counted from the model's `ID`.
    pub(super) offset: u32,
    /// Name in the model of the point that holds its scale factor.
    pub(super) scale_point: Option<String>,
}

/// The points of a model as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Layout<'a> {
    pub(super) points: Vec<Placed<'a>>,
}

/// What a group inside may refer to: the points of a group around it.
struct Scope {
    prefix: String,
    /// Name and first register.
    points: Vec<(String, u32)>,
}

struct Layer<'a, 'w> {
    layout: Layout<'a>,
    offset: u32,
    end: u32,
    /// Registers of the model from its `ID` on, as far as they were read.
    words: &'w [u16],
    scopes: Vec<Scope>,
    is_over: bool,
}

/// Lays a definition over a model of `length` registers behind its header.
pub(super) fn layout<'a>(definition: &'a Definition, length: u16, words: &[u16]) -> Layout<'a> {
    let end = HEADER + u32::from(length);
    let mut layer = Layer {
        layout: Layout::default(),
        offset: 0,
        end,
        words,
        scopes: Vec::new(),
        is_over: false,
    };
    layer.put_group(&definition.group, String::new());
    layer.layout
}

impl<'a> Layer<'a, '_> {
    fn put_group(&mut self, group: &'a Group, prefix: String) {
        self.scopes.push(Scope { prefix, points: Vec::new() });
        for point in &group.points {
            self.put_point(point);
        }
        for inner in &group.groups {
            let prefix = self.scopes.last().map_or("", |scope| &scope.prefix);
            let inside = format!("{prefix}{}", inner.name);
            self.put_times(inner, &inside);
        }
        self.scopes.pop();
    }

    fn put_times(&mut self, group: &'a Group, name: &str) {
        let times = match &group.count {
            None => return self.put_group(group, format!("{name}.")),
            Some(Count::Fixed(0)) if group.size() == 0 => 0,
            Some(Count::Fixed(0)) => self.end.saturating_sub(self.offset) / group.size(),
            Some(Count::Fixed(times)) => u32::from(*times),
            Some(Count::Point(point)) => self.count_of(point),
        };
        for place in 1..=times {
            if self.is_over {
                return;
            }
            self.put_group(group, format!("{name}_{place}."));
        }
    }

    /// What a count says; a count that is not implemented is 0.
    fn count_of(&mut self, name: &str) -> u32 {
        let Some((_, offset)) = self.find(name) else { return 0 };
        let word = usize::try_from(offset).ok().and_then(|place| self.words.get(place));
        match word {
            Some(&u16::MAX) => 0,
            Some(count) => u32::from(*count),
            None => {
                // Not read yet: what is behind it is laid when it has been.
                self.is_over = true;
                0
            }
        }
    }

    /// The nearest point of that name: its name in the model and its first register.
    fn find(&self, name: &str) -> Option<(String, u32)> {
        self.scopes.iter().rev().find_map(|scope| {
            let (_, offset) = scope.points.iter().find(|(known, _)| known == name)?;
            Some((format!("{}{name}", scope.prefix), *offset))
        })
    }

    fn put_point(&mut self, point: &'a Point) {
        let end = self.offset + u32::from(point.size);
        if self.is_over || end > self.end || self.layout.points.len() >= POINTS_MAX {
            self.is_over = true;
            return;
        }
        let offset = std::mem::replace(&mut self.offset, end);
        let Some(scope) = self.scopes.last_mut() else { return };
        scope.points.push((point.name.clone(), offset));
        let name = format!("{}{}", scope.prefix, point.name);
        self.layout.points.push(Placed { name, point, offset, scale_point: None });
    }
}

impl Layout<'_> {
    /// Where a read from `start` shall end: behind the last point that fits into `count_max`.
    pub(super) fn border(&self, start: u32, count_max: u16) -> Option<u32> {
        let ends = self.points.iter().map(|placed| placed.offset + u32::from(placed.point.size));
        ends.filter(|end| *end > start && *end - start <= u32::from(count_max)).max()
    }

    /// Names the scale factors: those stand in the same group, behind the value, or around it.
    pub(super) fn link_scales(&mut self) {
        let names: Vec<String> = self.points.iter().map(|placed| placed.name.clone()).collect();
        for placed in &mut self.points {
            let Some(ScaleFactor::Point(wanted)) = &placed.point.sf else { continue };
            let mut prefix = placed.name.as_str();
            placed.scale_point = loop {
                prefix = prefix.rsplit_once('.').map_or("", |(outer, _)| outer);
                let name =
                    if prefix.is_empty() { wanted.clone() } else { format!("{prefix}.{wanted}") };
                if names.contains(&name) {
                    break Some(name);
                }
                if prefix.is_empty() {
                    break None;
                }
            };
        }
    }
}
