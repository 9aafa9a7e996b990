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
use crate::harness::{fieldgate, let_pass, text, wait_until};

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

/// What a command on the configuration prints.
fn asked(arguments: &[&str]) -> (String, i32) {
    let ran = fieldgate(&[&["config"], arguments].concat());
    let said = [ran.stdout, ran.stderr].concat();
    (String::from_utf8(said).unwrap(), ran.status.code().unwrap())
}

#[test]
fn what_was_taken_is_kept_a_change_says_its_effect_before_and_there_is_a_way_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, data) = (folder.path().join("gateway.toml"), folder.path().join("data"));
    let (one, other) = (CountingDevice::start(), CountingDevice::start());
    let line = |name, port, tags| LineOf { name, port, every: "100 ms", tags };
    let reads = [("reads", 0, "u32")];
    let more = [("reads", 0, "u32"), ("again", 0, "u32")];
    let first = config(&[line("a", one.port, &reads), line("b", other.port, &reads)]);
    let second = config(&[line("a", one.port, &reads), line("b", other.port, &more)]);
    fs::write(&path, &first).unwrap();
    let gateway = Gateway::of(&path, &data);
    let at = ["--data", text(&data)];
    let both = ["--config", text(&path), "--data", text(&data)];
    let history = || {
        let (json, code) = asked(&[&["history", "--json"], &at[..]].concat());
        assert_eq!(code, 0, "{json}");
        serde_json::from_str::<Vec<Value>>(&json).unwrap()
    };
    wait_until("the start is in the history", PATIENCE, || history().len() == 1);

    fs::write(&path, &second).unwrap();
    let (said, code) = asked(&[&["diff"], &both[..]].concat());
    assert_eq!(code, 0, "{said}");
    for part in
        ["+name = \"again\"", "begins again (1): line b", "new signals (1)", "not touched: 1"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let taken = change(&gateway, &path, &second);
    assert_eq!(taken["details"]["revision"], 2, "{taken}");
    let refused = change(&gateway, &path, &second.replace("u32", "u33"));
    assert_eq!(refused["kind"], "configuration_refused");
    let kept = history();
    assert_eq!(kept.len(), 2, "what was refused was never taken");
    assert_eq!((&kept[0]["occasion"], &kept[1]["occasion"]), (&"start".into(), &"reload".into()));

    let (said, code) = asked(&[&["rollback", "1"], &both[..]].concat());
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("signals that go (1)"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), first);
    let back = change(&gateway, &path, &first);
    assert_eq!(
        (&back["details"]["revision"], back["kind"].as_str()),
        (&3.into(), Some("configuration_applied"))
    );
    let (said, code) = asked(&[&["rollback", "9"], &both[..]].concat());
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("there are 1 to 3"), "{said}");
    let (said, _) = asked(&[&["show", "2"], &at[..]].concat());
    assert!(said.contains(second.trim()), "{said}");
}
