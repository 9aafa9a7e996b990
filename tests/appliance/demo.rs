//! The demo as a newcomer meets it: one run of a bit more than three minutes, looked at from all
//! sides.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::harness::broker::{Message, Subscriber, delivery};
use crate::harness::gateway::{DEVICES, Gateway};
use crate::harness::programs::{answer, check_lake, python};
use crate::harness::{now_us, text, wait_for, wait_until};

/// From the start of the program to moving values.
const ALIVE_PATIENCE: Duration = Duration::from_secs(10);
/// The first fault of the pump, bearing wear, sets in this long after the start.
const ONSET: Duration = Duration::from_mins(2);
/// From the onset to an open episode.
const DETECTION_PATIENCE: Duration = Duration::from_mins(1);
/// What shows the first fault first.
const ROOTS: [&str; 2] = ["plant/pump/vibration", "plant/pump/bearing_temp"];
/// How long the demo runs.
const RUN: Duration = Duration::from_secs(190);

#[test]
fn three_minutes_of_the_demo_are_alive_complete_consistent_and_find_the_fault() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::demo(folder.path());
    let subscriber = Subscriber::start(gateway.broker_port());
    every_device_is_alive_within_ten_seconds(&gateway);
    health_and_metrics_answer(&gateway);
    let started = gateway.status()["started_us"].as_i64().unwrap();
    the_fault_is_found_and_nothing_before(&gateway, started);
    let end = started + micros(RUN);
    wait_until("the demo's time", RUN, || now_us() >= end);
    health_and_metrics_answer(&gateway);
    nothing_was_refused(&gateway);
    let (log, took) = gateway.stop();
    let messages = subscriber.end("aggregates");
    assert!(took < Duration::from_secs(5), "stopped only after {took:?}");
    println!("stopped after {took:?}");
    // The broker is the demo's scenery; its library complains when a client leaves at the stop.
    let is_ours = |line: &&String| line.contains("ERROR") && !line.contains("rumqttd::");
    let complaints: Vec<_> = log.iter().filter(is_ours).collect();
    assert!(complaints.is_empty(), "{complaints:#?}\n{}", log.join("\n"));
    let lake = folder.path().join("lake");
    every_table_is_read_and_in_order(&lake);
    every_message_came_once(&messages, &log);
    aggregates_are_what_duckdb_computes(&lake, &messages, folder.path());
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).expect("minutes")
}

/// Signals of each device, by id.
fn signals(gateway: &Gateway) -> BTreeMap<String, Vec<u64>> {
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for signal in gateway.json("/api/v1/signals")["signals"].as_array().unwrap() {
        let device = signal["device"].as_str().unwrap().to_owned();
        if signal["kind"] == "f64" || signal["kind"] == "f32" {
            found.entry(device).or_default().push(signal["id"].as_u64().unwrap());
        }
    }
    found
}

/// Whether a signal has had two different values since `from`.
fn changes(gateway: &Gateway, id: u64, from: i64) -> bool {
    let to = now_us() + 1_000_000;
    let trend = gateway.json(&format!("/api/v1/trend?id={id}&from={from}&to={to}&px=1000"));
    let means: Vec<f64> =
        trend["mean"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    means.windows(2).any(|pair| pair[0].to_bits() != pair[1].to_bits())
}

fn every_device_is_alive_within_ten_seconds(gateway: &Gateway) {
    let (code, page) = gateway.get("/");
    assert_eq!(code, 200);
    assert!(page.contains("<script") && page.contains("/assets/"), "{page}");
    println!("page served after {:?}", gateway.spawned.elapsed());
    let started = gateway.status()["started_us"].as_i64().unwrap();
    for device in DEVICES {
        let left = ALIVE_PATIENCE.saturating_sub(gateway.spawned.elapsed());
        let id = wait_for(&format!("{device} changes"), left, || {
            let known = signals(gateway);
            let mut ids = known.get(device)?.iter().copied();
            ids.find(|id| changes(gateway, *id, started))
        });
        println!("{device}: signal {id} changes, after {:?}", gateway.spawned.elapsed());
    }
}

fn health_and_metrics_answer(gateway: &Gateway) {
    assert_eq!(gateway.get("/healthz"), (200, "ok".to_owned()));
    let ready = gateway.json("/readyz");
    assert_eq!(ready["ready"], true, "{ready}");
    let (code, metrics) = gateway.get("/metrics");
    assert_eq!(code, 200);
    let samples = metrics.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let parsed = samples.clone().filter(|line| {
        line.rsplit(' ').next().is_some_and(|number| number.parse::<f64>().is_ok())
            && line.starts_with("fieldgate_")
    });
    assert_eq!(parsed.count(), samples.clone().count(), "{metrics}");
    assert!(samples.count() >= 20, "{metrics}");
}

fn the_fault_is_found_and_nothing_before(gateway: &Gateway, started: i64) {
    let onset = started + micros(ONSET);
    let episodes = || -> Vec<Value> {
        let told = gateway.json("/api/v1/anomalies?limit=50");
        let of_pump = |episode: &&Value| episode["detector"] == "pump";
        told["episodes"].as_array().unwrap().iter().filter(of_pump).cloned().collect()
    };
    // A second for the clock readings of the two sides.
    let patience = ONSET + DETECTION_PATIENCE + Duration::from_secs(10);
    let first = wait_for("an episode opens", patience, || episodes().into_iter().next());
    let opened = first["opened_us"].as_i64().unwrap();
    let delay = Duration::from_micros(u64::try_from((opened - onset).max(0)).unwrap());
    let top: Vec<&str> = first["top"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|part| part["signal"].as_str())
        .collect();
    println!("episode opened {delay:?} after the onset, top {top:?}, peak {}", first["peak"]);
    assert!(opened > onset - 1_000_000, "an episode before the fault: {first:#}");
    assert!(delay <= DETECTION_PATIENCE, "found only after {delay:?}");
    assert!(top.iter().take(3).any(|signal| ROOTS.contains(signal)), "{first:#}");
}

fn nothing_was_refused(gateway: &Gateway) {
    let status = gateway.status();
    assert_eq!(status["journal"]["refused"], 0, "{}", status["journal"]);
    for device in status["devices"].as_array().unwrap() {
        println!(
            "{}: {} requests, {} answers, {} missed",
            device["name"], device["requests"], device["answers"], device["missed"]
        );
        assert_eq!(device["dropped"], 0, "{device:#}");
        assert_eq!(device["timeouts"], 0, "{device:#}");
    }
}

fn every_table_is_read_and_in_order(lake: &Path) {
    let report = check_lake(lake);
    let tables = report["tables"].as_object().unwrap();
    println!("{} tables, {} rows, {} files", tables.len(), report["rows"], report["files"]);
    for wanted in ["pump_1s", "boiler_1s", "compressor_1s", "_signals", "_events", "_quality"] {
        assert!(tables.contains_key(wanted), "no table {wanted}: {:?}", tables.keys());
    }
    // 31 minutes of history and the run itself, one row a second.
    let rows = report["tables"]["pump_1s"]["rows"].as_u64().unwrap();
    let wanted = 31 * 60 + RUN.as_secs();
    assert!((wanted - 3..=wanted + 10).contains(&rows), "{rows} rows of pump_1s, not {wanted}");
    assert!(tables.keys().any(|name| name.starts_with("truck_")), "{:?}", tables.keys());
}

fn every_message_came_once(messages: &[Message], log: &[String]) {
    let told = delivery(messages);
    println!("aggregates: {told}");
    assert!(told.wrong.is_empty(), "{:#?}\n{}", told.wrong, log.join("\n"));
}

fn aggregates_are_what_duckdb_computes(lake: &Path, messages: &[Message], folder: &Path) {
    let lines: Vec<&str> =
        messages.iter().map(|m| std::str::from_utf8(&m.payload).unwrap()).collect();
    let path = folder.join("aggregates.jsonl");
    fs::write(&path, lines.join("\n")).unwrap();
    let report = answer(python("aggregates_check.py").args([text(lake), text(&path)]));
    println!("{report}");
    assert_eq!(report["wrong_count"], 0, "{:#}", report["wrong"]);
    let counts = &report["counts"];
    assert!(counts["60 s"].as_u64().unwrap_or(0) >= 10, "{counts}");
    assert!(counts["10 s"].as_u64().unwrap_or(0) >= 50, "{counts}");
    let tables: Vec<&str> =
        report["tables"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for table in ["pump_1s", "boiler_1s", "compressor_1s"] {
        assert!(tables.contains(&table), "no aggregates of {table}: {tables:?}");
    }
}
