//! Rules at work: journal → what each rule says → events and alarms, which go back into the journal.
//!
//! - R-1 An alarm's state is what its events in the journal make of it, in their order: what an
//!   operator does is an event as well, and counts from when it is durable.
//! - R-2 Each event of a rule is in the journal once, whatever is killed when: the memory of all
//!   rules is saved with the offset it belongs to, and what was written behind that is found there
//!   and not written again.
//! - R-3 A rule that fails on a batch has said nothing of it: it is counted, and the log says why.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipelines_flow::event_log::EventLog;
use pipelines_flow::trigger::{Change, Trigger, Verdict};
use pipelines_flow::{Cursor, Log};
use pipelines_sql::rule::{Cell, Measure, Moment, Watch};
use serde_json::{Value, json};
use signals::{Batch, Clock, Disk, Event, Offset, Severity, Stop, Table, Timestamp};

use crate::config::RuleSettings;

mod board;
mod memory;
mod orders;

pub use board::{Board, Standing, Told};
pub use orders::{Order, OrderError, Verb};

use board::{AlarmEvent, CLEARED, RAISED, SUPPRESSED, UNSHELVED, UNSUPPRESSED};
use memory::{Kept, Memories, Memory};

/// How often the memory is saved when nothing has happened: what a restart computes again.
const CHECKPOINT: Duration = Duration::from_secs(30);
/// Rules that measure time are asked so often at least.
const TICK: Duration = Duration::from_secs(1);
/// Rows whose times are further from the clock are not of now: a log that is played as it was
/// recorded, a past that is being filled in. Of these, no time passes but their own.
const LIVE: Duration = Duration::from_secs(60);
/// Who ends a shelf whose time is over.
const GATEWAY: &str = "gateway";

/// The rules of a gateway.
pub struct Rules {
    settings: Vec<RuleSettings>,
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
        Self { settings, journal, events, clock, memories, board, end }
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
        let (memory, mut at) = match self.memories.load() {
            Kept::Memory(memory, at) => (memory, at.max(self.journal.oldest())),
            // The first rules of a gateway are about what happens from now on.
            Kept::Nothing => (Memory::default(), self.end),
            Kept::Damaged => (Memory::default(), cursor.at()),
        };
        let mut work = Work::new(self, &memory, self.written_behind(at)?);
        let mut saved = Instant::now();
        self.board.reach(at);
        while !stop.is_raised() {
            let entries = self.journal.read(at, 1_024)?;
            for entry in &entries {
                at = entry.offset.next();
                work.take(&entry.record);
            }
            if entries.is_empty() {
                // No sample is no reason for a rule about silence to sleep. What there is has been
                // read: no table is ahead of another.
                work.pass_time(self.clock.now());
            }
            self.board.reach(at);
            let has_news = work.flush()?;
            if has_news || saved.elapsed() >= CHECKPOINT {
                saved = Instant::now();
                self.save(&work, (&cursor, at));
            }
            if entries.is_empty() {
                let _durable = self.journal.wait_past(at, Duration::from_millis(250));
            }
        }
        self.save(&work, (&cursor, at));
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

/// What makes an event of a rule this one and no other.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Said {
    kind: String,
    rule: String,
    at: Option<i64>,
}

impl Said {
    fn of(event: &AlarmEvent) -> Self {
        let AlarmEvent { kind, source, details, .. } = event;
        let at = details.get("at_us").and_then(Value::as_i64);
        Self { kind: kind.clone(), rule: source.clone(), at }
    }
}

/// One rule and its memory.
struct One<'a> {
    settings: &'a RuleSettings,
    watch: Watch,
    trigger: Trigger,
    is_suppressed: bool,
    /// Whether its failure was told already.
    has_failed: bool,
}

/// The rules while they run.
struct Work<'a> {
    of: &'a Rules,
    rules: Vec<One<'a>>,
    /// By name of a table: the table, and the rules that look at it.
    concerned: HashMap<String, (Arc<Table>, Vec<usize>)>,
    timed: Vec<usize>,
    written: HashSet<Said>,
    waiting: Vec<Event>,
    /// Whether the newest rows are of now.
    is_live: bool,
    ticked: Option<Timestamp>,
}

impl<'a> Work<'a> {
    fn new(of: &'a Rules, memory: &Memory, written: HashSet<Said>) -> Self {
        let rules: Vec<One<'a>> = of
            .settings
            .iter()
            .map(|settings| {
                let words = &settings.words;
                let mut one = One {
                    settings,
                    watch: Watch::new(Arc::clone(&settings.plan), words.trigger.unknown_max),
                    trigger: Trigger::default(),
                    is_suppressed: false,
                    has_failed: false,
                };
                // A rule that says something else now begins anew.
                if let Some(kept) = memory.rules.get(&words.name)
                    && kept.words == memory::fingerprint(words)
                {
                    one.watch.resume(&kept.inputs);
                    one.trigger = kept.trigger;
                    one.is_suppressed = kept.is_suppressed;
                }
                one
            })
            .collect();
        of.board.resume(&memory.alarms);
        let is_timed = |(_, one): &(usize, &One<'_>)| one.settings.plan.is_timed();
        let timed = rules.iter().enumerate().filter(is_timed).map(|(index, _)| index).collect();
        Self {
            of,
            rules,
            concerned: HashMap::new(),
            timed,
            written,
            waiting: Vec::new(),
            is_live: true,
            ticked: None,
        }
    }

    fn memory(&self) -> Memory {
        let kept = |one: &One<'_>| {
            let kept = memory::OfRule {
                words: memory::fingerprint(&one.settings.words),
                trigger: one.trigger,
                is_suppressed: one.is_suppressed,
                inputs: one.watch.state(),
            };
            (one.settings.words.name.clone(), kept)
        };
        Memory { rules: self.rules.iter().map(kept).collect(), alarms: self.of.board.alarms() }
    }

    fn take(&mut self, batch: &Batch) {
        if batch.table.name() == "_events" {
            for event in board::events_of(batch) {
                self.of.board.apply(&event);
            }
            return;
        }
        for index in self.concerned_by(&batch.table) {
            self.ask(index, |watch| watch.feed(batch));
        }
        if let Some(last) = batch.last_ts() {
            let now = self.of.clock.now();
            self.is_live = now.since(last).max(last.since(now)) <= LIVE;
        }
    }

    /// The rules that look at a table.
    fn concerned_by(&mut self, table: &Arc<Table>) -> Vec<usize> {
        if let Some((known, rules)) = self.concerned.get(table.name())
            && (Arc::ptr_eq(known, table) || known == table)
        {
            return rules.clone();
        }
        let looks = |(index, one): (usize, &One<'_>)| {
            one.settings
                .plan
                .inputs()
                .iter()
                .any(|input| match &input.measure {
                    Measure::Window(window, _) => {
                        table.name().strip_prefix("_aggregates_") == Some(window.as_str())
                    }
                    Measure::Value | Measure::Rate | Measure::Age => {
                        table.signals().iter().any(|signal| signal.path == input.path)
                    }
                })
                .then_some(index)
        };
        let rules: Vec<usize> = self.rules.iter().enumerate().filter_map(looks).collect();
        let known = (Arc::clone(table), rules.clone());
        self.concerned.insert(table.name().to_owned(), known);
        rules
    }

    /// It is `now`: rules about silence are asked, shelves end.
    fn pass_time(&mut self, now: Timestamp) {
        let is_early = self.ticked.is_some_and(|ticked| now >= ticked && now.since(ticked) < TICK);
        if is_early {
            return;
        }
        self.ticked = Some(now);
        if self.is_live {
            for index in self.timed.clone() {
                self.ask(index, |watch| watch.tick(now));
            }
        }
        for (alarm, until) in self.of.board.end_shelves(now) {
            let details = json!({
                "alarm": alarm, "by": GATEWAY, "until_us": until.micros(), "at_us": until.micros(),
            });
            let message = format!("{alarm}: the time on the shelf is over");
            self.say(note(now, (UNSHELVED, alarm), message, details));
        }
    }

    fn ask<E: std::fmt::Display>(
        &mut self,
        index: usize,
        moments: impl FnOnce(&mut Watch) -> Result<Vec<Moment>, E>,
    ) {
        let Some(one) = self.rules.get_mut(index) else { return };
        match moments(&mut one.watch) {
            Ok(moments) => {
                self.of.board.count(moments.len(), 0);
                for moment in moments {
                    self.step(index, &moment);
                }
            }
            Err(err) => {
                self.of.board.count(0, 1);
                if !std::mem::replace(&mut one.has_failed, true) {
                    let rule = &one.settings.words.name;
                    tracing::error!(
                        rule,
                        "rule {rule} cannot be evaluated on a batch and has said nothing of it: \
                         {err}; change its SQL"
                    );
                }
            }
        }
    }

    fn step(&mut self, index: usize, moment: &Moment) {
        let Some(one) = self.rules.get_mut(index) else { return };
        let words = &one.settings.words;
        let verdict = Verdict { raise: moment.raise, clear: moment.clear };
        let change = one.trigger.step(&words.trigger, moment.ts, verdict);
        let suppression = moment.suppress.filter(|now| *now != one.is_suppressed);
        if let Some(now) = suppression {
            one.is_suppressed = now;
        }
        let (name, has_alarm) = (words.name.clone(), words.alarm.is_some());
        if let (Some(now), true) = (suppression, has_alarm) {
            let (kind, what) = if now {
                (SUPPRESSED, "nobody is told while its `suppress` is met")
            } else {
                (UNSUPPRESSED, "told again")
            };
            let details = json!({ "alarm": name, "at_us": moment.ts.micros() });
            let message = format!("{name}: {what}");
            self.say(note(moment.ts, (kind, name), message, details));
        }
        if let Some(change) = change {
            self.tell(index, moment, change);
        }
    }

    fn tell(&mut self, index: usize, moment: &Moment, change: Change) {
        let Some(one) = self.rules.get(index) else { return };
        let words = &one.settings.words;
        let (started, since) = match change {
            Change::Started { since } => (true, since),
            Change::Ended { since } => (false, since),
        };
        let values: serde_json::Map<String, Value> =
            moment.values.iter().map(|(name, cell)| (name.clone(), plain(cell.as_ref()))).collect();
        let shown: Vec<String> =
            moment.values.iter().map(|(name, cell)| shown(name, cell.as_ref())).collect();
        let what = words.alarm.as_ref().and_then(|alarm| alarm.message.clone());
        let what = what.or_else(|| words.description.clone()).unwrap_or_else(|| words.name.clone());
        let name = words.name.clone();
        let (kind, priority) = match (&words.alarm, started) {
            (Some(alarm), true) => (RAISED, Some(alarm.priority)),
            (Some(alarm), false) => (CLEARED, Some(alarm.priority)),
            (None, true) => ("rule_met", None),
            (None, false) => ("rule_over", None),
        };
        let details = json!({
            "rule": name, "alarm": priority.map(|_| &name), "priority": priority,
            "since_us": since.micros(), "at_us": moment.ts.micros(), "values": values,
        });
        let over = if started { "" } else { "over: " };
        let message = format!("{over}{what} ({})", shown.join(", "));
        let is_loud = kind == RAISED && !self.of.board.is_silent(&name);
        let severity = if is_loud { Severity::Alarm } else { Severity::Note };
        self.say(Event { severity, ..note(moment.ts, (kind, name), message, details) });
    }

    fn say(&mut self, event: Event) {
        let said = Said::of(&AlarmEvent::of(&event));
        if !self.written.remove(&said) {
            self.waiting.push(event);
        }
    }

    /// Writes what there is to say; whether there was anything.
    fn flush(&mut self) -> anyhow::Result<bool> {
        if self.waiting.is_empty() {
            return Ok(false);
        }
        self.of.events.append(&std::mem::take(&mut self.waiting))?;
        Ok(true)
    }
}

/// An event for the record.
fn note(ts: Timestamp, (kind, source): (&str, String), message: String, details: Value) -> Event {
    Event { ts, kind: kind.to_owned(), severity: Severity::Note, source, message, details }
}

fn plain(cell: Option<&Cell>) -> Value {
    match cell {
        Some(Cell::Number(number)) => json!(number),
        Some(Cell::Truth(truth)) => json!(truth),
        Some(Cell::Text(text)) => json!(text),
        None => Value::Null,
    }
}

/// Four digits that count, without zeros behind them.
fn short(number: f64) -> String {
    let places = match number.abs() {
        1_000.0.. => 0,
        100.0.. => 1,
        10.0.. => 2,
        _ => 3,
    };
    let text = format!("{number:.places$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn shown(name: &str, cell: Option<&Cell>) -> String {
    match cell {
        Some(Cell::Number(number)) => format!("{name} {}", short(*number)),
        Some(Cell::Truth(truth)) => format!("{name} {truth}"),
        Some(Cell::Text(text)) => format!("{name} {text}"),
        None => format!("{name} not known"),
    }
}

#[cfg(test)]
mod tests;
