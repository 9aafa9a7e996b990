//! Memory of several buses: replays of one log beside each other, batches thrown away.
//!
//! `bench_buses LOG BUSES SECONDS DBC…`; prints one line of JSON. Each plays the log ten thousand
//! times as fast as it was recorded, for ever: as fast as it can.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use adapters_can::bus::Bus;
use adapters_can::config::{CanConfig, Files};
use signals::{Adapter, Batch, Clock, ClockState, Feed, Intake, Stop, Timestamp};

/// Counts rows and keeps nothing.
#[derive(Default)]
struct Sink(AtomicU64);

impl Intake for Sink {
    fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        self.0.fetch_add(batch.rows.num_rows() as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// Wall time that began with the program: nobody reads it.
struct Stopwatch(Instant);

impl Clock for Stopwatch {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000).plus(self.0.elapsed())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn state(&self) -> ClockState {
        ClockState::Synced
    }
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [log, buses, seconds, databases @ ..] = arguments.as_slice() else {
        panic!("usage: bench_buses LOG BUSES SECONDS DBC…");
    };
    let buses: u64 = buses.parse().expect("BUSES is a number");
    let seconds: u64 = seconds.parse().expect("SECONDS is a number");
    let stop = Stop::new();
    let sink = Arc::new(Sink::default());
    let mut health = Vec::new();
    let players: Vec<_> = (0..buses)
        .map(|number| {
            let adapter = adapter(number, log, databases);
            health.extend(adapter.health());
            let feed = Feed {
                intake: Arc::<Sink>::clone(&sink),
                clock: Arc::new(Stopwatch(Instant::now())),
                stop: stop.clone(),
            };
            thread::spawn(move || adapter.run(feed))
        })
        .collect();
    let begun = Instant::now();
    let _stopped = stop.wait(Duration::from_secs(seconds));
    stop.raise();
    for player in players {
        player.join().expect("a player ends without a panic");
    }
    let frames: u64 = health.iter().map(|health| health.vitals().requests).sum();
    println!(
        "{{\"buses\": {buses}, \"frames\": {frames}, \"rows\": {}, \"wall_s\": {:.3}, \"peak_kib\": {}}}",
        sink.0.load(Ordering::Relaxed),
        begun.elapsed().as_secs_f64(),
        peak_kib(),
    );
}

fn adapter(number: u64, log: &str, databases: &[String]) -> Box<dyn Adapter> {
    let config = CanConfig {
        name: Some(format!("bus{number}")),
        replay: Some(log.to_owned()),
        speed: Some(10_000.0),
        r#loop: Some(true),
        dbc: databases.to_vec(),
        ..CanConfig::default()
    };
    let here = Files::Folder(Path::new(""));
    let loaded = config.check(here, "bench").and_then(Bus::load);
    let loaded = loaded.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    loaded.adapter().expect("a replayed bus has an adapter")
}

/// The greatest resident set so far.
fn peak_kib() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("the kernel tells");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
