//! The gateway's side in a process of its own: this test program started again.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pipelines_flow::codec::{BatchCodec, EnvelopeCodec};
use pipelines_flow::disk::RealDisk;
use pipelines_flow::event_log::EventLog;
use pipelines_flow::tables::TableStore;
use pipelines_flow::uplink::{
    Allowance, Files, Link, Logs, MqttSettings, MqttUplink, Outbox, SendOrder, Uplink,
};
use pipelines_flow::{Log, LogOptions};
use signals::{Clock, ClockState, Disk, Envelope, Offset, Stop, Timestamp};

/// What the process is told, by the environment.
const TOLD: &str = "FIELDGATE_DRAIN_CHILD";

/// Wall time of the machine.
#[expect(clippy::disallowed_methods, reason = "outside the gateway there is no `Clock`")]
pub(crate) fn now_us() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// The clocks of the machine.
struct MachineClock(Instant);

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(i64::try_from(now_us()).unwrap())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn state(&self) -> ClockState {
        ClockState::Synced
    }
}

/// An outbox, a broker, and how to drain the one into the other.
pub(crate) struct Plan {
    pub(crate) data: PathBuf,
    pub(crate) port: u16,
    pub(crate) rate: u64,
    /// A new message every so many milliseconds.
    pub(crate) live_ms: u64,
}

impl Plan {
    fn clock() -> Arc<dyn Clock> {
        Arc::new(MachineClock(Instant::now()))
    }

    fn outbox(&self, stream: &str) -> Log<Envelope> {
        let options = LogOptions {
            sync_interval: Duration::from_millis(100),
            ..LogOptions::new(self.data.join(stream))
        };
        let codec = Arc::new(EnvelopeCodec);
        Log::open(options, Arc::new(RealDisk), Self::clock(), codec).unwrap().0
    }

    /// Fills the outbox with what an outage has left, a second of it at a time.
    pub(crate) fn fill(&self, messages: u64) {
        let log = self.outbox("aggregates");
        let _held = log.cursor("uplink:main");
        for _ in 0..messages {
            log.append(message(log.next())).unwrap();
        }
        log.sync().unwrap();
        log.close();
    }

    /// Where the outbox ends.
    fn head(&self) -> u64 {
        self.outbox("aggregates").next().0
    }

    fn told(&self) -> String {
        format!("{}|{}|{}|{}", self.data.display(), self.port, self.rate, self.live_ms)
    }

    fn of(text: &str) -> Self {
        let parts: Vec<&str> = text.split('|').collect();
        let number = |place: usize| parts[place].parse::<u64>().unwrap();
        let port = u16::try_from(number(1)).unwrap();
        Self { data: parts[0].into(), port, rate: number(2), live_ms: number(3) }
    }
}

/// As long as one of the demo's windows.
fn message(seq: Offset) -> Envelope {
    let made = now_us();
    let signals = r#""speed":{"count":10,"good":10,"min":0.1,"max":2.5,"mean":1.3}"#;
    let text = format!(
        r#"{{"gateway":"gw-1","stream":"aggregates","seq":{seq},"made_us":{made},"ts":"{}","table":"pump","signals":{{{signals},{signals},{signals},{signals}}}}}"#,
        Timestamp::from_micros(i64::try_from(made).unwrap())
    );
    Envelope { source: seq, payload: text.into_bytes() }
}

/// A running gateway process.
pub(crate) struct Child(std::process::Child);

impl Child {
    pub(crate) fn start(plan: &Plan) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["child::gateway_process", "--exact", "--ignored", "--nocapture"])
            .env(TOLD, plan.told())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// kill -9, and the next one.
    pub(crate) fn kill_and_restart(mut self, plan: &Plan) -> Self {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        Self::start(plan)
    }

    /// Makes no more messages, sends what there is, ends. Where the outbox ends.
    pub(crate) fn stop(mut self, plan: &Plan) -> u64 {
        std::fs::write(plan.data.join("stop"), "").unwrap();
        self.0.wait().unwrap();
        plan.head()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
#[ignore = "the gateway's side of the other tests, started by them"]
fn gateway_process() {
    let plan = Plan::of(&std::env::var(TOLD).expect("it is told what to do"));
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let log = plan.outbox("aggregates");
    let tables = Arc::new(TableStore::open(&plan.data.join("tables"), Arc::clone(&disk)).unwrap());
    let options = LogOptions::new(plan.data.join("journal"));
    let codec = Arc::new(BatchCodec::new(tables));
    let journal = Log::open(options, Arc::clone(&disk), Plan::clock(), codec).unwrap().0;
    let outbox = Outbox {
        stream: "aggregates".to_owned(),
        log: log.clone(),
        folder: plan.data.join("aggregates"),
        is_urgent: false,
        age_max: None,
    };
    let files = Files {
        disk,
        used_today: plan.data.join("used"),
        quarantine: plan.data.join("quarantine"),
    };
    let status = plan.outbox("status");
    let logs = Logs { outboxes: vec![outbox], status, events: EventLog::new(journal), files };
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let rate_per_s = Some(plan.rate as f64);
    let settings = MqttSettings {
        order: SendOrder::LiveFirst,
        allowance: Allowance { rate_per_s, ..Allowance::default() },
        ..MqttSettings::new("main", "gw-1", "127.0.0.1", plan.port)
    };
    let uplink = MqttUplink::new(settings, logs, Link::new(), Plan::clock());
    let (health, stop) = (uplink.health(), Stop::new());
    let uplink = std::thread::spawn({
        let stop = stop.clone();
        move || Box::new(uplink).run(&stop)
    });
    let is_told_to_stop = || plan.data.join("stop").is_file();
    while !is_told_to_stop() {
        log.append(message(log.next())).unwrap();
        std::thread::sleep(Duration::from_millis(plan.live_ms));
    }
    log.sync().unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    let head = log.next();
    while log.cursor("uplink:main").at() < head && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    stop.raise();
    uplink.join().unwrap();
    drop(health);
    log.close();
}
