//! Columns: one of the lake has one type for ever.
//!
//! Readers take the type of a column from one file and refuse, or misread, those where it differs.
//! A signal whose type has changed therefore goes on in a column of its own beside the old one,
//! `pressure__2`; when it changes back, in the old one again. Its path stays what it was.
//! CO-1 Table, column and type give the same name over restarts: they are in `columns.json`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use arrow_array::RecordBatch;
use pipelines_flow::disk::RealDisk;
use serde_json::Value;
use signals::{Batch, Table, ValueType, disk};

/// Types that columns have had, by table and by column as configured, in order of appearance.
type Types = BTreeMap<String, BTreeMap<String, Vec<ValueType>>>;

/// Gives columns their names.
pub struct Columns {
    file: PathBuf,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    types: Types,
    /// By name of the table: as it was made, and with the names its columns have.
    settled: HashMap<String, (Arc<Table>, Arc<Table>)>,
}

impl Columns {
    /// The columns of the folder of data.
    ///
    /// Without a record of them those of the last start's signals are taken.
    #[must_use]
    pub fn open(data: &Path) -> Self {
        let file = data.join("columns.json");
        let read = std::fs::read(&file);
        let types = match &read {
            Ok(bytes) => serde_json::from_slice(bytes).unwrap_or_else(|err| {
                tracing::warn!(file = %file.display(), %err, "unreadable; begun again");
                of_signals(data)
            }),
            Err(_) => of_signals(data),
        };
        Self { file, state: RwLock::new(State { types, settled: HashMap::new() }) }
    }

    /// The table with the names that its columns have in the lake: itself unless a type has changed.
    #[must_use]
    pub fn settle(&self, table: &Arc<Table>) -> Arc<Table> {
        if table.signals().is_empty() {
            return Arc::clone(table);
        }
        {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            if let Some((made, settled)) = state.settled.get(table.name())
                && Arc::ptr_eq(made, table)
            {
                return Arc::clone(settled);
            }
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let (names, is_new) = state.names(table);
        if is_new {
            self.save(&state.types);
        }
        let settled = renamed(table, &names);
        let pair = (Arc::clone(table), Arc::clone(&settled));
        state.settled.insert(table.name().to_owned(), pair);
        settled
    }

    /// The batch with its table settled.
    #[must_use]
    pub fn settle_batch(&self, batch: Batch) -> Batch {
        let table = self.settle(&batch.table);
        if Arc::ptr_eq(&table, &batch.table) {
            return batch;
        }
        let schema = Arc::clone(table.schema());
        match RecordBatch::try_new(schema, batch.rows.columns().to_vec()) {
            Ok(rows) => Batch { table, rows, ..batch },
            Err(err) => {
                // Names alone differ, so this is a defect; the rows are worth more than their name.
                tracing::error!(table = batch.table.name(), %err, "columns keep their old names");
                batch
            }
        }
    }

    fn save(&self, types: &Types) {
        let text = serde_json::to_vec(types).unwrap_or_default();
        if let Err(err) = disk::replace(&RealDisk, &self.file, &text) {
            let file = self.file.display();
            tracing::warn!(%file, %err, "not written; columns may change type at a restart");
        }
    }
}

impl State {
    /// The name of each column, and whether a type is new to its column.
    fn names(&mut self, table: &Table) -> (Vec<String>, bool) {
        let configured: Vec<&str> = table.signals().iter().map(|signal| signal.column).collect();
        let columns = self.types.entry(table.name().to_owned()).or_default();
        let mut is_new = false;
        let mut names = Vec::with_capacity(configured.len());
        for signal in table.signals() {
            let types = columns.entry(signal.column.to_owned()).or_default();
            let place = types.iter().position(|kind| *kind == signal.kind).unwrap_or_else(|| {
                is_new = true;
                types.push(signal.kind);
                types.len() - 1
            });
            names.push(name(signal.column, place, &configured));
        }
        (names, is_new)
    }
}

/// The first type keeps the column's name. A name that another signal has is made longer.
fn name(column: &str, place: usize, configured: &[&str]) -> String {
    if place == 0 {
        return column.to_owned();
    }
    let mut name = format!("{column}__{}", place + 1);
    while configured.contains(&name.as_str()) {
        name.push('_');
    }
    name
}

fn renamed(table: &Arc<Table>, names: &[String]) -> Arc<Table> {
    if table.signals().iter().zip(names).all(|(signal, name)| signal.column == name) {
        return Arc::clone(table);
    }
    let signals = table.signals().iter().zip(names).map(|(signal, name)| {
        let mut signal = signal.to_signal();
        signal.column.clone_from(name);
        signal
    });
    let (signals, (name, device)) = (signals.collect(), (table.name(), table.device()));
    let made = if table.by_exchange() {
        Table::of_exchanges(name, device, signals)
    } else {
        Table::of_signals(name, device, table.by_source_address(), signals)
    };
    match (made, table.period()) {
        (Ok(made), Some(period)) => made.with_period(period),
        (Ok(made), None) => made,
        (Err(err), _) => {
            tracing::error!(%err, "columns keep their old names");
            Arc::clone(table)
        }
    }
}

/// Table and signal of an entry; since tables have periods it has a third part.
fn known_as(print: &str) -> serde_json::Result<(String, Value)> {
    serde_json::from_str::<(String, Value, Option<u64>)>(print)
        .map(|(table, signal, _)| (table, signal))
        .or_else(|_| serde_json::from_str(print))
}

/// The columns of the signals known at the last start.
fn of_signals(data: &Path) -> Types {
    let mut types = Types::new();
    let read = std::fs::read(data.join("signals.json")).ok();
    let known: Option<BTreeMap<String, (String, i64)>> =
        read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    for (print, _) in known.unwrap_or_default().into_values() {
        let Ok((table, signal)) = known_as(&print) else { continue };
        let kind = signal.get("kind").and_then(|kind| serde_json::from_value(kind.clone()).ok());
        if let (Some(column), Some(kind)) = (signal.get("column").and_then(Value::as_str), kind) {
            types.entry(table).or_default().entry(column.to_owned()).or_default().push(kind);
        }
    }
    types
}

#[cfg(test)]
mod tests;
