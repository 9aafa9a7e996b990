//! A simulated vehicle: a drive as CAN frames, with faults, attacks and labels.
//!
//! A car is driven through towns and over motorways; its controllers put what they know on a bus
//! of 500 kbit/s, where the most urgent frame goes first. The frames are a log as `candump -l`
//! writes it; `vehicle.dbc` tells what they mean.
//!
//! V-1 The same drive gives the same bytes, on one kind of machine.
//! V-2 What the vehicle does and sends does not depend on attacks; only when its frames get
//!     through, and whether.

mod bus;
mod cycle;
mod events;
mod messages;
mod powertrain;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};
use std::time::Duration;

use signals::Timestamp;

use crate::labels::{self, Class, Label};
use crate::plant::noise::Gauss;
use bus::{Bus, Posted, Sender};
use events::Event;
use messages::{MESSAGES, Shown};
use powertrain::Powertrain;

pub use events::{Attack, Defect, Kind};
pub use messages::database;

/// One step of the vehicle, µs.
const STEP_US: u64 = 10_000;
/// A controller is late by up to this much, s.
const JITTER_S: f64 = 80e-6;
/// A frame takes 240 µs: a flood leaves the others one turn in 25.
const FLOOD_US: u64 = 250;
const FUZZ_US: u64 = 10_000;
/// What a replay has recorded before.
const RECORDED_US: u64 = 10_000_000;

/// A drive to be simulated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drive {
    /// Everything follows from it.
    pub seed: u64,
    /// When it begins.
    pub start: Timestamp,
    /// How long it takes; at most a day.
    pub length: Duration,
    /// How often each of [`Kind::ALL`] befalls it; the first sixth is without any.
    pub per_kind: u32,
}

/// A frame on the bus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sent {
    /// When it ended.
    pub ts: Timestamp,
    /// Its identifier, 11 bits.
    pub id: u32,
    /// Its bytes.
    pub bytes: [u8; 8],
    /// The attack that it is part of; `None` when the vehicle sent it.
    pub attack: Option<Attack>,
}

/// How much was written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Written {
    /// Frames.
    pub frames: u64,
    /// Frames that the vehicle did not send.
    pub injected: u64,
    /// Frames that never got through.
    pub overwritten: u64,
}

/// Who puts a frame on the bus next.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Turn {
    /// The vehicle, a message of the table.
    Own(usize),
    /// An intruder, an event of the plan.
    Intruder(usize),
}

/// A drive as it goes on.
pub struct Driving {
    drive: Drive,
    roads: Vec<(f64, cycle::Road)>,
    events: Vec<Event>,
    car: Powertrain,
    shown: Shown,
    /// Steps of the car so far.
    steps: u64,
    due: BinaryHeap<Reverse<(u64, Turn)>>,
    counts: Vec<u64>,
    jitter: Gauss,
    dice: Gauss,
    bus: Bus,
    /// What a replay has recorded, what a masquerade froze; by event.
    tapes: Vec<Tape>,
}

#[derive(Clone, Default)]
struct Tape {
    frames: Vec<(u64, [u8; 8])>,
    next: usize,
    frozen: Option<Shown>,
}

impl Driving {
    /// Before its first frame.
    #[must_use]
    pub fn new(drive: Drive) -> Self {
        let length = drive.length.min(Duration::from_hours(24));
        let events = events::plan(drive.seed, length, drive.per_kind);
        Self::with_events(Drive { length, ..drive }, events)
    }

    fn with_events(drive: Drive, events: Vec<Event>) -> Self {
        let roads = cycle::roads(drive.seed, drive.length.as_secs_f64());
        let first = MESSAGES.iter().enumerate().map(|(place, message)| {
            // Controllers do not all start at once.
            let phase = (message.cycle_ms * 1_000).min(7_919 * (u64::from(message.id) % 97));
            Reverse((phase, Turn::Own(place)))
        });
        let intruders = events.iter().enumerate().filter_map(|(place, event)| {
            let Kind::Attack(attack) = event.kind else { return None };
            let sends = attack != Attack::Suspension;
            sends.then_some(Reverse((event.from_us, Turn::Intruder(place))))
        });
        let mut car = Powertrain::new(drive.seed, roads.clone());
        Self {
            due: first.chain(intruders).collect(),
            tapes: vec![Tape::default(); events.len()],
            counts: vec![0; MESSAGES.len()],
            jitter: Gauss::new(drive.seed, 34),
            dice: Gauss::new(drive.seed, 35),
            bus: Bus::default(),
            shown: car.shown(),
            steps: 0,
            drive,
            roads,
            events,
            car,
        }
    }

    /// The next frame; `None` at the end of the drive.
    pub fn next_frame(&mut self) -> Option<Sent> {
        let end_us = u64::try_from(self.drive.length.as_micros()).unwrap_or(u64::MAX);
        loop {
            let turn_us = self.due.peek().map_or(u64::MAX, |Reverse((at_us, _))| *at_us);
            let bus_us = self.bus.next_us().unwrap_or(u64::MAX);
            // Whoever is due when the wire is free takes part in the arbitration.
            if turn_us <= bus_us {
                if turn_us >= end_us {
                    return None;
                }
                let Reverse((at_us, turn)) = self.due.pop()?;
                self.drive_to(at_us);
                match turn {
                    Turn::Own(place) => self.post_own(at_us, place),
                    Turn::Intruder(place) => self.post_foreign(at_us, place),
                }
                continue;
            }
            if bus_us >= end_us {
                return None;
            }
            let (at_us, frame) = self.bus.send(bus_us)?;
            return Some(Sent {
                ts: self.drive.start.plus(Duration::from_micros(at_us)),
                id: frame.id,
                bytes: frame.bytes,
                attack: self.attack_of(&frame),
            });
        }
    }

    fn attack_of(&self, frame: &Posted) -> Option<Attack> {
        if frame.sender == Sender::Own {
            return None;
        }
        let event = self.events.iter().find(|event| event.is_on(frame.at_us))?;
        match event.kind {
            Kind::Attack(attack) => Some(attack),
            Kind::Defect(_) => None,
        }
    }

    fn drive_to(&mut self, at_us: u64) {
        while (self.steps + 1) * STEP_US <= at_us {
            self.steps += 1;
            let defects = events::defects(&self.events, self.steps * STEP_US);
            self.car.step(&defects);
            self.shown = self.car.shown();
        }
    }

    fn post_own(&mut self, at_us: u64, place: usize) {
        let late = Duration::from_secs_f64(self.jitter.uniform() * JITTER_S);
        let (Some(message), Some(count)) = (MESSAGES.get(place), self.counts.get_mut(place)) else {
            return;
        };
        let bytes = message.pack(&self.shown, *count);
        *count += 1;
        self.due.push(Reverse((at_us + message.cycle_ms * 1_000, Turn::Own(place))));
        for (event, tape) in self.events.iter().zip(&mut self.tapes) {
            let recorded = event.kind == Kind::Attack(Attack::Replay)
                && event.target == Some(place)
                && at_us < event.from_us
                && event.from_us - at_us <= RECORDED_US;
            if recorded {
                tape.frames.push((at_us, bytes));
            }
        }
        if self.events.iter().any(|event| event.silences(place, at_us)) {
            return;
        }
        let at_us = at_us + u64::from(late.subsec_micros());
        self.bus.post(Posted { at_us, id: message.id, sender: Sender::Own, bytes });
    }

    fn post_foreign(&mut self, at_us: u64, place: usize) {
        let Some(event) = self.events.get(place).filter(|event| event.is_on(at_us)) else { return };
        let Kind::Attack(attack) = event.kind else { return };
        let target = event.target.and_then(|place| Some((place, MESSAGES.get(place)?)));
        let (id, bytes, again_us) = match (attack, target) {
            (Attack::Flood, _) => (0, [0; 8], FLOOD_US),
            (Attack::Fuzz, _) => self.fuzz(),
            (Attack::Replay, Some((_, message))) => {
                let Some((bytes, pause)) = self.tapes.get_mut(place).and_then(Tape::play) else {
                    return;
                };
                (message.id, bytes, pause)
            }
            (Attack::Masquerade, Some((own, message))) => {
                let Some(tape) = self.tapes.get_mut(place) else { return };
                let shown = *tape.frozen.get_or_insert(self.shown);
                let count = self.counts.get(own).copied().unwrap_or(0);
                (message.id, message.pack(&shown, count), message.cycle_ms * 1_000)
            }
            (Attack::Replay | Attack::Masquerade | Attack::Suspension, _) => return,
        };
        self.due.push(Reverse((at_us + again_us, Turn::Intruder(place))));
        self.bus.post(Posted { at_us, id, sender: Sender::Intruder, bytes });
    }

    /// A known identifier with random bytes.
    fn fuzz(&mut self) -> (u32, [u8; 8], u64) {
        let share = 1.0 / f64::from(u32::try_from(MESSAGES.len()).unwrap_or(1));
        let chosen = self.dice.uniform();
        let found = (1_u32..).zip(MESSAGES).find(|(nth, _)| chosen < f64::from(*nth) * share);
        let mut bytes = [0; 8];
        for byte in &mut bytes {
            *byte = self.dice.byte();
        }
        (found.map_or(0x7FF, |(_, message)| message.id), bytes, FUZZ_US)
    }

    /// Frames that never got through so far.
    #[must_use]
    pub fn overwritten(&self) -> u64 {
        self.bus.overwritten()
    }

    /// Labels of the whole drive: roads, faults, attacks.
    #[must_use]
    pub fn labels(&self) -> Vec<Label> {
        let at = |micros: u64| self.drive.start.plus(Duration::from_micros(micros));
        let seconds = |span: f64| self.drive.start.plus(Duration::from_secs_f64(span));
        let nexts = self.roads.iter().skip(1).map(|(from, _)| *from);
        let ends = nexts.chain([self.drive.length.as_secs_f64()]);
        let roads = self.roads.iter().zip(ends).map(|((from, road), to)| {
            Label::new(Class::Regime, road.name(), "vehicle", (seconds(*from), seconds(to)))
        });
        let events = self.events.iter().map(|event| Label {
            signals: event.signals(),
            severity: Some(1.0),
            profile: "sudden",
            regime: events::road(&self.roads, event.from_us).name().to_owned(),
            ..Label::new(
                match event.kind {
                    Kind::Attack(_) => Class::Attack,
                    Kind::Defect(_) => Class::Fault,
                },
                event.kind.name(),
                "vehicle",
                (at(event.from_us), at(event.to_us)),
            )
        });
        roads.chain(events).collect()
    }

    /// Drives the rest and writes `vehicle.log` (candump), `vehicle.dbc`, `labels.csv` and
    /// `injected.csv`, the numbers of the lines of the log that the vehicle did not send.
    ///
    /// # Errors
    /// Those of opening and writing.
    pub fn write<W: Write>(
        mut self,
        mut open: impl FnMut(&str) -> io::Result<W>,
    ) -> io::Result<Written> {
        labels::write(&self.labels(), &mut open("labels.csv")?)?;
        open("vehicle.dbc")?.write_all(database().as_bytes())?;
        let mut injected = open("injected.csv")?;
        writeln!(injected, "line,attack")?;
        let mut log = open("vehicle.log")?;
        let mut written = Written::default();
        while let Some(frame) = self.next_frame() {
            written.frames += 1;
            let micros = frame.ts.micros();
            let (whole, rest) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
            let bytes = u64::from_be_bytes(frame.bytes);
            writeln!(log, "({whole}.{rest:06}) can0 {:03X}#{bytes:016X}", frame.id)?;
            if let Some(attack) = frame.attack {
                written.injected += 1;
                writeln!(injected, "{},{}", written.frames, Kind::Attack(attack).name())?;
            }
        }
        written.overwritten = self.overwritten();
        log.flush()?;
        injected.flush()?;
        Ok(written)
    }
}

impl Tape {
    /// The next frame, and the time to the one after it; from the beginning again at the end.
    fn play(&mut self) -> Option<([u8; 8], u64)> {
        let (at_us, bytes) = *self.frames.get(self.next)?;
        self.next += 1;
        let pause = if let Some((next_us, _)) = self.frames.get(self.next) {
            next_us - at_us
        } else {
            self.next = 0;
            self.frames.get(1).zip(self.frames.first()).map_or(FUZZ_US, |(b, a)| b.0 - a.0)
        };
        Some((bytes, pause))
    }
}

#[cfg(test)]
mod tests;
