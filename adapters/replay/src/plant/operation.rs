//! How a plant is worked: products, load, shifts, maintenance, season and wear.
//!
//! O-1 Orders and wear are functions of the time alone.

use std::time::Duration;

use serde::Serialize;
use signals::Timestamp;

use super::Device;

const DAY: Duration = Duration::from_hours(24);
const YEAR_DAYS: f64 = 365.25;
/// Days from the beginning of a year to the middle of spring.
const SPRING_DAY: f64 = 110.0;
/// Difference between the year's mean and the warmest day, K.
const SEASON_K: f64 = 8.0;
/// What a change of product takes.
pub(crate) const CHANGEOVER: Duration = Duration::from_mins(12);

/// What a machine is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// It stands still.
    Stop,
    /// It was told to start less than 15 min ago.
    Start,
    /// It works.
    Run,
    /// Somebody works on it, whether it turns or not.
    Maintenance,
}

impl Regime {
    /// Its name in labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Run => "run",
            Self::Maintenance => "maintenance",
        }
    }

    /// Its number in recordings: 0 stop, 1 start, 2 run, 3 maintenance.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// What is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Product {
    /// The usual one.
    A,
    /// More of it, less hot.
    B,
    /// Less of it, hotter, and it may stay warmer.
    C,
}

impl Product {
    /// All products.
    pub const ALL: [Self; 3] = [Self::A, Self::B, Self::C];

    /// Its name in labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::C => "c",
        }
    }

    /// Its number in recordings, from 1.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8 + 1
    }

    const fn orders(self) -> Orders {
        let usual = Orders::USUAL;
        match self {
            Self::A => usual,
            Self::B => Orders {
                pump_speed_pct: 8.0,
                steam_ratio: 1.12,
                air_ratio: 0.92,
                product_kgs: 10.5,
                product_in_c: 74.0,
                ..usual
            },
            Self::C => Orders {
                pump_speed_pct: -9.0,
                steam_ratio: 0.85,
                air_ratio: 1.1,
                product_kgs: 7.0,
                product_in_c: 84.0,
                product_out_c: 48.0,
                ..usual
            },
        }
    }
}

/// What the machines are told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Orders {
    /// Speed of the pump above its mean, % of full speed.
    pub(crate) pump_speed_pct: f64,
    /// Demand for steam over the usual.
    pub(crate) steam_ratio: f64,
    /// Demand for air over the usual.
    pub(crate) air_ratio: f64,
    /// Product through the exchanger, kg/s.
    pub(crate) product_kgs: f64,
    /// Product before the exchanger, °C.
    pub(crate) product_in_c: f64,
    /// Wanted behind the exchanger, °C.
    pub(crate) product_out_c: f64,
    /// Air temperature above the year's mean, K.
    pub(crate) season_k: f64,
}

impl Orders {
    /// Those of a plant that is worked alike for ever.
    pub(crate) const USUAL: Self = Self {
        pump_speed_pct: 0.0,
        steam_ratio: 1.0,
        air_ratio: 1.0,
        product_kgs: 9.0,
        product_in_c: 78.0,
        product_out_c: 42.0,
        season_k: 0.0,
    };

    /// At another load; 1 changes nothing.
    fn at_load(self, ratio: f64) -> Self {
        Self {
            pump_speed_pct: self.pump_speed_pct + 60.0 * (ratio - 1.0),
            steam_ratio: self.steam_ratio * ratio,
            air_ratio: self.air_ratio * f64::midpoint(1.0, ratio),
            product_kgs: self.product_kgs * ratio,
            ..self
        }
    }

    /// A second's way from here towards `to`: nobody turns a plant round at once.
    pub(crate) fn slew(&mut self, to: &Self) {
        const SHARE: f64 = 1.0 / 45.0;
        let pairs = [
            (&mut self.pump_speed_pct, to.pump_speed_pct),
            (&mut self.steam_ratio, to.steam_ratio),
            (&mut self.air_ratio, to.air_ratio),
            (&mut self.product_kgs, to.product_kgs),
            (&mut self.product_in_c, to.product_in_c),
            (&mut self.product_out_c, to.product_out_c),
            (&mut self.season_k, to.season_k),
        ];
        for (value, target) in pairs {
            *value += SHARE * (target - *value);
        }
    }
}

/// How far the machines are from clean and new. All zero for a plant that does not age.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Wear {
    /// Resistance that the suction strainer has gained, as a share of its own.
    pub(crate) strainer: f64,
    /// Vibration that the pump has gained, as a share.
    pub(crate) bearing: f64,
    /// What the flow meter reads too much, as a share.
    pub(crate) flow_meter: f64,
    /// What the transmitter of the discharge pressure reads too much, bar.
    pub(crate) pressure_bar: f64,
    /// Flue gas hotter by soot, K.
    pub(crate) soot_k: f64,
    /// What the oxygen cell reads too much, % of volume.
    pub(crate) o2_pct: f64,
    /// Delivery that the compressor's filter costs, as a share.
    pub(crate) air_filter: f64,
    /// Oil hotter by dust on the cooler, K.
    pub(crate) oil_k: f64,
    /// Resistance to heat that the exchanger has gained, as a share of the clean one.
    pub(crate) fouling: f64,
    /// What the thermometer behind the exchanger reads too much, K.
    pub(crate) thermometer_k: f64,
}

/// What sensors lose in 30 days: each -1..=1 of the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Ageing {
    pub(crate) flow_meter: f64,
    pub(crate) pressure: f64,
    pub(crate) o2_cell: f64,
    pub(crate) thermometer: f64,
}

/// Work on a machine: it stands for the first three quarters and is tried out in the last.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Maintenance {
    /// The machine.
    pub device: Device,
    /// When the tag is hung up.
    pub from: Timestamp,
    /// When it is taken away.
    pub to: Timestamp,
    /// What is written on it.
    pub tag: String,
}

/// A time at another load than usual.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LoadStep {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Load over the usual.
    pub ratio: f64,
}

/// How a plant is worked.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Sensors were calibrated and everything was cleaned then.
    pub(crate) new_at: Timestamp,
    pub(crate) ageing: Ageing,
    /// What is made from when on; the first from the beginning.
    pub(crate) products: Vec<(Timestamp, Product)>,
    pub(crate) loads: Vec<LoadStep>,
    pub(crate) maintenance: Vec<Maintenance>,
}

impl Operation {
    /// What is made from when on.
    #[must_use]
    pub fn products(&self) -> &[(Timestamp, Product)] {
        &self.products
    }

    /// Times at another load than usual, without overlap.
    #[must_use]
    pub fn loads(&self) -> &[LoadStep] {
        &self.loads
    }

    /// Work on machines, by time.
    #[must_use]
    pub fn maintenance(&self) -> &[Maintenance] {
        &self.maintenance
    }

    /// What is made at `now`.
    #[must_use]
    pub fn product(&self, now: Timestamp) -> Product {
        self.run(now).map_or(Product::A, |(_, product)| product)
    }

    fn run(&self, now: Timestamp) -> Option<(Timestamp, Product)> {
        let begun = self.products.partition_point(|(from, _)| *from <= now);
        self.products.get(begun.saturating_sub(1)).copied()
    }

    /// The work on a machine that is under way at `now`.
    #[must_use]
    pub fn work(&self, device: Device, now: Timestamp) -> Option<&Maintenance> {
        let at = |work: &&Maintenance| work.device == device && work.from <= now && now < work.to;
        self.maintenance.iter().find(at)
    }

    pub(crate) fn maintained(&self, device: Device, now: Timestamp) -> bool {
        self.work(device, now).is_some()
    }

    /// Load over the usual at `now`: that of the shift, and that of the hour.
    fn load(&self, now: Timestamp) -> f64 {
        let shift = match hour_of_day(now) {
            hour if (6.0..14.0).contains(&hour) => 1.03,
            hour if (14.0..22.0).contains(&hour) => 1.0,
            _ => 0.93,
        };
        let begun = self.loads.partition_point(|load| load.from <= now);
        let load = begun.checked_sub(1).and_then(|last| self.loads.get(last));
        let extra = load.filter(|load| now < load.to).map_or(1.0, |load| load.ratio);
        let changing = self
            .run(now)
            .is_some_and(|(from, _)| from > self.new_at && now < from.plus(CHANGEOVER));
        shift * extra * if changing { 0.85 } else { 1.0 }
    }

    /// What the machines are told at `now`.
    pub(crate) fn orders(&self, now: Timestamp, process_stands: bool) -> Orders {
        let mut orders = self.product(now).orders().at_load(self.load(now));
        orders.season_k = season_k(now);
        // Less is heated when it is warm.
        orders.steam_ratio *= 1.0 - 0.008 * orders.season_k;
        if process_stands {
            orders.product_kgs = 0.0;
            orders.steam_ratio *= 0.5;
            orders.air_ratio *= 0.5;
        }
        orders
    }

    /// How worn the machines are at `now`.
    pub(crate) fn wear(&self, now: Timestamp) -> Wear {
        let days = |since: Timestamp| now.since(since).as_secs_f64() / DAY.as_secs_f64();
        let months = days(self.new_at) / 30.0;
        let cleaned = |device| {
            let done = |work: &&Maintenance| work.device == device && work.to <= now;
            let last = self.maintenance.iter().rev().find(done);
            days(last.map_or(self.new_at, |work| work.to))
        };
        let (pump, boiler) = (cleaned(Device::Pump), cleaned(Device::Boiler));
        let (compressor, exchanger) = (cleaned(Device::Compressor), cleaned(Device::Exchanger));
        Wear {
            strainer: 0.03 * pump,
            bearing: 0.06 * months,
            flow_meter: 0.008 * months * self.ageing.flow_meter,
            pressure_bar: 0.04 * months * self.ageing.pressure,
            soot_k: 0.3 * boiler,
            o2_pct: 0.15 * months * self.ageing.o2_cell,
            air_filter: 0.002 * compressor,
            oil_k: 0.15 * compressor,
            // Fouling slows down as it is sheared off (Kern and Seaton, 1959).
            fouling: 0.25 * (1.0 - (-exchanger / 12.0).exp()),
            thermometer_k: 0.4 * months * self.ageing.thermometer,
        }
    }
}

/// UTC time of day in hours.
pub(crate) fn hour_of_day(ts: Timestamp) -> f64 {
    ts.since(ts.floor(DAY)).as_secs_f64() / 3_600.0
}

/// Air temperature above the year's mean, K: that of a continental climate of the northern
/// hemisphere.
fn season_k(now: Timestamp) -> f64 {
    let days = now.since(Timestamp::default()).as_secs_f64() / DAY.as_secs_f64();
    SEASON_K * (std::f64::consts::TAU * (days - SPRING_DAY) / YEAR_DAYS).sin()
}

#[cfg(test)]
mod tests;
