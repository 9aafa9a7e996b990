//! The compressor: an oil-injected screw of 75 kW that loads and unloads by the net pressure.
//!
//! Loaded it gives 12 m³/min; the net wants about 8. Between 6.8 and 7.4 bar that makes a cycle
//! of about a minute.

use super::STEP_S;
use super::noise::{Gauss, Lag};
use super::registers::{Kind, Order, Point, flag};
use super::site::Step;

const LOAD_BELOW_BAR: f64 = 6.8;
const UNLOAD_ABOVE_BAR: f64 = 7.4;
const DELIVERY_M3MIN: f64 = 12.0;
/// How fast 1 m³/min too much raises the net pressure, bar/s.
const NET_RATE: f64 = 0.004;
const START_S: f64 = 8.0;
/// Standard deviation of a sound thermometer, K.
const OIL_SIGMA_K: f64 = 0.15;
/// Registers the controller gives in one answer.
pub(crate) const REGISTERS_MAX: u16 = 60;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Off,
    /// Seconds until it runs.
    Starting(f64),
    Unloaded,
    Loaded,
}

impl State {
    fn code(self) -> f64 {
        match self {
            Self::Off => 0.0,
            Self::Starting(_) => 2.0,
            Self::Unloaded => 4.0,
            Self::Loaded => 5.0,
        }
    }
}

/// The compressor and its controller.
#[derive(Clone)]
pub(crate) struct Compressor {
    state: State,
    net_bar: f64,
    current_a: Lag,
    oil_c: Lag,
    element_c: Lag,
    load_h: f64,
    service_h: f64,
    starts: f64,
    /// Standard deviation of the oil's thermometer, K.
    oil_sigma_k: f64,
    stopped: bool,
}

/// What the sensors show, in engineering units.
#[derive(Default)]
pub(crate) struct Reading {
    state: f64,
    net_bar: f64,
    oil_c: f64,
    element_c: f64,
    phases_a: (f64, f64, f64),
    load_h: f64,
    service_h: f64,
    starts: f64,
    released: bool,
}

impl Compressor {
    pub(crate) fn new(seed: u64) -> Self {
        let mut gauss = Gauss::new(seed, 4);
        let load_h = 12_000.0 + 4_000.0 * gauss.uniform();
        Self {
            state: State::Loaded,
            net_bar: 7.0,
            current_a: Lag::new(128.0, 0.8),
            oil_c: Lag::new(76.0, 90.0),
            element_c: Lag::new(86.0, 25.0),
            service_h: 2_000.0 - load_h % 2_000.0,
            load_h,
            starts: 3_100.0 + (500.0 * gauss.uniform()).floor(),
            oil_sigma_k: OIL_SIGMA_K,
            stopped: false,
        }
    }

    /// One step passes.
    pub(crate) fn step(&mut self, step: &Step<'_>) {
        self.stopped = step.stopped;
        self.state = self.state_next();
        let loaded = self.state == State::Loaded;
        // What leaks or is used goes with the pressure.
        let wanted = step.site.air_demand_m3min + 12.0 * step.effects.net_leak;
        let delivery = DELIVERY_M3MIN * (1.0 - step.wear.air_filter);
        let delivered = if loaded { delivery } else { 0.0 };
        self.oil_sigma_k = OIL_SIGMA_K * (1.0 + 10.0 * step.effects.sensor_noise);
        // While it stands, another compressor holds the net.
        let standby = if self.stopped { 0.9 * DELIVERY_M3MIN } else { 0.0 };
        let surplus = delivered + standby * f64::from(u8::from(self.net_bar < 6.6))
            - wanted * self.net_bar / 7.0;
        self.net_bar = (self.net_bar + NET_RATE * surplus * STEP_S).clamp(0.0, 10.0);
        let (current, heat_k) = match self.state {
            State::Off => (0.0, 0.0),
            State::Starting(_) => (190.0, 30.0),
            State::Unloaded => (48.0, 52.0),
            State::Loaded => (128.0 * (0.9 + 0.1 * self.net_bar / 7.0), 60.0),
        };
        self.current_a.follow(current / step.site.mains_ratio);
        let hotter = 34.0 * step.effects.cooler_failure + step.wear.oil_k;
        let heat_k = heat_k + if heat_k > 0.0 { hotter } else { 0.0 };
        let oil = self.oil_c.follow(step.site.ambient_c + heat_k);
        let above = if loaded { 12.0 } else { 8.0 };
        self.element_c.follow(if self.state == State::Off { oil } else { oil + above });
        if loaded {
            self.load_h += STEP_S / 3600.0;
            self.service_h = (self.service_h - STEP_S / 3600.0).max(0.0);
        }
    }

    fn state_next(&mut self) -> State {
        match self.state {
            _ if self.stopped => State::Off,
            State::Off => {
                self.starts += 1.0;
                State::Starting(START_S)
            }
            State::Starting(left) if left > 0.0 => State::Starting(left - STEP_S),
            State::Starting(_) => State::Unloaded,
            State::Unloaded if self.net_bar < LOAD_BELOW_BAR => State::Loaded,
            State::Loaded if self.net_bar > UNLOAD_ABOVE_BAR => State::Unloaded,
            running @ (State::Unloaded | State::Loaded) => running,
        }
    }

    /// What the sensors show, with their noise.
    pub(crate) fn reading(&self, noise: &mut Gauss) -> Reading {
        let mut phase = |imbalance: f64| {
            let amperes = self.current_a.value * imbalance;
            let shown = noise.around(amperes, 0.4);
            if amperes < 0.5 { 0.0 } else { shown.max(0.0) }
        };
        Reading {
            state: self.state.code(),
            phases_a: (phase(1.0), phase(0.992), phase(1.006)),
            net_bar: noise.around(self.net_bar, 0.01),
            oil_c: noise.around(self.oil_c.value, self.oil_sigma_k),
            element_c: noise.around(self.element_c.value, 0.25),
            load_h: self.load_h.floor(),
            service_h: self.service_h.ceil(),
            starts: self.starts,
            released: !self.stopped,
        }
    }
}

/// What a recording of the compressor holds.
pub(crate) const RECORDED: &[(&str, &str)] = &[
    ("state", ""),
    ("net_pressure", "bar"),
    ("oil_temp", "°C"),
    ("element_temp", "°C"),
    ("motor_current_a", "A"),
    ("motor_current_b", "A"),
    ("motor_current_c", "A"),
    ("load_hours", "h"),
];

type P = Point<Reading>;

/// The register map. Floats are byte-swapped, hours in BCD.
pub(crate) const MAP: &[Point<Reading>] = &[
    P::holding("model", (1000, Kind::Text("SCR-75", 8)), |_| 0.0).order(Order::Badc),
    P::holding("state", (1016, Kind::U16), |r| r.state),
    P::holding("net_pressure", (1017, Kind::F32), |r| r.net_bar).order(Order::Badc),
    P::holding("oil_temp", (1019, Kind::F32), |r| r.oil_c).order(Order::Badc),
    P::holding("element_temp", (1021, Kind::F32), |r| r.element_c).order(Order::Badc),
    P::holding("motor_current_a", (1023, Kind::U16), |r| r.phases_a.0).scale(0.1),
    P::holding("motor_current_b", (1024, Kind::U16), |r| r.phases_a.1).scale(0.1),
    P::holding("motor_current_c", (1025, Kind::U16), |r| r.phases_a.2).scale(0.1),
    P::holding("load_hours", (1030, Kind::Bcd32), |r| r.load_h),
    P::holding("service_in", (1032, Kind::Bcd16), |r| r.service_h),
    P::holding("starts", (1040, Kind::U64), |r| r.starts),
    P::holding("net_setpoint", (1100, Kind::F32), |_| LOAD_BELOW_BAR).order(Order::Badc),
    P::coil("remote_start", 100, |r| flag(r.released)),
    P::coil("remote_load", 101, |r| flag(r.released)),
    P::coil("ack", 102, |_| 0.0),
    P::discrete("estop", 200, |_| 0.0),
    P::discrete("high_temp_warn", 201, |r| flag(r.element_c > 105.0)),
    P::discrete("high_temp_trip", 202, |_| 0.0),
    P::discrete("filter_dp", 203, |_| 0.0),
    P::discrete("oil_low", 204, |_| 0.0),
    P::discrete("phase_seq", 205, |_| 0.0),
    P::discrete("drain_fail", 206, |_| 0.0),
    P::discrete("service_due", 207, |r| flag(r.service_h < 100.0)),
    P::discrete("comms_ok", 208, |_| 1.0),
    P::discrete("dryer_ok", 209, |_| 1.0),
];
