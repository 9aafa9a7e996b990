//! Alarms of a real gateway, from the sample to the operator and over a kill: the API with tokens
//! of every role, and the rows that are left in the lake.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::gateway::Gateway;
use crate::harness::{case, fieldgate, text, wait_for, wait_until};

/// From a sample to what is made of it, on a machine that builds at the same time.
const PATIENCE: Duration = Duration::from_secs(30);

/// A truck whose engine always turns, and one rule about it.
fn write_config(folder: &Path) -> PathBuf {
    let config = format!(
        "[gateway]\nid = \"yard\"\nsite = \"yard\"\n\n[lake]\nroll_interval = \"1 s\"\n\n\
         [[can]]\nname = \"truck\"\nreplay = {:?}\ndbc = [{:?}]\nmatch = \"pgn\"\nloop = true\n\n\
         [[rule]]\nname = \"engine_turns\"\n\
         sql = \"SELECT eec1.engine_speed AS speed FROM 'yard/truck' \
         WHERE eec1.engine_speed > 100\"\n\
         [rule.alarm]\npriority = \"high\"\nmessage = \"The engine turns\"\n",
        text(&case("can/logs/truck-idle-j1939-gps.log.gz")),
        text(&case("can/dbc/j1939_common.dbc")),
    );
    let path = folder.join("gateway.toml");
    fs::write(&path, config).unwrap();
    path
}

/// A token as an administrator makes it.
fn token(role: &str, gateway: &Path) -> String {
    let made =
        fieldgate(&["token", "add", "--name", role, "--role", role, "--data", text(gateway)]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

fn alarm(gateway: &Gateway) -> Value {
    let all = gateway.json("/api/v1/alarms");
    assert_eq!(all["alarms"].as_array().map(Vec::len), Some(1), "{all}");
    all["alarms"][0].clone()
}

fn order(gateway: &Gateway, verb: &str, token: Option<&str>, wish: &Value) -> (u16, Value) {
    let path = format!("/api/v1/alarms/engine_turns/{verb}");
    let (code, body) = gateway.post(&path, token, &wish.to_string());
    (code, serde_json::from_str(&body).unwrap_or_else(|err| panic!("{code} {body}: {err}")))
}

#[test]
fn an_alarm_is_raised_seen_and_still_so_after_a_kill_and_stands_once_in_the_lake() {
    let folder = tempfile::tempdir().unwrap();
    let (config, stored) = (write_config(folder.path()), folder.path().join("data"));
    let gateway = Gateway::of(&config, &stored);
    let raised = wait_for("the alarm is raised", PATIENCE, || {
        Some(alarm(&gateway)).filter(|alarm| alarm["state"] == "unacknowledged")
    });
    let words = raised["text"].as_str().unwrap();
    assert!(words.starts_with("The engine turns (speed "), "{words}");
    assert!(raised["values"]["speed"].as_f64().unwrap() > 100.0, "{raised}");
    assert_eq!(raised["is_told"], true);
    let counts = gateway.json("/api/v1/alarms");
    assert_eq!((&counts["told"], &counts["unacknowledged"]), (&json!(1), &json!(1)));

    // Nobody without a token, and nobody with one that is not good enough.
    let seen = json!({ "comment": "on my way" });
    let (code, problem) = order(&gateway, "acknowledge", None, &seen);
    assert_eq!((code, &problem["code"]), (401, &json!("no_valid_token")), "{problem}");
    let [viewer, operator] = ["viewer", "operator"].map(|role| token(role, &stored));
    let (code, problem) = order(&gateway, "acknowledge", Some(&viewer), &seen);
    assert_eq!(code, 403, "{problem}");
    let away = json!({ "comment": "sensor is out" });
    let (code, problem) = order(&gateway, "out_of_service", Some(&operator), &away);
    assert_eq!(code, 403, "an operator does not take alarms out of service: {problem}");
    let (code, problem) = order(&gateway, "shelve", Some(&operator), &json!({ "minutes": 5 }));
    assert_eq!(code, 400, "silence wants a reason: {problem}");
    assert_eq!(alarm(&gateway)["state"], "unacknowledged", "what is refused changes nothing");

    let (code, acknowledged) = order(&gateway, "acknowledge", Some(&operator), &seen);
    assert_eq!(code, 200, "{acknowledged}");
    assert_eq!(acknowledged["state"], "acknowledged");
    let (code, problem) = order(&gateway, "acknowledge", Some(&operator), &seen);
    assert_eq!((code, &problem["code"]), (422, &json!("senseless")), "{problem}");

    let before = alarm(&gateway);
    // Between two checkpoints or behind one: what is kept is the same.
    gateway.kill();
    let gateway = Gateway::of(&config, &stored);
    let after = wait_for("the alarm is as it was", PATIENCE, || {
        Some(alarm(&gateway)).filter(|alarm| alarm["state"] == "acknowledged")
    });
    for kept in ["text", "values", "raised_us", "by", "comment", "is_told"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    assert_eq!((&after["by"], &after["comment"]), (&json!("operator"), &json!("on my way")));

    // What is raised once stands once in the lake, with who saw it.
    let question = "SELECT kind, count(*) AS n FROM _events WHERE source = 'engine_turns' \
                    GROUP BY kind ORDER BY kind";
    let path =
        format!("/api/v1/sql?format=csv&sql={}", question.replace(' ', "%20").replace('\'', "%27"));
    let mut rows = String::new();
    wait_until("both events stand in the table", PATIENCE, || {
        rows = gateway.get(&path).1;
        rows.lines().count() == 3
    });
    assert_eq!(
        rows.lines().collect::<Vec<_>>(),
        ["kind,n", "alarm_acknowledged,1", "alarm_raised,1"]
    );
    gateway.stop();
}
