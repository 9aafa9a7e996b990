//! Lint: what is out of order in a database, row by row.

use std::fmt;

use serde::Serialize;

/// Rows kept per file; more are only counted.
const ROWS_MAX: usize = 2_000;

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LintSeverity {
    /// Odd, but nothing is lost.
    Note,
    /// Read in the way that is most likely meant; somebody should look.
    Warning,
    /// Left out.
    Error,
}

impl fmt::Display for LintSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One deviation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Lint {
    /// File name.
    pub file: String,
    /// Line, from 1; 0 for the file as a whole.
    pub line: u32,
    /// Message it is about, empty if none.
    pub message: String,
    /// Signal it is about, empty if none.
    pub signal: String,
    /// How bad.
    pub severity: LintSeverity,
    /// What is out of order and what was done about it.
    pub text: String,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: ", self.file, self.line, self.severity)?;
        match (self.message.as_str(), self.signal.as_str()) {
            ("", "") => {}
            (message, "") => write!(f, "{message}: ")?,
            (message, signal) => write!(f, "{message}.{signal}: ")?,
        }
        f.write_str(&self.text)
    }
}

/// The deviations of one file, in the order they were found; bounded.
#[derive(Clone, Debug, Default)]
pub struct Lints {
    rows: Vec<Lint>,
    dropped: u64,
}

/// Where in a file something is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) file: &'a str,
    pub(crate) line: u32,
    pub(crate) message: &'a str,
    pub(crate) signal: &'a str,
}

impl<'a> Place<'a> {
    pub(crate) const fn line(file: &'a str, line: u32) -> Self {
        Self { file, line, message: "", signal: "" }
    }
}

impl Lints {
    /// The rows kept.
    #[must_use]
    pub fn rows(&self) -> &[Lint] {
        &self.rows
    }

    /// Rows that were counted only.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(crate) fn add(
        &mut self,
        severity: LintSeverity,
        place: Place<'_>,
        text: impl Into<String>,
    ) {
        if self.rows.len() >= ROWS_MAX {
            self.dropped += 1;
            return;
        }
        self.rows.push(Lint {
            file: place.file.to_owned(),
            line: place.line,
            message: place.message.to_owned(),
            signal: place.signal.to_owned(),
            severity,
            text: text.into(),
        });
    }
}
