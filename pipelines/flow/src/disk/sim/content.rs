//! A file of the simulated disk: what a reader sees, and what a power cut would leave.

use super::Dice;

/// Sectors are written whole or not, unless the power goes in the middle of one.
const SECTOR: usize = 512;

/// What a crash does to the bytes of a file that were written but not synced.
#[derive(Clone, Copy, Debug)]
pub enum Tear {
    /// All of them are gone.
    Lost,
    /// The first so many survive, at most as many as there are.
    Prefix(usize),
    /// As many survive as were written, but the last ones are zeros: the size reached the disk
    /// before the content did. The number is how many are right.
    Zeroed(usize),
    /// As many survive as were written, but of its sectors only those that the seed picks.
    Scattered(u64),
    /// The first so many survive, with one bit turned over in them, picked by the seed.
    Flipped(usize, u64),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// What is read.
    bytes: Vec<u8>,
    /// What is on the platter. Shorter than `clean`, or different below it, where a sync failed.
    durable: Vec<u8>,
    /// Bytes that a later sync does not write any more.
    clean: usize,
}

impl Content {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn sync(&mut self) {
        self.durable.resize(self.clean, 0);
        self.durable.extend_from_slice(self.bytes.get(self.clean..).unwrap_or_default());
        self.clean = self.bytes.len();
    }

    /// The pages are marked clean although only some have reached the disk.
    pub(super) fn fail_to_sync(&mut self, dice: &mut Dice) {
        self.durable.resize(self.clean, 0);
        let unsynced = self.bytes.get(self.clean..).unwrap_or_default();
        let reached = torn(unsynced, Tear::Prefix(dice.index(unsynced.len() + 1)));
        self.durable.extend_from_slice(&reached);
        self.clean = self.bytes.len();
    }

    pub(super) fn truncate(&mut self, bytes: usize) {
        self.bytes.truncate(bytes);
        self.durable.truncate(bytes);
        self.clean = self.clean.min(bytes);
        self.sync();
    }

    pub(super) fn crash(&mut self, tear: Tear) {
        let unsynced = self.bytes.get(self.clean..).unwrap_or_default();
        let left = torn(unsynced, tear);
        if !left.is_empty() {
            self.durable.resize(self.clean, 0);
            self.durable.extend_from_slice(&left);
        }
        self.bytes.clone_from(&self.durable);
        self.clean = self.bytes.len();
    }

    pub(super) fn crash_at_random(&mut self, dice: &mut Dice) {
        let unsynced = self.bytes.len() - self.clean;
        if unsynced == 0 && self.durable == self.bytes {
            return;
        }
        let some = dice.index(unsynced + 1);
        self.crash(match dice.below(5) {
            0 => Tear::Lost,
            1 => Tear::Prefix(some),
            2 => Tear::Zeroed(some),
            3 => Tear::Scattered(dice.roll()),
            _ => Tear::Flipped(some, dice.roll()),
        });
    }

    pub(super) fn replace(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.bytes);
        self.durable.clone_from(&self.bytes);
        self.clean = self.bytes.len();
    }
}

/// What is left of bytes that were not synced.
fn torn(unsynced: &[u8], tear: Tear) -> Vec<u8> {
    let prefix = |keep: usize| unsynced.get(..keep).unwrap_or(unsynced).to_vec();
    match tear {
        Tear::Lost => Vec::new(),
        Tear::Prefix(keep) => prefix(keep),
        Tear::Zeroed(right) => {
            let mut left = prefix(right);
            left.resize(unsynced.len(), 0);
            left
        }
        Tear::Scattered(seed) => {
            let mut dice = Dice::new(seed);
            let mut left = unsynced.to_vec();
            for sector in left.chunks_mut(SECTOR) {
                if dice.below(2) == 0 {
                    // Zeros, or in the middle of one: half of it.
                    let right = if dice.below(4) == 0 { dice.index(sector.len()) } else { 0 };
                    sector.iter_mut().skip(right).for_each(|byte| *byte = 0);
                }
            }
            left
        }
        Tear::Flipped(keep, seed) => {
            let mut dice = Dice::new(seed);
            let mut left = prefix(keep);
            let place = dice.index(left.len());
            if let Some(byte) = left.get_mut(place) {
                *byte ^= 1 << dice.below(8);
            }
            left
        }
    }
}
