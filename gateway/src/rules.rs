//! Rules at work: journal → what each rule says → events and alarms, which go back into the journal.
//!
//! - R-1 An alarm's state is what its events in the journal make of it, in their order: what an
//!   operator does is an event as well, and counts from when it is durable.
//! - R-2 Each event of a rule is in the journal once, whatever is killed when: the memory of all
//!   rules is saved with the offset it belongs to, and what was written behind that is found there
//!   and not written again.
//! - R-3 A rule that fails on a batch has said nothing of it: it is counted, and the log says why.
//! - R-4 Rules change between two batches: those whose words are the same go on as they are.
//!   An alarm whose condition was met and whose rule is another one now, or none, has returned.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pipelines_flow::event_log::EventLog;
use pipelines_flow::{Cursor, Log};
use serde::Serialize;
use signals::{Batch, Clock, Disk, Offset, Stop};

use crate::config::RuleSettings;

mod board;
mod memory;
mod orders;
pub mod rehearsal;
mod work;

pub use board::{Board, Life, Standing, Told};
pub use orders::{Order, OrderError, Verb};

use memory::{Kept, Memories, Memory};
use work::{Said, Work};

/// How often the memory is saved when nothing has happened: what a restart computes again.
const CHECKPOINT: Duration = Duration::from_secs(30);
/// How often at most, when something has: a condition that flaps must not wear out the disk.
const CHECKPOINT_MIN: Duration = Duration::from_secs(5);
/// Who ends a shelf whose time is over.
const GATEWAY: &str = "gateway";

/// The rules of a gateway.
pub struct Rules {
    settings: Mutex<Arc<[RuleSettings]>>,
    journal: Log<Batch>,
    events: EventLog,
    clock: Arc<dyn Clock>,
    memories: Memories,
    board: Arc<Board>,
    /// The end of the journal when the gateway was built: nothing was sampled since.
    end: Offset,
}

impl Rules {
    /// Rules that are not running; their memory is kept in `data`.
    #[must_use]
    pub fn new(
        settings: Vec<RuleSettings>,
        (journal, events): (Log<Batch>, EventLog),
        clock: Arc<dyn Clock>,
        (data, disk): (PathBuf, Arc<dyn Disk>),
    ) -> Self {
        let board = Arc::new(Board::new(&settings, events.clone(), Arc::clone(&clock)));
        let memories = Memories::new(disk, data.join("rules.json"));
        let end = journal.durable();
        let settings = Mutex::new(settings.into());
        Self { settings, journal, events, clock, memories, board, end }
    }

    /// Other rules from the next batch on, by name what is different about them. Those that say
    /// the same go on as they are.
    pub fn turn_to(&self, settings: &[RuleSettings]) -> RuleChanges {
        let mut current = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = RuleChanges::between(&current, settings);
        *current = settings.into();
        changes
    }

    fn settings(&self) -> Arc<[RuleSettings]> {
        Arc::clone(&self.settings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the alarms stand.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Follows the journal until stopped.
    pub fn run(&self, stop: &Stop) {
        if let Err(err) = self.follow(stop) {
            tracing::error!(%err, "rules stopped; they go on from their last checkpoint");
        }
    }

    fn follow(&self, stop: &Stop) -> anyhow::Result<()> {
        let cursor = self.journal.cursor("rules");
        let kept = self.memories.load();
        let is_first = matches!(kept, Kept::Nothing);
        let (memory, mut at) = match kept {
            Kept::Memory(memory, at) => (memory, at.max(self.journal.oldest())),
            // The first rules of a gateway are about what happens from now on.
            Kept::Nothing => (Memory::default(), self.end),
            Kept::Damaged => (Memory::default(), cursor.at()),
        };
        let mut settings = self.settings();
        self.board.turn_to(&settings);
        self.board.resume(&memory.alarms);
        let mut work = Work::new(self, (&settings, &memory), self.written_behind(at)?);
        let mut has_memory = !(is_first && settings.is_empty());
        if is_first && has_memory {
            // From here on a restart goes on from here, however soon it comes.
            self.save(&work, (&cursor, at));
        }
        let mut saved = Instant::now();
        let mut has_news = false;
        self.board.reach(at);
        while !stop.is_raised() {
            let wanted = self.settings();
            if !Arc::ptr_eq(&settings, &wanted) {
                // What is to be said under the old rules is said before they are gone.
                work.flush()?;
                let memory = work.memory();
                self.board.turn_to(&wanted);
                work = work.turned(&wanted, &memory);
                settings = wanted;
                (has_news, has_memory) = (true, true);
            }
            let entries = if settings.is_empty() {
                at = self.journal.durable();
                Vec::new()
            } else {
                self.journal.read(at, 1_024)?
            };
            for entry in &entries {
                at = entry.offset.next();
                work.take(&entry.record);
            }
            let now = self.clock.now();
            work.end_shelves(now);
            if entries.is_empty() {
                // What there is has been read: no table is ahead of another.
                work.tick(now);
            }
            self.board.reach(at);
            has_news |= work.flush()?;
            if !has_memory {
                // There were never any rules.
                cursor.commit(at);
            } else if saved.elapsed() >= if has_news { CHECKPOINT_MIN } else { CHECKPOINT } {
                (saved, has_news) = (Instant::now(), false);
                self.save(&work, (&cursor, at));
            }
            if entries.is_empty() {
                let _durable = self.journal.wait_past(at, Duration::from_millis(250));
            }
        }
        if has_memory {
            self.save(&work, (&cursor, at));
        }
        Ok(())
    }

    /// Saves the memory that belongs to `at`, when everything written up to there is durable.
    fn save(&self, work: &Work<'_>, (cursor, at): (&Cursor, Offset)) {
        if self.journal.sync().is_ok() && self.memories.save(&work.memory(), at) {
            cursor.commit(at);
        }
    }

    /// What was written behind the checkpoint before the last stop.
    fn written_behind(&self, from: Offset) -> anyhow::Result<HashSet<Said>> {
        let mut written = HashSet::new();
        let (mut at, end) = (from, self.journal.durable());
        while at < end {
            let entries = self.journal.read(at, 1_024)?;
            let Some(last) = entries.last() else { break };
            at = last.offset.next();
            for entry in entries.iter().filter(|entry| entry.record.table.name() == "_events") {
                written.extend(board::events_of(&entry.record).iter().map(Said::of));
            }
        }
        Ok(written)
    }
}

/// Names of rules that are different from before.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct RuleChanges {
    /// There was no such rule.
    pub added: Vec<String>,
    /// It says something else.
    pub changed: Vec<String>,
    /// It is gone.
    pub removed: Vec<String>,
}

impl RuleChanges {
    /// What going from some rules to others changes.
    #[must_use]
    pub fn between(old: &[RuleSettings], new: &[RuleSettings]) -> Self {
        let name = |rule: &RuleSettings| rule.words.name.clone();
        let known = |name: &str| old.iter().find(|rule| rule.words.name == name);
        let mut changes = Self::default();
        for rule in new {
            match known(&rule.words.name) {
                None => changes.added.push(name(rule)),
                Some(before) if before != rule => changes.changed.push(name(rule)),
                Some(_) => {}
            }
        }
        let there: BTreeSet<_> = new.iter().map(|rule| rule.words.name.as_str()).collect();
        let gone = old.iter().filter(|rule| !there.contains(rule.words.name.as_str()));
        changes.removed = gone.map(name).collect();
        changes
    }
}

#[cfg(test)]
mod tests;
