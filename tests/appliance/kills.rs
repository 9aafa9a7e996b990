//! kill -9 at random moments: what was told to be durable is there, nothing is there twice, and
//! what is missing is no more than the sync window.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::harness::counter::CountingDevice;
use crate::harness::gateway::Gateway;
use crate::harness::programs::{check_lake, duckdb};
use crate::harness::{Dice, let_pass, seed, wait_until};

const KILLS: usize = 20;
/// The journal's `sync_interval`, in the demo's configuration and in the bench's below.
const SYNC_US: i64 = 1_000_000;
/// What syncing and scheduling may add on a machine whose disk and cores are busy with other tests:
/// rows that come while a sync is under way wait for the next one.
const MARGIN_US: i64 = 2_000_000;
/// What a busy machine may add to the loss itself: the time of one commit, and of the kill.
const COMMIT_US: i64 = 1_000_000;

/// Whether the log says what opening the journal found.
fn tells_recovery(log: &[String]) -> bool {
    log.iter().any(|line| line.contains("log recovered") || line.contains("log opened"))
}

/// Times of the rows of a table, in microseconds, ascending.
fn times(lake: &Path, table: &str) -> Vec<i64> {
    let rows = duckdb(lake, &format!("SELECT epoch_us(ts) FROM \"{table}\" ORDER BY ts"));
    rows.iter().filter_map(|row| row[0].as_i64()).collect()
}

#[test]
fn twenty_kills_of_the_demo_cost_at_most_a_sync_window_each_and_no_row_twice() {
    const SLOT_US: i64 = 1_000_000;
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let mut dice = Dice(seed());
    // When each run began and was killed.
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for kill in 1..=KILLS {
        let gateway = Gateway::demo(folder.path());
        let begun = gateway.status()["started_us"].as_i64().unwrap();
        let_pass(dice.between(Duration::from_millis(2_500), Duration::from_secs(6)));
        let (at, log) = gateway.kill();
        runs.push((begun, at));
        assert!(tells_recovery(&log), "kill {kill}: the log does not tell what was recovered");
        check_lake(&lake);
    }
    let gateway = Gateway::demo(folder.path());
    let begun = gateway.status()["started_us"].as_i64().unwrap();
    let_pass(Duration::from_secs(3));
    let (log, _) = gateway.stop();
    assert!(tells_recovery(&log));
    println!("{}", check_lake(&lake)["tables"]["pump_1s"]);
    let rows = times(&lake, "pump_1s");
    let lost = losses(&rows, &runs);
    println!("lost at a kill, ms: {:?}", lost.iter().map(|us| us / 1_000).collect::<Vec<_>>());
    let most = lost.iter().max().copied().unwrap();
    assert!(most <= SYNC_US + SLOT_US + COMMIT_US, "{most} µs before a kill are lost");
    let ends: Vec<i64> = runs.iter().map(|(_, at)| *at).collect();
    for pair in rows.windows(2) {
        let hole = pair[1] - pair[0] > SLOT_US + MARGIN_US;
        let is_off_time = ends.iter().any(|at| (pair[0]..=pair[1]).contains(at));
        assert!(!hole || is_off_time || pair[1] < runs[0].0, "a hole without a kill: {pair:?}");
    }
    assert!(rows.last().unwrap() > &begun, "nothing was sampled after the last kill");
}

/// Time between the last row of each run and its kill.
fn losses(rows: &[i64], runs: &[(i64, i64)]) -> Vec<i64> {
    let last = |at: i64| rows[..rows.partition_point(|ts| *ts <= at)].last().copied();
    runs.iter().map(|(_, at)| at - last(*at).expect("there is a history")).collect()
}

/// One device that counts its reads, every 200 ms; files of 1 s, so that kills meet sealing too.
fn config(port: u16) -> String {
    format!(
        "[gateway]\nid = \"bench\"\nsite = \"bench\"\n\n[[line]]\nname = \"a\"\n\
         transport = \"tcp\"\nhost = \"127.0.0.1:{port}\"\n\n\
         [[device]]\nname = \"counter\"\nline = \"a\"\nunit = 1\nevery = \"200 ms\"\n\
         timeout = \"190 ms\"\n\n[[device.tag]]\nname = \"reads\"\nat = \"input:0\"\ntype = \"u32\"\n\n\
         [journal]\nsync_interval = \"1 s\"\n\n[lake]\nroll_interval = \"1 s\"\n\n\
         [[aggregate]]\nwindow = \"1 s\"\n"
    )
}

/// Time in microseconds and number of every read that is in the lake.
fn kept_reads(lake: &Path) -> Vec<(i64, i64)> {
    let sql = "SELECT epoch_us(ts), reads FROM counter_200ms WHERE reads IS NOT NULL ORDER BY ts";
    let number = |value: &serde_json::Value| value.as_i64().expect("a number");
    duckdb(lake, sql).iter().map(|row| (number(&row[0]), number(&row[1]))).collect()
}

#[test]
fn a_device_that_counts_its_reads_finds_holes_only_at_kills_and_none_longer_than_the_window() {
    const SLOT_US: i64 = 200_000;
    let folder = tempfile::tempdir().unwrap();
    let device = CountingDevice::start();
    let path = folder.path().join("gateway.toml");
    fs::write(&path, config(device.port)).unwrap();
    let (data, lake) = (folder.path().join("data"), folder.path().join("data/lake"));
    let mut dice = Dice(seed());
    for _ in 0..KILLS {
        let gateway = Gateway::of(&path, &data);
        let before = device.reads();
        wait_until("samples are taken", Duration::from_secs(20), || device.reads() > before + 5);
        let_pass(dice.between(Duration::ZERO, Duration::from_millis(3_500)));
        let (_, log) = gateway.kill();
        assert!(tells_recovery(&log));
        check_lake(&lake);
    }
    let gateway = Gateway::of(&path, &data);
    let before = device.reads();
    wait_until("samples are taken", Duration::from_secs(20), || device.reads() > before + 20);
    gateway.stop();
    let report = check_lake(&lake);
    let reads = kept_reads(&lake);
    assert!(reads.is_sorted_by(|a, b| a.1 < b.1), "a read is there twice or out of order");
    // Per hole: reads that were answered and are not there, and the time without rows.
    let holes: Vec<(i64, i64)> = reads
        .windows(2)
        .map(|pair| (pair[1].1 - pair[0].1 - 1, (pair[1].0 - pair[0].0) / 1_000))
        .filter(|(lost, _)| *lost > 0)
        .collect();
    let unanswered = "SELECT count(*) FROM counter_200ms WHERE reads IS NULL";
    println!(
        "{} reads answered, {} kept in {} files, {} samples without an answer in time; lost reads \
         and ms without rows: {holes:?}",
        device.reads(),
        reads.len(),
        report["files"],
        duckdb(&lake, unanswered)[0][0]
    );
    assert_eq!(reads.first().map(|first| first.1), Some(1));
    assert!(holes.len() <= KILLS, "{} holes for {KILLS} kills", holes.len());
    let most = (SYNC_US + COMMIT_US) / SLOT_US + 1;
    assert!(holes.iter().all(|(lost, _)| *lost <= most), "more than {most} reads lost: {holes:?}");
}
