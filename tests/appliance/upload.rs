//! `[upload]` against an S3 server that shares no code with the gateway (moto), and a folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::gateway::Gateway;
use crate::harness::programs::{answer, python};
use crate::harness::{Ending, free_port, root, signal, text, wait_for, wait_until};

/// Patience with an upload, on a machine that builds at the same time.
const PATIENCE: Duration = Duration::from_mins(2);

/// The configuration of a gateway that replays a bus and uploads.
fn config(folder: &Path, id: &str, upload: &str) -> PathBuf {
    let can = root().join("config/demo/can");
    let path = folder.join(format!("{id}.toml"));
    let content = format!(
        "[gateway]\nid = \"{id}\"\nsite = \"plant\"\n\
         [[can]]\nname = \"truck\"\nreplay = \"{0}/truck-idle-j1939-gps.log.gz\"\n\
         channel = \"can0\"\ndbc = [\"{0}/j1939_common.dbc\"]\nmatch = \"pgn\"\nloop = true\n\
         [lake]\nroll_interval = \"1 s\"\n\
         [upload]\n{upload}\n",
        text(&can)
    );
    std::fs::write(&path, content).unwrap();
    path
}

fn uploaded(gateway: &Gateway) -> Value {
    gateway.json("/api/v1/lake")["upload"].clone()
}

/// Waits until so many files are there.
fn wait_for_files(gateway: &Gateway, files: u64) -> Value {
    wait_for("files are uploaded", PATIENCE, || {
        let upload = uploaded(gateway);
        (upload["files"].as_u64()? >= files).then_some(upload)
    })
}

fn check(arguments: &[&str]) -> Value {
    let told = answer(python("upload_check.py").args(arguments));
    println!("{told:#}");
    let problems = told["problems"].as_array().expect("a list");
    assert!(problems.is_empty(), "{problems:#?}");
    told
}

#[test]
fn two_gateways_in_one_folder_are_one_table_of_exactly_their_rows() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("nas");
    let upload = format!("to = \"file://{}\"", text(&place));
    let mut lakes = Vec::new();
    for id in ["gw-a", "gw-b"] {
        let data = folder.path().join(id);
        let gateway = Gateway::of(&config(folder.path(), id, &upload), &data);
        if id == "gw-a" {
            // A server that is away: nothing is written below its mount point.
            let told = wait_for("the missing folder is told", PATIENCE, || {
                uploaded(&gateway)["error"].as_str().map(str::to_owned)
            });
            assert!(told.contains("check that it is mounted"), "{told}");
            assert!(!place.is_dir(), "nothing was made");
            std::fs::create_dir(&place).unwrap();
        }
        let upload = wait_for_files(&gateway, 100);
        println!("{id}: {upload}");
        let metrics = gateway.get("/metrics").1;
        assert!(metrics.contains("fieldgate_upload_files_total"), "{metrics}");
        gateway.stop();
        lakes.push(format!("{id}={}", text(&data.join("lake"))));
    }
    let told = check(&["folder", text(&place), &lakes[0], &lakes[1]]);
    assert_eq!(told["gateways"], 2);
    assert!(told["rows"].as_u64().unwrap() > 100);
}

/// An S3 server with the bucket `lake`.
fn server(port: u16) -> Ending {
    let mut command: Command = python("s3_server.py");
    let child = command.arg(port.to_string()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let server = Ending(child.expect("the server can be started"));
    wait_until("the server listens", PATIENCE, || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    server
}

/// Parts of the large file that the store has receipted.
fn parts(data: &Path) -> usize {
    let text = std::fs::read_to_string(data.join("upload/parts.json")).unwrap_or_default();
    let told: Value = serde_json::from_str(&text).unwrap_or_default();
    told["parts"].as_array().map_or(0, Vec::len)
}

#[test]
fn an_upload_to_s3_goes_on_after_kill_9_and_a_server_that_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let made = answer(python("upload_check.py").args(["plant", text(&data.join("lake"))]));
    let port = free_port();
    let server = server(port);
    for name in ["key", "secret"] {
        std::fs::write(folder.path().join(name), "testing\n").unwrap();
    }
    let (key, secret) = (folder.path().join("key"), folder.path().join("secret"));
    let upload = |rate: &str| {
        format!(
            "to = \"s3://lake/north\"\nendpoint = \"http://127.0.0.1:{port}\"\n\
             access_key = \"file:{}\"\nsecret_key = \"file:{}\"\n{rate}",
            text(&key),
            text(&secret)
        )
    };
    let slow = config(folder.path(), "gw-a", &upload("bytes_per_s = \"2 MiB\""));
    let gateway = Gateway::of(&slow, &data);
    wait_until("a part of the large file is there", PATIENCE, || parts(&data) >= 1);
    gateway.kill();
    let receipted = parts(&data);
    let url = format!("http://127.0.0.1:{port}");
    let lake = format!("gw-a={}", text(&data.join("lake")));
    let told = check(&["s3", &url, "north", &lake]);
    assert_eq!(told["large"], 0, "nothing is listed half");
    let gateway = Gateway::of(&slow, &data);
    // The link hangs for a while.
    wait_until("it goes on", PATIENCE, || {
        parts(&data) > receipted || uploaded(&gateway)["files"] != 0
    });
    signal(&server.0, "STOP");
    crate::harness::let_pass(Duration::from_secs(2));
    signal(&server.0, "CONT");
    let upload = wait_for_files(&gateway, 5);
    println!("{receipted} parts before the kill; {upload}");
    let resumed = upload["resumed_bytes"].as_u64().unwrap();
    assert!(resumed >= 5 << 20, "parts that were there were sent again: {upload}");
    gateway.stop();
    let told = check(&["s3", &url, "north", &lake]);
    assert_eq!(told["large"], 1, "the large file of {made} is there");
    assert!(told["objects"].as_u64().unwrap() >= 5);
    assert_eq!(told["unfinished"], 0, "no parts are left to be paid for");
}

#[test]
fn a_place_that_stays_away_is_an_event_and_so_is_its_return() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("nas");
    let upload = format!("to = \"file://{}\"", text(&place));
    let gateway = Gateway::of(&config(folder.path(), "gw-a", &upload), &folder.path().join("data"));
    let told = |kind: &str| {
        let sql = format!("SELECT%20details%20FROM%20_events%20WHERE%20kind='{kind}'");
        let (_, answer) = gateway.get(&format!("/api/v1/sql?format=jsonl&sql={sql}"));
        let row: Value = serde_json::from_str(answer.lines().next()?).ok()?;
        serde_json::from_str::<Value>(row["details"].as_str()?).ok()
    };
    let failed = wait_for("the failure is told", PATIENCE, || told("upload_failed"));
    assert!(failed["error"].as_str().unwrap().contains("check that it is mounted"), "{failed}");
    assert!(failed["waiting_files"].as_u64().unwrap() > 0, "{failed}");
    std::fs::create_dir(&place).unwrap();
    let resumed = wait_for("the return is told", PATIENCE, || told("upload_resumed"));
    assert!(resumed["failed_for_s"].as_u64().unwrap() >= 30, "{resumed}");
    gateway.stop();
}
