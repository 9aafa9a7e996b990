//! `fieldgate query` beside a running gateway, held against `DuckDB`.

use std::path::Path;
use std::time::Duration;

use crate::harness::gateway::Gateway;
use crate::harness::programs::{check_lake, duckdb};
use crate::harness::{fieldgate, let_pass, now_us, text};

/// The single row of a query, as printed in a format.
fn query(data: &Path, sql: &str, format: &str) -> String {
    let ran = fieldgate(&["query", sql, "--data", text(data), "--format", format]);
    assert!(ran.status.success(), "{sql}: {}", String::from_utf8_lossy(&ran.stderr));
    let out = String::from_utf8(ran.stdout).unwrap();
    out.lines().last().unwrap_or_default().to_owned()
}

fn count(data: &Path, sql: &str) -> u64 {
    query(data, sql, "csv").parse().unwrap()
}

#[test]
fn a_query_beside_a_running_gateway_sees_every_durable_row_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let gateway = Gateway::demo(data);
    let_pass(Duration::from_secs(6));
    let all = "SELECT count(*) AS n FROM pump_1s";
    let mut counts = Vec::new();
    for _ in 0..5 {
        counts.push(count(data, all));
    }
    assert!(counts.is_sorted(), "rows went away: {counts:?}");
    // Older than the sync interval: durable, so it can no longer change.
    let end = now_us() - 3_000_000;
    let past = |ts: &str| format!("{ts} < TIMESTAMP '1970-01-01' + INTERVAL '{end} microseconds'");
    let numbers = "count(*) AS n, count(DISTINCT ts) AS d, sum(flow) AS s FROM pump_1s WHERE";
    let live = query(data, &format!("SELECT {numbers} {}", past("CAST(ts AS TIMESTAMP)")), "json");
    let live: serde_json::Value = serde_json::from_str(&live).unwrap();
    let while_running = count(data, all);
    gateway.stop();
    let lake = data.join("lake");
    check_lake(&lake);
    let sealed = duckdb(&lake, &format!("SELECT {numbers} epoch_us(ts) < {end}"));
    println!("counts {counts:?}, up to a time {live}, DuckDB after the stop {:?}", sealed[0]);
    assert_eq!(live["n"], sealed[0][0]);
    assert_eq!(live["d"], sealed[0][1]);
    let (own, other) = (live["s"].as_f64().unwrap(), sealed[0][2].as_f64().unwrap());
    assert!((own - other).abs() <= 1e-9 * other.abs(), "sums {own} and {other}");
    let after = count(data, all);
    assert_eq!(Some(after), duckdb(&lake, all)[0][0].as_u64());
    assert!(after >= while_running);
}

#[test]
fn a_wrong_query_says_what_is_wrong_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::demo(folder.path());
    let sql = "SELECT flw FROM pump_1s";
    let ran = fieldgate(&["query", sql, "--data", text(folder.path())]);
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(!ran.status.success() && ran.stdout.is_empty());
    assert!(said.contains("flw"), "{said}");
    println!("{}", said.trim());
    gateway.stop();
}
