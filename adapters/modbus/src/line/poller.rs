//! The task of a line: picks what is due, asks, and makes rows of the answers.

mod ask;

use std::sync::Arc;
use std::time::Duration;

use signals::adapter::Health;
use signals::{BatchBuilder, Feed, Reason, Timestamp};

use super::link::{Event, Link};
use super::report::{Condition, Report};
use super::slot::{Slot, phases};
use super::stamp::Stamper;
use super::unit::{RoundTrips, State, Unit, seed};
use crate::config::{Device, Line};
use crate::scan::{Answers, Read, Scan, Stamp, Tally};

/// A probe that found no slack for this long is sent all the same: a unit must be able to return.
const PROBE_OVERDUE: Duration = Duration::from_secs(30);

/// One line at work.
pub(super) struct Poller {
    name: String,
    /// Where the line leads, for messages.
    place: String,
    request_gap: Duration,
    feed: Feed,
    link: Link,
    trips: RoundTrips,
    devices: Vec<DeviceRun>,
    scans: Vec<ScanRun>,
    /// Requests in a row without an answer from anybody.
    silence: u32,
    /// When the last exchange ended, for the gap before the next.
    last_exchange: Option<Duration>,
    /// When the first request of the scan at work was sent, on both clocks.
    first_sent: Option<(Timestamp, Duration)>,
    answers: Answers,
    words: Vec<u16>,
}

/// One device at work.
struct DeviceRun {
    unit_id: u8,
    timeout: Duration,
    unit: Unit,
    /// The smallest read of the device: what a probe asks for.
    probe: Option<Read>,
    report: Report,
    cuts: ask::CutBudget,
}

/// One scan at work.
struct ScanRun {
    scan: Scan,
    /// Place of its device.
    device: usize,
    slot: Slot,
    stamper: Stamper,
    builder: BatchBuilder,
    /// How the last row came out.
    tally: Tally,
}

impl Poller {
    /// The line at rest; `health` is in the order of its devices.
    pub(super) fn new(line: Line, health: Vec<Arc<Health>>, feed: Feed) -> Self {
        let mut scans = Vec::new();
        let mut devices = Vec::new();
        for (place, (device, health)) in line.devices.into_iter().zip(health).enumerate() {
            devices.push(DeviceRun::new(&device, health));
            scans.extend(device.scans.into_iter().map(|scan| ScanRun::new(scan, place)));
        }
        Self {
            place: line.transport.to_string(),
            link: Link::new(line.transport, line.connect_timeout, seed(&line.name)),
            name: line.name,
            request_gap: line.request_gap,
            feed,
            trips: RoundTrips::default(),
            devices,
            scans,
            silence: 0,
            last_exchange: None,
            first_sent: None,
            answers: Answers::default(),
            words: Vec::with_capacity(125),
        }
    }

    /// Polls for ever; whoever stops the line drops this.
    pub(super) async fn run(&mut self) {
        // The first slots wait for the first connection, or for its failure.
        let start = self.now();
        if self.link.retry(start).is_none() {
            let event = self.link.event().await;
            self.settle_link(event);
        }
        self.start_slots();
        loop {
            let now = self.now();
            let retry_at = self.link.retry(now);
            if let Some(scan) = self.due_scan(now) {
                self.sample(scan).await;
            } else if let Some(device) = self.due_probe(now) {
                self.probe(device).await;
            } else {
                self.idle(now, retry_at).await;
            }
        }
    }

    fn now(&self) -> Duration {
        self.feed.clock.monotonic()
    }

    fn start_slots(&mut self) {
        let epoch = self.now();
        let periods: Vec<Duration> = self.scans.iter().map(|run| run.scan.period()).collect();
        for (run, phase) in self.scans.iter_mut().zip(phases(&periods)) {
            run.slot = Slot::new(epoch + phase, run.scan.period());
        }
    }

    /// The due scan with the earliest deadline; units in doubt come behind the others.
    fn due_scan(&self, now: Duration) -> Option<usize> {
        let due = self.scans.iter().enumerate().filter(|(_, run)| run.slot.due() <= now);
        let rank = |run: &ScanRun| {
            let sure = self.devices.get(run.device).is_some_and(|device| device.unit.is_ok());
            (!sure, run.slot.deadline())
        };
        due.min_by_key(|(_, run)| rank(run)).map(|(place, _)| place)
    }

    /// Time until a slot of a unit that answers, other than `except`.
    fn slack(&self, now: Duration, except: usize) -> Duration {
        let lives = |run: &&ScanRun| {
            let device = self.devices.get(run.device);
            run.device != except && device.is_some_and(|device| !device.unit.is_demoted())
        };
        let next = self.scans.iter().filter(lives).map(|run| run.slot.due()).min();
        next.map_or(Duration::MAX, |due| due.saturating_sub(now))
    }

    /// A demoted unit whose probe is due and disturbs nobody.
    fn due_probe(&self, now: Duration) -> Option<usize> {
        if !self.link.is_up() {
            return None;
        }
        let due = |(place, device): (usize, &DeviceRun)| {
            let probe_at = device.unit.probe_at().filter(|at| *at <= now)?;
            let fits = self.slack(now, place) >= self.trips.probe_timeout(device.timeout);
            (fits || now.saturating_sub(probe_at) >= PROBE_OVERDUE).then_some((probe_at, place))
        };
        self.devices.iter().enumerate().filter_map(due).min().map(|(_, place)| place)
    }

    /// Sleeps until the next slot, probe or try to connect, or until the connection changes.
    async fn idle(&mut self, now: Duration, retry_at: Option<Duration>) {
        let slots = self.scans.iter().map(|run| run.slot.due());
        let probes = self.devices.iter().filter_map(|device| device.unit.probe_at());
        let next = slots.chain(probes.filter(|at| *at > now)).chain(retry_at).min();
        // Without anything to wait for but the connection, an hour is as good as any time.
        let pause = next.map_or(Duration::from_hours(1), |next| next.saturating_sub(now));
        let event = tokio::select! {
            () = tokio::time::sleep(pause) => None,
            event = self.link.event() => Some(event),
        };
        if let Some(event) = event {
            self.settle_link(event);
        }
        self.settle_late();
    }

    fn settle_link(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Up => {
                self.silence = 0;
                self.devices.iter_mut().for_each(|device| device.unit.reconnected(now));
                tracing::info!("{}: connected to {}", self.name, self.place);
            }
            Event::Failed(err) => {
                self.link.lose(now);
                let told = format!(
                    "{}: cannot connect to {}: {err}; check address and port, and that the device \
                     is switched on",
                    self.name, self.place
                );
                self.devices.iter_mut().for_each(|device| device.report.tell(told.clone()));
            }
            Event::Lost(fault) => {
                self.link.lose(now);
                tracing::info!("{}: connection to {} ended: {fault}", self.name, self.place);
            }
        }
    }

    /// Units whose late answers have come are alive.
    fn settle_late(&mut self) {
        let Some(wire) = self.link.wire() else { return };
        let late = wire.take_late_units();
        if late.is_empty() {
            return;
        }
        self.silence = 0;
        for device in self.devices.iter_mut().filter(|device| late.contains(&device.unit_id)) {
            device.unit.answered();
        }
    }

    /// One slot of one scan: asks, and offers the row.
    async fn sample(&mut self, place: usize) {
        let now = self.now();
        let Some(run) = self.scans.get_mut(place) else { return };
        let (device, missed) = (run.device, run.slot.take(now));
        if let Some(device) = self.devices.get_mut(device) {
            device.report.counts.missed += missed;
        }
        self.first_sent = None;
        self.ask_scan(place, device).await;
        self.emit(place);
        self.publish(device);
    }

    /// Makes the row of the answers and offers it.
    fn emit(&mut self, place: usize) {
        let clock = &self.feed.clock;
        let end = clock.monotonic();
        // The middle of the scan on the wall clock of its beginning: a step meanwhile is no matter.
        let (wall, begin) = self.first_sent.unwrap_or_else(|| (clock.now(), end));
        let half = end.saturating_sub(begin) / 2;
        let Some(run) = self.scans.get_mut(place) else { return };
        let ts = run.stamper.next(wall.plus(half), begin + half);
        let stamp = Stamp { ts, error: half, clock: clock.state() };
        run.tally = run.scan.decode_into(&self.answers, stamp, &mut run.builder);
        let refused =
            run.builder.finish().is_some_and(|batch| self.feed.intake.offer(batch).is_err());
        if let Some(device) = self.devices.get_mut(run.device) {
            device.report.counts.dropped += u64::from(refused);
        }
    }

    fn publish(&mut self, place: usize) {
        let mut tally = Tally::default();
        for run in self.scans.iter().filter(|run| run.device == place) {
            tally.add(run.tally);
        }
        let connected = self.link.is_up();
        let now = self.feed.clock.now();
        let Some(device) = self.devices.get_mut(place) else { return };
        let condition = match device.unit.state() {
            _ if !connected => Condition::NotConnected,
            State::Demoted { .. } => Condition::Silent,
            State::Suspect(_) => Condition::Doubtful,
            State::Ok if tally.bad == 0 => Condition::Good,
            State::Ok if tally.bad < tally.signals => Condition::Partly(tally),
            State::Ok => Condition::Useless(tally.reason),
        };
        device.report.publish(condition, now, self.trips.smooth());
    }
}

impl DeviceRun {
    fn new(device: &Device, health: Arc<Health>) -> Self {
        let reads = device.scans.iter().flat_map(Scan::reads);
        Self {
            unit_id: device.unit,
            timeout: device.timeout,
            unit: Unit::new(seed(&device.name)),
            probe: reads.min_by_key(|read| read.count).copied(),
            report: Report::new(health),
            cuts: ask::CutBudget::default(),
        }
    }
}

impl ScanRun {
    fn new(scan: Scan, device: usize) -> Self {
        Self {
            device,
            slot: Slot::new(Duration::ZERO, scan.period()),
            stamper: Stamper::default(),
            builder: BatchBuilder::new(Arc::clone(scan.table())),
            tally: Tally { signals: 0, bad: 0, reason: Reason::None },
            scan,
        }
    }
}
