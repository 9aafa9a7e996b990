//! What befalls the plant and when: faults, planned stops, and how it is worked.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use signals::Timestamp;

use super::Device;
use super::fault::{Effects, Fault, FaultKind};
use super::operation::{Operation, Orders, Regime, Wear};

/// After a stop a machine counts as starting for this long.
const START: Duration = Duration::from_mins(15);

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
    /// When each machine stands still, in order and without overlap.
    spans: BTreeMap<Device, Vec<(Timestamp, Timestamp)>>,
    longest: Duration,
    operation: Option<Operation>,
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
        Self { faults, longest: longest.unwrap_or_default(), ..Self::default() }
    }

    /// These planned stops as well.
    #[must_use]
    pub fn with_stops(mut self, mut stops: Vec<PlannedStop>) -> Self {
        stops.sort_by_key(|stop| stop.from);
        self.spans.clear();
        for stop in &stops {
            let spans = self.spans.entry(stop.device).or_default();
            match spans.last_mut() {
                Some((_, to)) if stop.from <= *to => *to = stop.to.max(*to),
                Some(_) | None => spans.push((stop.from, stop.to)),
            }
        }
        self.stops = stops;
        self
    }

    /// Worked by this operation: products, load, maintenance, weather and wear.
    #[must_use]
    pub(crate) fn worked_by(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
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
        self.last_stop(device, now).is_some_and(|(_, to)| now < to)
    }

    /// The last time a machine was told to stop, up to `now`.
    fn last_stop(&self, device: Device, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let spans = self.spans.get(&device)?;
        let begun = spans.partition_point(|(from, _)| *from <= now);
        spans.get(begun.checked_sub(1)?).copied()
    }

    /// When a machine is told to stand still, in order and without overlap.
    #[must_use]
    pub fn standstills(&self, device: Device) -> &[(Timestamp, Timestamp)] {
        self.spans.get(&device).map_or(&[], Vec::as_slice)
    }

    /// When a machine that was told to start at `at` counts as running.
    #[must_use]
    pub fn started(&self, at: Timestamp) -> Timestamp {
        at.plus(START)
    }

    /// What a machine is about at `now`.
    #[must_use]
    pub fn regime(&self, device: Device, now: Timestamp) -> Regime {
        if self.operation.as_ref().is_some_and(|operation| operation.maintained(device, now)) {
            return Regime::Maintenance;
        }
        match self.last_stop(device, now) {
            Some((_, to)) if now < to => Regime::Stop,
            Some((_, to)) if now < to.plus(START) => Regime::Start,
            Some(_) | None => Regime::Run,
        }
    }

    /// How the plant is worked; `None` for a plant that is worked alike for ever.
    #[must_use]
    pub fn operation(&self) -> Option<&Operation> {
        self.operation.as_ref()
    }

    /// What the machines are told and how worn they are at `now`; `None` for a plant that is
    /// worked alike for ever.
    pub(crate) fn told(&self, now: Timestamp) -> Option<(Orders, Wear)> {
        let operation = self.operation.as_ref()?;
        let process_stands = self.stopped(Device::Pump, now);
        Some((operation.orders(now, process_stands), operation.wear(now)))
    }
}

#[cfg(test)]
mod tests;
