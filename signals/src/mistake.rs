//! Mistakes: what is wrong in a configuration, where, and what to do about it.

use std::fmt;

/// One thing wrong. Checks collect all of them before anybody is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mistake {
    /// The key in question, from the top: `device[1].tag[4].type`.
    pub key: String,
    /// What is wrong, in one clause.
    pub problem: String,
    /// What to do, in one clause.
    pub remedy: String,
}

impl Mistake {
    /// A mistake at `key`.
    #[must_use]
    pub fn new(
        key: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// The same mistake seen from one level further up: `tag[4].type` below `device[1]`.
    #[must_use]
    pub fn below(mut self, parent: &str) -> Self {
        self.key = match self.key.as_str() {
            "" => parent.to_owned(),
            key => format!("{parent}.{key}"),
        };
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.key, self.problem, self.remedy)
    }
}
