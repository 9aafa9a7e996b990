//! A database that changes under a running gateway: no frame is lost or decoded twice, and page,
//! files and records follow.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::gateway::Gateway;
use crate::harness::programs::duckdb;
use crate::harness::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);
/// Frames of a pass of the log, numbered.
const FRAMES: u32 = 200;
const BEFORE: &str = "BO_ 256 Motion: 8 A\n SG_ Speed : 0|8@1+ (1,0) [0|0] \"km/h\" X\n \
                      SG_ Number : 8|8@1+ (1,0) [0|0] \"\" X\n";
const AFTER: &str = "BO_ 256 Motion: 8 A\n SG_ Gear : 16|8@1+ (1,0) [0|0] \"\" X\n \
                     SG_ Speed : 0|8@1+ (0.5,0) [0|0] \"mph\" X\n \
                     SG_ Number : 8|8@1+ (1,0) [0|0] \"\" X\n";

/// A log that is played for ever, 200 frames a second.
fn config(folder: &Path) -> PathBuf {
    let mut log = String::new();
    for number in 0..FRAMES {
        writeln!(log, "(1.{:06}) can0 100#{number:02X}{number:02X}07", number * 5_000).unwrap();
    }
    fs::write(folder.join("a.log"), log).unwrap();
    fs::write(folder.join("a.dbc"), BEFORE).unwrap();
    let path = folder.join("gateway.toml");
    let written = "[gateway]\nid = \"yard\"\nsite = \"yard\"\n\n[[can]]\nname = \"bench\"\n\
                   replay = \"a.log\"\ndbc = [\"a.dbc\"]\nloop = true\n\n\
                   [lake]\nroll_interval = \"1 s\"\n";
    fs::write(&path, written).unwrap();
    path
}

/// The signal whose path ends with a name.
fn signal(gateway: &Gateway, name: &str) -> Value {
    let listed = gateway.json("/api/v1/signals");
    let is_it = |signal: &&Value| signal["path"].as_str().unwrap().ends_with(&format!("/{name}"));
    let found = listed["signals"].as_array().unwrap().iter().find(is_it);
    found.cloned().unwrap_or_default()
}

#[test]
fn a_database_that_changes_is_followed_by_page_files_and_records_without_a_frame_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (data, dbc) = (folder.path().join("data"), folder.path().join("a.dbc"));
    let gateway = Gateway::of(&config(folder.path()), &data);
    let device = |what: &str| gateway.status()["devices"][0][what].clone();
    wait_until("the log is played", PATIENCE, || device("answers").as_u64() > Some(100));
    let before = signal(&gateway, "speed");
    assert_eq!(before["unit"], "km/h");
    fs::write(&dbc, AFTER).unwrap();
    wait_until("the change", PATIENCE, || signal(&gateway, "gear")["id"].is_number());
    let after = signal(&gateway, "speed");
    assert_eq!((&after["unit"], &after["id"]), (&json!("mph"), &before["id"]));
    // Whole numbers before, halves now: columns never change their type.
    assert_eq!((&before["column"], &after["column"]), (&json!("speed"), &json!("speed__2")));
    fs::write(&dbc, "nonsense").unwrap();
    wait_until("the refusal", PATIENCE, || device("status") == "maintenance");
    assert!(device("last_error").as_str().unwrap().contains("a.dbc"), "{}", device("last_error"));
    // Figures are renewed once a second, the status more often.
    let is_refused = |refused: bool| device("bus")["databases_refused"] == refused;
    wait_until("the figure of the refusal", PATIENCE, || is_refused(true));
    fs::write(&dbc, AFTER).unwrap();
    wait_until("the mending", PATIENCE, || device("status") == "normal");
    wait_until("the figure of the mending", PATIENCE, || is_refused(false));
    gateway.stop();
    let lake = data.join("lake");
    let one = |sql: &str| duckdb(&lake, sql)[0].clone();
    let rows = one("SELECT count(*) FILTER (WHERE gear IS NULL), count(gear) FROM bench_motion");
    assert!(rows.iter().all(|count| count.as_u64() > Some(100)), "{rows:?}");
    let wrong = "SELECT count(*) FROM bench_motion WHERE \
                 (gear IS NULL AND speed IS DISTINCT FROM number) OR \
                 (gear IS NOT NULL AND speed__2 IS DISTINCT FROM number * 0.5)";
    assert_eq!(one(wrong), [0]);
    let missing = format!(
        "SELECT count(*) FROM (SELECT CAST(number AS INTEGER) - \
         CAST(lag(number) OVER (ORDER BY ts) AS INTEGER) AS step FROM bench_motion) \
         WHERE step NOT IN (1, {})",
        1 - i64::from(FRAMES)
    );
    assert_eq!(one(&missing), [0], "each frame once");
    let kinds = "SELECT kind FROM _events WHERE kind LIKE 'can_databases%' ORDER BY ts";
    let kinds: Vec<Value> = duckdb(&lake, kinds).into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(kinds, ["can_databases_changed", "can_databases_refused"]);
    let speed =
        "SELECT unit FROM _signals WHERE path LIKE '%/speed' AND unit IS NOT NULL ORDER BY ts";
    let units: Vec<Value> = duckdb(&lake, speed).into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(units, ["km/h", "mph"]);
}
