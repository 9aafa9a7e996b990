//! `fieldgate export`, held against `DuckDB` and `PyArrow`: an export holds what the lake holds.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use crate::harness::gateway::Gateway;
use crate::harness::programs::{answer, python};
use crate::harness::{fieldgate, let_pass, now_us, text};

fn export(data: &Path, out: &Path, more: &[&str]) -> Output {
    let fixed = ["export", "--data", text(data), "--out", text(out)];
    fieldgate(&[&fixed, more].concat())
}

fn exported(data: &Path, out: &Path, more: &[&str]) {
    let ran = export(data, out, more);
    assert!(ran.status.success(), "{more:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// What differs between the files below `out` and the lake, up to a time: none may.
fn compare(data: &Path, out: &Path, until_us: i64) -> serde_json::Value {
    let lake = data.join("lake");
    let until = until_us.to_string();
    let told = answer(python("export_check.py").args([text(&lake), text(out), &until]));
    println!("{told:#}");
    let problems = told["problems"].as_array().expect("a list");
    assert!(problems.is_empty(), "{problems:#?}");
    told
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_export_beside_a_running_gateway_holds_every_sample_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let gateway = Gateway::demo(&data);
    let_pass(Duration::from_secs(8));
    // Older than the sync interval: durable, so it can no longer change.
    let until_us = now_us() - 3_000_000;
    let to = moment(&data, until_us);
    let out = folder.path().join("out");
    for format in ["parquet", "csv", "arrow", "jsonl"] {
        let tables = ["pump_1s", "compressor_*", "--format", format, "--to", &to];
        exported(&data, &out, &tables);
    }
    gateway.stop();
    let told = compare(&data, &out, until_us);
    assert!(told["rows"]["pump_1s"].as_u64().unwrap() > 0);
    assert_eq!(told["formats"], 4, "each format of the pump was compared");
}

/// A time as it is given on the command line.
fn moment(data: &Path, micros: i64) -> String {
    let sql = format!("SELECT CAST(to_timestamp_micros({micros}) AS VARCHAR)");
    let told = fieldgate(&["query", &sql, "--data", text(data), "--format", "csv"]);
    let told = String::from_utf8(told.stdout).unwrap();
    told.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn an_export_of_a_gateway_that_has_stopped_holds_all_tables_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for _ in 0..2 {
        let gateway = Gateway::demo(&data);
        let_pass(Duration::from_secs(4));
        gateway.stop();
    }
    let out = folder.path().join("out");
    exported(&data, &out, &[]);
    let told = compare(&data, &out, i64::MAX);
    assert!(told["rows"].as_object().unwrap().len() > 10, "all tables were written");
    let flow = folder.path().join("flow.csv");
    exported(&data, &flow, &["pump_1s", "--signals", "*/flow"]);
    let head = std::fs::read_to_string(&flow).unwrap();
    assert_eq!(head.lines().next(), Some("ts,q,ts_err,flow"));
}

#[test]
fn mistakes_are_told_together_and_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let gateway = Gateway::demo(&data);
    let_pass(Duration::from_secs(4));
    let out = folder.path().join("pump.csv");
    std::fs::write(&out, "mine").unwrap();
    let ran = export(&data, &out, &["pump_1s", "pmp_1s", "--from", "noon", "--format", "arrow"]);
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    println!("{said}");
    assert_eq!(ran.status.code(), Some(64));
    for part in
        ["did you mean \"pump_1s\"", "\"noon\" is no time", "arrow does not go with", "--overwrite"]
    {
        assert!(said.contains(part), "{part}");
    }
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "mine");
    exported(&data, &out, &["pump_1s", "--overwrite"]);
    assert!(std::fs::read_to_string(&out).unwrap().starts_with("ts,"));
    assert_eq!(names(folder.path()), ["data", "pump.csv"], "nothing else is left");
    let ran = export(folder.path(), &folder.path().join("x"), &[]);
    assert_eq!(ran.status.code(), Some(64), "a folder that is none of a gateway");
    gateway.stop();
}
