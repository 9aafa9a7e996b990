//! Listen: the thread of one bus.

mod heard;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use signals::Feed;
use signals::adapter::{Health, Status};

use super::link::{DriverLosses, Link};
use super::meters::Meters;
use super::notices::Notices;
use super::receive::{IdFilter, Receiver, is_large_enough};
use super::report::{Moment, Reporter, Stage};
use super::stamp::StepWatch;
use super::state::{BusState, Sign};
use super::{LiveAdapter, wanted_filters};
use crate::bus::Live;
use crate::reload::Reload;
use crate::stream::Stream;
use heard::Heard;

/// Longest wait for a frame: how soon a stop is noticed.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often rows are offered and what is over is told.
const OFFER_PERIOD: Duration = Duration::from_millis(200);
/// How often the interface is looked at.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// As [`LOOK_PERIOD`], while nothing can be heard.
const LOOK_PERIOD_DEAF: Duration = Duration::from_millis(250);
/// Calls in a row without looking at clock and stop: at most 4,096 frames.
const CALLS_PER_TURN: u32 = 64;
/// After a failure that should not be, so that the thread cannot spin.
const BREATH: Duration = Duration::from_millis(50);
/// Without a frame for this long the bus is said to be silent.
const SILENCE: Duration = Duration::from_secs(5);

/// Listens to one bus until it is stopped.
pub(super) struct Listener {
    live: Live,
    filters: Vec<IdFilter>,
    feed: Feed,
    health: Arc<Health>,
    meters: Meters,
    receiver: Option<Receiver>,
    heard: Heard,
    reload: Reload,
    link: Option<Link>,
    driver: Option<DriverLosses>,
    steps: StepWatch,
    offered: Duration,
    looked: Option<Duration>,
    /// Counts at the last look: frames, error frames.
    before: (u64, u64),
    error: Option<String>,
}

impl Listener {
    pub(super) fn new(adapter: LiveAdapter, feed: Feed) -> Self {
        let LiveAdapter { loaded, live, decoder, filters, health, instruments } = adapter;
        let name = loaded.bus.name.clone();
        let notices = Notices::new(Arc::clone(&feed.intake));
        let heard = Heard::new(
            Stream::new(decoder, Arc::clone(&feed.intake)),
            Reporter::new(&name, &live.interface, notices),
        );
        let reload = Reload::begin(loaded, &feed);
        Self {
            live,
            filters,
            feed,
            health,
            meters: Meters::new(instruments),
            receiver: None,
            heard,
            reload,
            link: None,
            driver: None,
            steps: StepWatch::default(),
            offered: Duration::ZERO,
            looked: None,
            before: (0, 0),
            error: None,
        }
    }

    pub(super) fn run(mut self) {
        loop {
            self.heard.now = self.now();
            self.heard.clock = self.feed.clock.state();
            self.reload();
            self.tick();
            let stopped = match self.receiver.take() {
                Some(receiver) => {
                    if self.hear(&receiver) {
                        self.receiver = Some(receiver);
                    }
                    self.feed.stop.is_raised()
                }
                None => self.feed.stop.wait(LOOK_PERIOD_DEAF),
            };
            if stopped {
                self.finish();
                return;
            }
        }
    }

    /// Goes on with changed databases, if there are any: between two frames.
    fn reload(&mut self) {
        let now = self.heard.now.wall;
        let Some(plan) = self.reload.turn(&mut self.heard.stream, now) else { return };
        let filters = wanted_filters(&self.live, &plan);
        if filters == self.filters {
            return;
        }
        self.filters = filters;
        if let Some(receiver) = self.receiver.take() {
            match receiver.set_filters(&self.filters) {
                Ok(()) => self.receiver = Some(receiver),
                Err(error) => {
                    let _useless = self.failed(&error);
                }
            }
        }
    }

    fn now(&self) -> Moment {
        Moment { wall: self.feed.clock.now(), steady: self.feed.clock.monotonic() }
    }

    /// Takes the frames that wait; false when the socket is of no use any more.
    fn hear(&mut self, receiver: &Receiver) -> bool {
        match receiver.wait(PATIENCE) {
            Ok(true) => {}
            Ok(false) => return true,
            Err(error) => return self.failed(&error),
        }
        self.heard.now = self.now();
        let mut is_useful = true;
        let mut frames = 0;
        for _ in 0..CALLS_PER_TURN {
            match receiver.receive(|received| self.heard.take(received)) {
                Ok(count) => frames += count,
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EAGAIN) => {
                        // The queue is empty: what was lost, was lost behind the last frame.
                        let now = self.heard.now;
                        self.heard.note_lost(receiver.lost(), now);
                        break;
                    }
                    // What still waits in the queue comes next.
                    Some(Errno::ENETDOWN) => self.see(Sign::WentDown),
                    Some(Errno::ENODEV | Errno::ENXIO) => {
                        self.see(Sign::Gone);
                        is_useful = false;
                    }
                    Some(Errno::EINTR) => {}
                    _ => return self.failed(&error),
                },
            }
        }
        if frames == 0 {
            // Woken for nothing but news of the interface.
            let _stopped = self.feed.stop.wait(BREATH);
        }
        is_useful
    }

    /// Remembers what should not have happened; the socket is given up.
    fn failed(&mut self, error: &io::Error) -> bool {
        let name = &self.live.interface;
        let text = format!("{name}: cannot be read: {error}; it is opened again");
        tracing::warn!(bus = %self.health.device, "{text}");
        self.error = Some(text);
        let _stopped = self.feed.stop.wait(BREATH);
        false
    }

    /// What is done now and then.
    fn tick(&mut self) {
        let now = self.heard.now;
        let period = if self.heard.tally.state.hears() { LOOK_PERIOD } else { LOOK_PERIOD_DEAF };
        let since = |at: Duration| now.steady.saturating_sub(at);
        let is_due = self.looked.is_none_or(|at| since(at) >= period);
        if is_due || since(self.offered) >= OFFER_PERIOD {
            self.offered = now.steady;
            self.heard.stream.tick(now.wall, now.steady, self.heard.clock);
            self.heard.stream.offer_all();
            self.heard.reporter.settle(now);
        }
        if is_due {
            let span = self.looked.map(since);
            self.looked = Some(now.steady);
            if let Some(step) = self.steps.look(&*self.feed.clock) {
                self.heard.tally.clock_steps += 1;
                self.heard.reporter.clock_step(step, now);
            }
            self.look();
            self.measure(span);
            self.show();
        }
    }

    /// Looks at the interface, and opens or leaves it.
    fn look(&mut self) {
        let link = match Link::read(&self.live.interface) {
            Ok(link) => link,
            Err(error) => {
                let name = &self.live.interface;
                self.error = Some(format!(
                    "{name}: its settings cannot be read: {error}; let the gateway use netlink \
                     sockets"
                ));
                return;
            }
        };
        self.link = link;
        let Some(link) = link else {
            self.receiver = None;
            self.see(Sign::Gone);
            return;
        };
        // Virtual interfaces have none: there error frames tell them.
        self.heard.tally.counters = link.counters.or(self.heard.tally.counters);
        let sign = link.sign(&self.live);
        // A socket stays bound to an interface that was removed, also when one of that name is
        // back.
        if self.receiver.as_ref().is_some_and(|receiver| receiver.index != link.index) {
            self.receiver = None;
            self.see(Sign::Gone);
        }
        match sign {
            Sign::Misset => {
                self.receiver = None;
                self.error = Some(link.deviations(&self.live).join("; "));
            }
            Sign::Up(_) if self.receiver.is_none() && !self.open(link.index) => {
                self.see(Sign::Misset);
                return;
            }
            Sign::Up(_) | Sign::WentDown | Sign::Gone | Sign::Told(_) | Sign::Frame => {}
        }
        self.see(sign);
    }

    fn open(&mut self, index: u32) -> bool {
        let name = &self.live.interface;
        match Receiver::open(index, &self.filters) {
            Ok(receiver) => {
                let bytes = receiver.buffer_bytes;
                if !is_large_enough(bytes) && self.heard.tally.opened == 0 {
                    tracing::warn!(
                        bus = %self.health.device,
                        "{name}: the receive buffer has {bytes} bytes, frames may be lost when the \
                         machine is busy; set net.core.rmem_max to 8388608"
                    );
                }
                self.heard.tally.buffer_bytes = bytes;
                self.heard.tally.opened += 1;
                self.heard.lost = 0;
                self.driver = DriverLosses::read(name);
                self.receiver = Some(receiver);
                self.error = None;
                true
            }
            Err(error) => {
                self.error = Some(format!(
                    "{name}: cannot be listened to: {error}; check that it is a CAN interface"
                ));
                false
            }
        }
    }

    fn see(&mut self, sign: Sign) {
        self.heard.see(sign);
    }

    /// Rates since the last look, and what the driver lost.
    #[expect(clippy::cast_precision_loss, reason = "a second has far fewer than 2^52 frames")]
    fn measure(&mut self, span: Option<Duration>) {
        let heard = &mut self.heard;
        let now = heard.now;
        let bits = std::mem::take(&mut heard.bits);
        let frames = heard.stream.counts().frames;
        let (frames_before, errors_before) =
            std::mem::replace(&mut self.before, (frames, heard.tally.error_frames));
        if let Some(seconds) = span.map(|span| span.as_secs_f64()).filter(|span| *span > 0.0) {
            let link = self.link.unwrap_or_default();
            let nominal = link.bitrate.or(self.live.bitrate);
            let fast = link.data_bitrate.or(self.live.data_bitrate);
            heard.tally.rate = (frames - frames_before) as f64 / seconds;
            // What a filter holds back occupies the bus all the same.
            let hears_all = self.filters.is_empty() && heard.tally.state.hears();
            heard.tally.load =
                bits.seconds(nominal, fast).filter(|_| hears_all).map(|busy| busy / seconds);
            let rate = (heard.tally.error_frames - errors_before) as f64 / seconds;
            let causes = heard.tally.causes;
            heard.reporter.errors(&causes, rate, now);
        }
        heard.tally.age = heard.last.map(|(_, at)| now.steady.saturating_sub(at));
        heard.tally.lost_notices = heard.reporter.lost_notices();
        let counts = self.receiver.as_ref().and_then(|_| DriverLosses::read(&self.live.interface));
        if let (Some(counts), Some(before)) = (counts, self.driver) {
            let lost = counts.since(before);
            heard.add_lost(Stage::Controller, lost.controller, now);
            heard.add_lost(Stage::Kernel, lost.kernel, now);
        }
        self.driver = counts.or(self.driver);
    }

    fn show(&self) {
        let heard = &self.heard;
        let counts = heard.stream.counts();
        self.meters.show(&heard.tally, &heard.stream, &self.reload);
        let (status, detail) = self.reload.judged(self.summary());
        self.health.update(|vitals| {
            vitals.turn(status, detail, heard.now.wall);
            counts.show(vitals);
            vitals.last_error = self.error.as_ref().or(self.reload.refused()).cloned();
        });
    }

    /// Status and a few words.
    fn summary(&self) -> (Status, String) {
        let tally = &self.heard.tally;
        let state = tally.state;
        if !state.hears() {
            return (state.status(), state.advice().to_owned());
        }
        let lost: u64 = tally.lost.iter().sum();
        let status = if tally.age.is_none_or(|age| age > SILENCE) {
            Status::OutOfSpecification
        } else if lost > 0 {
            state.status().max(Status::Maintenance)
        } else {
            state.status()
        };
        let mut parts = vec![match tally.age {
            None => "listens, no frame yet".to_owned(),
            Some(age) if age > SILENCE => format!("no frame for {} s", age.as_secs()),
            Some(_) => format!("{:.0} frames/s", tally.rate),
        }];
        parts.extend(tally.load.map(|load| format!("bus load {:.1} %", load * 100.0)));
        if state != BusState::Active {
            parts.push(state.advice().to_owned());
        }
        parts.extend(tally.counters.map(|(tec, rec)| format!("error counters {tec} and {rec}")));
        if lost > 0 {
            parts.push(format!("{lost} frames lost"));
        }
        let counts = self.heard.stream.counts();
        if counts.unknown > 0 {
            parts.push(format!(
                "{} identifiers ({} frames) are in no database",
                counts.unknown_ids.len(),
                counts.unknown
            ));
        }
        (status, parts.join(", "))
    }

    /// At the stop: what waits in the queue, then everything that is still open.
    fn finish(&mut self) {
        self.heard.now = self.now();
        if let Some(receiver) = self.receiver.take() {
            for _ in 0..CALLS_PER_TURN {
                if receiver.receive(|received| self.heard.take(received)).is_err() {
                    break;
                }
            }
            let now = self.heard.now;
            self.heard.note_lost(receiver.lost(), now);
        }
        self.heard.stream.offer_all();
        let now = self.heard.now;
        self.heard.reporter.finish(now);
        self.show();
    }
}
