//! Reload: a configuration that is read again while the gateway runs, at SIGHUP.
//!
//! RE-1 A configuration with a mistake changes nothing; every mistake is in the log, and an event
//!      says that it was refused.
//! RE-2 Lines, buses and rules change at once, those alone that are configured otherwise than
//!      before. All other sections take effect at the next start, and are named.

mod effect;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use pipelines_flow::event_log::EventLog;
use serde_json::{Value, json};
use signals::{Clock, Event, Severity};

use crate::config::{self, Config, ConfigText, LoadError};
use crate::revisions::{Occasion, Revisions};
use crate::rules::{RuleChanges, Rules};
use crate::sources::{ChangeError, Changes, Sources, Spec};

pub use effect::Effect;

/// Mistakes that an event repeats; the log has all.
const MISTAKES_TOLD: usize = 3;

/// Reads the configuration again and lets sources and rules follow it.
pub struct Reload {
    /// Where it was read from.
    pub path: PathBuf,
    /// As it was read at the start: what other sections still say.
    pub started: Config,
    /// What changes.
    pub sources: Arc<Sources>,
    /// What changes as well.
    pub rules: Arc<Rules>,
    /// Where it is told.
    pub events: EventLog,
    /// Whose time events have.
    pub clock: Arc<dyn Clock>,
    /// Name of the gateway, for events.
    pub gateway: String,
    /// Where what was taken is kept.
    pub revisions: Revisions,
    /// One at a time.
    pub busy: Mutex<()>,
}

/// What a configuration has changed.
struct Turned {
    sources: Changes,
    rules: RuleChanges,
    /// Sections that wait for the next start.
    waiting: Vec<&'static str>,
    /// Its number in the history; `None` when it could not be kept.
    revision: Option<u64>,
}

/// Why a configuration was not taken.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{0}")]
    Load(#[from] LoadError),
    #[error("{0}")]
    Change(#[from] ChangeError),
    #[error(
        "gateway.id or gateway.site has changed, and with it the names of all signals and topics; \
         restart the gateway"
    )]
    Identity,
}

impl Reload {
    /// Reads and follows. What happened is in the log and in `_events`.
    pub fn again(&self) {
        let _alone = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        match self.turn() {
            Ok(turned) => self.applied(&turned),
            Err(Refused::Change(ChangeError::Ending)) => {}
            Err(refused) => self.refused(&refused),
        }
    }

    /// Keeps what was taken: without a revision the gateway runs all the same.
    pub fn keep(&self, texts: &[ConfigText], occasion: Occasion) -> Option<u64> {
        let kept = self.revisions.keep(texts, (occasion, self.clock.now()));
        kept.inspect_err(|err| {
            tracing::warn!(%err, "this configuration is not in `fieldgate config history`");
        })
        .ok()
    }

    fn turn(&self) -> Result<Turned, Refused> {
        let (config, texts) = config::load_with_text(&self.path)?;
        let (old, new) = (&self.started.gateway, &config.gateway);
        if (&old.id, &old.site) != (&new.id, &new.site) {
            return Err(Refused::Identity);
        }
        let changes = self.sources.turn_to(Spec::of(&config))?;
        // After the sources: a rule about a new signal is there when its first sample comes.
        let rules = self.rules.turn_to(&config.rules);
        Ok(Turned {
            sources: changes,
            rules,
            waiting: self.started.differs_beside_sources(&config),
            revision: self.keep(&texts, Occasion::Reload),
        })
    }

    fn applied(&self, turned: &Turned) {
        let Turned { sources, rules, waiting, revision } = turned;
        let Changes { added, changed, removed, kept } = sources;
        let mut text = format!("{kept} sources kept");
        let lists = [
            ("added", added),
            ("changed", changed),
            ("removed", removed),
            ("rules added", &rules.added),
            ("rules changed", &rules.changed),
            ("rules removed", &rules.removed),
        ];
        for (what, list) in lists {
            if !list.is_empty() {
                text = format!("{text}; {what}: {}", list.join(", "));
            }
        }
        if !waiting.is_empty() {
            let sections = waiting.join(", ");
            text = format!("{text}; waiting for the next start: {sections}");
        }
        tracing::info!("configuration read again: {text}");
        let details = json!({
            "changes": sources, "rules": rules, "waiting": waiting, "revision": revision,
        });
        self.tell(("configuration_applied", Severity::Note), (text, details));
    }

    fn refused(&self, refused: &Refused) {
        // Without a thread a source is missing; everything else changes nothing.
        if let Refused::Change(err @ ChangeError::Thread { .. }) = refused {
            tracing::error!("configuration taken in part: {err}");
            let kind = ("configuration_incomplete", Severity::Alarm);
            return self.tell(kind, (err.to_string(), Value::Null));
        }
        tracing::error!("configuration refused, everything goes on as it was:\n{refused}");
        let all = refused.to_string();
        let told: Vec<&str> = all.lines().take(MISTAKES_TOLD).collect();
        let more = all.lines().count() - told.len();
        let mut text = format!("everything goes on as it was: {}", told.join(" | "));
        if more > 0 {
            text = format!("{text} | and {more} more, see the log");
        }
        self.tell(("configuration_refused", Severity::Advisory), (text, Value::Null));
    }

    fn tell(&self, (kind, severity): (&str, Severity), (message, details): (String, Value)) {
        let event = Event {
            ts: self.clock.now(),
            kind: kind.to_owned(),
            severity,
            source: self.gateway.clone(),
            message,
            details,
        };
        if let Err(err) = self.events.append(&[event]) {
            tracing::error!(%err, "a changed configuration is not in `_events`");
        }
    }
}
