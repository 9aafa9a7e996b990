//! What is in the lake held against what is in the ledger: pure but for the listing.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use pipelines_flow::lake::{self, LakeFile};
use signals::Disk;

use crate::ledger::{Done, Ledger};

/// A file of the lake.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Found {
    pub(crate) file: LakeFile,
    /// Its name below the lake.
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

/// What is to be done.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Files that are not there yet, those of the oldest dates first.
    pub(crate) waiting: Vec<Found>,
    /// Files that compaction has replaced by one that is there.
    pub(crate) replaced: Vec<Done>,
    /// Files that were given up here: theirs to keep.
    pub(crate) evicted: Vec<String>,
    /// Files of which everything is there: uploaded, or thinned after they were.
    pub(crate) there: HashSet<String>,
}

/// All files of the lake.
///
/// # Errors
/// What the operating system says.
pub(crate) fn list(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for table in lake::tables(disk, folder)? {
        for file in lake::files(disk, folder, &table)? {
            // One that goes while it is looked at is simply not there.
            let Ok(bytes) = std::fs::metadata(&file.path).map(|about| about.len()) else {
                continue;
            };
            let name = file.name();
            found.push(Found { file, name, bytes });
        }
    }
    Ok(found)
}

/// Name of a file's object below the place: Hive folders, so that all gateways are one table.
pub(crate) fn object_name(gateway: &str, name: &str) -> String {
    format!("gateway={gateway}/table={name}")
}

/// What is to be done about these files.
pub(crate) fn work(found: Vec<Found>, ledger: &Ledger) -> Work {
    let here: BTreeSet<String> = found.iter().map(|found| found.name.clone()).collect();
    // What was whole when it was uploaded stays whole there: what is left of it here has the last
    // offset of the file it was, and is not uploaded in its place.
    let ends: HashSet<End<'_>> = ledger.all().map(end_of_done).collect();
    let thinned = found.iter().filter(|found| found.file.is_thinned);
    let thinned: HashSet<(String, String, u64)> = thinned
        .map(|found| (found.file.table.clone(), found.file.date.clone(), found.file.seq.0))
        .collect();
    let mut days_waiting: BTreeSet<(String, String)> = BTreeSet::new();
    let (mut waiting, mut all_there) = (Vec::new(), HashSet::new());
    for found in found {
        let is_done = ledger.get(&found.name).is_some_and(|done| done.bytes == found.bytes);
        if is_done || found.file.is_thinned && ends.contains(&end_of(&found.file)) {
            all_there.insert(found.name);
        } else {
            days_waiting.insert((found.file.table.clone(), found.file.date.clone()));
            waiting.push(found);
        }
    }
    waiting.sort_by(|a, b| (&a.file.date, a.file.first).cmp(&(&b.file.date, b.file.first)));
    // By the last offset, so that whoever may have replaced a file is its neighbour.
    let mut there: BTreeMap<(&str, &str), Vec<&Done>> = BTreeMap::new();
    for done in ledger.all().filter(|done| here.contains(&done.name)) {
        there.entry((&done.table, &done.date)).or_default().push(done);
    }
    let (mut replaced, mut evicted) = (Vec::new(), Vec::new());
    for gone in ledger.all().filter(|done| !here.contains(&done.name)) {
        if thinned.contains(&(gone.table.clone(), gone.date.clone(), gone.last)) {
            continue;
        }
        let of_day = there.get(&(gone.table.as_str(), gone.date.as_str()));
        let covers = |other: &&Done| other.first <= gone.last && gone.last <= other.last;
        if of_day.is_some_and(|all| all.iter().any(covers)) {
            replaced.push(gone.clone());
        } else if !days_waiting.contains(&(gone.table.clone(), gone.date.clone())) {
            evicted.push(gone.name.clone());
        }
    }
    Work { waiting, replaced, evicted, there: all_there }
}

/// Table, date and last journal offset of a file.
type End<'a> = (&'a str, &'a str, u64);

fn end_of(file: &LakeFile) -> End<'_> {
    (&file.table, &file.date, file.seq.0)
}

fn end_of_done(done: &Done) -> End<'_> {
    (&done.table, &done.date, done.last)
}

/// Files that waited and are gone: those that no file of their date covers were given up before
/// they were uploaded. `first` reads the first offset of a file.
pub(crate) fn given_up(
    before: &[Found],
    found: &[Found],
    first: impl Fn(&PathBuf) -> Option<u64>,
) -> u64 {
    let here: BTreeSet<&str> = found.iter().map(|found| found.name.as_str()).collect();
    let gone = before.iter().filter(|file| !here.contains(file.name.as_str()));
    let is_lost = |gone: &&Found| {
        let mut of_day = found.iter().filter(|other| {
            other.file.table == gone.file.table
                && other.file.date == gone.file.date
                && other.file.seq >= gone.file.seq
        });
        !of_day.any(|other| first(&other.file.path).is_some_and(|first| first <= gone.file.seq.0))
    };
    gone.filter(is_lost).count() as u64
}
