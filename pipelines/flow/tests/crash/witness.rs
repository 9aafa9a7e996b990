//! `DuckDB` beside the crashes: every file that is visible opens.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::ground;

/// A `DuckDB` that looks at a lake when asked.
pub(crate) struct Witness {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Witness {
    pub(crate) fn call() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/witness.py");
        let mut child = Command::new(ground::python())
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    /// Opens every file that it has not seen: what is wrong, in `DuckDB`'s words, or how many it
    /// has seen.
    pub(crate) fn look(&mut self, lake: &Path) -> Result<u64, String> {
        self.ask("new", lake)
    }

    /// The same, and reads all tables whole: no time is there twice.
    pub(crate) fn read_all(&mut self, lake: &Path) -> Result<u64, String> {
        self.ask("all", lake)
    }

    fn ask(&mut self, what: &str, lake: &Path) -> Result<u64, String> {
        writeln!(self.input, "{what} {}", lake.display()).unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        answer.trim().parse().map_err(|_| format!("DuckDB: {answer}"))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}
