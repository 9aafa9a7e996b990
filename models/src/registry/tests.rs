use std::collections::BTreeMap;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use signals::{Detector as _, Disk, DiskFile, DiskSource, Timestamp};

use super::{Registry, RegistryError};
use crate::{DetectorSettings, Family, GroupDetector, Row};

type Files = Arc<Mutex<BTreeMap<PathBuf, Vec<u8>>>>;

/// Files in memory; everything fails after `writes` publications.
#[derive(Default)]
struct MemoryDisk {
    files: Files,
    writes: Option<Mutex<usize>>,
}

struct MemoryFile(Files, PathBuf);

impl Write for MemoryFile {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().entry(self.1.clone()).or_default().extend(content);
        Ok(content.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, _bytes: u64) -> io::Result<()> {
        Ok(())
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(0)
    }
}

impl Disk for MemoryDisk {
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(MemoryFile(Arc::clone(&self.files), path.to_owned())))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskSource>> {
        let files = self.files.lock().unwrap();
        let content = files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(content.clone())))
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        if let Some(left) = &self.writes {
            let mut left = left.lock().unwrap();
            *left = left.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
        }
        let mut files = self.files.lock().unwrap();
        let content = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), content);
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let files = self.files.lock().unwrap();
        let first =
            |path: &PathBuf| path.strip_prefix(folder).ok()?.iter().next().map(PathBuf::from);
        let mut names: Vec<PathBuf> = files.keys().filter_map(first).collect();
        names.dedup();
        Ok(names)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files.lock().unwrap().remove(path);
        Ok(())
    }

    fn room(&self, _folder: &Path) -> io::Result<signals::disk::Room> {
        Ok(signals::disk::Room { free: u64::MAX, total: u64::MAX })
    }
}

fn signals() -> Vec<String> {
    ["flow", "power", "still"].map(str::to_owned).to_vec()
}

fn rows(from: usize, count: usize) -> Vec<Row> {
    let wander = |row: usize, factor: usize| crate::real(row * factor % 101) / 50.0;
    (from..from + count)
        .map(|second| Row {
            ts: Timestamp::from_micros(i64::try_from(second).unwrap() * 1_000_000),
            values: vec![Some(wander(second, 7_919)), Some(wander(second, 104_729)), Some(4.0)],
        })
        .collect()
}

fn settings() -> DetectorSettings {
    DetectorSettings {
        name: "pump".to_owned(),
        family: Family::Ewma,
        signals: signals(),
        budget_per_week: 3.0,
        period: Duration::from_secs(1),
    }
}

fn detector() -> GroupDetector {
    GroupDetector::fit_from(settings(), &rows(0, 600)).unwrap()
}

fn registry() -> (Files, Registry) {
    let disk = MemoryDisk::default();
    let files = Arc::clone(&disk.files);
    (files, Registry::new(PathBuf::from("models"), Arc::new(disk)))
}

/// The reason for which version 1 is refused after `change` was made to one of its files.
fn refusal_after(file: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let (files, registry) = registry();
    registry.store("pump", &detector()).unwrap();
    let path = PathBuf::from("models/pump/000001").join(file);
    change(files.lock().unwrap().get_mut(&path).unwrap());
    match registry.load_active("pump", &signals()) {
        Err(RegistryError::Refused { reason, .. }) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

fn replace_in_card(from: &str, to: &str) -> String {
    refusal_after("card.json", |content| {
        let text = String::from_utf8(content.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        *content = text.replace(from, to).into_bytes();
    })
}

#[test]
fn a_stored_detector_of_every_family_goes_on_as_the_one_that_was_stored() {
    for family in Family::ALL {
        let (_, registry) = registry();
        let settings = DetectorSettings { family, ..settings() };
        let mut original = GroupDetector::fit_from(settings.clone(), &rows(0, 600)).unwrap();
        assert_eq!(registry.store("pump", &original).unwrap(), 1);
        let stored = registry.load_active("pump", &signals()).unwrap().unwrap();
        let mut loaded = GroupDetector::from_stored(settings, stored.model, stored.state).unwrap();
        for row in rows(600, 300) {
            assert_eq!(loaded.score(row.ts, &row.values), original.score(row.ts, &row.values));
        }
    }
}

#[test]
fn a_model_of_another_family_is_refused_and_so_is_a_card_of_an_older_version() {
    let (_, registry) = registry();
    registry.store("pump", &detector()).unwrap();
    let stored = registry.load_active("pump", &signals()).unwrap().unwrap();
    let wanted = DetectorSettings { family: Family::Dpca, ..settings() };
    let refused = GroupDetector::from_stored(wanted, stored.model, stored.state).unwrap_err();
    assert!(refused.contains("`ewma`, not `dpca`"), "{refused}");
    let reason = replace_in_card("\"family\": \"ewma\"", "\"family\": \"combined\"");
    assert!(reason.contains("no tensor `dpca.mean`"), "{reason}");
    let reason = replace_in_card("\"schema\": 2", "\"schema\": 1");
    assert!(reason.contains("older"), "{reason}");
}

#[test]
fn versions_count_up_and_the_older_one_stays_loadable() {
    let (_, registry) = registry();
    assert_eq!(registry.active("pump").unwrap(), None);
    assert!(registry.load_active("pump", &signals()).unwrap().is_none());
    registry.store("pump", &detector()).unwrap();
    registry.store("pump", &detector()).unwrap();
    assert_eq!(registry.versions("pump").unwrap(), [1, 2]);
    assert_eq!(registry.active("pump").unwrap(), Some(2));
    registry.activate("pump", 1).unwrap();
    assert_eq!(registry.load_active("pump", &signals()).unwrap().unwrap().version, 1);
}

#[test]
fn a_flipped_bit_and_a_cut_off_file_are_refused() {
    let reason = refusal_after("model.safetensors", |content| *content.last_mut().unwrap() ^= 1);
    assert!(reason.contains("SHA-256"), "{reason}");
    let reason = refusal_after("model.safetensors", |content| content.truncate(40));
    assert!(reason.contains("SHA-256"), "{reason}");
    let reason = refusal_after("card.json", |content| content.truncate(content.len() / 2));
    assert!(reason.contains("not a model card"), "{reason}");
    let reason = refusal_after("state.json", |content| *content.last_mut().unwrap() ^= 1);
    assert!(reason.contains("hash"), "{reason}");
    let reason = refusal_after("state.json", Vec::clear);
    assert!(reason.contains("cut off"), "{reason}");
}

#[test]
fn weights_that_are_none_are_refused_though_their_hash_is_right() {
    let (files, registry) = registry();
    registry.store("pump", &detector()).unwrap();
    // A header that claims to be longer than any file.
    let wild = u64::MAX.to_le_bytes().to_vec();
    let mut files = files.lock().unwrap();
    let card = files.get_mut(Path::new("models/pump/000001/card.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(card).unwrap();
    json["weights_sha256"] = super::card::sha256(&wild).into();
    *card = serde_json::to_vec(&json).unwrap();
    files.insert(PathBuf::from("models/pump/000001/model.safetensors"), wild);
    drop(files);
    let error = registry.load("pump", 1, &signals()).unwrap_err().to_string();
    assert!(error.contains("not weights"), "{error}");
}

#[test]
fn a_card_of_a_newer_version_is_refused_as_such() {
    let reason = replace_in_card("\"schema\": 2", "\"schema\": 3, \"shape\": []");
    assert!(reason.contains("newer"), "{reason}");
}

#[test]
fn a_model_that_scores_its_example_otherwise_is_refused() {
    let reason = replace_in_card("\"ewma_lambda\": 0.05", "\"ewma_lambda\": 0.06");
    assert!(reason.contains("example"), "{reason}");
}

#[test]
fn an_unknown_family_is_refused() {
    let reason = replace_in_card("\"family\": \"ewma\"", "\"family\": \"oracle\"");
    assert!(reason.contains("oracle"), "{reason}");
}

#[test]
fn signals_renamed_removed_added_or_reordered_are_refused() {
    let (_, registry) = registry();
    registry.store("pump", &detector()).unwrap();
    for other in [
        vec!["flow", "power", "stiller"],
        vec!["flow", "power"],
        vec!["flow", "power", "still", "more"],
        vec!["power", "flow", "still"],
    ] {
        let other: Vec<String> = other.into_iter().map(str::to_owned).collect();
        let error = registry.load_active("pump", &other).unwrap_err().to_string();
        assert!(error.contains("other signals"), "{error}");
    }
}

#[test]
fn a_disk_that_fills_at_any_step_leaves_the_version_before_active() {
    for writes in 0..4 {
        let (files, registry) = registry();
        registry.store("pump", &detector()).unwrap();
        let full = MemoryDisk { files, writes: Some(Mutex::new(writes)) };
        let full = Registry::new(PathBuf::from("models"), Arc::new(full));
        assert!(full.store("pump", &detector()).is_err());
        assert_eq!(registry.load_active("pump", &signals()).unwrap().unwrap().version, 1);
        let next = registry.store("pump", &detector()).unwrap();
        assert_eq!(registry.active("pump").unwrap(), Some(next), "after {writes} writes");
    }
}

#[test]
fn a_detector_that_still_learns_cannot_be_stored() {
    let (_, registry) = registry();
    let learning = GroupDetector::learning(settings()).unwrap();
    let error = registry.store("pump", &learning).unwrap_err();
    assert!(matches!(error, RegistryError::Learning(_)));
}

#[test]
fn a_group_name_cannot_leave_the_folder() {
    let (_, registry) = registry();
    for name in ["", "../secrets", "a/b", "."] {
        let error = registry.active(name).unwrap_err();
        assert!(matches!(error, RegistryError::Group(_)), "{name}");
    }
}
