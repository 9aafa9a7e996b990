//! Samples of a recorded truck, reduced and sent to a real broker by a gateway that is killed on
//! the way: what came says of every raw sample in the lake what it was, within the error.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::harness::broker::{Mosquitto, Subscriber, delivery};
use crate::harness::gateway::Gateway;
use crate::harness::programs::{answer, python};
use crate::harness::{let_pass, root, text, wait_until};

/// Signals of the truck: message, signal, method, error.
const RULES: [(&str, &str, &str, f64); 5] = [
    ("eec1", "engine_speed", "swinging_door", 4.0),
    ("eec1", "actual_percent_torque", "deadband", 1.0),
    ("eec1", "demand_percent_torque", "deadband", 0.0),
    ("eec2", "percent_load_at_current_speed", "swinging_door", 1.5),
    ("ccvs1", "wheel_based_vehicle_speed", "deadband", 0.1),
];
const HEARTBEAT: &str = "2 s";
/// From the start until all is sent.
const PATIENCE: Duration = Duration::from_mins(1);

fn write_config(folder: &Path, port: u16) -> PathBuf {
    let demo = root().join("config/demo/can");
    let [log, dbc] =
        ["truck-idle-j1939-gps.log.gz", "j1939_common.dbc"].map(|name| demo.join(name));
    let mut written = format!(
        "[gateway]\nid = \"yard\"\nsite = \"yard\"\n\n[[can]]\nname = \"truck\"\nreplay = {:?}\n\
         channel = \"can0\"\ndbc = [{:?}]\nmatch = \"pgn\"\nspeed = 10\n\n[lake]\n\
         roll_interval = \"1 s\"\n\n[[uplink]]\nname = \"broker\"\nkind = \"mqtt\"\n\
         address = \"127.0.0.1:{port}\"\n",
        text(&log),
        text(&dbc)
    );
    for (message, signal, method, error) in RULES {
        write!(
            written,
            "\n[[reduction]]\nsignals = [\"yard/truck/{message}/{signal}\"]\n\
             method = \"{method}\"\nerror = {error:?}\nheartbeat = \"{HEARTBEAT}\"\n"
        )
        .unwrap();
    }
    let path = folder.join("gateway.toml");
    fs::write(&path, written).unwrap();
    path
}

#[test]
fn reduced_samples_say_of_every_sample_what_it_was_within_the_error_also_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let broker_folder = folder.path().join("broker");
    fs::create_dir(&broker_folder).unwrap();
    let broker = Mosquitto::start(&broker_folder);
    let subscriber = Subscriber::start(broker.port);
    let config = write_config(folder.path(), broker.port);
    let data = folder.path().join("data");
    let killed = Gateway::of(&config, &data);
    wait_until("samples arrive", PATIENCE, || subscriber.stream("samples").len() >= 20);
    let_pass(Duration::from_secs(7));
    killed.kill();
    let gateway = Gateway::of(&config, &data);
    wait_until("the log has been played", PATIENCE, || {
        let status = gateway.status();
        status["devices"][0]["detail"].as_str().is_some_and(|d| d.contains("has been played"))
    });
    let_pass(Duration::from_secs(2));
    wait_until("all is sent", PATIENCE, || gateway.backlog() == 0);
    gateway.stop();
    let messages = subscriber.end("samples");
    let told = delivery(&messages);
    println!("samples: {told}");
    assert!(told.wrong.is_empty(), "{:#?}", told.wrong);
    let lines: Vec<&str> =
        messages.iter().map(|m| std::str::from_utf8(&m.payload).unwrap()).collect();
    let path = folder.path().join("samples.jsonl");
    fs::write(&path, lines.join("\n")).unwrap();
    let rules: serde_json::Map<String, serde_json::Value> = RULES
        .iter()
        .map(|(message, signal, method, error)| {
            let rule = json!({ "method": method, "error": error, "heartbeat_s": 2 });
            (format!("truck_{message}.{signal}"), rule)
        })
        .collect();
    let rules = serde_json::Value::from(rules).to_string();
    let lake = data.join("lake");
    let report = answer(python("samples_check.py").args([text(&lake), text(&path), &rules]));
    println!("{report}");
    assert_eq!(report["wrong_count"], 0, "{:#}", report["wrong"]);
    let (seen, sent) = (report["seen"].as_u64().unwrap(), report["sent"].as_u64().unwrap());
    assert!(seen > 10_000, "only {seen} samples: the test shows nothing");
    assert!(sent * 2 < seen, "{sent} of {seen} samples were sent");
}
