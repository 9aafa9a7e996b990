//! Table definitions beside the journal: written once per definition, found by their hash.
//!
//! A journal record names its table by hash, so records stay small, any process can read them,
//! and a table whose columns change is simply another definition.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use signals::{Disk, Table, disk};

/// Name of a definition: 64 bits of its text's hash.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TableHash(pub u64);

impl TableHash {
    /// The hash of a table's definition.
    #[must_use]
    pub fn of(table: &Table) -> Self {
        Self::of_text(&table.definition())
    }

    /// FNV-1a, 64 bits: stable across versions and machines, which is all that is asked of it.
    fn of_text(text: &str) -> Self {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
    }
}

/// The definitions in a folder, and those met since.
pub struct TableStore {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    by_hash: HashMap<u64, Arc<Table>>,
    /// Hash by address of the table: batches of one table share it.
    by_table: HashMap<usize, (u64, Arc<Table>)>,
}

impl TableStore {
    /// Loads the definitions of a folder. One that cannot be read is left out and told: records
    /// of its table can be read again once the configuration has brought it back.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn open(folder: &Path, disk: Arc<dyn Disk>) -> io::Result<Self> {
        let store = Self { folder: folder.to_owned(), disk, known: RwLock::default() };
        store.look_again()?;
        Ok(store)
    }

    /// Loads definitions that another process has added since, as [`TableStore::open`] does.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn look_again(&self) -> io::Result<()> {
        for path in self.disk.list(&self.folder)? {
            let is_known = |hash: u64| {
                self.known
                    .read()
                    .unwrap_or_else(PoisonError::into_inner)
                    .by_hash
                    .contains_key(&hash)
            };
            if path.extension().is_none_or(|suffix| suffix != "json")
                || hash_named(&path).is_some_and(is_known)
            {
                continue;
            }
            match load(&*self.disk, &path) {
                Ok((hash, table)) => {
                    let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
                    known.by_hash.insert(hash.0, table);
                }
                Err(err) => tracing::warn!(
                    path = %path.display(),
                    %err,
                    "table definition cannot be read; it is written again when the table is used"
                ),
            }
        }
        Ok(())
    }

    /// The table of a hash.
    #[must_use]
    pub fn table(&self, hash: TableHash) -> Option<Arc<Table>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = known.by_hash.get(&hash.0) {
            return Some(Arc::clone(table));
        }
        drop(known);
        // Another process may have added it since.
        let (read, table) = load(&*self.disk, &self.path_of(hash)).ok()?;
        (read == hash).then(|| self.remember(hash, &table))
    }

    /// Every table known.
    #[must_use]
    pub fn tables(&self) -> Vec<Arc<Table>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.by_hash.values().map(Arc::clone).collect()
    }

    /// The hash of a table, whose definition is durable afterwards.
    ///
    /// # Errors
    /// When a definition that is new cannot be written.
    pub fn hash_of(&self, table: &Arc<Table>) -> io::Result<TableHash> {
        let address = Arc::as_ptr(table) as usize;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((hash, _)) = known.by_table.get(&address) {
            return Ok(TableHash(*hash));
        }
        let text = table.definition();
        let hash = TableHash::of_text(&text);
        let is_new = !known.by_hash.contains_key(&hash.0);
        drop(known);
        if is_new {
            disk::replace(&*self.disk, &self.path_of(hash), text.as_bytes())?;
        }
        self.remember(hash, table);
        Ok(hash)
    }

    fn remember(&self, hash: TableHash, table: &Arc<Table>) -> Arc<Table> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // The table is kept alive, so its address cannot come to mean another one.
        known.by_table.insert(Arc::as_ptr(table) as usize, (hash.0, Arc::clone(table)));
        Arc::clone(known.by_hash.entry(hash.0).or_insert_with(|| Arc::clone(table)))
    }

    fn path_of(&self, hash: TableHash) -> PathBuf {
        self.folder.join(format!("{:016x}.json", hash.0))
    }
}

fn load(disk: &dyn Disk, path: &Path) -> io::Result<(TableHash, Arc<Table>)> {
    let mut text = String::new();
    disk.open(path)?.read_to_string(&mut text)?;
    let invalid = |err: String| io::Error::new(io::ErrorKind::InvalidData, err);
    let table = Table::from_definition(&text).map_err(invalid)?;
    let hash = TableHash::of_text(&text);
    if hash_named(path) != Some(hash.0) {
        return Err(invalid("the name is not the hash of the content".to_owned()));
    }
    Ok((hash, table))
}

/// The hash that a file is named after.
fn hash_named(path: &Path) -> Option<u64> {
    u64::from_str_radix(path.file_stem()?.to_str()?, 16).ok()
}

#[cfg(test)]
pub(crate) mod tests;
