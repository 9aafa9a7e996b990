//! Streams: what is decoded is what was sent.

use std::time::Duration;

use serde_json::{Value, json};

use super::listening::{Listening, wall};
use super::sending::{Station, run};
use crate::digest::{digest, numbers};
use crate::logs::Play;

/// Frames that are sent at a time, as fast as they can be: less than the receive buffer holds.
const HEAP: usize = 6_000;

/// A recorded truck on the bus.
pub(super) fn truck() -> Value {
    log(Play::Truck)
}

/// CAN FD frames on the bus.
pub(super) fn fd() -> Value {
    log(Play::Fd)
}

fn log(play: Play) -> Value {
    let mut listening = Listening::hearing(play, "vcan0", |config| config.bitrate = Some(500_000));
    let frames = play.frames();
    let before = wall();
    let station = Station::on("vcan0");
    let mut sent = 0_u64;
    for heap in frames.chunks(HEAP) {
        for frame in heap {
            station.send_frame(frame);
        }
        sent += heap.len() as u64;
        listening.until("every frame", |l| l.vitals().requests >= sent);
    }
    let load = listening.figure("can_bus_load_ratio", "");
    listening.end();
    let batches = listening.batches();
    let within = before.micros()..=wall().micros();
    let is_timed = |batch: &signals::Batch| {
        let times = batch.timestamps();
        times.is_sorted_by(|a, b| a < b) && times.iter().all(|time| within.contains(time))
    };
    json!({
        "sent": sent,
        "received": listening.vitals().requests,
        "digest": digest(&batches),
        "times_rise_within_the_run": batches.iter().all(is_timed),
        "bus_load": load,
        "kinds": listening.kinds(),
    })
}

/// The wall clock set back and forward while frames flow.
pub(super) fn clock_steps() -> Value {
    let mut listening = Listening::hearing(Play::Count, "vcan0", |_| ());
    let station = Station::on("vcan0");
    let mut sent = 0;
    let mut run_on = |frames: u32| {
        for _ in 0..frames {
            station.send_number(sent);
            sent += 1;
            std::thread::park_timeout(Duration::from_millis(2));
        }
    };
    run_on(400);
    let begun = wall().micros() / 1_000_000;
    run(&format!("date -s @{}", begun - 3_600));
    run_on(800);
    let now = wall().micros() / 1_000_000;
    run(&format!("date -s @{}", now + 7_200));
    run_on(800);
    listening.until("two steps", |l| l.figure("can_bus_clock_steps_total", "") >= 2.0);
    listening.end();
    run(&format!("date -s @{}", wall().micros() / 1_000_000 - 3_600));
    let batches = listening.batches();
    let times: Vec<i64> = batches.iter().flat_map(|batch| batch.timestamps().to_vec()).collect();
    let steps: Vec<_> = listening
        .events()
        .iter()
        .filter(|event| event.kind == "clock_step")
        .map(|event| event.details["step_us"].clone())
        .collect();
    let numbers = numbers(&batches, "bus_sequence", "number");
    json!({
        "sent": sent,
        "rows": times.len(),
        "in_order": numbers.iter().copied().eq(0..u64::from(sent)),
        "times_rise": times.is_sorted_by(|a, b| a < b),
        "steps_us": steps,
        // At half speed while the clock is behind, then where the clock is.
        "span_s": (times.last().unwrap() - times.first().unwrap()) / 1_000_000,
    })
}
