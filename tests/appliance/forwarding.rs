//! Forwarding to a real broker that goes away: everything arrives, in order, the same bytes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::broker::{Message, Mosquitto, Subscriber, delivery};
use crate::harness::gateway::Gateway;
use crate::harness::images::Peers;
use crate::harness::programs::{check_lake, duckdb};
use crate::harness::{let_pass, wait_until};

/// Patience with the messages that waited.
const DRAIN_PATIENCE: Duration = Duration::from_mins(1);

/// Two devices, windows of 1 s and 10 s, mosquitto and a subscriber that misses nothing.
pub(crate) struct Bench {
    folder: TempDir,
    config: PathBuf,
    broker: Mosquitto,
    subscriber: Subscriber,
    _peers: Peers,
}

impl Bench {
    fn new() -> Self {
        Self::of(tempfile::tempdir().unwrap(), Vec::new(), "")
    }

    /// With more lines in the broker's configuration, and with these keys of the uplink instead
    /// of its address.
    pub(crate) fn of(folder: TempDir, lines: Vec<String>, keys: &str) -> Self {
        let broker_folder = folder.path().join("broker");
        fs::create_dir(&broker_folder).unwrap();
        let broker = Mosquitto::with(&broker_folder, lines);
        let subscriber = Subscriber::start(broker.port);
        let peers = Peers::serve(&["pump_vfd", "screw_compressor"]);
        let address = format!("address = \"127.0.0.1:{}\"\n", broker.port);
        let keys = if keys.is_empty() { &address } else { keys };
        let more = format!(
            "\n[[aggregate]]\nwindow = \"1 s\"\n[[aggregate]]\nwindow = \"10 s\"\n\n\
             [[uplink]]\nname = \"broker\"\nkind = \"mqtt\"\nrate_per_s = 10\n{keys}"
        );
        let config = folder.path().join("gateway.toml");
        fs::write(&config, peers.config("500 ms") + &more).unwrap();
        Self { folder, config, broker, subscriber, _peers: peers }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn gateway(&self) -> Gateway {
        Gateway::of(&self.config, &self.data())
    }

    pub(crate) fn wait_for_messages(&self, count: usize) {
        wait_until("messages arrive", Duration::from_secs(30), || {
            self.subscriber.stream("aggregates").len() >= count
        });
    }

    /// Stops the broker for a while; gives how many messages waited when it came back.
    fn outage(&mut self, gateway: &Gateway, length: Duration) -> u64 {
        self.broker.stop();
        let_pass(length);
        let waited = gateway.backlog();
        self.broker.start_again();
        waited
    }

    /// Everything sent and acknowledged, the gateway stopped, and nothing wrong with what came.
    pub(crate) fn finish(self, gateway: Gateway) {
        wait_until("the backlog is sent", DRAIN_PATIENCE, || gateway.backlog() <= 2);
        gateway.stop();
        let lake = self.data().join("lake");
        check_lake(&lake);
        let aggregates = self.subscriber.stream("aggregates");
        for (stream, messages) in
            [("aggregates", &aggregates), ("events", &self.subscriber.stream("events"))]
        {
            let told = delivery(messages);
            println!("{stream}: {told}");
            assert!(told.wrong.is_empty(), "{stream}: {:#?}", told.wrong);
        }
        assert_every_window_once(&lake, &aggregates);
    }
}

/// Every window in the lake has come under one sequence number; those of the last moments, which
/// the stop has left in the outbox, may be missing.
fn assert_every_window_once(lake: &Path, messages: &[Message]) {
    let text = |json: &serde_json::Value, key: &str| json[key].as_str().unwrap().to_owned();
    let windows: BTreeSet<(u64, String, String, String)> = messages
        .iter()
        .map(Message::json)
        .map(|json| {
            let (start, window) = (text(&json, "window_start"), text(&json, "window"));
            (json["seq"].as_u64().unwrap(), text(&json, "table"), window, start)
        })
        .collect();
    let distinct: BTreeSet<_> = windows.iter().map(|(_, table, w, s)| (table, w, s)).collect();
    assert_eq!(distinct.len(), windows.len(), "a window was sent under two sequence numbers");
    let kept: f64 = ["1s", "10s"]
        .map(|window| {
            let sql = format!(
                "SELECT count(DISTINCT (\"table\", window_start)) FROM \"_aggregates_{window}\""
            );
            duckdb(lake, &sql)[0][0].as_f64().unwrap()
        })
        .iter()
        .sum();
    println!("{kept} windows in the lake, {} received", distinct.len());
    #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
    let missing = kept - distinct.len() as f64;
    assert!((0.0..=12.0).contains(&missing), "{missing} windows were never sent");
}

#[test]
fn a_minute_without_a_broker_loses_nothing_and_changes_no_order() {
    let mut bench = Bench::new();
    let gateway = bench.gateway();
    bench.wait_for_messages(10);
    let waited = bench.outage(&gateway, Duration::from_mins(1));
    println!("{waited} messages waited for the broker");
    assert!(waited >= 60, "only {waited} messages waited: the test shows nothing");
    bench.finish(gateway);
}

#[test]
fn a_gateway_killed_while_it_drains_sends_the_rest_when_it_is_back() {
    let mut bench = Bench::new();
    let gateway = bench.gateway();
    bench.wait_for_messages(10);
    // On a busy machine the drain can be over before anybody looks: then once more.
    let (mut waited, mut left) = (0, 0);
    for _ in 0..3 {
        waited = bench.outage(&gateway, Duration::from_secs(30));
        wait_until("half of the backlog is sent", DRAIN_PATIENCE, || {
            gateway.backlog() <= waited * 2 / 3
        });
        left = gateway.backlog();
        if left > 0 && waited > 20 {
            break;
        }
    }
    gateway.kill();
    println!("{waited} messages waited, killed with {left} left");
    assert!(left > 0 && waited > 20, "{left} of {waited} left: the test shows nothing");
    let gateway = bench.gateway();
    bench.finish(gateway);
}
