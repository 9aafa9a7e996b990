//! Samples of a seeded generator.
//!
//! `plant`: 50 devices of 40 signals at 1 Hz: 14 scaled 16-bit values with noise, 10 noisy reals
//! of 32 bits, 5 counters, 6 states, 5 constants. Polls come late by an exponential time of 5 ms
//! in the mean. `can`: 32 messages of 5 signals every 10, 20 or 100 ms with 150 µs of jitter: a
//! fast and a medium 16-bit value, a slow 8-bit one, a flag, a counter that rolls. One row in
//! 20,000 begins a burst of bad quality.

use std::f64::consts::TAU;
use std::path::Path;
use std::sync::Arc;

use pipelines_flow::disk::RealDisk;
use pipelines_flow::historian::{FileAbout, Profile, write_file};
use pipelines_flow::lake;
use signals::{
    Batch, BatchBuilder, ClockState, Offset, Quality, Reason, Signal, Table, Timestamp, Value,
    ValueType,
};

/// 2026-10-27T06:00:00Z: a day that the samples do not leave.
const BEGIN_US: i64 = 1_793_080_800_000_000;

/// Writes the samples of a kind below `folder`.
pub(crate) fn write(kind: &str, seconds: u32, folder: &Path) {
    match kind {
        "plant" => {
            for device in 0..50 {
                put(&plant_device(device, seconds), folder);
            }
        }
        "can" => {
            for message in 0..32 {
                put(&can_message(message, seconds), folder);
            }
        }
        other => panic!("`{other}` is not plant or can"),
    }
}

fn put(batch: &Batch, folder: &Path) {
    let about = FileAbout {
        table: Arc::clone(&batch.table),
        gateway: "bench".to_owned(),
        from: Offset(0),
        to: Offset(0),
        clock: ClockState::Synced,
        profile: Profile::Default,
    };
    let first = batch.first_ts().expect("a table has rows");
    let path = lake::path_of(folder, batch.table.name(), first, Offset(0));
    let rows = std::slice::from_ref(&batch.rows);
    write_file(&RealDisk, &path, &about, rows).expect("the folder can be written");
}

/// What a signal of the plant does.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Habit {
    /// A transmitter of 16 bits, in tenths, 20 to 200 units: a swing of 5 %, two counts of noise.
    Scaled,
    /// A computed real: a slow swing, noise of 0.3 % of its level.
    Real,
    Counter,
    State,
    Constant,
}

/// A device of the plant and where its signals are.
pub(crate) struct Device {
    pub(crate) table: Arc<Table>,
    habits: Vec<Habit>,
    levels: Vec<f64>,
    held: Vec<u64>,
    chance: Chance,
    bad_left: u32,
}

impl Device {
    pub(crate) fn new(device: u64) -> Self {
        let mut habits = vec![Habit::Scaled; 14];
        habits.extend([Habit::Real; 10]);
        habits.extend([Habit::Counter; 5]);
        habits.extend([Habit::State; 6]);
        habits.extend([Habit::Constant; 5]);
        let mut chance = Chance(device.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let levels = habits.iter().map(|_| 200.0 + chance.unit() * 1_800.0).collect();
        let held = habits.iter().map(|_| chance.below(1_000_000)).collect();
        let signal = |(place, habit): (usize, &Habit)| {
            let kind = match habit {
                Habit::Scaled | Habit::Constant => ValueType::F64,
                Habit::Real => ValueType::F32,
                Habit::Counter => ValueType::U32,
                Habit::State => ValueType::U16,
            };
            Signal::new(format!("d{device}/s{place}"), format!("s{place}"), kind)
        };
        let signals = habits.iter().enumerate().map(signal).collect();
        let table = Table::of_signals(format!("d{device}"), format!("d{device}"), false, signals);
        let table = table.expect("a legal table");
        Self { table, habits, levels, held, chance, bad_left: 0 }
    }

    /// Adds the row of a second.
    pub(crate) fn sample(&mut self, second: u32, rows: &mut BatchBuilder) {
        let jitter = -5_000.0 * (1.0 - self.chance.unit()).ln();
        #[expect(clippy::cast_possible_truncation, reason = "some milliseconds")]
        let ts = BEGIN_US + i64::from(second) * 1_000_000 + jitter as i64;
        rows.begin(Timestamp::from_micros(ts), 0, ClockState::Synced);
        if self.chance.below(20_000) == 0 {
            self.bad_left = 5;
        }
        if self.bad_left > 0 {
            self.bad_left -= 1;
            (0..self.habits.len()).for_each(|s| rows.flaw(s, Quality::bad(Reason::Timeout)));
            return;
        }
        for place in 0..self.habits.len() {
            self.put(place, second, rows);
        }
    }

    #[expect(clippy::indexing_slicing, reason = "one habit, level and count per signal")]
    fn put(&mut self, place: usize, second: u32, rows: &mut BatchBuilder) {
        let level = self.levels[place];
        // Swings of 10 to 50 minutes.
        let period = 600.0 + level % 2_400.0;
        let swing = level * 0.05 * (TAU * f64::from(second) / period).sin();
        match self.habits[place] {
            Habit::Scaled => {
                let counts = (level + swing + 2.0 * self.chance.normal()).round();
                rows.set(place, Value::F64(counts.clamp(0.0, 65_535.0) * 0.1));
            }
            Habit::Real => {
                let real = level + swing + level * 0.003 * self.chance.normal();
                rows.set(place, Value::F64(real));
            }
            Habit::Counter => {
                self.held[place] += self.chance.below(4);
                rows.set(place, Value::U64(self.held[place]));
            }
            Habit::State => {
                if self.chance.below(300) == 0 {
                    self.held[place] = self.chance.below(6);
                }
                rows.set(place, Value::U64(self.held[place] % 6));
            }
            Habit::Constant => rows.set(place, Value::F64(level.round() * 0.1)),
        }
    }
}

fn plant_device(device: u64, seconds: u32) -> Batch {
    let mut device = Device::new(device);
    let mut rows = BatchBuilder::new(Arc::clone(&device.table));
    for second in 0..seconds {
        device.sample(second, &mut rows);
    }
    rows.finish().expect("a second has a row")
}

fn can_message(message: u64, seconds: u32) -> Batch {
    let mut chance = Chance(message.wrapping_mul(0xD134_2543_DE82_EF95) | 1);
    let kinds = [ValueType::U16, ValueType::U16, ValueType::U8, ValueType::Bool, ValueType::U8];
    let names = ["fast", "medium", "slow", "flag", "rolling"];
    let signal =
        |(name, kind): (&&str, &ValueType)| Signal::new(format!("m{message}/{name}"), *name, *kind);
    let signals = names.iter().zip(&kinds).map(signal).collect();
    let table = Table::of_signals(format!("m{message}"), "can0", false, signals);
    let mut rows = BatchBuilder::new(table.expect("a legal table"));
    let period_us = match message % 3 {
        0 => 10_000,
        1 => 20_000,
        _ => 100_000,
    };
    let (mut fast, mut medium, mut slow, mut flag, mut rolling) =
        (20_000.0, 9_000.0, 90.0, false, 0);
    let mut ts = BEGIN_US;
    while ts < BEGIN_US + i64::from(seconds) * 1_000_000 {
        #[expect(clippy::cast_possible_truncation, reason = "some microseconds")]
        let jitter = (150.0 * chance.normal()) as i64;
        rows.begin(Timestamp::from_micros(ts + jitter), 0, ClockState::Synced);
        ts += period_us;
        fast = (fast + 6.0 * chance.normal()).clamp(0.0, 65_535.0);
        medium = (medium + 0.7 * chance.normal()).clamp(0.0, 65_535.0);
        slow = (slow + 0.02 * chance.normal()).clamp(0.0, 250.0);
        flag ^= chance.below(3_000) == 0;
        rolling = (rolling + 1) % 16;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        for (place, value) in [fast, medium, slow].into_iter().enumerate() {
            rows.set(place, Value::U64(value as u64));
        }
        rows.set(3, Value::Bool(flag));
        rows.set(4, Value::U64(rolling));
    }
    rows.finish().expect("a message has rows")
}

/// xorshift64*: the same samples on every machine.
pub(crate) struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    /// From 0 up to 1, not included.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Mean 0, deviation 1 (Box and Muller).
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (TAU * self.unit()).cos()
    }
}
