use super::*;
use crate::disk::sim::{SimDisk, Tear};

#[test]
fn what_is_kept_survives_a_power_cut_and_stays_within_its_bound() {
    let disk = SimDisk::new();
    let quarantine = Quarantine::new("/quarantine/main", Arc::new(disk.clone()));
    let payload = "x".repeat(100_000);
    for seq in 0..400 {
        let exhibit = Exhibit {
            set_aside: String::new(),
            stream: "aggregates",
            seq,
            reason: "too long",
            payload: payload.as_str().into(),
        };
        // The clock goes back half-way.
        quarantine.keep(&exhibit, Timestamp::from_micros(1_000 - seq.cast_signed())).unwrap();
    }
    disk.crash(|_| Tear::Lost);
    let files = disk.list(Path::new("/quarantine/main")).unwrap();
    assert_eq!(files.len(), FILES_MAX);
    let mut seqs = Vec::new();
    for file in files {
        let mut text = String::new();
        disk.open(&file).unwrap().read_to_string(&mut text).unwrap();
        assert!(text.len() as u64 <= FILE_BYTES + 200_000);
        seqs.extend(text.lines().map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap()
        }));
    }
    let first = seqs[0];
    assert!(first > 0);
    assert_eq!(seqs, (first..400).collect::<Vec<_>>(), "the newest are there, in order");
}
