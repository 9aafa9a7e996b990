//! Rate: how many frames a second are heard without a loss, by others and by us.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::listening::{Listening, is_listened_to, listener_time};
use super::sending::Station;
use crate::digest::numbers;
use crate::logs::Play;

/// Twice the frames of the worst case at 1 Mbit/s first, then slower.
const RATES: [u32; 5] = [18_000, 12_000, 8_000, 5_000, 3_000];
/// How long a rate is tried.
const TRIAL_SECONDS: u32 = 4;

/// Tries rate after rate until nothing is missing.
///
/// A sender that is slower than asked, because the machine is, says how fast it was: `achieved`.
fn fastest(run: impl Fn(u32) -> Value) -> Value {
    let mut tried = Vec::new();
    for rate in RATES {
        let told = run(rate);
        let is_whole = told["missing"] == 0;
        tried.push(told);
        if is_whole {
            break;
        }
    }
    json!({ "tried": tried })
}

/// The greatest rate that candump hears whole.
pub(super) fn candump() -> Value {
    fastest(|rate| {
        let sent = u64::from(rate * TRIAL_SECONDS);
        let (heard, achieved) = candump_hears(rate);
        json!({ "asked": rate, "achieved": achieved, "sent": sent, "missing": sent - heard })
    })
}

/// Numbered frames, in order, that candump writes at `rate`; frames a second that were sent.
fn candump_hears(rate: u32) -> (u64, f64) {
    let path = "/tmp/candump";
    let heard = File::create(path).unwrap();
    let mut candump = Command::new("candump")
        .args(["-L", "-r", "4194304", "-T", "2000", "vcan0"])
        .stdout(Stdio::from(heard))
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    while !is_listened_to("vcan0") {
        assert!(begun.elapsed() < Duration::from_secs(10), "candump does not listen");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let achieved = Station::on("vcan0").send_row(rate, TRIAL_SECONDS);
    // It ends after two seconds without a frame.
    candump.wait().unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let mut next = 0_u32;
    for line in text.lines() {
        let payload = line.rsplit('#').next().unwrap_or_default();
        let Ok(number) = u32::from_str_radix(payload.get(..8).unwrap_or_default(), 16) else {
            continue;
        };
        if number.swap_bytes() == next {
            next += 1;
        }
    }
    assert!(next > 0, "candump wrote nothing of use: {:?}", text.get(..300));
    std::fs::remove_file(path).unwrap();
    (u64::from(next), achieved)
}

/// The greatest rate that the live source hears whole, held for as long as was asked.
pub(super) fn ours() -> Value {
    let seconds = std::env::var("FIELDGATE_GUEST_RATE_SECONDS").unwrap().parse().unwrap();
    fastest(|rate| hear(rate, seconds))
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 frames")]
fn hear(rate: u32, seconds: u32) -> Value {
    let mut listening = Listening::hearing(Play::Count, "vcan0", |_| ());
    let before = listener_time();
    let achieved = Station::on("vcan0").send_row(rate, seconds);
    let sent = u64::from(rate * seconds);
    listening.until("all frames or their loss", |l| {
        let lost = l.figure("can_bus_lost_frames_total", "socket");
        l.vitals().requests as f64 + lost >= sent as f64
    });
    let busy = listener_time().saturating_sub(before).as_secs_f64() / f64::from(seconds);
    listening.end();
    let numbers = numbers(&listening.batches(), "bus_sequence", "number");
    assert!(numbers.is_sorted_by(|a, b| a < b), "frames in order, none twice");
    json!({
        "asked": rate,
        "achieved": achieved,
        "sent": sent,
        "missing": sent - numbers.len() as u64,
        "lost": listening.figure("can_bus_lost_frames_total", "socket"),
        "listener_processor_share": busy,
        "kinds": listening.kinds(),
    })
}
