//! Watching: a bus seen from a terminal, and databases that change while it is heard.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use adapters_can::config::{CanConfig, Files};
use adapters_can::frame::Frame;
use adapters_can::live::tap::{Occupied, Tap, TapEnd};
use adapters_can::log_decode::FrameSource as _;
use adapters_can::logs::line_of;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, UInt32Type};
use serde_json::{Value, json};
use signals::Batch;

use super::listening::{Listening, MachineClock, is_listened_to};
use super::sending::{Station, run};
use crate::logs::Play;

/// Frames that are watched.
const FRAMES: usize = 3_000;
/// The kernel begins to take times a moment after the first socket of the machine has asked.
const UNTIMED: usize = 200;
/// Frames a second while databases change.
const RATE: u32 = 2_000;

fn open(interface: &str, end: TapEnd) -> Result<Tap, String> {
    let clock = Arc::new(MachineClock(Instant::now()));
    Tap::open(interface, clock, end).map_err(|error| error.to_string())
}

/// The same frames as candump shows them and as `fieldgate can dump` does.
pub(super) fn terminal() -> Value {
    let absent = open("nocan0", TapEnd::default()).err();
    run("ip link set vcan0 down");
    let down = open("vcan0", TapEnd::default()).err();
    run("ip link set vcan0 up");
    let path = "/tmp/terminal";
    let mut candump = Command::new("candump")
        .args(["-L", "-T", "2000", "vcan0,0:0,#FFFFFFFF"])
        .stdout(Stdio::from(File::create(path).unwrap()))
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !is_listened_to("vcan0") {
        assert!(begun.elapsed() < Duration::from_secs(10), "candump does not listen");
        thread::park_timeout(Duration::from_millis(5));
    }
    let end = TapEnd { after: Some(Duration::from_secs(30)), ..TapEnd::default() };
    let mut tap = open("vcan0", end.clone()).unwrap();
    let sender = thread::spawn(|| {
        let station = Station::on("vcan0");
        for heap in Play::Truck.frames()[..FRAMES].chunks(50) {
            for frame in heap {
                station.send_frame(frame);
            }
            thread::park_timeout(Duration::from_millis(5));
        }
        station.send_error(0x4, [0, 0x8, 0, 0, 0, 0, 0, 0]);
    });
    let (mut lines, mut frame, mut occupied) = (Vec::new(), Frame::default(), Occupied::default());
    while lines.len() <= FRAMES && tap.next(&mut frame).unwrap() {
        lines.push(line_of(&frame, "vcan0"));
        occupied.add(&frame);
    }
    sender.join().unwrap();
    end.stop.raise();
    let ends = !tap.next(&mut frame).unwrap();
    candump.wait().unwrap();
    let theirs = fs::read_to_string(path).unwrap();
    let theirs: Vec<&str> = theirs.lines().map(str::trim).collect();
    let body = |line: &str| line.split_once(' ').map(|(_, rest)| rest.to_owned());
    let short = TapEnd { after: Some(Duration::from_millis(300)), ..TapEnd::default() };
    let mut short = open("vcan0", short).unwrap();
    json!({
        "absent": absent,
        "down": down,
        "lines": lines.len(),
        "lines_of_candump": theirs.len(),
        "frames_equal": lines.iter().map(|l| body(l)).eq(theirs.iter().map(|l| body(l))),
        "times_equal": lines.iter().skip(UNTIMED).eq(theirs.iter().skip(UNTIMED)),
        "last": lines.last(),
        "lost": tap.lost(),
        "seconds_at_500k": occupied.seconds((Some(500_000), None)),
        "ends_when_told": ends,
        "ends_by_itself": !short.next(&mut frame).unwrap(),
    })
}

/// A database that changes twice while numbered frames flow, and once into nonsense.
pub(super) fn databases() -> Value {
    let folder = Path::new("/tmp/databases");
    fs::create_dir_all(folder).unwrap();
    let dbc = |factor: &str| {
        format!("BO_ 256 Sequence: 8 X\n SG_ Number : 0|32@1+ ({factor},0) [0|0] \"\" X\n")
    };
    let write = |text: &str| fs::write(folder.join("a.dbc"), text).unwrap();
    write(&dbc("1"));
    let config = CanConfig {
        name: Some("bus".to_owned()),
        interface: Some("vcan0".to_owned()),
        filter: Some("known".to_owned()),
        dbc: vec!["a.dbc".to_owned()],
        ..CanConfig::default()
    };
    let bus = config.check(Files::Folder(folder), "site").unwrap().load().unwrap();
    let mut listening = Listening::to(bus);
    listening.until("active", |l| l.states().last().is_some_and(|state| state == "active"));
    let figure =
        |l: &Listening, name: &str| l.figure(&format!("can_bus_database_{name}_total"), "");
    let station = Station::on("vcan0");
    let mut sent = 0_u64;
    let mut send_until = |listening: &Listening, done: &dyn Fn(&Listening) -> bool| {
        let begun = Instant::now();
        while !done(listening) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", listening.kinds());
            for _ in 0..RATE / 200 {
                station.send_number(u32::try_from(sent).unwrap());
                sent += 1;
            }
            thread::park_timeout(Duration::from_millis(5));
        }
    };
    write(&dbc("0.5"));
    send_until(&listening, &|l| figure(l, "changes") >= 1.0);
    write("nonsense");
    send_until(&listening, &|l| figure(l, "refusals") >= 1.0);
    let refused = listening.vitals();
    write(&dbc("0.25"));
    send_until(&listening, &|l| figure(l, "changes") >= 2.0);
    let end = Instant::now();
    send_until(&listening, &|_| end.elapsed() > Duration::from_millis(500));
    listening.until("all frames", |l| l.vitals().requests >= sent);
    listening.end();
    let (rows, wrong, factors) = factors_of(&listening.batches());
    json!({
        "sent": sent,
        "rows": rows,
        "wrong": wrong,
        "factors": factors,
        "kinds": listening.kinds(),
        "status_while_refused": refused.status,
        "error_while_refused": refused.last_error,
    })
}

/// Rows, how many of them no factor explains, and the factors one after the other. With what a
/// value was made, its row tells: the number in it is its place.
fn factors_of(batches: &[Batch]) -> (u32, u32, Vec<f64>) {
    let (mut place, mut wrong, mut factors) = (0_u32, 0, Vec::new());
    for batch in batches {
        let column = batch.column(0);
        for row in 0..batch.rows.num_rows() {
            let (number, known): (f64, &[f64]) = match column.as_primitive_opt::<UInt32Type>() {
                Some(whole) => (whole.value(row).into(), &[1.0]),
                None => (column.as_primitive::<Float64Type>().value(row), &[0.5, 0.25]),
            };
            let wanted = |factor: &&f64| (number - f64::from(place) * **factor).abs() < 1e-9;
            match known.iter().find(wanted) {
                Some(factor) if place > 0 && factors.last() != Some(factor) => {
                    factors.push(*factor);
                }
                Some(_) => {}
                None => wrong += 1,
            }
            place += 1;
        }
    }
    (place, wrong, factors)
}
