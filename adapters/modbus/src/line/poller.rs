//! The task of a line: picks what is due, asks, and makes rows of the answers.
//!
//! The first round asks everybody in turn and shows what each scan takes of the line; from then
//! on the scans stand one behind the other, and the slack that is left is whole.

mod ask;
mod due;
mod idle;
mod lesson;
mod order;
mod row;
mod run;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use signals::adapter::{Health, Instruments, Notebook};
use signals::{Feed, Gap, Reason, Timestamp};
use tokio::time::Instant;

use super::learn::{Learner, Lessons, Place};
use super::link::Link;
use super::meters::Meters;
use super::slot::{Load, Slot, phases};
use super::unit::{RoundTrips, seed};
use crate::config::{Depth, Line, Transport};
use crate::scan::Watch;
use crate::wire::{Ask, DepthControl, FrameTrace, Outcomes};
use crate::write::Desk;
use ask::Errand;
use run::{DeviceRun, ScanRun};

/// Slots are taken this much early, so that one wake-up serves what is due in one tick of the
/// timer.
const EARLY: Duration = Duration::from_micros(500);
/// How often scans are packed again, and the first pause before that.
const PACKS_MAX: u32 = 4;
const PACK_AGAIN: Duration = Duration::from_secs(5);

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
    /// Whether the line is a serial port, not a connection, which may be dead without anybody
    /// saying so.
    is_serial: bool,
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
    /// When the line was started.
    started: Timestamp,
    /// Gaps that are to be told.
    untold: Vec<Gap>,
    /// Start of the first round, which phases count from.
    epoch: Duration,
    /// How often the scans have been packed.
    packs: u32,
    /// When they were packed last.
    packed_at: Duration,
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
    /// Line time of each request of the last round.
    round_share: Duration,
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
            is_serial: matches!(line.transport, Transport::Rtu { .. }),
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
            started: Timestamp::default(),
            untold: Vec::new(),
            epoch: Duration::ZERO,
            packs: 0,
            packed_at: Duration::ZERO,
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
            round_share: Duration::ZERO,
        }
    }

    /// Polls until the stop is raised, which is looked at between requests.
    pub(super) async fn run(&mut self) {
        // The first slots wait for the first connection, or for its failure.
        let start = self.now();
        self.started = self.feed.clock.now();
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
            } else if !self.pack(now) {
                self.idle(now, retry_at).await;
            }
            self.show_meters();
        }
    }

    /// Offers the rows that are still held back, and tells the gaps between them.
    pub(super) fn finish(&mut self) {
        for place in 0..self.scans.len() {
            self.offer(place);
        }
        self.tell_gaps(true);
    }

    fn now(&self) -> Duration {
        self.feed.clock.monotonic()
    }

    fn start_slots(&mut self) {
        let epoch = self.now();
        self.epoch = epoch;
        for run in &mut self.scans {
            run.slot = Slot::new(epoch, run.scan.period());
        }
    }

    /// Ends the first round: from now on the scans stand one behind the other. Later, when their
    /// shortest times are known better, they move closer together.
    ///
    /// No slot moves to a later time than the last round had it, so that no interval is longer
    /// than its period. Says whether slots have moved: one may be due now.
    fn pack(&mut self, now: Duration) -> bool {
        let is_due = match self.packs {
            0 => self.scans.iter().all(|run| run.asked),
            1..=PACKS_MAX => now.saturating_sub(self.packed_at) >= PACK_AGAIN * self.packs,
            _ => false,
        };
        if !is_due {
            return false;
        }
        let trip = self.trips.smooth().unwrap_or_default();
        let loads: Vec<Load> = self.scans.iter().map(|run| run.load(trip)).collect();
        for (run, phase) in self.scans.iter_mut().zip(phases(&loads)) {
            if self.packs == 0 {
                run.slot.move_to(self.epoch + phase, now);
            } else if phase < run.phase {
                run.slot.advance(run.phase.saturating_sub(phase));
            } else {
                continue;
            }
            run.phase = phase;
        }
        self.packs += 1;
        self.packed_at = now;
        true
    }
}
