//! Scenarios: weeks of a plant's life from a seed, with everything in it that is not a fault and
//! everything that is.
//!
//! SC-1 The same scenario gives the same schedule.
//! SC-2 How the plant is worked does not depend on its faults: without them it is the same life.
//! SC-3 A fault sets in while its machine runs, has run for 45 minutes, and is not worked on; it
//!      ends before the next stop; no two faults of the plant are nearer than `apart`.

use std::time::Duration;

use signals::Timestamp;

use super::Device;
use super::fault::{Fault, FaultKind, Profile};
use super::noise::Gauss;
use super::operation::{Ageing, LoadStep, Maintenance, Operation, Product, Regime};
use super::schedule::{PlannedStop, Schedule};

const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_hours(7 * 24);
const HOUR: Duration = Duration::from_hours(1);
/// Scenarios begin before the recording does: its first hour has a past.
const BEFORE: Duration = Duration::from_hours(2);
/// A machine has run for this long when a fault sets in.
const SETTLED: Duration = Duration::from_mins(45);
/// And goes on for this long after it.
const AFTER: Duration = Duration::from_mins(15);
/// Faults are at least this far apart, where there is room.
const APART: Duration = Duration::from_hours(3);
/// Places looked at for a fault.
const TRIES: u32 = 2_000;
const MAINTENANCE: [(&[Device], &str); 3] = [
    (&[Device::Pump, Device::Exchanger], "plates and strainer cleaned"),
    (&[Device::Compressor], "air filter changed, oil cooler blown out"),
    (&[Device::Boiler], "burner serviced, heating surfaces brushed"),
];

/// Weeks of a plant's life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scenario {
    /// Everything follows from it.
    pub seed: u64,
    /// When it begins.
    pub start: Timestamp,
    /// How long it lasts; at most ten years.
    pub length: Duration,
    /// Time at the beginning without a fault.
    pub clean: Duration,
    /// How often each of [`FaultKind::ALL`] is wanted. Where there is no room for one that keeps
    /// SC-3 it is left out.
    pub faults_per_kind: u32,
}

impl Scenario {
    /// A scenario whose first tenth is without faults, and then two of each kind.
    #[must_use]
    pub fn new(seed: u64, start: Timestamp, length: Duration) -> Self {
        let length = length.min(3_653 * DAY);
        Self { seed, start, length, clean: length / 10, faults_per_kind: 2 }
    }

    /// When it ends.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.start.plus(self.length)
    }

    /// What befalls the plant, and how it is worked.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        let maintenance = self.maintenance();
        let stops = self.stops(&maintenance);
        let mut sensors = Gauss::new(self.seed, 21);
        let mut worst = || 2.0 * sensors.uniform() - 1.0;
        let operation = Operation {
            new_at: self.start.minus(BEFORE),
            ageing: Ageing {
                flow_meter: worst(),
                pressure: worst(),
                o2_cell: worst(),
                thermometer: worst(),
            },
            products: self.products(),
            loads: self.loads(),
            maintenance,
        };
        let calm = Schedule::none().with_stops(stops.clone()).worked_by(operation.clone());
        Schedule::at(self.faults(&calm)).with_stops(stops).worked_by(operation)
    }

    /// Mondays, 00:00 UTC, of all weeks that the scenario touches.
    fn mondays(&self) -> impl Iterator<Item = Timestamp> {
        // The Unix epoch was a Thursday: three days after a Monday.
        let shift = 3 * DAY;
        let first = self.start.minus(BEFORE).plus(shift).floor(WEEK).minus(shift);
        let end = self.end();
        (0..).map(move |week| first.plus(week * WEEK)).take_while(move |monday| *monday < end)
    }

    /// Wednesdays at nine one of the machines is worked on, in turn.
    fn maintenance(&self) -> Vec<Maintenance> {
        let mut dice = Gauss::new(self.seed, 22);
        let mut works = Vec::new();
        let turns = MAINTENANCE.iter().cycle();
        for ((order, monday), (devices, what)) in (1..).zip(self.mondays()).zip(turns) {
            let from = monday.plus(2 * DAY + 9 * HOUR + part(HOUR, dice.uniform()));
            let to = from.plus(90 * MINUTE + part(HOUR, dice.uniform()));
            works.extend(devices.iter().map(|device| Maintenance {
                device: *device,
                from,
                to,
                tag: format!("WO-{order:04} {what}"),
            }));
        }
        works
    }

    fn stops(&self, maintenance: &[Maintenance]) -> Vec<PlannedStop> {
        let mut dice = Gauss::new(self.seed, 23);
        let mut stops = Vec::new();
        let process = [Device::Pump, Device::Exchanger];
        for monday in self.mondays() {
            let from = monday.plus(5 * DAY + 6 * HOUR + part(20 * MINUTE, dice.uniform()));
            let to = monday.plus(6 * DAY + 22 * HOUR + part(20 * MINUTE, dice.uniform()));
            stops.extend(process.map(|device| PlannedStop { device, from, to }));
            // Steam is wanted before the product.
            let to = to.minus(30 * MINUTE);
            stops.push(PlannedStop { device: Device::Boiler, from, to });
        }
        for Maintenance { device, from, to, .. } in maintenance {
            let to = from.plus(to.since(*from) * 3 / 4);
            stops.push(PlannedStop { device: *device, from: *from, to });
        }
        // Short ones that nobody plans: something jams, somebody presses a button.
        let mut at = self.start;
        loop {
            at = at.plus(part(60 * HOUR, -(1.0 - dice.uniform()).ln()));
            let to = at.plus(4 * MINUTE + part(20 * MINUTE, dice.uniform()));
            let which = dice.uniform();
            if at >= self.end() {
                return stops;
            }
            let stop = |device| PlannedStop { device, from: at, to };
            match which {
                chance if chance < 0.6 => stops.extend(process.map(stop)),
                chance if chance < 0.8 => stops.push(stop(Device::Boiler)),
                _ => stops.push(stop(Device::Compressor)),
            }
        }
    }

    /// Campaigns of 10 to 36 hours, never two of one product in a row.
    fn products(&self) -> Vec<(Timestamp, Product)> {
        let mut dice = Gauss::new(self.seed, 24);
        let mut at = self.start.minus(BEFORE);
        let mut product = Product::A;
        let mut products = Vec::new();
        while at < self.end() {
            products.push((at, product));
            at = at.plus(10 * HOUR + part(26 * HOUR, dice.uniform()));
            let first = dice.uniform() < 0.5;
            product = match (product, first) {
                (Product::B, true) | (Product::C, false) => Product::A,
                (Product::A | Product::C, true) => Product::B,
                (Product::A | Product::B, false) => Product::C,
            };
        }
        products
    }

    /// Every few hours some more or some less is wanted for a while.
    fn loads(&self) -> Vec<LoadStep> {
        let mut dice = Gauss::new(self.seed, 25);
        let mut at = self.start;
        let mut loads = Vec::new();
        loop {
            at = at.plus(10 * MINUTE + part(3 * HOUR, -(1.0 - dice.uniform()).ln()));
            let to = at.plus(20 * MINUTE + part(100 * MINUTE, dice.uniform()));
            let size = 0.05 + 0.07 * dice.uniform();
            let ratio = 1.0 + if dice.uniform() < 0.55 { -size } else { size };
            if at >= self.end() {
                return loads;
            }
            loads.push(LoadStep { from: at, to, ratio });
            at = to;
        }
    }

    fn faults(&self, calm: &Schedule) -> Vec<Fault> {
        let mut dice = Gauss::new(self.seed, 26);
        let open = self.length.saturating_sub(self.clean);
        let kinds = u32::try_from(FaultKind::ALL.len()).unwrap_or(u32::MAX);
        let wanted = kinds.saturating_mul(self.faults_per_kind).max(1);
        let apart = APART.min(open / wanted / 4);
        let mut faults: Vec<Fault> = Vec::new();
        for kind in (0..self.faults_per_kind).flat_map(|_| FaultKind::ALL) {
            let fits = |fault: &Fault| {
                let near = |other: &Fault| {
                    fault.onset < other.end.plus(apart) && other.onset < fault.end.plus(apart)
                };
                fault.end < self.end() && !faults.iter().any(near) && runs(calm, fault)
            };
            let placed = (0..TRIES)
                .map(|_| {
                    let onset = self.start.plus(self.clean).plus(part(open, dice.uniform()));
                    fault(kind, onset.floor(Duration::from_secs(1)), &mut dice)
                })
                .find(|fault| fits(fault));
            faults.extend(placed);
        }
        faults
    }
}

const MINUTE: Duration = Duration::from_mins(1);

/// A share of a span.
fn part(span: Duration, share: f64) -> Duration {
    span.mul_f64(share.clamp(0.0, 100.0))
}

/// A fault of a kind, of random severity and length.
fn fault(kind: FaultKind, onset: Timestamp, dice: &mut Gauss) -> Fault {
    let (profile, least_min, most_min) = match kind {
        FaultKind::BearingWear | FaultKind::FlowSensorDrift => (Profile::Growing, 240, 540),
        FaultKind::SuctionBlocked | FaultKind::LoopOscillation => (Profile::Sudden, 30, 120),
        FaultKind::DischargeBlocked | FaultKind::NetLeak => (Profile::Sudden, 20, 75),
        FaultKind::VibrationSensorStuck
        | FaultKind::PressureSensorBias
        | FaultKind::ValveStiction
        | FaultKind::DeadTime
        | FaultKind::SensorSpikes => (Profile::Sudden, 60, 200),
        FaultKind::CouplingLost => (Profile::Sudden, 10, 30),
        FaultKind::ExcessAir => (Profile::Growing, 60, 180),
        FaultKind::FeedwaterLoss => (Profile::Sudden, 8, 20),
        FaultKind::CoolerFailure => (Profile::Sudden, 30, 90),
        FaultKind::SensorNoise => (Profile::Intermittent, 60, 240),
        FaultKind::FoulingStep => (Profile::Sudden, 120, 360),
    };
    let lasting = least_min * MINUTE + part((most_min - least_min) * MINUTE, dice.uniform());
    let lasting = Duration::from_secs(lasting.as_secs());
    // Half a feedwater pump is enough for most loads: that would be no fault.
    let least = if kind == FaultKind::FeedwaterLoss { 0.85 } else { 0.6 };
    let severity = least + (1.0 - least) * dice.uniform();
    Fault { severity, profile, ..Fault::new(kind, onset, lasting) }
}

/// Whether the machine of a fault runs undisturbed from well before it to its end.
fn runs(calm: &Schedule, fault: &Fault) -> bool {
    let device = fault.kind.device();
    let from = fault.onset.minus(SETTLED);
    let to = fault.end.plus(AFTER);
    let meets = |&(begins, ends): &(Timestamp, Timestamp)| begins < to && ends > from;
    let worked_on = calm.operation().is_some_and(|operation| {
        let touches =
            |work: &Maintenance| work.device == device && work.from < to && work.to > from;
        operation.maintenance().iter().any(touches)
    });
    !calm.standstills(device).iter().any(meets)
        && !worked_on
        && calm.regime(device, fault.onset) == Regime::Run
}

#[cfg(test)]
mod tests;
