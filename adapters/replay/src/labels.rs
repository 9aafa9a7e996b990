//! Labels: what was the case in a recording, and when.
//!
//! One line of CSV each, by time:
//! `start,end,class,kind,asset,also,signals,severity,profile,regime,maintenance`.

use std::fmt;
use std::io;

use signals::Timestamp;

/// What a label tells of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Class {
    /// Something was wrong: what a detector shall find.
    Fault,
    /// Somebody meddled with the frames of a bus: what a detector shall find.
    Attack,
    /// Work on a machine, planned: nothing to alarm about.
    Maintenance,
    /// What an asset was about: `stop`, `start`, `run`, `maintenance`; of a vehicle its road.
    Regime,
    /// What was made.
    Product,
    /// A time at another load than usual; its kind is the ratio.
    Load,
}

impl Class {
    /// Its name in a file of labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Attack => "attack",
            Self::Maintenance => "maintenance",
            Self::Regime => "regime",
            Self::Product => "product",
            Self::Load => "load",
        }
    }
}

/// One thing that was the case, from `start` up to but without `end`.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// From when.
    pub start: Timestamp,
    /// Until when.
    pub end: Timestamp,
    /// What it tells of.
    pub class: Class,
    /// Which one: the name of a fault, of a regime, of a product.
    pub kind: String,
    /// The asset it befell.
    pub asset: String,
    /// Assets that felt it too.
    pub also: Vec<String>,
    /// Paths of the signals that show it first; of an attack the messages it meddled with.
    pub signals: Vec<String>,
    /// 0..=1, of faults.
    pub severity: Option<f64>,
    /// How a fault went to its severity.
    pub profile: &'static str,
    /// What the asset was about when it began.
    pub regime: String,
    /// The tag that hung at the asset when it began.
    pub maintenance: String,
}

impl Label {
    /// A label that tells no more than what was the case, and where.
    #[must_use]
    pub fn new(
        class: Class,
        kind: &str,
        asset: &str,
        (start, end): (Timestamp, Timestamp),
    ) -> Self {
        Self {
            start,
            end,
            class,
            kind: kind.to_owned(),
            asset: asset.to_owned(),
            also: Vec::new(),
            signals: Vec::new(),
            severity: None,
            profile: "",
            regime: String::new(),
            maintenance: String::new(),
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{},{},{},{},{},{},{},",
            self.start,
            self.end,
            self.class.name(),
            field(&self.kind),
            field(&self.asset),
            field(&self.also.join(";")),
            field(&self.signals.join(";")),
        )?;
        if let Some(severity) = self.severity {
            write!(f, "{severity:.2}")?;
        }
        write!(f, ",{},{},{}", self.profile, field(&self.regime), field(&self.maintenance))
    }
}

/// Writes labels by time, with a head line.
///
/// # Errors
/// Those of writing.
pub fn write(labels: &[Label], out: &mut dyn io::Write) -> io::Result<()> {
    let mut sorted: Vec<&Label> = labels.iter().collect();
    sorted.sort_by(|a, b| {
        (a.start, a.class, &a.asset, &a.kind).cmp(&(b.start, b.class, &b.asset, &b.kind))
    });
    let head = "start,end,class,kind,asset,also,signals,severity,profile,regime,maintenance";
    writeln!(out, "{head}")?;
    sorted.into_iter().try_for_each(|label| writeln!(out, "{label}"))
}

/// A field of CSV, in quotes where it must be (RFC 4180).
fn field(text: &str) -> String {
    if !text.contains([',', '"', '\n', '\r']) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        if letter == '"' {
            quoted.push('"');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
