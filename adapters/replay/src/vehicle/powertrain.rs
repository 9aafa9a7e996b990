//! The powertrain: a passenger car with a petrol engine and six gears, lengthwise.
//!
//! ```text
//! F = m a λ + c_r m g + ½ ρ c_d A v² + F_brake           T = F r / (i_gear i_final η)
//! P_fuel = (T ω + T_friction ω) / η_indicated            (Willans line)
//! C dT_coolant/dt = 0.3 P_fuel − (h_block + x h_radiator(v)) (T_coolant − T_ambient)
//! ```
//!
//! Sources: L. Guzzella and A. Sciarretta, Vehicle Propulsion Systems, chapters 2 and 3.

use crate::plant::noise::{Gauss, Wander};

use super::cycle::{Cycle, Road};
use super::messages::Shown;

/// One step, s.
pub(crate) const STEP_S: f64 = 0.01;
const MASS_KG: f64 = 1_500.0;
/// What turns counts as mass too.
const ROTATING: f64 = 1.05;
const GRAVITY: f64 = 9.81;
const ROLLING: f64 = 0.010;
/// Half of the density of air times drag coefficient and area, kg/m.
const DRAG: f64 = 0.5 * 1.2 * 0.65;
const WHEEL_M: f64 = 0.31;
const FINAL_DRIVE: f64 = 3.9;
const GEARS: [f64; 6] = [3.6, 2.0, 1.35, 1.0, 0.8, 0.65];
const EFFICIENCY: f64 = 0.94;
const IDLE_RPM: f64 = 800.0;
const TORQUE_MAX_NM: f64 = 250.0;
const INDICATED: f64 = 0.40;
/// kW of fuel to L/h: 42.7 MJ/kg at 0.745 kg/L.
const LPH_PER_KW: f64 = 3_600.0 / (42_700.0 * 0.745);
const COOLANT_KJ_PER_K: f64 = 70.0;
const SHIFT_S: f64 = 0.5;

/// How much of each fault there is, 0..=1.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Defects {
    pub(crate) thermostat_open: f64,
    pub(crate) coolant_loss: f64,
    pub(crate) misfire: f64,
    pub(crate) wheel_sensor_lost: f64,
    pub(crate) brake_drag: f64,
    pub(crate) fuel_leak: f64,
}

/// The car, its driver and the road.
pub(crate) struct Powertrain {
    dice: Gauss,
    cycle: Cycle,
    steering: Wander,
    grade: Wander,
    at_s: f64,
    speed: f64,
    /// From 1; 0 in neutral.
    gear: usize,
    shift_left_s: f64,
    rpm: f64,
    torque_nm: f64,
    brake_bar: f64,
    fuel_kw: f64,
    fuel_l: f64,
    odometer_km: f64,
    coolant_c: f64,
    oil_c: f64,
    ambient_c: f64,
    battery_v: f64,
    wheel_lost: bool,
    trim: f64,
}

impl Powertrain {
    pub(crate) fn new(seed: u64, roads: Vec<(f64, Road)>) -> Self {
        let mut dice = Gauss::new(seed, 33);
        Self {
            odometer_km: 20_000.0 + 60_000.0 * dice.uniform(),
            fuel_l: 38.0 + 10.0 * dice.uniform(),
            ambient_c: 8.0 + 14.0 * dice.uniform(),
            dice,
            cycle: Cycle::new(seed, roads),
            steering: Wander::new(12.0, 6.0),
            grade: Wander::new(0.01, 60.0),
            at_s: 0.0,
            speed: 0.0,
            gear: 1,
            shift_left_s: 0.0,
            rpm: IDLE_RPM,
            torque_nm: 0.0,
            brake_bar: 0.0,
            fuel_kw: 8.0,
            coolant_c: 70.0,
            oil_c: 68.0,
            battery_v: 14.2,
            wheel_lost: false,
            trim: 0.0,
        }
    }

    /// [`STEP_S`] passes.
    pub(crate) fn step(&mut self, defects: &Defects) {
        self.at_s += STEP_S;
        let wanted = self.cycle.step(self.at_s, STEP_S);
        // A second of these processes is a step here: they are ten seconds' slow at least.
        if self.at_s % 1.0 < STEP_S {
            self.steering.second(&mut self.dice);
            self.grade.second(&mut self.dice);
        }
        let (drive_n, resistance_n) = self.forces(wanted, defects);
        self.shift();
        self.turn(drive_n, defects);
        self.accelerate(wanted, resistance_n);
        self.burn(defects);
        self.wheel_lost = defects.wheel_sensor_lost > 0.5;
        let (charge, jitter) = (if self.rpm > 600.0 { 14.2 } else { 12.4 }, self.dice.draw());
        self.battery_v += 0.05 * (charge + 0.02 * jitter - self.battery_v);
    }

    /// The force the driver wants at the wheels, and what the road takes, N.
    fn forces(&mut self, wanted: f64, defects: &Defects) -> (f64, f64) {
        let moves = if self.speed > 0.1 { 1.0 } else { 0.0 };
        let weight = MASS_KG * GRAVITY;
        let resistance = moves * (ROLLING * weight + 600.0 * defects.brake_drag)
            + DRAG * self.speed * self.speed
            + moves * weight * self.grade.value;
        let slow_by = wanted - self.speed;
        self.trim = (self.trim + 300.0 * slow_by * STEP_S).clamp(-3_000.0, 3_000.0);
        let wish = resistance + 2_500.0 * slow_by + self.trim;
        (if wanted < 0.05 { -2_000.0 * moves } else { wish }, resistance)
    }

    fn ratio(&self) -> f64 {
        let gear = self.gear.checked_sub(1).and_then(|place| GEARS.get(place));
        gear.copied().unwrap_or(0.0) * FINAL_DRIVE
    }

    /// Speed of the engine if the clutch is closed.
    fn coupled_rpm(&self) -> f64 {
        self.speed / WHEEL_M * self.ratio() * 60.0 / std::f64::consts::TAU
    }

    fn shift(&mut self) {
        self.shift_left_s = (self.shift_left_s - STEP_S).max(0.0);
        if self.shift_left_s > 0.0 {
            return;
        }
        let (before, rpm) = (self.gear, self.coupled_rpm());
        if self.speed < 0.5 {
            self.gear = 1;
        } else if rpm > 2_400.0 + 4.0 * self.torque_nm.max(0.0) && self.gear < GEARS.len() {
            self.gear += 1;
        } else if rpm < 1_250.0 && self.gear > 1 {
            self.gear -= 1;
        }
        if before != self.gear {
            self.shift_left_s = SHIFT_S;
        }
    }

    fn clutch_open(&self) -> bool {
        self.shift_left_s > 0.0 || self.speed < 0.5
    }

    /// Engine speed and torque, and the brakes.
    fn turn(&mut self, drive_n: f64, defects: &Defects) {
        // In a shift the driver brings the engine to the speed of the next gear.
        let stands = self.speed < 0.5;
        let goes_to = if stands { IDLE_RPM } else { self.coupled_rpm().max(IDLE_RPM) };
        self.rpm += (goes_to - self.rpm) * STEP_S / 0.15;
        // Always drawn: what is random does not depend on faults.
        let (missed, kick) = (self.dice.uniform() < 0.25 * defects.misfire, self.dice.draw());
        if missed {
            self.rpm -= 35.0 + 10.0 * kick.abs();
        }
        let least = -18.0 - 0.004 * self.rpm;
        let wanted = drive_n * WHEEL_M / (self.ratio().max(0.1) * EFFICIENCY);
        let limited = if self.clutch_open() && self.speed >= 0.5 {
            0.0
        } else {
            wanted.clamp(least, TORQUE_MAX_NM)
        };
        self.torque_nm += (limited - self.torque_nm) * STEP_S / 0.08;
        let left_n = drive_n - least * self.ratio() / WHEEL_M;
        let brake = if left_n < 0.0 { -left_n / 130.0 } else { 0.0 };
        self.brake_bar += (brake.min(120.0) - self.brake_bar) * STEP_S / 0.1;
    }

    fn accelerate(&mut self, wanted: f64, resistance_n: f64) {
        let engaged = if self.clutch_open() && self.speed >= 0.5 { 0.0 } else { 1.0 };
        let drive = engaged * self.torque_nm * self.ratio() * EFFICIENCY / WHEEL_M;
        let force = drive - resistance_n - 130.0 * self.brake_bar;
        self.speed = (self.speed + force / (MASS_KG * ROTATING) * STEP_S).max(0.0);
        if wanted < 0.05 && self.speed < 0.1 {
            self.speed = 0.0;
        }
        self.odometer_km += self.speed * STEP_S / 1_000.0;
    }

    /// Fuel, and the heat of it.
    fn burn(&mut self, defects: &Defects) {
        let omega = self.rpm * std::f64::consts::TAU / 60.0;
        let friction = 12.0 + 0.004 * self.rpm;
        let overrun = self.torque_nm < -8.0 && self.rpm > 1_200.0;
        let indicated_kw = (self.torque_nm + friction).max(0.0) * omega / 1_000.0;
        let efficiency = INDICATED * (1.0 - 0.2 * defects.misfire);
        self.fuel_kw = if overrun { 0.0 } else { indicated_kw / efficiency };
        let leak_lph = 25.0 * defects.fuel_leak;
        self.fuel_l = (self.fuel_l - (self.fuel_lph() + leak_lph) * STEP_S / 3_600.0).max(0.0);
        let above = self.coolant_c - self.ambient_c;
        let thermostat = ((self.coolant_c - 86.0) / 10.0).clamp(0.0, 1.0);
        let open = thermostat.max(defects.thermostat_open);
        let fan = if self.coolant_c > 98.0 { 0.4 } else { 0.0 };
        let radiator = (0.45 + 0.02 * self.speed + fan) * (1.0 - 0.97 * defects.coolant_loss);
        let heat_kw = 0.3 * self.fuel_kw - (0.03 + open * radiator) * above;
        let capacity = COOLANT_KJ_PER_K * (1.0 - 0.6 * defects.coolant_loss);
        self.coolant_c = (self.coolant_c + heat_kw * STEP_S / capacity).min(160.0);
        self.oil_c += (self.coolant_c + 0.1 * self.fuel_kw - self.oil_c) * STEP_S / 90.0;
    }

    /// What is burnt, L/h.
    fn fuel_lph(&self) -> f64 {
        self.fuel_kw * LPH_PER_KW
    }

    /// What the controllers know, with the noise of their sensors.
    pub(crate) fn shown(&mut self) -> Shown {
        let kmh = 3.6 * self.speed;
        let turn = 0.0004 * self.steering.value;
        let noise = &mut self.dice;
        let mut wheel = |side: f64| {
            let shown = noise.around(kmh * (1.0 + side * turn), 0.03).max(0.0);
            if kmh < 0.3 { 0.0 } else { shown }
        };
        let mut wheels_kmh = [wheel(-1.0), wheel(1.0), wheel(-1.0), wheel(1.0)];
        if self.wheel_lost {
            wheels_kmh[0] = 0.0;
        }
        Shown {
            engine_rpm: noise.around(self.rpm, 4.0).max(0.0),
            torque_nm: noise.around(self.torque_nm, 0.6),
            throttle_pct: (100.0 * self.torque_nm / TORQUE_MAX_NM).clamp(0.0, 100.0),
            brake_bar: self.brake_bar,
            steering_deg: noise.around(self.steering.value, 0.1),
            wheels_kmh,
            gear: if self.speed < 0.5 {
                0.0
            } else {
                f64::from(u8::try_from(self.gear).unwrap_or(0))
            },
            clutch_open: self.clutch_open(),
            speed_kmh: kmh,
            odometer_km: self.odometer_km,
            fuel_lph: self.fuel_lph(),
            fuel_l: self.fuel_l,
            coolant_c: self.coolant_c,
            oil_c: self.oil_c,
            ambient_c: self.ambient_c,
            battery_v: self.battery_v,
        }
    }
}

#[cfg(test)]
mod tests;
