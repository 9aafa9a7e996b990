//! What befalls the vehicle and its bus: faults and attacks, and when.

use std::time::Duration;

use super::cycle::Road;
use super::messages::MESSAGES;
use super::powertrain::Defects;
use crate::plant::noise::Gauss;

/// What is wrong with the vehicle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Defect {
    /// The thermostat does not close: the coolant gets cold.
    ThermostatOpen,
    /// Coolant is lost: the engine gets hot.
    CoolantLoss,
    /// A cylinder does not always fire: the engine runs unevenly and burns more.
    Misfire,
    /// The cable of the front left wheel's sensor is broken: it shows 0.
    WheelSensorLost,
    /// A brake does not let go: more torque for the same speed.
    BrakeDrag,
    /// The tank leaks: the level falls faster than fuel is burnt.
    FuelLeak,
}

/// What somebody does to the bus.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Attack {
    /// The most urgent identifier, all the time: others wait or never go.
    Flood,
    /// Known identifiers with random bytes.
    Fuzz,
    /// Frames of one message, recorded in the ten seconds before, beside the true ones.
    Replay,
    /// A message is silenced.
    Suspension,
    /// A message is silenced and sent by somebody else, on time, with counter and checksum, and
    /// with the values of the moment in which it began.
    Masquerade,
}

/// A fault or an attack.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Of the vehicle.
    Defect(Defect),
    /// On its bus.
    Attack(Attack),
}

impl Kind {
    /// All kinds, attacks first.
    pub const ALL: [Self; 11] = [
        Self::Attack(Attack::Flood),
        Self::Attack(Attack::Fuzz),
        Self::Attack(Attack::Replay),
        Self::Attack(Attack::Suspension),
        Self::Attack(Attack::Masquerade),
        Self::Defect(Defect::ThermostatOpen),
        Self::Defect(Defect::CoolantLoss),
        Self::Defect(Defect::Misfire),
        Self::Defect(Defect::WheelSensorLost),
        Self::Defect(Defect::BrakeDrag),
        Self::Defect(Defect::FuelLeak),
    ];

    /// Its name in labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attack(Attack::Flood) => "flood",
            Self::Attack(Attack::Fuzz) => "fuzz",
            Self::Attack(Attack::Replay) => "replay",
            Self::Attack(Attack::Suspension) => "suspension",
            Self::Attack(Attack::Masquerade) => "masquerade",
            Self::Defect(Defect::ThermostatOpen) => "thermostat_open",
            Self::Defect(Defect::CoolantLoss) => "coolant_loss",
            Self::Defect(Defect::Misfire) => "misfire",
            Self::Defect(Defect::WheelSensorLost) => "wheel_sensor_lost",
            Self::Defect(Defect::BrakeDrag) => "brake_drag",
            Self::Defect(Defect::FuelLeak) => "fuel_leak",
        }
    }

    /// Shortest and longest, s.
    const fn lasting_s(self) -> (f64, f64) {
        match self {
            Self::Attack(_) => (10.0, 30.0),
            Self::Defect(_) => (60.0, 180.0),
        }
    }

    /// Messages that it can aim at, as places in the table.
    fn targets(self) -> Vec<usize> {
        let moving = ["ENGINE_1", "WHEELS_1", "VEHICLE_1"];
        let all = MESSAGES.iter().enumerate();
        let wanted = |name: &str, cycle_ms: u64| match self {
            Self::Attack(Attack::Replay | Attack::Masquerade) => moving.contains(&name),
            // Who silences a message that comes once a second for ten is hardly noticed.
            Self::Attack(Attack::Suspension) => cycle_ms <= 100,
            Self::Attack(Attack::Flood | Attack::Fuzz) | Self::Defect(_) => false,
        };
        all.filter(|(_, message)| wanted(message.name, message.cycle_ms))
            .map(|(place, _)| place)
            .collect()
    }

    /// Signals or messages that show it first, as the label names them.
    fn shown_in(self, target: Option<&'static str>) -> Vec<String> {
        let names: &[&str] = match self {
            Self::Attack(Attack::Fuzz) => {
                return MESSAGES.iter().map(|message| message.name.to_owned()).collect();
            }
            Self::Attack(_) => return target.into_iter().map(str::to_owned).collect(),
            Self::Defect(Defect::ThermostatOpen | Defect::CoolantLoss) => {
                &["TEMPERATURES_1.CoolantTemp"]
            }
            Self::Defect(Defect::Misfire) => &["ENGINE_1.EngineSpeed", "FUEL_1.FuelRate"],
            Self::Defect(Defect::WheelSensorLost) => &["WHEELS_1.WheelFL"],
            Self::Defect(Defect::BrakeDrag) => &["ENGINE_1.EngineTorque", "FUEL_1.FuelRate"],
            Self::Defect(Defect::FuelLeak) => &["FUEL_1.FuelLevel"],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }
}

/// A fault or an attack, and when.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    /// Microseconds from the start.
    pub(crate) from_us: u64,
    pub(crate) to_us: u64,
    /// Place in the table of the message aimed at.
    pub(crate) target: Option<usize>,
}

impl Event {
    pub(crate) fn is_on(&self, at_us: u64) -> bool {
        self.from_us <= at_us && at_us < self.to_us
    }

    /// Whether it keeps a message of the vehicle off the bus.
    pub(crate) fn silences(&self, message: usize, at_us: u64) -> bool {
        let silent = Kind::Attack(Attack::Suspension) == self.kind
            || Kind::Attack(Attack::Masquerade) == self.kind;
        silent && self.target == Some(message) && self.is_on(at_us)
    }

    pub(crate) fn signals(&self) -> Vec<String> {
        let target = self.target.and_then(|place| MESSAGES.get(place));
        self.kind.shown_in(target.map(|message| message.name))
    }
}

/// How much of each fault there is at a time.
pub(crate) fn defects(events: &[Event], at_us: u64) -> Defects {
    let mut defects = Defects::default();
    for event in events.iter().filter(|event| event.is_on(at_us)) {
        let Kind::Defect(defect) = event.kind else { continue };
        *match defect {
            Defect::ThermostatOpen => &mut defects.thermostat_open,
            Defect::CoolantLoss => &mut defects.coolant_loss,
            Defect::Misfire => &mut defects.misfire,
            Defect::WheelSensorLost => &mut defects.wheel_sensor_lost,
            Defect::BrakeDrag => &mut defects.brake_drag,
            Defect::FuelLeak => &mut defects.fuel_leak,
        } = 1.0;
    }
    defects
}

/// Each kind so many times, in random order, none while another is on, in the last five sixths.
pub(crate) fn plan(seed: u64, length: Duration, per_kind: u32) -> Vec<Event> {
    let mut dice = Gauss::new(seed, 36);
    let mut kinds: Vec<(f64, Kind)> =
        (0..per_kind).flat_map(|_| Kind::ALL).map(|kind| (dice.uniform(), kind)).collect();
    kinds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let whole_s = length.as_secs_f64();
    let clean_s = whole_s / 6.0;
    let count = u32::try_from(kinds.len()).unwrap_or(u32::MAX).max(1);
    let slot_s = (whole_s - clean_s) / f64::from(count);
    let mut events = Vec::new();
    for (slot, (_, kind)) in (0_u32..).zip(kinds) {
        let (least, most) = kind.lasting_s();
        let lasting = (least + (most - least) * dice.uniform()).min(0.6 * slot_s);
        let onset = clean_s + f64::from(slot) * slot_s + 0.9 * (slot_s - lasting) * dice.uniform();
        let chosen = dice.uniform();
        let targets = kind.targets();
        let share = 1.0 / f64::from(u32::try_from(targets.len().max(1)).unwrap_or(1));
        let target = (1_u32..).zip(targets).find(|(nth, _)| chosen < f64::from(*nth) * share);
        events.push(Event {
            kind,
            from_us: micros(onset),
            to_us: micros(onset + lasting),
            target: target.map(|(_, place)| place),
        });
    }
    events
}

fn micros(seconds: f64) -> u64 {
    u64::try_from(Duration::from_secs_f64(seconds.max(0.0)).as_micros()).unwrap_or(u64::MAX)
}

/// The road at a time.
pub(crate) fn road(roads: &[(f64, Road)], at_us: u64) -> Road {
    let now = Duration::from_micros(at_us).as_secs_f64();
    let begun = roads.partition_point(|(from, _)| *from <= now);
    roads.get(begun.saturating_sub(1)).map_or(Road::Urban, |(_, road)| *road)
}
