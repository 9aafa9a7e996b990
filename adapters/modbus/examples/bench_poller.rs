//! Polls as the gateway does, for the bench: a line into Arrow batches, which are counted.
//!
//! `bench_poller PORT UNITS REGISTERS PERIOD_US [unlike]`: one line, one device a unit, one tag a register.
//! Period 0 asks as fast as the line goes. With `unlike` no two devices have a column of the same name. Runs until its
//! standard input ends, then prints the samples it has taken as JSON.

use std::io::{Read as _, Write as _, stdin, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use adapters_modbus::area::{Address, Area};
use adapters_modbus::config::{Depth, Line};
use adapters_modbus::decode::{Format, RegisterType};
use adapters_modbus::scan::{Limits, Point, Scan};
use adapters_modbus::{ModbusLine, check};
use arrow_array::cast::AsArray as _;
use arrow_array::types::UInt16Type;
use serde_json::json;
use signals::adapter::Intake;
use signals::{
    Adapter as _, Batch, Clock, ClockState, Feed, Signal, Stop, Table, Timestamp, ValueType,
};

/// The word that makes all columns differ.
const UNLIKE: &str = "unlike";
/// Requests on their way at once.
const DEPTH: u8 = 16;

fn main() -> Result<(), Failure> {
    let words = std::env::args().skip(1).filter(|word| word != UNLIKE);
    let words = words.map(|word| word.parse::<u32>()).collect::<Result<Vec<u32>, _>>()?;
    let [port, units, registers, period_us] = words.as_slice() else {
        return Err("usage: bench_poller PORT UNITS REGISTERS PERIOD_US [unlike]".into());
    };
    // Shorter than any line is: every slot is due when the last one is done.
    let period_us = if *period_us == 0 { 1000 } else { *period_us };
    let period = Duration::from_micros(u64::from(period_us));
    let line = line(*port, *units, u16::try_from(*registers)?, period)?;
    let line = ModbusLine::new(line);
    let tally = Arc::new(Tally::default());
    let (stop, health) = (Stop::new(), line.health());
    let feed = Feed {
        intake: Arc::clone(&tally) as Arc<dyn Intake>,
        clock: Arc::new(Running(Instant::now())),
        stop: stop.clone(),
    };
    let polling = std::thread::spawn(move || Box::new(line).run(feed));
    let mut nothing = Vec::new();
    stdin().read_to_end(&mut nothing)?;
    stop.raise();
    polling.join().map_err(|_| "the line has panicked")?;
    let missed: u64 = health.iter().map(|health| health.vitals().missed).sum();
    let counted = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let (batches, rows) = (counted(&tally.batches), counted(&tally.rows));
    let (good, wrong) = (counted(&tally.good), counted(&tally.wrong));
    let told = json!({
        "batches": batches, "rows": rows, "good": good, "wrong": wrong, "missed": missed,
    });
    writeln!(stdout(), "{told}")?;
    Ok(())
}

type Failure = Box<dyn std::error::Error>;

/// A line with `units` devices, each of `registers` tags.
fn line(port: u32, units: u32, registers: u16, period: Duration) -> Result<Line, Failure> {
    let host = format!("127.0.0.1:{port}");
    let line = serde_json::from_value(json!({ "name": "bench", "host": host }))?;
    let device = |unit: u32| {
        let tag = json!({ "name": "tag", "at": "holding:0", "type": "u16" });
        let name = format!("unit{unit:03}");
        serde_json::from_value(json!({
            "name": name, "line": "bench", "unit": unit, "timeout": "500 ms", "tag": [tag],
        }))
    };
    let devices = (1..=units).map(device).collect::<Result<Vec<_>, _>>()?;
    let lines = check(vec![line], devices, "bench").map_err(|mistakes| format!("{mistakes:?}"))?;
    let mut line = lines.into_iter().next().ok_or("a line was asked for")?;
    line.pipeline = Depth::Fixed(DEPTH);
    for device in &mut line.devices {
        device.scans = vec![scan(&device.name, registers, period)?];
    }
    Ok(line)
}

/// What is read of a device: its holding registers from 0 on, one tag each.
///
/// Built by hand because a configuration knows no period below 10 ms.
fn scan(device: &str, registers: u16, period: Duration) -> Result<Scan, Failure> {
    let is_unlike = std::env::args().any(|word| word == UNLIKE);
    let signal = |register: u16| {
        let of = if is_unlike { device } else { "register" };
        let column = format!("{of}_{register:05}");
        let mut signal = Signal::new(format!("bench/{device}/{column}"), column, ValueType::U16);
        signal.unit = Some("bar".to_owned());
        signal.source = format!("holding:{register} u16");
        signal
    };
    let signals = (0..registers).map(signal).collect();
    let table = Table::of_signals(format!("{device}_poll"), device, false, signals)?;
    let points = (0..registers)
        .map(|offset| {
            Point::new(Address { area: Area::Holding, offset }, Format::new(RegisterType::U16))
        })
        .collect();
    let limits = Limits::default();
    Ok(Scan::new(table, period, points, &limits))
}

/// Counts what arrives, and looks at one value of each batch.
#[derive(Default)]
struct Tally {
    batches: AtomicU64,
    rows: AtomicU64,
    good: AtomicU64,
    wrong: AtomicU64,
}

impl Intake for Tally {
    fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        let rows = batch.rows.num_rows();
        let signals = batch.table.signals().len();
        let good = rows * signals - batch.flaws.len();
        let add = |count: &AtomicU64, more: usize| {
            count.fetch_add(u64::try_from(more).unwrap_or(u64::MAX), Ordering::Relaxed);
        };
        add(&self.batches, 1);
        add(&self.rows, rows);
        add(&self.good, good);
        add(&self.wrong, usize::from(!is_right(&batch)));
        Ok(())
    }
}

/// Whether the last value of a batch is the one its unit has there; a flaw is not wrong.
fn is_right(batch: &Batch) -> bool {
    let place = batch.table.signals().len() - 1;
    let unit = batch.table.name().get(4..7).and_then(|unit| unit.parse::<usize>().ok());
    let words = batch.column(place).as_primitive::<UInt16Type>();
    let Some(word) = words.iter().next_back().flatten() else { return true };
    unit.is_some_and(|unit| usize::from(word) == (place * 7 + unit * 257) % 65_536)
}

/// Time of the machine, from an arbitrary wall time on.
struct Running(Instant);

impl Clock for Running {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000).plus(self.0.elapsed())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn state(&self) -> ClockState {
        ClockState::Synced
    }
}
