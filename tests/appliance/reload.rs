//! A configuration that changes while samples flow: what has not changed is not touched, what was
//! read is kept, and a configuration with a mistake changes nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::harness::counter::CountingDevice;
use crate::harness::gateway::Gateway;
use crate::harness::programs::{check_lake, duckdb};
use crate::harness::{let_pass, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);
/// Times that the configuration is changed.
const CHANGES: usize = 12;

/// One line, its device and the device's tags, each a name, an address and a type.
struct LineOf<'a> {
    name: &'a str,
    port: u16,
    every: &'a str,
    tags: &'a [(&'a str, u16, &'a str)],
}

fn config(lines: &[LineOf<'_>]) -> String {
    let mut text =
        "[gateway]\nid = \"bench\"\nsite = \"bench\"\n\n[lake]\nroll_interval = \"1 s\"\n"
            .to_owned();
    for LineOf { name, port, every, tags } in lines {
        write!(
            text,
            "\n[[line]]\nname = \"{name}\"\nhost = \"127.0.0.1:{port}\"\n\n[[device]]\n\
             name = \"{name}\"\nline = \"{name}\"\nunit = 1\nevery = \"{every}\"\n"
        )
        .unwrap();
        for (tag, at, kind) in *tags {
            writeln!(
                text,
                "\n[[device.tag]]\nname = \"{tag}\"\nat = \"input:{at}\"\ntype = \"{kind}\""
            )
            .unwrap();
        }
    }
    text
}

/// Events of the configuration so far, oldest first.
fn told(gateway: &Gateway) -> Vec<Value> {
    let events = gateway.json("/api/v1/events")["events"].as_array().expect("a list").clone();
    let is_ours = |event: &Value| event["kind"].as_str().unwrap().starts_with("configuration_");
    events.into_iter().rev().filter(is_ours).collect()
}

/// Writes a configuration, tells the gateway, and waits for what it says: one event.
pub(crate) fn change(gateway: &Gateway, path: &Path, text: &str) -> Value {
    let before = told(gateway).len();
    fs::write(path, text).unwrap();
    gateway.signal("HUP");
    wait_until("the gateway tells of the change", PATIENCE, || told(gateway).len() > before);
    told(gateway).pop().unwrap()
}

fn device(gateway: &Gateway, name: &str) -> Option<Value> {
    let status = gateway.status();
    let devices = status["devices"].as_array().expect("a list").iter();
    devices.clone().find(|device| device["name"] == name).cloned()
}

/// Every read that the device has answered, by what the lake has of it.
fn kept(lake: &Path, table: &str) -> Vec<i64> {
    let sql = format!("SELECT reads FROM \"{table}\" WHERE reads IS NOT NULL ORDER BY ts");
    duckdb(lake, &sql).iter().map(|row| row[0].as_i64().expect("a number")).collect()
}

#[test]
fn tags_added_removed_and_retyped_under_load_cost_no_sample_and_touch_no_other_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    let (data, lake) = (folder.path().join("data"), folder.path().join("data/lake"));
    let (still, turned, guest) =
        (CountingDevice::start(), CountingDevice::start(), CountingDevice::start());
    let reads = ("reads", 0, "u32");
    let counter = [reads];
    let line = |name, device: &CountingDevice, tags| LineOf {
        name,
        port: device.port,
        every: "50 ms",
        tags,
    };
    // The tag beside the counter comes, changes its type, and goes; a line comes and goes.
    let beside: [&[(&str, u16, &str)]; 4] = [
        &[reads, ("beside", 2, "u16")],
        &[reads, ("beside", 2, "f32")],
        &[reads],
        &[("reads", 0, "i64"), ("another", 6, "i16")],
    ];
    let at = |turn: usize| {
        let tags = beside[turn % beside.len()];
        let mut lines = vec![line("still", &still, &counter[..]), line("turned", &turned, tags)];
        if turn % 2 == 1 {
            lines.push(line("guest", &guest, &counter));
        }
        config(&lines)
    };
    fs::write(&path, at(0)).unwrap();
    let gateway = Gateway::of(&path, &data);
    let mut seen = still.reads();
    for turn in 1..=CHANGES {
        let event = change(&gateway, &path, &at(turn));
        assert_eq!(event["kind"], "configuration_applied", "{event}");
        let changes = &event["details"]["changes"];
        assert_eq!(changes["changed"], serde_json::json!(["line turned"]), "{event}");
        assert_eq!(changes["kept"], 1, "{event}");
        assert_eq!(device(&gateway, "guest").is_some(), turn % 2 == 1, "the page has who is read");
        let before = turned.reads();
        wait_until("the changed line is read", PATIENCE, || turned.reads() > before + 20);
        assert!(still.reads() > seen, "the other line stands still");
        seen = still.reads();
    }
    gateway.stop();
    check_lake(&lake);
    // What the device has counted is in the lake, each read once: also those on their way when
    // their line was told to end.
    for (table, counted) in [("still_50ms", &still), ("guest_50ms", &guest)] {
        let kept = kept(&lake, table);
        println!("{table}: {} reads answered, {} in the lake", counted.reads(), kept.len());
        assert_eq!(kept, (1..=i64::from(counted.reads())).collect::<Vec<_>>(), "{table}");
    }
    // Another type is another column; read as i64 the counter stands in the upper half.
    let retyped = "SELECT coalesce(reads, reads__2 // 4294967296) AS n FROM turned_50ms \
                   WHERE n IS NOT NULL ORDER BY ts";
    let number = |row: &Vec<Value>| row[0].as_i64().expect("a number");
    let all: Vec<i64> = duckdb(&lake, retyped).iter().map(number).collect();
    println!("turned_50ms: {} reads answered, {} in the lake", turned.reads(), all.len());
    assert_eq!(all, (1..=i64::from(turned.reads())).collect::<Vec<_>>(), "turned_50ms");
    let columns: BTreeSet<String> = duckdb(&lake, "DESCRIBE turned_50ms")
        .iter()
        .map(|row| row[0].as_str().expect("a name").to_owned())
        .collect();
    for column in ["reads", "reads__2", "beside", "beside__2", "another"] {
        assert!(columns.contains(column), "{column} is not in {columns:?}");
    }
    // Each stretch in which the tag was what it was has its row.
    let valid = duckdb(
        &lake,
        "SELECT kind FROM _signals WHERE path = 'bench/turned/beside' AND valid_to IS NULL",
    );
    let kinds: BTreeSet<&str> = valid.iter().map(|row| row[0].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["f32", "u16"]));
}

#[test]
fn a_configuration_with_a_mistake_changes_nothing_and_says_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    let counter = CountingDevice::start();
    let line = |every| {
        config(&[LineOf { name: "a", port: counter.port, every, tags: &[("reads", 0, "u32")] }])
    };
    fs::write(&path, line("50 ms")).unwrap();
    let gateway = Gateway::of(&path, &folder.path().join("data"));
    wait_until("it is read", PATIENCE, || counter.reads() > 10);
    let wrong = line("100 ms").replace("u32", "u23") + "\n[lakes]\n";
    let event = change(&gateway, &path, &wrong);
    assert_eq!(
        (&event["kind"], &event["severity"]),
        (&"configuration_refused".into(), &"advisory".into())
    );
    let text = event["message"].as_str().unwrap();
    assert!(text.contains("u23") && text.contains("lakes"), "all mistakes are told: {text}");
    let before = counter.reads();
    wait_until("the old one goes on", PATIENCE, || counter.reads() > before + 10);
    // What is read at a start only is named, and nothing is restarted for it.
    let event =
        change(&gateway, &path, &(line("50 ms") + "\n[journal]\nsync_interval = \"2 s\"\n"));
    assert_eq!(event["details"]["waiting"], serde_json::json!(["journal"]), "{event}");
    assert_eq!(event["details"]["changes"]["kept"], 1, "{event}");
    // A gateway with another name is another gateway.
    let event = change(&gateway, &path, &line("50 ms").replacen("bench", "other", 1));
    assert_eq!(event["kind"], "configuration_refused");
    assert!(event["message"].as_str().unwrap().contains("restart the gateway"), "{event}");
    let_pass(Duration::from_millis(200));
    gateway.stop();
    let kept = kept(&folder.path().join("data/lake"), "a_50ms");
    assert_eq!(kept, (1..=i64::from(counter.reads())).collect::<Vec<_>>());
}
