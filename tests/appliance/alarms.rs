//! Rules and alarms of a real gateway, from the sample to the operator and over a kill: the API with
//! tokens of every role, the rows that are left in the lake, and the same rules on the past.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::gateway::Gateway;
use crate::harness::{case, fieldgate, text, wait_for, wait_until};
use crate::reload::change;

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
    assert_eq!((code, &problem["code"]), (401, &json!("not_logged_in")), "{problem}");
    let (code, problem) = order(&gateway, "no_such_verb", None, &json!({ "wrong": 1 }));
    assert_eq!((code, &problem["code"]), (401, &json!("not_logged_in")), "{problem}");
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

#[test]
fn rules_change_while_the_truck_runs_and_what_has_not_changed_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path());
    let first = fs::read_to_string(&config).unwrap();
    let gateway = Gateway::of(&config, &folder.path().join("data"));
    let state = |name: &str| {
        let all = gateway.json("/api/v1/alarms");
        let found = all["alarms"].as_array().unwrap().iter().find(|one| one["alarm"] == name);
        found.map(|one| one["state"].as_str().unwrap().to_owned())
    };
    let until = |name: &str, wanted: Option<&str>| {
        wait_until(&format!("{name} is {wanted:?}"), PATIENCE, || state(name).as_deref() == wanted);
    };
    until("engine_turns", Some("unacknowledged"));
    let raised_us = alarm(&gateway)["raised_us"].clone();

    let more = "\n[[rule]]\nname = \"engine_idles\"\nsql = \"SELECT eec1.engine_speed AS speed \
                FROM 'yard/truck' WHERE eec1.engine_speed < 900\"\n[rule.alarm]\n";
    let event = change(&gateway, &config, &format!("{first}{more}"));
    let details = &event["details"];
    assert_eq!(event["kind"], "configuration_applied", "{event}");
    assert_eq!(details["rules"]["added"], json!(["engine_idles"]), "{event}");
    assert_eq!(
        (&details["changes"]["kept"], &details["waiting"]),
        (&json!(1), &json!([])),
        "{event}"
    );
    until("engine_idles", Some("unacknowledged"));
    let all = gateway.json("/api/v1/alarms");
    let turns = all["alarms"].as_array().unwrap().iter().find(|one| one["alarm"] == "engine_turns");
    assert_eq!(
        turns.unwrap()["raised_us"],
        raised_us,
        "the rule that is the same is not raised anew"
    );

    let mistake = more.replace("engine_speed <", "engine_sped <");
    let event = change(&gateway, &config, &format!("{first}{mistake}"));
    assert_eq!(event["kind"], "configuration_refused", "{event}");
    assert!(event["message"].as_str().unwrap().contains("engine_sped"), "{event}");
    assert_eq!(state("engine_idles").as_deref(), Some("unacknowledged"), "it goes on as it was");

    let event = change(&gateway, &config, &first.replace("> 100", "> 10000"));
    assert_eq!(event["details"]["rules"]["changed"], json!(["engine_turns"]), "{event}");
    assert_eq!(event["details"]["rules"]["removed"], json!(["engine_idles"]), "{event}");
    until("engine_idles", None);
    until("engine_turns", Some("returned"));
    gateway.stop();
}

/// Rules that start and end often while a truck idles, of every kind that needs no clock.
const OFTEN: &str = r#"
[[aggregate]]
window = "1 s"

[[rule]]
name = "above"
sql = "SELECT engine_speed AS speed FROM 'yard/truck/eec1' WHERE engine_speed > 650"

[[rule]]
name = "above_for_long"
sql = "SELECT engine_speed FROM 'yard/truck/eec1' WHERE engine_speed > 650"
clear = "engine_speed < 650"
for = "10 ms"
clear_for = "5 ms"

[[rule]]
name = "rises"
sql = "SELECT rate(engine_speed) AS slope FROM 'yard/truck/eec1' WHERE rate(engine_speed) > 20"
suppress = "engine_speed > 651"
[rule.alarm]

[[rule]]
name = "mean_above"
sql = "SELECT \"eec1/engine_speed@0\".mean AS mean FROM 'aggregates/1s/yard/truck' WHERE \"eec1/engine_speed@0\".mean > 650.05"
"#;

/// Kind, sample that decided, and values of what a rule has said live, in order.
fn said(data: &Path, rule: &str) -> Vec<(String, i64)> {
    let question = format!(
        "SELECT kind, details FROM _events WHERE source = '{rule}' \
         AND kind IN ('rule_met', 'rule_over', 'alarm_raised', 'alarm_returned') ORDER BY ts"
    );
    lines(&["query", &question, "--data", text(data), "--format", "json"])
        .map(|row| {
            let details: Value = serde_json::from_str(row["details"].as_str().unwrap()).unwrap();
            let kind = row["kind"].as_str().unwrap();
            let kind = if matches!(kind, "rule_met" | "alarm_raised") { "start" } else { "end" };
            (kind.to_owned(), details["at_us"].as_i64().unwrap())
        })
        .collect()
}

/// JSON lines of a command that succeeds.
fn lines(arguments: &[&str]) -> impl Iterator<Item = Value> {
    let told = fieldgate(arguments);
    assert!(told.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&told.stderr));
    let text = String::from_utf8(told.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.into_iter()
}

#[test]
fn on_the_past_rules_say_what_they_have_said_live() {
    let folder = tempfile::tempdir().unwrap();
    let (config, stored) = (write_config(folder.path()), folder.path().join("data"));
    let written = fs::read_to_string(&config).unwrap();
    let written =
        written.replace("loop = true", "speed = 5").split("[[rule]]").next().unwrap().to_owned();
    fs::write(&config, written + OFTEN).unwrap();
    let gateway = Gateway::of(&config, &stored);
    let mut before = 0;
    wait_until("the log has been played", PATIENCE * 4, || {
        let events = gateway
            .json("/api/v1/sql?format=jsonl&sql=SELECT%20count(*)%20AS%20n%20FROM%20_events");
        let now = events["n"].as_u64().unwrap();
        let is_over = now > 10 && now == before;
        before = now;
        std::thread::sleep(Duration::from_secs(2));
        is_over
    });
    gateway.stop();
    for rule in ["above", "above_for_long", "rises", "mean_above"] {
        let live = said(&stored, rule);
        assert!(live.len() > 2, "{rule} has said next to nothing: {live:?}");
        let arguments =
            ["rule", "test", rule, "--config", text(&config), "--data", text(&stored), "--json"];
        let mut past: Vec<(String, i64)> = Vec::new();
        for episode in lines(&arguments) {
            assert_eq!(episode["rule"], rule);
            past.push(("start".to_owned(), episode["at_us"].as_i64().unwrap()));
            past.extend(episode["ended_us"].as_i64().map(|at| ("end".to_owned(), at)));
        }
        assert_eq!(past, live, "{rule}");
        println!("{rule}: {} starts and ends", live.len());
    }
    let told =
        fieldgate(&["rule", "test", "nobody", "--config", text(&config), "--data", text(&stored)]);
    assert_eq!(told.status.code(), Some(64));
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(said.contains("no rule nobody; the configuration has above, above_for_long"), "{said}");
}
