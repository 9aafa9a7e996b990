//! What waits, what was replaced and what was given up; the ledger over crashes; a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pipelines_flow::disk::RealDisk;
use pipelines_flow::lake::LakeFile;
use signals::{Clock, Disk, ManualClock, Offset, Stop, Timestamp};

use crate::ledger::{Done, Ledger};
use crate::look::{Found, given_up, object_name, work};
use crate::pace::Pace;
use crate::shelf::folder::Folder;
use crate::shelf::{PART_BYTES, Parcel, Shelf, UploadError};

const DATE: &str = "2026-10-26";

fn found(seq: u64) -> Found {
    let name = format!("pump/date={DATE}/{seq:016}_{seq:020}.parquet");
    let file = LakeFile {
        path: Path::new("/lake").join(&name),
        table: "pump".to_owned(),
        date: DATE.to_owned(),
        first: Timestamp::from_micros(i64::try_from(seq).unwrap()),
        seq: Offset(seq),
        is_thinned: false,
    };
    Found { file, name, bytes: 100 }
}

/// A file of the rows from one offset to another.
fn done(first: u64, last: u64) -> Done {
    let Found { file, name, bytes } = found(last);
    Done { name, table: file.table, date: file.date, first, last, bytes }
}

fn ledger(folder: &Path, there: &[Done]) -> Ledger {
    let mut ledger = open(folder, "s3://a");
    for file in there {
        ledger.put(file.clone()).unwrap();
    }
    ledger
}

fn open(folder: &Path, place: &str) -> Ledger {
    Ledger::open(&folder.join("ledger.jsonl"), place, Arc::new(RealDisk)).unwrap()
}

#[test]
fn files_that_are_not_there_or_have_changed_wait() {
    let folder = tempfile::tempdir().unwrap();
    let changed = Done { bytes: 99, ..done(21, 30) };
    let ledger = ledger(folder.path(), &[done(1, 10), changed]);
    let waiting = work([10, 20, 30].map(found).to_vec(), &ledger).waiting;
    assert_eq!(waiting, [20, 30].map(found));
}

#[test]
fn parts_go_only_when_the_file_that_has_replaced_them_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = ledger(folder.path(), &[done(1, 10), done(11, 20)]);
    let before = work(vec![found(25)], &ledger);
    assert_eq!((before.waiting.len(), before.replaced.len(), before.evicted.len()), (1, 0, 0));
    ledger.put(done(1, 25)).unwrap();
    let after = work(vec![found(25)], &ledger);
    assert_eq!(after.replaced, [done(1, 10), done(11, 20)]);
}

#[test]
fn what_is_given_up_here_stays_there() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path(), &[done(1, 10), done(11, 20)]);
    let work = work(vec![found(20)], &ledger);
    assert_eq!((work.replaced.len(), work.evicted), (0, vec![done(1, 10).name]));
}

/// What is left of the rows up to an offset.
fn thinned(seq: u64) -> Found {
    let found = found(seq);
    let name = found.name.replace(".parquet", ".thinned.parquet");
    let file = LakeFile { path: Path::new("/lake").join(&name), is_thinned: true, ..found.file };
    Found { file, name, bytes: 7 }
}

#[test]
fn what_was_uploaded_whole_stays_whole_there_when_it_is_thinned_here() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = ledger(folder.path(), &[done(1, 10), done(11, 20)]);
    for look in 0..3 {
        let work = work(vec![thinned(20), found(30)], &ledger);
        assert_eq!(work.waiting, [found(30)], "look {look}");
        assert!(work.there.contains(&thinned(20).name), "it need not stay here for a copy");
        assert!(work.replaced.is_empty());
        work.evicted.iter().for_each(|name| ledger.forget(name).unwrap());
    }
    // Given up here at last: nothing is known of it any more, and there it stays.
    let work = work(vec![found(30)], &ledger);
    assert!(work.replaced.is_empty());
}

#[test]
fn what_was_thinned_before_it_was_uploaded_is_uploaded_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path(), &[done(1, 10)]);
    let work = work(vec![found(10), thinned(20)], &ledger);
    assert_eq!(work.waiting, [thinned(20)]);
    assert!(work.replaced.is_empty() && work.evicted.is_empty());
}

#[test]
fn a_file_given_up_before_it_was_uploaded_is_counted_and_a_joined_one_is_not() {
    let first = |path: &PathBuf| path.ends_with(&found(25).name).then_some(11);
    let before = [10, 20].map(found);
    assert_eq!(given_up(&before, &[found(25)], first), 1);
}

#[test]
fn the_ledger_is_what_it_was_after_a_restart_and_after_a_line_that_was_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = ledger(folder.path(), &[done(1, 10), done(11, 20)]);
    before.forget(&done(1, 10).name).unwrap();
    let path = folder.path().join("ledger.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}{{\"done\":{{\"name\":\"pu")).unwrap();
    let mut after = open(folder.path(), "s3://a");
    after.put(done(21, 30)).unwrap();
    let again = open(folder.path(), "s3://a");
    let names: Vec<_> = again.all().map(|done| done.last).collect();
    assert_eq!(names, [20, 30]);
    assert_eq!(open(folder.path(), "s3://b").all().count(), 0, "another place has nothing yet");
}

#[test]
fn objects_are_named_so_that_all_gateways_are_one_table() {
    let name = object_name("gw-1", &found(10).name);
    assert!(name.starts_with("gateway=gw-1/table=pump/date=2026-10-26/"), "{name}");
}

fn pace() -> Pace {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::from_micros(0)));
    Pace { bytes_per_s: None, hours: None, clock, stop: Stop::new() }
}

async fn put(place: &Path, path: &Path) -> Result<(u64, u64), UploadError> {
    let bytes = fs::metadata(path).unwrap().len();
    let parcel = Parcel { path, object: "gateway=g/table=t/date=d/a.parquet", bytes };
    let sent = Folder(place.to_owned()).put(&parcel, &pace()).await?;
    Ok((sent.bytes, sent.resumed))
}

#[tokio::test]
async fn a_copy_that_was_cut_goes_on_and_a_whole_one_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (place, file) = (folder.path().join("nas"), folder.path().join("a.parquet"));
    let content: Vec<u8> = (0..=250).cycle().take(2 * PART_BYTES + 7).collect();
    fs::write(&file, &content).unwrap();
    let err = put(&place, &file).await.unwrap_err();
    assert!(err.to_string().contains("check that it is mounted"), "{err}");
    fs::create_dir(&place).unwrap();
    let day = place.join("gateway=g/table=t/date=d");
    fs::create_dir_all(&day).unwrap();
    fs::write(day.join(".a.parquet.tmp"), &content[..PART_BYTES + 3]).unwrap();
    let part = PART_BYTES as u64;
    assert_eq!(put(&place, &file).await.unwrap(), (part + 7, part));
    assert_eq!(fs::read(day.join("a.parquet")).unwrap(), content);
    assert_eq!(RealDisk.list(&day).unwrap().len(), 1, "nothing hidden is left");
    assert_eq!(put(&place, &file).await.unwrap(), (0, 2 * part + 7));
}

#[tokio::test]
async fn nothing_is_sent_outside_of_its_hours_or_after_the_stop() {
    let hours = pipelines_flow::uplink::Hours::parse("22:00-05:00");
    let clock = Arc::new(ManualClock::new(Timestamp::parse("2026-10-26T12:00:00Z").unwrap()));
    let mut pace = Pace { hours, clock: Arc::clone(&clock) as _, ..pace() };
    assert!(matches!(pace.may_send(), Err(UploadError::Hours)));
    clock.step_to(Timestamp::parse("2026-10-26T23:00:00Z").unwrap());
    assert!(pace.sent(1 << 20).await.is_ok());
    pace.bytes_per_s = Some(1);
    pace.stop.raise();
    assert!(matches!(pace.sent(1 << 20).await, Err(UploadError::Stopped)));
}
