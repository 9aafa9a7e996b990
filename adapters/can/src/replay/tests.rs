use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use signals::{Batch, Intake, ManualClock, Stop};

use super::*;
use crate::bus::LoadedBus;
use crate::config::{CanConfig, Files};

const DBC: &[u8] = b"BO_ 256 Motion: 8 A\n SG_ Speed : 0|8@1+ (1,0) [0|0] \"\" X\n";
const LOG: &[u8] = b"(100.0) can0 100#01\n(100.5) can1 100#FF\n(101.0) can0 100#02\n\
                     (101.0) can0 101#00\n(102.0) can0 100#03\n";
const START: i64 = 1_000_000_000;

/// Keeps what is offered, or refuses everything.
#[derive(Default)]
struct Basket {
    batches: Mutex<Vec<Batch>>,
    full: bool,
}

impl Intake for Basket {
    fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        if self.full {
            return Err(Box::new(batch));
        }
        self.batches.lock().unwrap().push(batch);
        Ok(())
    }
}

impl Basket {
    fn times(&self) -> Vec<i64> {
        let batches = self.batches.lock().unwrap();
        batches.iter().flat_map(|b| b.timestamps().iter().map(|t| t - START)).collect()
    }
}

struct Stage {
    basket: Arc<Basket>,
    clock: Arc<ManualClock>,
    stop: Stop,
    health: Arc<Health>,
    player: thread::JoinHandle<()>,
}

fn play(change: impl FnOnce(&mut CanConfig), full: bool) -> Stage {
    let mut config = CanConfig {
        name: Some("truck".to_owned()),
        replay: Some("a.log".to_owned()),
        channel: Some("can0".to_owned()),
        dbc: vec!["a.dbc".to_owned()],
        ..CanConfig::default()
    };
    change(&mut config);
    let files = [("a.log", LOG), ("a.dbc", DBC), ("empty.log", b"\n")];
    let loaded: LoadedBus = config.check(Files::Embedded(&files), "s").unwrap().load().unwrap();
    let adapter = loaded.adapter().unwrap();
    let health = adapter.health().remove(0);
    let basket = Arc::new(Basket { full, ..Basket::default() });
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(START)));
    let stop = Stop::new();
    let feed = Feed {
        intake: Arc::<Basket>::clone(&basket),
        clock: Arc::<ManualClock>::clone(&clock),
        stop: stop.clone(),
    };
    let player = thread::spawn(move || adapter.run(feed));
    Stage { basket, clock, stop, health, player }
}

impl Stage {
    /// Lets a second pass until `done`, at most for ten real seconds.
    fn until(&self, step: Duration, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !done(self) {
            assert!(
                Instant::now() < deadline,
                "{:?} {:?}",
                self.basket.times(),
                self.health.vitals()
            );
            self.clock.advance(step);
            // The player looks ten times a second; a spinning test would only slow it down.
            thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Whether the log has been played, or cannot be.
    fn is_over(&self) -> bool {
        self.health.vitals().detail == "the log has been played" || self.player.is_finished()
    }

    fn end(self) -> Arc<Basket> {
        self.stop.raise();
        self.player.join().unwrap();
        self.basket
    }
}

#[test]
fn frames_of_the_channel_are_stamped_from_now_on_at_their_distances() {
    let stage = play(|_| (), false);
    stage.until(Duration::from_millis(50), Stage::is_over);
    let vitals = stage.health.vitals();
    assert_eq!((vitals.requests, vitals.answers, vitals.exceptions), (4, 3, 0));
    let first = stage.end().times();
    // The adapter took its start from the clock when its thread began, some steps after 0.
    let from_first: Vec<i64> = first.iter().map(|t| t - first[0]).collect();
    assert_eq!(from_first, [0, 1_000_000, 2_000_000]);
}

#[test]
fn a_log_that_has_been_played_rests_until_the_stop_and_is_not_played_again() {
    let stage = play(|_| (), false);
    stage.until(Duration::from_millis(50), Stage::is_over);
    stage.clock.advance(Duration::from_secs(3_600));
    assert!(!stage.player.is_finished(), "supervision would start it again");
    assert_eq!(stage.end().times().len(), 3);
}

#[test]
fn twice_the_speed_halves_the_distances() {
    let stage = play(|c| c.speed = Some(2.0), false);
    stage.until(Duration::from_millis(50), Stage::is_over);
    let times = stage.end().times();
    assert_eq!(times.iter().map(|t| t - times[0]).collect::<Vec<_>>(), [0, 500_000, 1_000_000]);
}

#[test]
fn the_next_pass_follows_at_the_mean_spacing_and_times_increase_for_ever() {
    let stage = play(|c| c.r#loop = Some(true), false);
    stage.until(Duration::from_millis(500), |s| s.basket.times().len() >= 9);
    assert_eq!(stage.health.vitals().status, Status::Normal);
    let times = stage.end().times();
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    // Four frames in two seconds: the pass after starts 2/3 s after the last frame.
    assert_eq!(times[3] - times[2], 666_666);
}

#[test]
fn a_log_at_its_own_times_gives_the_rows_that_decoding_it_gives() {
    let stage = play(|c| c.time = Some("original".to_owned()), false);
    stage.until(Duration::from_millis(50), Stage::is_over);
    let vitals = stage.health.vitals();
    assert!(vitals.last_good.unwrap().micros() >= START, "when it was played: {vitals:?}");
    let times = stage.end().times();
    let recorded = [100, 101, 102].map(|second| second * 1_000_000 - START);
    assert_eq!(times, recorded);
}

#[test]
fn a_full_intake_is_counted_and_does_not_stop_the_player() {
    let stage = play(|_| (), true);
    stage.until(Duration::from_millis(200), Stage::is_over);
    assert!(stage.health.vitals().dropped >= 1);
}

#[test]
fn stop_ends_it_at_once_with_what_it_had() {
    let stage = play(|c| c.r#loop = Some(true), false);
    stage.until(Duration::from_millis(500), |s| s.health.vitals().requests > 0);
    let asked = Instant::now();
    stage.end();
    assert!(asked.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_log_without_frames_of_the_channel_is_a_failure_that_says_so() {
    let stage = play(|c| c.replay = Some("empty.log".to_owned()), false);
    stage.until(Duration::from_millis(100), |s| s.player.is_finished());
    let vitals = stage.health.vitals();
    assert_eq!(vitals.status, Status::Failure);
    assert!(vitals.last_error.unwrap().contains("no frames of can0"));
}

#[test]
fn synthetic_frames_are_played_for_ever_at_the_cycles_of_their_messages() {
    let stage = play(
        |config| {
            config.replay = None;
            config.channel = None;
            config.source = Some("synthetic".to_owned());
        },
        false,
    );
    stage.until(Duration::from_millis(500), |s| s.basket.times().len() >= 25);
    let times = stage.end().times();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 100_000), "{times:?}");
}
