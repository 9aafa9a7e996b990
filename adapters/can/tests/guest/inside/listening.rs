//! Listening: the adapter as the gateway runs it, and everything it gave.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use adapters_can::bus::LoadedBus;
use adapters_can::config::CanConfig;
use serde_json::{Value, json};
use signals::adapter::{Health, Instruments};
use signals::{Batch, Clock, ClockState, Event, Feed, Gap, Intake, Notice, Stop, Timestamp};

use crate::logs::Play;

/// Patience with anything that is to happen.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(5);

/// The machine's clocks.
#[derive(Debug)]
pub(super) struct MachineClock(pub(super) Instant);

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        wall()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn state(&self) -> ClockState {
        ClockState::Synced
    }
}

/// The machine's wall clock.
pub(super) fn wall() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the machine's clock is what is tested")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}

/// Keeps what is offered and told; while it is shut, whoever offers waits.
#[derive(Default)]
pub(super) struct Basket {
    batches: Mutex<Vec<Batch>>,
    notices: Mutex<Vec<Notice>>,
    shut: Mutex<bool>,
    opened: Condvar,
}

impl Intake for Basket {
    fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        let shut = self.shut.lock().unwrap();
        drop(self.opened.wait_while(shut, |shut| *shut).unwrap());
        self.batches.lock().unwrap().push(batch);
        Ok(())
    }

    fn tell(&self, notice: Notice) -> Result<(), Box<Notice>> {
        self.notices.lock().unwrap().push(notice);
        Ok(())
    }
}

/// A bus that is listened to.
pub(super) struct Listening {
    pub(super) basket: Arc<Basket>,
    health: Arc<Health>,
    instruments: Arc<Instruments>,
    stop: Stop,
    thread: Option<thread::JoinHandle<()>>,
}

impl Listening {
    /// Starts to listen to `interface`, configured with `change` besides.
    pub(super) fn start(play: Play, interface: &str, change: impl FnOnce(&mut CanConfig)) -> Self {
        Self::to(play.bus(|config| {
            config.interface = Some(interface.to_owned());
            change(config);
        }))
    }

    /// Starts to listen to a bus.
    pub(super) fn to(bus: LoadedBus) -> Self {
        let adapter = bus.adapter().unwrap();
        let (health, instruments) = (adapter.health().remove(0), adapter.instruments().remove(0));
        let (basket, stop) = (Arc::new(Basket::default()), Stop::new());
        let feed = Feed {
            intake: Arc::<Basket>::clone(&basket),
            clock: Arc::new(MachineClock(Instant::now())),
            stop: stop.clone(),
        };
        let thread = thread::Builder::new().name("listener".to_owned());
        let thread = thread.spawn(move || adapter.run(feed)).unwrap();
        Self { basket, health, instruments, stop, thread: Some(thread) }
    }

    /// As [`Listening::start`], and waits until the bus is heard.
    pub(super) fn hearing(
        play: Play,
        interface: &str,
        change: impl FnOnce(&mut CanConfig),
    ) -> Self {
        let listening = Self::start(play, interface, change);
        listening.until("the bus is active", |l| l.states().last().is_some_and(|s| s == "active"));
        listening
    }

    /// Waits for something; panics when it does not come.
    pub(super) fn until(&self, what: &str, done: impl Fn(&Self) -> bool) -> Duration {
        let begun = Instant::now();
        while !done(self) {
            let vitals = self.health.vitals();
            let of = &self.health.address;
            assert!(
                begun.elapsed() < PATIENCE,
                "{of}: {what}: not yet; {:?} {vitals:?}",
                self.states()
            );
            thread::park_timeout(LOOK);
        }
        begun.elapsed()
    }

    /// Waits until there are this many rows, also in batches not offered yet.
    pub(super) fn until_rows(&self, rows: usize) {
        self.until(&format!("{rows} rows"), |listening| listening.rows() >= rows);
    }

    pub(super) fn rows(&self) -> usize {
        self.basket.batches.lock().unwrap().iter().map(|batch| batch.rows.num_rows()).sum()
    }

    pub(super) fn batches(&self) -> Vec<Batch> {
        self.basket.batches.lock().unwrap().clone()
    }

    /// Lets whoever offers wait, or no longer.
    pub(super) fn shut(&self, shut: bool) {
        *self.basket.shut.lock().unwrap() = shut;
        self.basket.opened.notify_all();
    }

    pub(super) fn events(&self) -> Vec<Event> {
        let notices = self.basket.notices.lock().unwrap();
        let event = |notice: &Notice| match notice {
            Notice::Event(event) => Some(event.clone()),
            Notice::Gap(_) => None,
        };
        notices.iter().filter_map(event).collect()
    }

    pub(super) fn gaps(&self) -> Vec<Gap> {
        let notices = self.basket.notices.lock().unwrap();
        let gap = |notice: &Notice| match notice {
            Notice::Gap(gap) => Some(gap.clone()),
            Notice::Event(_) => None,
        };
        notices.iter().filter_map(gap).collect()
    }

    /// The states that were told, in order.
    pub(super) fn states(&self) -> Vec<String> {
        let events = self.events();
        let states = events.iter().filter(|event| event.kind == "can_bus_state");
        states.map(|event| event.details["to"].as_str().unwrap().to_owned()).collect()
    }

    /// How many events there were of each kind.
    pub(super) fn kinds(&self) -> Value {
        let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
        for event in self.events() {
            *kinds.entry(event.kind).or_default() += 1;
        }
        json!(kinds)
    }

    /// A figure, with its label if it has one; 0 when it is not shown.
    pub(super) fn figure(&self, name: &str, label: &str) -> f64 {
        let readings = self.instruments.readings();
        let is_wanted = |labels: &[(&str, String)]| match labels.first() {
            None => label.is_empty(),
            Some((_, value)) => value == label,
        };
        let mut found = readings.iter().filter(|r| r.metric.name == name && is_wanted(&r.labels));
        found.next().map_or(0.0, |reading| reading.value)
    }

    pub(super) fn vitals(&self) -> signals::adapter::Vitals {
        self.health.vitals()
    }

    /// Ends it; what was open is told and what waited is offered.
    pub(super) fn end(&mut self) {
        self.shut(false);
        self.stop.raise();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the listener ends in no panic");
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.end();
        }
    }
}

/// Processor time of the listener's thread so far, as the kernel accounts for it.
pub(super) fn listener_time() -> Duration {
    let mut nanos = 0;
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
        if name.trim() == "listener" {
            let times = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
            nanos += times.split_whitespace().next().map_or(0, |n| n.parse::<u64>().unwrap());
        }
    }
    Duration::from_nanos(nanos)
}

/// Share of one processor that the listener takes over `span`.
pub(super) fn listener_share(span: Duration) -> f64 {
    let (begun, before) = (Instant::now(), listener_time());
    while begun.elapsed() < span {
        thread::park_timeout(span.saturating_sub(begun.elapsed()));
    }
    listener_time().saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64()
}

/// Open files of this program.
pub(super) fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Whether anybody listens to all frames of `interface`, as the kernel has it.
pub(super) fn is_listened_to(interface: &str) -> bool {
    let lists = ["rcvlist_all", "rcvlist_err", "rcvlist_sff", "rcvlist_eff", "rcvlist_fil"];
    let read = |list: &str| fs::read_to_string(format!("/proc/net/can/{list}")).unwrap_or_default();
    lists.iter().any(|list| {
        let text = read(list);
        // Rows name the interface first; `(any: no entry)` lines name it behind a parenthesis.
        text.lines().any(|line| line.split_whitespace().next() == Some(interface))
    })
}
