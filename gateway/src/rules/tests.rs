use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;

use pipelines_flow::LogOptions;
use pipelines_flow::alarm::AlarmState;
use pipelines_flow::codec::BatchCodec;
use pipelines_flow::disk::sim::SimDisk;
use pipelines_flow::tables::TableStore;
use serde_json::Value;
use signals::{
    BatchBuilder, ClockState, ManualClock, Signal, Table, Timestamp, Value as Sample, ValueType,
};

mod change;
mod restarts;

use super::work::short;
use super::*;
use crate::config::{self, Files};

/// The second that clocks of these tests begin at.
const BEGIN: i64 = 1_790_000_000;

/// A pump with one pressure, and rules about it.
struct Bench {
    disk: Arc<SimDisk>,
    clock: Arc<ManualClock>,
    journal: Log<Batch>,
    events: EventLog,
    table: Arc<Table>,
    rules: Vec<RuleSettings>,
}

/// A gateway that is alive until it is dropped.
struct Running {
    rules: Arc<Rules>,
    board: Arc<Board>,
    stop: Stop,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.raise();
        if let Some(thread) = self.thread.lock().unwrap().take() {
            thread.join().unwrap();
        }
    }
}

fn plant(rules: &str) -> Vec<RuleSettings> {
    let text = format!(
        "[gateway]\nid = \"gw\"\nsite = \"hall\"\n[[line]]\nname = \"l\"\nhost = \"127.0.0.1\"\n\
         [[device]]\nname = \"pump\"\nline = \"l\"\nunit = 1\n\
         [[device.tag]]\nname = \"pressure\"\nat = \"holding:0\"\ntype = \"f64\"\n\
         [[device.tag]]\nname = \"running\"\nat = \"coil:0\"\ntype = \"bool\"\n{rules}"
    );
    match config::from_text("gateway.toml", &text, Files::Embedded(&[])) {
        Ok(config) => config.rules,
        Err(mistakes) => panic!("{mistakes:#?}"),
    }
}

/// The rule that most of these tests are about: over 8, until below 7.
fn over_eight(more: &str) -> String {
    format!(
        "[[rule]]\nname = \"over\"\nsql = \"SELECT pressure FROM 'hall/pump' WHERE pressure > 8\"\n\
         clear = \"pressure < 7\"\n{more}\n"
    )
}

const ALARM: &str = "[rule.alarm]\npriority = \"high\"\nmessage = \"Pressure too high\"";

impl Bench {
    fn new(rules: &str) -> Self {
        let disk = Arc::new(SimDisk::new());
        let port: Arc<dyn Disk> = Arc::<SimDisk>::clone(&disk);
        let store = TableStore::open(Path::new("/tables"), Arc::clone(&port)).unwrap();
        let options =
            LogOptions { sync_interval: Duration::from_millis(1), ..LogOptions::new("/journal") };
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(BEGIN * 1_000_000)));
        let codec = Arc::new(BatchCodec::new(Arc::new(store)));
        let (journal, _) =
            Log::open(options, port, Arc::<ManualClock>::clone(&clock), codec).unwrap();
        let signals = vec![
            Signal::new("hall/pump/pressure", "pressure", ValueType::F64),
            Signal::new("hall/pump/running", "running", ValueType::Bool),
        ];
        let table = Table::of_signals("pump_1s", "pump", false, signals).unwrap();
        let events = EventLog::new(journal.clone());
        Self { disk, clock, journal, events, table, rules: plant(rules) }
    }

    /// Starts a life; it has dealt with everything there is.
    fn live(&self) -> Running {
        let rules = Arc::new(Rules::new(
            self.rules.clone(),
            (self.journal.clone(), self.events.clone()),
            Arc::<ManualClock>::clone(&self.clock),
            (PathBuf::from("/data"), Arc::<SimDisk>::clone(&self.disk)),
        ));
        let (board, stop) = (rules.board(), Stop::new());
        let thread = std::thread::spawn({
            let (rules, stop) = (Arc::clone(&rules), stop.clone());
            move || rules.run(&stop)
        });
        let life = Running { rules, board, stop, thread: Mutex::new(Some(thread)) };
        self.caught_up(&life);
        life
    }

    /// Waits until the rules have read all that is durable.
    fn caught_up(&self, life: &Running) {
        self.journal.sync().unwrap();
        until("the rules catch up", || {
            life.board.at().is_some_and(|at| at >= self.journal.durable())
        });
    }

    /// A pressure a second, from `second` on.
    fn add(&self, second: i64, pressures: &[Option<f64>]) {
        let mut rows = BatchBuilder::new(Arc::clone(&self.table));
        for (at, pressure) in (second..).zip(pressures) {
            let ts = Timestamp::from_micros((BEGIN + at) * 1_000_000);
            rows.begin(ts, 0, ClockState::Synced);
            if let Some(pressure) = pressure {
                rows.set(0, Sample::F64(*pressure));
            }
            rows.set(1, Sample::Bool(true));
            self.clock.step_to(ts);
        }
        self.journal.append(rows.finish().unwrap()).unwrap();
        self.journal.sync().unwrap();
    }

    /// Kinds of the events about rules, and the second each is about.
    fn said(&self) -> Vec<(String, Option<i64>)> {
        let mut at = self.journal.oldest();
        let mut said = Vec::new();
        loop {
            let entries = self.journal.read(at, 10_000).unwrap();
            let Some(last) = entries.last() else { return said };
            at = last.offset.next();
            for entry in entries.iter().filter(|entry| entry.record.table.name() == "_events") {
                let events = board::events_of(&entry.record);
                let about = events.iter().map(|event| {
                    let at = event.details.get("at_us").and_then(Value::as_i64);
                    (event.kind.clone(), at.map(|at| at / 1_000_000 - BEGIN))
                });
                said.extend(about);
            }
        }
    }

    fn said_kinds(&self) -> Vec<String> {
        self.said().into_iter().map(|(kind, _)| kind).collect()
    }
}

/// Waits for something that must come.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not in 30 s");
        std::thread::sleep(Duration::from_millis(2));
    }
}

impl Running {
    fn state(&self) -> AlarmState {
        self.board.standing("over").unwrap().life.stands.state
    }

    fn until_state(&self, state: AlarmState) {
        until(&format!("{state:?}"), || self.state() == state);
    }

    fn order(&self, verb: Verb, comment: Option<&str>) -> Result<Standing, OrderError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let order = Order {
            alarm: "over".to_owned(),
            verb,
            by: "ada".to_owned(),
            comment: comment.map(str::to_owned),
        };
        runtime.block_on(self.board.follow(order))
    }
}

#[test]
fn an_alarm_is_raised_seen_and_returns_and_all_of_it_is_in_the_journal() {
    let bench = Bench::new(&over_eight(ALARM));
    let life = bench.live();
    bench.add(0, &[Some(7.5), Some(9.0), Some(9.5)]);
    life.until_state(AlarmState::Unacknowledged);
    let standing = life.board.standing("over").unwrap();
    assert_eq!(standing.life.text.as_deref(), Some("Pressure too high (pressure 9)"));
    assert_eq!(life.board.told(), Told { told: 1, unacknowledged: 1 });
    let seen = life.order(Verb::Acknowledge, Some("on my way")).unwrap();
    assert_eq!(seen.life.stands.state, AlarmState::Acknowledged);
    assert_eq!(seen.life.by.as_deref(), Some("ada"));
    assert_eq!(seen.life.comment.as_deref(), Some("on my way"));
    // Between the two conditions nothing changes.
    bench.add(3, &[Some(7.5), Some(6.5)]);
    life.until_state(AlarmState::Normal);
    let expected = [
        ("alarm_raised".to_owned(), Some(1)),
        ("alarm_acknowledged".to_owned(), None),
        ("alarm_returned".to_owned(), Some(4)),
    ];
    assert_eq!(bench.said(), expected);
}

#[test]
fn a_rule_without_an_alarm_is_told_and_asks_nothing_of_anybody() {
    let bench = Bench::new(&over_eight(""));
    let life = bench.live();
    bench.add(0, &[Some(9.0), Some(6.0)]);
    until("both are told", || bench.said().len() == 2);
    assert_eq!(bench.said_kinds(), ["rule_met", "rule_over"]);
    assert!(life.board.standings().is_empty());
}

#[test]
fn nobody_is_told_while_it_is_shelved_and_the_shelf_ends_by_itself() {
    let bench = Bench::new(&over_eight(ALARM));
    let life = bench.live();
    bench.add(0, &[Some(7.5)]);
    let shelf = Verb::Shelve(Duration::from_secs(60));
    assert!(matches!(life.order(shelf, None), Err(OrderError::Unfit(_))), "silence wants a reason");
    life.order(shelf, Some("works on the valve")).unwrap();
    bench.add(10, &[Some(9.0)]);
    life.until_state(AlarmState::Unacknowledged);
    assert_eq!(life.board.told(), Told::default());
    bench.add(61, &[Some(9.0)]);
    until("the shelf ends", || life.board.told() == Told { told: 1, unacknowledged: 1 });
    let kinds = ["alarm_shelved", "alarm_raised", "alarm_unshelved"];
    until("all is told", || bench.said_kinds() == kinds);
}

#[test]
fn nobody_is_told_while_the_condition_of_its_suppression_is_met() {
    let rules = over_eight(&format!("suppress = \"NOT running OR pressure > 100\"\n{ALARM}"));
    let bench = Bench::new(&rules);
    let life = bench.live();
    bench.add(0, &[Some(200.0)]);
    life.until_state(AlarmState::Unacknowledged);
    assert_eq!(life.board.told(), Told::default());
    bench.add(1, &[Some(9.0)]);
    until("it is told", || life.board.told() == Told { told: 1, unacknowledged: 1 });
    assert_eq!(bench.said_kinds(), ["alarm_suppressed", "alarm_raised", "alarm_unsuppressed"]);
}

#[test]
fn a_signal_that_falls_silent_is_told_although_no_sample_comes() {
    let rules = "[[rule]]\nname = \"over\"\n\
                 sql = \"SELECT age(pressure) AS age FROM 'hall/pump' WHERE age(pressure) > 5\"\n\
                 [rule.alarm]\n";
    let bench = Bench::new(rules);
    let life = bench.live();
    bench.add(0, &[Some(7.5)]);
    bench.caught_up(&life);
    bench.clock.advance(Duration::from_secs(7));
    life.until_state(AlarmState::Unacknowledged);
    bench.add(8, &[Some(7.5)]);
    life.until_state(AlarmState::Returned);
}

#[test]
fn neither_a_past_that_is_filled_in_nor_a_time_off_makes_a_signal_silent() {
    let rules = "[[rule]]\nname = \"over\"\n\
                 sql = \"SELECT age(pressure) AS age FROM 'hall/pump' WHERE age(pressure) > 5\"\n\
                 [rule.alarm]\n";
    let bench = Bench::new(rules);
    let life = bench.live();
    let mut past = BatchBuilder::new(Arc::clone(&bench.table));
    for second in [-2_000, -1_999] {
        let ts = Timestamp::from_micros((BEGIN + second) * 1_000_000);
        past.begin(ts, 0, ClockState::Synced);
        past.set(0, Sample::F64(7.0));
    }
    bench.journal.append(past.finish().unwrap()).unwrap();
    bench.caught_up(&life);
    bench.clock.advance(Duration::from_secs(3));
    bench.add(3, &[Some(7.5)]);
    bench.caught_up(&life);
    drop(life);
    // Off for an hour; the device answers two seconds after the start.
    bench.clock.advance(Duration::from_hours(1));
    let life = bench.live();
    until("silence is asked about", || life.board.counts().0 > 0);
    bench.add(3_605, &[Some(7.5)]);
    bench.caught_up(&life);
    assert_eq!(bench.said(), []);
}

#[test]
fn a_number_in_a_message_has_four_digits_that_count() {
    let shown = [3.331_39, 42.938_87, 123.456, 9_876.54, 9.0, -0.5, 0.000_2, 100.0];
    let shown = shown.map(short);
    assert_eq!(shown, ["3.331", "42.94", "123.5", "9877", "9", "-0.5", "0", "100"]);
}

#[test]
fn an_order_that_makes_no_sense_is_refused_and_leaves_no_trace() {
    let bench = Bench::new(&over_eight(ALARM));
    let life = bench.live();
    assert!(matches!(life.order(Verb::Acknowledge, None), Err(OrderError::Senseless(..))));
    let day = Verb::Shelve(Duration::from_hours(25));
    assert!(matches!(life.order(day, Some("long")), Err(OrderError::Unfit(_))));
    assert_eq!(bench.said(), []);
}

#[test]
fn a_rule_that_fails_on_a_batch_says_nothing_of_it_and_others_go_on() {
    let failing = "[[rule]]\nname = \"fails\"\n\
                   sql = \"SELECT pressure FROM 'hall/pump' WHERE arrow_cast(pressure, 'Utf8') = 'x' \
                   OR CAST('no number' AS DOUBLE) > pressure\"\n";
    let bench = Bench::new(&format!("{failing}{}", over_eight(ALARM)));
    let life = bench.live();
    bench.add(0, &[Some(9.0)]);
    life.until_state(AlarmState::Unacknowledged);
    let (moments, failures) = life.board.counts();
    assert_eq!((moments, failures), (1, 1));
}
