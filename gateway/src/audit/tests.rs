//! The audit: what breaks its chain, and what a power cut leaves.

use std::path::Path;
use std::sync::Arc;

use pipelines_flow::disk::RealDisk;
use signals::{ManualClock, Timestamp};

use super::*;

fn open(data: &Path) -> Audit {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_790_000_000_000_000)));
    let audit = Audit::new(data, Arc::new(RealDisk), clock);
    audit.open(None).unwrap();
    audit
}

fn add(audit: &Audit, kind: &str, number: u64) {
    let body = json!({ "tag": "pump/setpoint", "begin": number });
    audit.append(kind, &body, None).unwrap();
}

fn newest(data: &Path) -> PathBuf {
    chain::files(&data.join("audit"), &RealDisk).unwrap().pop().unwrap()
}

#[test]
fn records_follow_each_other_over_starts_and_the_chain_holds() {
    let data = tempfile::tempdir().unwrap();
    for start in 0..3 {
        let audit = open(data.path());
        add(&audit, "begin", 0);
        add(&audit, "end", start * 2 + 1);
    }
    let verdict = verify(data.path(), &RealDisk).unwrap();
    assert_eq!((verdict.records, verdict.files, &verdict.broken), (Some((1, 6)), 3, &None));
}

#[test]
fn any_flipped_byte_breaks_the_chain_at_its_record() {
    let data = tempfile::tempdir().unwrap();
    let audit = open(data.path());
    for begin in [1, 3] {
        add(&audit, "begin", 0);
        add(&audit, "end", begin);
    }
    let file = newest(data.path());
    let good = std::fs::read(&file).unwrap();
    let mut line = 1;
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 1;
        if good[place] == b'\n' {
            line += 1;
            continue;
        }
        std::fs::write(&file, &bad).unwrap();
        let verdict = verify(data.path(), &RealDisk).unwrap();
        let record = verdict.broken.as_ref().map(|broken| broken.record);
        assert_eq!(record, Some(line), "byte {place}: {verdict:?}");
    }
}

#[test]
fn a_removed_record_is_missed() {
    let data = tempfile::tempdir().unwrap();
    let audit = open(data.path());
    (1..=4).for_each(|_| add(&audit, "refused", 0));
    let file = newest(data.path());
    let text = std::fs::read_to_string(&file).unwrap();
    let kept: Vec<&str> =
        text.lines().enumerate().filter(|(at, _)| *at != 1).map(|(_, l)| l).collect();
    std::fs::write(&file, kept.join("\n") + "\n").unwrap();
    let broken = verify(data.path(), &RealDisk).unwrap().broken.unwrap();
    assert_eq!((broken.record, broken.problem), (2, "is missing"));
}

#[test]
fn a_write_that_was_begun_and_not_ended_is_unknown_after_a_restart_once() {
    let data = tempfile::tempdir().unwrap();
    add(&open(data.path()), "begin", 0);
    for _ in 0..2 {
        drop(open(data.path()));
    }
    let (lines, _) = chain::lines(&newest(data.path()), &RealDisk).unwrap();
    let record = chain::read(lines.last().unwrap()).unwrap();
    assert_eq!((record.link.number, record.kind.as_str()), (2, "end"));
    assert_eq!(record.body["result"], "outcome_unknown");
    assert_eq!(record.body["begin"], 1);
    assert_eq!(verify(data.path(), &RealDisk).unwrap().records, Some((1, 2)));
}

#[test]
fn a_torn_last_line_is_walked_over_and_the_chain_goes_on_before_it() {
    let data = tempfile::tempdir().unwrap();
    let audit = open(data.path());
    add(&audit, "refused", 0);
    add(&audit, "refused", 0);
    let file = newest(data.path());
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.get(..text.len() - 10).unwrap()).unwrap();
    add(&open(data.path()), "refused", 0);
    let verdict = verify(data.path(), &RealDisk).unwrap();
    assert_eq!((verdict.records, verdict.torn, verdict.broken), (Some((1, 2)), 1, None));
}

#[test]
fn sixteen_files_are_kept_and_the_chain_goes_on() {
    let data = tempfile::tempdir().unwrap();
    for _ in 0..20 {
        add(&open(data.path()), "refused", 0);
    }
    let verdict = verify(data.path(), &RealDisk).unwrap();
    assert_eq!((verdict.records, verdict.files, verdict.broken), (Some((5, 20)), 16, None));
}
