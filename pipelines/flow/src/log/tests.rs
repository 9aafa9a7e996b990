use std::path::PathBuf;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use signals::{ManualClock, Timestamp};

use super::*;
use crate::disk::sim::{SimDisk, Tear};

/// Records are plain numbers here: what a log does does not depend on what is in it.
pub(super) struct Numbers;

impl Codec<u64> for Numbers {
    fn encode(&self, record: &u64, out: &mut Vec<u8>) -> io::Result<()> {
        out.extend_from_slice(&record.to_le_bytes());
        Ok(())
    }

    fn size(&self, _: &u64) -> usize {
        8
    }

    fn memory(&self, _: &u64) -> usize {
        8
    }

    fn decode(&self, bytes: &[u8]) -> io::Result<u64> {
        let bytes = bytes.try_into().map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

/// The same records written together: each is its difference to the reference, the last record
/// seen when that was made.
#[derive(Default)]
pub(super) struct Together(u64);

impl Codec<u64> for Together {
    fn encode(&self, record: &u64, out: &mut Vec<u8>) -> io::Result<()> {
        Numbers.encode(record, out)
    }

    fn size(&self, record: &u64) -> usize {
        Numbers.size(record)
    }

    fn memory(&self, record: &u64) -> usize {
        Numbers.memory(record)
    }

    fn decode(&self, bytes: &[u8]) -> io::Result<u64> {
        Numbers.decode(bytes)
    }

    fn groups(&self) -> Option<&dyn GroupCodec<u64>> {
        Some(self)
    }
}

impl GroupCodec<u64> for Together {
    fn encoder(&self) -> Box<dyn GroupEncoder<u64>> {
        Box::new(Self::default())
    }

    fn reference(&self, bytes: &[u8]) -> io::Result<Reference> {
        Ok(Arc::new(self.decode(bytes)?))
    }

    fn decode_all(&self, bytes: &[u8], reference: &Reference) -> io::Result<Vec<io::Result<u64>>> {
        let reference = reference.downcast_ref::<u64>().ok_or(io::ErrorKind::InvalidData)?;
        let number = |bytes| Ok(self.decode(bytes)?.wrapping_add(*reference));
        Ok(bytes.chunks(8).map(number).collect())
    }
}

impl GroupEncoder<u64> for Together {
    fn reference(&mut self, records: &[Arc<u64>]) -> io::Result<Vec<u8>> {
        self.0 = records.last().map_or(0, |record| **record);
        Ok(self.0.to_le_bytes().to_vec())
    }

    fn encode(&mut self, records: &[Arc<u64>], out: &mut Vec<u8>) -> io::Result<()> {
        let number = |record: &Arc<u64>| record.wrapping_sub(self.0).to_le_bytes();
        out.extend(records.iter().flat_map(number));
        Ok(())
    }
}

fn options() -> LogOptions {
    LogOptions { sync_interval: Duration::from_millis(1), ..LogOptions::new("/log") }
}

fn open_with(disk: &SimDisk, options: LogOptions) -> (Log<u64>, Recovery) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(7)));
    Log::open(options, Arc::new(disk.clone()), clock, Arc::new(Numbers)).unwrap()
}

fn open(disk: &SimDisk) -> (Log<u64>, Recovery) {
    open_with(disk, options())
}

fn fill(log: &Log<u64>, records: std::ops::Range<u64>) {
    for record in records {
        assert_eq!(log.offer(record).unwrap(), Offset(record));
    }
    log.sync().unwrap();
}

/// Everything in the log, checking that offset and content agree.
fn content(log: &Log<u64>) -> Vec<u64> {
    let mut from = log.oldest();
    let mut records = Vec::new();
    loop {
        let entries = log.read(from, 3).unwrap();
        let Some(last) = entries.last() else { return records };
        from = last.offset.next();
        for entry in entries {
            assert_eq!(entry.offset.0, *entry.record, "record and offset belong together");
            records.push(*entry.record);
        }
    }
}

fn segments(disk: &SimDisk) -> Vec<PathBuf> {
    let files = disk.list(std::path::Path::new("/log")).unwrap();
    files.into_iter().filter(|p| p.extension().is_some_and(|e| e == "seg")).collect()
}

#[test]
fn what_was_synced_is_there_after_a_restart() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    fill(&log, 0..100);
    drop(log);
    let (log, recovery) = open(&disk);
    assert_eq!(recovery.next, Offset(100));
    assert_eq!(content(&log), (0..100).collect::<Vec<_>>());
}

#[test]
fn readers_see_only_what_is_durable() {
    let disk = SimDisk::new();
    let slow = LogOptions { sync_interval: Duration::from_secs(3600), ..options() };
    let (log, _) = open_with(&disk, slow);
    log.offer(0).unwrap();
    assert!(log.read(Offset::START, 10).unwrap().is_empty());
    assert_eq!(log.sync().unwrap(), Offset(1));
    assert_eq!(log.read(Offset::START, 10).unwrap().len(), 1);
}

#[test]
fn a_full_queue_refuses_and_counts() {
    let disk = SimDisk::new();
    let small =
        LogOptions { queue_records_max: 2, sync_interval: Duration::from_secs(3600), ..options() };
    let (log, _) = open_with(&disk, small);
    log.offer(0).unwrap();
    log.offer(1).unwrap();
    assert_eq!(log.offer(2).unwrap_err().0, 2);
    assert_eq!(log.counts().refused, 1);
    log.sync().unwrap();
    log.offer(2).unwrap();
}

#[test]
fn a_torn_tail_is_cut_and_told() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    fill(&log, 0..10);
    drop(log);
    let newest = segments(&disk).pop().unwrap();
    disk.corrupt(&newest, |bytes| bytes.extend_from_slice(b"FGL1 half a frame"));
    let (log, recovery) = open(&disk);
    assert_eq!(recovery.torn_bytes, 17);
    assert_eq!(recovery.next, Offset(10));
    fill(&log, 10..12);
    assert_eq!(content(&log).len(), 12);
}

#[test]
fn damage_in_the_middle_costs_only_its_commit() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    for group in [0..10, 10..20, 20..30] {
        fill(&log, group);
    }
    drop(log);
    let newest = segments(&disk).pop().unwrap();
    let mut commits = 0;
    disk.corrupt(&newest, |bytes| {
        let places: Vec<_> =
            bytes.windows(4).enumerate().filter(|(_, w)| *w == b"FGL1").map(|(i, _)| i).collect();
        commits = places.len();
        // The commit that holds record 10: the appender may have split the groups further.
        let middle = places[places.len() / 2];
        bytes[middle + 40] ^= 0xFF;
    });
    let (log, recovery) = open(&disk);
    assert_eq!(recovery.next, Offset(30));
    assert_eq!(recovery.damaged, 1);
    let left = content(&log);
    assert!(left.len() < 30 && left.len() >= 30 - 10, "{} left of {commits} commits", left.len());
    assert!(left.is_sorted());
    assert_eq!(log.counts().unreadable + left.len() as u64, 30, "what is lost is counted");
}

#[test]
fn a_cursor_is_found_where_it_was_committed() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    fill(&log, 0..10);
    let cursor = log.cursor("historian");
    cursor.commit(Offset(7));
    cursor.commit(Offset(3));
    assert_eq!(cursor.at(), Offset(7), "a cursor never moves back");
    drop((log, cursor));
    let (log, _) = open(&disk);
    assert_eq!(log.cursor("historian").at(), Offset(7));
    assert_eq!(log.cursor("uplink").at(), Offset(0));
}

#[test]
fn a_damaged_cursor_starts_again_at_the_oldest_record() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    fill(&log, 0..10);
    log.cursor("historian").commit(Offset(7));
    drop(log);
    disk.corrupt(std::path::Path::new("/log/cursors/historian"), |bytes| bytes[0] = b'9');
    assert_eq!(open(&disk).0.cursor("historian").at(), Offset(0));
}

#[test]
fn segments_go_once_every_cursor_has_passed_them() {
    let disk = SimDisk::new();
    let tiny = LogOptions { segment_bytes: 1, tail_bytes: 1, ..options() };
    let (log, _) = open_with(&disk, tiny);
    let (fast, slow) = (log.cursor("fast"), log.cursor("slow"));
    for record in 0..10 {
        fill(&log, record..record + 1);
    }
    fast.commit(Offset(10));
    slow.commit(Offset(4));
    fill(&log, 10..11);
    assert_eq!(log.oldest(), Offset(4));
    assert_eq!(content(&log), (4..11).collect::<Vec<_>>());
    assert_eq!(log.counts().evicted, 0);
}

#[test]
fn a_log_over_its_budget_gives_up_the_oldest_and_counts_it() {
    let disk = SimDisk::new();
    let tiny = LogOptions { segment_bytes: 1, bytes_max: 300, tail_bytes: 1, ..options() };
    let (log, _) = open_with(&disk, tiny);
    let stuck = log.cursor("uplink");
    for record in 0..20 {
        fill(&log, record..record + 1);
    }
    assert!(log.bytes() <= 300 + 100, "{} bytes", log.bytes());
    assert_eq!(log.counts().evicted, log.oldest().0);
    assert_eq!(stuck.at(), Offset(0));
    assert_eq!(log.read(stuck.at(), 1).unwrap()[0].offset, log.oldest(), "reading jumps ahead");
}

#[test]
fn a_full_disk_delays_commits_and_loses_nothing() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    fill(&log, 0..5);
    disk.limit(Some(1));
    log.offer(5).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while log.last_error().is_none() {
        assert!(Instant::now() < until, "the failure shows");
        std::thread::yield_now();
    }
    disk.limit(None);
    assert_eq!(log.sync().unwrap(), Offset(6));
    assert_eq!(log.last_error(), None);
    drop(log);
    assert_eq!(content(&open(&disk).0), (0..6).collect::<Vec<_>>());
}

#[test]
fn a_second_process_can_look_while_the_first_writes() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    fill(&log, 0..10);
    let view = LogView::new(
        std::path::Path::new("/log"),
        Arc::new(disk.clone()),
        Arc::new(Numbers) as Arc<dyn Codec<u64>>,
    );
    let mut seen = Vec::new();
    view.visit(Offset(4), |entry| seen.push(*entry.record)).unwrap();
    assert_eq!(seen, (4..10).collect::<Vec<_>>());
}

#[test]
fn a_second_process_sees_how_far_a_consumer_has_committed() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    fill(&log, 0..10);
    let view = LogView::new(
        std::path::Path::new("/log"),
        Arc::new(disk.clone()),
        Arc::new(Numbers) as Arc<dyn Codec<u64>>,
    );
    assert_eq!(view.committed("historian").unwrap(), None);
    let cursor = log.cursor("historian");
    cursor.commit(Offset(7));
    cursor.flush().unwrap();
    assert_eq!(view.committed("historian").unwrap(), Some(Offset(7)));
}

#[test]
fn a_log_takes_its_part_of_a_small_volume_and_no_more_than_asked_of_a_large_one() {
    let small = options().within(64 << 20, JOURNAL_PART);
    assert_eq!((small.bytes_max, small.segment_bytes), (16 << 20, 2 << 20));
    let large = options().within(1 << 40, JOURNAL_PART);
    assert_eq!((large.bytes_max, large.segment_bytes), (1 << 30, 16 << 20));
}

#[derive(Clone, Debug)]
enum Step {
    Offer(u8),
    Sync,
    Crash(Vec<u8>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1u8..20).prop_map(Step::Offer),
        3 => Just(Step::Sync),
        1 => prop::collection::vec(any::<u8>(), 4).prop_map(Step::Crash),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// J-1 and J-2 against a plain counter: whatever a crash leaves of the unsynced bytes, all
    /// that was durable is there, in order, and nothing that was never written.
    #[test]
    fn whatever_was_durable_survives_every_crash(steps in steps(), segment_bytes in 1u64..400) {
        let disk = SimDisk::new();
        let options = LogOptions {
            segment_bytes,
            sync_interval: Duration::from_secs(3600),
            ..options()
        };
        let (mut log, _) = open_with(&disk, options.clone());
        let mut next = 0;
        let mut durable = 0;
        for step in steps {
            match step {
                Step::Offer(count) => {
                    for _ in 0..count {
                        log.offer(next).unwrap();
                        next += 1;
                    }
                }
                Step::Sync => durable = log.sync().unwrap().0,
                Step::Crash(how) => {
                    // What the appender has written is at most what was offered.
                    drop(log);
                    let mut how = how.into_iter().cycle();
                    disk.crash(|_| match how.next() {
                        Some(byte) if byte % 3 == 0 => Tear::Lost,
                        Some(byte) if byte % 3 == 1 => Tear::Prefix(usize::from(byte)),
                        Some(byte) => Tear::Zeroed(usize::from(byte)),
                        None => Tear::Lost,
                    });
                    let (again, recovery) = open_with(&disk, options.clone());
                    prop_assert!(recovery.next.0 >= durable && recovery.next.0 <= next);
                    next = recovery.next.0;
                    durable = next;
                    log = again;
                }
            }
            prop_assert_eq!(content(&log), (0..log.durable().0).collect::<Vec<_>>());
            prop_assert!(log.durable().0 >= durable);
        }
    }

    /// Whatever bytes stand in a segment: the log opens, and writing goes on.
    #[test]
    fn a_log_opens_over_any_garbage(garbage in prop::collection::vec(any::<u8>(), 0..600), cut in 0usize..400) {
        let disk = SimDisk::new();
        let (log, _) = open(&disk);
        fill(&log, 0..20);
        drop(log);
        let newest = segments(&disk).pop().unwrap();
        disk.corrupt(&newest, |bytes| {
            bytes.truncate(cut);
            bytes.extend_from_slice(&garbage);
        });
        let (log, recovery) = open(&disk);
        prop_assert!(recovery.next.0 <= 20);
        let next = recovery.next.0;
        fill(&log, next..next + 3);
        prop_assert_eq!(content(&log).last().copied(), Some(next + 2));
    }
}
