//! A long time among random faults: no wrong value, constant memory, one socket a device.
//!
//! The lines run in a process of their own, which does nothing else and tells its rows, its memory
//! and its descriptors ([`alone`]); this one runs the fault servers and judges.
//!
//! Memory is judged by the straight line through what is left after the warm-up (a third of the
//! run), in means of [`CYCLE`], which is how often connections are disturbed. The slope is none when
//! its 95 % interval contains zero, or when it is below [`HELD_SLOPE_MAX`] and
//! [`RESIDENT_SLOPE_MAX`], which is less than a megabyte a day and a page a minute. Resident is what
//! is the process's own: pages of the program come with the rare path that is run for the first
//! time, end with the program's size and go when the machine needs them; they are told, not judged.

mod alone;
mod trend;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::case::{Carrier, Scenario};
use crate::oracle::{Asked, Offset, Oracle, journal_since};
use crate::rig::Row;
use crate::server::FaultServer;
use alone::{Place, Told};
use trend::Trend;

/// How long it lasts unless `FIELDGATE_MODBUS_SOAK_S` says so.
const SOAK_S: u64 = 60;
/// How often the rows so far are judged.
const SLICE: Duration = Duration::from_secs(5);
/// Slices between two disturbances of the connections, and how long that is.
const DISTURBED_EACH: u32 = 4;
const CYCLE: Duration = Duration::from_secs(20);
/// Slopes that count as none even if their interval does not contain zero, in KiB a minute.
const HELD_SLOPE_MAX: f64 = 0.5;
const RESIDENT_SLOPE_MAX: f64 = 4.0;
/// What may be allocated beside what was at the end of the warm-up, whatever the slope, in KiB.
const HELD_GROWTH_MAX: f64 = 32.0;
/// From here on slopes are judged: of what is allocated, and of what is resident. Pages are touched
/// for the first time for minutes, as rare faults come; a third of the longer run is past that.
const LONG: Duration = Duration::from_mins(10);
const LONG_RESIDENT: Duration = Duration::from_mins(30);
/// Requests of the last slice that the first rows of the next may belong to.
const TAIL: usize = 200;

/// What random faults do to an answer, beside how probable each is.
fn faults(carrier: Carrier) -> Json {
    let both = [
        json!({"action": "drop"}),
        json!({"action": "delay", "ms": 60}),
        json!({"action": "delay", "ms": 195}),
        json!({"action": "short_words", "n": 1}),
        json!({"action": "extra_words", "n": 2}),
        json!({"action": "byte_count", "delta": 2}),
        json!({"action": "wrong_unit", "unit": 200}),
        json!({"action": "wrong_fc", "fc": 4}),
        json!({"action": "truncate", "bytes": 7}),
        json!({"action": "duplicate"}),
        json!({"action": "garbage_before", "n": 11}),
        json!({"action": "garbage_after", "n": 5}),
        json!({"action": "split", "sizes": [1, 3], "gap_ms": 2}),
        json!({"action": "exception", "code": 2}),
        json!({"action": "exception", "code": 4}),
        json!({"action": "exception", "code": 6}),
        json!({"action": "exception", "code": 11}),
    ];
    let tcp = [
        json!({"action": "delay", "ms": 300, "detach": true}),
        json!({"action": "wrong_tid", "delta": 1}),
        json!({"action": "wrong_pid"}),
        json!({"action": "mbap_len", "delta": 3}),
        json!({"action": "mbap_len", "delta": 50000}),
        json!({"action": "replay_prev"}),
        json!({"action": "reset"}),
        json!({"action": "close"}),
        json!({"action": "truncate", "bytes": 9, "then": "reset"}),
    ];
    let serial = [json!({"action": "bad_crc"}), json!({"action": "garbage_before", "n": 40})];
    let own: &[Json] = if carrier == Carrier::Tcp { &tcp } else { &serial };
    let rule = |act: &Json| json!({"when": {"prob": 0.006}, "do": [act]});
    both.iter().chain(own).map(rule).collect()
}

fn scenario(carrier: Carrier) -> Scenario {
    let unit = |start: u16| {
        json!({"tables": {"holding": [
            {"start": start, "count": 40, "gen": {"kind": "sig", "period_ms": 50}},
            {"start": 100, "count": 20, "gen": {"kind": "counter", "type": "u32", "period_ms": 50}},
        ]}})
    };
    let mut polls = Vec::new();
    for unit in 1..=3 {
        polls.push(
            json!({"unit": unit, "start": 0, "count": 40, "period_ms": 200, "timeout_ms": 150}),
        );
        polls.push(json!({"unit": unit, "start": 100, "count": 20, "type": "u32",
            "period_ms": 500, "timeout_ms": 150}));
    }
    let raw = json!({
        "name": "soak",
        "transport": carrier.name(),
        "server": {"units": {"1": unit(0), "2": unit(0), "3": unit(0)}, "journal": 2000},
        "poll": polls,
    });
    Scenario::read(&raw, 1.0)
}

/// A fault server, and what was found so far of the line that asks it.
struct Subject {
    server: FaultServer,
    scenario: Scenario,
    offset: Option<Offset>,
    last_seq: u64,
    exchanges: Vec<Asked>,
    rows: usize,
    good: usize,
    values: usize,
    wrong: usize,
}

impl Subject {
    fn start(carrier: Carrier, seed: u64) -> Self {
        let scenario = scenario(carrier);
        let server = FaultServer::start(&scenario.server, carrier, seed);
        server.http("POST", "/faults", &faults(carrier));
        Self {
            server,
            scenario,
            offset: None,
            last_seq: 0,
            exchanges: Vec::new(),
            rows: 0,
            good: 0,
            values: 0,
            wrong: 0,
        }
    }

    fn carrier(&self) -> Carrier {
        self.scenario.carrier
    }

    /// Judges rows, of which the process that polls has told the good values.
    fn judge(&mut self, rows: &[Row]) {
        let Some(offset) = self.offset else { return };
        let (more, last_seq) = journal_since(&self.server, offset, self.last_seq);
        self.last_seq = last_seq;
        self.exchanges.extend(more);
        self.exchanges.sort_by_key(|asked| asked.wall);
        let wrong = Oracle::new(&self.server, &self.exchanges, offset).wrong(rows);
        for wrong in wrong.iter().take(3) {
            println!("{}: {wrong:?}", self.carrier().name());
        }
        self.rows += rows.len();
        self.good += rows.iter().map(|row| row.cells.len()).sum::<usize>();
        self.wrong += wrong.len();
        let old = self.exchanges.len().saturating_sub(TAIL);
        self.exchanges.drain(..old);
    }

    /// A fault of the connection, or its end.
    fn disturb(&self, random: &mut u64) {
        let acts = ["reset_all", "close_all", "refuse", "blackhole"];
        // Knuth's generator; its high bits are the good ones.
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let act = acts[usize::try_from(*random >> 33).unwrap() % acts.len()];
        self.server.http("POST", "/conn", &json!({"action": act}));
    }

    fn mend(&self) {
        self.server.http("POST", "/conn", &json!({"action": "accept"}));
        self.server.http("POST", "/conn", &json!({"action": "unblackhole"}));
    }

    /// Prints what was found, and asserts that it is good.
    fn settle(&self) {
        let name = self.carrier().name();
        let sockets = &self.server.get("/stats")["counters"]["max_open_connections"];
        let (share, sockets) =
            (100 * self.good / self.values.max(1), sockets.as_u64().unwrap_or(0));
        println!(
            "  {name:<8} {} rows, {} values, {share} % good, {} wrong, {sockets} socket(s) at most",
            self.rows, self.values, self.wrong,
        );
        assert_eq!(self.wrong, 0, "{name}: no wrong value");
        assert!(sockets <= 1, "{name}: one socket");
        assert!(self.good * 2 > self.values, "{name}: it works");
    }
}

/// The process that polls, and what it has told and nobody has taken yet.
struct Lines {
    child: Child,
    told: Arc<Mutex<Vec<Told>>>,
    listener: JoinHandle<()>,
}

impl Lines {
    fn start(subjects: &[Subject], lasts: Duration) -> Self {
        let place = |subject: &Subject| Place {
            carrier: subject.carrier(),
            address: subject.server.address.clone(),
            control: subject.server.control.place.clone(),
        };
        let places: Vec<Place> = subjects.iter().map(place).collect();
        let mut child = Command::new(std::env::current_exe().expect("a program knows its path"))
            .args(["--exact", alone::TEST, "--ignored", "--nocapture"])
            .env(alone::PLACES, alone::to_text(&places))
            .env(alone::LASTS, lasts.as_secs().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be run again");
        let told = Arc::new(Mutex::new(Vec::new()));
        let stdout = child.stdout.take().expect("it is piped");
        let listener = listen(stdout, Arc::clone(&told));
        Self { child, told, listener }
    }

    fn take(&self) -> Vec<Told> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }

    /// Waits until it has ended, and gives the last of what it told.
    fn finish(mut self) -> Vec<Told> {
        let status = self.child.wait().expect("it was started");
        self.listener.join().expect("the listener does not panic");
        assert!(status.success(), "the process that polls has failed: {status}");
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

/// Takes what the process tells off the pipe, which must never be full: it would hold up the lines.
fn listen(stdout: ChildStdout, told: Arc<Mutex<Vec<Told>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        for line in lines.filter_map(|line| alone::read(&line)) {
            told.lock().unwrap().push(line);
        }
    })
}

/// What a soak has found.
struct Soak {
    subjects: Vec<Subject>,
    /// Of allocated and of resident memory, and of resident pages of files, in KiB.
    held: Trend,
    resident: Trend,
    file: Trend,
    /// Seconds, and descriptors then.
    open: Vec<(f64, usize)>,
}

impl Soak {
    fn take(&mut self, told: Vec<Told>) {
        let mut rows: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
        for told in told {
            match told {
                Told::Offset(carrier, offset) => self.subject(carrier).offset = Some(offset),
                Told::Row(carrier, values, row) => {
                    let subject = self.subject(carrier);
                    subject.values += values;
                    let row = row.read(&subject.scenario);
                    rows.entry(carrier.name()).or_default().push(row);
                }
                Told::Memory { at_s, held_kib, resident_kib, file_kib, open } => {
                    self.held.note(at_s, held_kib);
                    self.resident.note(at_s, resident_kib);
                    self.file.note(at_s, file_kib);
                    self.open.push((at_s, open));
                }
            }
        }
        for subject in &mut self.subjects {
            subject.judge(rows.get(subject.carrier().name()).map_or(&[], Vec::as_slice));
        }
    }

    fn subject(&mut self, carrier: Carrier) -> &mut Subject {
        let own = |subject: &&mut Subject| subject.carrier() == carrier;
        self.subjects.iter_mut().find(own).expect("each carrier has a subject")
    }

    /// Prints what was found, and asserts that it is good.
    fn settle(&self, lasts: Duration) {
        self.subjects.iter().for_each(Subject::settle);
        let warm = lasts.as_secs_f64() / 3.0;
        let most = |late: bool| {
            let of = self.open.iter().filter(|(at_s, _)| (*at_s > warm) == late);
            of.map(|(_, open)| *open).max().unwrap_or(0)
        };
        println!("  descriptors at most {} in the warm-up, {} after it", most(false), most(true));
        assert!(most(true) <= most(false), "descriptors are constant");
        for (name, trend, most, long) in [
            ("allocated", &self.held, HELD_SLOPE_MAX, LONG),
            ("resident", &self.resident, RESIDENT_SLOPE_MAX, LONG_RESIDENT),
        ] {
            println!("  {name} memory in KiB: {trend}");
            let Some(slope) = trend.slope(warm, CYCLE.as_secs_f64()) else { continue };
            println!("  {name} after {warm:.0} s: {slope}");
            let is_none = slope.contains_zero() || slope.per_minute < most;
            assert!(lasts < long || is_none, "{name} memory grows: {slope}");
        }
        println!("  pages of the program in KiB: {}", self.file);
        let growth = self.held.growth(warm);
        println!("  allocated at most {growth:.1} KiB above the most of the warm-up");
        assert!(growth < HELD_GROWTH_MAX, "what is allocated grows by {growth:.1} KiB");
    }
}

#[test]
fn a_long_time_among_random_faults_costs_nothing() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let lasts = Duration::from_secs(number("FIELDGATE_MODBUS_SOAK_S", SOAK_S));
    let seed = number("FIELDGATE_SEED", 3);
    let mut random = seed;
    let carriers = [Carrier::Tcp, Carrier::RtuOverTcp, Carrier::Pty];
    let subjects = carriers.into_iter().map(|carrier| Subject::start(carrier, seed)).collect();
    let mut soak = Soak {
        subjects,
        held: Trend::default(),
        resident: Trend::default(),
        file: Trend::default(),
        open: Vec::new(),
    };
    let lines = Lines::start(&soak.subjects, lasts);
    let begun = Instant::now();
    for slice in 1.. {
        if begun.elapsed() >= lasts {
            break;
        }
        std::thread::sleep((SLICE * slice).saturating_sub(begun.elapsed()));
        soak.take(lines.take());
        for subject in soak.subjects.iter().filter(|subject| subject.carrier() != Carrier::Pty) {
            if slice % DISTURBED_EACH == 0 { subject.disturb(&mut random) } else { subject.mend() }
        }
    }
    soak.take(lines.finish());
    println!("soak of {} s, seed {seed}:", lasts.as_secs());
    soak.settle(lasts);
}
