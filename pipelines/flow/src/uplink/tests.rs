use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Instant;

use serde_json::Value;
use signals::{Clock, ClockState, Offset, Timestamp};

use super::*;
use crate::aggregate::fixtures;
use crate::disk::sim::SimDisk;
use crate::event_log::EventLog;

mod broker;
mod losses;
mod order;

use broker::{Arrival, Broker, Habit};

/// The monotonic clock of the machine: these tests wait for real sockets.
struct RealTime(Instant, ClockState);

impl Clock for RealTime {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(0).plus(self.0.elapsed())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn state(&self) -> ClockState {
        self.1
    }
}

/// A gateway's outboxes and one uplink over them.
struct Plant {
    disk: SimDisk,
    events: Log<Envelope>,
    aggregates: Log<Envelope>,
    status: Log<Envelope>,
    journal: Log<signals::Batch>,
    link: Arc<Link>,
    settings: MqttSettings,
    age_max: Option<Duration>,
    clock_state: ClockState,
}

/// A running uplink; stops when dropped.
struct Running {
    stop: Stop,
    health: Arc<UplinkHealth>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Plant {
    fn new(port: u16) -> Self {
        let disk = SimDisk::new();
        let outbox = |stream| fixtures::outbox(&disk, stream);
        let settings = MqttSettings {
            retry_min: Duration::from_millis(1),
            keep_alive: Duration::from_secs(1),
            connect_timeout: Duration::from_millis(300),
            ack_timeout: Duration::from_millis(300),
            trial_hold: Duration::from_millis(20),
            ..MqttSettings::new("main", "gw-1", "127.0.0.1", port)
        };
        let (events, aggregates, status) =
            (outbox("events"), outbox("aggregates"), outbox("status"));
        let journal = fixtures::journal(&disk);
        let link = Link::new();
        Self {
            events,
            aggregates,
            status,
            journal,
            link,
            settings,
            disk,
            age_max: None,
            clock_state: ClockState::Synced,
        }
    }

    fn start(&self) -> Running {
        let outbox = |stream: &str, log: &Log<Envelope>| Outbox {
            age_max: self.age_max,
            ..Outbox::of(stream, log.clone())
        };
        let outboxes = vec![outbox("events", &self.events), outbox("aggregates", &self.aggregates)];
        let events = EventLog::new(self.journal.clone());
        let files = Files {
            disk: Arc::new(self.disk.clone()),
            used_today: "/outbox/used-main".into(),
            quarantine: "/quarantine/main".into(),
        };
        let logs = Logs { outboxes, status: self.status.clone(), events, files };
        let clock = Arc::new(RealTime(Instant::now(), self.clock_state));
        let uplink = MqttUplink::new(self.settings.clone(), logs, Arc::clone(&self.link), clock);
        let (health, stop) = (uplink.health(), Stop::new());
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || Box::new(uplink).run(&stop)
        });
        Running { stop, health, thread: Some(thread) }
    }
}

fn fill(log: &Log<Envelope>, count: u64) {
    for _ in 0..count {
        let seq = log.next();
        let payload = format!(r#"{{"seq":{seq},"ts":"t{seq}"}}"#).into_bytes();
        log.append(Envelope { source: seq, payload }).unwrap();
    }
    log.sync().unwrap();
}

fn cursor(log: &Log<Envelope>) -> Offset {
    log.cursor("uplink:main").at()
}

fn wait_for(log: &Log<Envelope>, offset: u64) {
    wait_until("the cursor", || cursor(log) == Offset(offset));
}

impl Running {
    fn wait_for_error(&self, part: &str) {
        let error = || self.health.vitals().last_error.unwrap_or_default();
        wait_until(part, || error().contains(part));
    }

    fn wait_for_state(&self, state: UplinkState) {
        wait_until("the state", || self.health.vitals().state == state);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.raise();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn wait_until(what: &str, wanted: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !wanted() {
        assert!(Instant::now() < until, "waited too long for {what}");
        std::thread::yield_now();
    }
}

fn seq(arrival: &Arrival) -> u64 {
    serde_json::from_slice::<Value>(&arrival.payload).unwrap()["seq"].as_u64().unwrap()
}

/// All of `0..count` has arrived, in order when those sent again are left out, and whatever came
/// twice was the same bytes. Returns how many came twice.
fn check_delivery(arrivals: &[Arrival], count: u64) -> usize {
    let mut first = Vec::new();
    let mut seen = BTreeSet::new();
    for arrival in arrivals {
        let seq = seq(arrival);
        assert_eq!(arrival.payload, format!(r#"{{"seq":{seq},"ts":"t{seq}"}}"#).into_bytes());
        if seen.insert(seq) {
            first.push(seq);
        }
    }
    assert_eq!(first, (0..count).collect::<Vec<_>>());
    for pair in arrivals.windows(2).filter(|pair| pair[0].connection == pair[1].connection) {
        assert_eq!(seq(&pair[1]), seq(&pair[0]) + 1, "in order within a connection");
    }
    arrivals.len() - first.len()
}

#[test]
fn three_cuts_with_fifteen_unacknowledged_lose_none_of_two_thousand_messages() {
    let cut = Habit::Cuts { messages: 500, unacknowledged: 15 };
    let broker = Broker::start(&[cut, cut, cut, Habit::Kind]);
    let plant = Plant::new(broker.port);
    fill(&plant.aggregates, 2_000);
    let running = plant.start();
    wait_for(&plant.aggregates, 2_000);
    let doubled = check_delivery(&broker.arrivals("aggregates"), 2_000);
    assert!((45..=60).contains(&doubled), "{doubled} came twice");
    let vitals = running.health.vitals();
    let stream = &vitals.streams[1];
    assert_eq!((vitals.connections, stream.acknowledged), (4, 2_000));
    assert!(stream.sent >= 2_000 + doubled as u64, "what never arrived was sent as well");
}

#[test]
fn thirty_cuts_of_any_size_lose_nothing() {
    let cut = |i: usize| Habit::Cuts { messages: 21 + i * 7 % 40, unacknowledged: i * 11 % 21 };
    let habits: Vec<_> = (0..30).map(cut).chain([Habit::Kind]).collect();
    let broker = Broker::start(&habits);
    let plant = Plant::new(broker.port);
    fill(&plant.aggregates, 1_000);
    let _running = plant.start();
    wait_for(&plant.aggregates, 1_000);
    let doubled = check_delivery(&broker.arrivals("aggregates"), 1_000);
    assert!(doubled <= 30 * 20, "{doubled} came twice");
}

#[test]
fn acknowledgements_out_of_order_lose_and_double_nothing() {
    let broker = Broker::start(&[Habit::Backwards { group: 7 }]);
    let plant = Plant::new(broker.port);
    fill(&plant.aggregates, 500);
    let _running = plant.start();
    wait_for(&plant.aggregates, 500);
    assert_eq!(check_delivery(&broker.arrivals("aggregates"), 500), 0);
}

#[test]
fn acknowledgements_that_come_twice_lose_nothing() {
    let broker = Broker::start(&[Habit::Twice, Habit::Twice, Habit::Kind]);
    let plant = Plant::new(broker.port);
    fill(&plant.aggregates, 100);
    let _running = plant.start();
    wait_for(&plant.aggregates, 100);
    check_delivery(&broker.arrivals("aggregates"), 100);
}

#[test]
fn a_broker_that_takes_the_connection_and_never_answers_is_left_in_time() {
    let broker = Broker::start(&[Habit::Mute, Habit::Kind]);
    let plant = Plant::new(broker.port);
    fill(&plant.aggregates, 3);
    let running = plant.start();
    running.wait_for_error("no answer to CONNECT within 300ms");
    wait_for(&plant.aggregates, 3);
}

#[test]
fn a_broker_that_acknowledges_nothing_is_left_and_the_message_named() {
    let broker = Broker::start(&[Habit::Hoards, Habit::Kind]);
    let plant = Plant::new(broker.port);
    fill(&plant.aggregates, 50);
    let running = plant.start();
    running.wait_for_error("no acknowledgement within 300ms");
    running.wait_for_error("oldest message on its way: aggregates seq 0");
    wait_for(&plant.aggregates, 50);
    assert_eq!(check_delivery(&broker.arrivals("aggregates"), 50), 20, "the window came twice");
}

#[test]
fn a_link_that_falls_silent_is_noticed_within_one_and_a_half_keep_alives() {
    let broker = Broker::start(&[Habit::MuteAfterConnect, Habit::Kind]);
    let mut plant = Plant::new(broker.port);
    plant.settings.ack_timeout = Duration::from_mins(1);
    let begun = Instant::now();
    let running = plant.start();
    running.wait_for_error("silent for 1.5s");
    assert!(begun.elapsed() < Duration::from_secs(3));
    fill(&plant.aggregates, 3);
    wait_for(&plant.aggregates, 3);
}

#[test]
fn a_broker_that_refuses_says_what_to_do() {
    for (code, remedy) in [
        (1, "does not speak MQTT 3.1.1"),
        (2, "set `client_id`"),
        (4, "correct the credentials"),
        (5, "allow this client id"),
    ] {
        let broker = Broker::start(&[Habit::Refuses(code)]);
        let plant = Plant::new(broker.port);
        plant.start().wait_for_error(remedy);
    }
}

#[test]
fn an_uplink_without_a_broker_waits_and_connects_when_there_is_one() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let plant = Plant::new(port);
    fill(&plant.aggregates, 3);
    let running = plant.start();
    running.wait_for_error("cannot be reached");
    assert_eq!(plant.status.next(), Offset(0), "nobody has seen a status");
    let broker = Broker::start_at(port, &[Habit::Kind]);
    wait_for(&plant.aggregates, 3);
    assert_eq!(check_delivery(&broker.arrivals("aggregates"), 3), 0);
}

#[test]
fn a_cut_link_stops_everything_and_a_mended_one_goes_on_where_it_was() {
    let broker = Broker::start(&[Habit::Kind]);
    let plant = Plant::new(broker.port);
    fill(&plant.aggregates, 10);
    let running = plant.start();
    wait_for(&plant.aggregates, 10);
    assert!(plant.link.is_up());
    plant.link.set_cut(true);
    running.wait_for_state(UplinkState::Cut);
    assert!(!plant.link.is_up());
    fill(&plant.aggregates, 10);
    wait_until("backlog", || running.health.vitals().streams[1].backlog_messages == 10);
    plant.link.set_cut(false);
    wait_for(&plant.aggregates, 20);
    assert_eq!(check_delivery(&broker.arrivals("aggregates"), 20), 0);
}

#[test]
fn events_go_before_aggregates() {
    let broker = Broker::start(&[Habit::Kind]);
    let plant = Plant::new(broker.port);
    fill(&plant.aggregates, 30);
    fill(&plant.events, 30);
    let _running = plant.start();
    wait_for(&plant.aggregates, 30);
    let topics: Vec<_> = broker.arrivals("s").into_iter().map(|arrival| arrival.topic).collect();
    let place = |stream: &str| topics.iter().position(|topic| topic.ends_with(stream)).unwrap();
    assert_eq!(place("status"), 0);
    assert_eq!((place("events"), place("aggregates")), (1, 31));
    assert_eq!(topics[1], "fieldgate/v1/gw-1/events");
}

#[test]
fn status_is_retained_and_its_numbers_never_stand_for_two_texts() {
    let broker = Broker::start(&[Habit::Kind]);
    let plant = Plant::new(broker.port);
    for goodbyes in 1..=2 {
        let running = plant.start();
        running.wait_for_state(UplinkState::Online);
        broker.wait_until("online", |seen| seen.arrivals.len() == goodbyes * 2 - 1);
        drop(running);
        broker.wait_until("goodbye", |seen| seen.goodbyes == goodbyes);
    }
    let status = broker.arrivals("status");
    let told: Vec<_> = status
        .iter()
        .map(|arrival| serde_json::from_slice::<Value>(&arrival.payload).unwrap())
        .map(|message| (message["seq"].as_u64().unwrap(), message["state"].clone()))
        .collect();
    let wanted = [(0, "online"), (1, "offline"), (2, "online"), (3, "offline")];
    assert_eq!(told, wanted.map(|(seq, state)| (seq, Value::from(state))));
    assert!(status.iter().all(|arrival| arrival.is_retained));
    let goodbyes = [status[1].payload.clone(), status[3].payload.clone()];
    assert_eq!(broker.wills(), goodbyes, "the goodbye is the last will");
}

#[test]
fn a_restarted_uplink_goes_on_where_the_last_one_stopped() {
    let broker = Broker::start(&[Habit::Kind]);
    let plant = Plant::new(broker.port);
    fill(&plant.aggregates, 10);
    let running = plant.start();
    wait_for(&plant.aggregates, 10);
    drop(running);
    let aggregates = fixtures::outbox(&plant.disk, "aggregates");
    assert_eq!(cursor(&aggregates), Offset(10), "the cursor is on disk");
    fill(&plant.aggregates, 10);
    let _running = plant.start();
    wait_for(&plant.aggregates, 20);
    assert_eq!(check_delivery(&broker.arrivals("aggregates"), 20), 0);
}

#[test]
fn settings_that_cannot_work_are_told_all_at_once() {
    let settings = MqttSettings {
        keep_alive: Duration::from_millis(1_500),
        window: 21,
        allowance: Allowance { rate_per_s: Some(0.0), ..Allowance::default() },
        ..MqttSettings::new("a/b", "gw#1", "", 1883)
    };
    let keys: Vec<_> = settings.check().into_iter().map(|mistake| mistake.key).collect();
    let wanted = ["name", "host", "gateway", "keep_alive", "window", "rate_per_s"];
    assert_eq!(keys, wanted);
    assert_eq!(MqttSettings::new("main", "gw-1", "localhost", 1883).check(), []);
}

#[test]
fn a_password_is_never_in_what_is_printed() {
    let mut settings = MqttSettings::new("main", "gw", "127.0.0.1", 1883);
    let (user, password) = ("plant".to_owned(), "hunter2-secret".to_owned());
    settings.credentials = Some(Credentials { user, password });
    let printed = format!("{settings:?}");
    assert!(printed.contains("plant") && !printed.contains("hunter2"), "{printed}");
}
