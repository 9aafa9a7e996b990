use std::io::{Read as _, Write as _};

use super::*;

const PATH: &str = "/a/file";

fn content(disk: &SimDisk) -> Vec<u8> {
    let mut bytes = Vec::new();
    disk.open(Path::new(PATH)).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn what_was_synced_survives_every_random_cut() {
    for seed in 0..200 {
        let disk = SimDisk::new();
        let mut file = disk.append(Path::new(PATH)).unwrap();
        file.write_all(&[7; 700]).unwrap();
        file.sync().unwrap();
        file.write_all(&[8; 2_000]).unwrap();
        disk.crash_at_random(&mut Dice::new(seed));
        assert!(content(&disk).starts_with(&[7; 700]), "seed {seed}");
    }
}

#[test]
fn what_was_not_synced_is_left_in_every_way() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let disk = SimDisk::new();
        let mut file = disk.append(Path::new(PATH)).unwrap();
        file.write_all(&[8; 2_000]).unwrap();
        disk.crash_at_random(&mut Dice::new(seed));
        let left = content(&disk);
        let holes = left.contains(&0);
        let ends = left.last().is_some_and(|last| *last == 0);
        seen.insert((left.is_empty(), left.len() == 2_000, holes, ends));
    }
    assert!(seen.contains(&(true, false, false, false)), "all gone");
    assert!(seen.contains(&(false, false, false, false)), "a prefix");
    assert!(seen.contains(&(false, true, true, true)), "the size without the content");
    assert!(seen.contains(&(false, true, true, false)), "a hole in the middle");
}

#[test]
fn what_a_failed_sync_did_not_write_reads_well_and_is_gone_after_the_cut() {
    let disk = SimDisk::new();
    let mut file = disk.append(Path::new(PATH)).unwrap();
    file.write_all(&[8; 4_000]).unwrap();
    disk.fail_syncs(true);
    assert!(file.sync().is_err());
    disk.fail_syncs(false);
    assert!(file.sync().is_ok(), "as the kernel does: the second sync has nothing to write");
    assert_eq!(content(&disk), [8; 4_000]);
    disk.crash(|_| Tear::Prefix(usize::MAX));
    assert_ne!(content(&disk), [8; 4_000]);
}

#[test]
fn a_removed_file_may_be_back_until_its_folder_is_synced() {
    let back = |another: bool| {
        (0..50).any(|seed| {
            let disk = SimDisk::new();
            let mut file = disk.append(Path::new(PATH)).unwrap();
            file.sync().unwrap();
            disk.remove(Path::new(PATH)).unwrap();
            if another {
                disk.append(Path::new("/a/other")).unwrap();
            }
            disk.crash_at_random(&mut Dice::new(seed));
            disk.open(Path::new(PATH)).is_ok()
        })
    };
    assert!(back(false));
    assert!(!back(true));
}

#[test]
fn after_the_announced_cut_nothing_works_until_the_power_is_back() {
    let disk = SimDisk::new();
    let mut file = disk.append(Path::new(PATH)).unwrap();
    disk.set_faults(Faults { operations_until_cut: Some(1), ..Faults::default() }, 3);
    file.write_all(b"one").unwrap();
    assert!(file.write_all(b"two").is_err());
    assert!(disk.is_off());
    assert!(file.sync().is_err());
    disk.crash_at_random(&mut Dice::new(1));
    assert!(!disk.is_off());
    assert!(disk.append(Path::new("/a/other")).is_ok());
}
