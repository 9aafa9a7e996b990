//! Findings: what a command that looks around tells, each with its remedy.

use std::fmt;

use anyhow::bail;
use serde::Serialize;

/// How a check has ended.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Good,
    /// It works, but wants attention.
    Warning,
    /// It does not work.
    Bad,
}

/// What a check has found.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    /// Which thing.
    about: String,
    /// What is so.
    found: String,
    /// What to do; empty when it is good.
    remedy: String,
}

impl Finding {
    pub(super) fn good(about: impl Into<String>, found: impl Into<String>) -> Self {
        let (about, found) = (about.into(), found.into());
        Self { verdict: Verdict::Good, about, found, remedy: String::new() }
    }

    pub(super) fn warning(
        about: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (about, found, remedy) = (about.into(), found.into(), remedy.into());
        Self { verdict: Verdict::Warning, about, found, remedy }
    }

    pub(super) fn bad(
        about: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { verdict: Verdict::Bad, ..Self::warning(about, found, remedy) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Good => "ok      ",
            Verdict::Warning => "warning ",
            Verdict::Bad => "wrong   ",
        };
        write!(f, "{mark} {}: {}", self.about, self.found)?;
        if !self.remedy.is_empty() {
            write!(f, "\n         -> {}", self.remedy)?;
        }
        Ok(())
    }
}

/// As a person reads it.
pub(super) fn told(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{finding}\n")).collect::<Vec<_>>().concat()
}

/// Prints them, for a person or as a JSON array.
///
/// # Errors
/// When something is wrong; how much.
pub(super) fn tell(findings: &[Finding], is_json: bool) -> anyhow::Result<()> {
    if is_json {
        super::print(&format!("{}\n", serde_json::to_string_pretty(findings)?))?;
    } else {
        super::print(&told(findings))?;
    }
    let wrong = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    if wrong > 0 {
        bail!("{wrong} of {} checks say that something is wrong", findings.len());
    }
    Ok(())
}
