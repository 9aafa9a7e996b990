//! Where the cases are, and how their files are read.

mod damage;
mod goldens;
mod lints;
mod transfers;
mod vectors;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use adapters_can::dbc::Database;
use adapters_can::source::Source;

/// All folders with cases.
fn folders() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/can");
    let others = std::env::var("FIELDGATE_CAN_VECTORS").unwrap_or_default();
    std::iter::once(own)
        .chain(others.split(':').filter(|f| !f.is_empty()).map(PathBuf::from))
        .collect()
}

/// The files of a kind in all folders, sorted.
fn files(kind: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in folders() {
        let Ok(entries) = fs::read_dir(folder.join(kind)) else { continue };
        found.extend(entries.map(|e| e.unwrap().path()));
    }
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    found.sort();
    found
}

fn text_of(path: &Path) -> String {
    let mut text = String::new();
    Source::File(path.to_owned()).open().unwrap().read_to_string(&mut text).unwrap();
    text
}

fn database(path: &Path) -> Database {
    Database::load(&Source::File(path.to_owned())).unwrap()
}

/// A file of another kind that belongs to the same folder of cases.
fn beside(path: &Path, kind: &str, name: &str) -> PathBuf {
    path.parent().unwrap().parent().unwrap().join(kind).join(name)
}
