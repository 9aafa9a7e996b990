//! Puts statements together to a database: names, comments, labels, number types, presence.

use std::collections::{HashMap, HashSet};

use can_dbc::{ByteOrder, MessageId, NumericValue, ValueType};

use super::about::{About, SignalKey};
use super::lint::{LintSeverity, Lints, Place};
use super::load::{RawMessage, Statements};
use super::{Database, Gate, MESSAGE_BYTES_MAX, Message, Number, SIGNALS_MAX, SignalDef, mux};
use crate::bits::Field;

/// Units that say that more than 64 bits are characters.
const TEXT_UNITS: [&str; 4] = ["ascii", "char", "string", "text"];
/// Signals of a message up to which every pair is checked for overlap.
const OVERLAP_CHECK_MAX: usize = 300;

/// Builds the database of a file.
pub(super) fn database(file: &str, statements: Statements) -> Database {
    let Statements { messages: raw, about, mut lint, .. } = statements;
    let mut messages = Vec::with_capacity(raw.len());
    let mut seen: HashMap<u32, String> = HashMap::new();
    let mut known: HashSet<SignalKey> = HashSet::new();
    for raw in raw {
        let id = raw.message.id.raw();
        known.extend(raw.message.signals.iter().map(|s| (id, s.name.clone())));
        if let Some(first) = seen.get(&id) {
            let place = Place { message: &raw.message.name, ..Place::line(file, raw.line) };
            let text = format!("has the identifier of {first}; the first one counts");
            lint.add(LintSeverity::Warning, place, text);
            continue;
        }
        let built = message(file, raw, &about, &mut lint);
        seen.insert(id, built.name.clone());
        messages.push(built);
    }
    for (line, keyword, (id, signal)) in about.mentions {
        if !known.contains(&(id, signal.clone())) {
            let place = Place { signal: &signal, ..Place::line(file, line) };
            let text = format!("{keyword} for a signal that does not exist is ignored");
            lint.add(LintSeverity::Note, place, text);
        }
    }
    if messages.is_empty() {
        lint.add(LintSeverity::Note, Place::line(file, 0), "holds no messages");
    }
    Database { file: file.to_owned(), messages, lint }
}

fn message(file: &str, mut raw: RawMessage, about: &About, lint: &mut Lints) -> Message {
    let (id, extended) = match raw.message.id {
        MessageId::Standard(id) => (u32::from(id), false),
        MessageId::Extended(id) => (id, true),
    };
    let key = raw.message.id.raw();
    let name = about.message_names.get(&key).unwrap_or(&raw.message.name).clone();
    let place = Place { message: &name, ..Place::line(file, raw.line) };
    let bytes = raw.message.size.min(MESSAGE_BYTES_MAX);
    if bytes < raw.message.size {
        let text = format!("{} bytes is longer than any message can be", raw.message.size);
        lint.add(LintSeverity::Warning, place, text);
    }
    if raw.message.signals.len() > SIGNALS_MAX {
        let text = format!("only the first {SIGNALS_MAX} signals of a message are taken");
        lint.add(LintSeverity::Error, place, text);
        raw.message.signals.truncate(SIGNALS_MAX);
        raw.marks.truncate(SIGNALS_MAX);
    }
    let gates = about.gates.get(&key).map_or(&[][..], Vec::as_slice);
    let multiplexing = mux::resolve(&raw, gates, place, lint);
    let mut slots = Vec::with_capacity(raw.message.signals.len());
    let signals = raw.message.signals.iter().zip(&raw.marks).zip(multiplexing.gates);
    for ((signal, (line, _)), gate) in signals {
        let place = Place { line: *line, signal: &signal.name, ..place };
        slots.push(match gate {
            Ok(gate) => self::signal(signal, (key, bytes), about, (place, lint))
                .map(|signal| SignalDef { gate, ..signal }),
            Err(()) => None,
        });
    }
    let signals = without_gaps(slots, place, lint);
    lint_signals(&signals, place, lint);
    Message {
        id,
        extended,
        bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        j1939: extended && about.is_j1939(key),
        cycle: about.cycles.get(&key).copied(),
        comment: about.message_comments.get(&key).cloned().filter(|c| !c.is_empty()),
        line: raw.line,
        signals,
        name,
    }
}

fn signal(
    raw: &can_dbc::Signal,
    (message, bytes): (u32, u64),
    about: &About,
    (place, lint): (Place<'_>, &mut Lints),
) -> Option<SignalDef> {
    let key = (message, raw.name.clone());
    let big_endian = raw.byte_order == ByteOrder::BigEndian;
    let field = Field::new(raw.start_bit, raw.size, big_endian);
    let inside = field.filter(|f| u64::try_from(f.needs()).is_ok_and(|needs| needs <= bytes));
    let Some(field) = inside else {
        let text = match raw.size {
            0 => "has no bits; the signal is left out".to_owned(),
            1.. => format!("reaches past the {bytes} bytes of the message; the signal is left out"),
        };
        lint.add(LintSeverity::Error, place, text);
        return None;
    };
    let is_text = TEXT_UNITS.contains(&raw.unit.to_ascii_lowercase().as_str());
    let number = match (about.floats.contains(&key), field.width(), raw.value_type) {
        (true, 32, _) => Number::Float32,
        (true, 64, _) => Number::Float64,
        (true, width, _) => {
            let text = format!(
                "SIG_VALTYPE_ says floating point, which has 32 or 64 bits and not {width}; the signal is left out"
            );
            lint.add(LintSeverity::Error, place, text);
            return None;
        }
        (false, 65.., _) if is_text => Number::Text,
        (false, 65.., _) => Number::Bytes,
        (false, _, ValueType::Signed) => Number::Signed,
        (false, _, ValueType::Unsigned) => Number::Unsigned,
    };
    if raw.factor == 0.0 {
        lint.add(LintSeverity::Warning, place, "has the factor 0: every value is the offset");
    }
    Some(SignalDef {
        name: about.signal_names.get(&key).unwrap_or(&raw.name).clone(),
        line: place.line,
        field,
        number,
        factor: raw.factor,
        offset: raw.offset,
        limits: (number_of(raw.min), number_of(raw.max)),
        unit: raw.unit.clone(),
        comment: about.signal_comments.get(&key).cloned().filter(|c| !c.is_empty()),
        labels: about.labels.get(&key).cloned().unwrap_or_default(),
        gate: None,
    })
}

/// Closes the gaps left by signals that were left out; what hangs below one of them goes too.
fn without_gaps(
    mut slots: Vec<Option<SignalDef>>,
    place: Place<'_>,
    lint: &mut Lints,
) -> Vec<SignalDef> {
    loop {
        let orphan = slots.iter().position(|slot| {
            let selector = slot.as_ref().and_then(|s| s.gate.as_ref()).map(|g| g.selector);
            selector.is_some_and(|at| match slots.get(at) {
                Some(Some(selector)) => {
                    !matches!(selector.number, Number::Unsigned | Number::Signed)
                }
                Some(None) | None => true,
            })
        });
        let Some(signal) = orphan.and_then(|at| slots.get_mut(at)).and_then(Option::take) else {
            break;
        };
        let place = Place { line: signal.line, signal: &signal.name, ..place };
        let text = "its multiplexer cannot be read; the signal is left out";
        lint.add(LintSeverity::Error, place, text);
    }
    let mut places = Vec::with_capacity(slots.len());
    let mut next = 0;
    for slot in &slots {
        places.push(next);
        next += usize::from(slot.is_some());
    }
    let moved = |gate: Gate| {
        let selector = places.get(gate.selector).copied().unwrap_or(0);
        Gate { selector, ..gate }
    };
    slots
        .into_iter()
        .flatten()
        .map(|signal| SignalDef { gate: signal.gate.map(moved), ..signal })
        .collect()
}

fn lint_signals(signals: &[SignalDef], place: Place<'_>, lint: &mut Lints) {
    let mut names = HashSet::new();
    for signal in signals {
        if !names.insert(signal.name.as_str()) {
            let place = Place { line: signal.line, signal: &signal.name, ..place };
            lint.add(LintSeverity::Warning, place, "the name appears twice; its column gets `_2`");
        }
    }
    if signals.len() > OVERLAP_CHECK_MAX {
        return;
    }
    let bits: Vec<HashSet<usize>> = signals.iter().map(|s| s.field.positions().collect()).collect();
    for (at, (signal, own)) in signals.iter().zip(&bits).enumerate() {
        let other = signals.iter().zip(&bits).take(at).find(|(other, others)| {
            !own.is_disjoint(others) && !exclude_each_other(signal, other, signals)
        });
        if let Some((other, _)) = other {
            let place = Place { line: signal.line, signal: &signal.name, ..place };
            let text = format!("shares bits with {}; both are decoded", other.name);
            lint.add(LintSeverity::Note, place, text);
        }
    }
}

/// Whether one multiplexer, somewhere above both, never lets both through.
fn exclude_each_other(a: &SignalDef, b: &SignalDef, signals: &[SignalDef]) -> bool {
    let chain = |signal: &SignalDef| {
        let mut gates = Vec::new();
        let mut gate = signal.gate.clone();
        while let Some(up) = gate.take() {
            gate = signals.get(up.selector).and_then(|s| s.gate.clone());
            gates.push(up);
        }
        gates
    };
    let (of_a, of_b) = (chain(a), chain(b));
    of_a.iter().any(|x| {
        of_b.iter().any(|y| {
            let apart = |r: &(u64, u64)| y.ranges.iter().all(|s| r.1 < s.0 || s.1 < r.0);
            x.selector == y.selector && x.ranges.iter().all(apart)
        })
    })
}

fn number_of(value: NumericValue) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "limits are for display and plausibility")]
    match value {
        NumericValue::Uint(value) => value as f64,
        NumericValue::Int(value) => value as f64,
        NumericValue::Double(value) => value,
    }
}
