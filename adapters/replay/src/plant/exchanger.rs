//! The exchanger: plates between hot product and the water that the pump drives.
//!
//! A valve lets a share of the pump's water through and the rest past (equal percentage: each
//! step of the stem changes the share by the same factor, which makes up for plates that need ever
//! more water for a kelvin); a PI controller moves it to hold the product's temperature behind the
//! plates. Heat goes over by effectiveness
//! and number of transfer units (counterflow), with films that depend on both flows and a
//! resistance of dirt:
//!
//! ```text
//! 1/UA = 1/(H_h (m_h/9)^0.65) + 1/(H_c (m_c/10)^0.65) + R    Q = ε C_min (T_h,in − T_c,in)
//! NTU = UA/C_min, r = C_min/C_max    ε = (1 − e^(−NTU(1−r))) / (1 − r e^(−NTU(1−r)))
//! T_h,out = T_h,in − Q/C_h            T_c,out = T_c,in + Q/C_c
//! ```
//!
//! E-1 What the product loses the water gains: both outlets come from one Q.

use std::collections::VecDeque;

use super::noise::{Gauss, Lag, Wander};
use super::operation::Orders;
use super::registers::{Kind, Point};
use super::site::Step;
use super::{STEP_S, STEPS_PER_SECOND};

/// Specific heats, kJ/(kg K).
pub(crate) const CP_PRODUCT: f64 = 3.9;
pub(crate) const CP_WATER: f64 = 4.19;
/// Films at 9 kg/s of product and 10 kg/s of water, kW/K.
const FILM_PRODUCT: f64 = 150.0;
const FILM_WATER: f64 = 160.0;
const FILM_EXPONENT: f64 = 0.65;
/// Resistance of the clean plates, K/kW.
const CLEAN_RESISTANCE: f64 = 1.0 / FILM_PRODUCT + 1.0 / FILM_WATER;
/// Below this flow nothing is exchanged, kg/s.
const STILL_KGS: f64 = 0.1;
/// The controller: share of the stroke per K, and seconds.
const GAIN_PER_K: f64 = 0.02;
const INTEGRAL_S: f64 = 25.0;
/// Where the valve waits while nothing flows.
const VALVE_AT_REST: f64 = 0.65;
const VALVE_LEAST: f64 = 0.1;
/// Share of the water through the open valve over that through the closed one.
const RANGEABILITY: f64 = 30.0;
/// The water behind the plates reaches the thermometer after 3 s, at worst after 63 s.
const DELAY_S: f64 = 3.0;
const DELAY_MORE_S: f64 = 60.0;
const DELAY_STEPS_MAX: usize = 64 * 4;
/// A tight packing holds the valve until it is off by this share of the stroke.
const STICTION: f64 = 0.04;
/// Spikes a second at full severity, and their size in K.
const SPIKE_RATE: f64 = 0.05;
const SPIKE_K: f64 = 15.0;
/// Registers the controller gives in one answer.
pub(crate) const REGISTERS_MAX: u16 = 32;

/// The exchanger and its controller.
#[derive(Clone)]
pub(crate) struct Exchanger {
    gauss: Gauss,
    product: Wander,
    inlet: Wander,
    tower: Wander,
    product_kgs: Lag,
    water_kgs: f64,
    hot_in_c: f64,
    cold_in_c: Lag,
    hot_out_c: Lag,
    cold_out_c: Lag,
    thermometer_c: Lag,
    /// What left the plates, newest last; the thermometer sees it later.
    pipe: VecDeque<f64>,
    integral: f64,
    demand: f64,
    valve: Lag,
    stem: f64,
    setpoint_c: f64,
    dp_bar: f64,
    heat_kw: f64,
    thermometer_offset_k: f64,
    spikes: f64,
}

/// What the sensors show, in engineering units.
#[derive(Default)]
pub(crate) struct Reading {
    product_kgs: f64,
    hot_in_c: f64,
    hot_out_c: f64,
    setpoint_c: f64,
    water_m3h: f64,
    cold_in_c: f64,
    cold_out_c: f64,
    demand_pct: f64,
    position_pct: f64,
    dp_bar: f64,
}

/// What goes over at given flows and inlets: heat in kW, both outlets in °C.
#[derive(Clone, Copy)]
pub(crate) struct Exchange {
    pub(crate) heat_kw: f64,
    pub(crate) hot_out_c: f64,
    pub(crate) cold_out_c: f64,
}

impl Exchange {
    /// `hot` and `cold`: kg/s and inlet in °C. `dirt`: resistance over that of the clean plates.
    pub(crate) fn of(hot: (f64, f64), cold: (f64, f64), dirt: f64) -> Self {
        let (hot_kgs, hot_in_c) = hot;
        let (cold_kgs, cold_in_c) = cold;
        if hot_kgs < STILL_KGS || cold_kgs < STILL_KGS {
            // What stands between the plates takes the temperature of what flows.
            let flows_c = if hot_kgs < STILL_KGS { cold_in_c } else { hot_in_c };
            return Self { heat_kw: 0.0, hot_out_c: flows_c, cold_out_c: flows_c };
        }
        let films = 1.0 / (FILM_PRODUCT * (hot_kgs / 9.0).powf(FILM_EXPONENT))
            + 1.0 / (FILM_WATER * (cold_kgs / 10.0).powf(FILM_EXPONENT));
        let conductance = 1.0 / (films + dirt * CLEAN_RESISTANCE);
        let (hot, cold) = (hot_kgs * CP_PRODUCT, cold_kgs * CP_WATER);
        let (least, most) = (hot.min(cold), hot.max(cold));
        let units = conductance / least;
        let ratio = least / most;
        let effectiveness = if 1.0 - ratio < 1e-6 {
            units / (1.0 + units)
        } else {
            let decay = (-units * (1.0 - ratio)).exp();
            (1.0 - decay) / (1.0 - ratio * decay)
        };
        let heat_kw = effectiveness * least * (hot_in_c - cold_in_c);
        Self {
            heat_kw,
            hot_out_c: hot_in_c - heat_kw / hot,
            cold_out_c: cold_in_c + heat_kw / cold,
        }
    }
}

impl Exchanger {
    pub(crate) fn new(seed: u64) -> Self {
        let Orders { product_kgs, product_in_c, product_out_c, .. } = Orders::USUAL;
        Self {
            gauss: Gauss::new(seed, 6),
            product: Wander::new(0.015, 40.0),
            inlet: Wander::new(0.4, 200.0),
            tower: Wander::new(0.15, 300.0),
            product_kgs: Lag::new(product_kgs, 5.0),
            water_kgs: 10.0,
            hot_in_c: product_in_c,
            cold_in_c: Lag::new(20.0, 300.0),
            hot_out_c: Lag::new(product_out_c, 15.0),
            cold_out_c: Lag::new(50.0, 12.0),
            thermometer_c: Lag::new(product_out_c, 4.0),
            pipe: VecDeque::from(vec![product_out_c; DELAY_STEPS_MAX]),
            integral: VALVE_AT_REST,
            demand: VALVE_AT_REST,
            valve: Lag::new(VALVE_AT_REST, 3.0),
            stem: VALVE_AT_REST,
            setpoint_c: product_out_c,
            dp_bar: 0.8,
            heat_kw: 0.0,
            thermometer_offset_k: 0.0,
            spikes: 0.0,
        }
    }

    /// One step passes, with what the pump gives in m³/h.
    pub(crate) fn step(&mut self, step: &Step<'_>, pump_m3h: f64) {
        if step.second {
            for wander in [&mut self.product, &mut self.inlet, &mut self.tower] {
                wander.second(&mut self.gauss);
            }
        }
        let wanted = if step.stopped { 0.0 } else { step.orders.product_kgs };
        let product_kgs = self.product_kgs.follow(wanted * (1.0 + self.product.value));
        self.move_valve(step.effects.valve_stiction);
        self.water_kgs = pump_m3h / 3.6 * RANGEABILITY.powf(self.stem - 1.0);
        let ambient = step.site.ambient_c;
        self.hot_in_c = if product_kgs < STILL_KGS {
            ambient
        } else {
            step.orders.product_in_c + self.inlet.value
        };
        // A cooling tower: 5 K above the wet bulb, warmer the more heat it gets.
        let tower = 0.7 * ambient + 7.0 + 0.002 * self.heat_kw + self.tower.value;
        self.cold_in_c.follow(tower);
        let dirt = step.wear.fouling + 0.6 * step.effects.fouling_step;
        let exchange = Exchange::of(
            (product_kgs, self.hot_in_c),
            (self.water_kgs, self.cold_in_c.value),
            dirt,
        );
        self.heat_kw = exchange.heat_kw;
        self.hot_out_c.follow(exchange.hot_out_c);
        self.cold_out_c.follow(exchange.cold_out_c);
        // Turbulent: with the square of the flow; dirt narrows the channels.
        self.dp_bar = 0.8 * (product_kgs / 9.0).powi(2) * (1.0 + dirt).powi(2);
        self.thermometer_offset_k = step.wear.thermometer_k;
        self.spikes = step.effects.sensor_spikes;
        self.control(step);
    }

    /// The stem follows the demand; a tight packing holds it until it is far enough off, and then
    /// lets it go all the way (the one-parameter model of Stenman, Gustafsson and Forsman, 2003).
    fn move_valve(&mut self, stiction: f64) {
        let actuator = self.valve.follow(self.demand);
        if (actuator - self.stem).abs() >= STICTION * stiction {
            self.stem = actuator;
        }
    }

    fn control(&mut self, step: &Step<'_>) {
        self.pipe.pop_front();
        self.pipe.push_back(self.hot_out_c.value);
        let delay_s = DELAY_S + DELAY_MORE_S * step.effects.dead_time;
        let back = steps_of(delay_s).min(DELAY_STEPS_MAX);
        let seen = self.pipe.get(DELAY_STEPS_MAX - back).copied();
        self.thermometer_c.follow(seen.unwrap_or(self.hot_out_c.value));
        self.setpoint_c = step.orders.product_out_c;
        if step.stopped || self.product_kgs.value < 1.0 {
            self.integral = VALVE_AT_REST;
            self.demand = VALVE_AT_REST;
            return;
        }
        let hot_by = self.thermometer_c.value + self.thermometer_offset_k - self.setpoint_c;
        let slope = GAIN_PER_K / INTEGRAL_S;
        self.integral = (self.integral + slope * hot_by * STEP_S).clamp(VALVE_LEAST, 1.0);
        self.demand = (self.integral + GAIN_PER_K * hot_by).clamp(VALVE_LEAST, 1.0);
    }

    /// Heat that goes over, kW.
    #[cfg(test)]
    pub(crate) fn heat_kw(&self) -> f64 {
        self.heat_kw
    }

    /// What the sensors show, with their noise.
    pub(crate) fn reading(&self, noise: &mut Gauss) -> Reading {
        let flows = |noise: &mut Gauss, value: f64, sigma: f64| {
            if value < STILL_KGS { 0.0 } else { noise.around(value, sigma).max(0.0) }
        };
        // Drawn first, and whether it is needed or not: the noise does not depend on faults.
        let (spike, side) = (noise.uniform(), noise.uniform());
        let spike = if spike < SPIKE_RATE * self.spikes { SPIKE_K } else { 0.0 };
        let spike = if side < 0.5 { -spike } else { spike };
        Reading {
            hot_in_c: noise.around(self.hot_in_c, 0.08) + spike,
            hot_out_c: noise.around(self.thermometer_c.value + self.thermometer_offset_k, 0.06),
            cold_in_c: noise.around(self.cold_in_c.value, 0.06),
            cold_out_c: noise.around(self.cold_out_c.value, 0.08),
            position_pct: noise.around(100.0 * self.stem, 0.1),
            dp_bar: noise.around(self.dp_bar, 0.004).max(0.0),
            setpoint_c: self.setpoint_c,
            demand_pct: 100.0 * self.demand,
            product_kgs: flows(noise, self.product_kgs.value, 0.03),
            water_m3h: flows(noise, 3.6 * self.water_kgs, 0.15),
        }
    }
}

/// Steps in a span of at most a few minutes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a few hundred at most, never negative"
)]
fn steps_of(seconds: f64) -> usize {
    (seconds * STEPS_PER_SECOND as f64) as usize
}

/// What a recording of the exchanger holds.
pub(crate) const RECORDED: &[(&str, &str)] = &[
    ("product_flow", "kg/s"),
    ("product_in_temp", "°C"),
    ("product_out_temp", "°C"),
    ("setpoint", "°C"),
    ("water_flow", "m³/h"),
    ("water_in_temp", "°C"),
    ("water_out_temp", "°C"),
    ("valve_demand", "%"),
    ("valve_position", "%"),
    ("product_dp", "bar"),
];

type P = Point<Reading>;

/// The register map.
pub(crate) const MAP: &[Point<Reading>] = &[
    P::input("product_flow", (0, Kind::F32), |r| r.product_kgs),
    P::input("product_in_temp", (2, Kind::I16), |r| r.hot_in_c).scale(0.01),
    P::input("product_out_temp", (3, Kind::I16), |r| r.hot_out_c).scale(0.01),
    P::input("water_flow", (4, Kind::F32), |r| r.water_m3h),
    P::input("water_in_temp", (6, Kind::I16), |r| r.cold_in_c).scale(0.01),
    P::input("water_out_temp", (7, Kind::I16), |r| r.cold_out_c).scale(0.01),
    P::input("valve_position", (8, Kind::U16), |r| r.position_pct).scale(0.01),
    P::input("product_dp", (9, Kind::U16), |r| r.dp_bar).scale(0.001),
    P::holding("valve_demand", (0, Kind::U16), |r| r.demand_pct).scale(0.01),
    P::holding("setpoint", (1, Kind::U16), |r| r.setpoint_c).scale(0.1),
];

#[cfg(test)]
mod tests;
