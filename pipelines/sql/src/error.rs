//! What can go wrong with a query, and what to do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

use crate::lake::is_missing_file;

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The folder is not one of a gateway.
    #[error(
        "{folder}: neither `lake` nor `journal` is in it; give the folder that `fieldgate run --data` \
         writes to"
    )]
    NoData {
        /// The folder given.
        folder: PathBuf,
    },
    /// The text is not SQL. The position is in the message.
    #[error("not SQL: {0}; check the spelling there, quote names with \" and texts with '")]
    Syntax(String),
    /// A statement that is not a question.
    #[error("{what}; the lake is read only: use SELECT, EXPLAIN, SHOW or DESCRIBE")]
    NotAllowed {
        /// What was asked for.
        what: String,
    },
    /// No such table.
    #[error("no table `{name}`; {hint}")]
    UnknownTable {
        /// The name asked for.
        name: String,
        /// The nearest name there is, or where to look.
        hint: String,
    },
    /// The query does not fit the tables: unknown columns, types that do not go together.
    #[error("{0}; `DESCRIBE <table>` lists columns and types")]
    Plan(String),
    /// One column holds values that no type can hold together.
    #[error(
        "table `{table}`: column `{column}` is {earlier} in older rows and {later} in newer ones; \
         rename the newer signal, or read the older files with another tool"
    )]
    Mixed {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type in older rows.
        earlier: String,
        /// Its type in newer rows.
        later: String,
    },
    /// The time limit was reached.
    #[error(
        "stopped after {limit:?}; ask for less: `WHERE ts > …`, fewer columns, or an aggregate"
    )]
    Time {
        /// The limit.
        limit: Duration,
    },
    /// The memory limit was reached.
    #[error(
        "needs more than {} MiB of memory; ask for less: `WHERE ts > …`, fewer columns, or an \
         aggregate instead of a sort", limit_bytes >> 20
    )]
    Memory {
        /// The limit.
        limit_bytes: usize,
    },
    /// A file or folder cannot be read.
    #[error("{path}: {source}; check that the disk is there and readable, or move the file away")]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the operating system or the file's format said.
        source: io::Error,
    },
    /// The query failed while running.
    #[error("the query failed: {0}")]
    Run(String),
}

impl SqlError {
    /// Whether a file was joined to others, or given up, after it was listed and before it was
    /// read: asked again, there is an answer.
    #[must_use]
    pub fn is_outrun(&self) -> bool {
        matches!(self, Self::Run(_) | Self::Io { .. }) && is_missing_file(self)
    }

    /// As an error of the engine, on its way through it.
    pub(crate) fn into_engine(self) -> DataFusionError {
        if matches!(self, Self::Memory { .. }) {
            return DataFusionError::ResourcesExhausted(self.to_string());
        }
        DataFusionError::External(Box::new(self))
    }

    /// What an error of the engine means to whoever asked.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the engine's list of errors is not ours")]
    pub(crate) fn of_engine(err: &DataFusionError, memory_bytes: usize) -> Self {
        match err.find_root() {
            DataFusionError::SQL(err, _) => Self::Syntax(without_prefix(&err.to_string())),
            DataFusionError::ResourcesExhausted(_) => Self::Memory { limit_bytes: memory_bytes },
            DataFusionError::SchemaError(err, _) => Self::Plan(of_columns(err)),
            DataFusionError::Plan(what) => match what.split_once(" not supported: ") {
                Some(("DDL" | "DML" | "Statement", name)) => {
                    Self::NotAllowed { what: format!("{name} is not allowed") }
                }
                Some(_) | None => Self::Plan(first_line(what)),
            },
            DataFusionError::NotImplemented(what) => Self::Plan(first_line(what)),
            other => Self::Run(first_line(&other.strip_backtrace())),
        }
    }
}

/// The parser names its own stages; nobody outside wants to know.
fn without_prefix(text: &str) -> String {
    let text = text.strip_prefix("sql parser error: ").unwrap_or(text);
    first_line(text)
}

/// An unknown column comes with the nearest that is there.
fn of_columns(err: &SchemaError) -> String {
    let SchemaError::FieldNotFound { field, valid_fields } = err else {
        return first_line(&err.to_string());
    };
    let distance = |near: &&str| strsim::damerau_levenshtein(near, field.name());
    match valid_fields.iter().map(datafusion::prelude::Column::name).min_by_key(distance) {
        Some(nearest) => format!("no column `{}`, the nearest is `{nearest}`", field.name()),
        None => format!("no column `{}`", field.name()),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end_matches(['.', ' ']).to_owned()
}
