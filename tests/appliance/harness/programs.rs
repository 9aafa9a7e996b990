//! Programs that share no code with the gateway: Python with its libraries, node with a browser.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::{root, text};

/// The folder with the Python environment: `FIELDGATE_PEERS`, else where `tests/run` puts it.
fn peers() -> PathBuf {
    std::env::var_os("FIELDGATE_PEERS").map_or_else(|| root().join("target/peers"), PathBuf::from)
}

/// A Python that runs a script of `tests/peers`.
pub(crate) fn python(script: &str) -> Command {
    python_of(&root().join("tests/peers").join(script))
}

/// A Python that runs a script, with the libraries of the peers.
pub(crate) fn python_of(script: &Path) -> Command {
    let python = peers().join("venv/bin/python");
    assert!(python.is_file(), "{}: not there; run tests/run first", python.display());
    let mut command = Command::new(python);
    command.arg(script);
    command
}

/// Node with a script of `tests/peers`.
pub(crate) fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(root().join("tests/peers").join(script));
    command
}

/// The JSON that a command prints.
pub(crate) fn answer(command: &mut Command) -> Value {
    let Output { status, stdout, stderr } = command.output().expect("the program can be run");
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {status}\n{stderr}");
    serde_json::from_slice(&stdout).unwrap_or_else(|err| {
        panic!("{command:?}: {err}\n{}\n{stderr}", String::from_utf8_lossy(&stdout));
    })
}

/// Rows of a query of `DuckDB` over the Parquet files of a lake, one view a table.
pub(crate) fn duckdb(lake: &Path, sql: &str) -> Vec<Vec<Value>> {
    let answer = answer(python("sql.py").args([text(lake), sql]));
    serde_json::from_value(answer).expect("rows of values")
}

/// Every file of a lake, read by `DuckDB`, `PyArrow` and pandas; panics with what is wrong.
pub(crate) fn check_lake(lake: &Path) -> Value {
    let report = answer(python("lake_check.py").arg(lake));
    let problems = report["problems"].as_array().expect("a list");
    assert!(problems.is_empty(), "{}: {problems:#?}", lake.display());
    report
}
