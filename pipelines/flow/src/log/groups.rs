//! Records written together, against a reference that stands in two frames of the segment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use signals::{Disk, ManualClock, Timestamp};

use super::stepped::Stepped;
use super::tests::{Numbers, Together};
use super::*;
use crate::disk::sim::SimDisk;

/// Commits of more than two references.
const COMMITS: u64 = 130;
const GROUP: u64 = 3;

fn open(disk: &SimDisk, codec: Arc<dyn Codec<u64>>) -> Stepped<u64> {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(7)));
    let options = LogOptions { tail_bytes: 1, ..LogOptions::new("/log") };
    let port: Arc<dyn Disk> = Arc::new(disk.clone());
    Stepped::open(options, (port, clock), codec).unwrap().0
}

fn together() -> Arc<dyn Codec<u64>> {
    Arc::new(Together::default())
}

fn fill(log: &mut Stepped<u64>, commits: std::ops::Range<u64>) {
    let _reader = log.log.cursor("reader");
    for record in commits.start * GROUP..commits.end * GROUP {
        log.log.offer(record).unwrap();
        assert!(!(record + 1).is_multiple_of(GROUP) || log.turn());
    }
}

/// The records from `from` on; each is its own offset.
fn content(log: &Log<u64>, from: u64) -> Vec<u64> {
    let mut from = Offset(from);
    let mut records = Vec::new();
    loop {
        let entries = log.read(from, 4).unwrap();
        let Some(last) = entries.last() else { return records };
        from = last.offset.next();
        for entry in entries {
            assert_eq!(entry.offset.0, *entry.record, "record and offset belong together");
            records.push(*entry.record);
        }
    }
}

fn segment(disk: &SimDisk) -> PathBuf {
    disk.list(Path::new("/log")).unwrap().into_iter().find(|p| p.extension().is_some()).unwrap()
}

/// Where the commits of a segment begin.
fn starts(disk: &SimDisk, path: &Path) -> Vec<usize> {
    let mut starts = Vec::new();
    segment::walk(disk, path, 0, |at, _| {
        starts.push(usize::try_from(at).unwrap());
        Ok(true)
    })
    .unwrap();
    starts
}

#[test]
fn any_one_damaged_commit_costs_its_own_records_and_no_others() {
    let disk = SimDisk::new();
    fill(&mut open(&disk, together()), 0..COMMITS);
    let path = segment(&disk);
    let starts = starts(&disk, &path);
    assert_eq!(starts.len() as u64, COMMITS);
    // The last one stands again, in a segment of its own.
    for (damaged, start) in (0..COMMITS - 1).zip(starts) {
        let disk = SimDisk::new();
        fill(&mut open(&disk, together()), 0..COMMITS);
        disk.corrupt(&path, |bytes| bytes[start + 40] ^= 0x10);
        let log = open(&disk, together());
        let wanted: Vec<u64> = (0..COMMITS * GROUP).filter(|r| r / GROUP != damaged).collect();
        assert_eq!(content(&log.log, 0), wanted, "commit {damaged}");
        assert_eq!(log.log.counts().unreadable, GROUP);
    }
}

#[test]
fn a_reference_that_is_damaged_twice_costs_its_commits_and_is_told() {
    let disk = SimDisk::new();
    fill(&mut open(&disk, together()), 0..COMMITS);
    let path = segment(&disk);
    let starts = starts(&disk, &path);
    disk.corrupt(&path, |bytes| {
        bytes[starts[60] + 40] ^= 1;
        bytes[starts[61] + 40] ^= 1;
    });
    let log = open(&disk, together());
    let wanted: Vec<u64> = (0..60 * GROUP).chain(120 * GROUP..COMMITS * GROUP).collect();
    assert_eq!(content(&log.log, 0), wanted);
    assert_eq!(log.log.counts().unreadable, 60 * GROUP);
}

#[test]
fn reading_begins_at_any_record() {
    let disk = SimDisk::new();
    fill(&mut open(&disk, together()), 0..COMMITS);
    let log = open(&disk, together());
    for from in 0..COMMITS * GROUP {
        let first = log.log.read(Offset(from), 1).unwrap();
        assert_eq!(*first[0].record, from);
    }
    assert_eq!(content(&log.log, 100), (100..COMMITS * GROUP).collect::<Vec<_>>());
}

#[test]
fn the_last_commit_is_whole_after_restart_upon_restart() {
    let disk = SimDisk::new();
    for life in 1..=70 {
        let mut log = open(&disk, together());
        fill(&mut log, (life - 1) * 3..life * 3);
        drop(log);
        let log = open(&disk, together());
        assert_eq!(content(&log.log, 0), (0..life * 3 * GROUP).collect::<Vec<_>>());
    }
}

/// Records that say they are large.
struct Heavy(Together);

impl Codec<u64> for Heavy {
    fn encode(&self, record: &u64, out: &mut Vec<u8>) -> io::Result<()> {
        self.0.encode(record, out)
    }

    fn size(&self, _record: &u64) -> usize {
        5 << 20
    }

    fn memory(&self, record: &u64) -> usize {
        self.0.memory(record)
    }

    fn decode(&self, bytes: &[u8]) -> io::Result<u64> {
        self.0.decode(bytes)
    }

    fn groups(&self) -> Option<&dyn GroupCodec<u64>> {
        self.0.groups()
    }
}

#[test]
fn a_commit_ends_behind_16_mib_of_records() {
    let disk = SimDisk::new();
    let mut log = open(&disk, Arc::new(Heavy(Together::default())));
    for record in 0..10 {
        log.log.offer(record).unwrap();
    }
    for durable in [4, 8, 10] {
        assert!(log.turn());
        assert_eq!(log.log.durable(), Offset(durable));
    }
    assert_eq!(content(&log.log, 0), (0..10).collect::<Vec<_>>());
}

#[test]
fn segments_of_an_earlier_version_stay_readable() {
    let disk = SimDisk::new();
    fill(&mut open(&disk, Arc::new(Numbers)), 0..5);
    fill(&mut open(&disk, together()), 5..10);
    let log = open(&disk, together());
    assert_eq!(content(&log.log, 0), (0..10 * GROUP).collect::<Vec<_>>());
    let view = LogView::new(Path::new("/log"), Arc::new(disk), together());
    let mut seen = Vec::new();
    view.visit(Offset(0), |entry| seen.push(*entry.record)).unwrap();
    assert_eq!(seen, (0..10 * GROUP).collect::<Vec<_>>());
}
