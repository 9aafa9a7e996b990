use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, UInt8Type};
use signals::{Batch, ClockState, ManualClock, Table};
use tempfile::TempDir;

use super::*;
use crate::config::{self, CanConfig};
use crate::frame::Frame;

/// How long the real files are given.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(5);
const PLAIN: &str = "BO_ 256 Motion: 8 A\n SG_ Speed : 0|8@1+ (1,0) [0|0] \"km/h\" X\n";
const SCALED: &str = "BO_ 256 Motion: 8 A\n SG_ Speed : 0|8@1+ (0.5,0) [0|0] \"mph\" X\n \
                      SG_ Gear : 8|8@1+ (1,0) [0|0] \"\" X\n";

/// Keeps what it is given.
#[derive(Default)]
struct Basket {
    batches: Mutex<Vec<Batch>>,
    events: Mutex<Vec<Event>>,
    announced: Mutex<Vec<(String, Vec<String>)>>,
}

impl Intake for Basket {
    fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        self.batches.lock().unwrap().push(batch);
        Ok(())
    }

    fn tell(&self, notice: Notice) -> Result<(), Box<Notice>> {
        if let Notice::Event(event) = notice {
            self.events.lock().unwrap().push(event);
        }
        Ok(())
    }

    fn announce(&self, device: &str, tables: &[Arc<Table>]) {
        let names = tables.iter().map(|table| table.name().to_owned()).collect();
        self.announced.lock().unwrap().push((device.to_owned(), names));
    }
}

/// A bus whose database lies in a folder, and the frames it gets.
struct Bench {
    folder: TempDir,
    basket: Arc<Basket>,
    stream: Stream,
    reload: Reload,
    sent: i64,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.dbc"), PLAIN).unwrap();
        fs::write(folder.path().join("a.log"), "").unwrap();
        let config = CanConfig {
            name: Some("truck".to_owned()),
            replay: Some("a.log".to_owned()),
            dbc: vec!["a.dbc".to_owned()],
            ..CanConfig::default()
        };
        let bus = config.check(config::Files::Folder(folder.path()), "s").unwrap().load().unwrap();
        let basket = Arc::new(Basket::default());
        let feed = Feed {
            intake: Arc::<Basket>::clone(&basket),
            clock: Arc::new(ManualClock::new(Timestamp::from_micros(0))),
            stop: Stop::new(),
        };
        let stream = Stream::new(bus.decoder().unwrap(), Arc::clone(&feed.intake));
        let LoadedBus { bus, digests, .. } = bus;
        let reload = Reload::every(LOOK, Loaded { bus, digests }, &feed);
        Self { folder, basket, stream, reload, sent: 0 }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("a.dbc")
    }

    /// A frame with its number as payload.
    fn send(&mut self) {
        let mut frame = Frame { id: 256, len: 8, ..Frame::default() };
        frame.payload[0] = u8::try_from(self.sent % 200).unwrap();
        frame.payload[1] = 7;
        self.stream.push(&frame, Timestamp::from_micros(self.sent), ClockState::Synced);
        self.sent += 1;
    }

    /// Sends frames and looks for news until `done`.
    fn until(&mut self, done: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.events());
            self.send();
            self.reload.turn(&mut self.stream, Timestamp::from_micros(self.sent));
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    fn events(&self) -> Vec<String> {
        self.basket.events.lock().unwrap().iter().map(|event| event.kind.clone()).collect()
    }

    fn status(&self) -> Status {
        self.reload.judged((Status::Normal, String::new())).0
    }
}

#[test]
fn every_frame_is_decoded_once_by_the_databases_before_the_change_or_after_it() {
    let mut bench = Bench::new();
    bench.until(|b| b.sent > 20);
    fs::write(bench.path(), SCALED).unwrap();
    bench.until(|b| b.reload.counts.0 == 1);
    let swapped_at = usize::try_from(bench.sent).unwrap();
    bench.until(|b| b.sent > 20 + i64::try_from(swapped_at).unwrap());
    bench.stream.offer_all();
    let batches = bench.basket.batches.lock().unwrap();
    let (mut times, mut after) = (Vec::new(), 0);
    for batch in batches.iter() {
        times.extend_from_slice(batch.timestamps());
        let number = |row: usize| f64::from(u8::try_from(batch.timestamps()[row] % 200).unwrap());
        for row in 0..batch.rows.num_rows() {
            if batch.table.signals().len() == 1 {
                assert!(times.len() <= swapped_at);
                let speed = batch.column(0).as_primitive::<UInt8Type>().value(row);
                assert_eq!(f64::from(speed).to_bits(), number(row).to_bits());
            } else {
                after += 1;
                let speed = batch.column(0).as_primitive::<Float64Type>().value(row);
                assert_eq!(speed.to_bits(), (number(row) * 0.5).to_bits());
                assert_eq!(batch.column(1).as_primitive::<UInt8Type>().value(row), 7);
            }
        }
    }
    assert_eq!(times, (0..bench.sent).collect::<Vec<_>>(), "each frame once, in order");
    assert_eq!(after, bench.sent - i64::try_from(swapped_at).unwrap());
    assert_eq!(bench.events(), ["can_databases_changed"]);
    let announced = bench.basket.announced.lock().unwrap();
    assert_eq!(announced[..], [("truck".to_owned(), vec!["truck_motion".to_owned()])]);
}

#[test]
fn what_cannot_be_used_changes_nothing_and_says_why_until_it_is_mended() {
    let mut bench = Bench::new();
    fs::write(bench.path(), "no database").unwrap();
    bench.until(|b| b.reload.refused().is_some());
    assert_eq!(
        (bench.events(), bench.reload.counts),
        (vec!["can_databases_refused".to_owned()], (0, 1))
    );
    assert_eq!(bench.status(), Status::Maintenance);
    assert!(bench.reload.refused().unwrap().contains("a.dbc"), "it names the file");
    fs::write(bench.path(), PLAIN).unwrap();
    bench.until(|b| b.reload.refused().is_none());
    assert_eq!(bench.status(), Status::Normal);
    bench.stream.offer_all();
    let batches = bench.basket.batches.lock().unwrap();
    let rows: usize = batches.iter().map(|batch| batch.column(0).len()).sum();
    assert_eq!(rows, usize::try_from(bench.sent).unwrap(), "decoded all the while");
}

#[test]
fn a_file_that_is_removed_is_told_and_one_that_comes_back_is_taken() {
    let mut bench = Bench::new();
    fs::remove_file(bench.path()).unwrap();
    bench.until(|b| b.reload.refused().is_some());
    fs::write(bench.path(), SCALED).unwrap();
    bench.until(|b| b.reload.counts.0 == 1);
    assert_eq!(bench.events(), ["can_databases_refused", "can_databases_changed"]);
    assert!(bench.reload.refused().is_none());
}

#[test]
fn a_file_that_grows_between_two_looks_is_not_read_yet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.dbc");
    fs::write(&path, PLAIN).unwrap();
    let config = CanConfig {
        name: Some("truck".to_owned()),
        source: Some("synthetic".to_owned()),
        dbc: vec!["a.dbc".to_owned()],
        ..CanConfig::default()
    };
    let bus = config.check(config::Files::Folder(folder.path()), "s").unwrap().load().unwrap();
    let LoadedBus { bus, digests, .. } = bus;
    let mut files = Files::new(Loaded { bus, digests });
    assert!(files.look().is_none() && files.look().is_none(), "as loaded");
    for length in [10, 40, SCALED.len()] {
        fs::write(&path, &SCALED[..length]).unwrap();
        assert!(files.look().is_none(), "it may still grow beyond {length} bytes");
    }
    assert!(matches!(files.look(), Some(Found::Changed(_))));
    assert!(files.look().is_none(), "once");
}
