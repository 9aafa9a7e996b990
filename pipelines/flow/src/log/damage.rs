//! A log any byte of which is turned over or cut off: it opens, costs what the byte was part of,
//! says so, and goes on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use signals::{Disk, ManualClock, Timestamp};

use super::stepped::Stepped;
use super::tests::{Numbers, Together};
use super::*;
use crate::disk::sim::SimDisk;

/// Records of one commit.
const GROUP: u64 = 3;
const GROUPS: u64 = 9;
/// Where the consumer is.
const PASSED: u64 = 20;

/// How records are written.
#[derive(Clone, Copy, Debug)]
enum Form {
    OneByOne,
    Together,
}

const FORMS: [Form; 2] = [Form::OneByOne, Form::Together];

fn open(disk: &SimDisk, form: Form) -> (Stepped<u64>, Recovery) {
    // Three commits a segment.
    let options = LogOptions { segment_bytes: 150, tail_bytes: 1, ..LogOptions::new("/log") };
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(7)));
    let port: Arc<dyn Disk> = Arc::new(disk.clone());
    let codec: Arc<dyn Codec<u64>> = match form {
        Form::OneByOne => Arc::new(Numbers),
        Form::Together => Arc::new(Together::default()),
    };
    Stepped::open(options, (port, clock), codec).unwrap()
}

/// Offset and content of everything that can be read.
fn content(log: &Log<u64>) -> Vec<(u64, u64)> {
    let mut from = log.oldest();
    let mut records = Vec::new();
    loop {
        let entries = log.read(from, 4).unwrap();
        let Some(last) = entries.last() else { return records };
        from = last.offset.next();
        records.extend(entries.iter().map(|entry| (entry.offset.0, *entry.record)));
    }
}

/// A disk with a log of three segments and a consumer that has dealt with most of it.
fn prepared(form: Form) -> SimDisk {
    let disk = SimDisk::new();
    let (mut log, _) = open(&disk, form);
    // A second consumer that has seen nothing keeps every segment.
    let (consumer, _slow) = (log.log.cursor("historian"), log.log.cursor("slow"));
    for group in 0..GROUPS {
        for record in group * GROUP..(group + 1) * GROUP {
            log.log.offer(record).unwrap();
        }
        assert!(log.turn());
    }
    consumer.commit(Offset(PASSED));
    log.tidy();
    assert_eq!(content(&log.log).len() as u64, GROUPS * GROUP);
    disk
}

/// What is wrong with a log whose files were changed so that at most `costs` records are gone.
/// Whether it must be `told`: not what looks like a log that never had them.
fn check((disk, form): (&SimDisk, Form), costs: u64, must_tell: bool) -> Result<(), String> {
    let (mut log, recovery) = open(disk, form);
    let before = content(&log.log);
    let lost = GROUPS * GROUP - before.len() as u64;
    let counts = log.log.counts();
    if before.iter().any(|(offset, record)| offset != record) || !before.is_sorted() {
        return Err(format!("read {before:?}"));
    }
    if lost > costs {
        return Err(format!("{lost} records are gone, {costs} at most may be"));
    }
    let told = recovery.torn_bytes > 0 || recovery.damaged > 0 || recovery.lost > 0;
    if must_tell && lost > 0 && !told && counts.unreadable == 0 {
        return Err(format!("{lost} records are gone and nobody says so: {recovery:?} {counts:?}"));
    }
    // Life goes on, and every consumer sees what is new.
    let place = log.log.cursor("historian").at();
    let first = log.log.next();
    for record in first.0..first.0 + GROUP {
        log.log.offer(record).unwrap();
    }
    if !log.turn() {
        return Err("the next commit fails".to_owned());
    }
    let fresh = log.log.read(first.max(place), 10).map_err(|err| err.to_string())?;
    if fresh.len() as u64 != GROUP {
        return Err(format!(
            "the consumer at {place} sees {} of the records from {first}",
            fresh.len()
        ));
    }
    Ok(())
}

fn files(form: Form) -> Vec<(PathBuf, usize)> {
    let disk = prepared(form);
    let size = |path: &Path| {
        let mut bytes = Vec::new();
        disk.open(path).unwrap().read_to_end(&mut bytes).unwrap();
        bytes.len()
    };
    disk.paths().into_iter().map(|path| (path.clone(), size(&path))).collect()
}

#[test]
fn any_byte_turned_over_costs_at_most_its_commit_and_is_told() {
    for form in FORMS {
        let mut bytes = 0;
        for (path, size) in files(form) {
            for place in 0..size {
                for mask in [0x01, 0x80, 0xFF] {
                    let disk = prepared(form);
                    disk.corrupt(&path, |bytes| bytes[place] ^= mask);
                    if let Err(wrong) = check((&disk, form), GROUP, true) {
                        panic!(
                            "{form:?}, {}, byte {place}, mask {mask:#x}: {wrong}",
                            path.display()
                        );
                    }
                }
                bytes += 1;
            }
        }
        println!("{bytes} bytes");
        assert!(bytes > 500);
    }
}

/// Places in a segment at which a commit ends.
fn ends(disk: &SimDisk, path: &Path) -> Vec<usize> {
    let mut ends = vec![0];
    let _walk = segment::walk(disk, path, 0, |at, frame| {
        ends.push(usize::try_from(at + frame.bytes()).unwrap());
        Ok(true)
    });
    ends
}

#[test]
fn a_file_cut_at_any_byte_costs_at_most_what_was_cut_off_and_is_told() {
    for form in FORMS {
        let files = files(form);
        let newest = files.iter().rfind(|(path, _)| path.extension().is_some()).unwrap().0.clone();
        for (path, size) in files {
            let ends = ends(&prepared(form), &path);
            for left in 0..size {
                let disk = prepared(form);
                disk.corrupt(&path, |bytes| bytes.truncate(left));
                // A segment has at most four commits.
                let costs = if path.extension().is_some() { 4 * GROUP } else { 0 };
                let must_tell = path != newest || !ends.contains(&left);
                if let Err(wrong) = check((&disk, form), costs, must_tell) {
                    panic!("{form:?}, {}, cut at {left}: {wrong}", path.display());
                }
            }
        }
    }
}

#[test]
fn a_file_that_is_gone_costs_what_was_in_it_and_one_in_the_middle_is_told() {
    for form in FORMS {
        let files = files(form);
        let segments = || files.iter().filter(|(path, _)| path.extension().is_some());
        let (oldest, newest) = (segments().next().unwrap(), segments().next_back().unwrap());
        for (path, _) in &files {
            let disk = prepared(form);
            disk.remove(path).unwrap();
            let costs = if path.extension().is_some() { 4 * GROUP } else { 0 };
            let is_inside = path != &oldest.0 && path != &newest.0;
            if let Err(wrong) = check((&disk, form), costs, is_inside) {
                panic!("{form:?}, {}, gone: {wrong}", path.display());
            }
        }
    }
}
