//! Tables: one wide table per bus and message, with names every reader of the lake takes.

use std::collections::HashSet;
use std::sync::Arc;

use signals::table::{Q, SA, TS};
use signals::{Range, Signal, Table, TableError, column_name};

use crate::plan::{DecodePlan, Key, MessagePlan};

/// What the tables of a bus are named after.
#[derive(Clone, Debug)]
pub struct Naming {
    /// Tables are called `<bus>_<message>`; it is also their device.
    pub bus: String,
    /// Signals are called `<path>/<message>/<signal>`.
    pub path: String,
}

/// One table per message of the plan, in its order; `None` for messages without signals.
///
/// # Errors
/// [`TableError`] never for names made here; it is passed on rather than hidden.
pub fn tables_of(
    plan: &DecodePlan,
    naming: &Naming,
) -> Result<Vec<Option<Arc<Table>>>, TableError> {
    let mut tables = HashSet::new();
    let mut stems = HashSet::new();
    plan.messages()
        .iter()
        .map(|message| {
            if message.signals.is_empty() {
                return Ok(None);
            }
            let table = unique(&mut tables, &format!("{}_{}", naming.bus, message.name));
            let stem = unique(&mut stems, &message.name);
            let by_source_address = matches!(message.key, Key::Pgn(_));
            let signals = signals_of(message, &format!("{}/{stem}", naming.path));
            Table::of_signals(table, &naming.bus, by_source_address, signals).map(Some)
        })
        .collect()
}

fn signals_of(message: &MessagePlan, path: &str) -> Vec<Signal> {
    let mut names: HashSet<String> = [TS, Q, SA].map(str::to_owned).into();
    let of_signal = |signal: &crate::plan::SignalPlan| {
        let def = &signal.def;
        let column = unique(&mut names, &def.name);
        let (low, high) = def.limits;
        Signal {
            unit: Some(def.unit.clone()).filter(|unit| !unit.is_empty()),
            description: def.comment.clone(),
            range: (high > low).then_some(Range { low, high }),
            labels: def.labels.clone(),
            source: format!("{}.{}", message.name, def.name),
            ..Signal::new(format!("{path}/{column}"), column, signal.kind)
        }
    };
    message.signals.iter().map(of_signal).collect()
}

/// The column name of `name`, with `_2`, `_3` … when it is taken.
fn unique(taken: &mut HashSet<String>, name: &str) -> String {
    let stem = column_name(name);
    let mut candidate = stem.clone();
    let mut number = 2_u32;
    while !taken.insert(candidate.clone()) {
        candidate = format!("{stem}_{number}");
        number += 1;
    }
    candidate
}
