//! Units on one line that answer in order, as late and as often as they are told to.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, sleep_until};

use super::frame;

/// What a unit does with one request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Answers so many milliseconds after it was asked and done with what came before.
    Answer(u64),
    /// The same, twice in a row.
    Twice(u64),
    /// Refuses after so many milliseconds.
    Refuse(u64),
    /// Answers damaged.
    Damage(u64),
    Drop,
}

/// The devices of a line. Words of an answer are the number of the request they answer.
pub(super) struct Devices {
    pub(super) acts: Vec<Act>,
    /// Whether they know function 8; without it they are silent to it.
    pub(super) has_echo: bool,
    /// Requests as they came.
    pub(super) log: Mutex<Vec<[u8; 8]>>,
}

impl Devices {
    pub(super) fn new(acts: Vec<Act>, has_echo: bool) -> Self {
        Self { acts, has_echo, log: Mutex::default() }
    }

    /// Answers what comes on the line, for ever.
    pub(super) async fn serve(&self, far: &mut DuplexStream) {
        let (mut requests, mut answers) = tokio::io::split(far);
        let mut free: BTreeMap<u8, Instant> = BTreeMap::new();
        let mut queue: BTreeMap<(Instant, usize), Vec<u8>> = BTreeMap::new();
        let mut request = [0; 8];
        let mut filled = 0;
        loop {
            let next = queue.first_key_value().map(|(key, _)| *key);
            let far_off = Instant::now() + Duration::from_hours(1);
            tokio::select! {
                biased;
                () = sleep_until(next.map_or(far_off, |next| next.0)) => {
                    if let Some(bytes) = next.and_then(|next| queue.remove(&next)) {
                        answers.write_all(&bytes).await.unwrap();
                    }
                }
                came = requests.read(&mut request[filled..]) => {
                    filled += came.unwrap();
                    if filled < request.len() {
                        continue;
                    }
                    filled = 0;
                    let seq = self.log.lock().unwrap().len();
                    self.log.lock().unwrap().push(request);
                    if let Some((after, bytes)) = self.answer(seq, request) {
                        let begin = free.get(&request[0]).copied().unwrap_or(Instant::now());
                        let at = begin.max(Instant::now()) + after;
                        free.insert(request[0], at);
                        queue.insert((at, seq), bytes);
                    }
                }
            }
        }
    }

    fn answer(&self, seq: usize, request: [u8; 8]) -> Option<(Duration, Vec<u8>)> {
        let [unit, function, .., count, _, _] = request;
        if function == 8 && !self.has_echo {
            return None;
        }
        let words = u16::try_from(seq).unwrap().to_be_bytes().repeat(count.into());
        let data = frame(&[&[unit, function, 2 * count], words.as_slice()].concat());
        let right = if function == 8 { request.to_vec() } else { data };
        let (millis, bytes) = match self.acts[seq % self.acts.len()] {
            Act::Drop => return None,
            Act::Answer(millis) => (millis, right),
            Act::Twice(millis) => (millis, right.repeat(2)),
            Act::Refuse(millis) => (millis, frame(&[unit, function | 0x80, 4])),
            Act::Damage(millis) => {
                let mut damaged = right;
                let middle = damaged.len() / 2;
                damaged[middle] ^= 0x10;
                (millis, damaged)
            }
        };
        Some((Duration::from_millis(millis), bytes))
    }
}
