use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::aggregate::fixtures;
use crate::disk::sim::SimDisk;

fn outbox(disk: &SimDisk, messages: u64) -> Outbox {
    let log = fixtures::outbox(disk, "aggregates");
    while log.next() < Offset(messages) {
        log.append(Envelope { source: log.next(), payload: b"{}".to_vec() }).unwrap();
    }
    log.sync().unwrap();
    Outbox::of("aggregates", log)
}

fn open(disk: &SimDisk, outbox: &Outbox) -> Track {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Track::open(outbox, "main", &disk)
}

proptest! {
    /// Against a plain set, with restarts in between.
    #[test]
    fn what_is_settled_in_any_order_is_what_a_set_holds(
        steps in prop::collection::vec((0..60_u64, prop::bool::weighted(0.1)), 1..120),
    ) {
        let disk = SimDisk::new();
        let outbox = outbox(&disk, 60);
        let mut track = open(&disk, &outbox);
        let mut settled = BTreeSet::new();
        for (offset, restarts) in steps {
            if restarts {
                track.flush();
                track = open(&disk, &outbox);
            }
            track.settle(Offset(offset));
            settled.insert(offset);
            let floor = (0..61).find(|at| !settled.contains(at)).unwrap();
            prop_assert_eq!(track.floor(), Offset(floor));
            for at in 0..60 {
                prop_assert_eq!(track.is_settled(Offset(at)), settled.contains(&at), "{}", at);
            }
            prop_assert_eq!(track.waiting(Offset(60)), 60 - settled.len() as u64);
        }
        let lost = track.give_up(Offset(60));
        let lost: BTreeSet<u64> = lost.into_iter().flatten().collect();
        prop_assert!(lost.is_disjoint(&settled));
        prop_assert_eq!(lost.len() + settled.len(), 60);
        prop_assert_eq!(track.floor(), Offset(60));
    }
}

#[test]
fn a_damaged_file_of_ranges_only_costs_sending_again() {
    let disk = SimDisk::new();
    let outbox = outbox(&disk, 10);
    let mut track = open(&disk, &outbox);
    for offset in [0, 1, 5, 6] {
        track.settle(Offset(offset));
    }
    track.flush();
    assert!(open(&disk, &outbox).is_settled(Offset(5)));
    let file = PathBuf::from("/outbox/aggregates/ahead/main");
    disk::replace(&disk, &file, b"5 7\n00000000\n").unwrap();
    let track = open(&disk, &outbox);
    assert_eq!((track.floor(), track.is_settled(Offset(5))), (Offset(2), false));
}

#[test]
fn what_was_evicted_while_nobody_looked_is_told_once_after_the_restart() {
    let disk = SimDisk::new();
    let outbox = outbox(&disk, 10);
    let mut track = open(&disk, &outbox);
    (0..3).for_each(|offset| track.settle(Offset(offset)));
    track.flush();
    // As after an eviction of 0..8 and a restart: the log begins at 8, and its cursor with it.
    outbox.log.cursor("uplink:main").commit(Offset(8));
    let mut track = open(&disk, &outbox);
    let evicted: Vec<u64> = track.evicted().into_iter().flatten().collect();
    assert_eq!(evicted, [3, 4, 5, 6, 7]);
    assert_eq!(track.evicted(), []);
}

#[test]
fn a_killed_process_has_lost_no_acknowledgement_and_a_power_cut_only_those_of_seconds() {
    let disk = SimDisk::new();
    let outbox = outbox(&disk, 100);
    let mut track = open(&disk, &outbox);
    for offset in (0..10).chain(50..60) {
        track.settle(Offset(offset));
    }
    // Dropped without a flush, as a kill does.
    drop(track);
    let mut track = open(&disk, &outbox);
    assert_eq!((track.waiting(Offset(100)), track.ahead_end()), (80, Some(Offset(60))));
    (10..20).for_each(|offset| track.settle(Offset(offset)));
    drop(track);
    disk.crash(|_| crate::disk::sim::Tear::Lost);
    let track = open(&disk, &fixtures_again(&disk));
    assert_eq!((track.floor(), track.ahead_end()), (Offset(10), Some(Offset(60))));
}

/// The same outbox after a restart.
fn fixtures_again(disk: &SimDisk) -> Outbox {
    Outbox::of("aggregates", fixtures::outbox(disk, "aggregates"))
}

#[test]
fn torn_and_damaged_notes_end_where_they_are_torn() {
    let disk = SimDisk::new();
    let outbox = outbox(&disk, 10);
    let mut track = open(&disk, &outbox);
    (0..4).for_each(|offset| track.settle(Offset(offset)));
    let notes = track.notes_file();
    drop(track);
    let mut file = disk.append(&notes).unwrap();
    file.write_all(&[0; 5 * NOTE_BYTES + 3]).unwrap();
    file.write_all(b"garbage").unwrap();
    assert_eq!(open(&disk, &outbox).floor(), Offset(4));
}
