//! A device on the far end of a stream, with the bad habits of real ones.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use crate::wire::{TcpWire, Wire};

/// What a device does with the next request that writes.
#[derive(Clone, Debug)]
pub(super) enum Habit {
    /// Stores nothing and says yes.
    AckOnly,
    /// Stores another word and says yes.
    Instead(u16),
    /// Stores, and its answer is lost.
    Drop,
    /// Stores nothing, and no answer comes.
    Ignore,
    /// Refuses.
    Refuse(u8),
    /// Stores, and closes the connection without an answer.
    Hang,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) registers: BTreeMap<u16, u16>,
    pub(super) habits: VecDeque<Habit>,
    /// Requests that write, as they came.
    pub(super) writes: Vec<Vec<u8>>,
    pub(super) reads: usize,
    /// Answers nothing any more.
    pub(super) silent: bool,
    pub(super) knows_mask: bool,
}

/// A device; clones are the same.
#[derive(Clone)]
pub(super) struct Device(pub(super) Arc<Mutex<State>>);

impl Device {
    /// Registers from address 0 on.
    pub(super) fn new(registers: &[u16]) -> Self {
        let registers = (0..).zip(registers.iter().copied()).collect();
        Self(Arc::new(Mutex::new(State { registers, knows_mask: true, ..State::default() })))
    }

    pub(super) fn with(self, habit: Habit) -> Self {
        self.0.lock().unwrap().habits.push_back(habit);
        self
    }

    /// A new connection to it.
    #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
    pub(super) fn connect(&self) -> Wire {
        let (near, far) = duplex(4096);
        let state = Arc::clone(&self.0);
        drop(tokio::task::spawn(serve(far, state)));
        Wire::Tcp(TcpWire::new(Box::new(near), 1))
    }

    pub(super) fn register(&self, address: u16) -> u16 {
        self.0.lock().unwrap().registers[&address]
    }

    /// Function codes of the requests that wrote.
    pub(super) fn functions(&self) -> Vec<u8> {
        self.0.lock().unwrap().writes.iter().map(|pdu| pdu[0]).collect()
    }
}

async fn serve(mut stream: DuplexStream, state: Arc<Mutex<State>>) {
    loop {
        let mut head = [0; 7];
        if stream.read_exact(&mut head).await.is_err() {
            return;
        }
        let mut pdu = vec![0; usize::from(u16::from_be_bytes([head[4], head[5]])) - 1];
        stream.read_exact(&mut pdu).await.unwrap();
        let answer = state.lock().unwrap().answer(&pdu);
        let Some(answer) = answer else { return };
        if answer.is_empty() {
            continue;
        }
        let length = u16::try_from(answer.len() + 1).unwrap().to_be_bytes();
        let frame = [&head[..4], &length, &head[6..], &answer].concat();
        stream.write_all(&frame).await.unwrap();
    }
}

impl State {
    /// The answer; empty for none, `None` for a closed connection.
    fn answer(&mut self, pdu: &[u8]) -> Option<Vec<u8>> {
        let at = u16::from_be_bytes([pdu[1], pdu[2]]);
        let word = u16::from_be_bytes([pdu[3], pdu[4]]);
        if matches!(pdu[0], 3) {
            self.reads += 1;
            if self.silent {
                return Some(Vec::new());
            }
            let words = (at..at + word).map(|at| self.registers.get(&at).copied());
            let Some(words) = words.collect::<Option<Vec<u16>>>() else {
                return Some(vec![0x83, 2]);
            };
            let bytes = words.iter().flat_map(|word| word.to_be_bytes());
            return Some(
                [3, u8::try_from(words.len() * 2).unwrap()].into_iter().chain(bytes).collect(),
            );
        }
        self.writes.push(pdu.to_vec());
        if self.silent {
            return Some(Vec::new());
        }
        match self.habits.pop_front() {
            None => {}
            Some(Habit::AckOnly) => return Some(echo(pdu)),
            Some(Habit::Instead(other)) => {
                self.registers.insert(at, other);
                return Some(echo(pdu));
            }
            Some(Habit::Ignore) => return Some(Vec::new()),
            Some(Habit::Refuse(code)) => return Some(vec![pdu[0] | 0x80, code]),
            Some(Habit::Drop) => {
                self.store(at, word, pdu);
                return Some(Vec::new());
            }
            Some(Habit::Hang) => {
                self.store(at, word, pdu);
                return None;
            }
        }
        if pdu[0] == 22 && !self.knows_mask {
            return Some(vec![0x96, 1]);
        }
        self.store(at, word, pdu);
        Some(echo(pdu))
    }

    fn store(&mut self, at: u16, word: u16, pdu: &[u8]) {
        match pdu[0] {
            6 => drop(self.registers.insert(at, word)),
            16 => {
                let words = pdu[6..].chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                self.registers.extend((at..).zip(words));
            }
            22 => {
                let or = u16::from_be_bytes([pdu[5], pdu[6]]);
                let register = self.registers.get_mut(&at).unwrap();
                *register = (*register & word) | (or & !word);
            }
            other => panic!("function {other}"),
        }
    }
}

fn echo(pdu: &[u8]) -> Vec<u8> {
    if pdu[0] == 16 { pdu[..5].to_vec() } else { pdu.to_vec() }
}
