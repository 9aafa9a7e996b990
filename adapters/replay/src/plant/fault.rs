//! Faults with labels: what is wrong, how it grows, and what it does to the machines.

use std::time::Duration;

use serde::Serialize;
use signals::Timestamp;

use super::Device;

/// How long a sudden fault takes from its onset to its full severity.
const RAMP: Duration = Duration::from_secs(20);
/// Share of its time after which a growing fault has its full severity.
const GROWN_AFTER: f64 = 0.8;
/// An intermittent fault is there for the first part of each of these.
const INTERMITTENT_PERIOD: Duration = Duration::from_secs(90);
const INTERMITTENT_THERE: Duration = Duration::from_secs(60);

/// What is wrong. The comment names what a person at the machine would find.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Pump: a bearing runs hot and rough. Temperature (with the lag of its mass) and vibration
    /// rise.
    BearingWear,
    /// Pump: the suction strainer is partly blocked and the pump cavitates. Suction pressure and
    /// flow fall, vibration rises.
    SuctionBlocked,
    /// Pump: the discharge valve sticks half closed while its position says otherwise. Flow
    /// falls, discharge pressure rises, the motor draws less.
    DischargeBlocked,
    /// Pump: the flow meter reads low by a growing factor; the water flows as before.
    FlowSensorDrift,
    /// Pump: the vibration pickup has come loose and shows a constant low value.
    VibrationSensorStuck,
    /// Pump: the transmitter of the discharge pressure has a wrong zero and reads high.
    PressureSensorBias,
    /// Pump: the magnetic coupling slips or has let go. The motor turns, the impeller lags or
    /// stands: flow and lift fall, the motor draws less.
    CouplingLost,
    /// Boiler: the air damper does not close; too much air. Oxygen rises, then flue gas
    /// temperature.
    ExcessAir,
    /// Boiler: the feedwater pump gives too little; the drum level falls.
    FeedwaterLoss,
    /// Boiler: somebody has raised the gain of the pressure controller. Gas and pressure swing.
    LoopOscillation,
    /// Compressor: the oil cooler's fan stands still. Oil and element temperature rise.
    CoolerFailure,
    /// Compressor: an air hose has burst. The net pressure falls below the band.
    NetLeak,
    /// Compressor: a terminal of the oil's resistance thermometer is loose; its reading is noisy.
    SensorNoise,
    /// Exchanger: scale or product has come to lie on the plates at once. Heat transfer falls,
    /// the pressure drop rises, the controller opens the valve.
    FoulingStep,
    /// Exchanger: the packing of the water valve is too tight. The valve sticks and jumps, and
    /// the temperature swings.
    ValveStiction,
    /// Exchanger: the thermometer has been moved far downstream. The loop hears late and swings.
    DeadTime,
    /// Exchanger: a drive disturbs the cable of the inlet thermometer; its reading has spikes.
    SensorSpikes,
}

impl FaultKind {
    /// All kinds, the pump's first.
    pub const ALL: [Self; 17] = [
        Self::BearingWear,
        Self::SuctionBlocked,
        Self::DischargeBlocked,
        Self::FlowSensorDrift,
        Self::VibrationSensorStuck,
        Self::PressureSensorBias,
        Self::CouplingLost,
        Self::ExcessAir,
        Self::FeedwaterLoss,
        Self::LoopOscillation,
        Self::CoolerFailure,
        Self::NetLeak,
        Self::SensorNoise,
        Self::FoulingStep,
        Self::ValveStiction,
        Self::DeadTime,
        Self::SensorSpikes,
    ];

    /// The kinds of the demo.
    pub const DEMO: [Self; 9] = [
        Self::BearingWear,
        Self::SuctionBlocked,
        Self::DischargeBlocked,
        Self::FlowSensorDrift,
        Self::VibrationSensorStuck,
        Self::ExcessAir,
        Self::FeedwaterLoss,
        Self::CoolerFailure,
        Self::NetLeak,
    ];

    /// The pump's kinds, in the order in which the demo shows them.
    pub const PUMP: [Self; 5] = [
        Self::BearingWear,
        Self::SuctionBlocked,
        Self::DischargeBlocked,
        Self::FlowSensorDrift,
        Self::VibrationSensorStuck,
    ];

    /// Its name in labels: `bearing_wear`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BearingWear => "bearing_wear",
            Self::SuctionBlocked => "suction_blocked",
            Self::DischargeBlocked => "discharge_blocked",
            Self::FlowSensorDrift => "flow_sensor_drift",
            Self::VibrationSensorStuck => "vibration_sensor_stuck",
            Self::PressureSensorBias => "pressure_sensor_bias",
            Self::CouplingLost => "coupling_lost",
            Self::ExcessAir => "excess_air",
            Self::FeedwaterLoss => "feedwater_loss",
            Self::LoopOscillation => "loop_oscillation",
            Self::CoolerFailure => "cooler_failure",
            Self::NetLeak => "net_leak",
            Self::SensorNoise => "sensor_noise",
            Self::FoulingStep => "fouling_step",
            Self::ValveStiction => "valve_stiction",
            Self::DeadTime => "dead_time",
            Self::SensorSpikes => "sensor_spikes",
        }
    }

    /// The machine it befalls.
    #[must_use]
    pub const fn device(self) -> Device {
        match self {
            Self::BearingWear
            | Self::SuctionBlocked
            | Self::DischargeBlocked
            | Self::FlowSensorDrift
            | Self::VibrationSensorStuck
            | Self::PressureSensorBias
            | Self::CouplingLost => Device::Pump,
            Self::ExcessAir | Self::FeedwaterLoss | Self::LoopOscillation => Device::Boiler,
            Self::CoolerFailure | Self::NetLeak | Self::SensorNoise => Device::Compressor,
            Self::FoulingStep | Self::ValveStiction | Self::DeadTime | Self::SensorSpikes => {
                Device::Exchanger
            }
        }
    }

    /// Names of the tags that show it first and most plainly.
    #[must_use]
    pub const fn roots(self) -> &'static [&'static str] {
        match self {
            Self::BearingWear => &["vibration", "bearing_temp"],
            Self::SuctionBlocked => &["suction_pressure", "vibration", "flow"],
            Self::DischargeBlocked => &["flow", "discharge_pressure"],
            Self::FlowSensorDrift => &["flow"],
            Self::VibrationSensorStuck => &["vibration"],
            Self::PressureSensorBias => &["discharge_pressure"],
            Self::CouplingLost => &["flow", "discharge_pressure", "motor_torque"],
            Self::ExcessAir => &["o2"],
            Self::FeedwaterLoss => &["feedwater_flow", "drum_level"],
            Self::LoopOscillation => &["gas_flow", "steam_pressure"],
            Self::CoolerFailure => &["oil_temp", "element_temp"],
            Self::NetLeak => &["net_pressure"],
            Self::SensorNoise => &["oil_temp"],
            Self::FoulingStep => &["product_dp", "valve_demand"],
            Self::ValveStiction => &["valve_position", "valve_demand", "product_out_temp"],
            Self::DeadTime => &["product_out_temp", "valve_demand", "valve_position"],
            Self::SensorSpikes => &["product_in_temp"],
        }
    }

    /// Machines that feel it beside its own: less water from the pump is less water for the
    /// exchanger.
    #[must_use]
    pub const fn also_felt_by(self) -> &'static [Device] {
        match self {
            Self::SuctionBlocked | Self::DischargeBlocked | Self::CouplingLost => {
                &[Device::Exchanger]
            }
            Self::BearingWear
            | Self::FlowSensorDrift
            | Self::VibrationSensorStuck
            | Self::PressureSensorBias
            | Self::ExcessAir
            | Self::FeedwaterLoss
            | Self::LoopOscillation
            | Self::CoolerFailure
            | Self::NetLeak
            | Self::SensorNoise
            | Self::FoulingStep
            | Self::ValveStiction
            | Self::DeadTime
            | Self::SensorSpikes => &[],
        }
    }
}

/// How a fault goes from its onset to its severity.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Full after 20 s.
    #[default]
    Sudden,
    /// Grows in a straight line for 80 % of its time.
    Growing,
    /// There for a minute, gone for half a minute, and so on.
    Intermittent,
}

impl Profile {
    /// Its name in labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sudden => "sudden",
            Self::Growing => "growing",
            Self::Intermittent => "intermittent",
        }
    }
}

/// One fault: the label an evaluation compares alarms with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fault {
    /// Name of the machine, as in the demo's configuration.
    pub device: &'static str,
    /// What is wrong.
    pub kind: FaultKind,
    /// Paths of the signals that show it first.
    pub signals: Vec<String>,
    /// When the cause sets in.
    pub onset: Timestamp,
    /// When the cause is gone. Heat takes some minutes more to go.
    pub end: Timestamp,
    /// 0..=1; 1 is what the demo shows.
    pub severity: f64,
    /// How it gets there.
    pub profile: Profile,
}

impl Fault {
    /// A sudden fault of full severity.
    #[must_use]
    pub fn new(kind: FaultKind, onset: Timestamp, lasting: Duration) -> Self {
        let device = kind.device();
        let signals = kind.roots().iter().map(|tag| device.path(tag)).collect();
        let end = onset.plus(lasting);
        let profile = Profile::Sudden;
        Self { device: device.name(), kind, signals, onset, end, severity: 1.0, profile }
    }

    /// How much of it there is at `now`, 0..=severity.
    pub(crate) fn level(&self, now: Timestamp) -> f64 {
        if now < self.onset || now >= self.end {
            return 0.0;
        }
        let passed = now.since(self.onset);
        let ramp = match self.profile {
            Profile::Sudden => passed.as_secs_f64() / RAMP.as_secs_f64(),
            Profile::Growing => {
                passed.as_secs_f64() / (GROWN_AFTER * self.end.since(self.onset).as_secs_f64())
            }
            Profile::Intermittent => {
                let into = passed.as_micros() % INTERMITTENT_PERIOD.as_micros();
                if into < INTERMITTENT_THERE.as_micros() { 1.0 } else { 0.0 }
            }
        };
        self.severity.clamp(0.0, 1.0) * ramp.min(1.0)
    }
}

/// How much of each fault there is, 0..=1.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Effects {
    pub(crate) bearing_wear: f64,
    pub(crate) suction_blocked: f64,
    pub(crate) discharge_blocked: f64,
    pub(crate) flow_sensor_drift: f64,
    pub(crate) vibration_sensor_stuck: f64,
    pub(crate) pressure_sensor_bias: f64,
    pub(crate) coupling_lost: f64,
    pub(crate) excess_air: f64,
    pub(crate) feedwater_loss: f64,
    pub(crate) loop_oscillation: f64,
    pub(crate) cooler_failure: f64,
    pub(crate) net_leak: f64,
    pub(crate) sensor_noise: f64,
    pub(crate) fouling_step: f64,
    pub(crate) valve_stiction: f64,
    pub(crate) dead_time: f64,
    pub(crate) sensor_spikes: f64,
}

impl Effects {
    pub(crate) fn level_mut(&mut self, kind: FaultKind) -> &mut f64 {
        match kind {
            FaultKind::BearingWear => &mut self.bearing_wear,
            FaultKind::SuctionBlocked => &mut self.suction_blocked,
            FaultKind::DischargeBlocked => &mut self.discharge_blocked,
            FaultKind::FlowSensorDrift => &mut self.flow_sensor_drift,
            FaultKind::VibrationSensorStuck => &mut self.vibration_sensor_stuck,
            FaultKind::PressureSensorBias => &mut self.pressure_sensor_bias,
            FaultKind::CouplingLost => &mut self.coupling_lost,
            FaultKind::ExcessAir => &mut self.excess_air,
            FaultKind::FeedwaterLoss => &mut self.feedwater_loss,
            FaultKind::LoopOscillation => &mut self.loop_oscillation,
            FaultKind::CoolerFailure => &mut self.cooler_failure,
            FaultKind::NetLeak => &mut self.net_leak,
            FaultKind::SensorNoise => &mut self.sensor_noise,
            FaultKind::FoulingStep => &mut self.fouling_step,
            FaultKind::ValveStiction => &mut self.valve_stiction,
            FaultKind::DeadTime => &mut self.dead_time,
            FaultKind::SensorSpikes => &mut self.sensor_spikes,
        }
    }
}

#[cfg(test)]
mod tests;
