//! A serial line as people and programs see it: found, polled, shown; and what is learned of a
//! device outlives the gateway.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::harness::gateway::Gateway;
use crate::harness::images::Peers;
use crate::harness::programs::python;
use crate::harness::{Ending, fieldgate, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);

/// Units 3 and 17 of pymodbus on a pseudo terminal, which hear one baud and parity alone.
struct SerialLine {
    port: String,
    _server: Ending,
}

impl SerialLine {
    fn serve(baud: &str, parity: &str) -> Self {
        let mut command = python("serial_line.py");
        command.args([baud, parity, "3", "17"]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("Python can be run");
        let stdout = child.stdout.take().expect("stdout is piped");
        let server = Ending(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("the server tells its port");
        let told: Value = serde_json::from_str(&line)
            .unwrap_or_else(|err| panic!("pymodbus has not started: {err}: {line:?}"));
        let port = told["port"].as_str().expect("a path").to_owned();
        Self { port, _server: server }
    }
}

#[test]
fn units_of_a_serial_line_are_found_with_its_settings_and_what_they_say_of_themselves() {
    for (baud, parity, settings) in [("9600", "none", "9600 8N2"), ("38400", "odd", "38400 8O1")] {
        let line = SerialLine::serve(baud, parity);
        let asked = ["discover", "modbus-rtu", &line.port, "--units", "2-4,17", "--json"];
        let ran = fieldgate(&asked);
        let stderr = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && stderr.contains("2 units answer"), "{stderr}");
        let found: Value = serde_json::from_slice(&ran.stdout).unwrap();
        let found = found.as_array().unwrap();
        let units: Vec<&Value> = found.iter().map(|one| &one["unit"]).collect();
        assert_eq!(units, [3, 17], "{found:?}");
        for one in found {
            assert_eq!(
                (&one["place"], &one["settings"]),
                (&line.port.as_str().into(), &settings.into())
            );
            let said = &one["identification"];
            assert_eq!((&said["vendor"], &said["revision"]), (&"Acme Pumps".into(), &"2.1".into()));
        }
    }
}

/// A gateway with units 3 and 17 on this line, two registers each.
fn config(line: &SerialLine) -> String {
    let unit = |unit: u8| {
        let tag = |at: u8| {
            format!("[[device.tag]]\nname = \"t{at}\"\nat = \"holding:{at}\"\ntype = \"u16\"\n")
        };
        let head =
            format!("[[device]]\nname = \"pump-{unit}\"\nline = \"cellar\"\nunit = {unit}\n");
        head + "every = \"200 ms\"\n" + &tag(2) + &tag(3)
    };
    format!(
        "[gateway]\nid = \"bench\"\nsite = \"bench\"\n[[line]]\nname = \"cellar\"\ntransport = \"rtu\"\n\
         port = \"{}\"\nbaud = 19200\nparity = \"even\"\n{}{}",
        line.port,
        unit(3),
        unit(17)
    )
}

/// A reading of a line by its metric.
fn reading(line: &Value, metric: &str) -> f64 {
    let all = line["readings"].as_array().expect("a line has readings");
    let own = all.iter().find(|reading| reading["metric"] == metric);
    own.and_then(|reading| reading["value"].as_f64()).unwrap_or_else(|| panic!("{metric}: {line}"))
}

#[test]
fn a_running_gateway_tells_what_a_serial_line_counts_and_its_last_frames() {
    let folder = tempfile::tempdir().unwrap();
    let line = SerialLine::serve("19200", "even");
    let file = folder.path().join("gateway.toml");
    fs::write(&file, config(&line)).unwrap();
    let gateway = Gateway::of(&file, folder.path());
    wait_until("both units answer in their slots", PATIENCE, || {
        let lines = gateway.json("/api/v1/lines");
        assert_eq!(
            (&lines[0]["name"], &lines[0]["protocol"]),
            (&"cellar".into(), &"modbus-rtu".into())
        );
        let readings = lines[0]["readings"].as_array().unwrap();
        !readings.is_empty() && reading(&lines[0], "modbus_line_slots_done_total") >= 20.0
    });
    let told = gateway.json("/api/v1/lines");
    assert_eq!(reading(&told[0], "modbus_line_connected").to_string(), "1");
    assert_eq!(reading(&told[0], "modbus_line_crc_errors_total").to_string(), "0");
    // Registers 2 and 3 of unit 3 are 200 and 300.
    let (code, frames) = gateway.get("/api/v1/lines/cellar/frames");
    assert_eq!(code, 200, "{frames}");
    assert!(frames.contains("03 03 00 02 00 02"), "{frames}");
    assert!(frames.contains("03 03 04 00 c8 01 2c"), "{frames}");
    assert_eq!(gateway.get("/api/v1/lines/attic/frames").0, 404);
    // The port is the gateway's alone.
    let ran = fieldgate(&["discover", "modbus-rtu", &line.port, "--units", "3"]);
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert!(!ran.status.success() && stderr.contains("another program uses it"), "{stderr}");
}

/// What stands in the notebook, by file.
fn learned(data: &Path) -> Vec<String> {
    let Ok(files) = fs::read_dir(data.join("learned")) else { return Vec::new() };
    files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
}

/// Refusals that the devices of a gateway have given since its start.
fn refusals(gateway: &Gateway) -> u64 {
    let (_, metrics) = gateway.get("/metrics");
    let own =
        metrics.lines().filter(|line| line.starts_with("fieldgate_modbus_unit_exceptions_total{"));
    own.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

fn answers(gateway: &Gateway) -> u64 {
    let devices = &gateway.status()["devices"];
    devices.as_array().unwrap().iter().filter_map(|device| device["answers"].as_u64()).sum()
}

#[test]
fn what_a_device_refuses_is_learned_once_and_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let peers = Peers::serve(&["pump_vfd"]);
    let file = folder.path().join("gateway.toml");
    // As somebody writes it who does not know the holes.
    let config = peers.config("400 ms");
    let naive: Vec<&str> = config.lines().filter(|line| !line.starts_with("holes = ")).collect();
    fs::write(&file, naive.join("\n")).unwrap();
    let gateway = Gateway::of(&file, folder.path());
    wait_until("a lesson is written down", PATIENCE, || !learned(folder.path()).is_empty());
    wait_until("refusals are counted", PATIENCE, || refusals(&gateway) > 0);
    gateway.stop();
    let before = learned(folder.path());
    let page: Value = serde_json::from_str(&before[0]).unwrap();
    assert!(!page["holes"].as_array().unwrap().is_empty(), "{page}");
    let gateway = Gateway::of(&file, folder.path());
    wait_until("it answers again", PATIENCE, || answers(&gateway) >= 20);
    assert_eq!(refusals(&gateway), 0, "nothing is asked that it refuses");
    gateway.stop();
    assert_eq!(learned(folder.path()), before);
}
