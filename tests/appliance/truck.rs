//! A recorded truck through a running gateway: what its senders do not have is null everywhere,
//! and what was kept raw decodes to the rows that were decoded live.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::harness::gateway::Gateway;
use crate::harness::programs::{answer, check_lake, duckdb, python};
use crate::harness::{case, fieldgate, root, text, wait_until};

/// The log of 127 s in thirteen: windows of a second close 2 s after their end.
const SPEED: u32 = 10;
/// From the start to the end of the log.
const PATIENCE: Duration = Duration::from_mins(1);

/// `Message.Signal` of all signals that the log has, but never with a value.
fn never_available() -> BTreeSet<String> {
    let golden = fs::read_to_string(case("can/golden/truck-idle.j1939_common.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    let signals = golden["signals"].as_object().unwrap().iter();
    signals.filter(|(_, s)| s["na"] == s["count"]).map(|(name, _)| name.clone()).collect()
}

/// Messages of which the log has frames.
fn messages_of_the_log() -> usize {
    let golden = fs::read_to_string(case("can/golden/truck-idle.j1939_common.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    let names = golden["signals"].as_object().unwrap().keys();
    names.filter_map(|name| name.split('.').next()).collect::<BTreeSet<_>>().len()
}

fn config(folder: &Path) -> std::path::PathBuf {
    let demo = root().join("config/demo/can");
    let [log, dbc] =
        ["truck-idle-j1939-gps.log.gz", "j1939_common.dbc"].map(|name| demo.join(name));
    let written = format!(
        "[gateway]\nid = \"yard\"\nsite = \"yard\"\n\n[[can]]\nname = \"truck\"\nreplay = {:?}\n\
         channel = \"can0\"\ndbc = [{:?}]\nmatch = \"pgn\"\nspeed = {SPEED}\nkeep_raw = true\n\n\
         [lake]\nroll_interval = \"1 s\"\n\n[[aggregate]]\nwindow = \"1 s\"\n",
        text(&log),
        text(&dbc)
    );
    let path = folder.join("gateway.toml");
    fs::write(&path, written).unwrap();
    path
}

#[test]
fn what_the_truck_does_not_have_is_null_in_files_windows_and_page_and_raw_frames_decode_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let gateway = Gateway::of(&config(folder.path()), &data);
    wait_until("the log has been played", PATIENCE, || {
        let status = gateway.status();
        status["devices"][0]["detail"].as_str().is_some_and(|d| d.contains("has been played"))
    });
    let never = never_available();
    assert_eq!(never.len(), 7, "{never:?}");
    page_shows_no_value(&gateway, &never);
    gateway.stop();
    let lake = data.join("lake");
    check_lake(&lake);
    files_have_no_value(&lake, &never);
    raw_frames_decode_to_the_same_rows(&lake, folder.path());
}

/// Over the page's own link: no value, and the reason. The trend has no point.
fn page_shows_no_value(gateway: &Gateway, never: &BTreeSet<String>) {
    let is_never = |entry: &Value| entry["source"].as_str().is_some_and(|s| never.contains(s));
    let told = answer(
        python("live.py")
            .args([gateway.address.as_str(), "truck"])
            .env("FIELDGATE_TOKEN", &gateway.local_token),
    );
    let told = told.as_array().unwrap();
    let shown: Vec<&Value> = told.iter().filter(|entry| is_never(entry)).collect();
    let sources: BTreeSet<&str> = shown.iter().filter_map(|e| e["source"].as_str()).collect();
    assert_eq!(sources.len(), never.len(), "{shown:#?}");
    for entry in &shown {
        assert_eq!(entry["value"], Value::Null, "{entry:#}");
        assert_eq!((&entry["class"], &entry["reason"]), (&"bad".into(), &"not_available".into()));
    }
    let valued = told.iter().filter(|entry| !entry["value"].is_null()).count();
    assert!(valued >= 20, "hardly anything has a value: {told:#?}");
    let signals = gateway.json("/api/v1/signals");
    let listed = signals["signals"].as_array().unwrap();
    for signal in listed.iter().filter(|s| is_never(s) && !s["sa"].is_null()) {
        let now = crate::harness::now_us();
        let from = now - 120_000_000;
        let trend =
            gateway.json(&format!("/api/v1/trend?id={}&from={from}&to={now}&px=100", signal["id"]));
        for of in ["min", "max", "mean"] {
            let points = trend[of].as_array().unwrap();
            assert!(points.iter().all(Value::is_null), "{} {of}: {points:?}", signal["path"]);
        }
    }
    println!("page: {} of {} signals of senders without a value", shown.len(), told.len());
}

/// Parquet, `_quality` and windows.
fn files_have_no_value(lake: &Path, never: &BTreeSet<String>) {
    let columns = duckdb(
        lake,
        "SELECT DISTINCT \"table\", \"column\", path, source FROM _signals WHERE source IS NOT NULL",
    );
    let mut seen = 0;
    for row in &columns {
        let [table, column, path, source] = [0, 1, 2, 3].map(|at| row[at].as_str().unwrap_or(""));
        if !never.contains(source) {
            continue;
        }
        seen += 1;
        let counts = duckdb(lake, &format!("SELECT count(*), count(\"{column}\") FROM {table}"));
        assert!(counts[0][0].as_u64().unwrap() > 100, "{source}: hardly any rows in {table}");
        assert_eq!(counts[0][1], 0, "{source}: {table}.{column} has values");
        let reasons = duckdb(
            lake,
            &format!("SELECT DISTINCT class, reason FROM _quality WHERE signal LIKE '{path}@%'"),
        );
        assert_eq!(reasons, [[Value::from("bad"), "not_available".into()]], "{source}");
        let windows = duckdb(
            lake,
            &format!(
                "SELECT count(*), sum(\"count\"), sum(good), count(min), count(max), count(mean), \
                 count(first), count(last), count(twa), count(stddev) FROM _aggregates_1s \
                 WHERE signal = '{path}'"
            ),
        );
        let windows = &windows[0];
        assert!(windows.iter().skip(1).all(|n| n.as_f64().unwrap_or(0.0) == 0.0), "{windows:?}");
        println!("{source}: {} rows, {} windows, all null", counts[0][0], windows[0]);
    }
    assert_eq!(seen, never.len(), "{columns:?}");
}

fn raw_frames_decode_to_the_same_rows(lake: &Path, folder: &Path) {
    let out = folder.join("again");
    let dbc = root().join("config/demo/can/j1939_common.dbc");
    let ran = fieldgate(&[
        "can",
        "decode",
        "--match",
        "pgn",
        "--dbc",
        text(&dbc),
        "--log",
        text(lake),
        "--out",
        text(&out),
    ]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    println!("{}", String::from_utf8_lossy(&ran.stderr).trim());
    let raw = duckdb(lake, "SELECT count(*) FROM _can_raw_truck");
    assert!(raw[0][0].as_u64().unwrap() > 40_000, "{raw:?}");
    let tables = duckdb(
        lake,
        "SELECT DISTINCT \"table\" FROM _signals WHERE \"table\" LIKE 'truck_%' ORDER BY 1",
    );
    let (mut compared, mut rows) = (0, 0);
    for table in tables.iter().filter_map(|row| row[0].as_str()) {
        if !lake.join(table).is_dir() {
            assert!(!out.join(table).is_dir(), "{table} is decoded again, but was not live");
            continue;
        }
        let again = format!("read_parquet('{}/{table}/**/*.parquet')", text(&out));
        let differing = format!(
            "SELECT (SELECT count(*) FROM {table}), (SELECT count(*) FROM {again}), (SELECT count(*) \
             FROM (SELECT * EXCLUDE date FROM {table} EXCEPT ALL SELECT * EXCLUDE date FROM {again}))"
        );
        let counts = &duckdb(lake, &differing)[0];
        assert_eq!(counts[0], counts[1], "{table}");
        assert_eq!(counts[2], 0, "{table}: rows differ");
        compared += 1;
        rows += counts[0].as_u64().unwrap();
    }
    println!("{compared} tables, {rows} rows: raw frames decode to what was decoded live");
    // Twelve messages, and the trouble codes of DM1.
    assert_eq!(compared, messages_of_the_log() + 1, "{tables:?}");
}
