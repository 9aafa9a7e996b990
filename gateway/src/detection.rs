//! Detection: the journal's rows of a group through its detector; scores and episodes go back
//! into the journal as samples and events.
//!
//! D-1 A score row is in the journal exactly once, whatever is killed when: a checkpoint holds
//!     the detector's memory and the offset it belongs to; what was already written behind it is
//!     found in the journal and not written again.
//! D-2 A detector sees only what is durable, in journal order, so a replay gives the same rows.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use models::{DetectorSettings, GroupClock, GroupDetector, Row, State};
use pipelines_flow::event_log::EventLog;
use pipelines_flow::{Cursor, Log};
use serde::Serialize;
use signals::{
    Batch, BatchBuilder, ClockState, Detector as _, Disk, Episode, Event, Offset, Quality, Reason,
    Score, Severity, Signal, Stop, Table, Timestamp, Value, ValueType,
};

mod checkpoint;

use checkpoint::Checkpoints;

/// How often the detector's memory is saved: what a restart computes again.
const CHECKPOINT: Duration = Duration::from_secs(30);
/// A value older than this is missing when signals of several tables are brought together.
const AGE_MAX: Duration = Duration::from_secs(10);

/// What is known of a detector.
#[derive(Clone, Debug, Serialize)]
pub struct DetectorVitals {
    /// `learning`, `watching` or `failed`.
    pub state: &'static str,
    /// The state in a few words.
    pub detail: String,
    /// Whether an episode is open.
    pub alarm: bool,
    /// Rows scored since the start.
    pub rows: u64,
    /// Episodes opened since the start.
    pub episodes: u64,
}

/// A detector as the page sees it.
#[derive(Debug)]
pub struct DetectorHealth {
    /// Its name.
    pub name: String,
    /// The asset it watches: what the paths of its signals have in common.
    pub asset: String,
    /// Number of its signals.
    pub signals: usize,
    vitals: Mutex<DetectorVitals>,
}

impl DetectorHealth {
    /// A copy of what is known now.
    #[must_use]
    pub fn vitals(&self) -> DetectorVitals {
        self.vitals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Path of the signal its scores are.
    #[must_use]
    pub fn score_path(&self) -> String {
        score_path(&self.name, "score")
    }

    fn update(&self, change: impl FnOnce(&mut DetectorVitals)) {
        change(&mut self.vitals.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn score_path(detector: &str, column: &str) -> String {
    format!("detector/{detector}/{column}")
}

/// One detector at work on the journal.
pub struct Detection {
    settings: DetectorSettings,
    tables: Vec<Arc<Table>>,
    score_table: Arc<Table>,
    journal: Log<Batch>,
    events: EventLog,
    cursor: Cursor,
    checkpoints: Checkpoints,
    health: Arc<DetectorHealth>,
}

/// What earlier runs have written behind the checkpoint.
#[derive(Default)]
struct Written {
    scored: Option<Timestamp>,
    /// Kind and details: computed again, they come out the same.
    events: HashSet<(String, String)>,
}

impl Detection {
    /// A detector that is not running. `tables` hold its signals; `models` is the folder of
    /// stored models.
    ///
    /// # Errors
    /// When the name cannot be part of a table's name.
    pub fn new(
        settings: DetectorSettings,
        tables: Vec<Arc<Table>>,
        (journal, events): (Log<Batch>, EventLog),
        (models, disk): (PathBuf, Arc<dyn Disk>),
    ) -> Result<Self, signals::TableError> {
        let name = settings.name.clone();
        let mut score = Signal::new(score_path(&name, "score"), "score", ValueType::F64);
        score.description = Some("Distance from normal; 0 is the centre".to_owned());
        let mut p = Signal::new(score_path(&name, "p"), "p", ValueType::F64);
        p.description = Some("Probability of such a score while all is well".to_owned());
        let mut alarm = Signal::new(score_path(&name, "alarm"), "alarm", ValueType::Bool);
        alarm.description = Some("Whether an anomaly episode is open".to_owned());
        let score_table = Table::of_signals(
            signals::column_name(&format!("anomaly_{name}")),
            format!("detector {name}"),
            false,
            vec![score, p, alarm],
        )?;
        let health = Arc::new(DetectorHealth {
            asset: common_path(&settings.signals),
            signals: settings.signals.len(),
            vitals: Mutex::new(DetectorVitals {
                state: "learning",
                detail: "waiting for samples".to_owned(),
                alarm: false,
                rows: 0,
                episodes: 0,
            }),
            name: name.clone(),
        });
        let cursor = journal.cursor(&format!("detector-{name}"));
        let checkpoints = Checkpoints::new(disk, models, &name);
        Ok(Self { settings, tables, score_table, journal, events, cursor, checkpoints, health })
    }

    /// Its health.
    #[must_use]
    pub fn health(&self) -> Arc<DetectorHealth> {
        Arc::clone(&self.health)
    }

    /// The table its scores go to.
    #[must_use]
    pub fn score_table(&self) -> &Arc<Table> {
        &self.score_table
    }

    /// Scores the journal until stopped. Returns early when the detector cannot be built.
    pub fn run(&self, stop: &Stop) {
        if let Err(err) = self.follow(stop) {
            self.health.update(|vitals| {
                vitals.state = "failed";
                vitals.detail = err.to_string();
            });
            tracing::error!(detector = self.settings.name, %err, "detector stopped");
        }
    }

    fn follow(&self, stop: &Stop) -> anyhow::Result<()> {
        let mut clock =
            GroupClock::new(&self.settings.signals, &self.tables, self.settings.period, AGE_MAX)
                .map_err(|path| {
                    anyhow::anyhow!("no table has a number signal `{path}`; check `signals`")
                })?;
        let (mut detector, mut at) = match self.checkpoints.load(&self.settings) {
            Some((detector, offset)) => (detector, offset.max(self.journal.oldest())),
            None => (GroupDetector::learning(self.settings.clone())?, self.cursor.at()),
        };
        let written = self.written_behind(at)?;
        let mut scribe = Scribe::new(self, written);
        let mut saved = Instant::now();
        let mut stored = matches!(detector.state(), State::Watching);
        self.show(&detector);
        while !stop.is_raised() {
            let entries = self.journal.read(at, 1_024)?;
            for entry in &entries {
                at = entry.offset.next();
                for row in clock.feed(&entry.record) {
                    let score = detector.score(row.ts, &row.values);
                    scribe.take(&score, self.is_silent(&row));
                }
            }
            if !entries.is_empty() {
                scribe.flush()?;
                self.show(&detector);
            }
            let watching = matches!(detector.state(), State::Watching);
            if watching && !stored {
                stored = true;
                self.checkpoints.store_model(&detector);
            }
            if watching && saved.elapsed() >= CHECKPOINT {
                saved = Instant::now();
                self.save(&detector, at);
            }
            if entries.is_empty() {
                let _durable = self.journal.wait_past(at, Duration::from_millis(250));
            }
        }
        self.save(&detector, at);
        Ok(())
    }

    /// Whether a row has no value at all: the asset is off the air, not unusual.
    #[expect(clippy::unused_self, reason = "a question about the group's rows")]
    fn is_silent(&self, row: &Row) -> bool {
        row.values.iter().all(Option::is_none)
    }

    /// Saves the memory that belongs to `at`, when everything written up to there is durable.
    fn save(&self, detector: &GroupDetector, at: Offset) {
        if self.journal.sync().is_ok() && self.checkpoints.save(detector, at) {
            self.cursor.commit(at);
        }
    }

    /// Finds what was written behind the checkpoint before the last stop (D-1).
    fn written_behind(&self, from: Offset) -> anyhow::Result<Written> {
        let mut written = Written::default();
        let end = self.journal.durable();
        let mut at = from;
        while at < end {
            let entries = self.journal.read(at, 1_024)?;
            let Some(last) = entries.last() else { break };
            at = last.offset.next();
            for entry in &entries {
                let batch = &entry.record;
                if batch.table.name() == self.score_table.name() {
                    written.scored = written.scored.max(batch.last_ts());
                } else if batch.table.name() == "_events" {
                    written.events.extend(events_of(batch, &self.settings.name));
                }
            }
        }
        Ok(written)
    }

    fn show(&self, detector: &GroupDetector) {
        self.health.update(|vitals| match detector.state() {
            State::Learning { rows, wanted, complaint } => {
                vitals.state = "learning";
                vitals.detail = match complaint {
                    Some(complaint) => complaint.to_string(),
                    None => format!("{rows} of {wanted} rows of history gathered"),
                };
            }
            State::Watching => {
                vitals.state = "watching";
                vitals.detail = match detector.limit() {
                    Some(limit) => format!("unusual above a score of {limit:.2}"),
                    None => "settling".to_owned(),
                };
            }
        });
    }
}

/// Turns scores into rows and events of the journal.
struct Scribe<'a> {
    of: &'a Detection,
    written: Written,
    rows: BatchBuilder,
    events: Vec<Event>,
    top: Vec<String>,
}

impl<'a> Scribe<'a> {
    fn new(of: &'a Detection, written: Written) -> Self {
        let rows = BatchBuilder::new(Arc::clone(&of.score_table));
        Self { of, written, rows, events: Vec::new(), top: Vec::new() }
    }

    fn take(&mut self, score: &Score, silent: bool) {
        let opened = score
            .episode
            .as_ref()
            .is_some_and(|episode| episode.closed.is_none() && episode.opened == score.ts);
        self.of.health.update(|vitals| {
            vitals.alarm = score.alarm;
            vitals.rows += 1;
            vitals.episodes += u64::from(opened);
        });
        if let Some(episode) = &score.episode {
            self.note(episode, score.ts, opened);
        }
        // Already in the journal, or nothing to say.
        if self.written.scored.is_some_and(|ts| score.ts <= ts) || silent {
            return;
        }
        self.rows.begin(score.ts, 0, ClockState::Synced);
        match score.score {
            Some(value) => self.rows.set(0, Value::F64(value)),
            None => self.rows.flaw(0, Quality::bad(Reason::NotReady)),
        }
        match score.p {
            Some(p) => self.rows.set(1, Value::F64(p)),
            None => self.rows.flaw(1, Quality::bad(Reason::NotReady)),
        }
        self.rows.set(2, Value::Bool(score.alarm));
    }

    /// An event when an episode opens, closes, or turns out to be about other signals.
    fn note(&mut self, episode: &Episode, ts: Timestamp, opened: bool) {
        let top: Vec<String> = episode.top.iter().map(|part| part.signal.clone()).collect();
        let (kind, severity) = match episode.closed {
            Some(_) => ("anomaly_closed", Severity::Note),
            None if opened => ("anomaly_opened", Severity::Advisory),
            None if top != self.top => ("anomaly_updated", Severity::Note),
            None => return,
        };
        self.top.clone_from(&top);
        let details = serde_json::to_value(episode).unwrap_or_default();
        if self.written.events.contains(&(kind.to_owned(), details.to_string())) {
            return;
        }
        let name = &self.of.settings.name;
        let shares: Vec<String> = episode
            .top
            .iter()
            .map(|part| {
                let (share, value, expected) = (part.share * 100.0, part.value, part.expected);
                format!("{} {share:.0} % ({value:.4}, expected {expected:.4})", part.signal)
            })
            .collect();
        let what = match episode.closed {
            Some(_) => "back to normal",
            None if opened => "unusual",
            None => "still unusual",
        };
        self.events.push(Event {
            ts,
            kind: kind.to_owned(),
            severity,
            source: name.clone(),
            message: format!("{}: {what}; {}", self.of.health.asset, shares.join(", ")),
            details,
        });
    }

    /// Writes events first, then scores: a score says that everything up to it is written.
    fn flush(&mut self) -> anyhow::Result<()> {
        self.of.events.append(&std::mem::take(&mut self.events))?;
        if let Some(batch) = self.rows.finish() {
            self.of.journal.append(batch)?;
        }
        Ok(())
    }
}

/// Kind and details of the detector's own events in a batch of `_events`.
fn events_of(batch: &Batch, detector: &str) -> Vec<(String, String)> {
    use arrow_array::cast::AsArray as _;
    let text = |name: &str| batch.rows.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
    let (Some(kinds), Some(sources), Some(details)) =
        (text("kind"), text("source"), text("details"))
    else {
        return Vec::new();
    };
    let own = |(kind, (source, details)): (Option<&str>, (Option<&str>, Option<&str>))| {
        (source == Some(detector)).then(|| Some((kind?.to_owned(), details?.to_owned())))?
    };
    kinds.iter().zip(sources.iter().zip(details.iter())).filter_map(own).collect()
}

/// The parts that all paths begin with.
fn common_path(paths: &[String]) -> String {
    let Some((first, rest)) = paths.split_first() else { return String::new() };
    let mut common: Vec<&str> = first.split('/').collect();
    common.pop();
    for path in rest {
        let same = common.iter().zip(path.split('/')).take_while(|(a, b)| *a == b).count();
        common.truncate(same);
    }
    common.join("/")
}

#[cfg(test)]
mod tests;
