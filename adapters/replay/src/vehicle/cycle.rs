//! The driving cycle: roads, and on them trips from one speed to the next.

use crate::plant::noise::Gauss;

/// Where the vehicle is driven.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Road {
    Urban,
    Rural,
    Motorway,
}

impl Road {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Urban => "urban",
            Self::Rural => "rural",
            Self::Motorway => "motorway",
        }
    }

    /// Speeds, km/h; and how likely a stop is at the end of a trip.
    const fn habits(self) -> (f64, f64, f64) {
        match self {
            Self::Urban => (25.0, 55.0, 0.5),
            Self::Rural => (55.0, 95.0, 0.08),
            Self::Motorway => (95.0, 130.0, 0.0),
        }
    }
}

/// Roads one after the other for a span of seconds, each with where it begins.
pub(crate) fn roads(seed: u64, span_s: f64) -> Vec<(f64, Road)> {
    let mut dice = Gauss::new(seed, 31);
    let (mut at_s, mut road) = (0.0, Road::Urban);
    let mut roads = Vec::new();
    while at_s < span_s {
        roads.push((at_s, road));
        at_s += 240.0 + 360.0 * dice.uniform();
        let first = dice.uniform() < 0.5;
        road = match (road, first) {
            (Road::Urban, _) | (Road::Motorway, true) => Road::Rural,
            (Road::Rural, true) | (Road::Motorway, false) => Road::Urban,
            (Road::Rural, false) => Road::Motorway,
        };
    }
    roads
}

/// What the driver wants.
pub(crate) struct Cycle {
    dice: Gauss,
    roads: Vec<(f64, Road)>,
    /// Wanted now, m/s.
    speed: f64,
    target: f64,
    /// m/s², and seconds for which the target is held.
    slope: f64,
    hold_s: f64,
}

impl Cycle {
    pub(crate) fn new(seed: u64, roads: Vec<(f64, Road)>) -> Self {
        let dice = Gauss::new(seed, 32);
        Self { dice, roads, speed: 0.0, target: 0.0, slope: 1.0, hold_s: 15.0 }
    }

    /// The speed wanted at `at_s`, m/s, when `step_s` has passed.
    pub(crate) fn step(&mut self, at_s: f64, step_s: f64) -> f64 {
        let reach = self.slope * step_s;
        if (self.target - self.speed).abs() > reach {
            self.speed += reach.copysign(self.target - self.speed);
            return self.speed;
        }
        self.speed = self.target;
        self.hold_s -= step_s;
        if self.hold_s <= 0.0 {
            self.choose(at_s);
        }
        self.speed
    }

    fn choose(&mut self, at_s: f64) {
        let begun = self.roads.partition_point(|(from, _)| *from <= at_s);
        let road = self.roads.get(begun.saturating_sub(1)).map_or(Road::Urban, |(_, road)| *road);
        let (low, high, stops) = road.habits();
        let stop = self.target > 0.0 && self.dice.uniform() < stops;
        let (speed, slope, hold) = (self.dice.uniform(), self.dice.uniform(), self.dice.uniform());
        self.target = if stop { 0.0 } else { (low + (high - low) * speed) / 3.6 };
        let least = if self.target > self.speed { 0.6 } else { 0.7 };
        // A fast car gains little more.
        self.slope = (least + 0.7 * slope) / (1.0 + self.speed / 30.0);
        self.hold_s = if stop { 8.0 + 30.0 * hold } else { 10.0 + 50.0 * hold };
    }
}
