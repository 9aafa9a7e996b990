//! A day on a volume of 64 MiB while the cloud is away.
//!
//! Twice as much is sampled as the volume holds. It must never be full; what is thinned and what
//! goes is the oldest; and every row that is not there any more has its row of `_gaps`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use pipelines_flow::aggregate::{Aggregate, AggregateSettings, WindowSettings};
use pipelines_flow::codec::{BatchCodec, EnvelopeCodec};
use pipelines_flow::disk::RealDisk;
use pipelines_flow::disk::sim::Dice;
use pipelines_flow::event_log::EventLog;
use pipelines_flow::forward::{Forward, Rules, Stream};
use pipelines_flow::gap_log::GapLog;
use pipelines_flow::historian::{Budget, Historian, HistorianOptions};
use pipelines_flow::log::{JOURNAL_PART, OUTBOX_PART};
use pipelines_flow::tables::TableStore;
use pipelines_flow::uplink::Link;
use pipelines_flow::{Log, LogOptions};
use signals::{
    Batch, BatchBuilder, Clock, ClockState, Disk, Envelope, ManualClock, Signal, Stop, Table,
    Timestamp, Value, ValueType,
};

use crate::ground::is_left_out;
use crate::ledger::Ledger;

const VOLUME_MIB: u64 = 64;
const TABLES: usize = 6;
/// Of noise, in every row.
const NOISE_BYTES: usize = 200;
const MINUTES: i64 = 24 * 60;
const SECOND: i64 = 1_000_000;
/// 2026-10-25T00:00:00Z.
const START: i64 = 1_792_972_800_000_000;

/// A tmpfs, unmounted with the test.
struct Volume(tempfile::TempDir);

impl Volume {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={VOLUME_MIB}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(mounted.success(), "mount needs root; FIELDGATE_POWERCUT=skip leaves this out");
        Self(folder)
    }

    fn free(&self) -> u64 {
        RealDisk.room(self.0.path()).unwrap().free
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// The rooms of a gateway that stand on the volume.
struct Rooms {
    data: PathBuf,
    clock: Arc<ManualClock>,
    journal: Log<Batch>,
    outbox: Log<Envelope>,
    historian: Historian,
}

impl Rooms {
    fn build(data: &Path) -> Self {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(START)));
        let port: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let total = disk.room(data).unwrap().total;
        let store = TableStore::open(&data.join("tables"), Arc::clone(&disk)).unwrap();
        let codec = Arc::new(BatchCodec::new(Arc::new(store)));
        let options = LogOptions {
            sync_interval: Duration::from_millis(50),
            ..LogOptions::new(data.join("journal"))
        };
        let options = options.within(total, JOURNAL_PART);
        let (journal, _) = Log::open(options, Arc::clone(&disk), Arc::clone(&port), codec).unwrap();
        for name in ["historian", "aggregate", "forward-aggregates"] {
            let _cursor = journal.cursor(name);
        }
        let options = LogOptions::new(data.join("outbox")).within(total, OUTBOX_PART);
        let codec = Arc::new(EnvelopeCodec);
        let (outbox, _) = Log::open(options, Arc::clone(&disk), port, codec).unwrap();
        let _cloud = outbox.cursor("uplink:cloud");
        let options = HistorianOptions {
            // Held rows are half of what a consumer may be behind here.
            roll_rows: 2_500,
            budget: Budget { bytes_max: None, free_min: total / 10 },
            ..HistorianOptions::new(data.join("lake"), "small")
        };
        let historian = Historian::new(GapLog::new(journal.clone()), disk, options).unwrap();
        Self { data: data.to_owned(), clock, journal, outbox, historian }
    }

    /// Samples a day, every table once a second; the least room there was on the way.
    fn live(&self, tables: &[Arc<Table>], volume: &Volume) -> u64 {
        let (stop, mut least) = (Stop::new(), u64::MAX);
        let way = Forward {
            gateway: "small".to_owned(),
            stream: Stream::Aggregates,
            journal: self.journal.clone(),
            outbox: self.outbox.clone(),
            links: vec![Link::new()],
            rules: Rules::new(),
            hold_bytes: None,
            events: EventLog::new(self.journal.clone()),
            vitals: Arc::default(),
        };
        let settings = AggregateSettings {
            windows: vec![WindowSettings::tumbling(Duration::from_mins(1))],
            ..AggregateSettings::default()
        };
        let journal = self.journal.clone();
        let aggregate = Aggregate { journal, settings, vitals: Arc::default() };
        std::thread::scope(|scope| {
            let threads = [
                scope.spawn(|| self.historian.run(&stop)),
                scope.spawn(|| aggregate.run(&stop)),
                scope.spawn(|| way.run(&stop)),
            ];
            let (mut dice, mut paced) = (Dice::new(7), Ok(()));
            for minute in 0..MINUTES {
                for table in tables {
                    self.journal.append(batch(table, minute, &mut dice)).unwrap();
                }
                self.clock.advance(Duration::from_mins(1));
                // Hours in one commit would be more than any consumer can keep up with.
                self.journal.sync().unwrap();
                // A day in seconds, but no consumer is left behind further than it would be.
                paced = self.keep_pace();
                if paced.is_err() {
                    break;
                }
                least = least.min(volume.free());
            }
            self.journal.sync().unwrap();
            stop.raise();
            for thread in threads {
                thread.join().unwrap();
            }
            paced.unwrap();
        });
        self.journal.sync().unwrap();
        self.outbox.sync().unwrap();
        least
    }

    /// Waits while a consumer is more than a MiB behind: at 8,000 times the speed of a plant, what
    /// is a moment there would be much of the volume here.
    fn keep_pace(&self) -> Result<(), String> {
        let patience = Instant::now() + Duration::from_mins(1);
        let bytes_max = 1 << 20;
        for name in ["historian", "aggregate", "forward-aggregates"] {
            let cursor = self.journal.cursor(name);
            let behind = || self.journal.bytes_between(cursor.at(), self.journal.durable());
            while behind() > bytes_max {
                if Instant::now() > patience {
                    let (at, end) = (cursor.at(), self.journal.durable());
                    return Err(format!("{name} stands still at {at} of {end}"));
                }
                let _durable =
                    self.journal.wait_past(self.journal.next(), Duration::from_millis(2));
            }
        }
        Ok(())
    }
}

fn table(place: usize) -> Arc<Table> {
    let name = format!("device_{place}");
    let signals = vec![
        Signal::new(format!("{name}/level"), "level", ValueType::F64),
        Signal::new(format!("{name}/noise"), "noise", ValueType::Text),
    ];
    Table::of_signals(&name, &name, false, signals).unwrap()
}

/// A minute of a table. Most of it cannot be compressed away.
fn batch(table: &Arc<Table>, minute: i64, dice: &mut Dice) -> Batch {
    let mut rows = BatchBuilder::new(Arc::clone(table));
    let mut noise = String::new();
    for second in minute * 60..(minute + 1) * 60 {
        rows.begin(Timestamp::from_micros(START + second * SECOND), 0, ClockState::Synced);
        noise.clear();
        noise.extend(
            (0..NOISE_BYTES).map(|_| char::from(b'0' + u8::try_from(dice.below(64)).unwrap())),
        );
        rows.set(0, Value::F64(f64::from(i32::try_from(second).unwrap())));
        rows.set(1, Value::Text(&noise));
    }
    rows.finish().unwrap()
}

/// Time of every row, as they stand.
fn times(rows: &[RecordBatch]) -> Vec<i64> {
    let times = |rows: &RecordBatch| {
        rows.column(0).as_primitive::<TimestampMicrosecondType>().values().to_vec()
    };
    rows.iter().flat_map(times).collect()
}

/// A row of `_gaps`: its cause, first and last time, and how many rows it says were given up.
struct Gap {
    cause: String,
    start: i64,
    end: i64,
    rows: i64,
}

impl Gap {
    /// Seconds from its first to its last row, both counted.
    const fn seconds(&self) -> i64 {
        (self.end - self.start) / SECOND + 1
    }
}

/// Rows of `_gaps` by table.
fn gaps(rows: &[RecordBatch]) -> HashMap<String, Vec<Gap>> {
    let mut gaps: HashMap<String, Vec<Gap>> = HashMap::new();
    for rows in rows {
        let text = |name: &str| rows.column_by_name(name).unwrap().as_string::<i32>().clone();
        let time = |name: &str| {
            let column = rows.column_by_name(name).unwrap();
            column.as_primitive::<TimestampMicrosecondType>().clone()
        };
        let (tables, causes, details) = (text("table"), text("cause"), text("detail"));
        let (starts, ends) = (time("gap_start"), time("gap_end"));
        for row in 0..rows.num_rows() {
            let given_up = details.value(row).split(' ').next().unwrap().parse().unwrap();
            let (start, end) = (starts.value(row), ends.value(row));
            let gap = Gap { cause: causes.value(row).to_owned(), start, end, rows: given_up };
            gaps.entry(tables.value(row).to_owned()).or_default().push(gap);
        }
    }
    gaps
}

/// Each table is what is left of the day's end, before it a row of every minute, and before that
/// nothing; what went is in `_gaps`, row for row.
fn check_table(table: &str, times: &[i64], gaps: &[Gap]) {
    let minute = 60 * SECOND;
    let mut whole_from = START;
    for gap in gaps.iter().filter(|gap| gap.cause == "thinned") {
        assert_eq!(gap.start, whole_from, "{table}: oldest first, nothing in between");
        assert_eq!(gap.rows, gap.seconds() - gap.seconds() / 60, "{table}: a row a minute stays");
        whole_from = gap.end + SECOND;
    }
    let mut thinned_from = START;
    for gap in gaps.iter().filter(|gap| gap.cause == "evicted") {
        assert_eq!(gap.start, thinned_from, "{table}: oldest first, nothing in between");
        assert_eq!(gap.rows, gap.seconds() / 60 + 1, "{table}: what goes was thinned before");
        thinned_from = gap.end + minute;
    }
    let end = START + MINUTES * minute;
    let thinned = (thinned_from..whole_from).step_by(usize::try_from(minute).unwrap());
    let whole = (whole_from..end).step_by(usize::try_from(SECOND).unwrap());
    assert!(times.iter().copied().eq(thinned.chain(whole)), "{table}: each row that is left, once");
    let told: i64 = gaps.iter().map(|gap| gap.rows).sum();
    let left = i64::try_from(times.len()).unwrap();
    assert_eq!(told + left, MINUTES * 60, "{table}: sampled = told + left");
}

#[test]
fn a_day_on_64_mebibytes_keeps_the_newest_and_tells_every_row_that_went() {
    if is_left_out() {
        return;
    }
    let begun = Instant::now();
    let volume = Volume::make();
    let rooms = Rooms::build(volume.0.path());
    let tables: Vec<_> = (0..TABLES).map(table).collect();
    let least = rooms.live(&tables, &volume);
    let counts = rooms.historian.counts();
    let log = rooms.journal.counts();
    println!(
        "a day in {:.1?}: {} files written, {} thinned, {} given up; journal {} KiB, outbox {} KiB; \
         {least} bytes were free at least",
        begun.elapsed(),
        counts.files,
        counts.thinned,
        counts.evicted,
        rooms.journal.bytes() >> 10,
        rooms.outbox.bytes() >> 10,
    );
    assert!(least > 0, "the volume was full");
    assert_eq!((log.failed_commits, log.refused, log.evicted, counts.missed), (0, 0, 0, 0));
    assert_eq!(counts.failed, 0);
    let evicted = rooms.outbox.counts().evicted;
    assert_eq!(evicted, rooms.outbox.oldest().0, "messages given up are counted");
    // What is in the lake, and what is in the journal only.
    let mut ledger = Ledger::default();
    let gaps = gaps(&ledger.rows(&rooms.data, "_gaps").unwrap());
    let mut lost = BTreeMap::new();
    for table in &tables {
        let times = times(&ledger.rows(&rooms.data, table.name()).unwrap());
        let gaps = gaps.get(table.name()).map(Vec::as_slice).unwrap_or_default();
        check_table(table.name(), &times, gaps);
        lost.insert(table.name(), gaps.iter().map(|gap| gap.rows).sum::<i64>());
    }
    println!("rows given up, each in _gaps: {lost:?}");
    assert!(lost.values().all(|rows| *rows > 0), "more was sampled than the volume holds");
}
