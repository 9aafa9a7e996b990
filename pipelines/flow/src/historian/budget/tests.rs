use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use signals::disk::Room;
use signals::{Batch, Disk, DiskFile, DiskSource, Event, Offset, Severity, Table};

use super::super::tests::{START, add, journal, table};
use super::*;
use crate::disk::RealDisk;
use crate::event_log::EventLog;
use crate::gap_log::GapLog;
use crate::historian::HistorianOptions;
use crate::log::Log;

/// The real disk on a volume of so many bytes.
struct SmallVolume {
    bytes: u64,
    folder: PathBuf,
}

impl Disk for SmallVolume {
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.append(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskSource>> {
        RealDisk.open(path)
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.publish(from, to)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        RealDisk.list(folder)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.link(from, to)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        RealDisk.exchange(one, other)
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        RealDisk.remove_folder(folder)
    }

    fn room(&self, _folder: &Path) -> io::Result<Room> {
        let used = bytes_of(&self.folder) + bytes_of(&self.folder.with_file_name("damaged"));
        let free = self.bytes.saturating_sub(used);
        Ok(Room { free, total: self.bytes })
    }
}

fn bytes_of(lake: &Path) -> u64 {
    let tables = lake::tables(&RealDisk, lake).unwrap();
    let files = tables.iter().flat_map(|table| lake::files(&RealDisk, lake, table).unwrap());
    files.map(|file| std::fs::metadata(file.path).unwrap().len()).sum()
}

fn files(lake: &Path, table: &str) -> usize {
    lake::files(&RealDisk, lake, table).unwrap().len()
}

struct Plant {
    folder: tempfile::TempDir,
    journal: Log<Batch>,
    pump: Arc<Table>,
}

impl Plant {
    /// A journal of a pump.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path());
        Self { folder, journal, pump: table(1) }
    }

    fn lake(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    fn historian(&self, disk: impl Disk + 'static, budget: Budget) -> Historian {
        let options = HistorianOptions { budget, ..HistorianOptions::new(self.lake(), "gw") };
        Historian::new(GapLog::new(self.journal.clone()), Arc::new(disk), options).unwrap()
    }

    /// One file of ten rows more.
    fn seal_ten(&self, historian: &Historian, from: i64) {
        add(&self.journal, &self.pump, from..from + 10);
        let mut at = historian.cursor.at();
        historian.take_in(&mut at).unwrap();
        historian.seal_all(at);
    }

    /// `(table, start, end, cause)` of every gap in the journal, in microseconds since START.
    fn gaps(&self) -> Vec<(String, Option<i64>, Option<i64>, String)> {
        self.journal.sync().unwrap();
        let entries = self.journal.read(Offset::START.max(self.journal.oldest()), 10_000).unwrap();
        let gaps = entries.iter().filter(|entry| entry.record.table.name() == "_gaps");
        let rows = gaps.flat_map(|entry| {
            let text = |row: usize, name: &str| {
                let column = entry.record.rows.column_by_name(name).unwrap();
                column.as_string::<i32>().value(row).to_owned()
            };
            let time = |row: usize, name: &str| {
                let column = entry.record.rows.column_by_name(name).unwrap();
                let times = column.as_primitive::<TimestampMicrosecondType>();
                times.iter().nth(row).unwrap().map(|micros| micros - START)
            };
            let row = |row| {
                let span = (time(row, "gap_start"), time(row, "gap_end"));
                (text(row, "table"), span.0, span.1, text(row, "cause"))
            };
            (0..entry.record.rows.num_rows()).map(row).collect::<Vec<_>>()
        });
        rows.collect()
    }
}

/// Ten rows of a second each that start at second `from`.
fn gap(from: i64) -> (String, Option<i64>, Option<i64>, String) {
    let second = 1_000_000;
    ("pump".to_owned(), Some(from * second), Some((from + 9) * second), "evicted".to_owned())
}

#[test]
fn over_its_bytes_the_lake_gives_up_its_oldest_files_and_tells_each() {
    let plant = Plant::new();
    let before = plant.historian(RealDisk, Budget::default());
    (0..4).for_each(|file| plant.seal_ten(&before, file * 10));
    let held = bytes_of(&plant.lake());
    // Rows of another life: they are counted too.
    let historian =
        plant.historian(RealDisk, Budget { bytes_max: Some(held * 5 / 8), free_min: 0 });
    historian.keep_budget(&Stop::new());
    assert_eq!(plant.gaps(), [gap(0), gap(10)]);
    assert_eq!(files(&plant.lake(), "pump"), 2);
    assert_eq!(historian.counts().evicted, 2);
    assert_eq!(historian.state().held, Some(bytes_of(&plant.lake())));
    historian.keep_budget(&Stop::new());
    assert_eq!(plant.gaps().len(), 2, "within the budget nothing more goes");
}

#[test]
fn files_go_while_the_volume_has_less_room_than_must_stay_free() {
    let plant = Plant::new();
    let before = plant.historian(RealDisk, Budget::default());
    (0..6).for_each(|file| plant.seal_ten(&before, file * 10));
    let held = bytes_of(&plant.lake());
    let volume = SmallVolume { bytes: held + 100, folder: plant.lake() };
    let one = held / 6;
    let historian = plant.historian(volume, Budget { bytes_max: None, free_min: one * 3 / 2 });
    historian.keep_budget(&Stop::new());
    assert_eq!(plant.gaps(), [gap(0), gap(10)]);
    assert!(historian.disk.room(&plant.lake()).unwrap().free >= one * 3 / 2);
}

#[test]
fn damaged_files_that_were_set_aside_go_before_anything_that_is_sound() {
    let plant = Plant::new();
    let before = plant.historian(RealDisk, Budget::default());
    (0..4).for_each(|file| plant.seal_ten(&before, file * 10));
    let one = bytes_of(&plant.lake()) / 4;
    for file in &lake::files(&RealDisk, &plant.lake(), "pump").unwrap()[..2] {
        before.set_aside(file, &io::Error::other("turned over"));
    }
    let aside = plant.folder.path().join("damaged");
    assert_eq!((files(&plant.lake(), "pump"), files(&aside, "pump")), (2, 2));
    // Room for three: as `SmallVolume` sees it, what is aside and what is in the lake.
    let volume = SmallVolume { bytes: 4 * one + one / 2, folder: plant.lake() };
    let budget = Budget { bytes_max: None, free_min: one };
    plant.historian(volume, budget).keep_budget(&Stop::new());
    let left = lake::files(&RealDisk, &aside, "pump").unwrap();
    let firsts: Vec<i64> = left.iter().map(|file| file.first.micros() - START).collect();
    assert_eq!(firsts, [10 * 1_000_000], "the oldest of them goes first");
    assert_eq!(files(&plant.lake(), "pump"), 2, "and no sound one");
}

#[test]
fn what_explains_the_rest_and_the_newest_file_stay_however_small_the_budget() {
    let plant = Plant::new();
    let events = EventLog::new(plant.journal.clone());
    let historian = plant.historian(RealDisk, Budget { bytes_max: Some(1), free_min: 0 });
    for file in 0..3 {
        let event = Event {
            ts: Timestamp::from_micros(START),
            kind: "note".to_owned(),
            severity: Severity::Note,
            source: "test".to_owned(),
            message: String::new(),
            details: serde_json::Value::Null,
        };
        events.append(&[event]).unwrap();
        plant.seal_ten(&historian, file * 10);
    }
    historian.keep_budget(&Stop::new());
    assert_eq!((files(&plant.lake(), "pump"), files(&plant.lake(), "_events")), (1, 3));
    // Nothing of it comes back out of the journal.
    let again = plant.historian(RealDisk, Budget::default());
    plant.seal_ten(&again, 30);
    assert_eq!(files(&plant.lake(), "pump"), 2);
}

#[test]
fn raw_frames_go_before_samples_and_windows_last() {
    let ranks = ["_can_raw_truck", "pump", "_aggregates_10s", "_quality"].map(rank);
    assert_eq!(ranks, [Some(0), Some(1), Some(2), Some(2)]);
    assert_eq!(["_signals", "_gaps", "_events"].map(rank), [None; 3]);
}

#[test]
fn a_file_that_cannot_be_read_goes_too_and_its_gap_has_no_end() {
    let plant = Plant::new();
    let before = plant.historian(RealDisk, Budget::default());
    (0..2).for_each(|file| plant.seal_ten(&before, file * 10));
    let oldest = lake::files(&RealDisk, &plant.lake(), "pump").unwrap().remove(0);
    std::fs::write(&oldest.path, b"not Parquet").unwrap();
    let historian = plant.historian(RealDisk, Budget { bytes_max: Some(1), free_min: 0 });
    historian.keep_budget(&Stop::new());
    assert_eq!(plant.gaps(), [("pump".to_owned(), Some(0), None, "evicted".to_owned())]);
    assert!(!oldest.path.try_exists().unwrap());
}

#[test]
fn records_that_the_journal_gave_up_before_they_were_read_are_a_gap() {
    let plant = Plant::new();
    let historian = plant.historian(RealDisk, Budget::default());
    add(&plant.journal, &plant.pump, 0..3);
    let mut at = Offset::START;
    historian.take_in(&mut at).unwrap();
    // As if records 3 to 6 had gone with their segment.
    add(&plant.journal, &plant.pump, 3..9);
    let entries = plant.journal.read(Offset(7), 1).unwrap();
    historian.tell_missed(at, &entries[0]).unwrap();
    let second = 1_000_000;
    let told = ("*".to_owned(), Some(2 * second), Some(7 * second), "damage".to_owned());
    assert_eq!(plant.gaps(), [told]);
    assert_eq!(historian.counts().missed, 4);
}

#[test]
fn gaps_that_find_no_room_are_told_when_there_is_room_again() {
    let plant = Plant::new();
    let before = plant.historian(RealDisk, Budget::default());
    (0..3).for_each(|file| plant.seal_ten(&before, file * 10));
    // A closed journal has no room for anything.
    let historian = plant.historian(RealDisk, Budget { bytes_max: Some(1), free_min: 0 });
    let closed = journal(&plant.folder.path().join("other"));
    closed.close();
    let full = Historian { gaps: GapLog::new(closed), ..historian.clone() };
    full.keep_budget(&Stop::new());
    assert_eq!(files(&plant.lake(), "pump"), 1);
    assert!(plant.gaps().is_empty());
    historian.keep_budget(&Stop::new());
    assert_eq!(plant.gaps(), [gap(0), gap(10)]);
    historian.keep_budget(&Stop::new());
    assert_eq!(plant.gaps().len(), 2, "each is told once");
}

#[test]
fn gaps_without_room_stay_bounded_and_cover_the_same_time() {
    let mut untold = Vec::new();
    for file in 0..i64::try_from(UNTOLD_MAX).unwrap() + 50 {
        let at = |second: i64| Some(Timestamp::from_micros(second * 1_000_000));
        let (table, detail) = ("pump".to_owned(), String::new());
        let (start, end) = (at(file * 10), at(file * 10 + 9));
        widen(&mut untold, Gap { table, start, end, cause: EVICTED, detail });
    }
    assert_eq!(untold.len(), UNTOLD_MAX);
    let last = Timestamp::from_micros((1_073 * 10 + 9) * 1_000_000);
    assert_eq!(untold.last().unwrap().end, Some(last));
}
