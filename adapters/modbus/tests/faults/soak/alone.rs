//! The process that polls: the lines of the soak and nothing else, so that its memory is theirs.
//!
//! It tells on its standard output, line by line, what it was given by its lines and what it takes
//! of the machine.

use std::alloc::System;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use adapters_modbus::ModbusLine;
use cap::Cap;
use signals::adapter::Intake;
use signals::{Adapter as _, Batch, Clock, Feed, Quality, Stop};

use super::{SLICE, scenario};
use crate::case::{Carrier, Scenario};
use crate::oracle::Offset;
use crate::rig::{Cell, LiveClock, Number, Row, line_of, name_of, number};
use crate::server::Control;

/// Counts what is allocated.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// The test that is this process.
pub(super) const TEST: &str = "soak::alone::lines_of_the_soak";
/// Where the lines lead, and for how many seconds.
pub(super) const PLACES: &str = "FIELDGATE_MODBUS_SOAK_PLACES";
pub(super) const LASTS: &str = "FIELDGATE_MODBUS_SOAK_LASTS";
/// How often memory is looked at for one figure, and the pause between: the least of them counts,
/// which is without the batch that is just being told.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_millis(20);

/// Where one line leads.
pub(super) struct Place {
    pub(super) carrier: Carrier,
    pub(super) address: String,
    pub(super) control: String,
}

/// One thing that the process tells.
pub(super) enum Told {
    Offset(Carrier, Offset),
    /// With the count of its values, of which the good ones are in it.
    Row(Carrier, usize, ToldRow),
    Memory {
        at_s: f64,
        held_kib: f64,
        /// Of its own, and of its files: pages of the program that were run.
        resident_kib: f64,
        file_kib: f64,
        open: usize,
    },
}

/// A row as text.
pub(super) struct ToldRow {
    unit: u8,
    begin: i64,
    end: i64,
    /// Columns and numbers.
    good: Vec<(String, i128)>,
}

impl ToldRow {
    /// With the tags of the scenario that it is of.
    pub(super) fn read(self, scenario: &Scenario) -> Row {
        let own = scenario.polls.iter().filter(|poll| poll.unit == self.unit);
        let tags: Vec<_> = own.flat_map(|poll| &poll.tags).collect();
        let cell = |(column, number): (String, i128)| Cell {
            tag: (*tags.iter().find(|tag| name_of(tag) == column).expect("a column is a tag"))
                .clone(),
            number: Some(Number::Whole(number)),
            quality: Quality::GOOD,
        };
        Row {
            unit: self.unit,
            period: Duration::ZERO,
            begin: self.begin,
            ts: i64::midpoint(self.begin, self.end),
            end: self.end,
            cells: self.good.into_iter().map(cell).collect(),
        }
    }
}

/// `tcp 127.0.0.1:1502 127.0.0.1:1503;…`
pub(super) fn to_text(places: &[Place]) -> String {
    let text =
        |place: &Place| format!("{} {} {}", place.carrier.name(), place.address, place.control);
    places.iter().map(text).collect::<Vec<_>>().join(";")
}

fn carrier(name: &str) -> Option<Carrier> {
    let all = [Carrier::Tcp, Carrier::RtuOverTcp, Carrier::Pty];
    all.into_iter().find(|carrier| carrier.name() == name)
}

/// What a line says; `None` of what is not this process's own.
pub(super) fn read(line: &str) -> Option<Told> {
    let mut words = line.split(' ');
    let kind = words.next()?;
    if kind == "memory" {
        let mut next = || words.next()?.parse::<f64>().ok();
        let (at_s, held_kib, resident_kib, file_kib) = (next()?, next()?, next()?, next()?);
        return Some(Told::Memory {
            at_s,
            held_kib,
            resident_kib,
            file_kib,
            open: words.next()?.parse().ok()?,
        });
    }
    let carrier = carrier(words.next()?)?;
    let mut next = || words.next()?.parse::<i64>().ok();
    match kind {
        "offset" => {
            let (ahead, server_began, error) = (next()?, next()?, next()?);
            Some(Told::Offset(carrier, Offset { ahead, server_began, error }))
        }
        "row" => {
            let (unit, begin, end, values) = (next()?, next()?, next()?, next()?);
            let good = |word: &str| {
                let (column, number) = word.split_once('=').expect("a value has a number");
                (column.to_owned(), number.parse().expect("a whole number"))
            };
            let row = ToldRow {
                unit: u8::try_from(unit).expect("a unit id"),
                begin,
                end,
                good: words.map(good).collect(),
            };
            Some(Told::Row(carrier, usize::try_from(values).expect("a count"), row))
        }
        _ => None,
    }
}

/// Tells rows as they come.
struct Teller {
    carrier: Carrier,
    /// One line, kept for its room.
    line: Mutex<String>,
}

impl Intake for Teller {
    fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        let mut line = self.line.lock().unwrap();
        let unit = batch.table.device().trim_start_matches("unit ");
        let errors = batch.time_errors().expect("rows are asked for");
        for (row, (ts, half)) in batch.timestamps().iter().zip(errors).enumerate() {
            line.clear();
            let (half, signals) = (i64::from(*half), batch.table.signals());
            let (name, begin, end) = (self.carrier.name(), ts - half, ts + half);
            write!(line, "row {name} {unit} {begin} {end} {}", signals.len()).unwrap();
            for (place, signal) in signals.iter().enumerate() {
                let is_flawed = batch
                    .flaws
                    .iter()
                    .any(|flaw| flaw.row as usize == row && usize::from(flaw.signal) == place);
                if let Some(Number::Whole(number)) = number(batch.column(place), row)
                    && !is_flawed
                {
                    write!(line, " {}={number}", signal.column).unwrap();
                }
            }
            tell(&mut line);
        }
        Ok(())
    }
}

/// Writes one line in one go: several threads do.
fn tell(line: &mut String) {
    line.push('\n');
    std::io::stdout().lock().write_all(line.as_bytes()).expect("somebody reads it");
}

/// Resident memory of this process in KiB: its own, and pages of files (the program itself).
fn resident_kib() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let figure = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("a line of status");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    };
    (figure("RssAnon:"), figure("RssFile:"))
}

/// Tells time, allocated and resident memory and descriptors.
fn tell_memory(since: Instant) {
    let look = |_| {
        std::thread::sleep(LOOK);
        HEAP.allocated()
    };
    let held = (0..LOOKS).map(look).min().expect("it looks more than once");
    let open = std::fs::read_dir("/proc/self/fd").expect("Linux lists them").count();
    let (at_s, kib, part) = (since.elapsed().as_secs_f64(), held / 1024, held % 1024 * 1000 / 1024);
    let (own, file) = resident_kib();
    let mut line = format!("memory {at_s:.1} {kib}.{part:03} {own} {file} {open}");
    tell(&mut line);
}

#[test]
#[ignore = "run by the soak in a process of its own, so that its memory is its own"]
fn lines_of_the_soak() {
    let places = std::env::var(PLACES).expect("the soak says where the lines lead");
    let lasts = std::env::var(LASTS).ok().and_then(|text| text.parse().ok()).expect("seconds");
    let (begun, lasts) = (Instant::now(), Duration::from_secs(lasts));
    let stop = Stop::new();
    let run = |place: &str| {
        let mut words = place.split(' ');
        let mut next = || words.next().expect("carrier, address and control port");
        let carrier = carrier(next()).expect("a carrier");
        let (line, _) = line_of(&scenario(carrier), next());
        let (clock, control) = (LiveClock::start(), Control { place: next().to_owned() });
        let Offset { ahead, server_began, error } = Offset::measure(&control, &*clock);
        tell(&mut format!("offset {} {ahead} {server_began} {error}", carrier.name()));
        let feed = Feed {
            intake: Arc::new(Teller { carrier, line: Mutex::default() }),
            clock: clock as Arc<dyn Clock>,
            stop: stop.clone(),
        };
        std::thread::spawn(move || Box::new(ModbusLine::new(line)).run(feed))
    };
    let threads: Vec<_> = places.split(';').map(run).collect();
    for slice in 1.. {
        if begun.elapsed() >= lasts {
            break;
        }
        std::thread::sleep((SLICE * slice).saturating_sub(begun.elapsed()));
        tell_memory(begun);
    }
    stop.raise();
    for thread in threads {
        thread.join().expect("a line does not panic");
    }
}
