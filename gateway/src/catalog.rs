//! The catalog: every signal of the gateway, with the number the page knows it by.
//!
//! A signal of a table with J1939 source addresses is one signal per sender: the same parameter
//! from two control units is two series.
//!
//! Tables may change while the gateway runs (a database of a bus): a signal of the same path keeps
//! its number, new ones get new numbers, and those that are gone keep theirs, marked: they have no
//! value any more.

use std::collections::{HashMap, HashSet};
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
    /// Whether it is still sampled, as far as the configuration says.
    pub is_current: bool,
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

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    /// By table and sender.
    known: HashMap<(String, u8), Known>,
    /// Times that a known signal has become another one, is gone or is back.
    turns: u64,
}

/// A table as it was last, and the number of each of its signals.
#[derive(Clone)]
struct Known {
    table: Arc<Table>,
    of: Arc<[u32]>,
}

/// The numbers of a table's signals.
pub struct Numbers {
    /// One per signal, in the order of the table.
    pub of: Arc<[u32]>,
    /// Those that have just become another signal of the same path: another unit, another type.
    pub turned: Vec<u32>,
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
    /// The signals of these tables.
    #[must_use]
    pub fn of<const N: usize>(tables: [&[Arc<Table>]; N]) -> Self {
        let catalog = Self::default();
        for tables in tables {
            catalog.add(tables);
        }
        catalog
    }

    /// The numbers of the signals of a table and sender, added if they are new.
    ///
    /// `None` when the catalog is full.
    pub fn numbers(&self, table: &Arc<Table>, sender: Option<u8>) -> Option<Numbers> {
        let key = (table.name().to_owned(), sender.unwrap_or(0));
        if let Some(known) = self.read().known.get(&key)
            && (Arc::ptr_eq(&known.table, table) || known.table == *table)
        {
            return Some(Numbers { of: Arc::clone(&known.of), turned: Vec::new() });
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.turn_to(key, table, sender)
    }

    /// Grows whenever a known signal becomes another one, is gone or is back: whoever keeps a copy of
    /// the catalog reads it again.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.read().turns
    }

    /// Adds the signals of tables without senders; those with senders come as they are heard.
    /// Signals that were gone are back.
    pub fn add(&self, tables: &[Arc<Table>]) {
        for table in tables.iter().filter(|table| !table.by_source_address()) {
            let _numbers = self.numbers(table, None);
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let known = state.known.values().filter(|known| tables.contains(&known.table));
        let back: Vec<Arc<[u32]>> = known.map(|known| Arc::clone(&known.of)).collect();
        state.mark(back.iter().flat_map(|of| of.iter().copied()), true);
    }

    /// Marks the signals of these tables, by name, as gone.
    pub fn retire(&self, tables: &[&str]) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let known = state.known.iter().filter(|((name, _), _)| tables.contains(&name.as_str()));
        let gone: Vec<Arc<[u32]>> = known.map(|(_, known)| Arc::clone(&known.of)).collect();
        state.mark(gone.iter().flat_map(|of| of.iter().copied()), false);
    }

    /// The signal of a number.
    #[must_use]
    pub fn entry(&self, id: u32) -> Option<Entry> {
        self.read().entries.get(id as usize).cloned()
    }

    /// Those of these signals that are no longer sampled.
    #[must_use]
    pub fn gone(&self, ids: &[u32]) -> HashSet<u32> {
        let state = self.read();
        let is_gone = |id: &u32| state.entries.get(*id as usize).is_some_and(|e| !e.is_current);
        ids.iter().copied().filter(is_gone).collect()
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

impl State {
    fn mark(&mut self, numbers: impl Iterator<Item = u32>, is_current: bool) {
        for number in numbers {
            if let Some(entry) = self.entries.get_mut(number as usize)
                && entry.is_current != is_current
            {
                entry.is_current = is_current;
                self.turns += 1;
            }
        }
    }

    fn turn_to(
        &mut self,
        key: (String, u8),
        table: &Arc<Table>,
        sender: Option<u8>,
    ) -> Option<Numbers> {
        if self.entries.len() + table.signals().len() > ENTRIES_MAX {
            return None;
        }
        let before = self.known.get(&key).cloned();
        let mut known: HashMap<&str, (u32, SignalRef<'_>)> = HashMap::new();
        if let Some(before) = &before {
            let signals = before.table.signals().iter().zip(before.of.iter());
            known.extend(signals.map(|(signal, number)| (signal.path, (*number, signal))));
        }
        let (mut of, mut turned) = (Vec::with_capacity(table.signals().len()), Vec::new());
        for (place, signal) in table.signals().iter().enumerate() {
            let entry = Entry { table: Arc::clone(table), place, sender, is_current: true };
            if let Some((number, as_before)) = known.get(signal.path) {
                if let Some(slot) = self.entries.get_mut(*number as usize) {
                    *slot = entry;
                }
                if signal != *as_before {
                    turned.push(*number);
                }
                of.push(*number);
            } else {
                of.push(u32::try_from(self.entries.len()).ok()?);
                self.entries.push(entry);
            }
        }
        self.turns += u64::from(!turned.is_empty());
        let stay: HashSet<u32> = of.iter().copied().collect();
        let gone = before.iter().flat_map(|before| before.of.iter().copied());
        self.mark(gone.filter(|number| !stay.contains(number)), false);
        let of: Arc<[u32]> = of.into();
        self.known.insert(key, Known { table: Arc::clone(table), of: Arc::clone(&of) });
        Some(Numbers { of, turned })
    }
}

#[cfg(test)]
mod tests;
