//! A long time among random faults: no wrong value, constant memory, one socket a device.

use std::alloc::System;
use std::process::Command;
use std::time::{Duration, Instant};

use cap::Cap;
use serde_json::{Value as Json, json};

use crate::case::{Carrier, Scenario};
use crate::oracle::{Asked, Offset, Oracle, journal_since};
use crate::rig::Rig;
use crate::server::FaultServer;

/// Counts what is allocated.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// How long it lasts unless `FIELDGATE_MODBUS_SOAK_S` says so.
const SOAK_S: u64 = 60;
/// How often the rows so far are judged.
const SLICE: Duration = Duration::from_secs(5);
/// Slope of resident memory over the second half that counts as none in a long run: four pages a
/// minute of some 30 MiB.
const SLOPE_MAX_KIB_PER_MIN: f64 = 15.0;
/// The same of what is allocated, which no fragmentation blurs: the scatter of the batches that are
/// on their way, some 50 KiB, makes a slope of up to 2 over a quarter of an hour.
const HELD_SLOPE_MAX_KIB_PER_MIN: f64 = 5.0;
/// What a line fills once in its first minutes (trace rings, pools), beside that.
const FILL_MAX_KIB: f64 = 2048.0;
/// From here on everything is filled.
const LONG: Duration = Duration::from_mins(10);
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

/// One line with its server, and what was found of it so far.
struct Subject {
    server: FaultServer,
    rig: Rig,
    offset: Offset,
    carrier: Carrier,
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
        let rig = Rig::run(&scenario, &server.address);
        let offset = Offset::measure(&server, &*rig.clock);
        Self {
            server,
            rig,
            offset,
            carrier,
            last_seq: 0,
            exchanges: Vec::new(),
            rows: 0,
            good: 0,
            values: 0,
            wrong: 0,
        }
    }

    /// Judges what came since the last time.
    fn judge(&mut self) {
        let rows = self.rig.take_rows();
        let (more, last_seq) = journal_since(&self.server, self.offset, self.last_seq);
        self.last_seq = last_seq;
        self.exchanges.extend(more);
        self.exchanges.sort_by_key(|asked| asked.wall);
        let wrong = Oracle::new(&self.server, &self.exchanges, self.offset).wrong(&rows);
        for wrong in wrong.iter().take(3) {
            println!("{}: {wrong:?}", self.carrier.name());
        }
        let cells = || rows.iter().flat_map(|row| &row.cells);
        self.rows += rows.len();
        self.values += cells().count();
        self.good += cells().filter(|cell| cell.quality.is_good()).count();
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

    fn tell(&self) {
        let share = 100 * self.good / self.values.max(1);
        println!(
            "  {:<8} {} rows, {} values, {share} % good, {} wrong, {} socket(s) at most",
            self.carrier.name(),
            self.rows,
            self.values,
            self.wrong,
            self.sockets_max()
        );
    }

    fn sockets_max(&self) -> u64 {
        self.server.get("/stats")["counters"]["max_open_connections"].as_u64().unwrap_or(0)
    }
}

/// Resident memory of this process in KiB.
fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line of status");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// What this process has allocated and not given back, in KiB.
fn held_kib() -> f64 {
    let bytes = u32::try_from(HEAP.allocated() / 64).expect("far below 256 GiB");
    f64::from(bytes) / 16.0
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux lists them").count()
}

/// KiB per second: slope of the straight line through (seconds, KiB).
fn slope(points: &[(f64, f64)]) -> f64 {
    let mean = |of: fn(&(f64, f64)) -> f64| {
        points.iter().map(of).sum::<f64>() / f64::from(u32::try_from(points.len()).unwrap())
    };
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let products: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let squares: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    products / squares
}

/// The last point of each eighth.
fn trend(points: &[(f64, f64)]) -> String {
    let eighths = points.chunks(points.len().div_ceil(8)).filter_map(<[(f64, f64)]>::last);
    let told: Vec<String> = eighths.map(|(at_s, kib)| format!("{at_s:.0} s {kib:.0}")).collect();
    told.join(", ")
}

/// The soak itself; [`a_long_time_among_random_faults_costs_nothing`] gives it a process of its own.
#[test]
#[ignore = "run by the test below in a process of its own, so that its memory is its own"]
fn soak_in_this_process() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let lasts = Duration::from_secs(number("FIELDGATE_MODBUS_SOAK_S", SOAK_S));
    let seed = number("FIELDGATE_SEED", 3);
    let mut random = seed;
    let carriers = [Carrier::Tcp, Carrier::RtuOverTcp, Carrier::Pty];
    let mut subjects: Vec<Subject> =
        carriers.into_iter().map(|carrier| Subject::start(carrier, seed)).collect();
    let begun = Instant::now();
    let slices = usize::try_from(lasts.as_secs() / SLICE.as_secs() + 1).expect("a short list");
    let mut memory: Vec<(f64, f64)> = Vec::with_capacity(slices);
    let mut held: Vec<(f64, f64)> = Vec::with_capacity(slices);
    let mut open: Vec<(f64, usize)> = Vec::with_capacity(slices);
    let mut slice = 0;
    while begun.elapsed() < lasts {
        slice += 1;
        std::thread::sleep((SLICE * slice).saturating_sub(begun.elapsed()));
        for subject in &mut subjects {
            subject.judge();
            if subject.carrier != Carrier::Pty {
                if slice % 4 == 0 { subject.disturb(&mut random) } else { subject.mend() }
            }
        }
        let at_s = begun.elapsed().as_secs_f64();
        memory.push((at_s, resident_kib()));
        held.push((at_s, held_kib()));
        open.push((at_s, descriptors()));
    }
    println!("soak of {} s, seed {seed}:", lasts.as_secs());
    subjects.iter().for_each(Subject::tell);
    for (what, points) in [("resident", &memory), ("allocated", &held)] {
        println!("  {what} memory in KiB: {}", trend(points));
    }
    let is_late = |point: &(f64, f64)| point.0 > lasts.as_secs_f64() / 2.0;
    let late = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        points.iter().copied().filter(is_late).collect()
    };
    let (slope, held_slope) = (slope(&late(&memory)), slope(&late(&held)));
    let growth = slope * lasts.as_secs_f64() / 2.0;
    let count = |half: bool| {
        let of_half = open.iter().filter(|(at_s, _)| (*at_s > lasts.as_secs_f64() / 2.0) == half);
        of_half.map(|(_, open)| *open).max().unwrap_or(0)
    };
    println!(
        "  slope over the second half: resident {:.2} KiB/min ({growth:.0} KiB), allocated {:.2} \
         KiB/min; descriptors at most {} in the first half, {} in the second",
        slope * 60.0,
        held_slope * 60.0,
        count(false),
        count(true)
    );
    for subject in &subjects {
        assert_eq!(subject.wrong, 0, "{}: no wrong value", subject.carrier.name());
        assert!(subject.sockets_max() <= 1, "{}: one socket", subject.carrier.name());
        assert!(subject.good * 2 > subject.values, "{}: it works", subject.carrier.name());
    }
    if lasts >= LONG {
        let held = held_slope * 60.0;
        assert!(held < HELD_SLOPE_MAX_KIB_PER_MIN, "what is allocated grows by {held:.1} KiB/min");
        assert!(slope * 60.0 < SLOPE_MAX_KIB_PER_MIN, "memory grows by {growth:.0} KiB");
    }
    assert!(growth < FILL_MAX_KIB, "memory grows by {growth:.0} KiB");
    assert!(count(true) <= count(false), "descriptors are constant");
}

#[test]
fn a_long_time_among_random_faults_costs_nothing() {
    let this = std::env::current_exe().expect("a running program knows its path");
    let run = Command::new(this)
        .args(["--exact", "soak::soak_in_this_process", "--ignored", "--nocapture"])
        .output()
        .expect("this program can be run again");
    let told = String::from_utf8_lossy(&run.stdout);
    let own = told.lines().filter(|line| !line.starts_with("test ") && !line.is_empty());
    own.for_each(|line| println!("{line}"));
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}
