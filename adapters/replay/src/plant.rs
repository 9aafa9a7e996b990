//! The simulated plant: a pump, a steam boiler, a screw compressor and a heat exchanger that obey
//! physics and a seed.
//!
//! Pure: no clock, no socket, no thread. [`crate::server`] puts it behind Modbus TCP.
//!
//! P-1 Time passes in steps of 250 ms; what the registers show at a time depends on seed, start
//!     and schedule alone, not on how often or in which strides somebody asked.
//! P-2 Randomness does not depend on faults: two plants of one seed, one of them with a fault,
//!     differ by the fault's consequences only.
//! P-3 Unless it is worked by a [`Scenario`], the pump's load is stationary over a few minutes:
//!     what is normal can be learned from half an hour.

mod boiler;
mod chacha;
mod compressor;
mod exchanger;
mod fault;
pub(crate) mod noise;
mod operation;
mod pump;
mod registers;
mod scenario;
mod schedule;
mod site;

use std::time::Duration;

use serde::Serialize;
use signals::Timestamp;

use noise::Gauss;
use operation::{Orders, Wear, hour_of_day};
use site::{Site, Step};

pub use fault::{Fault, FaultKind, Profile};
pub use operation::{LoadStep, Maintenance, Operation, Product, Regime};
pub use registers::{Cell, Image, Refusal, Table};
pub use scenario::Scenario;
pub use schedule::{PlannedStop, Schedule};

/// The length of a step.
pub const STEP: Duration = Duration::from_millis(250);
/// [`STEP`] in seconds.
const STEP_S: f64 = 0.25;
const STEPS_PER_SECOND: u64 = 4;
/// An hour runs before the start, so that the plant is warm and at work.
const WARM_UP_STEPS: u64 = 3_600 * STEPS_PER_SECOND;
/// The greatest gap that is simulated in one go; after a longer one the plant goes on as if it
/// had been switched off meanwhile. A day costs about 0.3 s.
const CATCH_UP_MAX: Duration = Duration::from_hours(24);

/// A machine of the plant.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// Unit 3.
    Pump,
    /// Unit 17.
    Boiler,
    /// Unit 4.
    Compressor,
    /// Unit 5; not in the demo's configuration.
    Exchanger,
}

impl Device {
    /// All machines.
    pub const ALL: [Self; 4] = [Self::Pump, Self::Boiler, Self::Compressor, Self::Exchanger];

    /// Its Modbus unit id.
    #[must_use]
    pub const fn unit(self) -> u8 {
        match self {
            Self::Pump => 3,
            Self::Boiler => 17,
            Self::Compressor => 4,
            Self::Exchanger => 5,
        }
    }

    /// Its name in the demo's configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pump => "pump",
            Self::Boiler => "boiler",
            Self::Compressor => "compressor",
            Self::Exchanger => "exchanger",
        }
    }

    /// Names and units of the tags that a recording holds.
    pub(crate) const fn recorded(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Pump => pump::RECORDED,
            Self::Boiler => boiler::RECORDED,
            Self::Compressor => compressor::RECORDED,
            Self::Exchanger => exchanger::RECORDED,
        }
    }

    /// The path of one of its tags in the demo's configuration: `plant/pump/flow`.
    #[must_use]
    pub fn path(self, tag: &str) -> String {
        format!("plant/{}/{tag}", self.name())
    }
}

/// The plant: four machines, what they share, and what befalls them.
#[derive(Clone)]
pub struct Plant {
    seed: u64,
    /// Wall time of step 0.
    origin: Timestamp,
    /// Steps since the origin, the warm-up before the start included.
    steps: u64,
    schedule: Schedule,
    orders: Orders,
    wear: Wear,
    site: Site,
    pump: pump::Pump,
    boiler: boiler::Boiler,
    compressor: compressor::Compressor,
    exchanger: exchanger::Exchanger,
    pump_image: Image,
    boiler_image: Image,
    compressor_image: Image,
    exchanger_image: Image,
}

impl Plant {
    /// A plant to which nothing happens, warm and at work at `start`.
    #[must_use]
    pub fn new(seed: u64, start: Timestamp) -> Self {
        Self::with_schedule(seed, start, Schedule::none())
    }

    /// A plant, warm and at work at `start`, with faults and stops to come.
    ///
    /// For a plant with a past, start it earlier than the schedule and let time pass: a second
    /// plant of the same seed, start and schedule then continues the first one's past.
    #[must_use]
    pub fn with_schedule(seed: u64, start: Timestamp, schedule: Schedule) -> Self {
        let warm_up = Duration::from_secs(WARM_UP_STEPS / STEPS_PER_SECOND);
        let mut plant = Self {
            seed,
            origin: start.minus(warm_up),
            steps: 0,
            schedule,
            orders: Orders::USUAL,
            wear: Wear::default(),
            site: Site::new(seed),
            pump: pump::Pump::new(seed),
            boiler: boiler::Boiler::new(seed),
            compressor: compressor::Compressor::new(seed),
            exchanger: exchanger::Exchanger::new(seed),
            pump_image: Image::of(pump::MAP, pump::REGISTERS_MAX),
            boiler_image: Image::of(boiler::MAP, boiler::REGISTERS_MAX),
            compressor_image: Image::of(compressor::MAP, compressor::REGISTERS_MAX),
            exchanger_image: Image::of(exchanger::MAP, exchanger::REGISTERS_MAX),
        };
        plant.advance_to(start);
        plant
    }

    /// The time the registers show: that of the last step.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.at_step(self.steps)
    }

    /// Lets time pass up to `ts`; earlier times change nothing.
    ///
    /// An hour costs about 15 ms. A gap of more than 24 h is not simulated: the plant
    /// goes on at `ts` as if it had been switched off meanwhile.
    pub fn advance_to(&mut self, ts: Timestamp) {
        let gap = ts.since(self.now());
        if gap < STEP {
            return;
        }
        if gap > CATCH_UP_MAX {
            self.origin = ts.minus(self.now().since(self.origin));
        }
        while self.at_step(self.steps + 1) <= ts {
            self.steps += 1;
            self.step();
        }
        self.show();
    }

    /// All faults of the schedule, by onset.
    #[must_use]
    pub fn labels(&self) -> &[Fault] {
        self.schedule.labels()
    }

    /// The schedule.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The registers of a machine.
    #[must_use]
    pub fn image(&self, device: Device) -> &Image {
        match device {
            Device::Pump => &self.pump_image,
            Device::Boiler => &self.boiler_image,
            Device::Compressor => &self.compressor_image,
            Device::Exchanger => &self.exchanger_image,
        }
    }

    /// The registers of the machine with a unit id.
    ///
    /// # Errors
    /// [`Refusal::Unit`] when no machine has it.
    pub fn unit(&self, unit: u8) -> Result<&Image, Refusal> {
        let device = Device::ALL.into_iter().find(|device| device.unit() == unit);
        Ok(self.image(device.ok_or(Refusal::Unit)?))
    }

    /// A block of registers of a unit, as function 1 to 4 reads it; coils and discrete inputs
    /// are 0 or 1.
    ///
    /// # Errors
    /// No such unit, no such register, or more than the device gives at once.
    #[expect(clippy::too_many_arguments, reason = "they are the fields of a Modbus request")]
    pub fn read(&self, unit: u8, table: Table, start: u16, count: u16) -> Result<&[u16], Refusal> {
        self.unit(unit)?.read(table, start, count)
    }

    /// The value of a signal by its path in the demo's configuration, in engineering units and
    /// with the resolution of its register, as the gateway will read it.
    #[must_use]
    pub fn value(&self, path: &str) -> Option<f64> {
        let (device, tag) = path.strip_prefix("plant/")?.split_once('/')?;
        let device = Device::ALL.into_iter().find(|known| known.name() == device)?;
        self.image(device).value(tag)
    }

    fn at_step(&self, step: u64) -> Timestamp {
        self.origin.plus(Duration::from_millis(250 * step))
    }

    fn step(&mut self) {
        let now = self.now();
        let second = self.steps.is_multiple_of(STEPS_PER_SECOND);
        if second {
            if let Some((orders, wear)) = self.schedule.told(now) {
                self.orders.slew(&orders);
                self.wear = wear;
                self.site.weather();
            }
            self.site.second(hour_of_day(now), &self.orders);
        }
        let effects = self.schedule.effects(now);
        let told = |device| Step {
            site: &self.site,
            effects: &effects,
            orders: &self.orders,
            wear: &self.wear,
            stopped: self.schedule.stopped(device, now),
            second,
        };
        self.pump.step(&told(Device::Pump));
        self.boiler.step(&told(Device::Boiler));
        self.compressor.step(&told(Device::Compressor));
        self.exchanger.step(&told(Device::Exchanger), self.pump.flow());
    }

    /// Writes what the sensors show into the registers. The noise belongs to the step, so it
    /// does not matter which steps were looked at before.
    fn show(&mut self) {
        let noise = |stream| {
            let mut noise = Gauss::new(self.seed, stream);
            noise.seek(self.steps);
            noise
        };
        self.pump_image.show(pump::MAP, &self.pump.reading(&mut noise(11)));
        self.boiler_image.show(boiler::MAP, &self.boiler.reading(&mut noise(12)));
        self.compressor_image.show(compressor::MAP, &self.compressor.reading(&mut noise(13)));
        self.exchanger_image.show(exchanger::MAP, &self.exchanger.reading(&mut noise(14)));
    }
}

#[cfg(test)]
mod tests;
