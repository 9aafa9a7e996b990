//! Replay: plays a recorded log as if it happened now.
//!
//! The first frame is stamped with the time of the start, every other one with its distance from
//! it, divided by the speed; or all with the times of the recording ([`times`]). The log is read as
//! it is played, so its length costs no memory.
//! R-1 Times of a table strictly increase, also from one pass of the log to the next.
//! R-2 A full intake costs the batch, counted in [`Vitals::dropped`](signals::adapter::Vitals);
//!     playing never waits for it.
//! R-3 A log that is not to be repeated is played once: the adapter then rests until it is told to
//!     stop. One of which nothing can be played ends, and supervision starts it again.

mod times;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use signals::adapter::{Health, Instruments, Status};
use signals::{Adapter, Feed, Table, Timestamp};

use crate::bus::{Recording, Replay};
use crate::decode::Decoder;
use crate::frame::Frame;
use crate::live::meters::{of_clock, of_databases, of_stream};
use crate::log_decode::FrameSource;
use crate::reload::{Loaded, Reload};
use crate::stream::Stream;
use times::Times;

/// Frames within one tick are handled together, each with its own time: ten wake-ups a second.
const TICK: Duration = Duration::from_millis(100);
/// How often all rows so far are offered.
const OFFER_PERIOD: Duration = Duration::from_millis(200);
/// How often figures for `/metrics` are renewed.
const SHOW_PERIOD: Duration = Duration::from_secs(1);
/// Without a frame for this long the bus is said to be silent.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a bus whose log has been played sleeps at a time; a stop wakes it.
const REST: Duration = Duration::from_secs(60);
/// Frames between two looks at the stop signal.
const FRAMES_PER_LOOK: u32 = 4096;
/// Distance between two passes of a log that has only one frame, or all at one time.
const SPACING_OF_ONE: i64 = 1_000_000;

/// The adapter of a replayed bus.
pub struct ReplayAdapter {
    loaded: Loaded,
    replay: Replay,
    decoder: Decoder,
    health: Arc<Health>,
    instruments: Arc<Instruments>,
}

impl ReplayAdapter {
    /// An adapter that plays `replay` through `decoder`.
    pub(crate) fn new(loaded: Loaded, replay: Replay, decoder: Decoder) -> Self {
        let name = loaded.bus.name.clone();
        let channel = replay.channel.as_deref().map(|c| format!(" {c}")).unwrap_or_default();
        let address = match &replay.log {
            Recording::Log(log) => format!("recorded log {}{channel}", log.file_name()),
            Recording::Synthetic => "synthetic frames".to_owned(),
        };
        let health = Health::new(name.clone(), "can", address);
        let instruments = Arc::new(Instruments::new(name, "can"));
        Self { loaded, replay, decoder, health, instruments }
    }
}

impl Adapter for ReplayAdapter {
    fn name(&self) -> &str {
        &self.loaded.bus.name
    }

    fn tables(&self) -> Vec<Arc<Table>> {
        self.decoder.tables().cloned().collect()
    }

    fn health(&self) -> Vec<Arc<Health>> {
        vec![Arc::clone(&self.health)]
    }

    fn instruments(&self) -> Vec<Arc<Instruments>> {
        vec![Arc::clone(&self.instruments)]
    }

    fn run(self: Box<Self>, feed: Feed) {
        Player::new(*self, feed).run();
    }
}

/// Why playing paused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Pause {
    /// The next frame is not due yet, or it is time to look at the stop signal.
    NotDue,
    /// There are more frames due.
    Look,
    /// There is nothing more to play.
    Ended,
}

struct Player {
    replay: Replay,
    stream: Stream,
    reload: Reload,
    health: Arc<Health>,
    instruments: Arc<Instruments>,
    /// When they were shown last.
    shown: Duration,
    feed: Feed,
    times: Times,
    /// When the last frame was played, since the start.
    played: Option<Duration>,
    pass: Option<Pass>,
    passes: u64,
    /// Offset from the start at which the next pass begins, in microseconds.
    next_pass: i64,
    frame: Frame,
    /// Offset of `frame` if it is still to be played.
    pending: Option<i64>,
    error: Option<String>,
}

/// One pass through the log.
struct Pass {
    log: Box<dyn FrameSource>,
    /// Time of its first frame in the log.
    first: Option<Timestamp>,
    begins: i64,
    last: i64,
    frames: i64,
}

impl Player {
    fn new(adapter: ReplayAdapter, feed: Feed) -> Self {
        let ReplayAdapter { loaded, replay, decoder, health, instruments } = adapter;
        let times = Times::begin(&*feed.clock, replay.time, replay.speed);
        Self {
            replay,
            stream: Stream::new(decoder, Arc::clone(&feed.intake)),
            reload: Reload::begin(loaded, &feed),
            health,
            instruments,
            shown: Duration::ZERO,
            feed,
            times,
            played: None,
            pass: None,
            passes: 0,
            next_pass: 0,
            frame: Frame::default(),
            pending: None,
            error: None,
        }
    }

    fn run(mut self) {
        let mut offered = self.elapsed();
        loop {
            let _plan = self.reload.turn(&mut self.stream, self.feed.clock.now());
            let pause = self.play_until(self.elapsed());
            if self.elapsed().saturating_sub(offered) >= OFFER_PERIOD || pause == Pause::Ended {
                offered = self.elapsed();
                if let Some((now, monotonic, state)) = self.times.now(&*self.feed.clock) {
                    self.stream.tick(now, monotonic, state);
                }
                self.stream.offer_all();
                self.report(pause);
            }
            let stopped = match pause {
                Pause::Ended if self.error.is_some() && self.stream.counts().frames == 0 => return,
                Pause::Ended => {
                    while !self.feed.stop.wait(REST) {}
                    return;
                }
                Pause::Look => self.feed.stop.is_raised(),
                Pause::NotDue => self.feed.stop.wait(TICK),
            };
            if stopped {
                self.stream.offer_all();
                self.report(Pause::NotDue);
                return;
            }
        }
    }

    fn elapsed(&self) -> Duration {
        self.times.elapsed(&*self.feed.clock)
    }

    /// Plays the frames that are due `elapsed` after the start, but not for too long.
    fn play_until(&mut self, elapsed: Duration) -> Pause {
        let due = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
        for _ in 0..FRAMES_PER_LOOK {
            let offset = match self.pending {
                Some(offset) => offset,
                None => match self.fetch() {
                    Some(offset) => offset,
                    None => return Pause::Ended,
                },
            };
            if offset > due {
                self.pending = Some(offset);
                return Pause::NotDue;
            }
            self.pending = None;
            self.play(offset);
            self.played = Some(elapsed);
        }
        Pause::Look
    }

    /// Reads the next frame of the channel into `frame`; its offset in microseconds, or `None`
    /// when there is nothing more to play.
    fn fetch(&mut self) -> Option<i64> {
        loop {
            if self.pass.is_none() {
                if self.passes > 0 && !self.replay.repeat {
                    return None;
                }
                match self.replay.log.frames(self.stream.plan()) {
                    Ok(log) => self.pass = Some(Pass::new(log, self.next_pass)),
                    Err(error) => {
                        self.failed(&error);
                        return None;
                    }
                }
                self.passes += 1;
            }
            let pass = self.pass.as_mut()?;
            match pass.log.next(&mut self.frame) {
                Ok(true) => {
                    let channel = pass.log.channels().get(usize::from(self.frame.channel));
                    let wanted = self.replay.channel.as_ref();
                    if wanted.is_none() || wanted == channel {
                        return Some(pass.place(self.frame.ts, self.replay.speed));
                    }
                }
                end => {
                    let frames = pass.frames;
                    self.next_pass = pass.follows_at();
                    self.pass = None;
                    if let Err(error) = end {
                        self.failed(&error);
                    }
                    if frames == 0 {
                        let channel = self.replay.channel.as_deref().unwrap_or("any channel");
                        self.error.get_or_insert_with(|| {
                            format!(
                                "{}: holds no frames of {channel}; check `channel` and the log",
                                self.replay.log
                            )
                        });
                        return None;
                    }
                }
            }
        }
    }

    fn failed(&mut self, error: &io::Error) {
        let text =
            format!("{}: cannot be read: {error}; check the path and the file", self.replay.log);
        tracing::warn!(bus = %self.health.device, "{text}");
        self.error = Some(text);
    }

    fn play(&mut self, offset: i64) {
        let (ts, state) = self.times.of(offset, self.frame.ts, &*self.feed.clock);
        self.stream.push(&self.frame, ts, state);
    }

    fn report(&mut self, pause: Pause) {
        let elapsed = self.elapsed();
        if pause == Pause::Ended || elapsed.saturating_sub(self.shown) >= SHOW_PERIOD {
            self.shown = elapsed;
            let mut readings = of_stream(&self.stream);
            readings.extend(self.times.steps_back().map(of_clock));
            readings.extend(of_databases(&self.reload));
            self.instruments.show(readings);
        }
        let now = self.feed.clock.now();
        let counts = self.stream.counts();
        let age = self.played.map(|played| elapsed.saturating_sub(played));
        let (status, detail) = match (pause, age) {
            (Pause::Ended, _) if self.error.is_some() => {
                (Status::Failure, "the log cannot be played".to_owned())
            }
            (Pause::Ended, _) => (Status::FunctionCheck, "the log has been played".to_owned()),
            (Pause::NotDue | Pause::Look, Some(age)) if age < SILENCE => (
                Status::Normal,
                format!(
                    "plays {}, pass {}; {} identifiers ({} frames) are in no database",
                    match self.replay.log {
                        Recording::Log(_) => "a recorded log",
                        Recording::Synthetic => "synthetic frames",
                    },
                    self.passes,
                    counts.unknown_ids.len(),
                    counts.unknown
                ),
            ),
            (Pause::NotDue | Pause::Look, _) => {
                (Status::OutOfSpecification, "the log has no frames for a while".to_owned())
            }
        };
        let (status, detail) = self.reload.judged((status, detail));
        self.health.update(|vitals| {
            vitals.turn(status, detail, now);
            counts.show(vitals);
            vitals.last_error = self.error.as_ref().or(self.reload.refused()).cloned();
            vitals.last_good = age.map(|age| now.minus(age));
        });
    }
}

impl Pass {
    const fn new(log: Box<dyn FrameSource>, begins: i64) -> Self {
        Self { log, first: None, begins, last: begins, frames: 0 }
    }

    /// The offset of a frame: never earlier than the frame before it.
    fn place(&mut self, ts: Timestamp, speed: f64) -> i64 {
        let first = *self.first.get_or_insert(ts);
        #[expect(clippy::cast_precision_loss, reason = "a log is far shorter than 2^52 µs")]
        let distance = ts.micros().saturating_sub(first.micros()) as f64 / speed;
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, as is wanted")]
        let offset = self.begins.saturating_add(distance as i64);
        self.last = self.last.max(offset);
        self.frames += 1;
        self.last
    }

    /// Where the next pass begins: after the last frame at the log's mean spacing.
    fn follows_at(&self) -> i64 {
        let span = self.last - self.begins;
        let mean = span.checked_div(self.frames - 1).filter(|mean| *mean > 0);
        self.last.saturating_add(mean.unwrap_or(SPACING_OF_ONE))
    }
}

#[cfg(test)]
mod tests;
