//! `fieldgate query` beside a running gateway, held against `DuckDB`.

use std::path::Path;
use std::time::Duration;

use crate::harness::gateway::Gateway;
use crate::harness::programs::{answer, check_lake, duckdb, python};
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
fn samples_and_latest_of_a_running_gateway_agree_with_its_tables_and_its_page() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let gateway = Gateway::demo(data);
    let_pass(Duration::from_secs(6));
    let signals =
        "SELECT min(path) FROM _signals WHERE \"table\" = 'pump_1s' AND \"column\" = 'flow'";
    let path = query(data, signals, "csv");
    // Older than the sync interval: durable, so it can no longer change.
    let end = now_us() - 3_000_000;
    let past =
        format!("CAST(ts AS TIMESTAMP) < TIMESTAMP '1970-01-01' + INTERVAL '{end} microseconds'");
    let wide = query(data, &format!("SELECT count(*), sum(flow) FROM pump_1s WHERE {past}"), "csv");
    let long = format!("SELECT count(*), sum(value) FROM samples WHERE path = '{path}' AND {past}");
    let long = query(data, &long, "csv");
    let numbers =
        |line: &str| -> Vec<f64> { line.split(',').map(|n| n.parse().unwrap()).collect() };
    let (wide, long) = (numbers(&wide), numbers(&long));
    println!("{path}: rows and sum in its table {wide:?}, in samples {long:?}");
    assert!((wide[0] - long[0]).abs() < 0.5, "{wide:?} and {long:?}");
    assert!((wide[1] - long[1]).abs() <= 1e-9 * wide[1].abs(), "{wide:?} and {long:?}");
    // Every signal that the page shows a value of is in `latest`, and none is older than a scan.
    let newest = "SELECT count(*) AS n, count(DISTINCT path) AS d FROM latest";
    let newest: serde_json::Value = serde_json::from_str(&query(data, newest, "json")).unwrap();
    assert_eq!(newest["n"], newest["d"], "a signal is there twice");
    let of_page = gateway.json("/api/v1/signals")["signals"].as_array().unwrap().len() as u64;
    println!("{newest} newest samples, {of_page} signals on the page");
    assert!(newest["n"].as_u64().unwrap() > of_page / 2);
    let age = format!(
        "SELECT {} - to_unixtime(ts) AS age FROM latest WHERE path = '{path}'",
        now_us() / 1_000_000
    );
    let age: f64 = query(data, &age, "csv").parse().unwrap();
    assert!(age < 10.0, "the newest sample of {path} is {age} s old");
    let code = gateway.get("/api/v1/sql?sql=SELECT%20count(*)%20FROM%20latest&format=csv").0;
    assert_eq!(code, 200);
    gateway.stop();
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

#[test]
fn programs_read_the_same_answer_over_http_in_every_encoding_and_files_in_ranges() {
    let folder = tempfile::tempdir().unwrap();
    // What the first one stops with is in files when the second one starts.
    let before = Gateway::demo(folder.path());
    let_pass(Duration::from_secs(2));
    before.stop();
    let gateway = Gateway::demo(folder.path());
    let_pass(Duration::from_secs(6));
    let url = format!("http://{}", gateway.address);
    let until = (now_us() - 3_000_000).to_string();
    let told = answer(python("http_read.py").args([url.as_str(), "pump_1s", &until]));
    println!("{told:#}");
    let bound = format!("TIMESTAMP '1970-01-01' + INTERVAL '{until} microseconds'");
    let own = query(
        folder.path(),
        &format!("SELECT count(*) AS n FROM pump_1s WHERE CAST(ts AS TIMESTAMP) < {bound}"),
        "csv",
    );
    assert_eq!(told["rows"].to_string(), own);
    assert_eq!(told["same"], true, "the encodings differ");
    assert_eq!(told["ranges_are_the_file"], true);
    assert_eq!(told["listed_bytes"], true);
    assert!(told["tables"].as_u64().unwrap() > 10, "the lake's tables are not listed");
    assert!(told["file_rows"].as_u64().unwrap() > 0);
    let refused = serde_json::json!({
        "write": [400, "wrong_query"],
        "column": [400, "wrong_query"],
        "above": [404, "unknown_file"],
        "hidden": [404, "unknown_file"],
    });
    assert_eq!(told["refusals"], refused);
    gateway.stop();
}
