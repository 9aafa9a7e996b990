//! `[[can.message]]`: what is expected of single messages.

use std::time::Duration;

use serde::Deserialize;
use signals::{Mistake, duration};

use crate::dbc::{Database, Number};
use crate::plan::DecodePlan;
use crate::watch::ChecksumKind;

/// Shortest and longest cycle.
const CYCLE_RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(24 * 3_600);

/// One message, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct MessageConfig {
    /// Its name, as the database spells it.
    pub name: Option<String>,
    /// How often it comes: `100 ms`. Default: what the database says of it.
    pub cycle: Option<String>,
    /// Signal that is another number in every frame.
    pub counter: Option<String>,
    /// Signal of one byte that is the checksum of the others.
    pub checksum: Option<String>,
    /// How it is made: `xor8`, `sum8`, `crc8_sae_j1850`.
    pub checksum_kind: Option<String>,
}

/// One message, checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Watched {
    name: String,
    cycle: Option<Duration>,
    counter: Option<String>,
    checksum: Option<(String, ChecksumKind)>,
}

impl MessageConfig {
    /// Checks it without reading anything; keys are relative to its table.
    pub(super) fn check(self, mistakes: &mut Vec<Mistake>) -> Option<Watched> {
        let before = mistakes.len();
        if self.name.as_deref().unwrap_or_default().is_empty() {
            let remedy = "name the message as its database does, like `EEC1`";
            mistakes.push(Mistake::new("name", "is missing", remedy));
        }
        let cycle = self.cycle.map(|text| match duration::parse(&text) {
            Ok(cycle) if CYCLE_RANGE.contains(&cycle) => cycle,
            Ok(_) => {
                let problem = format!("`{text}` is not between 1 ms and 24 h");
                mistakes.push(Mistake::new("cycle", problem, "write how often the message comes"));
                Duration::default()
            }
            Err(problem) => {
                mistakes.push(Mistake::new("cycle", problem, "write for example `100 ms`"));
                Duration::default()
            }
        });
        let kind = self.checksum_kind.as_deref();
        let known = kind.and_then(|kind| ChecksumKind::ALL.iter().find(|(name, _)| *name == kind));
        let names = "write `xor8`, `sum8` or `crc8_sae_j1850`";
        match (kind, known, &self.checksum) {
            (Some(kind), None, _) => {
                let problem = format!("`{kind}` is no checksum");
                mistakes.push(Mistake::new("checksum_kind", problem, names));
            }
            (None, _, Some(_)) => {
                mistakes.push(Mistake::new("checksum_kind", "is missing", names));
            }
            (Some(_), Some(_), None) => {
                let remedy = "name the signal that holds it";
                mistakes.push(Mistake::new("checksum", "is missing", remedy));
            }
            (Some(_), Some(_), Some(_)) | (None, _, None) => {}
        }
        if mistakes.len() > before {
            return None;
        }
        let checksum = self.checksum.zip(known.map(|(_, kind)| *kind));
        Some(Watched { name: self.name?, cycle, counter: self.counter, checksum })
    }
}

impl Watched {
    /// Puts what is expected into the plan; mistakes for what no database has.
    pub(crate) fn apply(
        &self,
        databases: &[Database],
        plan: &mut DecodePlan,
        mistakes: &mut Vec<Mistake>,
    ) {
        let mut messages = databases.iter().flat_map(|database| &database.messages);
        let Some(message) = messages.find(|message| message.name == self.name) else {
            let problem = format!("no database of this bus has `{}`", self.name);
            mistakes.push(Mistake::new("name", problem, "write it as the database spells it"));
            return;
        };
        let mut field_of = |key: &str, wanted: &str| {
            let found = message.signals.iter().find(|signal| signal.name == wanted);
            let fits = found
                .filter(|signal| signal.number == Number::Unsigned && signal.field.width() <= 64);
            if fits.is_none() {
                let problem = format!("`{wanted}` is no unsigned signal of {}", self.name);
                mistakes.push(Mistake::new(key, problem, "write it as the database spells it"));
            }
            fits.map(|signal| signal.field)
        };
        let counter = self.counter.as_ref().map(|wanted| field_of("counter", wanted));
        let checksum = self.checksum.as_ref().map(|(wanted, kind)| {
            let field = field_of("checksum", wanted)?;
            Some((field, *kind))
        });
        if let Some(Some((field, _))) = checksum
            && !field.is_whole_byte()
        {
            let problem = "is not one whole byte of the message".to_owned();
            mistakes.push(Mistake::new("checksum", problem, "name a signal of 8 bits in one byte"));
            return;
        }
        for message in plan.named_mut(&self.name) {
            message.expected.cycle = self.cycle.or(message.expected.cycle);
            message.expected.counter = counter.flatten();
            message.expected.checksum = checksum.flatten();
        }
    }
}
