//! The process that is killed: the way of a sample from the journal to files and to the cloud.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pipelines_flow::aggregate::{Aggregate, AggregateSettings, WindowSettings};
use pipelines_flow::codec::{BatchCodec, EnvelopeCodec};
use pipelines_flow::event_log::EventLog;
use pipelines_flow::forward::{Forward, Rules, Stream};
use pipelines_flow::gap_log::GapLog;
use pipelines_flow::historian::{Compaction, Historian, HistorianOptions};
use pipelines_flow::tables::TableStore;
use pipelines_flow::uplink::Link;
use pipelines_flow::{Cursor, Log, LogOptions, lake};
use signals::{
    Batch, BatchBuilder, Clock, ClockState, Disk, Envelope, Offset, Signal, Stop, Table, Timestamp,
    Value, ValueType,
};

mod forgetful;
mod voice;

pub(crate) use forgetful::Syncs;
use voice::Voice;
pub(crate) use voice::{DISK_BYTES, SECTOR, WORDS_AT};

/// How long a record may wait for its commit.
pub(crate) const SYNC_INTERVAL: Duration = Duration::from_millis(20);
/// Files are short, so that crashes meet their making.
const ROLL_INTERVAL: Duration = Duration::from_millis(45);
/// One row per table and turn.
const SLOT: Duration = Duration::from_millis(1);
/// Consumers of the journal.
const CONSUMERS: [&str; 3] = ["historian", "aggregate", "forward-aggregates"];
/// The consumer of the outbox.
const CLOUD: &str = "uplink:cloud";
/// The name of the table.
pub(crate) const TABLE: &str = "counter";
/// A table whose dates are over at once: its small files are joined all the time.
pub(crate) const PAST: &str = "past";
/// Its rows are so many microseconds apart, a few hundred a date …
const PAST_STEP_US: i64 = 300_000_000;
/// … and each life has the dates of so many rows, from 2000-01-01 on.
const PAST_ROWS: i64 = 20_000;
const PAST_BEGIN_US: i64 = 946_684_800_000_000;

/// Each life counts in a range of its own, so that a number says which life it is of.
pub(crate) const RANGE: u64 = 1_000_000;

/// What the victim is told.
pub(crate) struct Orders {
    /// Where it keeps everything.
    pub(crate) data: PathBuf,
    /// The first number to count from.
    pub(crate) first: u64,
    /// What its disk syncs.
    pub(crate) syncs: Syncs,
    /// A disk that hears what is said, beside standard output.
    pub(crate) words: Option<PathBuf>,
}

impl Orders {
    pub(crate) fn from_environment() -> Option<Self> {
        let data = std::env::var_os("FIELDGATE_VICTIM_DATA")?;
        let first = std::env::var("FIELDGATE_VICTIM_FIRST").ok()?.parse().ok()?;
        let syncs = std::env::var("FIELDGATE_VICTIM_SYNCS").ok()?.parse().ok()?;
        let words = std::env::var_os("FIELDGATE_VICTIM_WORDS").map(PathBuf::from);
        Some(Self { data: data.into(), first, syncs, words })
    }
}

struct WallClock(Instant);

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        now()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn state(&self) -> ClockState {
        ClockState::Synced
    }
}

/// Wall time.
#[expect(clippy::disallowed_methods, reason = "a process of its own, whose clock is the machine's")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The table: a number that counts up, and its square.
pub(crate) fn table(name: &str) -> Arc<Table> {
    let signals = vec![
        Signal::new(format!("{name}/number"), "number", ValueType::U64),
        Signal::new(format!("{name}/square"), "square", ValueType::F64),
    ];
    Table::of_signals(name, name, false, signals).expect("legal names")
}

/// Lives until it is killed.
pub(crate) fn live(orders: &Orders) {
    let disk = orders.syncs.disk();
    let clock: Arc<dyn Clock> = Arc::new(WallClock(Instant::now()));
    let voice = Voice::new(orders.words.as_deref());
    let (folder, stop) = (&orders.data, Stop::new());
    let store = TableStore::open(&folder.join("tables"), Arc::clone(&disk)).expect("tables");
    let sealed = lake::sealed(&*disk, &folder.join("lake")).expect("the lake can be listed");
    let options = LogOptions {
        sync_interval: SYNC_INTERVAL,
        segment_bytes: 4 << 10,
        next_min: sealed.values().max().map_or(Offset::START, |seq| seq.next()),
        ..LogOptions::new(folder.join("journal"))
    };
    let codec = Arc::new(BatchCodec::new(Arc::new(store)));
    let opened = Log::open(options, Arc::clone(&disk), Arc::clone(&clock), codec);
    let (journal, recovery) = opened.expect("the journal opens");
    for name in CONSUMERS {
        let _cursor = journal.cursor(name);
    }
    let gaps = GapLog::new(journal.clone());
    let options = HistorianOptions {
        roll_interval: ROLL_INTERVAL,
        compaction: Compaction {
            settled: Duration::ZERO,
            pause: Duration::from_millis(5),
            look_interval: Duration::from_millis(20),
            ..Compaction::default()
        },
        ..HistorianOptions::new(folder.join("lake"), "victim")
    };
    let historian = Historian::new(gaps.clone(), Arc::clone(&disk), options).expect("the lake");
    gaps.tell_off_time(&recovery).expect("the journal is open");
    let outbox = open_outbox(folder, &disk, &clock);
    let way = Forward {
        gateway: "victim".to_owned(),
        stream: Stream::Aggregates,
        journal: journal.clone(),
        outbox: outbox.clone(),
        links: vec![Link::new()],
        rules: Rules::new(),
        hold_bytes: None,
        events: EventLog::new(journal.clone()),
        vitals: Arc::default(),
    };
    let settings = AggregateSettings {
        windows: vec![WindowSettings::tumbling(Duration::from_millis(100))],
        ..AggregateSettings::default()
    };
    let aggregate = Aggregate { journal: journal.clone(), settings, vitals: Arc::default() };
    voice.say(&format!("lives {}", recovery.damaged));
    std::thread::scope(|scope| {
        scope.spawn(|| historian.run(&stop));
        scope.spawn(|| aggregate.run(&stop));
        scope.spawn(|| way.run(&stop));
        scope.spawn(|| send(&outbox, &voice));
        scope.spawn(|| save_cursors(&journal, &outbox));
        scope.spawn(|| tell_joined(&historian, &journal, &voice));
        sample(orders.first, &journal, &voice);
    });
}

fn open_outbox(folder: &Path, disk: &Arc<dyn Disk>, clock: &Arc<dyn Clock>) -> Log<Envelope> {
    let options =
        LogOptions { sync_interval: SYNC_INTERVAL, ..LogOptions::new(folder.join("outbox")) };
    let opened = Log::open(options, Arc::clone(disk), Arc::clone(clock), Arc::new(EnvelopeCodec));
    let (outbox, recovery) = opened.expect("the outbox opens");
    assert_eq!(recovery.damaged, 0, "{recovery:?}");
    outbox
}

/// Counts, one row a slot, and says what is durable.
fn sample(first: u64, journal: &Log<Batch>, voice: &Voice) {
    let (table, past) = (table(TABLE), table(PAST));
    let mut waiting: VecDeque<(Offset, u64)> = VecDeque::new();
    for number in first.. {
        journal.append(row(&past, past_time(first, number), number)).expect("the journal is open");
        let offset = journal.append(row(&table, now(), number)).expect("the journal is open");
        waiting.push_back((offset, number));
        let durable = journal.wait_past(journal.durable(), SLOT);
        let mut promised = None;
        while let Some((_, number)) = waiting.front().filter(|(offset, _)| *offset < durable) {
            promised = Some(*number);
            waiting.pop_front();
        }
        if let Some(number) = promised {
            voice.say(&format!("kept {number}"));
        }
    }
}

/// The time of a row that is said to be of long ago.
fn past_time(first: u64, number: u64) -> Timestamp {
    let life = (first / RANGE).cast_signed();
    let row = (number - first).cast_signed();
    Timestamp::from_micros(PAST_BEGIN_US + (life * PAST_ROWS + row) * PAST_STEP_US)
}

fn row(table: &Arc<Table>, at: Timestamp, number: u64) -> Batch {
    let mut rows = BatchBuilder::new(Arc::clone(table));
    rows.begin(at, 0, ClockState::Synced);
    rows.set(0, Value::U64(number));
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    rows.set(1, Value::F64(number as f64 * number as f64));
    rows.finish().expect("one row")
}

/// Says how many small files have been joined.
fn tell_joined(historian: &Historian, journal: &Log<Batch>, voice: &Voice) {
    let mut told = 0;
    loop {
        let joined = historian.counts().compacted;
        if joined > told {
            told = joined;
            voice.say(&format!("joined {joined}"));
        }
        let _durable = journal.wait_past(Offset(u64::MAX), Duration::from_millis(10));
    }
}

/// The cloud: takes what is durable, in order, and acknowledges some of it.
fn send(outbox: &Log<Envelope>, voice: &Voice) {
    let cursor: Cursor = outbox.cursor(CLOUD);
    let mut at = cursor.at();
    loop {
        let entries = outbox.read(at, 20).unwrap_or_default();
        for entry in &entries {
            let print = crc32fast::hash(&entry.record.payload);
            voice.say(&format!("sent {} {print:08x}", entry.offset.0));
            at = entry.offset.next();
        }
        // The last one is on its way still.
        cursor.commit(Offset(at.0.saturating_sub(1)));
        let _durable = outbox.wait_past(at, Duration::from_millis(50));
    }
}

/// Brings cursors to the disk far more often than the logs do by themselves, so that crashes meet
/// that too.
fn save_cursors(journal: &Log<Batch>, outbox: &Log<Envelope>) {
    let journal_cursors = CONSUMERS.iter().map(|name| journal.cursor(name));
    let cursors: Vec<Cursor> = journal_cursors.chain([outbox.cursor(CLOUD)]).collect();
    loop {
        // A disk that is off refuses: then the process is about to end.
        let saved = cursors.iter().try_for_each(Cursor::flush);
        let pause = if saved.is_ok() { 30 } else { 300 };
        let _durable = journal.wait_past(Offset(u64::MAX), Duration::from_millis(pause));
    }
}
