//! The catalog: every signal of the gateway, with the number the page knows it by.
//!
//! A signal of a table with J1939 source addresses is one signal per sender: the same parameter
//! from two control units is two series.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use signals::{SignalRef, Table};

/// One signal and where its samples are.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its table.
    pub table: Arc<Table>,
    /// Its place among the table's signals.
    pub place: usize,
    /// The sender, for tables with source addresses.
    pub sender: Option<u8>,
}

impl Entry {
    /// The signal itself.
    ///
    /// # Panics
    /// Never: entries are made from the table's signals.
    #[must_use]
    pub fn signal(&self) -> SignalRef<'_> {
        self.table.signals().get(self.place).expect("the entry was made from this table")
    }

    /// The name people use; with `@sender` where there are several.
    #[must_use]
    pub fn path(&self) -> String {
        match self.sender {
            Some(sender) => format!("{}@{sender}", self.signal().path),
            None => self.signal().path.to_owned(),
        }
    }
}

/// Signals of one table and sender have consecutive numbers from the first on.
#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    first_of: HashMap<(String, u8), u32>,
}

/// All signals known so far. Numbers are dense and stay while the process runs.
#[derive(Default)]
pub struct Catalog {
    state: RwLock<State>,
}

/// Signals of senders beyond these many are left to the lake: a bus that makes up senders must
/// not fill the memory.
const ENTRIES_MAX: usize = 200_000;

impl Catalog {
    /// The number of the first signal of a table and sender, added if it is new.
    ///
    /// `None` when the catalog is full.
    pub fn first_id(&self, table: &Arc<Table>, sender: Option<u8>) -> Option<u32> {
        let key = (table.name().to_owned(), sender.unwrap_or(0));
        if let Some(first) = self.read().first_of.get(&key) {
            return Some(*first);
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = state.first_of.get(&key) {
            return Some(*first);
        }
        if state.entries.len() + table.signals().len() > ENTRIES_MAX {
            return None;
        }
        let first = u32::try_from(state.entries.len()).ok()?;
        for place in 0..table.signals().len() {
            state.entries.push(Entry { table: Arc::clone(table), place, sender });
        }
        state.first_of.insert(key, first);
        Some(first)
    }

    /// Adds the signals of tables without senders; those with senders come as they are heard.
    pub fn add(&self, tables: &[Arc<Table>]) {
        for table in tables.iter().filter(|table| !table.by_source_address()) {
            let _first = self.first_id(table, None);
        }
    }

    /// The signal of a number.
    #[must_use]
    pub fn entry(&self, id: u32) -> Option<Entry> {
        self.read().entries.get(id as usize).cloned()
    }

    /// All signals, by number.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.read().entries.clone()
    }

    /// How many signals there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().entries.len()
    }

    /// Whether there is no signal yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the signal with this path.
    #[must_use]
    pub fn id_of(&self, path: &str) -> Option<u32> {
        let place = self.read().entries.iter().position(|entry| entry.path() == path)?;
        u32::try_from(place).ok()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
