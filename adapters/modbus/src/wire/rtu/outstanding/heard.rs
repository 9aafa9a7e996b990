//! What units send that were never asked: another master on the line asks them. Pure.
//!
//! One of its answers may still come when we ask the unit first. The table is of fixed size, so that
//! no frame takes memory.

use tokio::time::Instant;

use crate::wire::rtu::shape::{Frame, Shape};

/// Shapes that are told apart of a unit; with more, every answer may come.
const SHAPES_MAX: usize = 4;
/// Ids that a frame may have.
const UNITS: usize = 256;

/// What units have sent that were never asked.
#[derive(Debug)]
pub(super) struct Heard {
    /// By unit id.
    units: Box<[Voice]>,
    /// When the last of it came, whoever sent it.
    at: Option<Instant>,
}

/// Answers with data that one unit sent: function and byte count of each, 0 and 0 for none.
#[derive(Clone, Copy, Debug, Default)]
struct Voice {
    shapes: [(u8, u8); SHAPES_MAX],
    has_more: bool,
}

/// What was heard of one unit.
#[derive(Debug)]
pub(super) struct Voices {
    voice: Voice,
    /// When the last of it came, at the latest.
    pub(super) at: Instant,
}

impl Default for Heard {
    fn default() -> Self {
        Self { units: vec![Voice::default(); UNITS].into(), at: None }
    }
}

impl Heard {
    /// Takes in a frame that nobody asked for; what carries no data cannot pass for an answer.
    pub(super) fn note(&mut self, frame: &Frame, now: Instant) {
        let Some(shape) = Shape::of_data(frame).and_then(|shape| shape.counted()) else { return };
        let Some(voice) = self.units.get_mut(usize::from(frame.unit)) else { return };
        self.at = Some(now);
        let fits = |known: &&mut (u8, u8)| **known == shape || **known == (0, 0);
        match voice.shapes.iter_mut().find(fits) {
            Some(place) => *place = shape,
            None => voice.has_more = true,
        }
    }

    /// What was heard of a unit, if anything; it is forgotten here.
    pub(super) fn take(&mut self, unit: u8) -> Option<Voices> {
        let at = self.at?;
        let voice = std::mem::take(self.units.get_mut(usize::from(unit))?);
        let [first, ..] = voice.shapes;
        (first != (0, 0)).then_some(Voices { voice, at })
    }
}

impl Voices {
    /// The answers, by their shapes.
    pub(super) fn shapes(&self, unit: u8) -> impl Iterator<Item = Shape> {
        let known = self.voice.shapes.into_iter().filter(|known| *known != (0, 0));
        known.map(move |(function, bytes)| Shape::with_bytes(unit, function, bytes))
    }

    /// Whether there were more shapes than are told apart.
    pub(super) fn has_more(&self) -> bool {
        self.voice.has_more
    }
}
