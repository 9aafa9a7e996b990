//! Faults with labels, and the schedule they and the planned stops follow.

use std::time::Duration;

use serde::Serialize;
use signals::Timestamp;

use super::Device;

/// How long a fault takes from its onset to its full severity.
const RAMP: Duration = Duration::from_secs(20);

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
    /// Boiler: the air damper does not close; too much air. Oxygen rises, then flue gas
    /// temperature.
    ExcessAir,
    /// Boiler: the feedwater pump gives too little; the drum level falls.
    FeedwaterLoss,
    /// Compressor: the oil cooler's fan stands still. Oil and element temperature rise.
    CoolerFailure,
    /// Compressor: an air hose has burst. The net pressure falls below the band.
    NetLeak,
}

impl FaultKind {
    /// All kinds, the pump's first.
    pub const ALL: [Self; 9] = [
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

    /// The machine it befalls.
    #[must_use]
    pub const fn device(self) -> Device {
        match self {
            Self::BearingWear
            | Self::SuctionBlocked
            | Self::DischargeBlocked
            | Self::FlowSensorDrift
            | Self::VibrationSensorStuck => Device::Pump,
            Self::ExcessAir | Self::FeedwaterLoss => Device::Boiler,
            Self::CoolerFailure | Self::NetLeak => Device::Compressor,
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
            Self::ExcessAir => &["o2"],
            Self::FeedwaterLoss => &["feedwater_flow", "drum_level"],
            Self::CoolerFailure => &["oil_temp", "element_temp"],
            Self::NetLeak => &["net_pressure"],
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
    /// When the cause sets in; it takes 20 s to reach its severity.
    pub onset: Timestamp,
    /// When the cause is gone. Heat takes some minutes more to go.
    pub end: Timestamp,
    /// 0..=1; 1 is what the demo shows.
    pub severity: f64,
}

impl Fault {
    /// A fault of full severity.
    #[must_use]
    pub fn new(kind: FaultKind, onset: Timestamp, lasting: Duration) -> Self {
        let device = kind.device();
        let signals = kind.roots().iter().map(|tag| device.path(tag)).collect();
        let end = onset.plus(lasting);
        Self { device: device.name(), kind, signals, onset, end, severity: 1.0 }
    }

    /// How much of it there is at `now`, 0..=severity.
    fn level(&self, now: Timestamp) -> f64 {
        if now < self.onset || now >= self.end {
            return 0.0;
        }
        let ramp = now.since(self.onset).as_secs_f64() / RAMP.as_secs_f64();
        self.severity.clamp(0.0, 1.0) * ramp.min(1.0)
    }
}

/// A planned stop of a machine: not a fault, and nothing to alarm about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct PlannedStop {
    /// The machine.
    pub device: Device,
    /// When it is told to stop.
    pub from: Timestamp,
    /// When it is told to start again.
    pub to: Timestamp,
}

/// What befalls the plant, and when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    faults: Vec<Fault>,
    stops: Vec<PlannedStop>,
    longest: Duration,
}

impl Schedule {
    /// Nothing ever happens.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// These faults.
    #[must_use]
    pub fn at(mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.onset);
        let longest = faults.iter().map(|fault| fault.end.since(fault.onset)).max();
        Self { faults, stops: Vec::new(), longest: longest.unwrap_or_default() }
    }

    /// These planned stops as well.
    #[must_use]
    pub fn with_stops(mut self, mut stops: Vec<PlannedStop>) -> Self {
        stops.sort_by_key(|stop| stop.from);
        self.stops = stops;
        self
    }

    /// The demo's schedule, for a week from `start`; afterwards all is well for ever.
    ///
    /// | when | what |
    /// |---|---|
    /// | 2 min, then every 20 min | a pump fault of 2 min, kinds in the order of [`FaultKind::PUMP`] |
    /// | 12 min, then every 40 min | 3 min of [`FaultKind::CoolerFailure`], [`FaultKind::FeedwaterLoss`], [`FaultKind::NetLeak`], [`FaultKind::ExcessAir`] in turn |
    /// | 30 min, then every 40 min | a planned stop of 4 min, compressor and boiler in turn |
    ///
    /// The pump never stops.
    #[must_use]
    pub fn demo(start: Timestamp) -> Self {
        const WEEK_MIN: u64 = 7 * 24 * 60;
        let at = |minutes: u64| start.plus(Duration::from_secs(60 * minutes));
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let others = [
            FaultKind::CoolerFailure,
            FaultKind::FeedwaterLoss,
            FaultKind::NetLeak,
            FaultKind::ExcessAir,
        ];
        let pump = (2..WEEK_MIN).step_by(20).zip(FaultKind::PUMP.into_iter().cycle());
        let other = (12..WEEK_MIN).step_by(40).zip(others.into_iter().cycle());
        let faults = pump
            .map(|(minute, kind)| Fault::new(kind, at(minute), minutes(2)))
            .chain(other.map(|(minute, kind)| Fault::new(kind, at(minute), minutes(3))));
        let turn = [Device::Compressor, Device::Boiler].into_iter().cycle();
        let stops = (30..WEEK_MIN).step_by(40).zip(turn).map(|(minute, device)| PlannedStop {
            device,
            from: at(minute),
            to: at(minute + 4),
        });
        Self::at(faults.collect()).with_stops(stops.collect())
    }

    /// All faults, by onset.
    #[must_use]
    pub fn labels(&self) -> &[Fault] {
        &self.faults
    }

    /// All planned stops, by time.
    #[must_use]
    pub fn stops(&self) -> &[PlannedStop] {
        &self.stops
    }

    /// Faults that may be under way at some time in `from..=to`.
    fn near(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &Fault> {
        let first = self.faults.partition_point(|fault| fault.onset < from.minus(self.longest));
        self.faults.iter().skip(first).take_while(move |fault| fault.onset <= to)
    }

    /// Faults that set in (true) or went (false) after `from`, up to `to`.
    pub(crate) fn changes(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = (bool, &Fault)> {
        let within = move |when: Timestamp| from < when && when <= to;
        self.near(from, to).flat_map(move |fault| {
            let begun = within(fault.onset).then_some((true, fault));
            let ended = within(fault.end).then_some((false, fault));
            begun.into_iter().chain(ended)
        })
    }

    /// What is wrong with the plant at `now`.
    pub(crate) fn effects(&self, now: Timestamp) -> Effects {
        let mut effects = Effects::default();
        for fault in self.near(now, now) {
            let level = effects.level_mut(fault.kind);
            *level = level.max(fault.level(now));
        }
        effects
    }

    /// Whether a machine is told to stand still at `now`.
    pub(crate) fn stopped(&self, device: Device, now: Timestamp) -> bool {
        let begun = self.stops.partition_point(|stop| stop.from <= now);
        let recent = self.stops.iter().take(begun).rev().take(2);
        recent.into_iter().any(|stop| stop.device == device && now < stop.to)
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
    pub(crate) excess_air: f64,
    pub(crate) feedwater_loss: f64,
    pub(crate) cooler_failure: f64,
    pub(crate) net_leak: f64,
}

impl Effects {
    fn level_mut(&mut self, kind: FaultKind) -> &mut f64 {
        match kind {
            FaultKind::BearingWear => &mut self.bearing_wear,
            FaultKind::SuctionBlocked => &mut self.suction_blocked,
            FaultKind::DischargeBlocked => &mut self.discharge_blocked,
            FaultKind::FlowSensorDrift => &mut self.flow_sensor_drift,
            FaultKind::VibrationSensorStuck => &mut self.vibration_sensor_stuck,
            FaultKind::ExcessAir => &mut self.excess_air,
            FaultKind::FeedwaterLoss => &mut self.feedwater_loss,
            FaultKind::CoolerFailure => &mut self.cooler_failure,
            FaultKind::NetLeak => &mut self.net_leak,
        }
    }
}

#[cfg(test)]
mod tests;
