//! Decode plan: what to do with every identifier, worked out once from all databases of a bus.

use signals::ValueType;

use crate::bits::Payload;
use crate::dbc::{Database, Gate, Lint, LintSeverity, Message, Number, SignalDef};
use crate::frame::{Frame, FrameKind};
use crate::j1939::{self, State};
use crate::watch::Expectation;

mod kind;
mod lookup;
mod selectors;

use kind::{counts_or_checks, kind_of};
use lookup::Lookup;
pub use selectors::Selector;
use selectors::{is_open, selectors_of};

/// How frames find their message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Matching {
    /// By the whole identifier.
    Exact,
    /// 29-bit identifiers by parameter group, whatever priority and source address.
    Pgn,
    /// By parameter group where the database says J1939, else by the whole identifier.
    #[default]
    Auto,
}

/// What a message is found by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Key {
    /// Identifier of 11 bits.
    Standard(u32),
    /// Identifier of 29 bits.
    Extended(u32),
    /// J1939 parameter group number.
    Pgn(u32),
}

/// Everything a decoder needs. Immutable.
#[derive(Debug)]
pub struct DecodePlan {
    messages: Vec<MessagePlan>,
    lookup: Lookup,
    by_pgn: bool,
    /// Whether some message is found by a whole 29-bit identifier.
    by_extended: bool,
    lint: Vec<Lint>,
}

/// One message.
#[derive(Debug)]
pub struct MessagePlan {
    /// Name in the database's spelling.
    pub name: String,
    /// What it is found by.
    pub key: Key,
    /// Length in bytes, as the database says.
    pub bytes: u32,
    /// Its comment.
    pub comment: Option<String>,
    /// File of the database.
    pub file: String,
    /// Line in the file.
    pub line: u32,
    /// Multiplexers, each after the one that selects it.
    pub selectors: Vec<Selector>,
    /// Signals to decode, in the order of the database.
    pub signals: Vec<SignalPlan>,
    /// What is expected of it.
    pub expected: Expectation,
}

/// One signal.
#[derive(Clone, Debug)]
pub struct SignalPlan {
    /// Definition in the database.
    pub def: SignalDef,
    /// Type of its column.
    pub kind: ValueType,
    /// Present only while a selector (of [`MessagePlan::selectors`]) says so.
    gate: Option<Gate>,
    identity: bool,
    /// Raw values from here on are none by the ranges of J1939, where they apply.
    valid_below: Option<u64>,
}

/// A raw value, exactly.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Raw {
    /// Unsigned integer.
    Unsigned(u64),
    /// Signed integer.
    Signed(i64),
    /// Bits of a binary32.
    Float32(u32),
    /// Bits of a binary64.
    Float64(u64),
    /// More than 64 bits: take them with [`Field::bytes`].
    Wide,
}

/// What a payload holds for a signal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reading {
    /// Another multiplexer branch.
    Absent,
    /// The payload ends before the signal does.
    Truncated,
    /// A raw value.
    Raw(Raw),
}

impl DecodePlan {
    /// The plan for databases in the order of their configuration: where two claim an identifier,
    /// the first one wins and the lint names both.
    ///
    /// `wanted` says which signals to decode, by message and signal name.
    #[must_use]
    pub fn new(
        databases: &[Database],
        matching: Matching,
        wanted: impl Fn(&str, &str) -> bool,
    ) -> Self {
        let mut plan = Self {
            messages: Vec::new(),
            lookup: Lookup::default(),
            by_pgn: false,
            by_extended: false,
            lint: Vec::new(),
        };
        for database in databases {
            for message in &database.messages {
                let key = key_of(message, matching);
                plan.add(MessagePlan::new(&database.file, message, key, &wanted));
            }
        }
        plan
    }

    /// The messages; those without a wanted signal are known but not decoded.
    #[must_use]
    pub fn messages(&self) -> &[MessagePlan] {
        &self.messages
    }

    /// The messages of a name, to say what is expected of them.
    pub(crate) fn named_mut<'a>(
        &'a mut self,
        name: &'a str,
    ) -> impl Iterator<Item = &'a mut MessagePlan> {
        self.messages.iter_mut().filter(move |message| message.name == name)
    }

    /// All cycles that nobody has named are to be learned.
    pub(crate) fn learn_cycles(&mut self) {
        for message in &mut self.messages {
            message.expected.learns = true;
        }
    }

    /// Whether some message is found by its parameter group: the bus speaks J1939 or NMEA 2000.
    #[must_use]
    pub const fn by_pgn(&self) -> bool {
        self.by_pgn
    }

    /// The place of the message of a key.
    #[must_use]
    pub fn of_key(&self, key: Key) -> Option<usize> {
        self.lookup.get(key)
    }

    /// Identifiers that two messages claim.
    #[must_use]
    pub fn lint(&self) -> &[Lint] {
        &self.lint
    }

    /// The place of the message a frame carries; `None` for an unknown one and for remote and
    /// error frames, which are never decoded.
    #[must_use]
    #[inline]
    pub fn find(&self, frame: &Frame) -> Option<usize> {
        if frame.kind != FrameKind::Data {
            return None;
        }
        if !frame.extended {
            return self.lookup.get(Key::Standard(frame.id));
        }
        let exact = self.by_extended.then(|| self.lookup.get(Key::Extended(frame.id))).flatten();
        if !self.by_pgn {
            return exact;
        }
        let group = self.lookup.get(Key::Pgn(j1939::pgn(frame.id)));
        match (exact, group) {
            (Some(exact), Some(group)) => Some(exact.min(group)),
            (exact, group) => exact.or(group),
        }
    }

    fn add(&mut self, message: MessagePlan) {
        let by_pgn = matches!(message.key, Key::Pgn(_));
        if let Some(first) = self.lookup.get(message.key).and_then(|at| self.messages.get(at)) {
            let what = if by_pgn { "parameter group" } else { "identifier" };
            let text = format!(
                "{} of {} (line {}) has the same {what}; the first one counts",
                first.name, first.file, first.line
            );
            self.lint.push(Lint {
                file: message.file,
                line: message.line,
                message: message.name,
                signal: String::new(),
                severity: LintSeverity::Warning,
                text,
            });
            return;
        }
        self.by_pgn |= by_pgn;
        self.by_extended |= matches!(message.key, Key::Extended(_));
        self.lookup.insert(message.key, self.messages.len());
        self.messages.push(message);
    }
}

fn key_of(message: &Message, matching: Matching) -> Key {
    let by_pgn = match matching {
        Matching::Exact => false,
        Matching::Pgn => message.extended,
        Matching::Auto => message.j1939,
    };
    match (by_pgn, message.extended) {
        (true, _) => Key::Pgn(j1939::pgn(message.id)),
        (false, true) => Key::Extended(message.id),
        (false, false) => Key::Standard(message.id),
    }
}

impl MessagePlan {
    fn new(file: &str, message: &Message, key: Key, wanted: &impl Fn(&str, &str) -> bool) -> Self {
        let (selectors, places) = selectors_of(&message.signals);
        let ranged = matches!(key, Key::Pgn(group) if !j1939::is_proprietary(group));
        let moved = |gate: &Gate| {
            let selector = places.get(gate.selector).copied().flatten().unwrap_or(usize::MAX);
            Gate { selector, ranges: gate.ranges.clone() }
        };
        let signals = message
            .signals
            .iter()
            .filter(|signal| wanted(&message.name, &signal.name))
            .map(|signal| {
                let gate = signal.gate.as_ref().map(moved);
                SignalPlan::new(signal.clone(), gate, ranged)
            })
            .collect();
        Self {
            name: message.name.clone(),
            key,
            bytes: message.bytes,
            comment: message.comment.clone(),
            file: file.to_owned(),
            line: message.line,
            selectors,
            signals,
            expected: Expectation { cycle: message.cycle, ..Expectation::default() },
        }
    }

    /// Values of the multiplexer at this place among the selectors that some signal or another
    /// multiplexer depends on, at most `most`.
    pub(crate) fn branches(&self, place: usize, most: usize) -> Vec<u64> {
        let gates = self.signals.iter().map(|signal| signal.gate.as_ref());
        let gates = gates.chain(self.selectors.iter().map(|selector| selector.gate.as_ref()));
        let of_this = gates.flatten().filter(|gate| gate.selector == place);
        let mut values: Vec<u64> =
            of_this.flat_map(|gate| gate.ranges.iter().map(|range| range.0)).collect();
        values.sort_unstable();
        values.dedup();
        values.truncate(most);
        values
    }

    /// Whether a signal is one of the multiplexers.
    pub(crate) fn selects(&self, signal: &SignalPlan) -> bool {
        self.selectors.iter().any(|selector| selector.field == signal.def.field)
    }

    /// Reads all multiplexers of a payload into `chosen`, one per selector; `None` for one that
    /// is not selected itself or not in the payload.
    #[inline]
    pub fn choose(&self, payload: &Payload, chosen: &mut Vec<Option<u64>>) {
        chosen.clear();
        for selector in &self.selectors {
            let open = is_open(selector.gate.as_ref(), chosen);
            let held = selector.field.needs() <= payload.len();
            chosen.push((open && held).then(|| selector.field.unsigned(payload)));
        }
    }
}

impl SignalPlan {
    fn new(def: SignalDef, gate: Option<Gate>, j1939: bool) -> Self {
        #[expect(clippy::float_cmp, reason = "exactly 1 and 0 leave the raw value as it is")]
        let identity = def.factor == 1.0 && def.offset == 0.0;
        let ranged = j1939 && def.number == Number::Unsigned && !counts_or_checks(&def);
        let valid_below = j1939::valid_below(def.field.width()).filter(|_| ranged);
        Self { kind: kind_of(&def, identity), gate, identity, valid_below, def }
    }

    /// What the payload holds. `chosen` is that of [`MessagePlan::choose`] for this payload.
    #[must_use]
    #[inline]
    pub fn read(&self, payload: &Payload, chosen: &[Option<u64>]) -> Reading {
        let field = &self.def.field;
        if !is_open(self.gate.as_ref(), chosen) {
            return Reading::Absent;
        }
        if field.needs() > payload.len() {
            return Reading::Truncated;
        }
        Reading::Raw(match self.def.number {
            Number::Unsigned => Raw::Unsigned(field.unsigned(payload)),
            Number::Signed => Raw::Signed(field.signed(payload)),
            #[expect(clippy::cast_possible_truncation, reason = "the field has 32 bits")]
            Number::Float32 => Raw::Float32(field.unsigned(payload) as u32),
            Number::Float64 => Raw::Float64(field.unsigned(payload)),
            Number::Bytes | Number::Text => Raw::Wide,
        })
    }

    /// The physical value: raw × factor + offset with two roundings, or the raw value itself when
    /// factor and offset change nothing. NaN for more than 64 bits.
    #[must_use]
    #[inline]
    pub fn physical(&self, raw: Raw) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "physical values are binary64")]
        let number = match raw {
            Raw::Unsigned(raw) => raw as f64,
            Raw::Signed(raw) => raw as f64,
            Raw::Float32(bits) => f64::from(f32::from_bits(bits)),
            Raw::Float64(bits) => f64::from_bits(bits),
            Raw::Wide => f64::NAN,
        };
        if self.identity { number } else { number * self.def.factor + self.def.offset }
    }

    /// Whether the multiplexers let it be present.
    pub(crate) fn is_present(&self, chosen: &[Option<u64>]) -> bool {
        is_open(self.gate.as_ref(), chosen)
    }

    /// Whether factor and offset change nothing.
    #[must_use]
    #[inline]
    pub const fn is_identity(&self) -> bool {
        self.identity
    }

    /// What the raw value means by the ranges of J1939, where they apply to this signal.
    #[must_use]
    #[inline]
    pub fn state(&self, raw: Raw) -> State {
        match raw {
            Raw::Unsigned(raw) if self.valid_below.is_some_and(|limit| raw >= limit) => {
                j1939::state(self.def.field.width(), raw)
            }
            Raw::Unsigned(_) | Raw::Signed(_) | Raw::Float32(_) | Raw::Float64(_) | Raw::Wide => {
                State::Valid
            }
        }
    }

    /// The name the database gives to a raw value.
    #[must_use]
    pub fn label(&self, raw: Raw) -> Option<&str> {
        let key = match raw {
            Raw::Unsigned(raw) => i64::try_from(raw).ok()?,
            Raw::Signed(raw) => raw,
            Raw::Float32(_) | Raw::Float64(_) | Raw::Wide => return None,
        };
        self.def.labels.get(&key).map(String::as_str)
    }
}

#[cfg(test)]
mod tests;
