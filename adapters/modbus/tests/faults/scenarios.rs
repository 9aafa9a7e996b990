//! Every scenario over its transport, and over the others where it says something there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use signals::Clock as _;

use crate::canary::{self, is_punctual, still_share};
use crate::case::{Act, Scenario, scenarios};
use crate::judge::{Mark, Run};
use crate::oracle::{Offset, Oracle, journal};
use crate::rig::Rig;
use crate::server::FaultServer;
use crate::writes::give;

/// Scenarios at once unless said otherwise: they wait nearly all of their time.
const AT_ONCE: usize = 20;
/// Scenarios at once when they are played again.
const AGAIN_AT_ONCE: usize = 8;

/// How one scenario went.
pub(crate) struct Verdict {
    pub(crate) name: String,
    carrier: &'static str,
    is_own_carrier: bool,
    rows: usize,
    good_share: f64,
    pub(crate) wrong: usize,
    reasons: String,
    /// Whether it was played again.
    is_second: bool,
    /// Share of its time that the machine stood still.
    still: f64,
    pub(crate) marks: Vec<Mark>,
}

impl Verdict {
    /// One that ended in a panic, which has printed its words.
    fn fallen(scenario: &Scenario) -> Self {
        let mark = Mark { key: "ran".into(), measured: "it panicked".into(), is_met: false };
        Self {
            name: scenario.name.clone(),
            carrier: scenario.carrier.name(),
            is_own_carrier: scenario.is_own_carrier,
            rows: 0,
            good_share: 0.0,
            wrong: 0,
            reasons: String::new(),
            is_second: false,
            still: 0.0,
            marks: vec![mark],
        }
    }

    pub(crate) fn is_met(&self) -> bool {
        self.marks.iter().all(|mark| mark.is_met)
    }

    /// Only marks of time were missed, and the machine was not punctual itself: nothing is proven.
    fn is_open(&self) -> bool {
        let missed = self.marks.iter().filter(|mark| !mark.is_met);
        !is_punctual(self.still) && missed.clone().all(Mark::is_of_time)
    }

    fn line(&self) -> String {
        let shown = |mark: &Mark| {
            let sign = if mark.is_met { "" } else { "MISSED " };
            format!("{sign}{} {}", mark.key, mark.measured)
        };
        let marks: Vec<String> = self.marks.iter().map(shown).collect();
        format!(
            "{:<4} {:<24} {:<8} {:>5} {:>8.4} {:>5}  {}{}",
            match (self.is_met(), self.is_second) {
                (true, false) => "ok",
                (true, true) => "ok2",
                (false, _) if self.is_open() => "OPEN",
                (false, _) => "FAIL",
            },
            self.name,
            format!("{}{}", self.carrier, if self.is_own_carrier { "" } else { "+" }),
            self.rows,
            self.good_share,
            self.wrong,
            marks.join("; "),
            if self.is_met() {
                String::new()
            } else {
                format!(" [{}; the machine stood still {:.1} %]", self.reasons, self.still * 100.0)
            },
        )
    }
}

/// Runs one scenario from its start to its verdict.
pub(crate) fn play(scenario: &Scenario, seed: u64) -> Verdict {
    let server = FaultServer::start(&scenario.server, scenario.carrier, seed);
    if !scenario.rules.is_empty() {
        server.http("POST", "/faults", &scenario.rules.clone().into());
    }
    let rig = Rig::run(scenario, &server.address);
    let watch = Instant::now();
    let began = rig.clock.now().micros();
    let mut writes = Vec::new();
    for step in &scenario.script {
        std::thread::sleep(step.at.saturating_sub(watch.elapsed()));
        match &step.act {
            Act::Http(method, path, body) => drop(server.http(method, path, body)),
            Act::Write(write) => writes.push(give(rig.desk.clone(), write)),
        }
    }
    std::thread::sleep(scenario.run.saturating_sub(watch.elapsed()));
    let still = still_share(watch);
    let clock = std::sync::Arc::clone(&rig.clock);
    let ended = clock.now().micros();
    let settled = writes.into_iter().map(|write| write.join().expect("a write is settled"));
    let writes: Vec<String> = settled.collect();
    let mut rows = rig.finish();
    rows.retain(|row| row.end <= ended);
    let offset = Offset::measure(&server.control, &*clock);
    let exchanges = journal(&server, offset);
    let sets = |act: &Act| match act {
        Act::Http(_, path, _) => path == "/set",
        Act::Write(_) => true,
    };
    let has_writes = scenario.script.iter().any(|step| sets(&step.act));
    let strays = Oracle::new(&server, &exchanges, offset).with_writes(has_writes).wrong(&rows);
    for wrong in strays.iter().take(3) {
        println!("{} {}: {wrong:?}", scenario.name, scenario.carrier.name());
    }
    let run = Run {
        scenario,
        rows: &rows,
        journal: &exchanges,
        stats: &server.get("/stats"),
        began,
        ended,
        server_began: offset.server_began,
        wrong: strays.len(),
        writes,
    };
    if let Ok(folder) = std::env::var("FIELDGATE_MODBUS_JOURNALS") {
        let file = format!("{folder}/{}-{}.json", scenario.name, scenario.carrier.name());
        std::fs::write(file, server.get("/journal?limit=1000000").to_string()).unwrap();
    }
    let reasons: Vec<String> =
        run.reasons().iter().map(|(reason, times)| format!("{reason} {times}")).collect();
    Verdict {
        name: scenario.name.clone(),
        carrier: scenario.carrier.name(),
        is_own_carrier: scenario.is_own_carrier,
        rows: rows.len(),
        good_share: run.good_share(|_| true, |_| true),
        wrong: strays.len(),
        reasons: reasons.join(", "),
        is_second: false,
        still,
        marks: run.marks(),
    }
}

/// Plays several scenarios at a time, the longest first; verdicts come in the order given.
fn play_all(scenarios: &[Scenario], at_once: usize) -> Vec<Verdict> {
    let mut order: Vec<usize> = (0..scenarios.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(scenarios[*place].run));
    let (next, verdicts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(place) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let scenario = &scenarios[*place];
                    let played =
                        catch_unwind(AssertUnwindSafe(|| play(scenario, 1 + *place as u64)));
                    let verdict = played.unwrap_or_else(|_| Verdict::fallen(scenario));
                    if !verdict.is_met() {
                        println!("missed: {}", verdict.line());
                    }
                    verdicts.lock().unwrap().push((*place, verdict));
                }
            });
        }
    });
    let mut verdicts = verdicts.into_inner().unwrap();
    verdicts.sort_by_key(|(place, _)| *place);
    verdicts.into_iter().map(|(_, verdict)| verdict).collect()
}

/// Plays those again, a few at a time, that missed a mark of time among many others: this machine
/// may have been late, not the line. A wrong value is never played again.
fn play_again(scenarios: &[Scenario], verdicts: &mut [Verdict]) {
    let is_doubtful = |place: &usize| !verdicts[*place].is_met() && verdicts[*place].wrong == 0;
    let places: Vec<usize> = (0..verdicts.len()).filter(is_doubtful).collect();
    let doubtful: Vec<Scenario> = places.iter().map(|place| scenarios[*place].clone()).collect();
    println!("{} are played again", doubtful.len());
    for (place, mut verdict) in places.into_iter().zip(play_all(&doubtful, AGAIN_AT_ONCE)) {
        verdict.is_second = true;
        verdicts[place] = verdict;
    }
}

#[test]
fn every_scenario_meets_its_marks_over_its_transport() {
    let mut chosen = scenarios();
    if let Ok(names) = std::env::var("FIELDGATE_MODBUS_SCENARIOS") {
        let label = |one: &Scenario| format!("{} {}", one.name, one.carrier.name());
        chosen.retain(|one| names.split(',').any(|name| label(one).contains(name)));
    }
    let at_once = std::env::var("FIELDGATE_MODBUS_AT_ONCE").ok();
    let at_once = at_once.map_or(AT_ONCE, |text| text.parse().expect("a number of scenarios"));
    let begun = Instant::now();
    canary::watch();
    let mut verdicts = play_all(&chosen, at_once);
    play_again(&chosen, &mut verdicts);
    println!(
        "\n{:<4} {:<24} {:<8} {:>5} {:>8} {:>5}  marks: measured of limit (+ = in addition)",
        "", "scenario", "over", "rows", "good", "wrong"
    );
    for verdict in &verdicts {
        println!("{}", verdict.line());
    }
    let took: Duration = begun.elapsed();
    let (open, failed): (Vec<&Verdict>, Vec<&Verdict>) =
        verdicts.iter().filter(|verdict| !verdict.is_met()).partition(|one| one.is_open());
    let names = |verdicts: &[&Verdict]| {
        let names: Vec<&str> = verdicts.iter().map(|verdict| verdict.name.as_str()).collect();
        names.join(", ")
    };
    if !open.is_empty() {
        println!(
            "NOT PROVEN, because the machine itself was late: {}; run them again when it is idle",
            names(&open)
        );
    }
    let wrong: usize = verdicts.iter().map(|verdict| verdict.wrong).sum();
    println!(
        "{} runs in {:.0} s, {wrong} wrong values, {} missed their marks: {}",
        verdicts.len(),
        took.as_secs_f64(),
        failed.len(),
        names(&failed)
    );
    assert_eq!(wrong, 0, "values of good quality that no device held");
    assert!(failed.is_empty(), "{}", names(&failed));
    assert!(open.is_empty(), "not proven on this machine: {}", names(&open));
}
