//! The newest records in memory, for readers close to the end.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use signals::Offset;

use super::Entry;

struct Kept<R> {
    entry: Entry<R>,
    bytes: usize,
    since: Instant,
}

/// What was committed last: bounded by bytes and by age. Readers further back go to the files.
pub(super) struct Tail<R> {
    kept: VecDeque<Kept<R>>,
    bytes: usize,
    bytes_max: usize,
    age_max: Duration,
}

impl<R> Tail<R> {
    /// Nothing yet, at most `bytes_max` and `age_max`; the newest record stays whatever its size.
    pub(super) const fn new(bytes_max: usize, age_max: Duration) -> Self {
        Self { kept: VecDeque::new(), bytes: 0, bytes_max, age_max }
    }

    /// Takes the records of a commit at `now`, with the memory of each, and lets go of what is too
    /// much or too old.
    pub(super) fn push(&mut self, group: impl Iterator<Item = (Entry<R>, usize)>, now: Instant) {
        for (entry, bytes) in group {
            self.bytes += bytes;
            self.kept.push_back(Kept { entry, bytes, since: now });
        }
        while self.kept.len() > 1
            && let Some(kept) = self.kept.pop_front_if(|kept| {
                self.bytes > self.bytes_max || now.duration_since(kept.since) > self.age_max
            })
        {
            self.bytes -= kept.bytes;
        }
    }

    /// At most `limit` records from `from` on; `None` when that is before what is kept.
    pub(super) fn from(&self, from: Offset, limit: usize) -> Option<Vec<Entry<R>>> {
        if from < self.kept.front()?.entry.offset {
            return None;
        }
        let skip = self.kept.partition_point(|kept| kept.entry.offset < from);
        Some(self.kept.iter().skip(skip).take(limit).map(|kept| kept.entry.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn tail() -> Tail<u64> {
        Tail::new(100, Duration::from_secs(10))
    }

    fn entry(offset: u64) -> Entry<u64> {
        Entry { offset: Offset(offset), record: Arc::new(offset) }
    }

    fn offsets(tail: &Tail<u64>, from: u64) -> Option<Vec<u64>> {
        let found = tail.from(Offset(from), usize::MAX)?;
        Some(found.iter().map(|entry| entry.offset.0).collect())
    }

    #[test]
    fn the_oldest_go_when_their_bytes_are_too_many() {
        let (mut tail, now) = (tail(), Instant::now());
        tail.push((0..4).map(|at| (entry(at), 30)), now);
        assert_eq!(offsets(&tail, 0), None);
        assert_eq!(offsets(&tail, 1), Some(vec![1, 2, 3]));
        tail.push([(entry(4), 1_000)].into_iter(), now);
        assert_eq!(offsets(&tail, 4), Some(vec![4]), "the newest stays");
        tail.push([(entry(5), 100)].into_iter(), now);
        assert_eq!(offsets(&tail, 5), Some(vec![5]), "and goes in its turn");
    }

    #[test]
    fn what_is_too_old_goes_however_small_it_is() {
        let (mut tail, start) = (tail(), Instant::now());
        for second in 0..30 {
            tail.push([(entry(second), 1)].into_iter(), start + Duration::from_secs(second));
        }
        assert_eq!(offsets(&tail, 18), None);
        assert_eq!(offsets(&tail, 19).map(|found| found.len()), Some(11));
    }

    #[test]
    fn a_limit_cuts_at_the_new_end() {
        let mut tail = tail();
        tail.push((0..5).map(|at| (entry(at), 1)), Instant::now());
        let found = tail.from(Offset(1), 2).expect("kept");
        assert_eq!(found.iter().map(|entry| *entry.record).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(tail.from(Offset(5), 2).expect("behind the end").len(), 0);
    }
}
