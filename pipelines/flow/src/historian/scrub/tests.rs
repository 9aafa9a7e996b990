use std::fs;
use std::path::{Path, PathBuf};

use super::super::tests::{add, expected, historian, journal, rows_in_lake, table};
use super::*;
use crate::disk::RealDisk;

const ROWS: i64 = 5;

/// A lake of two files of a table; the path of the newest.
fn lake_of_two(folder: &Path) -> (Historian, PathBuf) {
    let journal = journal(folder);
    let historian = historian(folder, &journal);
    for part in [0..ROWS, ROWS..2 * ROWS] {
        add(&journal, &table(2), part);
        let mut at = historian.cursor.at();
        historian.take_in(&mut at).unwrap();
        historian.seal_all(at);
    }
    let newest = lake::files(&RealDisk, &folder.join("lake"), "pump").unwrap().pop().unwrap();
    (historian, newest.path)
}

fn scrub(historian: &Historian) {
    let tables = lake::tables(&RealDisk, historian.lake()).unwrap();
    let mut scrub = Scrub::of(tables);
    while historian.scrub(&mut scrub) {}
}

/// Details of the rows of `_gaps` in the journal.
fn told(historian: &Historian) -> Vec<String> {
    use arrow_array::cast::AsArray as _;
    historian.journal.sync().unwrap();
    let entries = historian.journal.read(historian.journal.oldest(), 10_000).unwrap();
    let gaps = entries.iter().filter(|entry| entry.record.table.name() == "_gaps");
    let details = gaps.flat_map(|entry| {
        let column = entry.record.rows.column_by_name("detail").unwrap().as_string::<i32>();
        column.iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    });
    details.collect()
}

#[test]
fn a_sound_lake_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (historian, _) = lake_of_two(folder.path());
    scrub(&historian);
    assert_eq!(rows_in_lake(folder.path()), expected(0..2 * ROWS));
    assert!(told(&historian).is_empty());
}

#[test]
fn a_damaged_file_is_set_aside_whole_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let (historian, newest) = lake_of_two(folder.path());
    let mut bytes = fs::read(&newest).unwrap();
    bytes[20] ^= 1;
    fs::write(&newest, &bytes).unwrap();
    scrub(&historian);
    assert_eq!(rows_in_lake(folder.path()), expected(0..ROWS));
    let aside = aside(&folder.path().join("lake"), &newest);
    assert_eq!(fs::read(&aside).unwrap(), bytes, "kept as it was");
    let told = told(&historian);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains(aside.to_str().unwrap()));
    assert_eq!(historian.counts().damaged, 1);
}

/// Whether the rows of both files are still read as they were written.
fn reads_right(folder: &Path) -> bool {
    std::panic::catch_unwind(|| rows_in_lake(folder))
        .is_ok_and(|rows| rows == expected(0..2 * ROWS))
}

#[test]
fn any_byte_of_a_file_turned_over_or_cut_is_found_or_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let (historian, newest) = lake_of_two(folder.path());
    let sound = fs::read(&newest).unwrap();
    let mut harmless = 0;
    for place in 0..sound.len() {
        let mut flipped = sound.clone();
        flipped[place] ^= 1 << (place % 8);
        fs::write(&newest, &flipped).unwrap();
        if verify(&RealDisk, &newest).is_ok() {
            assert!(reads_right(folder.path()), "byte {place} of {} is not found", sound.len());
            harmless += 1;
        }
        fs::write(&newest, &sound[..place]).unwrap();
        assert!(verify(&RealDisk, &newest).is_err(), "a file cut at {place} is not found");
    }
    println!("{} bytes; {harmless} do no harm", sound.len());
    drop(historian);
}
