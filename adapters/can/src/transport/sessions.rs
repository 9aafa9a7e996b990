//! The transfers that are open, by who sends to whom. Bounded.

use std::collections::HashMap;
use std::hash::Hash;

use signals::Timestamp;

use super::SESSIONS_MAX;

/// Open transfers of one protocol.
#[derive(Clone, Debug)]
pub(super) struct Sessions<K, S> {
    open: HashMap<K, (Timestamp, S)>,
}

impl<K: Copy + Eq + Hash, S> Sessions<K, S> {
    /// Opens a transfer; returns the one that had the same key, or else had to make room.
    pub(super) fn open(&mut self, key: K, now: Timestamp, session: S) -> Option<(K, S)> {
        let crowded = self.open.len() >= SESSIONS_MAX && !self.open.contains_key(&key);
        let oldest = || self.open.iter().min_by_key(|(_, (heard, _))| *heard).map(|(key, _)| *key);
        let leaving = if crowded { oldest() } else { Some(key) };
        let before = leaving.and_then(|key| Some((key, self.close(&key)?)));
        self.open.insert(key, (now, session));
        before
    }

    /// The transfer of a key and when it was heard of last.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut (Timestamp, S)> {
        self.open.get_mut(key)
    }

    /// Takes a transfer out.
    pub(super) fn close(&mut self, key: &K) -> Option<S> {
        self.open.remove(key).map(|(_, session)| session)
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}

impl<K, S> Default for Sessions<K, S> {
    fn default() -> Self {
        Self { open: HashMap::new() }
    }
}
