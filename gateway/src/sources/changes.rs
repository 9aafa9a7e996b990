//! What a change of the configuration does to sources, and what may keep it from being made.

use serde::Serialize;

/// What a change of the configuration has changed, by label.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Changes {
    /// Sources that are new.
    pub added: Vec<String>,
    /// Sources that began again with another configuration.
    pub changed: Vec<String>,
    /// Sources that are read no longer.
    pub removed: Vec<String>,
    /// Sources that were not touched.
    pub kept: usize,
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// A source cannot be built.
    #[error("{label}: {problem}; all sources go on as they were")]
    Build {
        /// The source.
        label: String,
        /// What is wrong.
        problem: String,
    },
    /// A thread could not be started.
    #[error(
        "{label} is not read any more: no thread for it: {problem}; look at the limit of processes and send SIGHUP again"
    )]
    Thread {
        /// The source.
        label: String,
        /// What the operating system says.
        problem: String,
    },
    /// The gateway ends.
    #[error("the gateway ends; the configuration is read at its next start")]
    Ending,
}
