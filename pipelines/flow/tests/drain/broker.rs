//! mosquitto, and a subscriber that notes what came when.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};

use crate::outages::wait_until;

pub(crate) struct Mosquitto {
    folder: PathBuf,
    pub(crate) port: u16,
    child: Child,
}

impl Mosquitto {
    pub(crate) fn start(folder: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n\
             persistence_location {}/\nmax_queued_messages 0\nmax_inflight_messages 0\nuser root\n\
             log_type error\n",
            folder.display()
        );
        fs::write(folder.join("mosquitto.conf"), config).unwrap();
        Self { folder: folder.to_owned(), port, child: run(folder, port) }
    }

    /// Ends it as an operator does, sessions saved, and starts it again.
    pub(crate) fn restart(&mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap();
        self.child = run(&self.folder, self.port);
    }
}

fn run(folder: &Path, port: u16) -> Child {
    let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];
    let program = program.into_iter().find(|path| Path::new(path).is_file());
    let child = Command::new(program.unwrap_or("mosquitto"))
        .arg("-c")
        .arg(folder.join("mosquitto.conf"))
        .stdin(Stdio::null())
        .spawn()
        .expect("mosquitto can be run; tests/run installs it");
    wait_until("mosquitto answers", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    child
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a subscriber has got of `aggregates`.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// By `seq`: when it first came, how long after it was made, and a checksum of its bytes.
    pub(crate) first: BTreeMap<u64, (Instant, Duration, u32)>,
    /// How many of those have a `seq` below `mark`.
    pub(crate) below: u64,
    mark: u64,
    pub(crate) again: usize,
    pub(crate) differing: usize,
    all: Vec<Instant>,
}

impl Seen {
    /// The most messages in any so many seconds, those that came again included.
    pub(crate) fn most_within(&self, seconds: u64) -> usize {
        let span = Duration::from_secs(seconds);
        let (mut from, mut most) = (0, 0);
        for (place, at) in self.all.iter().enumerate() {
            while *at - self.all[from] >= span {
                from += 1;
            }
            most = most.max(place - from + 1);
        }
        most
    }

    /// How long after they were made the messages from `head` on came, in order.
    pub(crate) fn live_latencies(&self, head: u64) -> Vec<Duration> {
        let mut took: Vec<_> = self.first.range(head..).map(|(_, (_, took, _))| *took).collect();
        took.sort();
        took
    }
}

/// A subscriber whose session the broker keeps.
pub(crate) struct Subscriber {
    seen: Arc<Mutex<Seen>>,
    client: Client,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Subscriber {
    pub(crate) fn start(port: u16) -> Self {
        let mut options = MqttOptions::new("subscriber", "127.0.0.1", port);
        options.set_clean_session(false).set_keep_alive(Duration::from_secs(5));
        options.set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut connection) = Client::new(options, 64);
        let (seen, ends) = (Arc::<Mutex<Seen>>::default(), Arc::new(AtomicBool::new(false)));
        let ready = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (seen, ends, client) = (Arc::clone(&seen), Arc::clone(&ends), client.clone());
            let ready = Arc::clone(&ready);
            move || {
                for event in connection.iter() {
                    match event {
                        Ok(Event::Incoming(Packet::ConnAck(_))) => {
                            drop(client.try_subscribe("fieldgate/v1/#", QoS::AtLeastOnce));
                        }
                        Ok(Event::Incoming(Packet::SubAck(_))) => {
                            ready.store(true, Ordering::SeqCst);
                        }
                        Ok(Event::Incoming(Packet::Publish(publish))) => {
                            if publish.topic.ends_with("/aggregates") {
                                note(&mut seen.lock().unwrap(), &publish.payload);
                            }
                        }
                        Ok(_) => {}
                        Err(_) => std::thread::sleep(Duration::from_millis(20)),
                    }
                    if ends.load(Ordering::SeqCst) {
                        return;
                    }
                }
            }
        });
        wait_until("the subscription", || ready.load(Ordering::SeqCst));
        Self { seen, client, ends, thread: Some(thread) }
    }

    /// Counts what is below `mark` from now on.
    pub(crate) fn mark(&self, mark: u64) {
        let mut seen = self.seen.lock().unwrap();
        seen.mark = mark;
        seen.below = seen.first.range(..mark).count() as u64;
    }

    /// How many of the marked ones have come, and of all.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let seen = self.seen.lock().unwrap();
        (seen.below, seen.first.len() as u64)
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

fn note(seen: &mut Seen, payload: &[u8]) {
    let json: serde_json::Value = serde_json::from_slice(payload).expect("messages are JSON");
    let (seq, made) = (json["seq"].as_u64().unwrap(), json["made_us"].as_u64().unwrap());
    let took = Duration::from_micros(crate::child::now_us().saturating_sub(made));
    let (now, crc) = (Instant::now(), crc32fast::hash(payload));
    seen.all.push(now);
    if let Some((_, _, known)) = seen.first.get(&seq) {
        seen.again += 1;
        seen.differing += usize::from(*known != crc);
    } else {
        seen.below += u64::from(seq < seen.mark);
        seen.first.insert(seq, (now, took, crc));
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        drop(self.client.try_disconnect());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
