//! The rules while they run: rows in, events out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use pipelines_flow::trigger::{Change, Trigger, Verdict};
use pipelines_sql::rule::{Cell, Measure, Moment, Watch};
use serde_json::{Value, json};
use signals::{Batch, Event, Severity, Table, Timestamp};

use super::board::{self, AlarmEvent, CLEARED, RAISED, SUPPRESSED, UNSHELVED, UNSUPPRESSED};
use super::memory::{self, Memory};
use super::{GATEWAY, Rules};
use crate::config::RuleSettings;

/// Rules that measure time are asked so often at least.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// Rows whose times are further from the clock are not of now: a log that is played as it was
/// recorded, a past that is being filled in. Of these, no time passes but their own.
const LIVE: Duration = Duration::from_secs(60);

/// What makes an event of a rule this one and no other.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Said {
    kind: String,
    rule: String,
    at: Option<i64>,
}

impl Said {
    pub(super) fn of(event: &AlarmEvent) -> Self {
        let AlarmEvent { kind, source, details, .. } = event;
        let at = details.get("at_us").and_then(Value::as_i64);
        Self { kind: kind.clone(), rule: source.clone(), at }
    }
}

/// One rule and its memory.
pub(super) struct One {
    pub(super) settings: RuleSettings,
    pub(super) watch: Watch,
    pub(super) trigger: Trigger,
    pub(super) is_suppressed: bool,
    /// Whether its failure was told already.
    has_failed: bool,
    /// Whether the newest rows it looks at are of now.
    is_live: bool,
}

/// What a moment has brought about.
pub(super) struct Step {
    /// The rule has started or ended.
    pub(super) change: Option<Change>,
    /// Whether nobody is to be told from now on, where that is news.
    pub(super) suppression: Option<bool>,
}

impl One {
    /// A rule that has seen nothing.
    pub(super) fn new(settings: &RuleSettings) -> Self {
        let watch = Watch::new(Arc::clone(&settings.plan), settings.words.trigger.unknown_max);
        Self {
            settings: settings.clone(),
            watch,
            trigger: Trigger::default(),
            is_suppressed: false,
            has_failed: false,
            is_live: true,
        }
    }

    /// The rule as it is written now: one that says the same goes on.
    fn under(self, settings: &RuleSettings) -> Self {
        let words = &settings.words;
        if memory::fingerprint(&self.settings.words) != memory::fingerprint(words) {
            return Self::new(settings);
        }
        let watch = self.watch.under(Arc::clone(&settings.plan), words.trigger.unknown_max);
        Self { settings: settings.clone(), watch, ..self }
    }

    pub(super) fn step(&mut self, moment: &Moment) -> Step {
        let verdict = Verdict { raise: moment.raise, clear: moment.clear };
        let change = self.trigger.step(&self.settings.words.trigger, moment.ts, verdict);
        let suppression = moment.suppress.filter(|now| *now != self.is_suppressed);
        self.is_suppressed = suppression.unwrap_or(self.is_suppressed);
        Step { change, suppression }
    }
}

/// The rules while they run.
pub(super) struct Work<'a> {
    of: &'a Rules,
    rules: Vec<One>,
    /// By name of a table: the table, and the rules that look at it.
    concerned: HashMap<String, (Arc<Table>, Vec<usize>)>,
    timed: Vec<usize>,
    written: HashSet<Said>,
    waiting: Vec<Event>,
    /// When rules about silence were asked last.
    ticked: Option<Timestamp>,
    /// When shelves were looked at last.
    tidied: Option<Timestamp>,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        of: &'a Rules,
        (settings, memory): (&[RuleSettings], &Memory),
        written: HashSet<Said>,
    ) -> Self {
        let rules: Vec<One> = settings
            .iter()
            .map(|settings| {
                let words = &settings.words;
                let mut one = One::new(settings);
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
        Self::of_rules(of, (rules, memory), written)
    }

    /// Other rules from now on; `memory` is what was remembered until now.
    pub(super) fn turned(self, settings: &[RuleSettings], memory: &Memory) -> Self {
        let name = |one: One| (one.settings.words.name.clone(), one);
        let mut before: HashMap<String, One> = self.rules.into_iter().map(name).collect();
        let rules = settings.iter().map(|settings| {
            let known = before.remove(&settings.words.name);
            known.map_or_else(|| One::new(settings), |one| one.under(settings))
        });
        let rules = rules.collect();
        Self { ticked: self.ticked, ..Self::of_rules(self.of, (rules, memory), self.written) }
    }

    fn of_rules(
        of: &'a Rules,
        (rules, memory): (Vec<One>, &Memory),
        written: HashSet<Said>,
    ) -> Self {
        let is_timed = |(_, one): &(usize, &One)| one.settings.plan.is_timed();
        let timed = rules.iter().enumerate().filter(is_timed).map(|(index, _)| index).collect();
        let mut work = Self {
            of,
            rules,
            concerned: HashMap::new(),
            timed,
            written,
            waiting: Vec::new(),
            ticked: None,
            tidied: None,
        };
        work.end_orphans(memory);
        work
    }

    /// what an alarm says of a condition that nobody looks at any more is over.
    fn end_orphans(&mut self, memory: &Memory) {
        let now = self.of.clock.now();
        for (alarm, life) in &memory.alarms {
            let rule = self.rules.iter().find(|one| one.settings.words.name == *alarm);
            let rule = rule.filter(|one| one.settings.words.alarm.is_some());
            let why = if rule.is_some() { "its rule was changed" } else { "its rule was removed" };
            let is_known = memory.rules.get(alarm).is_some_and(|kept| {
                rule.is_some_and(|one| kept.words == memory::fingerprint(&one.settings.words))
            });
            if is_known {
                continue;
            }
            let over = [(life.stands.is_met, CLEARED), (life.stands.is_suppressed, UNSUPPRESSED)];
            for (_, kind) in over.into_iter().filter(|(is_so, _)| *is_so) {
                // Without a time: after a kill it is known to be the same.
                let details = json!({ "rule": alarm, "alarm": alarm, "why": why });
                let message = format!("over: {alarm}: {why}");
                self.say(note(now, (kind, alarm.clone()), message, details));
            }
        }
    }

    pub(super) fn memory(&self) -> Memory {
        let kept = |one: &One| {
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

    pub(super) fn take(&mut self, batch: &Batch) {
        if batch.table.name() == "_events" {
            for event in board::events_of(batch) {
                self.of.board.apply(&event);
            }
            return;
        }
        let concerned = self.concerned_by(&batch.table);
        let (now, last) = (self.of.clock.now(), batch.last_ts());
        let is_live = last.is_none_or(|last| now.since(last).max(last.since(now)) <= LIVE);
        for index in concerned {
            if let Some(one) = self.rules.get_mut(index) {
                one.is_live = is_live;
            }
            self.ask(index, |watch| watch.feed(batch));
        }
    }

    /// The rules that look at a table.
    fn concerned_by(&mut self, table: &Arc<Table>) -> Vec<usize> {
        if let Some((known, rules)) = self.concerned.get(table.name())
            && (Arc::ptr_eq(known, table) || known == table)
        {
            return rules.clone();
        }
        let looks = |(index, one): (usize, &One)| {
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

    /// It is `now`, and what there was has been read: rules about silence are asked. No sample is no
    /// reason for them to sleep.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if !is_due(&mut self.ticked, now) {
            return;
        }
        let is_live = |index: &usize| self.rules.get(*index).is_some_and(|one| one.is_live);
        let live: Vec<usize> = self.timed.iter().copied().filter(is_live).collect();
        for index in live {
            self.ask(index, |watch| watch.tick(now));
        }
    }

    /// It is `now`: shelves whose time is over end.
    pub(super) fn end_shelves(&mut self, now: Timestamp) {
        if !is_due(&mut self.tidied, now) {
            return;
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
        let Step { change, suppression } = one.step(moment);
        let words = &one.settings.words;
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
    pub(super) fn flush(&mut self) -> anyhow::Result<bool> {
        if self.waiting.is_empty() {
            return Ok(false);
        }
        self.of.events.append(&std::mem::take(&mut self.waiting))?;
        Ok(true)
    }
}

/// Whether a tick has passed since `last`, which is `now` then; a clock that was set back counts.
fn is_due(last: &mut Option<Timestamp>, now: Timestamp) -> bool {
    let is_due = last.is_none_or(|last| now < last || now.since(last) >= TICK);
    if is_due {
        *last = Some(now);
    }
    is_due
}

/// An event for the record.
fn note(ts: Timestamp, (kind, source): (&str, String), message: String, details: Value) -> Event {
    Event { ts, kind: kind.to_owned(), severity: Severity::Note, source, message, details }
}

pub(super) fn plain(cell: Option<&Cell>) -> Value {
    match cell {
        Some(Cell::Number(number)) => json!(number),
        Some(Cell::Truth(truth)) => json!(truth),
        Some(Cell::Text(text)) => json!(text),
        None => Value::Null,
    }
}

/// Four digits that count, without zeros behind them.
pub(super) fn short(number: f64) -> String {
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

pub(super) fn shown(name: &str, cell: Option<&Cell>) -> String {
    match cell {
        Some(Cell::Number(number)) => format!("{name} {}", short(*number)),
        Some(Cell::Truth(truth)) => format!("{name} {truth}"),
        Some(Cell::Text(text)) => format!("{name} {text}"),
        None => format!("{name} not known"),
    }
}
