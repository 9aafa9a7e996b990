//! Recordings: a scenario played through, a row a second, and its labels.
//!
//! R-1 The same scenario gives the same rows, labels and bytes, on one kind of machine: the last
//!     bit of a sine is the system library's.
//! R-2 A row holds what a gateway would have read from the registers at that second.

use std::io::{self, Write};
use std::time::Duration;

use signals::Timestamp;

use crate::labels::{self, Class, Label};
use crate::plant::{Cell, Device, Operation, Plant, Product, Regime, Scenario, Schedule};

const SECOND: Duration = Duration::from_secs(1);

/// A signal of a recording.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The machine.
    pub device: Device,
    /// Name of the tag: `flow`.
    pub tag: &'static str,
    /// Engineering unit; empty for states.
    pub unit: &'static str,
    cell: Cell,
}

impl Column {
    /// Its path: `plant/pump/flow`.
    #[must_use]
    pub fn path(&self) -> String {
        self.device.path(self.tag)
    }
}

/// A scenario as it is played, second by second.
pub struct Recording {
    scenario: Scenario,
    plant: Plant,
    next: Timestamp,
    columns: Vec<Column>,
    row: Vec<f64>,
}

/// What the machines showed at one second.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// When.
    pub ts: Timestamp,
    /// One value for each of [`Recording::columns`], in their units.
    pub values: &'a [f64],
}

/// How much was written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Written {
    /// Seconds.
    pub rows: u64,
    /// Labels of faults.
    pub faults: usize,
}

impl Recording {
    /// Before its first second. An hour and more of warm-up is simulated here: about 20 ms.
    #[must_use]
    pub fn new(scenario: Scenario) -> Self {
        let plant = Plant::with_schedule(scenario.seed, scenario.start, scenario.schedule());
        let columns: Vec<Column> = Device::ALL
            .into_iter()
            .flat_map(|device| device.recorded().iter().map(move |named| (device, *named)))
            .filter_map(|(device, (tag, unit))| {
                let cell = plant.image(device).cell(tag)?;
                Some(Column { device, tag, unit, cell })
            })
            .collect();
        Self { scenario, plant, next: scenario.start, row: vec![0.0; columns.len()], columns }
    }

    /// The signals, machine by machine.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The schedule: faults, stops, regimes, how the plant is worked.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        self.plant.schedule()
    }

    /// The next second; `None` at the end of the scenario. About 15 µs.
    pub fn next_row(&mut self) -> Option<Row<'_>> {
        if self.next >= self.scenario.end() {
            return None;
        }
        let ts = self.next;
        self.plant.advance_to(ts);
        self.next = ts.plus(SECOND);
        for (value, column) in self.row.iter_mut().zip(&self.columns) {
            // Recorded tags are numbers; text is not among them.
            *value = self.plant.image(column.device).at(&column.cell).unwrap_or(f64::NAN);
        }
        Some(Row { ts, values: &self.row })
    }

    /// What is made at `ts`.
    #[must_use]
    pub fn product(&self, ts: Timestamp) -> Product {
        self.schedule().operation().map_or(Product::A, |operation| operation.product(ts))
    }

    /// All labels of the scenario: faults, work, regimes, products and load.
    #[must_use]
    pub fn labels(&self) -> Vec<Label> {
        let schedule = self.schedule();
        let span = (self.scenario.start, self.scenario.end());
        let mut labels: Vec<Label> =
            schedule.labels().iter().map(|f| of_fault(schedule, f)).collect();
        labels.extend(Device::ALL.into_iter().flat_map(|device| regimes(schedule, device, span)));
        if let Some(operation) = schedule.operation() {
            labels.extend(operation_labels(operation, span));
        }
        labels
    }

    /// Plays the rest and writes it as CSV: `signals.csv`, `labels.csv` and a file a machine,
    /// `pump.csv`, each to what `open` gives for its name.
    ///
    /// # Errors
    /// Those of opening and writing.
    pub fn write<W: Write>(
        mut self,
        mut open: impl FnMut(&str) -> io::Result<W>,
    ) -> io::Result<Written> {
        labels::write(&self.labels(), &mut open("labels.csv")?)?;
        self.write_signals(&mut open("signals.csv")?)?;
        let mut sheets = Vec::new();
        for device in Device::ALL {
            let out = open(&format!("{}.csv", device.name()))?;
            sheets.push(Sheet::begin(device, &self.columns, out)?);
        }
        let schedule = self.plant.schedule().clone();
        let faults = schedule.labels().len();
        let mut written = Written { rows: 0, faults };
        let mut stamp = Stamp::default();
        while let Some(row) = self.next_row() {
            let when = stamp.of(row.ts);
            let product = schedule.operation().map_or(Product::A, |op| op.product(row.ts));
            for sheet in &mut sheets {
                let regime = schedule.regime(sheet.device, row.ts);
                sheet.line(when, row.values, (regime, product))?;
            }
            written.rows += 1;
        }
        sheets.iter_mut().try_for_each(|sheet| sheet.out.flush())?;
        Ok(written)
    }

    fn write_signals(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "asset,column,path,unit")?;
        self.columns.iter().try_for_each(|column| {
            let Column { device, tag, unit, .. } = column;
            writeln!(out, "{},{tag},{},{unit}", device.name(), column.path())
        })?;
        out.flush()
    }
}

/// Seconds in RFC 3339; the date is worked out once a day.
#[derive(Default)]
struct Stamp {
    midnight: Option<(Timestamp, String)>,
    text: String,
}

impl Stamp {
    fn of(&mut self, ts: Timestamp) -> &str {
        use std::fmt::Write as _;
        let midnight = ts.floor(Duration::from_hours(24));
        if self.midnight.as_ref().is_none_or(|(known, _)| *known != midnight) {
            self.midnight = Some((midnight, midnight.date()));
        }
        let second = ts.since(midnight).as_secs();
        self.text.clear();
        let date = self.midnight.as_ref().map_or("", |(_, date)| date);
        let (hours, minutes) = (second / 3600, second / 60 % 60);
        write!(self.text, "{date}T{hours:02}:{minutes:02}:{:02}Z", second % 60)
            .expect("a string takes what is written to it");
        &self.text
    }
}

/// The file of one machine.
struct Sheet<W> {
    device: Device,
    /// Places of its columns in a row, and their decimals.
    places: Vec<(usize, usize)>,
    out: W,
}

impl<W: Write> Sheet<W> {
    fn begin(device: Device, columns: &[Column], mut out: W) -> io::Result<Self> {
        let own = || columns.iter().enumerate().filter(|(_, column)| column.device == device);
        write!(out, "ts")?;
        own().try_for_each(|(_, column)| write!(out, ",{}", column.tag))?;
        writeln!(out, ",regime,product")?;
        let places = own().map(|(place, column)| (place, column.cell.decimals())).collect();
        Ok(Self { device, places, out })
    }

    fn line(&mut self, when: &str, row: &[f64], told: (Regime, Product)) -> io::Result<()> {
        self.out.write_all(when.as_bytes())?;
        for &(place, decimals) in &self.places {
            let value = row.get(place).copied().unwrap_or(f64::NAN);
            write!(self.out, ",{value:.decimals$}")?;
        }
        writeln!(self.out, ",{},{}", told.0.code(), told.1.code())
    }
}

fn of_fault(schedule: &Schedule, fault: &crate::plant::Fault) -> Label {
    let device = fault.kind.device();
    let tag = schedule.operation().and_then(|operation| operation.work(device, fault.onset));
    Label {
        also: fault.kind.also_felt_by().iter().map(|felt| felt.name().to_owned()).collect(),
        signals: fault.signals.clone(),
        severity: Some(fault.severity),
        profile: fault.profile.name(),
        regime: schedule.regime(device, fault.onset).name().to_owned(),
        maintenance: tag.map_or(String::new(), |work| work.tag.clone()),
        ..Label::new(Class::Fault, fault.kind.name(), device.name(), (fault.onset, fault.end))
    }
}

/// A label for each time that a machine was about one thing.
fn regimes(schedule: &Schedule, device: Device, span: (Timestamp, Timestamp)) -> Vec<Label> {
    let mut edges = vec![span.0];
    for (from, to) in schedule.standstills(device) {
        edges.extend([*from, *to, schedule.started(*to)]);
    }
    for work in schedule.operation().map_or(&[][..], Operation::maintenance) {
        edges.extend([work.from, work.to]);
    }
    edges.retain(|edge| span.0 <= *edge && *edge < span.1);
    edges.sort_unstable();
    edges.dedup();
    let mut labels: Vec<Label> = Vec::new();
    for edge in edges {
        let regime = schedule.regime(device, edge).name();
        if labels.last().is_some_and(|last| last.kind == regime) {
            continue;
        }
        if let Some(last) = labels.last_mut() {
            last.end = edge;
        }
        labels.push(Label::new(Class::Regime, regime, device.name(), (edge, span.1)));
    }
    labels
}

fn operation_labels(operation: &Operation, span: (Timestamp, Timestamp)) -> Vec<Label> {
    let cut = |from: Timestamp, to: Timestamp| (from.max(span.0), to.min(span.1));
    let works = operation.maintenance().iter().map(|work| Label {
        maintenance: work.tag.clone(),
        ..Label::new(Class::Maintenance, "work", work.device.name(), cut(work.from, work.to))
    });
    let nexts = operation.products().iter().skip(1).map(|(from, _)| *from).chain([span.1]);
    let products = operation.products().iter().zip(nexts).map(|((from, product), next)| {
        Label::new(Class::Product, product.name(), "plant", cut(*from, next))
    });
    let loads = operation.loads().iter().map(|load| {
        let ratio = format!("{:.3}", load.ratio);
        Label::new(Class::Load, &ratio, "plant", cut(load.from, load.to))
    });
    works.chain(products).chain(loads).filter(|label| label.start < label.end).collect()
}

#[cfg(test)]
mod tests;
