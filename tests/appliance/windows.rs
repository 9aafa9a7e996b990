//! Windows in the lake of a real gateway, every function of every kind, against `DuckDB` over the
//! raw rows beside them: a recorded truck, and a plant's day with gaps, a restart and late rows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::gateway::Gateway;
use crate::harness::programs::{answer, python};
use crate::harness::{Dice, root, text, wait_until};

/// From the start of a gateway until a log has been played and all its windows are told.
const PATIENCE: Duration = Duration::from_mins(3);
/// Nothing may come for so long before all is told: commits are a second apart.
const STILL: Duration = Duration::from_secs(3);
/// Windows of all kinds, with their step and lateness; each with everything that can be told.
type Windows = [(&'static str, &'static str, &'static str)];
const WINDOWS: &Windows = &[
    ("1 s", "", ""),
    ("10 s", "", ""),
    ("1 min", "10 s", ""),
    ("15 min", "3 min", "5 min"),
    ("1 h", "", "10 min"),
];

/// `[[aggregate]]` for all of them.
fn aggregates(windows: &Windows) -> String {
    let mut written = String::new();
    for (window, every, lateness) in windows {
        let mut put = |key: &str, value: &str| {
            if !value.is_empty() {
                writeln!(written, "{key} = \"{value}\"").unwrap();
            }
        };
        put("\n[[aggregate]]\nwindow", window);
        put("every", every);
        put("lateness", lateness);
        written.push_str(
            "functions = [\"count\", \"good\", \"min\", \"max\", \"mean\", \"twa\", \"first\", \
             \"last\", \"stddev\", \"p1\", \"p50\", \"p95\", \"p99.9\"]\n",
        );
    }
    written
}

/// A bus that plays a log with the times of its recording, as quickly as it can.
struct Bus<'a> {
    name: &'a str,
    log: PathBuf,
    channel: &'a str,
    dbc: PathBuf,
    matching: &'a str,
}

impl Bus<'_> {
    fn config(&self) -> String {
        format!(
            "\n[[can]]\nname = \"{}\"\nreplay = {:?}\nchannel = \"{}\"\ndbc = [{:?}]\n\
             match = \"{}\"\nspeed = 10000\ntime = \"original\"\n",
            self.name,
            text(&self.log),
            self.channel,
            text(&self.dbc),
            self.matching
        )
    }
}

fn write_config(folder: &Path, buses: &[Bus<'_>], windows: &Windows) -> PathBuf {
    let buses: String = buses.iter().map(Bus::config).collect();
    let head = "[gateway]\nid = \"yard\"\nsite = \"yard\"\n\n[lake]\nroll_interval = \"1 s\"\n";
    let path = folder.join("gateway.toml");
    fs::write(&path, format!("{head}{buses}{}", aggregates(windows))).unwrap();
    path
}

/// The value of a figure without labels.
fn figure(metrics: &str, name: &str) -> Option<u64> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// Late rows by table and windows.
fn late_rows(metrics: &str) -> BTreeMap<String, u64> {
    let named = metrics.lines().filter_map(|line| {
        let labels = line.strip_prefix("fieldgate_aggregate_late_rows_total{table=\"")?;
        let (table, rest) = labels.split_once("\",window=\"")?;
        let (window, rows) = rest.split_once("\"} ")?;
        Some((format!("{table} {window}"), rows.parse().ok()?))
    });
    named.collect()
}

/// Runs a gateway until its logs have been played and all that follows is done; late rows.
fn play(config: &Path, data: &Path) -> BTreeMap<String, u64> {
    let gateway = Gateway::of(config, data);
    let metrics = || gateway.get("/metrics").1;
    wait_until("the logs have been played", PATIENCE, || {
        let status = gateway.status();
        let devices = status["devices"].as_array().unwrap();
        let is_played = |device: &Value| {
            device["detail"].as_str().is_some_and(|detail| detail.contains("has been played"))
        };
        !devices.is_empty() && devices.iter().all(is_played)
    });
    // What is told of the last records is a record itself: nothing is behind and nothing comes.
    let mut last = (None, Instant::now());
    wait_until("all windows are told", PATIENCE, || {
        let text = metrics();
        let behind = figure(&text, "fieldgate_aggregate_behind_records");
        let offset = figure(&text, "fieldgate_journal_offset");
        if behind != Some(0) || last.0 != offset {
            last = (offset, Instant::now());
        }
        last.1.elapsed() >= STILL
    });
    let late = late_rows(&metrics());
    gateway.stop();
    late
}

/// `DuckDB` over the lake: everything equal. Gives the report.
fn check(lake: &Path, arrival: &str) -> Value {
    let begun = Instant::now();
    let mut command = python("windows_check.py");
    command.args([text(lake), "--arrival", arrival]);
    for (window, every, lateness) in WINDOWS.iter().filter(|(.., lateness)| !lateness.is_empty()) {
        let label = |span: &str| span.replace(' ', "").replace("min", "m");
        let every =
            if every.is_empty() { String::new() } else { format!("_every_{}", label(every)) };
        let minutes: u64 = lateness.trim_end_matches(" min").parse().unwrap();
        command.args(["--lateness", &format!("{}{every}={}", label(window), minutes * 60)]);
    }
    let report = answer(&mut command);
    println!("{report}\nchecked in {:?}", begun.elapsed());
    assert_eq!(report["wrong_count"], 0, "{:#}", report["wrong"]);
    for function in ["count", "good", "min", "max", "mean", "twa", "first", "last", "stddev"] {
        let worst = report["worst"][function].as_f64().unwrap_or(0.0);
        assert!(worst <= 1e-9, "{function}: {worst}");
        assert!(report["compared"][function].as_u64() > Some(5_000), "{function}: {report}");
    }
    for quantile in ["p1", "p50", "p95", "p99_9"] {
        assert!(report["compared"][quantile].as_u64() > Some(5_000), "{quantile}: {report}");
    }
    report
}

#[test]
fn every_function_of_every_window_over_a_recorded_truck_is_what_duckdb_computes() {
    let folder = tempfile::tempdir().unwrap();
    let demo = root().join("config/demo/can");
    let log = demo.join("truck-idle-j1939-gps.log.gz");
    let buses = [
        ("truck", "can0", "j1939_common.dbc", "pgn"),
        ("gps", "can1", "css-canmod-gps.dbc", "exact"),
    ]
    .map(|(name, channel, dbc, matching)| Bus {
        name,
        log: log.clone(),
        channel,
        dbc: demo.join(dbc),
        matching,
    });
    let data = folder.path().join("data");
    let late = play(&write_config(folder.path(), &buses, &[WINDOWS[0], WINDOWS[2]]), &data);
    assert!(late.is_empty(), "a recording is in order: {late:?}");
    let report = check(&data.join("lake"), "");
    assert!(report["windows"]["1s"].as_u64() > Some(3_000), "{}", report["windows"]);
    assert!(report["windows"]["1m_every_10s"].as_u64() > Some(300), "{}", report["windows"]);
    assert!(report["tables"].as_array().unwrap().len() >= 12, "{}", report["tables"]);
}

/// Signals of a plant on a bus. `lap` numbers the runs of the gateway: the order rows came in.
const PLANT: &str = "VERSION \"\"\n\nNS_ :\n\nBS_:\n\nBU_: PLC\n
BO_ 256 Pump: 8 PLC
 SG_ lap : 0|8@1+ (1,0) [0|0] \"\" Vector__XXX
 SG_ running : 8|1@1+ (1,0) [0|0] \"\" Vector__XXX
 SG_ pressure : 16|16@1- (0.001,0) [0|0] \"bar\" Vector__XXX
 SG_ energy : 32|32@1+ (1,0) [0|0] \"Wh\" Vector__XXX

BO_ 257 Boiler: 6 PLC
 SG_ lap : 0|8@1+ (1,0) [0|0] \"\" Vector__XXX
 SG_ temperature : 8|16@1- (0.01,-40) [0|0] \"degC\" Vector__XXX
 SG_ drift : 24|16@1- (0.000001,1000000) [0|0] \"Pa\" Vector__XXX

BO_ 258 Status: 4 PLC
 SG_ lap : 0|8@1+ (1,0) [0|0] \"\" Vector__XXX
 SG_ page M : 8|8@1+ (1,0) [0|0] \"\" Vector__XXX
 SG_ level m0 : 16|16@1+ (0.1,0) [0|0] \"%\" Vector__XXX
 SG_ load m1 : 16|16@1- (0.01,0) [0|0] \"%\" Vector__XXX
";
/// 2026-03-01T00:00:00Z.
const MIDNIGHT: i64 = 1_772_323_200;

/// What the plant sends at a second of its day, so many milliseconds after it.
fn second(log: &mut String, dice: &mut Dice, (lap, second, millis): (u8, i64, u32)) {
    let mut noise = |span: i64| {
        let drawn = dice.between(Duration::ZERO, Duration::from_secs(1)).as_micros();
        i64::try_from(drawn).unwrap() * 2 * span / 1_000_000 - span
    };
    let mut put = |id: &str, bytes: &[u8], cut: usize| {
        let at = MIDNIGHT + second;
        write!(log, "({at}.{millis:03}000) can0 {id}#").unwrap();
        for byte in bytes.iter().take(cut) {
            write!(log, "{byte:02X}").unwrap();
        }
        log.push('\n');
    };
    let word = |number: i64| i16::try_from(number).unwrap().to_le_bytes();
    let is_running = second / 1_200 % 3 != 1;
    let pressure =
        if is_running { word(6_000 + second % 900 + noise(400)) } else { word(noise(3)) };
    let energy = u32::try_from(4_000_000_000 + second * 2).unwrap().to_le_bytes();
    let pump = [&[lap, u8::from(is_running)][..], &pressure, &energy].concat();
    // Now and then a frame is cut short: pressure, or energy alone, has no value then.
    let cut = [8, 3, 6][usize::from(second % 977 < 3) + usize::from(second % 977 == 0)];
    put("100", &pump, cut);
    if second % 5 == 0 {
        let (temperature, drift) = (word(12_000 + second / 20 + noise(50)), word(noise(9_000)));
        put("101", &[&[lap][..], &temperature, &drift].concat(), 6);
    }
    if second % 10 < 2 {
        let page = u8::try_from(second % 10).unwrap();
        put("102", &[&[lap, page][..], &word(500 + noise(500))].concat(), 4);
    }
}

/// Seconds in which nothing was sent.
const GAPS: [std::ops::Range<i64>; 3] = [7_200..7_630, 36_000..36_045, 70_000..74_000];

/// The plant's day in three runs: until noon; from half past until midnight; and rows between
/// those of the last half hour, which come when midnight is over.
fn plant_logs(folder: &Path, hours: i64) -> [PathBuf; 3] {
    let mut dice = Dice(11);
    let day = hours * 3_600;
    let runs = [(1, 0..day / 2, 0), (2, day / 2 + 1_800..day, 0), (3, day - 1_800..day - 2, 500)];
    runs.map(|(lap, seconds, millis)| {
        let mut log = String::new();
        for at in seconds.filter(|at| !GAPS.iter().any(|gap| gap.contains(at))) {
            second(&mut log, &mut dice, (lap, at, millis));
        }
        let path = folder.join(format!("plant-{lap}.log"));
        fs::write(&path, log).unwrap();
        path
    })
}

/// Hours of the plant: `FIELDGATE_PLANT_HOURS`, else a day.
fn hours() -> i64 {
    let given = std::env::var("FIELDGATE_PLANT_HOURS").ok().and_then(|text| text.parse().ok());
    given.unwrap_or(24)
}

#[test]
fn every_function_of_every_window_over_a_day_with_gaps_a_restart_and_late_rows_is_what_duckdb_computes()
 {
    let folder = tempfile::tempdir().unwrap();
    let dbc = folder.path().join("plant.dbc");
    fs::write(&dbc, PLANT).unwrap();
    let data = folder.path().join("data");
    let logs = plant_logs(folder.path(), hours());
    let begun = Instant::now();
    let late = logs.map(|log| {
        let (name, channel, matching) = ("plant", "can0", "exact");
        let bus = Bus { name, log, channel, dbc: dbc.clone(), matching };
        let late = play(&write_config(folder.path(), &[bus], &WINDOWS[1..]), &data);
        println!("played after {:?}", begun.elapsed());
        late
    });
    let report = check(&data.join("lake"), "lap");
    assert!(late[0].is_empty() && late[1].is_empty(), "{late:?}");
    let wanted: BTreeMap<String, u64> = report["late"]
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(of, rows)| Some((of.clone(), rows.as_u64().filter(|rows| *rows > 0)?)))
        .collect();
    assert_eq!(late[2], wanted, "late rows as counted");
    assert!(wanted["plant_pump 10s"] > 1_700, "{wanted:?}");
    assert!(wanted.get("plant_pump 1h").is_none_or(|late| *late < 1_800), "{wanted:?}");
}
