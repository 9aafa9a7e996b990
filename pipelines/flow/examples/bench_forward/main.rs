//! One side of the forwarding bench (`tests/bench/forward`): fills an outbox, or drains one into a
//! broker, with the uplink as it ships or with rumqttc alone.
//!
//! `bench_forward fill DIR MESSAGES` · `drain DIR PORT` · `bare DIR PORT`

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pipelines_flow::codec::{BatchCodec, EnvelopeCodec};
use pipelines_flow::disk::RealDisk;
use pipelines_flow::event_log::EventLog;
use pipelines_flow::tables::TableStore;
use pipelines_flow::uplink::{Files, Link, Logs, MqttSettings, MqttUplink, Outbox, Uplink};
use pipelines_flow::{Log, LogOptions};
use rumqttc::{AsyncClient, Event, MqttOptions, NetworkOptions, Packet, QoS};
use signals::{Clock, ClockState, Disk, Envelope, Offset, Stop, Timestamp};

type Failure = Box<dyn Error>;

/// The clocks of the machine.
struct MachineClock(Instant);

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "a bench is outside the gateway")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn state(&self) -> ClockState {
        ClockState::Synced
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(MachineClock(Instant::now()))
}

fn outbox(data: &Path, stream: &str) -> Result<Log<Envelope>, Failure> {
    let options = LogOptions { bytes_max: 1 << 40, ..LogOptions::new(data.join(stream)) };
    Ok(Log::open(options, Arc::new(RealDisk), clock(), Arc::new(EnvelopeCodec))?.0)
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["fill", data, messages] => fill(Path::new(data), messages.parse()?),
        ["drain", data, port] => drain(Path::new(data), port.parse()?),
        ["bare", data, port] => bare(Path::new(data), port.parse()?),
        _ => Err("bench_forward fill DIR MESSAGES | drain DIR PORT | bare DIR PORT".into()),
    }
}

/// Messages as a window of one signal makes them, some 220 bytes.
fn fill(data: &Path, messages: u64) -> Result<(), Failure> {
    let log = outbox(data, "aggregates")?;
    let _held = log.cursor("uplink:main");
    for _ in 0..messages {
        let seq = log.next();
        let payload = format!(
            r#"{{"gateway":"gw-1","stream":"aggregates","seq":{seq},"ts":"2026-01-01T00:00:00.000000Z","window":"10s","table":"pump","signals":{{"speed":{{"count":10,"good":10,"min":0.1,"max":2.5,"mean":1.3,"twa":1.3,"first":0.1,"last":2.5,"stddev":0.7}}}}}}"#
        );
        log.append(Envelope { source: seq, payload: payload.into_bytes() })?;
    }
    log.sync()?;
    log.close();
    Ok(())
}

/// The uplink as it ships, until everything is acknowledged.
fn drain(data: &Path, port: u16) -> Result<(), Failure> {
    let log = outbox(data, "aggregates")?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let tables = Arc::new(TableStore::open(&data.join("tables"), Arc::clone(&disk))?);
    let codec = Arc::new(BatchCodec::new(tables));
    let options = LogOptions::new(data.join("journal"));
    let journal = Log::open(options, Arc::clone(&disk), clock(), codec)?.0;
    let outboxes = vec![Outbox {
        stream: "aggregates".to_owned(),
        log: log.clone(),
        folder: data.join("aggregates"),
        is_urgent: false,
        age_max: None,
    }];
    let (used_today, quarantine) = (data.join("used"), data.join("quarantine"));
    let files = Files { disk, used_today, quarantine };
    let (status, events) = (outbox(data, "status")?, EventLog::new(journal));
    let logs = Logs { outboxes, status, events, files };
    let settings = MqttSettings::new("main", "gw-1", "127.0.0.1", port);
    let uplink = MqttUplink::new(settings, logs, Link::new(), clock());
    let stop = Stop::new();
    let thread = std::thread::spawn({
        let stop = stop.clone();
        move || Box::new(uplink).run(&stop)
    });
    let head = log.next();
    while log.cursor("uplink:main").at() < head {
        std::thread::sleep(Duration::from_millis(5));
    }
    stop.raise();
    thread.join().map_err(|_| "the uplink panicked")?;
    Ok(())
}

/// rumqttc alone: its own queue and window, no cursor, nothing on disk but the messages.
fn bare(data: &Path, port: u16) -> Result<(), Failure> {
    let log = outbox(data, "aggregates")?;
    let mut options = MqttOptions::new("bare", "127.0.0.1", port);
    options.set_inflight(20).set_max_packet_size(1 << 20, 1 << 20);
    let (client, mut events) = AsyncClient::new(options, 64);
    // Without it a window waits for the broker's delayed acknowledgement of the one before.
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    let head = log.next();
    let reader = std::thread::spawn(move || {
        let mut at = Offset::START;
        while at < head {
            let Ok(entries) = log.read(at, 256) else { return };
            for entry in entries {
                at = entry.offset.next();
                let payload = entry.record.payload.clone();
                let topic = "fieldgate/v1/gw-1/aggregates";
                let mut sent = client.try_publish(topic, QoS::AtLeastOnce, false, payload.clone());
                while sent.is_err() {
                    std::thread::sleep(Duration::from_micros(100));
                    sent = client.try_publish(topic, QoS::AtLeastOnce, false, payload.clone());
                }
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut acknowledged = 0;
        while acknowledged < head.0 {
            if let Event::Incoming(Packet::PubAck(_)) = events.poll().await? {
                acknowledged += 1;
            }
        }
        Ok::<(), Failure>(())
    })?;
    reader.join().map_err(|_| "the reader panicked")?;
    Ok(())
}
