//! A broker that does what a test says: as much of MQTT 3.1.1 as an uplink meets.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How a broker treats a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Habit {
    /// Acknowledges everything at once.
    Kind,
    /// After so many messages leaves the last ones unacknowledged and closes.
    Cuts { messages: usize, unacknowledged: usize },
    /// Acknowledges in groups, the newest first.
    Backwards { group: usize },
    /// Acknowledges everything twice.
    Twice,
    /// Takes the connection and never says a word.
    Mute,
    /// Accepts the client and then never says a word.
    MuteAfterConnect,
    /// Accepts the client, answers pings and acknowledges nothing but the status.
    Hoards,
    /// Refuses the client with this code.
    Refuses(u8),
    /// Closes over this message of `aggregates`, and acknowledges everything else.
    ChokesOn(u64),
    /// Closes over every message but the status.
    ChokesOnAll,
    /// Acknowledges the first message of `aggregates` of a connection, then says this and nothing
    /// more.
    Babbles(&'static [u8]),
    /// Answers CONNECT with this.
    Greets(&'static [u8]),
    /// Acknowledges the status and closes a moment later, whatever is on its way.
    Kicks,
}

/// A message that has arrived.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrival {
    pub(super) connection: usize,
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) is_retained: bool,
}

/// What a broker has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) arrivals: Vec<Arrival>,
    pub(super) wills: Vec<Vec<u8>>,
    pub(super) goodbyes: usize,
}

impl Habit {
    /// Whether it closes the connection over this message.
    fn ends_over(self, arrival: &Arrival) -> bool {
        let is_status = arrival.topic.ends_with("/status");
        let chokes = matches!(self, Self::ChokesOn(seq) if is_seq(arrival, seq));
        chokes || !is_status && matches!(self, Self::ChokesOnAll | Self::Kicks)
    }
}

pub(super) struct Broker {
    pub(super) port: u16,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

impl Broker {
    /// A broker on a free port; the last habit goes for all further connections.
    pub(super) fn start(habits: &[Habit]) -> Self {
        Self::start_at(0, habits)
    }

    /// A broker on this port.
    pub(super) fn start_at(port: u16, habits: &[Habit]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<(Mutex<Seen>, Condvar)> = Arc::default();
        let (habits, shared) = (habits.to_vec(), Arc::clone(&seen));
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let habit = habits[connection.min(habits.len() - 1)];
                let shared = Arc::clone(&shared);
                // A connection that breaks is what these tests are about.
                std::thread::spawn(move || {
                    drop(serve(&mut stream.unwrap(), habit, connection, &shared));
                });
            }
        });
        Self { port, seen }
    }

    /// Waits until what was seen satisfies `wanted`.
    pub(super) fn wait_until(&self, what: &str, wanted: impl Fn(&Seen) -> bool) {
        let until = Instant::now() + Duration::from_secs(20);
        let mut seen = self.seen.0.lock().unwrap();
        while !wanted(&seen) {
            let rest = until.checked_duration_since(Instant::now());
            let rest = rest.unwrap_or_else(|| panic!("waited too long for {what}"));
            seen = self.seen.1.wait_timeout(seen, rest).unwrap().0;
        }
    }

    /// What has arrived on topics that end in `stream`.
    pub(super) fn arrivals(&self, stream: &str) -> Vec<Arrival> {
        let seen = self.seen.0.lock().unwrap();
        seen.arrivals.iter().filter(|arrival| arrival.topic.ends_with(stream)).cloned().collect()
    }

    pub(super) fn wills(&self) -> Vec<Vec<u8>> {
        self.seen.0.lock().unwrap().wills.clone()
    }
}

#[expect(clippy::too_many_lines, reason = "habits of brokers, side by side")]
fn serve(
    stream: &mut TcpStream,
    habit: Habit,
    connection: usize,
    seen: &(Mutex<Seen>, Condvar),
) -> io::Result<()> {
    let note = |change: &mut dyn FnMut(&mut Seen)| {
        change(&mut seen.0.lock().unwrap());
        seen.1.notify_all();
    };
    stream.set_nodelay(true)?;
    let mut messages = 0;
    let mut held: Vec<u16> = Vec::new();
    loop {
        // Whatever is left of a group is acknowledged when nothing more comes.
        if matches!(habit, Habit::Backwards { .. }) && is_idle(stream)? {
            acknowledge(stream, &mut held)?;
            continue;
        }
        let (kind, body) = packet(stream)?;
        match (kind >> 4, habit) {
            (_, Habit::Mute) => {}
            (1, Habit::Greets(bytes)) => stream.write_all(bytes)?,
            (1, Habit::Refuses(code)) => stream.write_all(&[0x20, 2, 0, code])?,
            (1, _) => {
                note(&mut |seen| seen.wills.push(will(&body)));
                stream.write_all(&[0x20, 2, 0, 0])?;
            }
            (_, Habit::MuteAfterConnect) => {}
            (3, _) => {
                let (topic, id, payload) = publish(&body);
                let is_retained = kind & 1 == 1;
                let is_status = topic.ends_with("/status");
                let arrival = Arrival { connection, topic, payload, is_retained };
                note(&mut |seen| seen.arrivals.push(arrival.clone()));
                messages += usize::from(!is_status);
                if habit.ends_over(&arrival) {
                    return leave(stream);
                }
                match habit {
                    Habit::Cuts { messages: max, unacknowledged } => {
                        if is_status || messages <= max - unacknowledged {
                            stream.write_all(&puback(id))?;
                        } else if messages == max {
                            return Ok(());
                        }
                    }
                    Habit::Backwards { group } => {
                        held.insert(0, id);
                        if held.len() >= group {
                            acknowledge(stream, &mut held)?;
                        }
                    }
                    Habit::Twice => stream.write_all(&[puback(id), puback(id)].concat())?,
                    Habit::Hoards if !is_status => {}
                    Habit::Babbles(bytes) if messages == 1 && !is_status => {
                        stream.write_all(&[&puback(id), bytes].concat())?;
                    }
                    Habit::Babbles(_) if messages > 1 => {}
                    Habit::Kicks => {
                        stream.write_all(&puback(id))?;
                        return leave(stream);
                    }
                    Habit::Kind
                    | Habit::Hoards
                    | Habit::Babbles(_)
                    | Habit::Greets(_)
                    | Habit::Mute
                    | Habit::MuteAfterConnect
                    | Habit::ChokesOn(_)
                    | Habit::ChokesOnAll
                    | Habit::Refuses(_) => stream.write_all(&puback(id))?,
                }
            }
            (12, _) => stream.write_all(&[0xD0, 0])?,
            (14, _) => {
                note(&mut |seen| seen.goodbyes += 1);
                return Ok(());
            }
            (other, _) => panic!("packet of kind {other}"),
        }
    }
}

/// Closes so that what was acknowledged arrives: a socket that is dropped with bytes unread resets
/// the connection, and the peer then loses what it had not read yet.
fn leave(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    io::copy(stream, &mut io::sink())?;
    Ok(())
}

fn is_seq(arrival: &Arrival, seq: u64) -> bool {
    let text = String::from_utf8_lossy(&arrival.payload);
    arrival.topic.ends_with("/aggregates") && text.contains(&format!("\"seq\":{seq},"))
}

/// Whether nothing comes for a moment.
fn is_idle(stream: &TcpStream) -> io::Result<bool> {
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    let is_idle = matches!(stream.peek(&mut [0]), Err(err) if is_timeout(&err));
    stream.set_read_timeout(None)?;
    Ok(is_idle)
}

fn is_timeout(err: &io::Error) -> bool {
    matches!(err.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn acknowledge(stream: &mut TcpStream, held: &mut Vec<u16>) -> io::Result<()> {
    held.drain(..).try_for_each(|id| stream.write_all(&puback(id)))
}

fn puback(id: u16) -> [u8; 4] {
    let [high, low] = id.to_be_bytes();
    [0x40, 2, high, low]
}

/// First byte and body of the next packet.
fn packet(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let kind = byte[0];
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        stream.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7F) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((kind, body))
}

/// A field with its length in front, and what follows.
fn field(bytes: &[u8]) -> (&[u8], &[u8]) {
    let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    bytes[2..].split_at(length)
}

fn publish(body: &[u8]) -> (String, u16, Vec<u8>) {
    let (topic, rest) = field(body);
    let id = u16::from_be_bytes([rest[0], rest[1]]);
    (String::from_utf8(topic.to_vec()).unwrap(), id, rest[2..].to_vec())
}

/// The payload of the last will in a CONNECT.
fn will(body: &[u8]) -> Vec<u8> {
    let (protocol, rest) = field(body);
    assert_eq!((protocol, rest[0]), (&b"MQTT"[..], 4), "MQTT 3.1.1");
    let flags = rest[1];
    assert_eq!(flags & 0b0010_0110, 0b0010_0110, "clean session and a retained will");
    let (_client_id, rest) = field(&rest[4..]);
    let (_topic, rest) = field(rest);
    field(rest).0.to_vec()
}
