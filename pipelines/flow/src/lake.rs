//! The lake's folders and file names: `<table>/date=YYYY-MM-DD/<first-ts>_<seq>.parquet`, and
//! `<first-ts>_<seq>.thinned.parquet` for one of which only some rows are left.
//!
//! `first-ts` is the first row's time in microseconds; `seq` is the journal offset of the last
//! batch with rows in the file. So the names alone say, per table and date, how far the journal
//! is in the lake: no list beside the files can disagree with them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use signals::{Disk, Offset, Timestamp};

/// One Parquet file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LakeFile {
    /// Where it is.
    pub path: PathBuf,
    /// Table it holds rows of.
    pub table: String,
    /// UTC date of its rows, `YYYY-MM-DD`.
    pub date: String,
    /// Time of its first row.
    pub first: Timestamp,
    /// Journal offset of the last batch with rows in it.
    pub seq: Offset,
    /// Whether most of its rows were given up for room, as `_gaps` tells.
    pub is_thinned: bool,
}

impl LakeFile {
    /// Its name below the lake.
    #[must_use]
    pub fn name(&self) -> String {
        let base = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!("{}/date={}/{base}", self.table, self.date)
    }
}

/// Names of the files of which a place elsewhere has a copy. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Copied(Arc<RwLock<Option<HashSet<String>>>>);

impl Copied {
    /// These files are there, and no others; before the first word nobody copies anything.
    pub fn set(&self, names: HashSet<String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(names);
    }

    /// One file more is there.
    pub fn add(&self, name: String) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert_default().insert(name);
    }

    /// Whether a file, by its name below the lake, is there; `None` where nobody copies.
    #[must_use]
    pub fn has(&self, name: &str) -> Option<bool> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(|names| names.contains(name))
    }
}

/// Path of a file.
#[must_use]
pub fn path_of(lake: &Path, table: &str, first: Timestamp, seq: Offset) -> PathBuf {
    lake.join(table).join(format!("date={}", first.date())).join(format!(
        "{:016}_{:020}.parquet",
        first.micros(),
        seq.0
    ))
}

/// End of the name of a thinned file.
const THINNED: &str = ".thinned";

/// Name of the file that holds what is left of the rows from a first time to an offset.
#[must_use]
pub fn thinned_name(first: Timestamp, seq: Offset) -> String {
    format!("{:016}_{:020}{THINNED}.parquet", first.micros(), seq.0)
}

/// Name of a file while it is being written: hidden, so that no reader of the folder opens it.
#[must_use]
pub fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.tmp"))
}

/// Names of the tables that have a folder.
///
/// # Errors
/// What the operating system says.
pub fn tables(disk: &dyn Disk, lake: &Path) -> io::Result<Vec<String>> {
    let folders = disk.list(lake)?;
    Ok(folders.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
}

/// The files of a table, oldest first. Names that are not ours are left out.
///
/// # Errors
/// What the operating system says.
pub fn files(disk: &dyn Disk, lake: &Path, table: &str) -> io::Result<Vec<LakeFile>> {
    let mut files = Vec::new();
    for folder in disk.list(&lake.join(table))? {
        for path in disk.list(&folder)? {
            files.extend(parse(path, table));
        }
    }
    files.sort_by_key(|file| (file.first, file.seq));
    Ok(files)
}

/// The files of one date's folder in the order of the journal. Names that are not ours are left
/// out.
///
/// # Errors
/// What the operating system says.
pub fn files_of_date(disk: &dyn Disk, folder: &Path, table: &str) -> io::Result<Vec<LakeFile>> {
    let listed = disk.list(folder)?;
    let mut files: Vec<_> = listed.into_iter().filter_map(|path| parse(path, table)).collect();
    files.sort_by_key(|file| file.seq);
    Ok(files)
}

/// Per table and date, the journal offset up to which (inclusive) rows are in the lake.
pub type Sealed = HashMap<(String, String), Offset>;

/// Reads [`Sealed`] off the names in the lake.
///
/// # Errors
/// What the operating system says.
pub fn sealed(disk: &dyn Disk, lake: &Path) -> io::Result<Sealed> {
    walk(disk, lake, |_| Ok(()))
}

/// As [`sealed`], and removes on the way what a writer that was killed has left unfinished; its
/// rows are in the journal. One walk: a start must not go through a hundred thousand names twice.
///
/// # Errors
/// What the operating system says.
pub fn survey(disk: &dyn Disk, lake: &Path) -> io::Result<Sealed> {
    walk(disk, lake, |path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_unfinished = name.starts_with('.') && name.ends_with(".parquet.tmp");
        if is_unfinished { disk.remove(path) } else { Ok(()) }
    })
}

/// Looks at every name; those that are no finished files go to `other`.
fn walk(
    disk: &dyn Disk,
    lake: &Path,
    other: impl Fn(&Path) -> io::Result<()>,
) -> io::Result<Sealed> {
    let mut sealed = Sealed::new();
    for table in tables(disk, lake)? {
        for folder in disk.list(&lake.join(&table))? {
            let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let date = name.strip_prefix("date=");
            let mut last = None;
            for path in disk.list(&folder)? {
                match name_of(&path).filter(|_| date.is_some()) {
                    Some((_, seq, _)) => last = last.max(Some(seq)),
                    None => other(&path)?,
                }
            }
            if let Some((date, seq)) = date.zip(last) {
                sealed.insert((table.clone(), date.to_owned()), seq);
            }
        }
    }
    Ok(sealed)
}

fn parse(path: PathBuf, table: &str) -> Option<LakeFile> {
    let (first, seq, is_thinned) = name_of(&path)?;
    let date = path.parent()?.file_name()?.to_str()?.strip_prefix("date=")?.to_owned();
    Some(LakeFile { table: table.to_owned(), date, first, seq, is_thinned, path })
}

/// First time and sequence of a finished file, and whether it is thinned, as its name says.
fn name_of(path: &Path) -> Option<(Timestamp, Offset, bool)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".parquet")?;
    let whole = name.strip_suffix(THINNED);
    let (first, seq) = whole.unwrap_or(name).split_once('_')?;
    let (first, seq) = (Timestamp::from_micros(first.parse().ok()?), Offset(seq.parse().ok()?));
    Some((first, seq, whole.is_some()))
}
