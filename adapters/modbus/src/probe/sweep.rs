//! A sweep: a range of registers read in blocks, with what the device lacks found on the way.
//!
//! Pure: it says what to read next and takes the answers.
//! P-1 A sweep ends: a refused block is halved until it is one register, and the number of
//! requests is bounded.

use crate::area::{Address, Area};
use crate::scan::Read;
use crate::wire::Fault;

/// Registers that stand together and could be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Run {
    /// First of them.
    pub start: Address,
    /// What they hold; a bit is a word of 0 or 1.
    pub words: Vec<u16>,
}

/// A range that is being read.
#[derive(Debug)]
pub struct Sweep {
    area: Area,
    /// First address and count, the next one last.
    wanted: Vec<(u16, u32)>,
    count_max: u16,
    requests_left: u32,
    runs: Vec<Run>,
    holes: u32,
}

impl Sweep {
    /// A sweep over `count` addresses, at most `count_max` at once, in at most `requests_max`
    /// requests. What lies behind address 65535 is left out.
    #[must_use]
    pub fn new(start: Address, count: u32, count_max: u16, requests_max: u32) -> Self {
        let count = count.min((1 << 16) - u32::from(start.offset));
        Self {
            area: start.area,
            wanted: vec![(start.offset, count)],
            count_max: count_max.max(1),
            requests_left: requests_max,
            runs: Vec::new(),
            holes: 0,
        }
    }

    /// What to read next; `None` when everything was read, or too much was asked.
    #[must_use]
    pub fn next(&self) -> Option<Read> {
        let (start, count) = self.wanted.last().copied().filter(|(_, count)| *count > 0)?;
        let count = u16::try_from(count).unwrap_or(u16::MAX).min(self.count_max);
        (self.requests_left > 0).then_some(Read { area: self.area, start, count })
    }

    /// Takes the answer to [`Sweep::next`]. A fault that is no refusal ends the sweep.
    pub fn answer(&mut self, words: Result<&[u16], Fault>) {
        let Some(read) = self.next() else { return };
        self.requests_left -= 1;
        match words {
            Ok(words) => {
                self.advance(read.count);
                self.keep(read, words);
            }
            // The area itself is not there.
            Err(Fault::Exception(1)) => {
                self.holes += self.left();
                self.wanted.clear();
            }
            Err(Fault::Exception(code)) if read.count > 1 => {
                let half = read.count / 2;
                if code == 3 {
                    self.count_max = half;
                }
                self.advance(read.count);
                self.push(u32::from(read.start) + u32::from(half), read.count - half);
                self.push(read.start.into(), half);
            }
            Err(Fault::Exception(_)) => {
                self.advance(1);
                self.holes += 1;
            }
            Err(_) => self.requests_left = 0,
        }
    }

    /// Addresses that were not asked for.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.wanted.iter().map(|(_, count)| count).sum()
    }

    /// Addresses that the device does not have.
    #[must_use]
    pub fn holes(&self) -> u32 {
        self.holes
    }

    /// What was read so far, in the order of addresses.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Takes `count` addresses off what is wanted next.
    fn advance(&mut self, count: u16) {
        let Some((start, left)) = self.wanted.pop() else { return };
        let end = u32::from(start) + u32::from(count);
        if left > u32::from(count)
            && let Ok(start) = u16::try_from(end)
        {
            self.wanted.push((start, left - u32::from(count)));
        }
    }

    fn push(&mut self, start: u32, count: u16) {
        if let Ok(start) = u16::try_from(start) {
            self.wanted.push((start, count.into()));
        }
    }

    fn keep(&mut self, read: Read, words: &[u16]) {
        let follows = |run: &&mut Run| {
            let end = usize::from(run.start.offset) + run.words.len();
            end == usize::from(read.start)
        };
        if let Some(run) = self.runs.last_mut().filter(follows) {
            run.words.extend_from_slice(words);
        } else {
            let start = Address { area: read.area, offset: read.start };
            self.runs.push(Run { start, words: words.to_vec() });
        }
    }
}
