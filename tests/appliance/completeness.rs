//! The ledger of samples in real runs: of a gateway that is killed, stopped and started again, of
//! a line with more devices than it has time for, and of a configuration that changes, every
//! sample that is missing has a cause.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::harness::counter::CountingDevice;
use crate::harness::gateway::Gateway;
use crate::harness::{fieldgate, let_pass, text, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);

/// One line to a device, asked for unit after unit.
struct LineOf<'a> {
    name: &'a str,
    port: u16,
    every: &'a str,
    units: u8,
    tags: &'a [&'a str],
}

fn config(lines: &[LineOf<'_>]) -> String {
    let mut told =
        "[gateway]\nid = \"bench\"\nsite = \"bench\"\n\n[lake]\nroll_interval = \"1 s\"\n"
            .to_owned();
    for LineOf { name, port, every, units, tags } in lines {
        writeln!(told, "\n[[line]]\nname = \"{name}\"\nhost = \"127.0.0.1:{port}\"\npipeline = 1")
            .unwrap();
        for unit in 1..=*units {
            write!(
                told,
                "\n[[device]]\nname = \"{name}{unit}\"\nline = \"{name}\"\nunit = {unit}\n\
                 every = \"{every}\"\n"
            )
            .unwrap();
            for (at, tag) in tags.iter().enumerate() {
                let at = 2 * at;
                writeln!(
                    told,
                    "\n[[device.tag]]\nname = \"{tag}\"\nat = \"input:{at}\"\ntype = \"u32\""
                )
                .unwrap();
            }
        }
    }
    told
}

fn ask(data: &Path, sql: &str) -> Vec<Value> {
    let output = fieldgate(&["query", sql, "--data", text(data), "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    told.lines().map(|line| serde_json::from_str(line).expect("a row a line")).collect()
}

/// Sums over all hours: signal, expected, stored, explained, unexplained.
fn sums(data: &Path) -> Vec<(String, [i64; 4])> {
    let sql = "SELECT path, sum(expected) AS expected, sum(good + uncertain + bad) AS stored, \
               sum(explained) AS explained, sum(unexplained) AS unexplained \
               FROM completeness GROUP BY path ORDER BY path";
    let number = |row: &Value, name: &str| row[name].as_i64().expect("a number");
    let names = ["expected", "stored", "explained", "unexplained"];
    let row = |row: &Value| {
        (row["path"].as_str().unwrap().to_owned(), names.map(|name| number(row, name)))
    };
    ask(data, sql).iter().map(row).collect()
}

/// Missing samples of a table by cause.
fn missing(data: &Path, table: &str) -> Vec<(String, i64)> {
    let sql = format!(
        "SELECT cause, sum(missing) AS missing FROM holes WHERE \"table\" = '{table}' \
         GROUP BY cause ORDER BY cause"
    );
    let pair = |row: &Value| (row["cause"].as_str().unwrap().to_owned(), row["missing"].as_i64());
    ask(data, &sql).iter().map(pair).map(|(cause, n)| (cause, n.unwrap())).collect()
}

/// Checks the sums of every signal; gives those without a cause, all signals together.
fn check(data: &Path, edges: i64) {
    let sums = sums(data);
    assert!(!sums.is_empty());
    for (path, [expected, stored, explained, unexplained]) in sums {
        println!("{path}: {expected} = {stored} + {explained} + {unexplained}");
        assert_eq!(expected, stored + explained + unexplained, "{path}");
        assert!(stored > 0, "{path}");
        assert!(unexplained <= edges, "{path}: {unexplained} samples are missing without a cause");
    }
}

#[test]
fn kills_stops_and_starts_leave_no_sample_that_is_missing_without_a_cause() {
    const KILLS: i64 = 4;
    let folder = tempfile::tempdir().unwrap();
    let (path, data) = (folder.path().join("gateway.toml"), folder.path().join("data"));
    let device = CountingDevice::start();
    let tags = &["reads"];
    let line = LineOf { name: "a", port: device.port, every: "200 ms", units: 1, tags };
    fs::write(&path, config(&[line])).unwrap();
    for turn in 0..=KILLS {
        let gateway = Gateway::of(&path, &data);
        let before = device.reads();
        wait_until("samples are taken", PATIENCE, || device.reads() > before + 10);
        if turn % 2 == 0 {
            drop(gateway.kill());
        } else {
            drop(gateway.stop());
        }
        let_pass(Duration::from_millis(700));
    }
    let gateway = Gateway::of(&path, &data);
    let before = device.reads();
    wait_until("samples are taken", PATIENCE, || device.reads() > before + 40);
    gateway.stop();
    let causes = missing(&data, "a1_200ms");
    println!("{causes:?}");
    assert!(
        causes.iter().any(|(cause, n)| cause == "gateway_off" && *n >= 3 * KILLS),
        "{causes:?}"
    );
    // One sample at most at either edge of a hole.
    check(&data, 2 * (KILLS + 1));
}

#[test]
fn slots_that_an_overloaded_line_has_no_time_for_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (path, data) = (folder.path().join("gateway.toml"), folder.path().join("data"));
    // 8 units of 20 ms each, one request at a time, in slots of 50 ms.
    let device = CountingDevice::slow(Duration::from_millis(20));
    let tags = &["reads"];
    let line = LineOf { name: "a", port: device.port, every: "50 ms", units: 8, tags };
    fs::write(&path, config(&[line])).unwrap();
    let gateway = Gateway::of(&path, &data);
    wait_until("samples are taken", PATIENCE, || device.reads() > 300);
    gateway.stop();
    let causes = missing(&data, "a1_50ms");
    println!("{causes:?}");
    let busy = causes.iter().find(|(cause, _)| cause == "line_busy").expect("slots are missed").1;
    assert!(busy > 30, "two slots of three pass: {causes:?}");
    check(&data, 2);
    let gaps = ask(&data, "SELECT count(*) AS n FROM _gaps WHERE cause = 'line_busy'");
    assert!(gaps[0]["n"].as_i64().unwrap() <= 8 * 5, "gaps are few: {gaps:?}");
}

#[test]
fn a_configuration_that_changes_leaves_no_sample_that_is_missing_without_a_cause() {
    const CHANGES: i64 = 5;
    let folder = tempfile::tempdir().unwrap();
    let (path, data) = (folder.path().join("gateway.toml"), folder.path().join("data"));
    let (still, turned) = (CountingDevice::start(), CountingDevice::start());
    let at = |turn: i64| {
        let line = |name, device: &CountingDevice, tags| LineOf {
            name,
            port: device.port,
            every: "50 ms",
            units: 1,
            tags,
        };
        let both: &[&str] = &["reads", "beside"];
        let tags = if turn % 2 == 0 { both } else { &both[..1] };
        config(&[line("still", &still, &both[..1]), line("turned", &turned, tags)])
    };
    fs::write(&path, at(0)).unwrap();
    let gateway = Gateway::of(&path, &data);
    for turn in 1..=CHANGES {
        let before = turned.reads();
        wait_until("samples are taken", PATIENCE, || turned.reads() > before + 20);
        fs::write(&path, at(turn)).unwrap();
        gateway.signal("HUP");
        let applied = || {
            let events = gateway.json("/api/v1/events");
            let events = events["events"].as_array().unwrap();
            events.iter().filter(|event| event["kind"] == "configuration_applied").count()
        };
        wait_until("the change is made", PATIENCE, || applied() >= usize::try_from(turn).unwrap());
    }
    let before = turned.reads();
    wait_until("samples are taken", PATIENCE, || turned.reads() > before + 60);
    gateway.stop();
    println!("{:?}", missing(&data, "turned1_50ms"));
    let told = ask(&data, "SELECT DISTINCT \"table\" FROM _gaps WHERE cause = 'reload'");
    assert_eq!(told, [serde_json::json!({ "table": "turned1_50ms" })], "who was begun again");
    let still = missing(&data, "still1_50ms");
    assert!(still.iter().all(|(cause, _)| cause != "reload"), "it was not touched: {still:?}");
    check(&data, 2 * (CHANGES + 2));
}
