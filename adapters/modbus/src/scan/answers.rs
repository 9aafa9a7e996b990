//! The answers to the reads of one scan.

use std::ops::Range;

use signals::Reason;

/// The answers to the reads of one scan, in their order. Kept and used again: no allocation.
#[derive(Debug, Default)]
pub struct Answers {
    words: Vec<u16>,
    outcomes: Vec<Result<Range<usize>, Reason>>,
    /// The read whose answer may be an old one.
    doubtful: Option<u16>,
}

impl Answers {
    /// Forgets all answers and keeps the room.
    pub fn clear(&mut self) {
        self.words.clear();
        self.outcomes.clear();
        self.doubtful = None;
    }

    /// The answer to the read at this place may be an old one.
    pub(crate) fn doubt(&mut self, place: u16) {
        self.doubtful = Some(place);
    }

    pub(super) fn is_doubtful(&self, place: u16) -> bool {
        self.doubtful == Some(place)
    }

    /// Forgets all answers and waits for those of `reads` reads, in any order.
    pub(crate) fn open(&mut self, reads: usize) {
        self.clear();
        self.outcomes.resize(reads, Err(Reason::WaitingFirst));
    }

    /// Whether the read at `place` has no outcome yet.
    pub(crate) fn is_open(&self, place: usize) -> bool {
        matches!(self.outcomes.get(place), None | Some(Err(Reason::WaitingFirst)))
    }

    /// The read at `place` was answered with these words.
    pub(crate) fn put_good(&mut self, place: usize, words: &[u16]) {
        let begin = self.words.len();
        self.words.extend_from_slice(words);
        self.put(place, Ok(begin..self.words.len()));
    }

    /// The read at `place` has no answer.
    pub(crate) fn put_failed(&mut self, place: usize, reason: Reason) {
        self.put(place, Err(reason));
    }

    /// The read at `place` was cut in two, which have no outcome yet.
    pub(crate) fn split(&mut self, place: usize) {
        self.put(place, Err(Reason::WaitingFirst));
        if place < self.outcomes.len() {
            self.outcomes.insert(place, Err(Reason::WaitingFirst));
        }
    }

    fn put(&mut self, place: usize, outcome: Result<Range<usize>, Reason>) {
        if let Some(slot) = self.outcomes.get_mut(place) {
            *slot = outcome;
        }
    }

    /// The next read was answered with these words; a bit is a word of 0 or 1.
    pub fn good(&mut self, words: &[u16]) {
        let begin = self.words.len();
        self.words.extend_from_slice(words);
        self.outcomes.push(Ok(begin..self.words.len()));
    }

    /// The next read has no answer.
    pub fn failed(&mut self, reason: Reason) {
        self.outcomes.push(Err(reason));
    }

    /// Reads with an outcome.
    #[must_use]
    pub fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// Whether there is no outcome yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
    }

    /// The words of the read at `place`.
    ///
    /// # Errors
    /// The reason why there are none.
    pub fn get(&self, place: usize) -> Result<&[u16], Reason> {
        match self.outcomes.get(place) {
            None => Err(Reason::WaitingFirst),
            Some(Err(reason)) => Err(*reason),
            Some(Ok(range)) => self.words.get(range.clone()).ok_or(Reason::QuantityMismatch),
        }
    }

    /// `count` words of a read, from its word `first` on; `place`: the read and that word.
    pub(super) fn words(&self, place: (u16, u16), count: u16) -> Result<&[u16], Reason> {
        let words = self.get(usize::from(place.0))?;
        let first = usize::from(place.1);
        words.get(first..first + usize::from(count)).ok_or(Reason::QuantityMismatch)
    }
}
