//! The task of a line: picks what is due, asks, and makes rows of the answers.
//!
//! The first round asks everybody in turn and shows what each scan takes of the line; from then
//! on the scans stand one behind the other, and the slack that is left is whole.

mod ask;
mod idle;
mod lesson;
mod order;
mod row;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use signals::adapter::{Health, Instruments, Notebook};
use signals::{BatchBuilder, Feed, Reason};
use tokio::time::Instant;

use super::learn::{Learner, Lessons, Place};
use super::link::Link;
use super::meters::{Meters, UnitMeters};
use super::report::Report;
use super::slot::{Load, Slot, phases};
use super::stamp::Stamper;
use super::unit::{RoundTrips, Unit, seed};
use crate::config::{Depth, Device, Line, Transport};
use crate::scan::{Cut, Read, Scan, Tally, Watch};
use crate::wire::{Ask, DepthControl, FrameTrace, Outcomes};
use crate::write::Desk;
use ask::Errand;

/// A probe or a doubtful unit that found no slack for this long is asked all the same: it must be
/// able to return.
const OVERDUE: Duration = Duration::from_secs(3);
/// Slots are taken this much early, so that one wake-up serves what is due in one tick of the
/// timer.
const EARLY: Duration = Duration::from_micros(500);
/// Rows in a row that are refused before a scan that was answered is taken to have changed.
const REFUSALS_MIN: u32 = 2;
/// Reads handed to the wire at once, per request on its way: enough that it never runs dry.
const READS_PER_DEPTH: usize = 4;

/// What a line has with the world beside its samples.
pub(super) struct Shown {
    /// The health of its devices, in their order.
    pub(super) health: Vec<Arc<Health>>,
    /// Where it keeps what it learned.
    pub(super) notebook: Option<Arc<dyn Notebook>>,
    /// Where commands wait.
    pub(super) desk: Desk,
    /// Where it shows what it counts.
    pub(super) instruments: Arc<Instruments>,
    /// Where its last frames are kept.
    pub(super) trace: Arc<FrameTrace>,
}

/// One line at work.
pub(super) struct Poller {
    name: String,
    /// Where the line leads, for messages.
    place: String,
    request_gap: Duration,
    /// How many requests may be on their way at once.
    depth: DepthControl,
    /// Whether that is found out, which needs rounds of several reads.
    finds_depth: bool,
    /// Whether an answer can be told from the answer to an earlier request.
    has_ids: bool,
    /// Whether the line is a connection that may be dead without anybody saying so.
    may_be_half_open: bool,
    feed: Feed,
    notebook: Option<Arc<dyn Notebook>>,
    desk: Desk,
    /// Reads since the last command was carried out.
    reads_since_order: usize,
    link: Link,
    trips: RoundTrips,
    devices: Vec<DeviceRun>,
    scans: Vec<ScanRun>,
    meters: Meters,
    /// Start of the first round while it lasts.
    first_round: Option<Duration>,
    /// Requests in a row without an answer from anybody.
    silence: u32,
    /// When the last exchange ended, for the gap before the next.
    last_exchange: Option<Instant>,
    /// When a device that said it was busy may be asked again.
    busy_until: Option<Instant>,
    /// The last request that timed out, when it was sent and the device it went to: until the
    /// next answer shows how long it held up the line.
    unanswered: Option<(usize, Instant)>,
    /// Scans that are being asked for; the first `busy` are in use, the others keep their room.
    errands: Vec<Errand>,
    busy: usize,
    asks: Vec<Ask>,
    /// For each ask its errand and its read.
    askers: Vec<(usize, usize)>,
    outcomes: Outcomes,
}

/// One device at work.
struct DeviceRun {
    unit_id: u8,
    timeout: Duration,
    unit: Unit,
    /// The smallest read of the device: what a probe asks for.
    probe: Option<Read>,
    /// How long the line was held up by a request to it that brought nothing; `None` when that
    /// is not known.
    hold: Option<Duration>,
    /// When it was asked last.
    asked_at: Duration,
    report: Report,
    meters: UnitMeters,
    learner: Learner,
    /// Whose the lessons are.
    place: Place,
    budget: lesson::Budget,
}

/// One scan at work.
struct ScanRun {
    scan: Scan,
    /// Place of its device.
    device: usize,
    slot: Slot,
    stamper: Stamper,
    builder: BatchBuilder,
    /// When the oldest row in the builder was made.
    oldest: Duration,
    /// How the last row came out.
    tally: Tally,
    /// What the watchdog tag showed, when it is read here.
    watch: Option<Watch>,
    /// Line time of its last complete round.
    cost: Option<Duration>,
    /// Where refused reads were cut, until the cause is known.
    cuts: Vec<Cut>,
    /// Rows in a row without a refusal, and with one after that.
    settled_rows: u32,
    refused_rows: u32,
    /// Whether its turn has come while the line was connected.
    asked: bool,
}

/// What may be done about a scan that is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Permit {
    /// Ask for it, waiting at most so long for each answer.
    Ask(Duration),
    /// Make its row without asking.
    Skip(Reason),
    /// Leave it until there is slack.
    Wait,
}

impl Poller {
    /// The line at rest.
    pub(super) fn new(line: Line, shown: Shown, feed: Feed) -> Self {
        let mut scans = Vec::new();
        let mut devices = Vec::new();
        let Shown { health, notebook, desk, instruments, trace } = shown;
        for (place, (device, health)) in line.devices.into_iter().zip(health).enumerate() {
            let whose = Place {
                device: device.name.clone(),
                line: line.transport.to_string(),
                unit: device.unit,
            };
            let page = notebook.as_ref().and_then(|notebook| notebook.recall(&whose.page()));
            let lessons = page.and_then(|page| Lessons::of_page(&page, &whose));
            let learner = Learner::remembering(lessons.unwrap_or_default());
            devices.push(DeviceRun::new(&device, whose, learner, health));
            for (number, scan) in device.scans.into_iter().enumerate() {
                let mut run = ScanRun::new(scan, place);
                let watchdog = device.watchdog.filter(|watchdog| watchdog.scan == number);
                run.watch = watchdog.map(|watchdog| Watch::new(watchdog.signal));
                scans.push(run);
            }
        }
        let has_ids = matches!(line.transport, Transport::Tcp { .. } | Transport::Tls { .. });
        let pipeline = if has_ids { line.pipeline } else { Depth::Fixed(1) };
        Self {
            may_be_half_open: !matches!(line.transport, Transport::Rtu { .. }),
            place: line.transport.to_string(),
            link: Link::new(line.transport, line.connect_timeout, seed(&line.name), trace),
            name: line.name,
            request_gap: line.request_gap,
            depth: DepthControl::new(pipeline),
            finds_depth: pipeline == Depth::Auto,
            has_ids,
            feed,
            notebook,
            desk,
            reads_since_order: 0,
            trips: RoundTrips::default(),
            devices,
            scans,
            first_round: None,
            meters: Meters::new(instruments),
            silence: 0,
            last_exchange: None,
            busy_until: None,
            unanswered: None,
            errands: Vec::new(),
            busy: 0,
            asks: Vec::new(),
            askers: Vec::new(),
            outcomes: Outcomes::default(),
        }
    }

    /// Polls until the stop is raised, which is looked at between requests.
    pub(super) async fn run(&mut self) {
        // The first slots wait for the first connection, or for its failure.
        let start = self.now();
        if self.link.retry(start).is_none() {
            let event = self.link.event().await;
            self.settle_link(event);
        }
        self.start_slots();
        while !self.feed.stop.is_raised() {
            let now = self.now();
            let retry_at = self.link.retry(now);
            self.apply_lessons();
            if self.carry_out_order().await {
                continue;
            }
            if self.take_due(now) {
                self.ask_errands().await;
            } else if let Some(device) = self.due_probe(now) {
                self.probe(device).await;
            } else if let Some(device) = self.due_trial(now) {
                self.try_read(device).await;
            } else {
                self.pack(now);
                self.idle(now, retry_at).await;
            }
            self.show_meters();
        }
    }

    /// Offers the rows that are still held back.
    pub(super) fn finish(&mut self) {
        for place in 0..self.scans.len() {
            self.offer(place);
        }
    }

    fn now(&self) -> Duration {
        self.feed.clock.monotonic()
    }

    fn start_slots(&mut self) {
        let epoch = self.now();
        self.first_round = Some(epoch);
        for run in &mut self.scans {
            run.slot = Slot::new(epoch, run.scan.period());
        }
    }

    /// Ends the first round: from now on the scans stand one behind the other.
    ///
    /// Slots only ever move forward in time by less than what the first round took for them, so
    /// that no interval is longer than its period.
    fn pack(&mut self, now: Duration) {
        let Some(epoch) = self.first_round.filter(|_| self.scans.iter().all(|run| run.asked))
        else {
            return;
        };
        self.first_round = None;
        let trip = self.trips.smooth().unwrap_or_default();
        let loads: Vec<Load> = self.scans.iter().map(|run| run.load(trip)).collect();
        for (run, phase) in self.scans.iter_mut().zip(phases(&loads)) {
            run.slot.move_to(epoch + phase, now);
        }
    }

    /// Reads of one round. With one request on its way at a time each read is a round, so that a
    /// timeout is known before the next is sent.
    fn reads_at_once(&self) -> usize {
        match self.depth.depth() {
            0 | 1 => 1 + usize::from(self.finds_depth),
            depth => depth * READS_PER_DEPTH,
        }
    }

    /// Fills the errands with what is due: the earliest deadlines, units in doubt behind the
    /// others. False when nothing is.
    fn take_due(&mut self, now: Duration) -> bool {
        self.busy = 0;
        let soon = now + EARLY;
        let most = self.reads_at_once();
        let mut reads = 0;
        while reads < most {
            let Some((place, sure)) = self.due_scan(soon) else { break };
            // A unit in doubt may hold the line up: it is asked alone.
            if !sure && self.busy > 0 {
                break;
            }
            let permit = self.permit(place, now);
            if permit == Permit::Wait {
                break;
            }
            self.begin(place, permit, soon);
            reads += self.scans.get(place).map_or(1, |run| run.scan.reads().len());
            if !sure {
                break;
            }
        }
        self.busy > 0
    }

    /// The due scan with the earliest deadline, and whether its unit is beyond doubt.
    fn due_scan(&self, now: Duration) -> Option<(usize, bool)> {
        let due = self.scans.iter().enumerate().filter(|(_, run)| run.slot.due() <= now);
        let rank = |run: &ScanRun| {
            let device = self.devices.get(run.device);
            // A demoted unit is not asked: its rows cost the line nothing.
            let sure = device.is_some_and(|device| !device.unit.is_suspect());
            (!sure, run.slot.deadline())
        };
        let first = due.map(|(place, run)| (rank(run), place)).min()?;
        Some((first.1, !first.0.0))
    }

    /// What may be done about a scan that is due.
    fn permit(&self, place: usize, now: Duration) -> Permit {
        let Some(run) = self.scans.get(place) else { return Permit::Wait };
        let Some(device) = self.devices.get(run.device) else { return Permit::Wait };
        if !self.link.is_up() {
            return Permit::Skip(Reason::NotConnected);
        }
        if device.unit.is_demoted() {
            return Permit::Skip(Reason::Demoted);
        }
        if !device.unit.is_suspect() || !self.has_company(run.device) {
            return Permit::Ask(device.timeout);
        }
        let slack = self.slack(now, run.device);
        let short = self.trips.probe_timeout(device.timeout);
        if now.saturating_sub(device.asked_at) >= OVERDUE {
            return Permit::Ask(short);
        }
        if slack >= device.timeout.max(device.hold()) {
            Permit::Ask(device.timeout)
        } else if slack >= short.max(device.hold()) {
            Permit::Ask(short)
        } else if now + EARLY < run.slot.deadline() {
            Permit::Wait
        } else {
            Permit::Skip(Reason::Timeout)
        }
    }

    /// Whether anybody but this device is known to answer.
    fn has_company(&self, except: usize) -> bool {
        self.devices.iter().enumerate().any(|(place, device)| {
            place != except && device.unit.is_ok() && device.unit.has_answered()
        })
    }

    /// Time until a slot of a unit that answers, other than `except`.
    fn slack(&self, now: Duration, except: usize) -> Duration {
        let lives = |run: &&ScanRun| {
            let device = self.devices.get(run.device);
            run.device != except && device.is_some_and(|device| device.unit.is_ok())
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
            let cost = self.trips.probe_timeout(device.timeout).max(device.hold());
            let fits = self.slack(now, place) >= cost;
            (fits || now.saturating_sub(probe_at) >= OVERDUE).then_some((probe_at, place))
        };
        self.devices.iter().enumerate().filter_map(due).min().map(|(_, place)| place)
    }
}

impl DeviceRun {
    fn new(device: &Device, place: Place, learner: Learner, health: Arc<Health>) -> Self {
        let reads = device.scans.iter().flat_map(Scan::reads);
        Self {
            unit_id: device.unit,
            timeout: device.timeout,
            unit: Unit::new(seed(&device.name)),
            probe: reads.min_by_key(|read| read.count).copied(),
            hold: None,
            asked_at: Duration::ZERO,
            report: Report::new(health),
            meters: UnitMeters::new(&device.name, device.unit),
            learner,
            place,
            budget: lesson::Budget::default(),
        }
    }
}

impl DeviceRun {
    /// How long a request to it may hold the line up: a gateway may wait for a dead unit longer
    /// than we do.
    fn hold(&self) -> Duration {
        self.hold.unwrap_or(self.timeout)
    }
}

impl ScanRun {
    fn new(scan: Scan, device: usize) -> Self {
        Self {
            device,
            slot: Slot::new(Duration::ZERO, scan.period()),
            stamper: Stamper::default(),
            builder: BatchBuilder::new(Arc::clone(scan.table())),
            oldest: Duration::ZERO,
            tally: Tally { signals: 0, bad: 0, reason: Reason::None },
            watch: None,
            cost: None,
            cuts: Vec::new(),
            settled_rows: 0,
            refused_rows: 0,
            asked: false,
            scan,
        }
    }

    /// Whether a refusal may be believed: at once when nothing was answered before, else when it
    /// comes again and again.
    fn believes_refusals(&self) -> bool {
        self.settled_rows == 0 || self.refused_rows >= REFUSALS_MIN
    }

    /// What it takes of its line; `trip` is the line's round trip, for scans nobody answered yet.
    fn load(&self, trip: Duration) -> Load {
        let reads = u32::try_from(self.scan.reads().len()).unwrap_or(u32::MAX);
        Load { period: self.scan.period(), cost: self.cost.unwrap_or(trip.saturating_mul(reads)) }
    }
}
