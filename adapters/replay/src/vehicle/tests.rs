use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::*;

const START: Timestamp = Timestamp::from_micros(1_772_438_400_000_000);

fn drive(seed: u64, minutes: u64, per_kind: u32) -> Drive {
    Drive { seed, start: START, length: Duration::from_mins(minutes), per_kind }
}

fn frames(drive: Drive) -> Vec<Sent> {
    let mut driving = Driving::new(drive);
    std::iter::from_fn(|| driving.next_frame()).collect()
}

#[derive(Clone, Default)]
struct Files(Rc<RefCell<BTreeMap<String, Vec<u8>>>>);

struct File(Files, String);

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.borrow_mut().entry(self.1.clone()).or_default().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written(drive: Drive) -> (BTreeMap<String, Vec<u8>>, Written) {
    let files = Files::default();
    let open = |name: &str| Ok(io::BufWriter::new(File(files.clone(), name.to_owned())));
    let written = Driving::new(drive).write(open).unwrap();
    (files.0.take(), written)
}

/// Events of a kind, and the frames in them.
fn during<'a>(driving: &Driving, frames: &'a [Sent], kind: Kind) -> (Event, Vec<&'a Sent>) {
    let event = driving.events.iter().find(|event| event.kind == kind).unwrap().clone();
    let micros = |frame: &Sent| u64::try_from(frame.ts.since(START).as_micros()).unwrap();
    let inside = frames.iter().filter(|frame| event.is_on(micros(frame))).collect();
    (event, inside)
}

#[test]
fn the_same_drive_gives_the_same_bytes() {
    let (one, again) = (written(drive(1, 3, 1)).0, written(drive(1, 3, 1)).0);
    assert!(one == again);
    assert!(one["vehicle.log"] != written(drive(2, 3, 1)).0["vehicle.log"]);
}

/// Reads a database and frames by it, by its text alone: `SG_ Name : start|length@1+ (factor,offset)`.
#[expect(clippy::cast_precision_loss, reason = "signals have at most 32 bits")]
fn decode(database: &str, id: u32, bytes: [u8; 8]) -> BTreeMap<String, f64> {
    let block = database.split("BO_ ").find(|block| block.starts_with(&format!("{id} ")));
    let mut values = BTreeMap::new();
    for line in block.unwrap_or_default().lines().filter_map(|line| line.strip_prefix(" SG_ ")) {
        let (name, rest) = line.split_once(" : ").unwrap();
        let (place, rest) = rest.split_once('@').unwrap();
        let (start, length) = place.split_once('|').unwrap();
        let (start, length): (u32, u32) = (start.parse().unwrap(), length.parse().unwrap());
        let (scaling, _) = rest.split_once(')').unwrap();
        let (factor, offset) = scaling.split_once('(').unwrap().1.split_once(',').unwrap();
        let raw = u64::from_le_bytes(bytes) << (64 - start - length);
        let number = if rest.starts_with("1-") {
            (raw.cast_signed() >> (64 - length)) as f64
        } else {
            (raw >> (64 - length)) as f64
        };
        let (factor, offset): (f64, f64) = (factor.parse().unwrap(), offset.parse().unwrap());
        values.insert(name.to_owned(), number * factor + offset);
    }
    values
}

#[test]
fn every_line_of_the_log_is_a_frame_that_the_database_knows_in_order_of_time() {
    let (files, counts) = written(drive(1, 2, 0));
    let database = String::from_utf8(files["vehicle.dbc"].clone()).unwrap();
    let log = String::from_utf8(files["vehicle.log"].clone()).unwrap();
    let mut last = 0.0;
    for line in log.lines() {
        let (ts, frame) = line.strip_prefix('(').unwrap().split_once(") can0 ").unwrap();
        let ts: f64 = ts.parse().unwrap();
        assert!(ts > last, "{line}");
        last = ts;
        let (id, bytes) = frame.split_once('#').unwrap();
        let id = u32::from_str_radix(id, 16).unwrap();
        let bytes = u64::from_str_radix(bytes, 16).unwrap().to_be_bytes();
        assert!(!decode(&database, id, bytes).is_empty(), "{line}");
    }
    assert_eq!(log.lines().count() as u64, counts.frames);
    assert_eq!(counts.injected, 0);
}

#[test]
fn what_the_database_makes_of_a_frame_is_what_the_vehicle_meant() {
    let shown = Shown {
        engine_rpm: 2_345.25,
        torque_nm: -12.3,
        speed_kmh: 51.27,
        odometer_km: 34_567.891,
        coolant_c: 88.4,
        ..Shown::default()
    };
    for (name, signal, meant) in [
        ("ENGINE_1", "EngineSpeed", shown.engine_rpm),
        ("ENGINE_1", "EngineTorque", shown.torque_nm),
        ("ENGINE_1", "Counter", 5.0),
        ("VEHICLE_1", "VehicleSpeed", shown.speed_kmh),
        ("VEHICLE_1", "Odometer", shown.odometer_km),
        ("TEMPERATURES_1", "CoolantTemp", shown.coolant_c),
    ] {
        let spec = MESSAGES.iter().find(|message| message.name == name).unwrap();
        let value = decode(&database(), spec.id, spec.pack(&shown, 21))[signal];
        assert!((value - meant).abs() < 1e-6, "{name}.{signal}: {value}, meant {meant}");
    }
}

#[test]
fn messages_come_at_their_cycles() {
    let frames = frames(drive(3, 2, 0));
    for message in MESSAGES {
        let times: Vec<i64> =
            frames.iter().filter(|f| f.id == message.id).map(|f| f.ts.micros()).collect();
        let cycle = i64::try_from(message.cycle_ms * 1_000).unwrap();
        assert!(times.len() > 100, "{}: {}", message.name, times.len());
        for pair in times.windows(2) {
            let off = (pair[1] - pair[0] - cycle).abs();
            assert!(off < 3_000, "{}: {off} µs off", message.name);
        }
    }
}

#[test]
fn attacks_change_nothing_but_when_the_vehicles_frames_get_through() {
    let calm = frames(drive(5, 6, 0));
    let mut events = Driving::new(drive(5, 6, 1)).events;
    events.retain(|event| matches!(event.kind, Kind::Attack(_)));
    let mut driving = Driving::with_events(drive(5, 6, 1), events);
    let attacked: Vec<Sent> = std::iter::from_fn(|| driving.next_frame()).collect();
    let injected = attacked.iter().filter(|frame| frame.attack.is_some()).count();
    assert!(injected > 1_000, "{injected}");
    let own = |frames: &[Sent]| -> Vec<[u8; 8]> {
        let own = frames.iter().filter(|f| f.attack.is_none() && f.id == 0x4C1);
        own.map(|frame| frame.bytes).collect()
    };
    // What gets through is what was sent without attacks, in the same order, some of it missing.
    let mut sent = own(&calm).into_iter();
    for frame in own(&attacked) {
        assert!(sent.any(|calm| calm == frame), "{frame:02X?} was never meant");
    }
}

#[test]
fn a_flood_fills_the_bus_and_holds_back_half_of_the_frames() {
    let mut driving = Driving::new(drive(7, 20, 1));
    let frames: Vec<Sent> = std::iter::from_fn(|| driving.next_frame()).collect();
    let (event, inside) = during(&driving, &frames, Kind::Attack(Attack::Flood));
    let millis = (event.to_us - event.from_us) / 1_000;
    let flood = inside.iter().filter(|frame| frame.id == 0).count() as u64;
    assert!(flood > 3 * millis, "{flood} frames in {millis} ms");
    assert!(inside.iter().all(|f| (f.id == 0) == (f.attack == Some(Attack::Flood))));
    let own = inside.len() as u64 - flood;
    assert!(own < millis / 5, "{own} of {} own frames", millis / 3);
    assert!(driving.overwritten() > millis / 10);
}

#[test]
fn a_suspended_message_is_silent_and_a_masqueraded_one_comes_on_time_and_stands_still() {
    let mut driving = Driving::new(drive(7, 20, 1));
    let frames: Vec<Sent> = std::iter::from_fn(|| driving.next_frame()).collect();
    let (event, inside) = during(&driving, &frames, Kind::Attack(Attack::Suspension));
    let target = MESSAGES[event.target.unwrap()].id;
    let late = inside.iter().filter(|frame| frame.id == target).count();
    assert!(late <= 1, "{late} frames of a silenced message");
    let (event, inside) = during(&driving, &frames, Kind::Attack(Attack::Masquerade));
    let spec = &MESSAGES[event.target.unwrap()];
    let forged: Vec<&&Sent> = inside.iter().filter(|frame| frame.id == spec.id).collect();
    let due = (event.to_us - event.from_us) / 1_000 / spec.cycle_ms;
    assert!((forged.len() as u64).abs_diff(due) <= 2, "{} of {due}", forged.len());
    let values: BTreeSet<[u8; 6]> =
        forged[1..forged.len() - 1].iter().map(|f| f.bytes[..6].try_into().unwrap()).collect();
    assert_eq!(values.len(), 1, "values of the moment in which it began");
    assert!(forged[1..].iter().all(|frame| frame.attack == Some(Attack::Masquerade)));
}

#[test]
fn a_replay_repeats_what_was_sent_before_it_beside_the_true_frames() {
    let mut driving = Driving::new(drive(7, 20, 1));
    let frames: Vec<Sent> = std::iter::from_fn(|| driving.next_frame()).collect();
    let (event, inside) = during(&driving, &frames, Kind::Attack(Attack::Replay));
    let id = MESSAGES[event.target.unwrap()].id;
    let begins = START.plus(Duration::from_micros(event.from_us));
    let before: BTreeSet<[u8; 8]> = frames
        .iter()
        .filter(|frame| frame.id == id && frame.ts < begins)
        .map(|frame| frame.bytes)
        .collect();
    let replayed: Vec<_> = inside.iter().filter(|f| f.attack.is_some()).collect();
    assert!(replayed.len() > 100, "{}", replayed.len());
    assert!(replayed.iter().all(|frame| frame.id == id && before.contains(&frame.bytes)));
    let own = inside.iter().filter(|f| f.attack.is_none() && f.id == id).count();
    assert!(own.abs_diff(replayed.len()) < own / 10, "{own} true, {} not", replayed.len());
}

#[test]
fn injected_lines_are_those_of_the_attacks_and_labels_tell_when() {
    let (files, counts) = written(drive(9, 20, 1));
    let log = String::from_utf8(files["vehicle.log"].clone()).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len() as u64, counts.frames);
    let injected = String::from_utf8(files["injected.csv"].clone()).unwrap();
    assert_eq!(injected.lines().count() as u64, counts.injected + 1);
    for row in injected.lines().skip(1) {
        let (line, attack) = row.split_once(',').unwrap();
        let line = lines[line.parse::<usize>().unwrap() - 1];
        assert_eq!(attack == "flood", line.contains(" 000#"), "{row}: {line}");
    }
    let labels = Driving::new(drive(9, 20, 1)).labels();
    for kind in Kind::ALL {
        let own = |label: &&Label| label.kind == kind.name();
        assert_eq!(labels.iter().filter(own).count(), 1, "{kind:?}");
    }
}
