use std::collections::HashSet;
use std::io::Read as _;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::types::Float64Type;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use signals::{Batch, BatchBuilder, ClockState, Disk, Offset, Timestamp, Value};

use super::super::tests::{START, journal, table};
use super::super::{Budget, HistorianOptions, Log};
use super::*;
use crate::disk::RealDisk;
use crate::disk::sim::{Dice, Faults, SimDisk};
use crate::gap_log::GapLog;

/// Midnight, ten seconds after [`START`].
const MIDNIGHT: i64 = START + 10 * SECOND;
const SECOND: i64 = 1_000_000;

/// A journal on the real disk, and a lake on any, with a row a second.
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

    fn historian(&self, bytes_max: Option<u64>) -> Historian {
        let budget = Budget { bytes_max, free_min: 0 };
        let options = HistorianOptions { budget, ..HistorianOptions::new(self.lake(), "gw") };
        Historian::new(GapLog::new(self.journal.clone()), Arc::clone(&self.disk), options).unwrap()
    }

    /// Makes a file of each of these runs of minutes.
    fn seal(&self, runs: impl IntoIterator<Item = Range<i64>>) {
        let historian = self.historian(None);
        let mut at = historian.cursor.at();
        for run in runs {
            let mut rows = BatchBuilder::new(table(3));
            for second in run.start * 60..run.end * 60 {
                let ts = Timestamp::from_micros(MIDNIGHT + second * SECOND);
                rows.begin(ts, 0, ClockState::Synced);
                (0..3).for_each(|signal| rows.set(signal, Value::F64(value(second))));
            }
            self.journal.append(rows.finish().unwrap()).unwrap();
            self.journal.sync().unwrap();
            historian.take_in(&mut at).unwrap();
            historian.seal_all(at);
        }
        historian.cursor.flush().unwrap();
    }

    fn files(&self) -> Vec<LakeFile> {
        lake::files(&*self.disk, &self.lake(), "pump").unwrap()
    }

    fn bytes(&self) -> u64 {
        self.files().iter().map(|file| self.content(file).len() as u64).sum()
    }

    fn content(&self, file: &LakeFile) -> Vec<u8> {
        let mut content = Vec::new();
        self.disk.open(&file.path).unwrap().read_to_end(&mut content).unwrap();
        content
    }

    /// Seconds since midnight of all rows in the lake, each with the value it was taken with.
    fn seconds(&self) -> Vec<i64> {
        let mut seconds = Vec::new();
        for file in self.files() {
            let content = Bytes::from(self.content(&file));
            for rows in ParquetRecordBatchReaderBuilder::try_new(content).unwrap().build().unwrap()
            {
                let rows = rows.unwrap();
                let times = rows.column(0).as_primitive::<TimestampMicrosecondType>();
                let values = rows.column_by_name("s2").unwrap().as_primitive::<Float64Type>();
                for (time, found) in times.values().iter().zip(values.values()) {
                    let second = (time - MIDNIGHT) / SECOND;
                    assert_eq!(found.to_bits(), value(second).to_bits(), "of second {second}");
                    seconds.push(second);
                }
            }
        }
        seconds
    }

    /// `(cause, first minute, rows given up)` of every row of `_gaps`.
    fn gaps(&self) -> Vec<(String, i64, i64)> {
        self.journal.sync().unwrap();
        let entries = self.journal.read(Offset::START.max(self.journal.oldest()), 10_000).unwrap();
        let gaps = entries.iter().filter(|entry| entry.record.table.name() == "_gaps");
        let rows = gaps.flat_map(|entry| {
            let rows = entry.record.rows.clone();
            let text = |name| rows.column_by_name(name).unwrap().as_string::<i32>().clone();
            let starts = rows.column_by_name("gap_start").unwrap();
            let starts = starts.as_primitive::<TimestampMicrosecondType>().clone();
            let (causes, details) = (text("cause"), text("detail"));
            let row = move |row| {
                let given_up = details.value(row).split(' ').next().unwrap().parse().unwrap();
                let minute = (starts.value(row) - MIDNIGHT) / SECOND / 60;
                (causes.value(row).to_owned(), minute, given_up)
            };
            (0..rows.num_rows()).map(row).collect::<Vec<_>>()
        });
        rows.collect()
    }
}

/// Of every row another, and hard to compress.
fn value(second: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "any value will do")]
    let value = (second.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed()) >> 12) as f64;
    value
}

fn minutes(minutes: Range<i64>) -> Vec<i64> {
    minutes.map(|minute| minute * 60).collect()
}

fn seconds(minutes: Range<i64>) -> Vec<i64> {
    (minutes.start * 60..minutes.end * 60).collect()
}

/// Files of ten minutes.
fn tens(count: i64) -> impl Iterator<Item = Range<i64>> {
    (0..count).map(|file| file * 10..file * 10 + 10)
}

fn told(cause: &str, minute: i64, rows: i64) -> (String, i64, i64) {
    (cause.to_owned(), minute, rows)
}

#[test]
fn over_its_bytes_the_lake_keeps_a_row_a_minute_of_what_is_old_and_tells_it() {
    let plant = Plant::on(RealDisk);
    plant.seal(tens(4));
    let historian = plant.historian(Some(plant.bytes() / 2));
    historian.keep_budget(&Stop::new());
    let left: Vec<i64> = minutes(0..30).into_iter().chain(seconds(30..40)).collect();
    assert!(plant.seconds() == left, "the newest file is whole");
    assert_eq!(plant.gaps(), [told("thinned", 0, 30 * 59)]);
    let counts = historian.counts();
    assert_eq!((counts.thinned, counts.evicted), (3, 0));
    assert!(counts.thinned_bytes > 0);
    assert_eq!(historian.state().held, Some(plant.bytes()));
    let thinned = &plant.files()[0];
    assert!(thinned.is_thinned);
    assert!(thinned.path.to_str().unwrap().ends_with(".thinned.parquet"));
    historian.keep_budget(&Stop::new());
    assert_eq!(plant.gaps().len(), 1, "within the budget nothing more goes");
}

#[test]
fn what_is_thinned_goes_when_nothing_more_can_be_thinned() {
    let plant = Plant::on(RealDisk);
    plant.seal(tens(3));
    let historian = plant.historian(Some(1));
    historian.keep_budget(&Stop::new());
    assert!(plant.seconds() == seconds(20..30));
    assert_eq!(plant.gaps(), [told("thinned", 0, 20 * 59), told("evicted", 0, 20)]);
    assert_eq!(historian.state().thinning.held, Some(0));
    // Nothing of it comes back out of the journal.
    plant.seal(std::iter::once(30..31));
    assert!(plant.seconds() == seconds(20..31));
}

#[test]
fn above_a_quarter_of_the_room_thinned_files_go_before_more_is_thinned() {
    let plant = Plant::on(RealDisk);
    let days = (0..8).map(|day| day * 24 * 60);
    plant.seal(days.flat_map(|day| tens(10).map(move |ten| day + ten.start..day + ten.end)));
    let bytes_max = plant.bytes() / 24;
    let historian = plant.historian(Some(bytes_max));
    historian.keep_budget(&Stop::new());
    let thinned: Vec<LakeFile> = plant.files().into_iter().filter(|f| f.is_thinned).collect();
    let held: Vec<u64> = thinned.iter().map(|file| plant.content(file).len() as u64).collect();
    let total: u64 = held.iter().sum();
    assert!(plant.bytes() <= bytes_max);
    assert!(total - held.last().unwrap() <= bytes_max / 4, "{held:?} of {bytes_max}");
    assert_eq!(historian.state().thinning.held, Some(total));
    // The oldest have gone, and each of them was thinned before.
    let evicted = plant.gaps().into_iter().filter(|(cause, ..)| cause == "evicted");
    let evicted: Vec<(i64, i64)> = evicted.map(|(_, minute, rows)| (minute, rows)).collect();
    let gone: Vec<(i64, i64)> =
        (0..8 - i64::try_from(thinned.len()).unwrap()).map(|day| (day * 24 * 60, 100)).collect();
    assert!(!gone.is_empty() && !thinned.is_empty());
    assert_eq!(evicted, gone);
}

#[test]
fn files_go_whole_where_it_is_switched_off_and_where_nothing_would_be_won() {
    for (interval, run) in [(None, 10), (Some(Duration::from_secs(1)), 10)] {
        let plant = Plant::on(RealDisk);
        plant.seal([0..run, run..2 * run, 2 * run..3 * run]);
        let historian = plant.historian(Some(plant.bytes() * 3 / 4));
        let options = HistorianOptions { thin_interval: interval, ..(*historian.options).clone() };
        let historian = Historian { options: Arc::new(options), ..historian };
        historian.keep_budget(&Stop::new());
        assert!(plant.seconds() == seconds(run..3 * run), "{interval:?}");
        assert_eq!(historian.counts().thinned, 0);
    }
}

#[test]
fn what_has_a_copy_elsewhere_is_thinned_first_and_never_together_with_what_has_none() {
    let plant = Plant::on(RealDisk);
    plant.seal(tens(6));
    let historian = plant.historian(Some(plant.bytes() * 49 / 60));
    // The second and third have been copied.
    let names: Vec<String> = plant.files().iter().map(LakeFile::name).collect();
    historian.copied().set(names[1..3].iter().cloned().collect::<HashSet<_>>());
    historian.keep_budget(&Stop::new());
    assert_eq!(plant.gaps(), [told("thinned", 10, 20 * 59)]);
    // The others go one by one: a copy of one may just be under way.
    let historian = plant.historian(Some(plant.bytes() - 1));
    let thinned = plant.files().into_iter().find(|file| file.is_thinned).unwrap();
    historian.copied().set(HashSet::from([thinned.name()]));
    historian.keep_budget(&Stop::new());
    assert_eq!(plant.gaps()[1..], [told("thinned", 0, 10 * 59)]);
}

#[test]
fn a_file_that_cannot_be_read_stays_as_it_is_and_the_next_one_is_thinned() {
    let plant = Plant::on(RealDisk);
    plant.seal(tens(4));
    let oldest = plant.files().remove(0);
    let mut content = plant.content(&oldest);
    content[100] ^= 1;
    std::fs::write(&oldest.path, &content).unwrap();
    let historian = plant.historian(Some(plant.bytes() * 6 / 10));
    historian.keep_budget(&Stop::new());
    assert_eq!(plant.gaps(), [told("thinned", 10, 20 * 59)]);
    assert_eq!(plant.files()[0], oldest);
}

#[test]
fn joining_small_files_leaves_thinned_ones_alone() {
    let plant = Plant::on(RealDisk);
    plant.seal(tens(4));
    plant.historian(Some(plant.bytes() / 2)).keep_budget(&Stop::new());
    plant.seal((40..45).map(|minute| minute..minute + 1));
    let (before, wanted) = (plant.files(), plant.seconds());
    plant.seal(std::iter::once(24 * 60..24 * 60 + 1));
    let historian = plant.historian(None);
    let row = Timestamp::from_micros(MIDNIGHT + 3 * 86_400 * SECOND);
    historian.state().newest = Some(row);
    assert_eq!(historian.compact(&Stop::new()).unwrap(), 1);
    assert_eq!(plant.files()[0], before[0]);
    assert!(plant.seconds()[..wanted.len()] == wanted);
}

#[test]
fn killed_or_cut_at_any_operation_rows_are_whole_or_thinned_and_never_twice() {
    for is_cut in [false, true] {
        let deaths = (0..1_000).take_while(|operations| crashed_at(is_cut, *operations)).count();
        // A file made, written, synced and published; a link; the exchange; three files removed.
        assert!(deaths >= 7, "{deaths}");
    }
}

/// Whether there was such an operation to crash at.
fn crashed_at(is_cut: bool, operations: u64) -> bool {
    let disk = SimDisk::new();
    let plant = Plant::on(disk.clone());
    plant.seal(tens(3));
    let (bytes, whole) = (plant.bytes(), plant.seconds());
    let historian = plant.historian(Some(bytes / 2));
    let faults = Faults { operations_until_cut: Some(operations), ..Faults::default() };
    disk.set_faults(faults, operations);
    historian.keep_budget(&Stop::new());
    let died = disk.is_off();
    if is_cut {
        disk.crash_at_random(&mut Dice::new(operations));
    } else {
        disk.kill();
    }
    let thinned: Vec<i64> = minutes(0..20).into_iter().chain(seconds(20..30)).collect();
    let left = plant.seconds();
    assert!(left == whole || left == thinned, "at operation {operations}, cut: {is_cut}");
    if left == thinned {
        assert_eq!(plant.gaps(), [told("thinned", 0, 20 * 59)], "told before it went");
    }
    drop(historian);
    let again = plant.historian(Some(bytes / 2));
    again.keep_budget(&Stop::new());
    assert!(plant.seconds() == thinned, "started after {operations}");
    plant.seal(std::iter::once(30..31));
    assert!(plant.seconds().len() == thinned.len() + 60, "sealed on after {operations}");
    died
}

#[test]
fn the_first_row_of_every_interval_and_sender_passes_however_rows_are_batched() {
    let mut dice = Dice::new(7);
    for _ in 0..200 {
        let mut at = 0;
        let rows: Vec<(i64, u8)> = (0..300)
            .map(|_| {
                at += i64::try_from(dice.below(20)).unwrap();
                (at, u8::try_from(dice.below(4)).unwrap())
            })
            .collect();
        let first = |place: usize| {
            let (at, sender) = rows[place];
            let before = &rows[..place];
            !before.iter().any(|(t, s)| *s == sender && t.div_euclid(60) == at.div_euclid(60))
        };
        let wanted: Vec<_> =
            (0..rows.len()).filter(|place| first(*place)).map(|p| rows[p]).collect();
        let mut sieve = Sieve::new(Duration::from_micros(60));
        let (mut passed, mut rest) = (Vec::new(), rows.as_slice());
        while !rest.is_empty() {
            let (some, after) =
                rest.split_at(rest.len().min(1 + usize::try_from(dice.below(50)).unwrap()));
            let batch = sieve.pass(&batch_of(some)).unwrap();
            let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
            let senders = batch.column(1).as_primitive::<UInt8Type>();
            passed.extend(times.values().iter().copied().zip(senders.values().iter().copied()));
            rest = after;
        }
        assert_eq!(passed, wanted);
    }
}

fn batch_of(rows: &[(i64, u8)]) -> RecordBatch {
    use arrow_array::{ArrayRef, TimestampMicrosecondArray, UInt8Array};
    let times: TimestampMicrosecondArray = rows.iter().map(|(at, _)| Some(*at)).collect();
    let senders: UInt8Array = rows.iter().map(|(_, sender)| *sender).collect();
    let columns: [(&str, ArrayRef); 2] =
        [(table::TS, Arc::new(times)), (table::SA, Arc::new(senders))];
    RecordBatch::try_from_iter(columns).unwrap()
}
