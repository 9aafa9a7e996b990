//! The boiler: a fire-tube steam boiler with a modulating gas burner, 5 t/h at 10 bar.
//!
//! Steam demand takes pressure and level down; a burner controller (feed-forward of the steam
//! flow and PI on pressure) and a level controller (feed-forward and P) bring them back.

use super::STEP_S;
use super::noise::{Gauss, Lag, Wander};
use super::registers::{Kind, Order, Point, flag};
use super::site::Step;

const SETPOINT_BAR: f64 = 10.0;
/// Gas that makes one tonne of steam per hour, m³/h.
const GAS_PER_STEAM: f64 = 72.0;
/// Below this pressure the consumers get less steam than they want.
const FULL_STEAM_BAR: f64 = 8.0;
const PURGE_S: f64 = 20.0;
const LOW_FIRE_S: f64 = 15.0;
const LOW_FIRE_GAS: f64 = 60.0;
/// Registers the controller gives in one answer.
pub(crate) const REGISTERS_MAX: u16 = 32;

/// What the burner does. Seconds in a state count down to the next one.
#[derive(Clone, Copy, PartialEq)]
enum Burner {
    Off,
    Purge(f64),
    LowFire(f64),
    Modulating,
}

/// The boiler and its controller.
#[derive(Clone)]
pub(crate) struct Boiler {
    gauss: Gauss,
    burner: Burner,
    integral: f64,
    pressure_bar: f64,
    level_pct: f64,
    steam_tph: Lag,
    gas: Lag,
    heat: Lag,
    feedwater_tph: Lag,
    feedwater_c: Wander,
    o2_trim: Wander,
    o2_pct: Lag,
    co_ppm: Lag,
    flue_c: Lag,
    gas_total_m3: f64,
    steam_total_kg: f64,
    /// What the oxygen cell reads too much, % of volume.
    o2_offset_pct: f64,
    stopped: bool,
}

/// What the sensors show, in engineering units.
#[derive(Default)]
pub(crate) struct Reading {
    pressure_bar: f64,
    level_pct: f64,
    feedwater_c: f64,
    flue_c: f64,
    o2_pct: f64,
    co_ppm: f64,
    gas: f64,
    gas_total_m3: f64,
    steam_tph: f64,
    feedwater_tph: f64,
    steam_total_kg: f64,
    burning: bool,
    purging: bool,
    low_fire: bool,
    mode: f64,
}

impl Boiler {
    pub(crate) fn new(seed: u64) -> Self {
        let mut gauss = Gauss::new(seed, 3);
        Self {
            gas_total_m3: 1.2e6 + 1e5 * gauss.uniform(),
            steam_total_kg: 1.7e7 + 1e6 * gauss.uniform(),
            gauss,
            burner: Burner::Modulating,
            integral: 0.0,
            pressure_bar: SETPOINT_BAR,
            level_pct: 50.0,
            steam_tph: Lag::new(3.2, 12.0),
            gas: Lag::new(230.0, 5.0),
            heat: Lag::new(230.0, 12.0),
            feedwater_tph: Lag::new(3.2, 5.0),
            feedwater_c: Wander::new(0.6, 400.0),
            o2_trim: Wander::new(0.06, 900.0),
            o2_pct: Lag::new(3.3, 8.0),
            co_ppm: Lag::new(12.0, 8.0),
            flue_c: Lag::new(185.0, 60.0),
            o2_offset_pct: 0.0,
            stopped: false,
        }
    }

    /// One step passes.
    pub(crate) fn step(&mut self, step: &Step<'_>) {
        if step.second {
            self.feedwater_c.second(&mut self.gauss);
            self.o2_trim.second(&mut self.gauss);
        }
        self.stopped = step.stopped;
        self.burner = self.burner_next();
        let open = if self.burner == Burner::Modulating { 1.0 } else { 0.0 };
        let pressed = (self.pressure_bar / FULL_STEAM_BAR).min(1.0);
        let steam = self.steam_tph.follow(open * step.site.steam_demand_tph * pressed);
        let gas_wanted = self.gas_wanted(steam, step.effects.loop_oscillation);
        let gas = self.gas.follow(gas_wanted);
        let heat = self.heat.follow(gas);
        // One tonne per hour too little moves the pressure by 1.2 bar a minute.
        let losses = 0.02 * pressed;
        self.o2_offset_pct = step.wear.o2_pct;
        self.pressure_bar += (heat / GAS_PER_STEAM - steam - losses) / 50.0 * STEP_S;
        self.pressure_bar = self.pressure_bar.max(0.0);
        self.balance_water(step, steam);
        self.burn(step, gas);
        self.gas_total_m3 += gas * STEP_S / 3600.0;
        self.steam_total_kg += steam * STEP_S / 3.6;
    }

    fn burner_next(&self) -> Burner {
        match self.burner {
            _ if self.stopped => Burner::Off,
            Burner::Off => Burner::Purge(PURGE_S),
            Burner::Purge(left) if left > 0.0 => Burner::Purge(left - STEP_S),
            Burner::Purge(_) => Burner::LowFire(LOW_FIRE_S),
            Burner::LowFire(left) if left > 0.0 => Burner::LowFire(left - STEP_S),
            Burner::LowFire(_) | Burner::Modulating => Burner::Modulating,
        }
    }

    /// The gas flow the burner controller asks for, m³/h.
    fn gas_wanted(&mut self, steam_tph: f64, mistuned: f64) -> f64 {
        match self.burner {
            Burner::Off | Burner::Purge(_) => 0.0,
            Burner::LowFire(_) => LOW_FIRE_GAS,
            Burner::Modulating => {
                let short = SETPOINT_BAR - self.pressure_bar;
                self.integral = (self.integral + 0.3 * short * STEP_S).clamp(-60.0, 60.0);
                let gain = 60.0 * (1.0 + 40.0 * mistuned);
                let wanted = GAS_PER_STEAM * steam_tph + gain * short + self.integral;
                wanted.clamp(40.0, 330.0)
            }
        }
    }

    fn balance_water(&mut self, step: &Step<'_>, steam_tph: f64) {
        let wanted = (steam_tph + 0.25 * (50.0 - self.level_pct)).clamp(0.0, 5.0);
        let capacity = 5.0 - 3.6 * step.effects.feedwater_loss;
        let feedwater = self.feedwater_tph.follow(wanted.min(capacity));
        self.level_pct += (feedwater - steam_tph) * 0.05 * STEP_S;
        self.level_pct = self.level_pct.clamp(0.0, 100.0);
    }

    fn burn(&mut self, step: &Step<'_>, gas: f64) {
        let air = step.effects.excess_air;
        let burning = gas > 5.0;
        let o2 = 3.3 + 0.006 * (230.0 - gas) + self.o2_trim.value + 1.8 * air;
        self.o2_pct.follow(if burning { o2 } else { 20.9 });
        self.co_ppm.follow(if burning { 12.0 + 0.02 * (gas - 230.0).abs() } else { 0.0 });
        let hot = 119.0 + 0.28 * gas + 16.0 * air + step.wear.soot_k;
        let rest = f64::midpoint(100.0, step.site.ambient_c);
        self.flue_c.follow(if burning { hot + 0.2 * step.site.ambient_c } else { rest });
    }

    /// What the sensors show, with their noise.
    pub(crate) fn reading(&self, noise: &mut Gauss) -> Reading {
        let flows = |noise: &mut Gauss, value: f64, sigma: f64| {
            if value < 0.02 { 0.0 } else { noise.around(value, sigma).max(0.0) }
        };
        Reading {
            pressure_bar: noise.around(self.pressure_bar, 0.012),
            level_pct: noise.around(self.level_pct, 0.25),
            feedwater_c: noise.around(102.0 + self.feedwater_c.value, 0.15),
            flue_c: noise.around(self.flue_c.value, 0.4),
            o2_pct: noise.around(self.o2_pct.value + self.o2_offset_pct, 0.07),
            co_ppm: noise.around(self.co_ppm.value, 0.5).max(0.0),
            gas: flows(noise, self.gas.value, 0.8),
            gas_total_m3: self.gas_total_m3,
            steam_tph: flows(noise, self.steam_tph.value, 0.015),
            feedwater_tph: flows(noise, self.feedwater_tph.value, 0.02),
            steam_total_kg: self.steam_total_kg,
            burning: matches!(self.burner, Burner::LowFire(_) | Burner::Modulating),
            purging: matches!(self.burner, Burner::Purge(_)),
            low_fire: matches!(self.burner, Burner::LowFire(_)),
            mode: if self.stopped { 0.0 } else { 2.0 },
        }
    }
}

/// What a recording of the boiler holds.
pub(crate) const RECORDED: &[(&str, &str)] = &[
    ("burner_on", ""),
    ("low_fire", ""),
    ("steam_pressure", "bar"),
    ("drum_level", "%"),
    ("feedwater_temp", "°C"),
    ("flue_gas_temp", "°C"),
    ("o2", "%"),
    ("co", "ppm"),
    ("gas_flow", "m³/h"),
    ("gas_total", "m³"),
    ("steam_flow", "t/h"),
    ("feedwater_flow", "t/h"),
];

/// Analog inputs: 27648 counts are the full span.
const COUNTS: f64 = 27_648.0;

type P = Point<Reading>;

/// The register map. Wide values are little endian throughout, the gas meter's word-swapped.
pub(crate) const MAP: &[Point<Reading>] = &[
    P::input("steam_pressure", (0, Kind::I16), |r| r.pressure_bar).scale(16.0 / COUNTS),
    P::input("drum_level", (1, Kind::I16), |r| r.level_pct).scale(100.0 / COUNTS),
    P::input("feedwater_temp", (2, Kind::I16), |r| r.feedwater_c).scale(150.0 / COUNTS),
    P::input("flue_gas_temp", (3, Kind::I16), |r| r.flue_c).scale(0.1),
    P::input("o2", (4, Kind::F32), |r| r.o2_pct).order(Order::Dcba),
    P::input("co", (6, Kind::F32), |r| r.co_ppm).order(Order::Dcba),
    P::input("gas_flow", (8, Kind::F64), |r| r.gas).order(Order::Dcba),
    P::input("gas_total", (12, Kind::U64), |r| r.gas_total_m3).order(Order::Cdab).scale(0.001),
    P::input("steam_flow", (16, Kind::F32), |r| r.steam_tph).order(Order::Dcba),
    P::input("feedwater_flow", (18, Kind::F32), |r| r.feedwater_tph).order(Order::Dcba),
    P::input("steam_total", (20, Kind::U32), |r| r.steam_total_kg).order(Order::Dcba),
    P::holding("burner_on", (0, Kind::Bit(0)), |r| flag(r.burning)),
    P::holding("purge", (0, Kind::Bit(5)), |r| flag(r.purging)),
    P::holding("low_fire", (0, Kind::Bit(10)), |r| flag(r.low_fire)),
    P::holding("lockout", (0, Kind::Bit(15)), |_| 0.0),
    P::holding("mode", (2, Kind::U16), |r| r.mode),
    P::holding("pressure_setpoint", (3, Kind::U16), |_| SETPOINT_BAR).scale(0.01),
];
