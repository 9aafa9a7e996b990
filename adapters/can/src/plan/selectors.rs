//! Selectors: the multiplexers of a message, each after the one that selects it.

use crate::bits::Field;
use crate::dbc::{Gate, SignalDef};

/// A multiplexer.
#[derive(Clone, Debug)]
pub struct Selector {
    pub(super) field: Field,
    pub(super) gate: Option<Gate>,
}

impl Selector {
    /// Whether it is selected itself.
    pub(crate) fn is_open(&self, chosen: &[Option<u64>]) -> bool {
        is_open(self.gate.as_ref(), chosen)
    }

    /// Writes a value of it.
    pub(crate) fn put(&self, value: u64, payload: &mut [u8]) {
        self.field.put(value, payload);
    }
}

/// Selectors in an order where each comes after the one above it, and for every signal its place
/// among them.
pub(super) fn selectors_of(signals: &[SignalDef]) -> (Vec<Selector>, Vec<Option<usize>>) {
    let mut used = vec![false; signals.len()];
    for gate in signals.iter().filter_map(|s| s.gate.as_ref()) {
        if let Some(used) = used.get_mut(gate.selector) {
            *used = true;
        }
    }
    let mut places: Vec<Option<usize>> = vec![None; signals.len()];
    let mut selectors = Vec::new();
    loop {
        let before = selectors.len();
        for (at, signal) in signals.iter().enumerate() {
            let pending = used.get(at) == Some(&true) && places.get(at) == Some(&None);
            let gate = match &signal.gate {
                None => None,
                Some(gate) => match places.get(gate.selector) {
                    Some(Some(selector)) => {
                        Some(Gate { selector: *selector, ranges: gate.ranges.clone() })
                    }
                    Some(None) | None => continue,
                },
            };
            if pending && let Some(place) = places.get_mut(at) {
                *place = Some(selectors.len());
                selectors.push(Selector { field: signal.field, gate });
            }
        }
        if selectors.len() == before {
            return (selectors, places);
        }
    }
}

/// Whether a gate lets its signal through. `chosen` is that of [`super::MessagePlan::choose`].
#[inline]
pub(super) fn is_open(gate: Option<&Gate>, chosen: &[Option<u64>]) -> bool {
    match gate {
        None => true,
        Some(gate) => {
            chosen.get(gate.selector).copied().flatten().is_some_and(|value| gate.admits(value))
        }
    }
}
