//! `SunSpec`: what a device says of itself, found by walking its chain of models.
//!
//! A map begins with the marker `SunS` at 40000, 0 or 50000; then come models, each with its
//! number, its length and as many registers, up to number 0xFFFF (`SunSpec` Device Information
//! Model Specification, clause 6). [`Walk`] says what to read next and takes the answers; it does
//! no I/O. [`Map::tags`] turns what was found into tags.
//!
//! S-1 A walk ends: every step rises in the address space, and at most [`MODELS_MAX`] models are
//! taken.
//! S-2 A model that is not known is passed by its length; what is behind it is found all the same.
//! S-3 No read is longer than the device allows, and none cuts a point.

mod catalogue;
mod definition;
mod layout;

pub use catalogue::{Absent, Tag};
pub use definition::{Count, Definition, Group, Point, ScaleFactor};

use layout::layout;

use crate::area::Area;
use crate::scan::Read;
use crate::wire::Fault;

/// Where a map may begin, in the order of trying.
pub const BASES: [u16; 3] = [40_000, 0, 50_000];
/// Models in one chain; devices have one to thirty.
pub const MODELS_MAX: usize = 256;
/// `SunS`.
const MARKER: [u16; 2] = [0x5375, 0x6E53];
/// The number that ends a chain.
const END: u16 = 0xFFFF;

/// A model of a device.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its number.
    pub id: u16,
    /// Address of its `ID`, in the holding registers.
    pub address: u16,
    /// Registers behind its header.
    pub length: u16,
    /// Its definition, when one is known.
    pub definition: Option<Definition>,
    /// Its registers from `ID` on, as far as they are defined and could be read.
    pub words: Vec<u16>,
}

/// What a walk has found.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// Address of the marker; `None` when there is none.
    pub base: Option<u16>,
    /// The models, in the order of their addresses.
    pub models: Vec<Model>,
    /// What is not as it should be, in sentences for people.
    pub remarks: Vec<String>,
}

/// A walk along the chain of one unit.
#[derive(Debug)]
pub struct Walk {
    map: Map,
    registers_max: u16,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Looking for the marker at the base of this place.
    Marker(usize),
    /// Reading the header of a model.
    Header { at: u16, count: u16 },
    /// Reading the last model from this register on, counted from its `ID`.
    Body { from: u16, count: u16 },
    /// There is nothing more to read.
    Done,
}

impl Walk {
    /// A walk that reads at most `registers_max` (1..=125) registers at once.
    #[must_use]
    pub fn new(registers_max: u16) -> Self {
        Self {
            map: Map::default(),
            registers_max: registers_max.clamp(1, 125),
            state: State::Marker(0),
        }
    }

    /// What to read next; `None` when the walk has ended.
    #[must_use]
    pub fn next(&self) -> Option<Read> {
        let read = |start, count| Some(Read { area: Area::Holding, start, count });
        match self.state {
            State::Marker(place) => read(*BASES.get(place)?, 2),
            State::Header { at, count } => read(at, count),
            State::Body { from, count } => read(self.map.models.last()?.address + from, count),
            State::Done => None,
        }
    }

    /// Takes the answer to [`Walk::next`].
    ///
    /// A refusal is an answer. Other faults end the walk: the caller tells them.
    pub fn answer(&mut self, words: Result<&[u16], Fault>) {
        self.state = match (self.state, words) {
            (State::Marker(place), words) => self.after_marker(place, words),
            (State::Header { at, .. }, Ok(&[id, length])) => self.after_header(at, id, length),
            (State::Header { .. }, Ok([END])) | (State::Done, _) => State::Done,
            (State::Header { at, count: 2 }, Err(Fault::Exception(_))) => {
                // Some devices have the end's number without its length.
                State::Header { at, count: 1 }
            }
            (State::Header { at, .. }, _) => {
                self.map.remarks.push(format!(
                    "the chain breaks off: holding:{at} cannot be read, but no end (65535) came \
                     before it"
                ));
                State::Done
            }
            (State::Body { from, .. }, Ok(words)) => self.after_body(from, words),
            (State::Body { from, .. }, Err(fault)) => self.after_refusal(from, fault),
        };
    }

    /// What was found.
    #[must_use]
    pub fn finish(mut self) -> Map {
        if self.map.base.is_some() && self.map.models.is_empty() {
            self.map.remarks.push("the chain holds no model".to_owned());
        }
        self.map
    }

    fn after_marker(&mut self, place: usize, words: Result<&[u16], Fault>) -> State {
        let base = BASES.get(place).copied().unwrap_or_default();
        match words {
            Ok(words) if *words == MARKER => {
                self.map.base = Some(base);
                State::Header { at: base + 2, count: 2 }
            }
            Ok(_) | Err(Fault::Exception(_)) if place + 1 < BASES.len() => State::Marker(place + 1),
            Ok(_) | Err(_) => State::Done,
        }
    }

    fn after_header(&mut self, at: u16, id: u16, length: u16) -> State {
        if id == END {
            return State::Done;
        }
        if self.map.models.len() >= MODELS_MAX {
            self.map.remarks.push(format!(
                "there are more than {MODELS_MAX} models up to holding:{at}; the rest is left out"
            ));
            return State::Done;
        }
        let definition = Definition::of(id);
        let is_known = definition.is_some();
        let words = vec![id, length];
        self.map.models.push(Model { id, address: at, length, definition, words });
        if is_known { self.body(2) } else { self.behind() }
    }

    fn after_body(&mut self, from: u16, words: &[u16]) -> State {
        if let Some(model) = self.map.models.last_mut() {
            model.words.extend_from_slice(words);
        }
        let read = u16::try_from(words.len()).unwrap_or(u16::MAX);
        self.body(from.saturating_add(read))
    }

    fn after_refusal(&mut self, from: u16, fault: Fault) -> State {
        if let Some(model) = self.map.models.last() {
            self.map.remarks.push(format!(
                "model {} at holding:{}: from register {from} on: {fault}; its tags are taken \
                 from the definition",
                model.id, model.address
            ));
        }
        if matches!(fault, Fault::Exception(_)) { self.behind() } else { State::Done }
    }

    /// The next read inside the last model, or what is behind it.
    fn body(&mut self, from: u16) -> State {
        let Some(model) = self.map.models.last() else { return State::Done };
        let Some(definition) = &model.definition else { return self.behind() };
        let placed = layout(definition, model.length, &model.words);
        match placed.border(u32::from(from), self.registers_max) {
            Some(end) => match u16::try_from(end - u32::from(from)) {
                Ok(count) if u32::from(model.address) + end <= 1 << 16 => {
                    State::Body { from, count }
                }
                Ok(_) | Err(_) => self.behind(),
            },
            None => self.behind(),
        }
    }

    /// The header behind the last model.
    fn behind(&mut self) -> State {
        let Some(model) = self.map.models.last() else { return State::Done };
        let next = u32::from(model.address) + 2 + u32::from(model.length);
        if let Ok(at) = u16::try_from(next)
            && at < u16::MAX
        {
            return State::Header { at, count: 2 };
        }
        self.map.remarks.push(format!(
            "model {} at holding:{}: its length {} leads behind register 65535; the rest is left \
             out",
            model.id, model.address, model.length
        ));
        State::Done
    }
}

impl Map {
    /// Text of a point of the common model: `Mn` manufacturer, `Md` model, `Vr` version, `SN`
    /// serial number.
    #[must_use]
    pub fn common(&self, point: &str) -> Option<String> {
        let model = self.models.iter().find(|model| model.id == 1)?;
        let placed = layout(model.definition.as_ref()?, model.length, &model.words);
        let found = placed.points.iter().find(|placed| placed.name == point)?;
        let first = usize::try_from(found.offset).ok()?;
        let words = model.words.get(first..first + usize::from(found.point.size))?;
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0');
        (!text.is_empty()).then(|| text.to_owned())
    }
}

#[cfg(test)]
mod tests;
