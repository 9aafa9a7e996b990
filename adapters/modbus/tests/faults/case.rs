//! Scenarios as the case files have them. A key that is not known here ends the run.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value as Json};

/// How long a scenario runs where neither it nor its file says.
const RUN_DEFAULT_S: f64 = 30.0;
/// What a unit that returns is given to be good again, and a little more.
const RETURN_S: f64 = 38.0;
/// How long an additional run over another carrier lasts, where no script or rule needs longer.
const OTHER_CARRIER_S: f64 = 15.0;
/// What takes longer runs over its own carrier alone.
const OTHER_CARRIER_RUN_MAX: Duration = Duration::from_secs(45);
/// What follows the last step of a script at least.
const AFTERMATH_S: f64 = 10.0;

/// What carries the frames.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Carrier {
    Tcp,
    RtuOverTcp,
    Pty,
}

/// One scenario over one carrier.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) carrier: Carrier,
    /// Whether the case file asks for this carrier; else it is run over it in addition.
    pub(crate) is_own_carrier: bool,
    pub(crate) server: Json,
    pub(crate) rules: Vec<Json>,
    pub(crate) polls: Vec<Poll>,
    pub(crate) script: Vec<Step>,
    pub(crate) expect: Map<String, Json>,
    pub(crate) run: Duration,
}

/// Registers of one unit that are read together.
#[derive(Clone, Debug)]
pub(crate) struct Poll {
    pub(crate) unit: u8,
    pub(crate) tags: Vec<Polled>,
    pub(crate) period: Duration,
    pub(crate) timeout: Duration,
    pub(crate) pipeline: u8,
    /// Whether the case names registers, not tags.
    pub(crate) is_span: bool,
}

/// One value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Polled {
    pub(crate) table: String,
    /// Order of bytes over several registers: `ABCD`.
    pub(crate) order: String,
    pub(crate) address: u16,
    pub(crate) words: u16,
    /// As the configuration writes it: `u16`, `f32`, `bool`.
    pub(crate) kind: String,
}

/// One step of a script.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) at: Duration,
    pub(crate) act: Act,
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Method, path and body for the server's control port.
    Http(String, String, Json),
    /// A write through the adapter.
    Write(Json),
}

impl Carrier {
    fn named(name: &str) -> Self {
        match name {
            "tcp" => Self::Tcp,
            "rtu-tcp" | "rtu-over-tcp" | "rtu_over_tcp" => Self::RtuOverTcp,
            "rtu-pty" | "rtu" => Self::Pty,
            other => panic!("there is no transport {other}"),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::RtuOverTcp => "rtu-tcp",
            Self::Pty => "rtu-pty",
        }
    }
}

/// Every scenario over its own carrier, then those that make sense over others.
///
/// Cases of the repository, and of the folders in `FIELDGATE_MODBUS_CASES`.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/modbus");
    let others = std::env::var("FIELDGATE_MODBUS_CASES").unwrap_or_default();
    let others = others.split(':').filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let mut scenarios = Vec::new();
    for folder in std::iter::once(PathBuf::from(ours)).chain(others) {
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|err| panic!("{}: {err}", folder.display()));
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
        files.sort();
        for file in files {
            let document: Json =
                serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            if document["format"] == "modbus-fault-scenarios/1" {
                let default_s = document["default_run_s"].as_f64().unwrap_or(RUN_DEFAULT_S);
                let listed = document["scenarios"].as_array().expect("a list of scenarios");
                scenarios.extend(listed.iter().map(|one| Scenario::read(one, default_s)));
            }
        }
    }
    assert!(!scenarios.is_empty(), "there are fault scenarios");
    let more: Vec<Scenario> = scenarios.iter().flat_map(Scenario::over_others).collect();
    scenarios.extend(more);
    scenarios
}

impl Scenario {
    /// A scenario as a case file has it.
    pub(crate) fn read(raw: &Json, default_s: f64) -> Self {
        let name = raw["name"].as_str().expect("a scenario has a name").to_owned();
        let known =
            ["name", "why", "transport", "server", "poll", "rules", "script", "expect", "run_s"];
        known_keys(&name, raw, &known);
        let list = |key: &str| raw[key].as_array().cloned().unwrap_or_default();
        let mut script: Vec<Step> =
            list("script").iter().map(|step| Step::read(&name, step)).collect();
        script.sort_by_key(|step| step.at);
        let mut case = Self {
            carrier: Carrier::named(raw["transport"].as_str().unwrap_or("tcp")),
            is_own_carrier: true,
            server: raw["server"].clone(),
            rules: list("rules"),
            polls: list("poll").iter().map(|poll| Poll::read(&name, poll)).collect(),
            script,
            expect: raw["expect"].as_object().cloned().unwrap_or_default(),
            run: Duration::ZERO,
            name,
        };
        let scripted = case.script.last().map_or(0.0, |step| step.at.as_secs_f64() + AFTERMATH_S);
        let deaths = case.deaths();
        let returned = deaths.iter().map(|death| death.returns_s + RETURN_S);
        let returned = returned.filter(|at| at.is_finite()).fold(0.0, f64::max);
        let run_s = raw["run_s"].as_f64().unwrap_or(default_s).max(scripted).max(returned);
        case.run = Duration::from_secs_f64(run_s);
        case
    }

    /// The same over the carriers it was not written for, where it says something there.
    fn over_others(&self) -> Vec<Self> {
        let fitting: &[Carrier] = match self.carrier {
            _ if self.run > OTHER_CARRIER_RUN_MAX => &[],
            Carrier::Tcp if self.is_about_tcp() => &[],
            Carrier::Tcp => &[Carrier::RtuOverTcp, Carrier::Pty],
            Carrier::RtuOverTcp => &[Carrier::Pty],
            Carrier::Pty => &[Carrier::RtuOverTcp],
        };
        let ends = self.rules.iter().filter_map(|rule| rule["when"]["to_s"].as_f64());
        let needed = ends.map(|end_s| end_s + 3.0).fold(OTHER_CARRIER_S, f64::max);
        let has_drift = self.expect.contains_key("mean_interval_error_max");
        let is_short = self.script.is_empty() && !has_drift;
        let longest = if is_short { Duration::from_secs_f64(needed) } else { Duration::MAX };
        let over = |carrier: &Carrier| Self {
            carrier: *carrier,
            is_own_carrier: false,
            run: self.run.min(longest),
            ..self.clone()
        };
        fitting.iter().map(over).collect()
    }

    /// Whether it is about what only Modbus TCP has: ids, its header, connections, pipelining.
    fn is_about_tcp(&self) -> bool {
        let only = [
            "wrong_tid",
            "wrong_pid",
            "mbap_len",
            "replay_prev",
            "hold_until_next",
            "close",
            "reset",
            "close_after",
            "reset_after",
        ];
        let is_only = |act: &Json| {
            only.contains(&act["action"].as_str().unwrap_or_default())
                || act["detach"] == true
                || matches!(act["then"].as_str(), Some("close" | "reset"))
        };
        let of_connections = |step: &Step| match &step.act {
            Act::Http(_, path, _) => path == "/conn",
            Act::Write(_) => false,
        };
        self.actions().any(is_only)
            || self.script.iter().any(of_connections)
            || self.polls.iter().any(|poll| poll.pipeline > 1)
            || ["max_connections", "idle_close_s", "ordered"]
                .iter()
                .any(|key| !self.server[*key].is_null())
    }

    fn actions(&self) -> impl Iterator<Item = &Json> {
        self.rules.iter().flat_map(|rule| rule["do"].as_array().into_iter().flatten())
    }

    /// Whether every answer comes after an echo of its request: an adapter that returns our bytes.
    pub(crate) fn has_local_echo(&self) -> bool {
        self.rules.iter().any(|rule| {
            rule["when"].is_null()
                && rule["do"]
                    .as_array()
                    .is_some_and(|acts| acts.iter().any(|act| act["action"] == "echo_request"))
        })
    }

    /// When which unit of the line model was dead.
    pub(crate) fn deaths(&self) -> Vec<Death> {
        let units = |list: &Json| -> Vec<u8> {
            let numbers = list.as_array().into_iter().flatten().filter_map(Json::as_u64);
            numbers.map(|unit| u8::try_from(unit).unwrap()).collect()
        };
        let mut changes = vec![(0.0, units(&self.server["line"]["dead_units"]))];
        for step in &self.script {
            if let Act::Http(_, path, body) = &step.act
                && path == "/line"
            {
                changes.push((step.at.as_secs_f64(), units(&body["dead_units"])));
            }
        }
        let mut deaths: Vec<Death> = Vec::new();
        for (at_s, dead) in changes {
            for open in deaths.iter_mut().filter(|death| death.returns_s.is_infinite()) {
                if !dead.contains(&open.unit) {
                    open.returns_s = at_s;
                }
            }
            for unit in dead {
                let is_open = |death: &Death| death.unit == unit && death.returns_s.is_infinite();
                if !deaths.iter().any(is_open) {
                    deaths.push(Death { unit, at_s, returns_s: f64::INFINITY });
                }
            }
        }
        deaths
    }
}

/// A unit was dead from here to there, in seconds of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death {
    pub(crate) unit: u8,
    pub(crate) at_s: f64,
    pub(crate) returns_s: f64,
}

impl Poll {
    fn read(scenario: &str, raw: &Json) -> Self {
        let known = [
            "unit",
            "table",
            "start",
            "count",
            "tags",
            "type",
            "order",
            "period_ms",
            "timeout_ms",
            "pipeline",
        ];
        known_keys(scenario, raw, &known);
        let table = raw["table"].as_str().unwrap_or("holding").to_owned();
        let is_bit = table == "coil" || table == "discrete";
        let kind = raw["type"].as_str().unwrap_or(if is_bit { "bool" } else { "u16" });
        let order = raw["order"].as_str().unwrap_or("ABCD");
        let tag = |address, words, kind: &str| Polled {
            table: table.clone(),
            order: order.to_owned(),
            address,
            words,
            kind: kind.to_owned(),
        };
        let mut tags = Vec::new();
        let is_span = raw["tags"].is_null();
        if is_span {
            let (start, count) = (whole(&raw["start"]), whole(&raw["count"]));
            let words = width(kind);
            let addresses = (0..count / words).map(|place| start + place * words);
            tags.extend(addresses.map(|address| tag(address, words, kind)));
        }
        for pair in raw["tags"].as_array().into_iter().flatten() {
            let (address, words) = (whole(&pair[0]), whole(&pair[1]));
            let kind = match words {
                _ if width(kind) == words => kind,
                1 => "u16",
                2 => "u32",
                4 => "u64",
                other => panic!("{scenario}: no number has {other} registers"),
            };
            tags.push(tag(address, words, kind));
        }
        let millis =
            |key: &str, default: u64| Duration::from_millis(raw[key].as_u64().unwrap_or(default));
        Self {
            unit: u8::try_from(raw["unit"].as_u64().unwrap_or(1)).unwrap(),
            tags,
            period: millis("period_ms", 1000),
            timeout: millis("timeout_ms", 500),
            pipeline: raw["pipeline"].as_u64().map_or(1, |depth| u8::try_from(depth).unwrap()),
            is_span,
        }
    }
}

impl Step {
    fn read(scenario: &str, raw: &Json) -> Self {
        known_keys(scenario, raw, &["at_s", "http", "write"]);
        let at = Duration::from_secs_f64(raw["at_s"].as_f64().expect("a step has its second"));
        let text = |place: usize| raw["http"][place].as_str().unwrap_or_default().to_owned();
        let act = if raw["write"].is_null() {
            assert!(raw["http"].is_array(), "{scenario}: a step is `http` or `write`");
            Act::Http(text(0), text(1), raw["http"][2].clone())
        } else {
            Act::Write(raw["write"].clone())
        };
        Self { at, act }
    }
}

fn known_keys(scenario: &str, raw: &Json, known: &[&str]) {
    for key in raw.as_object().expect("an object").keys() {
        assert!(known.contains(&key.as_str()), "{scenario}: nobody judges the key {key}");
    }
}

/// Registers of a type.
fn width(kind: &str) -> u16 {
    match kind {
        "u32" | "i32" | "f32" => 2,
        "u64" | "i64" | "f64" => 4,
        _ => 1,
    }
}

fn whole(value: &Json) -> u16 {
    u16::try_from(value.as_u64().expect("a register")).expect("a register has 16 bits")
}
