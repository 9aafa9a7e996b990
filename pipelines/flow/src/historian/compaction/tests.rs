use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use signals::{Batch, BatchBuilder, ClockState, Disk, Timestamp, Value};

use super::super::tests::{START, journal, table};
use super::super::{HistorianOptions, Log};
use super::*;
use crate::disk::RealDisk;
use crate::disk::sim::{Dice, Faults, SimDisk};
use crate::gap_log::GapLog;

const DAY_SECONDS: i64 = 86_400;

/// A journal on the real disk and a lake on any.
struct Plant {
    folder: tempfile::TempDir,
    journal: Log<Batch>,
    disk: Arc<dyn Disk>,
}

impl Plant {
    fn on(disk: impl Disk + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path());
        Self { folder, journal, disk: Arc::new(disk) }
    }

    fn lake(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    fn historian(&self) -> Historian {
        let options = HistorianOptions::new(self.lake(), "gw");
        Historian::new(GapLog::new(self.journal.clone()), Arc::clone(&self.disk), options).unwrap()
    }

    fn add(&self, second: i64) {
        let mut rows = BatchBuilder::new(table(3));
        rows.begin(Timestamp::from_micros(START + second * 1_000_000), 0, ClockState::Synced);
        for signal in 0..3 {
            rows.set(signal, Value::F64(value(second)));
        }
        self.journal.append(rows.finish().unwrap()).unwrap();
    }

    /// Makes a file for each run of these seconds.
    fn seal(&self, runs: &[Range<i64>]) {
        let historian = self.historian();
        let mut at = historian.cursor.at();
        for run in runs {
            run.clone().for_each(|second| self.add(second));
            self.journal.sync().unwrap();
            historian.take_in(&mut at).unwrap();
            historian.seal_all(at);
        }
        historian.cursor.flush().unwrap();
    }

    /// A historian of a later life, which has read a row of `day` days later.
    fn days_later(&self, day: i64) -> Historian {
        let historian = self.historian();
        self.add(day * DAY_SECONDS);
        self.journal.sync().unwrap();
        let mut at = historian.cursor.at();
        historian.take_in(&mut at).unwrap();
        historian
    }

    fn files(&self) -> Vec<lake::LakeFile> {
        lake::files(&*self.disk, &self.lake(), "pump").unwrap()
    }

    fn content(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.disk.open(path)?.read_to_end(&mut content)?;
        Ok(content)
    }

    /// Seconds of all rows that a reader finds which lists first and opens then; `None` when a
    /// file was gone by then.
    fn seconds(&self) -> Option<Vec<i64>> {
        let mut seconds = Vec::new();
        for file in self.files() {
            let content = Bytes::from(self.content(&file.path).ok()?);
            for rows in ParquetRecordBatchReaderBuilder::try_new(content).unwrap().build().unwrap()
            {
                let rows = rows.unwrap();
                let times = rows.column(0).as_primitive::<TimestampMicrosecondType>();
                let values = rows.column_by_name("s2").unwrap().as_primitive::<Float64Type>();
                for (time, found) in times.values().iter().zip(values.values()) {
                    let second = (time - START) / 1_000_000;
                    assert_eq!(found.to_bits(), value(second).to_bits(), "of second {second}");
                    seconds.push(second);
                }
            }
        }
        seconds.sort_unstable();
        Some(seconds)
    }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn value(second: i64) -> f64 {
    (second * 7 % 11) as f64 * 0.1
}

/// Four files of a second each, of a date.
fn four(day: i64) -> [Range<i64>; 4] {
    [0, 1, 2, 3].map(|second| day * DAY_SECONDS + second..day * DAY_SECONDS + second + 1)
}

#[test]
fn files_of_a_date_that_is_over_become_one_and_those_of_today_stay() {
    let plant = Plant::on(RealDisk);
    plant.seal(&[0..2, 2..4, 4..7, 7..10, 10..12, 12..13, 13..14, 14..15]);
    let before = plant.files();
    assert_eq!(before.len(), 8);
    let historian = plant.days_later(1);
    assert_eq!(historian.compact(&Stop::new()).unwrap(), 1);
    let after = plant.files();
    let of_name = (after[0].first.micros() - START, after[0].seq);
    assert_eq!(of_name, (0, before[3].seq), "first time, greatest offset");
    assert_eq!(after[1..], before[4..]);
    assert_eq!(plant.seconds().unwrap(), (0..15).collect::<Vec<_>>());
    assert_eq!(historian.counts().compacted, 4);
    assert!(historian.counts().compaction_bytes > 0);
    assert!(!beside(&plant.lake()).try_exists().unwrap());
    assert_eq!(historian.compact(&Stop::new()).unwrap(), 0, "done is done");
}

#[test]
fn a_date_that_gets_rows_is_left_alone() {
    let plant = Plant::on(SimDisk::new());
    plant.seal(&[0..2, 2..4, 4..7]);
    let historian = plant.days_later(1);
    // One more file of the first day, written in this life.
    plant.add(8);
    plant.journal.sync().unwrap();
    let mut at = historian.state().reached;
    historian.take_in(&mut at).unwrap();
    assert_eq!(historian.compact(&Stop::new()).unwrap(), 0, "a row waits");
    historian.seal_all(at);
    assert_eq!(historian.compact(&Stop::new()).unwrap(), 0, "a file has just come");
}

#[test]
fn a_joined_file_has_its_checksum_and_a_damaged_part_is_set_aside_not_copied() {
    let disk = SimDisk::new();
    let plant = Plant::on(disk.clone());
    plant.seal(&four(0));
    plant.seal(&four(1));
    let historian = plant.days_later(2);
    let damaged = plant.files()[1].path.clone();
    disk.corrupt(&damaged, |bytes| bytes[9] ^= 0x40);
    assert_eq!(historian.compact(&Stop::new()).unwrap(), 1, "the other date's");
    let without: Vec<i64> = plant.seconds().unwrap();
    assert_eq!(without.len(), 7, "{without:?}: the second of the damaged file is gone");
    assert_eq!(historian.counts().damaged, 1);
    let joined = plant.files().pop().unwrap().path;
    for place in [5, 40, 200] {
        let mut content = plant.content(&joined).unwrap();
        super::super::scrub::verify_source(&mut io::Cursor::new(content.as_slice())).unwrap();
        content[place] ^= 1;
        let found = super::super::scrub::verify_source(&mut io::Cursor::new(content.as_slice()));
        assert!(found.is_err(), "byte {place} turned over");
    }
}

/// What a crash leaves.
#[derive(Clone, Copy, Debug)]
enum Crash {
    Kill,
    PowerCut,
}

#[test]
fn killed_or_cut_at_any_operation_no_row_is_missing_or_there_twice() {
    for crash in [Crash::Kill, Crash::PowerCut] {
        let mut deaths = 0;
        for operations in 0..1_000 {
            if crashed_at(crash, operations) {
                deaths += 1;
            } else {
                break;
            }
        }
        // A file made, written, synced and published; the exchange; four files removed.
        assert_eq!(deaths, 9, "{crash:?}");
    }
}

/// Whether there was such an operation to crash at.
fn crashed_at(crash: Crash, operations: u64) -> bool {
    let disk = SimDisk::new();
    let plant = Plant::on(disk.clone());
    plant.seal(&four(0));
    plant.seal(&[DAY_SECONDS..DAY_SECONDS + 1, DAY_SECONDS + 1..DAY_SECONDS + 2]);
    let mut wanted: Vec<i64> = (0..4).chain([DAY_SECONDS, DAY_SECONDS + 1]).collect();
    let mut dice = Dice::new(operations);
    let historian = plant.days_later(2);
    let faults = Faults { operations_until_cut: Some(operations), ..Faults::default() };
    disk.set_faults(faults, operations);
    let done = historian.compact(&Stop::new());
    let died = disk.is_off();
    assert_eq!(done.is_err(), died, "{done:?}");
    match crash {
        Crash::Kill => disk.kill(),
        Crash::PowerCut => disk.crash_at_random(&mut dice),
    }
    assert_eq!(plant.seconds().unwrap(), wanted, "{crash:?} at operation {operations}");
    drop(historian);
    let again = plant.days_later(3);
    assert_eq!(plant.seconds().unwrap(), wanted, "started after {operations}");
    again.compact(&Stop::new()).unwrap();
    assert_eq!(plant.seconds().unwrap(), wanted, "compacted after {operations}");
    assert_eq!(plant.files().len(), 3);
    again.seal_all(again.reached());
    wanted.extend([2 * DAY_SECONDS, 3 * DAY_SECONDS]);
    assert_eq!(plant.seconds().unwrap(), wanted, "sealed on after {operations}");
    died
}

#[test]
fn the_same_rows_give_the_same_bytes_however_they_were_sealed() {
    let bytes = |runs: &[Range<i64>]| {
        let plant = Plant::on(SimDisk::new());
        plant.seal(runs);
        let historian = plant.days_later(1);
        assert_eq!(historian.compact(&Stop::new()).unwrap(), 1);
        plant.content(&plant.files()[0].path).unwrap()
    };
    assert_eq!(bytes(&[0..1, 1..2, 2..3, 3..10]), bytes(&[0..4, 4..5, 5..7, 7..8, 8..10]));
}

#[test]
fn large_files_stay_and_small_ones_around_them_are_joined() {
    let plant = Plant::on(SimDisk::new());
    plant.seal(&[0..1, 1..2, 2..3, 3..4, 4..9, 9..10]);
    let mut historian = plant.days_later(1);
    let sizes: Vec<usize> =
        plant.files().iter().map(|file| plant.content(&file.path).unwrap().len()).collect();
    let large = plant.files()[4].clone();
    assert!(sizes.iter().enumerate().all(|(place, size)| place == 4 || *size < sizes[4]));
    let options = Arc::get_mut(&mut historian.options).unwrap();
    options.compaction.small_bytes_max = sizes[4] as u64 - 1;
    assert_eq!(historian.compact(&Stop::new()).unwrap(), 1);
    let after = plant.files();
    assert_eq!(after.len(), 3);
    assert_eq!(after[1], large);
    assert_eq!(plant.seconds().unwrap(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_reader_meanwhile_sees_every_row_once_or_asks_again() {
    let plant = Plant::on(RealDisk);
    let days = 12;
    let runs: Vec<_> = (0..days).flat_map(four).collect();
    plant.seal(&runs);
    let wanted = plant.seconds().unwrap();
    let historian = plant.days_later(days);
    let stop = Stop::new();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut whole, mut again) = (0, 0);
            while !stop.is_raised() {
                match plant.seconds() {
                    Some(seconds) => {
                        assert_eq!(seconds, wanted);
                        whole += 1;
                    }
                    None => again += 1,
                }
            }
            (whole, again)
        });
        let (going, mut done) = (Stop::new(), 0);
        let mut pace = Pace { stop: &going, since: None };
        for (day, _) in historian.days_over() {
            done += usize::from(historian.compact_day(&day, &mut pace).unwrap() == Outcome::Joined);
        }
        stop.raise();
        let (whole, again) = reader.join().unwrap();
        println!("{whole} readings, {again} to be asked again, {done} dates");
        assert_eq!(done, usize::try_from(days).unwrap());
        assert!(whole > 0);
    });
    assert_eq!(plant.seconds().unwrap(), wanted);
}

#[test]
fn a_gateway_joins_files_by_itself_and_looks_no_further_at_what_is_done() {
    let plant = Plant::on(SimDisk::new());
    plant.seal(&four(0));
    plant.seal(&four(1));
    let historian = plant.days_later(2);
    let (mut work, stop) = (Work::default(), Stop::new());
    for files in [5, 2, 2] {
        historian.compaction_turn(&mut work, &stop);
        assert_eq!(plant.files().len(), files);
    }
    assert_eq!(work.done.len(), 2);
    assert!(work.days.is_empty());
    assert_eq!(plant.seconds().unwrap().len(), 8);
}
