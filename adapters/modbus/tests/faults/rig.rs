//! A line at work against a fault server, and everything it says written down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use adapters_modbus::config::{Depth, Line, Serial, Transport};
use adapters_modbus::write::DeskHandle;
use adapters_modbus::{DeviceConfig, LineConfig, ModbusLine, TagConfig, check};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::DataType;
use signals::adapter::Intake;
use signals::{Adapter as _, Batch, Clock, ClockState, Feed, Quality, Stop, Timestamp};

use crate::case::{Act, Carrier, Polled, Scenario};
use crate::writes;

/// A clock that starts at the time of this machine and then never steps: a join of two journals
/// must not depend on who corrects the machine's clock meanwhile.
pub(crate) struct LiveClock {
    start: Timestamp,
    since: Instant,
}

impl LiveClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that others take")]
    pub(crate) fn start() -> Arc<Self> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let micros = i64::try_from(since.as_micros()).expect("before the year 294441");
        Arc::new(Self { start: Timestamp::from_micros(micros), since: Instant::now() })
    }
}

impl Clock for LiveClock {
    fn now(&self) -> Timestamp {
        self.start.plus(self.since.elapsed())
    }

    fn monotonic(&self) -> Duration {
        self.since.elapsed()
    }

    fn state(&self) -> ClockState {
        ClockState::Synced
    }
}

/// A number out of a column, exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Whole(i128),
    Real(f64),
}

/// One value of a row.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) tag: Polled,
    pub(crate) number: Option<Number>,
    pub(crate) quality: Quality,
}

/// One row, with the span in which it says that it was asked and answered. Microseconds on the wall
/// clock.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) unit: u8,
    pub(crate) period: Duration,
    pub(crate) begin: i64,
    pub(crate) ts: i64,
    pub(crate) end: i64,
    pub(crate) cells: Vec<Cell>,
}

/// Where the batches of a line go.
#[derive(Default)]
pub(crate) struct Recorder {
    batches: Mutex<Vec<Batch>>,
}

impl Intake for Recorder {
    fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        self.batches.lock().unwrap().push(batch);
        Ok(())
    }
}

/// What a device of the rig is made of.
pub(crate) struct Made {
    unit: u8,
    tags: Vec<Polled>,
}

/// A line at work.
pub(crate) struct Rig {
    recorder: Arc<Recorder>,
    pub(crate) clock: Arc<LiveClock>,
    pub(crate) desk: DeskHandle,
    /// By the name of the device.
    made: BTreeMap<String, Made>,
    /// By the name of the table.
    periods: BTreeMap<String, Duration>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Rig {
    /// Polls as the scenario says, over its carrier, at `address`.
    pub(crate) fn run(scenario: &Scenario, address: &str) -> Self {
        let clock = LiveClock::start();
        let (mut line, made) = line_of(scenario, address);
        let desk = writes::allow(scenario, &mut line, Arc::clone(&clock) as Arc<dyn Clock>);
        let scans = line.devices.iter().flat_map(|device| &device.scans);
        let periods = scans.map(|scan| (scan.table().name().to_owned(), scan.period())).collect();
        let adapter = ModbusLine::new(line).with_desk(desk.clone());
        let recorder = Arc::new(Recorder::default());
        let stop = Stop::new();
        let feed = Feed {
            intake: Arc::clone(&recorder) as Arc<dyn Intake>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            stop: stop.clone(),
        };
        let thread = std::thread::spawn(move || Box::new(adapter).run(feed));
        Self { recorder, clock, desk, made, periods, stop, thread: Some(thread) }
    }

    /// Ends the line and gives its rows.
    pub(crate) fn finish(mut self) -> Vec<Row> {
        self.end();
        let batches = std::mem::take(&mut *self.recorder.batches.lock().unwrap());
        batches.iter().flat_map(|batch| self.rows_of(batch)).collect()
    }

    fn end(&mut self) {
        self.stop.raise();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("a line does not panic");
        }
    }

    fn rows_of(&self, batch: &Batch) -> Vec<Row> {
        let made = &self.made[batch.table.device()];
        let signals = batch.table.signals();
        let (times, errors) =
            (batch.timestamps(), batch.time_errors().expect("rows are asked for"));
        let row = |(row, ts): (usize, &i64)| {
            let cell = |(place, signal): (usize, signals::SignalRef<'_>)| {
                let tag = made.tags.iter().find(|tag| name_of(tag) == signal.column);
                let flaw = batch
                    .flaws
                    .iter()
                    .find(|flaw| flaw.row as usize == row && usize::from(flaw.signal) == place);
                Cell {
                    tag: tag.expect("a column is one of the tags").clone(),
                    number: number(batch.column(place), row),
                    quality: flaw.map_or(Quality::GOOD, |flaw| flaw.quality),
                }
            };
            let half = i64::from(errors[row]);
            Row {
                unit: made.unit,
                period: self.periods[batch.table.name()],
                begin: ts - half,
                ts: *ts,
                end: ts + half,
                cells: signals.iter().enumerate().map(cell).collect(),
            }
        };
        times.iter().enumerate().map(row).collect()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.end();
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "Arrow has more types than scenarios")]
pub(crate) fn number(column: &ArrayRef, row: usize) -> Option<Number> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Boolean => Number::Whole(column.as_boolean().value(row).into()),
        DataType::UInt8 => Number::Whole(column.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Number::Whole(column.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Number::Whole(column.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => Number::Whole(column.as_primitive::<UInt64Type>().value(row).into()),
        DataType::Int16 => Number::Whole(column.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Number::Whole(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Number::Whole(column.as_primitive::<Int64Type>().value(row).into()),
        DataType::Float32 => Number::Real(column.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => Number::Real(column.as_primitive::<Float64Type>().value(row)),
        other => panic!("{other} is no column of a scenario"),
    })
}

pub(crate) fn name_of(tag: &Polled) -> String {
    format!("{}_{}", tag.table, tag.address)
}

fn millis(span: Duration) -> String {
    format!("{} ms", span.as_millis())
}

/// The line of a scenario, as the configuration would make it.
pub(crate) fn line_of(scenario: &Scenario, address: &str) -> (Line, BTreeMap<String, Made>) {
    let raw_line = LineConfig {
        name: Some("line".to_owned()),
        host: Some("127.0.0.1:502".to_owned()),
        connect_timeout: Some("1 s".to_owned()),
        request_gap: gap_of(scenario).map(millis),
        ..LineConfig::default()
    };
    let mut devices: BTreeMap<String, DeviceConfig> = BTreeMap::new();
    let mut made: BTreeMap<String, Made> = BTreeMap::new();
    let device_of = |unit: u8| DeviceConfig {
        name: Some(format!("unit {unit}")),
        line: Some("line".to_owned()),
        unit: Some(unit.into()),
        allow_reserved_unit: Some(true),
        ..DeviceConfig::default()
    };
    for step in &scenario.script {
        if let Act::Write(write) = &step.act {
            let unit = writes::unit_of(write);
            devices.entry(format!("unit {unit}")).or_insert_with(|| device_of(unit));
        }
    }
    for poll in &scenario.polls {
        let name = format!("unit {}", poll.unit);
        let device = devices.entry(name.clone()).or_insert_with(|| device_of(poll.unit));
        // A timeout is shorter than its period: slots are not waited over.
        device.timeout = Some(millis(poll.timeout.min(poll.period * 4 / 5)));
        let made = made.entry(name).or_insert_with(|| Made { unit: poll.unit, tags: Vec::new() });
        if !made.tags.is_empty() && poll.is_span {
            // Several spans of one table are meant to stay several requests.
            let longest = made.tags.len().max(poll.tags.len());
            device.max_registers = Some(i64::try_from(longest).unwrap());
        }
        for tag in &poll.tags {
            device.tag.push(TagConfig {
                name: Some(name_of(tag)),
                at: Some(format!("{}:{}", tag.table, tag.address)),
                r#type: Some(tag.kind.clone()),
                order: (tag.words > 1).then(|| tag.order.clone()),
                every: Some(millis(poll.period)),
                ..TagConfig::default()
            });
            made.tags.push(tag.clone());
        }
    }
    let checked = check(vec![raw_line], devices.into_values().collect(), "site");
    let mut line =
        checked.unwrap_or_else(|mistakes| panic!("{}: {mistakes:?}", scenario.name)).remove(0);
    line.transport = transport_of(scenario, address);
    let depth = scenario.polls.iter().map(|poll| poll.pipeline).max().unwrap_or(1);
    line.pipeline = Depth::Fixed(depth);
    (line, made)
}

/// The pause that the devices need and that is declared for the line.
fn gap_of(scenario: &Scenario) -> Option<Duration> {
    let units = scenario.server["units"].as_object()?;
    let gap = units.values().filter_map(|unit| unit["limits"]["min_gap_ms"].as_u64()).max()?;
    Some(Duration::from_millis(gap))
}

fn transport_of(scenario: &Scenario, address: &str) -> Transport {
    // A pseudo terminal has no speed of its own; a line model has.
    let baud = scenario.server["line"]["baud"].as_u64().unwrap_or(115_200);
    let serial = Serial {
        baud: u32::try_from(baud).expect("a baud rate"),
        local_echo: scenario.has_local_echo(),
        ..Serial::default()
    };
    let host = address.to_owned();
    match scenario.carrier {
        Carrier::Tcp => Transport::Tcp { host },
        Carrier::RtuOverTcp => Transport::RtuOverTcp { host },
        Carrier::Pty => Transport::Rtu { port: address.into(), serial },
    }
}
