//! `read`, `discover` and `plan`: what a person asks of a device, held against pymodbus and
//! pysunspec2.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::images::Peers;
use crate::harness::programs::{answer, python};
use crate::harness::{Ending, binary, fieldgate, root, signal, text, wait_for};

fn stdout(ran: &Output) -> String {
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout.clone()).unwrap()
}

fn stderr(ran: &Output) -> String {
    String::from_utf8_lossy(&ran.stderr).into_owned()
}

#[test]
fn a_sunspec_device_configures_itself_and_reads_as_pysunspec2_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let peers = Peers::serve(&["pv_inverter_sunspec", "grid_meter_sunspec"]);
    // Points that are no padding: 8 of the common model, 45 of the inverter's, 74 of the meter's.
    for (device, unit, models, points) in
        [("pv-inverter-3ph", "1", vec![1, 103], 53), ("grid-meter", "2", vec![1, 203], 82)]
    {
        let place = format!("127.0.0.1:{}", peers.port(device));
        let asked = ["discover", "sunspec", &place, "--unit", unit, "--rate", "500"];
        let asked = [&asked[..], &["--max-registers", "100", "--name", "sun"]].concat();
        let discovered = stdout(&fieldgate(&asked));
        let config = folder.path().join(format!("{device}.toml"));
        let gateway = "[gateway]\nid = \"bench\"\nsite = \"bench\"\n";
        fs::write(&config, format!("{gateway}{discovered}")).unwrap();
        stdout(&fieldgate(&["check", "--offline", text(&config)]));
        let read = ["read", "--config", text(&config), "sun", "--rate", "500", "--json"];
        let rows = folder.path().join(format!("{device}.json"));
        fs::write(&rows, stdout(&fieldgate(&read))).unwrap();
        let port = peers.port(device).to_string();
        let told = answer(python("sunspec_check.py").args([&port, unit]).arg(&rows));
        println!("{device}: {} points as pysunspec2 has them", told["checked"]);
        assert_eq!(told["wrong"], Value::Array(Vec::new()), "{device}");
        assert_eq!(told["models"], Value::from(models));
        assert_eq!(told["checked"], points);
    }
}

#[test]
fn a_register_is_read_under_every_decoding_and_a_value_is_found_by_what_the_display_shows() {
    let peers = Peers::serve(&["grid_meter_sunspec"]);
    let place = format!("tcp://127.0.0.1:{}", peers.port("grid-meter"));
    let read = ["read", &place, "--unit", "2", "--rate", "1000"];
    let shown = stdout(&fieldgate(&[&read[..], &["holding:40072", "--count", "4"]].concat()));
    assert!(shown.contains("holding:40072  440073   0x0751  1873"), "{shown}");
    assert!(shown.contains(" f32 ") && shown.contains(" u64 "), "{shown}");
    let typed = ["440073", "--type", "i16", "--count", "3"];
    let shown = stdout(&fieldgate(&[&read[..], &typed].concat()));
    assert!(shown.lines().any(|line| line.ends_with("ABCD   -640")), "{shown}");
    let wanted = ["holding:40000", "--count", "300", "--max-registers", "100", "--find", "187.3"];
    let found = stdout(&fieldgate(&[&read[..], &wanted].concat()));
    assert!(found.contains("holding:40072") && found.contains("× 0.1"), "{found}");
    let none = ["holding:40000", "--count", "100", "--find", "77777.77"];
    let none = fieldgate(&[&read[..], &none].concat());
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("no reading gives 77777.77"), "{}", stderr(&none));
}

#[test]
fn what_is_wrong_with_a_question_is_told_with_what_to_do() {
    for (question, code, part) in [
        (&["read", "tcp://127.0.0.1:1", "holding:0"][..], 1, "nothing listens there"),
        (&["read", "udp://127.0.0.1", "holding:0"], 64, "write tcp://"),
        (&["read", "127.0.0.1", "holdin:0"], 64, "did you mean \"holding\"?"),
        (&["read", "127.0.0.1", "holding:0", "--type", "f33"], 64, "there is no type \"f33\""),
        (&["read", "127.0.0.1"], 64, "ADDRESS"),
        (&["discover", "modbus-tcp", "10.0.0.0/8"], 64, "in parts of /20"),
        (&["discover", "modbus-tcp", "127.0.0.1", "--units", "300"], 64, "out of range"),
        (&["discover", "modbus-rtu", "/no/such/port", "--units", "1"], 1, "/no/such/port"),
        (&["discover", "sunspec", "127.0.0.1", "--every", "soon"], 64, "--every soon"),
        (&["plan", "--config", "/no/such/file"], 78, "/no/such/file"),
    ] {
        let ran = fieldgate(question);
        assert_eq!(ran.status.code(), Some(code), "{question:?}: {}", stderr(&ran));
        assert!(stderr(&ran).contains(part), "{question:?}: {}", stderr(&ran));
        assert!(ran.stdout.is_empty(), "{question:?}");
    }
}

#[test]
fn units_of_a_host_are_found_and_printed_as_json() {
    let peers = Peers::serve(&["pump_vfd"]);
    let port = peers.port("pump-vfd").to_string();
    let asked = ["discover", "modbus-tcp", "127.0.0.1", "--port", &port, "--json"];
    let asked = [&asked[..], &["--units", "7,11", "--rate", "100"]].concat();
    let found: Value = serde_json::from_str(&stdout(&fieldgate(&asked))).unwrap();
    let units: Vec<&Value> = found.as_array().unwrap().iter().map(|one| &one["unit"]).collect();
    // pymodbus refuses for units it does not have: they count as answering.
    assert_eq!(units, [7, 11], "{found}");
    assert_eq!(found[0]["place"], format!("127.0.0.1:{port}"));
}

#[test]
fn a_discovery_that_is_interrupted_ends_at_once_with_what_it_has() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let asked = ["discover", "modbus-tcp", "127.0.0.1", "--port", &port, "--units", "1-247"];
    let mut child = Command::new(binary())
        .args(asked)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut child = Ending(child);
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("247 units each") && first.contains("Ctrl-C"), "{first}");
    let _connected = silent.accept().unwrap();
    signal(&child.0, "INT");
    let ended = wait_for("the discovery ends", Duration::from_secs(5), || {
        child.0.try_wait().expect("a child can be waited for")
    });
    assert_eq!(ended.code(), Some(1));
    let told: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(told.iter().any(|line| line.contains("stopped before")), "{told:?}");
}

#[test]
fn a_plan_says_what_a_line_will_do_without_asking_it() {
    let config = root().join("config/plant.toml");
    let ran = fieldgate(&["plan", "--config", text(&config), "--json"]);
    let lines: Value = serde_json::from_str(&stdout(&ran)).unwrap();
    let lines = lines.as_array().unwrap();
    assert!(!lines.is_empty());
    for line in lines {
        let share: f64 = line["scans"].as_array().unwrap().iter().map(share_of).sum();
        let told = line["utilisation_ratio"].as_f64().unwrap();
        assert!((share - told).abs() < 1e-9 && told > 0.0, "{line}");
    }
    let shown = stdout(&fieldgate(&["plan", "--config", text(&config), "--requests"]));
    assert!(shown.contains("busy") && shown.contains("ms a cycle"), "{shown}");
}

fn share_of(scan: &Value) -> f64 {
    let requests = scan["requests"].as_array().unwrap();
    let time: f64 = requests.iter().map(|request| request["ms"].as_f64().unwrap()).sum();
    time / scan["period_ms"].as_f64().unwrap()
}
