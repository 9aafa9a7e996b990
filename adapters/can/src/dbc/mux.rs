//! Multiplexing: which signal is present when.

use std::collections::HashMap;

use can_dbc::{ExtendedMultiplex, MultiplexIndicator};

use super::Gate;
use super::lint::{LintSeverity, Lints, Place};
use super::load::RawMessage;

/// The multiplexing of one message, signal by signal, in the order of the message.
pub(super) struct Multiplexing {
    /// `Err` for a signal whose presence cannot be told; it is left out.
    pub(super) gates: Vec<Result<Option<Gate>, ()>>,
}

/// Works out the multiplexing of a message.
///
/// `SG_MUL_VAL_` names the multiplexer. Without it, `m3` belongs to the only multiplexer of the
/// message; where there is none or several, nobody can say, and the signal counts as always
/// present. A bare `m` is the multiplexer when there is no other.
pub(super) fn resolve(
    raw: &RawMessage,
    extended: &[ExtendedMultiplex],
    place: Place<'_>,
    lints: &mut Lints,
) -> Multiplexing {
    let sole = sole_multiplexer(raw, place, lints);
    let mut by_signal: HashMap<&str, Vec<&ExtendedMultiplex>> = HashMap::new();
    for one in extended {
        by_signal.entry(&one.signal_name).or_default().push(one);
    }
    let mut gates = Vec::with_capacity(raw.message.signals.len());
    for (signal, (line, _)) in raw.message.signals.iter().zip(&raw.marks) {
        let place = Place { line: *line, signal: &signal.name, ..place };
        let of_signal = by_signal.get(signal.name.as_str()).map_or(&[][..], Vec::as_slice);
        let number = match signal.multiplexer_indicator {
            MultiplexIndicator::Plain => {
                if !of_signal.is_empty() {
                    let text = "SG_MUL_VAL_ for a signal without a multiplexer mark is ignored";
                    lints.add(LintSeverity::Warning, place, text);
                }
                gates.push(Ok(None));
                continue;
            }
            MultiplexIndicator::Multiplexor => None,
            MultiplexIndicator::MultiplexedSignal(number)
            | MultiplexIndicator::MultiplexorAndMultiplexedSignal(number) => Some(number),
        };
        let above = Above { raw, named: of_signal, sole };
        gates.push(above.gate(number, place, lints));
    }
    break_cycles(raw, &mut gates, place, lints);
    Multiplexing { gates }
}

/// What is known of the multiplexer above one signal.
struct Above<'a> {
    raw: &'a RawMessage,
    /// `SG_MUL_VAL_` statements of the signal.
    named: &'a [&'a ExtendedMultiplex],
    /// The only multiplexer of the message.
    sole: Option<usize>,
}

impl Above<'_> {
    /// The gate of a signal with this number after its `m`.
    fn gate(
        &self,
        number: Option<u64>,
        place: Place<'_>,
        lints: &mut Lints,
    ) -> Result<Option<Gate>, ()> {
        let Some(first) = self.named.first() else {
            return Ok(match (self.sole, number) {
                (Some(selector), Some(number)) => {
                    Some(Gate { selector, ranges: vec![(number, number)] })
                }
                (None, Some(_)) => {
                    let text = "nothing says which multiplexer selects it; taken as always present";
                    lints.add(LintSeverity::Warning, place, text);
                    None
                }
                (_, None) => None,
            });
        };
        let name = &first.multiplexor_signal_name;
        let Some(selector) = self.raw.message.signals.iter().position(|s| s.name == *name) else {
            let text =
                format!("its multiplexer {name} is not in the message; the signal is left out");
            lints.add(LintSeverity::Error, place, text);
            return Err(());
        };
        let mut ranges: Vec<(u64, u64)> = self
            .named
            .iter()
            .filter(|e| e.multiplexor_signal_name == *name)
            .flat_map(|e| e.mappings.iter().map(|m| (m.min_value, m.max_value)))
            .collect();
        if self.sole == Some(selector) {
            ranges.extend(number.map(|n| (n, n)));
        }
        Ok(Some(Gate { selector, ranges: merged(ranges) }))
    }
}

/// The place of the only signal marked as a multiplexer, a lone bare `m` included.
fn sole_multiplexer(raw: &RawMessage, place: Place<'_>, lints: &mut Lints) -> Option<usize> {
    let marked = |indicator: MultiplexIndicator| {
        matches!(
            indicator,
            MultiplexIndicator::Multiplexor
                | MultiplexIndicator::MultiplexorAndMultiplexedSignal(_)
        )
    };
    let mut found = None;
    for (at, signal) in raw.message.signals.iter().enumerate() {
        if marked(signal.multiplexer_indicator) && found.replace(at).is_some() {
            return None;
        }
    }
    let bare: Vec<usize> =
        raw.marks.iter().enumerate().filter(|(_, (_, bare))| *bare).map(|(at, _)| at).collect();
    for &at in &bare {
        let (Some(signal), Some((line, _))) = (raw.message.signals.get(at), raw.marks.get(at))
        else {
            continue;
        };
        let text = if found.is_none() && bare.len() == 1 {
            "multiplexer mark `m` without a number; taken as the multiplexer `M`"
        } else {
            "multiplexer mark `m` without a number; taken as always present"
        };
        let place = Place { line: *line, signal: &signal.name, ..place };
        lints.add(LintSeverity::Warning, place, text);
    }
    match (found, bare.as_slice()) {
        (None, [at]) => Some(*at),
        (found, _) => found,
    }
}

/// Multiplexers that select each other can never be told: all of them are left out.
fn break_cycles(
    raw: &RawMessage,
    gates: &mut [Result<Option<Gate>, ()>],
    place: Place<'_>,
    lints: &mut Lints,
) {
    let parent = |at: usize, gates: &[Result<Option<Gate>, ()>]| {
        gates.get(at).and_then(|g| g.as_ref().ok()?.as_ref().map(|g| g.selector))
    };
    for at in 0..gates.len() {
        let mut up = parent(at, gates);
        let mut steps = 0;
        while let Some(next) = up.filter(|_| steps <= gates.len()) {
            up = parent(next, gates);
            steps += 1;
        }
        if steps > gates.len() {
            let (line, signal) = match (raw.marks.get(at), raw.message.signals.get(at)) {
                (Some((line, _)), Some(signal)) => (*line, signal.name.as_str()),
                _ => (place.line, ""),
            };
            let text = "its multiplexers select each other; the signal is left out";
            lints.add(LintSeverity::Error, Place { line, signal, ..place }, text);
            if let Some(gate) = gates.get_mut(at) {
                *gate = Err(());
            }
        }
    }
}

/// Sorted, without overlaps; a range that ends before it begins is dropped.
fn merged(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ranges.retain(|(low, high)| low <= high);
    ranges.sort_unstable();
    let mut out: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
    for (low, high) in ranges {
        match out.last_mut() {
            Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
            Some(_) | None => out.push((low, high)),
        }
    }
    out
}
