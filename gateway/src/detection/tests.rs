use std::path::Path;

use pipelines_flow::LogOptions;
use pipelines_flow::codec::BatchCodec;
use pipelines_flow::disk::sim::SimDisk;
use pipelines_flow::tables::TableStore;
use signals::ManualClock;

use super::*;

const PATHS: [&str; 3] = ["plant/pump/flow", "plant/pump/current", "plant/pump/pressure"];

struct Bench {
    disk: Arc<SimDisk>,
    journal: Log<Batch>,
    table: Arc<Table>,
}

impl Bench {
    fn new() -> Self {
        let disk = Arc::new(SimDisk::new());
        let port: Arc<dyn Disk> = Arc::<SimDisk>::clone(&disk);
        let store = TableStore::open(Path::new("/tables"), Arc::clone(&port)).unwrap();
        let options =
            LogOptions { sync_interval: Duration::from_millis(1), ..LogOptions::new("/journal") };
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(0)));
        let codec = Arc::new(BatchCodec::new(Arc::new(store)));
        let (journal, _) = Log::open(options, port, clock, codec).unwrap();
        let signals =
            PATHS.map(|path| Signal::new(path, path.rsplit('/').next().unwrap(), ValueType::F64));
        let table = Table::of_signals("pump_1s", "pump", false, signals.to_vec()).unwrap();
        Self { disk, journal, table }
    }

    fn detection(&self) -> Detection {
        let settings = DetectorSettings {
            name: "pump".to_owned(),
            family: models::Family::Ewma,
            signals: PATHS.map(str::to_owned).to_vec(),
            budget_per_week: 3.0,
            period: Duration::from_secs(1),
        };
        let rooms = (self.journal.clone(), EventLog::new(self.journal.clone()));
        let stored = (PathBuf::from("/models"), Arc::<SimDisk>::clone(&self.disk) as Arc<dyn Disk>);
        Detection::new(settings, vec![Arc::clone(&self.table)], rooms, stored).unwrap()
    }

    /// Rows of a process that wobbles; `shift` moves the pressure away from it.
    fn add(&self, seconds: std::ops::Range<i64>, shift: f64) {
        let mut rows = BatchBuilder::new(Arc::clone(&self.table));
        let mut noise = 0x9E37_79B9_7F4A_7C15u64.wrapping_add(seconds.start.cast_unsigned());
        for second in seconds {
            rows.begin(Timestamp::from_micros(second * 1_000_000), 0, ClockState::Synced);
            let mut next = || {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                f64::from(u32::try_from(noise >> 40).unwrap()) / f64::from(1 << 24) - 0.5
            };
            let flow = next();
            rows.set(0, Value::F64(50.0 + flow));
            rows.set(1, Value::F64(20.0 + flow + 0.3 * next()));
            rows.set(2, Value::F64(6.0 - flow + 0.3 * next() + shift));
        }
        self.journal.append(rows.finish().unwrap()).unwrap();
        self.journal.sync().unwrap();
    }

    /// Runs a detector until it has dealt with everything, as one life of the process.
    fn live_once(&self, scored: usize) {
        let (detection, stop) = (self.detection(), Stop::new());
        let running = std::thread::spawn({
            let stop = stop.clone();
            move || detection.run(&stop)
        });
        let until = Instant::now() + Duration::from_secs(60);
        while self.scores().len() < scored {
            assert!(Instant::now() < until, "{} of {scored} rows scored", self.scores().len());
            std::thread::sleep(Duration::from_millis(5));
        }
        stop.raise();
        running.join().unwrap();
    }

    fn entries(&self, table: &str) -> Vec<Arc<Batch>> {
        let mut at = self.journal.oldest();
        let mut found = Vec::new();
        loop {
            let entries = self.journal.read(at, 10_000).unwrap();
            let Some(last) = entries.last() else { return found };
            at = last.offset.next();
            found.extend(entries.into_iter().map(|e| e.record).filter(|b| b.table.name() == table));
        }
    }

    /// Times of all score rows, in seconds.
    fn scores(&self) -> Vec<i64> {
        let batches = self.entries("anomaly_pump");
        batches.iter().flat_map(|b| b.timestamps().iter().map(|t| t / 1_000_000)).collect()
    }

    fn events(&self) -> Vec<(String, String)> {
        let batches = self.entries("_events");
        batches.iter().flat_map(|batch| events_of(batch, "pump")).collect()
    }
}

#[test]
fn every_row_is_scored_once_across_restarts_and_a_fault_is_one_episode() {
    let bench = Bench::new();
    bench.add(0..1_900, 0.0);
    bench.live_once(1_900);
    bench.add(1_900..2_000, 0.0);
    bench.add(2_000..2_060, 3.0);
    bench.live_once(2_060);
    // The fault goes on across a restart: the detector goes on where it stood.
    bench.add(2_060..2_090, 3.0);
    bench.live_once(2_090);
    bench.add(2_090..2_600, 0.0);
    bench.live_once(2_600);
    assert_eq!(bench.scores(), (0..2_600).collect::<Vec<_>>());
    let kinds: Vec<String> = bench.events().into_iter().map(|(kind, _)| kind).collect();
    let count = |kind: &str| kinds.iter().filter(|k| *k == kind).count();
    assert_eq!((count("anomaly_opened"), count("anomaly_closed")), (1, 1), "{kinds:?}");
}

#[test]
fn a_kill_after_the_last_checkpoint_writes_nothing_twice() {
    let bench = Bench::new();
    bench.add(0..1_900, 0.0);
    bench.live_once(1_900);
    let checkpoint = {
        let mut text = Vec::new();
        bench
            .disk
            .open(Path::new("/models/pump/watch.json"))
            .unwrap()
            .read_to_end(&mut text)
            .unwrap();
        text
    };
    bench.add(1_900..2_000, 3.0);
    bench.live_once(2_000);
    let events = bench.events();
    assert!(!events.is_empty(), "the fault is seen");
    // As if killed before the checkpoint of the second life was saved.
    bench.disk.corrupt(Path::new("/models/pump/watch.json"), |bytes| *bytes = checkpoint);
    bench.add(2_000..2_010, 3.0);
    bench.live_once(2_010);
    assert_eq!(bench.scores(), (0..2_010).collect::<Vec<_>>());
    assert_eq!(bench.events()[..events.len()], events[..]);
    let opened = bench.events().iter().filter(|(kind, _)| kind == "anomaly_opened").count();
    assert_eq!(opened, 1);
}

#[test]
fn the_asset_is_what_the_paths_have_in_common() {
    assert_eq!(common_path(&PATHS.map(str::to_owned)), "plant/pump");
    assert_eq!(common_path(&["a/x".to_owned(), "b/x".to_owned()]), "");
}
