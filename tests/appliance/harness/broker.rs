//! A real MQTT broker and a subscriber that keeps what it got.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use serde_json::Value;

use super::{Ending, free_port, signal, text, wait_until};

/// Longest message the contract allows, and room for its header.
const PACKET_BYTES_MAX: usize = 256 * 1024;

/// mosquitto with a session store: what it has acknowledged it delivers, also after a restart.
pub(crate) struct Mosquitto {
    folder: PathBuf,
    /// Its port, the same after a restart.
    pub(crate) port: u16,
    /// Further lines of its configuration.
    lines: Vec<String>,
    child: Option<Ending>,
}

impl Mosquitto {
    /// A broker on a free port of loopback that keeps its sessions in `folder`.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::with(folder, Vec::new())
    }

    /// The same with more lines in its configuration: further listeners, limits.
    pub(crate) fn with(folder: &Path, lines: Vec<String>) -> Self {
        let port = free_port();
        let mut broker = Self { folder: folder.to_owned(), port, lines, child: None };
        broker.start_again();
        broker
    }

    /// Starts on the same port with the same sessions.
    pub(crate) fn start_again(&mut self) {
        let config = self.folder.join("mosquitto.conf");
        let mut lines = vec![
            format!("listener {} 127.0.0.1", self.port),
            "allow_anonymous true".to_owned(),
            "persistence true".to_owned(),
            format!("persistence_location {}/", text(&self.folder)),
            "max_queued_messages 0".to_owned(),
            "user root".to_owned(),
            "log_type error".to_owned(),
        ];
        lines.extend(self.lines.iter().cloned());
        fs::write(&config, lines.join("\n")).expect("a temporary folder can be written");
        let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];
        let program = program.into_iter().find(|path| Path::new(path).is_file());
        let child = Command::new(program.unwrap_or("mosquitto"))
            .args(["-c", text(&config)])
            .stdin(Stdio::null())
            .spawn()
            .expect("mosquitto can be run; tests/run installs it");
        self.child = Some(Ending(child));
        let port = self.port;
        wait_until("mosquitto answers", Duration::from_secs(10), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
    }

    /// Stops it as an operator does: sessions are saved.
    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().expect("it runs");
        signal(&child.0, "TERM");
        wait_until("mosquitto stops", Duration::from_secs(10), || {
            child.0.try_wait().unwrap().is_some()
        });
    }
}

/// One message as it came.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Its topic.
    pub(crate) topic: String,
    /// Its bytes.
    pub(crate) payload: Vec<u8>,
}

impl Message {
    /// The payload as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap_or_else(|err| {
            panic!("{}: {err}: {}", self.topic, String::from_utf8_lossy(&self.payload))
        })
    }
}

/// A subscriber with a session of its own that connects again until it is dropped.
pub(crate) struct Subscriber {
    messages: Arc<Mutex<Vec<Message>>>,
    client: Client,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Subscriber {
    /// Subscribes to everything below `fieldgate/v1` with `QoS` 1.
    pub(crate) fn start(port: u16) -> Self {
        let mut options = MqttOptions::new(format!("subscriber-{port}"), "127.0.0.1", port);
        options.set_clean_session(false);
        options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        options.set_keep_alive(Duration::from_secs(5));
        let (client, mut connection) = Client::new(options, 64);
        let messages: Arc<Mutex<Vec<Message>>> = Arc::default();
        let (stop, stopped) = channel::<()>();
        let (kept, subscriber) = (Arc::clone(&messages), client.clone());
        let ready = Arc::new(Mutex::new(false));
        let is_ready = Arc::clone(&ready);
        let thread = std::thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        drop(subscriber.try_subscribe("fieldgate/v1/#", QoS::AtLeastOnce));
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => *is_ready.lock().unwrap() = true,
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let payload = publish.payload.to_vec();
                        kept.lock().unwrap().push(Message { topic: publish.topic, payload });
                    }
                    Ok(_) => {}
                    // No broker at the moment: waits a little unless told to stop.
                    Err(_) => drop(stopped.recv_timeout(Duration::from_millis(100))),
                }
                if matches!(
                    stopped.try_recv(),
                    Ok(()) | Err(std::sync::mpsc::TryRecvError::Disconnected)
                ) {
                    return;
                }
            }
        });
        wait_until("the subscription", Duration::from_secs(10), || *ready.lock().unwrap());
        Self { messages, client, stop: Some(stop), thread: Some(thread) }
    }

    /// All messages so far, in the order in which they came.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }

    /// Messages of one stream, in the order in which they came.
    pub(crate) fn stream(&self, stream: &str) -> Vec<Message> {
        let end = format!("/{stream}");
        self.messages().into_iter().filter(|message| message.topic.ends_with(&end)).collect()
    }

    /// Messages of one stream; listens no longer. Where this broker was, another may be soon.
    pub(crate) fn end(self, stream: &str) -> Vec<Message> {
        self.stream(stream)
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.client.try_disconnect());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// What a stream's delivery was like.
#[derive(Default)]
pub(crate) struct Delivery {
    /// Messages as they came.
    pub(crate) received: usize,
    /// Of these, how many came again.
    pub(crate) duplicates: usize,
    /// Of the different ones, how many say that they waited.
    pub(crate) backlog: usize,
    /// First and last sequence number.
    pub(crate) seqs: (u64, u64),
    /// What contradicts "at least once, in order, byte-identical".
    pub(crate) wrong: Vec<String>,
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.seqs;
        let Self { received, duplicates, backlog, .. } = self;
        write!(f, "{received} received, {duplicates} twice, {backlog} late, seq {first}..={last}")
    }
}

/// What tells two messages apart at a glance.
fn beginning(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).chars().take(260).collect()
}

/// Holds the messages of one stream against the contract.
pub(crate) fn delivery(messages: &[Message]) -> Delivery {
    let mut known: BTreeMap<u64, &[u8]> = BTreeMap::new();
    let mut told = Delivery { received: messages.len(), ..Delivery::default() };
    let mut gateways = BTreeSet::new();
    for message in messages {
        let json = message.json();
        let seq = json["seq"].as_u64().expect("every message has a seq");
        gateways.insert(json["gateway"].to_string());
        if let Some(before) = known.get(&seq) {
            told.duplicates += 1;
            if *before != message.payload {
                let [before, again] = [*before, &message.payload].map(beginning);
                told.wrong.push(format!("seq {seq} came again with other bytes: {before} {again}"));
            }
            continue;
        }
        if let Some((&last, _)) = known.last_key_value().filter(|(last, _)| seq < **last) {
            told.wrong.push(format!("seq {seq} came first after {last}"));
        }
        told.backlog += usize::from(json["backlog"] == true);
        known.insert(seq, &message.payload);
    }
    let ends = known.first_key_value().zip(known.last_key_value());
    told.seqs = ends.map_or((0, 0), |((first, _), (last, _))| (*first, *last));
    let missing = (told.seqs.0..=told.seqs.1).filter(|seq| !known.contains_key(seq));
    told.wrong.extend(missing.map(|seq| format!("seq {seq} never came")));
    if gateways.len() > 1 {
        told.wrong.push(format!("messages of several gateways: {gateways:?}"));
    }
    told
}

#[cfg(test)]
mod tests;
