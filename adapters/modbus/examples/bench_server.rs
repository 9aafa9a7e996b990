//! A Modbus TCP server that costs next to nothing, with a journal of what it was asked.
//!
//! Prints its port, then obeys lines on its standard input: `begin` clears the journal, `end`
//! prints it as one line of JSON. Every unit has all 65,536 holding registers; register `a` of
//! unit `u` holds `a × 7 + u × 257`, modulo 65,536. One thread a connection, blocking, no
//! allocation while it serves.

use std::collections::HashMap;
use std::io::{BufRead as _, Read as _, Write as _, stdin, stdout};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::json;

/// Requests taken from the operating system at once.
const CHUNK: usize = 64 * 12;
/// A read request: header of 7 bytes, function, start, count.
const REQUEST: usize = 12;
/// Intervals kept between `begin` and `end`; what comes after is counted, not timed.
const INTERVALS_MAX: usize = 4_000_000;
/// The inverse of 7 modulo 65,536.
const SEVENTH: usize = 28_087;

/// What was asked since `begin`.
#[derive(Default)]
struct Journal {
    requests: u64,
    registers: u64,
    refused: u64,
    connections: u64,
    /// When each block was asked for last, by unit and first register.
    last: HashMap<(u8, u16), Instant>,
    intervals_us: Vec<u32>,
}

fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    writeln!(stdout(), "{}", listener.local_addr()?.port())?;
    let journal = Arc::new(Mutex::new(Journal::default()));
    let noted = Arc::clone(&journal);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let noted = Arc::clone(&noted);
            std::thread::spawn(move || serve(stream, &noted));
        }
    });
    for line in stdin().lock().lines() {
        let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        match line?.as_str() {
            "begin" => journal.clear(),
            _ => writeln!(stdout(), "{}", journal.told())?,
        }
    }
    Ok(())
}

/// Answers one client until it goes.
fn serve(mut stream: TcpStream, journal: &Mutex<Journal>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let image = image();
    let mut inbox = Vec::with_capacity(2 * CHUNK);
    let mut outbox = Vec::with_capacity(64 * 260);
    let mut chunk = [0; CHUNK];
    journal.lock().unwrap_or_else(PoisonError::into_inner).connections += 1;
    loop {
        let taken = stream.read(&mut chunk)?;
        if taken == 0 {
            return Ok(());
        }
        inbox.extend_from_slice(chunk.get(..taken).unwrap_or_default());
        let whole = inbox.len() / REQUEST * REQUEST;
        let now = Instant::now();
        outbox.clear();
        {
            let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
            for request in inbox.get(..whole).unwrap_or_default().chunks_exact(REQUEST) {
                journal.note(answer(request, &image, &mut outbox), now);
            }
        }
        inbox.drain(..whole);
        stream.write_all(&outbox)?;
    }
}

/// The registers of unit 0, twice over: those of any other unit begin somewhere in the first half,
/// because 7 and 65,536 have no common divisor.
fn image() -> Vec<u8> {
    let word = |address: u32| u16::try_from(address * 7 % 65_536).unwrap_or_default();
    (0..2 * 65_536).flat_map(|address| word(address).to_be_bytes()).collect()
}

/// Where in the image the registers of a unit begin: `beginning × 7` is `unit × 257` modulo 65,536.
fn beginning(unit: u8) -> usize {
    usize::from(unit) * 257 * SEVENTH % 65_536
}

/// Appends the answer; returns unit, first register and count, or `None` when it is a refusal.
fn answer(request: &[u8], image: &[u8], outbox: &mut Vec<u8>) -> Option<(u8, u16, u16)> {
    let &[id_high, id_low, 0, 0, 0, 6, unit, function, s1, s0, c1, c0] = request else {
        return None;
    };
    let (start, count) = (u16::from_be_bytes([s1, s0]), u16::from_be_bytes([c1, c0]));
    let first = 2 * (beginning(unit) + usize::from(start));
    let registers = image.get(first..first + 2 * usize::from(count));
    let bytes = u8::try_from(2 * count).ok().filter(|bytes| (2..=250).contains(bytes));
    if let (3, Some(registers), Some(bytes)) = (function, registers, bytes) {
        outbox.extend_from_slice(&[id_high, id_low, 0, 0, 0, bytes + 3, unit, 3, bytes]);
        outbox.extend_from_slice(registers);
        return Some((unit, start, count));
    }
    outbox.extend_from_slice(&[id_high, id_low, 0, 0, 0, 3, unit, function | 0x80, 2]);
    None
}

impl Journal {
    fn clear(&mut self) {
        let connections = self.connections;
        *self = Self { connections, ..Self::default() };
    }

    fn note(&mut self, asked: Option<(u8, u16, u16)>, now: Instant) {
        let Some((unit, start, count)) = asked else {
            self.refused += 1;
            return;
        };
        self.requests += 1;
        self.registers += u64::from(count);
        let before = self.last.insert((unit, start), now);
        if let Some(before) = before.filter(|_| self.intervals_us.len() < INTERVALS_MAX) {
            let micros = now.duration_since(before).as_micros();
            self.intervals_us.push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
    }

    fn told(&mut self) -> serde_json::Value {
        self.intervals_us.sort_unstable();
        let all = self.intervals_us.len();
        let quantile = |share: usize| self.intervals_us.get(all * share / 1000).copied();
        json!({
            "requests": self.requests, "registers": self.registers, "refused": self.refused,
            "connections": self.connections, "blocks": self.last.len(), "intervals": all,
            "p50_us": quantile(500), "p99_us": quantile(990), "max_us": self.intervals_us.last(),
        })
    }
}
