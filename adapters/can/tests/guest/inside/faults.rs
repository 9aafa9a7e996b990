//! Faults: what goes wrong on a bus and with its interface.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::listening::{Listening, is_listened_to, listener_share, listener_time, open_files};
use super::sending::{Station, due, run};
use crate::digest::numbers;
use crate::logs::Play;

/// More frames than the receive buffer holds.
const BURST: u32 = 30_000;
/// Classes of error frames (`linux/can/error.h`).
const CONTROLLER: u32 = 0x004;
const BUS_OFF: u32 = 0x040;
const RESTARTED: u32 = 0x100;
const STUFF_ERROR: (u32, [u8; 8]) = (0x088, [0, 0, 0x04, 0, 0, 0, 0, 0]);

/// A burst while nobody reads: what is lost is what is counted is what is missing.
pub(super) fn overflow() -> Value {
    let mut listening = Listening::hearing(Play::Count, "vcan0", |_| ());
    let station = Station::on("vcan0");
    station.send_number(0);
    listening.until_rows(1);
    listening.shut(true);
    (1..BURST).for_each(|number| station.send_number(number));
    listening.shut(false);
    listening.until("the loss is told", |l| l.kinds()["can_frames_lost"] == 1);
    // It keeps up again.
    (BURST..BURST + 1_000).for_each(|number| station.send_number(number));
    let is_there = |l: &Listening| {
        numbers(&l.batches(), "bus_sequence", "number").last() == Some(&u64::from(BURST + 999))
    };
    listening.until("the frames after it", is_there);
    listening.end();
    let numbers = numbers(&listening.batches(), "bus_sequence", "number");
    let event = listening.events().into_iter().find(|e| e.kind == "can_frames_lost").unwrap();
    let gaps = listening.gaps();
    json!({
        "sent": BURST + 1_000,
        "received": numbers.len(),
        "missing_numbers": u64::from(BURST + 1_000) - numbers.len() as u64,
        "counted": listening.figure("can_bus_lost_frames_total", "socket"),
        "in_event": event.details["frames"],
        "severity": event.severity.as_str(),
        "kinds": listening.kinds(),
        "gaps": gaps.iter().map(|gap| json!({ "table": gap.table, "cause": gap.cause,
            "detail": gap.detail, "is_forward": gap.end >= gap.start })).collect::<Vec<_>>(),
        "in_order": numbers.is_sorted_by(|a, b| a < b),
        "buffer_bytes": listening.figure("can_bus_receive_buffer_bytes", ""),
    })
}

/// Sends on `interface` until a row more than before is there; how long that took.
fn recovery(listening: &Listening, interface: &str) -> f64 {
    let before = listening.rows();
    let begun = Instant::now();
    while listening.rows() <= before {
        assert!(begun.elapsed() < Duration::from_secs(10), "no row: {:?}", listening.states());
        if let Ok(station) = Station::try_on(interface) {
            station.send_number(1);
        }
        thread::park_timeout(Duration::from_millis(20));
    }
    begun.elapsed().as_secs_f64()
}

/// An interface that is not there, comes, goes down, is removed, is renamed, and comes again.
pub(super) fn coming_and_going() -> Value {
    let mut listening = Listening::start(Play::Count, "vcan1", |_| ());
    let last = |state: &'static str| {
        move |l: &Listening| l.states().last().is_some_and(|last| last == state)
    };
    listening.until("absent", last("absent"));
    let absent_share = listener_share(Duration::from_secs(3));
    run("ip link add vcan1 type vcan");
    listening.until("down", last("down"));
    run("ip link set vcan1 up");
    let mut recoveries = vec![recovery(&listening, "vcan1")];
    let files = open_files();
    run("ip link set vcan1 down");
    listening.until("down", last("down"));
    let down_share = listener_share(Duration::from_secs(3));
    run("ip link set vcan1 up");
    recoveries.push(recovery(&listening, "vcan1"));
    let silent_share = listener_share(Duration::from_secs(3));
    for _ in 0..3 {
        run("ip link del vcan1");
        listening.until("absent", last("absent"));
        run("ip link add vcan1 type vcan");
        run("ip link set vcan1 up");
        recoveries.push(recovery(&listening, "vcan1"));
    }
    run("ip link set vcan1 down");
    run("ip link set vcan1 name vcan9");
    listening.until("absent", last("absent"));
    run("ip link set vcan9 name vcan1");
    run("ip link set vcan1 up");
    recoveries.push(recovery(&listening, "vcan1"));
    let files_after = open_files();
    listening.end();
    run("ip link del vcan1");
    json!({
        "states": listening.states(),
        "recoveries_s": recoveries,
        "processor_share": { "absent": absent_share, "down": down_share, "silent": silent_share },
        "files": [files, files_after],
        "gap_causes": listening.gaps().iter().map(|gap| gap.cause).collect::<Vec<_>>(),
    })
}

/// States told by error frames: worse and worse, off, and back by a restart and by a frame.
pub(super) fn error_frames() -> Value {
    let mut listening = Listening::hearing(Play::Count, "vcan0", |_| ());
    let station = Station::on("vcan0");
    station.send_error(CONTROLLER, [0, 0x0C, 0, 0, 0, 0, 97, 96]);
    station.send_error(CONTROLLER | 0x200, [0, 0x30, 0, 0, 0, 0, 130, 128]);
    station.send_error(BUS_OFF, [0; 8]);
    listening.until("off the bus", |l| l.states().last().is_some_and(|s| s == "bus_off"));
    listening.until("the counters", |l| l.figure("can_bus_transmit_errors", "") > 0.0);
    let counters = [
        listening.figure("can_bus_transmit_errors", ""),
        listening.figure("can_bus_receive_errors", ""),
    ];
    let begun = Instant::now();
    station.send_error(RESTARTED, [0; 8]);
    listening.until("back", |l| l.states().last().is_some_and(|s| s == "active"));
    let restart_s = begun.elapsed().as_secs_f64();
    station.send_error(BUS_OFF, [0; 8]);
    listening.until("off again", |l| l.states().last().is_some_and(|s| s == "bus_off"));
    let frame_s = recovery(&listening, "vcan0");
    listening.until("the restart is shown", |l| l.figure("can_bus_restarts_total", "") > 0.0);
    listening.end();
    json!({
        "states": listening.states(),
        "counters_while_off": counters,
        "recoveries_s": [restart_s, frame_s],
        "bus_off": listening.figure("can_bus_error_frames_total", "bus_off"),
        "restarts": listening.figure("can_bus_restarts_total", ""),
        "gap_causes": listening.gaps().iter().map(|gap| gap.cause).collect::<Vec<_>>(),
    })
}

/// Ten thousand error frames a second among numbered ones.
pub(super) fn error_storm() -> Value {
    let mut listening = Listening::hearing(Play::Count, "vcan0", |_| ());
    let station = Station::on("vcan0");
    let (rate, seconds) = (10_000_u32, 4_u32);
    let (begun, before) = (Instant::now(), listener_time());
    let (mut errors, mut frames) = (0_u32, 0_u32);
    while errors < rate * seconds {
        while errors < due(rate, begun).min(rate * seconds) {
            station.send_error(STUFF_ERROR.0, STUFF_ERROR.1);
            errors += 1;
            if errors % 100 == 0 {
                station.send_number(frames);
                frames += 1;
            }
        }
        thread::park_timeout(Duration::from_millis(5));
    }
    let span = begun.elapsed().as_secs_f64();
    let share = listener_time().saturating_sub(before).as_secs_f64() / span;
    listening.until("the end of the storm is told", |l| l.kinds()["can_error_storm_ended"] == 1);
    listening.end();
    json!({
        "error_frames": errors,
        "a_second": f64::from(errors) / span,
        "counted_stuff": listening.figure("can_bus_error_frames_total", "stuff"),
        "counted_bus_error": listening.figure("can_bus_error_frames_total", "bus_error"),
        "frames": frames,
        "rows": listening.rows(),
        "lost": listening.figure("can_bus_lost_frames_total", "socket"),
        "kinds": listening.kinds(),
        "listener_processor_share": share,
    })
}

/// Settings that are not as asked: nothing is opened until they are.
pub(super) fn settings() -> Value {
    let refused = |l: &Listening| l.states().last().is_some_and(|state| state == "refused");
    let active = |l: &Listening| l.states().last().is_some_and(|state| state == "active");
    run("ip link set can0 up type can bitrate 250000");
    let mut bit_rate =
        Listening::start(Play::Count, "can0", |config| config.bitrate = Some(500_000));
    bit_rate.until("refused", refused);
    let heard_while_refused = is_listened_to("can0");
    let told = bit_rate.vitals().last_error;
    run("ip link set can0 down");
    run("ip link set can0 up type can bitrate 500000");
    bit_rate.until("active", active);
    let heard_when_right = is_listened_to("can0");
    bit_rate.end();
    run("ip link set can0 down");
    run("ip link set vcan0 down");
    run("ip link set vcan0 mtu 16");
    run("ip link set vcan0 up");
    let mut fd = Listening::start(Play::Count, "vcan0", |config| config.fd = Some(true));
    fd.until("refused", refused);
    run("ip link set vcan0 down");
    run("ip link set vcan0 mtu 72");
    run("ip link set vcan0 up");
    fd.until("active", active);
    fd.end();
    run("ip link set lo up");
    let mut no_can = Listening::start(Play::Count, "lo", |_| ());
    no_can.until("refused", refused);
    no_can.until("an error", |l| l.vitals().last_error.is_some());
    no_can.end();
    json!({
        "bit_rate": { "states": bit_rate.states(), "told": told,
            "heard_while_refused": heard_while_refused, "heard_when_right": heard_when_right },
        "fd": fd.states(),
        "no_can": no_can.vitals().last_error,
    })
}

fn statistic(interface: &str, name: &str) -> u64 {
    let path = format!("/sys/class/net/{interface}/statistics/{name}");
    fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

/// Two controllers on one wire: one that must not be heard of, and one that speaks.
pub(super) fn listen_only() -> Value {
    run("ip link set can0 up type can bitrate 500000 listen-only off");
    run("ip link set can1 up type can bitrate 500000");
    let mut listening = Listening::start(Play::Count, "can0", |config| {
        config.listen_only = Some(true);
        config.bitrate = Some(500_000);
    });
    let last = |state: &'static str| {
        move |l: &Listening| l.states().last().is_some_and(|last| last == state)
    };
    listening.until("refused", last("refused"));
    let heard_while_refused = is_listened_to("can0");
    run("ip link set can0 down");
    run("ip link set can0 up type can bitrate 500000 listen-only on");
    listening.until("active", last("active"));
    let before = statistic("can0", "tx_packets");
    let station = Station::on("can1");
    for number in 0..500 {
        station.send_number(number);
        // The emulated controller has room for four frames.
        thread::park_timeout(Duration::from_millis(4));
    }
    // What found no room there is counted.
    listening.until("every frame, or its loss", |l| {
        let overruns = l.figure("can_bus_lost_frames_total", "controller");
        l.rows() == 500 || l.rows() > 400 && overruns > 0.0
    });
    let sent = statistic("can0", "tx_packets") - before;
    let load = listening.figure("can_bus_load_ratio", "");
    listening.end();
    let numbers = numbers(&listening.batches(), "bus_sequence", "number");
    run("ip link set can0 down");
    run("ip link set can1 down");
    json!({
        "states": listening.states(),
        "heard_while_refused": heard_while_refused,
        "in_order": numbers.is_sorted_by(|a, b| a < b),
        "rows": numbers.len(),
        "overruns": listening.figure("can_bus_lost_frames_total", "controller"),
        "sent_by_us": sent,
        "dropped_by_us": statistic("can0", "tx_dropped"),
        "sent_by_the_other": statistic("can1", "tx_packets"),
        "bus_load": load,
    })
}

/// What buffer the kernel grants, and what the machine's limit is.
pub(super) fn granted_buffer() -> Value {
    let mut listening = Listening::hearing(Play::Count, "vcan0", |_| ());
    listening.until("the figure", |l| l.figure("can_bus_receive_buffer_bytes", "") > 0.0);
    listening.end();
    let limit = fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap();
    json!({
        "bytes": listening.figure("can_bus_receive_buffer_bytes", ""),
        "rmem_max": limit.trim().parse::<u64>().unwrap(),
    })
}
