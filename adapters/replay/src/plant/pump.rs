//! The pump: centrifugal, driven by a frequency converter, in a closed cooling circuit.
//!
//! At full speed it gives 80 m³/h against 5.5 bar. Head follows `8.2 s² − 2.7 (Q/80)²`, the
//! circuit `5.5 (68 %/valve)² (Q/80)²`; there is no static head, so flow goes with speed, head
//! with its square and power with its cube. Water from it goes through the exchanger.

use super::STEP_S;
use super::fault::Effects;
use super::noise::{Gauss, Lag, Wander};
use super::registers::{Kind, Order, Point, flag};
use super::site::Step;

/// Flow at full speed and 68 % valve, m³/h.
const FLOW_NOMINAL: f64 = 80.0;
const VALVE_MEAN_PCT: f64 = 68.0;
const SPEED_MEAN_PCT: f64 = 78.0;
/// Below this share of full speed nothing is lifted.
const IDLE_SPEED: f64 = 0.02;
/// Registers the drive gives in one answer.
pub(crate) const REGISTERS_MAX: u16 = 16;

/// The pump and its drive.
#[derive(Clone)]
pub(crate) struct Pump {
    gauss: Gauss,
    /// The operator's choice, % of speed about the mean; changes about once a minute.
    choice_pct: f64,
    demand: Wander,
    valve_demand: Wander,
    tank: Wander,
    drift: Drift,
    speed_pct: Lag,
    valve_pct: Lag,
    heatsink_c: Lag,
    bearing_c: Lag,
    hydraulics: Hydraulics,
    cabinet_c: f64,
    dc_link_v: f64,
    energy_kwh: f64,
    run_time_s: f64,
    vibration_held: f64,
    flow_factor: f64,
    pressure_offset_bar: f64,
    ordered_pct: f64,
    stopped: bool,
}

/// Slow drift of sensors, over tens of minutes, as a share of the reading.
#[derive(Clone)]
struct Drift {
    flow: Wander,
    pressure: Wander,
    vibration: Wander,
}

/// The working point.
#[derive(Clone, Copy, Default)]
struct Hydraulics {
    flow: f64,
    suction_bar: f64,
    discharge_bar: f64,
    power_kw: f64,
    torque_ratio: f64,
    current_a: f64,
    vibration: f64,
}

/// What the sensors show, in engineering units.
#[derive(Default)]
pub(crate) struct Reading {
    setpoint_pct: f64,
    speed_pct: f64,
    current_a: f64,
    torque_pct: f64,
    dc_link_v: f64,
    heatsink_c: f64,
    cabinet_c: f64,
    power_kw: f64,
    energy_kwh: f64,
    run_time_s: f64,
    suction_bar: f64,
    discharge_bar: f64,
    flow: f64,
    bearing_c: f64,
    vibration: f64,
    valve_pct: f64,
    stopped: bool,
}

impl Pump {
    pub(crate) fn new(seed: u64) -> Self {
        let mut gauss = Gauss::new(seed, 2);
        Self {
            energy_kwh: 41_000.0 + 9_000.0 * gauss.uniform(),
            run_time_s: 17_000_000.0 + (3_000_000.0 * gauss.uniform()).floor(),
            gauss,
            choice_pct: 0.0,
            demand: Wander::new(0.8, 25.0),
            valve_demand: Wander::new(1.0, 30.0),
            tank: Wander::new(0.025, 30.0),
            drift: Drift {
                flow: Wander::new(0.0006, 1500.0),
                pressure: Wander::new(0.0004, 1800.0),
                vibration: Wander::new(0.005, 1200.0),
            },
            speed_pct: Lag::new(SPEED_MEAN_PCT, 1.5),
            valve_pct: Lag::new(VALVE_MEAN_PCT, 4.0),
            heatsink_c: Lag::new(38.0, 120.0),
            bearing_c: Lag::new(41.0, 150.0),
            hydraulics: Hydraulics::default(),
            cabinet_c: 22.0,
            dc_link_v: 565.0,
            vibration_held: 0.0,
            flow_factor: 1.0,
            pressure_offset_bar: 0.0,
            ordered_pct: 0.0,
            stopped: false,
        }
    }

    /// One step passes.
    pub(crate) fn step(&mut self, step: &Step<'_>) {
        if step.second {
            self.second();
        }
        self.stopped = step.stopped;
        self.ordered_pct = step.orders.pump_speed_pct;
        self.speed_pct.follow(self.setpoint_pct());
        self.valve_pct.follow(VALVE_MEAN_PCT + self.valve_demand.value);
        self.hydraulics = self.working_point(step);
        let site = step.site;
        let Hydraulics { power_kw, .. } = self.hydraulics;
        self.cabinet_c = site.ambient_c + 4.0;
        self.dc_link_v = 569.0 * site.mains_ratio - 0.5 * power_kw;
        self.heatsink_c.follow(self.cabinet_c + 1.6 * power_kw);
        let friction = 14.0
            + 6.0 * self.speed_pct.value / SPEED_MEAN_PCT
            + 0.3 * power_kw
            + 16.0 * step.effects.bearing_wear;
        self.bearing_c.follow(site.ambient_c + friction * self.turning());
        self.energy_kwh += power_kw * STEP_S / 3600.0;
        self.run_time_s += if self.stopped { 0.0 } else { STEP_S };
        self.vibration_held = step.effects.vibration_sensor_stuck;
        let meter = 1.0 + step.wear.flow_meter;
        self.flow_factor = meter - 0.16 * step.effects.flow_sensor_drift;
        self.pressure_offset_bar =
            step.wear.pressure_bar + 0.35 * step.effects.pressure_sensor_bias;
    }

    /// What flows, m³/h, whatever the meter says.
    pub(crate) fn flow(&self) -> f64 {
        self.hydraulics.flow
    }

    /// 1 while it turns, less on the last tenth of the way to a stop.
    fn turning(&self) -> f64 {
        (self.speed_pct.value / 10.0).min(1.0)
    }

    /// What changes once a second: demand, and what the operator wants of it.
    fn second(&mut self) {
        let gauss = &mut self.gauss;
        for wander in [&mut self.demand, &mut self.valve_demand, &mut self.tank] {
            wander.second(gauss);
        }
        let Drift { flow, pressure, vibration } = &mut self.drift;
        for wander in [flow, pressure, vibration] {
            wander.second(gauss);
        }
        // Both are always drawn, so that the stream does not depend on the outcome.
        let (changes, choice) = (gauss.uniform() < 1.0 / 45.0, gauss.uniform());
        if changes {
            self.choice_pct = 0.5 * ((5.0 * choice).floor() - 2.0);
        }
    }

    fn setpoint_pct(&self) -> f64 {
        if self.stopped {
            return 0.0;
        }
        (SPEED_MEAN_PCT + self.choice_pct + self.demand.value + self.ordered_pct).min(100.0)
    }

    /// Of a pump whose impeller stands: the motor feeds itself as long as it is on.
    fn idle_point(&self) -> Hydraulics {
        let bar = 1.6 + self.tank.value;
        Hydraulics {
            flow: 0.0,
            suction_bar: bar,
            discharge_bar: bar,
            power_kw: if self.stopped { 0.2 } else { 0.9 },
            torque_ratio: 0.0,
            current_a: if self.stopped { 0.0 } else { 13.0 },
            vibration: if self.stopped { 0.05 } else { 0.5 },
        }
    }

    /// Where pump curve and circuit meet.
    fn working_point(&self, step: &Step<'_>) -> Hydraulics {
        let effects: &Effects = step.effects;
        // A slipping coupling passes its torque on and turns the rest of the power into heat.
        let grip = 1.0 - effects.coupling_lost;
        let speed = self.speed_pct.value / 100.0 * grip;
        if speed < IDLE_SPEED {
            return self.idle_point();
        }
        let valve = (VALVE_MEAN_PCT / self.valve_pct.value.max(5.0)).powi(2);
        let circuit = 5.5 * valve * (1.0 + 1.3 * effects.discharge_blocked);
        let strainer = 0.15 * (1.0 + 6.0 * effects.suction_blocked) * (1.0 + step.wear.strainer);
        // Vapour in the impeller costs head.
        let shutoff_bar = 8.2 * speed * speed * (1.0 - 0.10 * effects.suction_blocked);
        let load = shutoff_bar / (2.7 + circuit + strainer); // (Q/80)²
        let flow = FLOW_NOMINAL * load.sqrt();
        let lift_bar = shutoff_bar - 2.7 * load;
        let suction_bar = 1.6 + self.tank.value - strainer * load;
        let off_best = flow / (speed * 79.0) - 1.0;
        let efficiency = 0.73 * (1.0 - 0.6 * off_best * off_best);
        let shaft_kw = flow * lift_bar / 36.0 / efficiency * (1.0 + 0.03 * effects.bearing_wear);
        let torque_ratio = shaft_kw / 22.0 / speed;
        let smooth = 0.9
            + (speed / 0.78).powi(2)
            + 1.2 * off_best.abs()
            + 1.4 * effects.bearing_wear
            + 1.5 * effects.suction_blocked;
        let vibration = smooth * (1.0 + step.wear.bearing) * self.turning();
        Hydraulics {
            flow,
            suction_bar,
            discharge_bar: suction_bar + lift_bar,
            power_kw: shaft_kw / grip / 0.91 + 0.2,
            torque_ratio,
            current_a: (13.0_f64.powi(2) + (36.0 * torque_ratio).powi(2)).sqrt(),
            vibration,
        }
    }

    /// What the sensors show, with their noise.
    pub(crate) fn reading(&self, noise: &mut Gauss) -> Reading {
        let Hydraulics { flow, suction_bar, discharge_bar, power_kw, .. } = self.hydraulics;
        let Hydraulics { torque_ratio, current_a, vibration, .. } = self.hydraulics;
        let Drift { flow: flow_drift, pressure, vibration: vibration_drift } = &self.drift;
        let flow = flow * self.flow_factor * (1.0 + flow_drift.value);
        let rough = vibration * (1.0 + vibration_drift.value);
        let rough = noise.around(rough, 0.08);
        Reading {
            setpoint_pct: self.setpoint_pct(),
            speed_pct: noise.around(self.speed_pct.value, 0.05),
            current_a: noise.around(current_a, 0.12),
            torque_pct: noise.around(100.0 * torque_ratio, 0.4),
            dc_link_v: noise.around(self.dc_link_v, 0.8),
            heatsink_c: noise.around(self.heatsink_c.value, 0.2),
            cabinet_c: noise.around(self.cabinet_c, 0.1),
            power_kw: noise.around(power_kw, 0.05),
            energy_kwh: self.energy_kwh,
            run_time_s: self.run_time_s.floor(),
            suction_bar: noise.around(suction_bar, 0.008),
            discharge_bar: noise
                .around(discharge_bar * (1.0 + pressure.value) + self.pressure_offset_bar, 0.015),
            flow: noise.around(flow, 0.25).max(0.0),
            bearing_c: noise.around(self.bearing_c.value, 0.2),
            // A loose pickup shows the floor of its amplifier, without noise.
            vibration: if self.vibration_held > 0.0 { 0.6 } else { rough.max(0.0) },
            valve_pct: noise.around(self.valve_pct.value, 0.15),
            stopped: self.stopped,
        }
    }
}

/// What a recording of the pump holds.
pub(crate) const RECORDED: &[(&str, &str)] = &[
    ("running", ""),
    ("speed_setpoint", "%"),
    ("speed_actual", "%"),
    ("valve_position", "%"),
    ("motor_current", "A"),
    ("motor_torque", "%"),
    ("power", "kW"),
    ("energy", "kWh"),
    ("heatsink_temp", "°C"),
    ("suction_pressure", "bar"),
    ("discharge_pressure", "bar"),
    ("flow", "m³/h"),
    ("bearing_temp", "°C"),
    ("vibration", "mm/s"),
];

/// Speed in the drive profile: 16384 is 100 %.
const SPEED_SCALE: f64 = 100.0 / 16384.0;

type P = Point<Reading>;

/// The register map. 32-bit values are word-swapped.
pub(crate) const MAP: &[Point<Reading>] = &[
    P::input("ready", (0, Kind::Bit(1)), |_| 1.0),
    P::input("running", (0, Kind::Bit(2)), |r| flag(!r.stopped)),
    P::input("fault", (0, Kind::Bit(3)), |_| 0.0),
    P::input("warning", (0, Kind::Bit(7)), |r| flag(r.bearing_c > 70.0)),
    P::input("remote", (0, Kind::Bit(9)), |_| 1.0),
    P::input("speed_actual", (1, Kind::I16), |r| r.speed_pct).scale(SPEED_SCALE),
    P::input("output_frequency", (2, Kind::U16), |r| r.speed_pct * 0.5).scale(0.01),
    P::input("motor_current", (3, Kind::U16), |r| r.current_a).scale(0.01),
    P::input("motor_torque", (4, Kind::I16), |r| r.torque_pct).scale(0.1),
    P::input("dc_link", (5, Kind::U16), |r| r.dc_link_v),
    P::input("heatsink_temp", (6, Kind::I8High), |r| r.heatsink_c),
    P::input("cabinet_temp", (6, Kind::I8Low), |r| r.cabinet_c),
    P::input("power", (8, Kind::I32), |r| r.power_kw).order(Order::Cdab).scale(0.001),
    P::input("energy", (10, Kind::U32), |r| r.energy_kwh).order(Order::Cdab).scale(0.1),
    P::input("run_time", (12, Kind::U32), |r| r.run_time_s).order(Order::Cdab),
    P::input("fault_code", (14, Kind::U16), |_| 0.0),
    P::input("suction_pressure", (40, Kind::F32), |r| r.suction_bar).order(Order::Cdab),
    P::input("discharge_pressure", (42, Kind::F32), |r| r.discharge_bar).order(Order::Cdab),
    P::input("flow", (44, Kind::F32), |r| r.flow).order(Order::Cdab),
    P::input("bearing_temp", (46, Kind::F32), |r| r.bearing_c).order(Order::Cdab),
    P::input("vibration", (48, Kind::F32), |r| r.vibration).order(Order::Cdab),
    P::input("valve_position", (50, Kind::F32), |r| r.valve_pct).order(Order::Cdab),
    P::holding("control_word", (0, Kind::U16), |r| if r.stopped { 1150.0 } else { 1151.0 }),
    P::holding("speed_setpoint", (1, Kind::I16), |r| r.setpoint_pct).scale(SPEED_SCALE),
    P::holding("ramp_up", (2, Kind::U16), |_| 8.5).scale(0.1),
    P::holding("ramp_down", (3, Kind::U16), |_| 12.0).scale(0.1),
    P::coil("start_cmd", 0, |r| flag(!r.stopped)),
    P::coil("reset_cmd", 1, |_| 0.0),
    P::discrete("low_suction", 0, |r| flag(r.suction_bar < 1.2)),
    P::discrete("high_pressure", 1, |r| flag(r.discharge_bar > 7.5)),
    P::discrete("dry_run", 2, |_| 0.0),
    P::discrete("motor_ptc", 3, |_| 0.0),
    P::discrete("door_open", 4, |_| 0.0),
    P::discrete("local_mode", 5, |_| 0.0),
];
