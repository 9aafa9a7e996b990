//! `fieldgate score`: the detectors over a CSV or Parquet file, as they would have run live.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use models::{Family, ScoreRequest, ScoredRow, score_columns};
use pipelines_flow::disk::RealDisk;
use signals::Timestamp;

pub use self::benchmark::{BenchmarkArgs, run as run_benchmark};

mod benchmark;
mod csv;
mod parquet;
mod time;

/// Arguments of `fieldgate score`.
#[derive(Clone, Debug, clap::Args)]
pub struct ScoreArgs {
    /// CSV (`,` or `;`, with a header line) or Parquet
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// Column of the time: ISO 8601, or a number of s, ms, µs or ns
    #[arg(long, value_name = "COL")]
    pub time: String,
    /// Columns to watch; all but the time and the ignored ones if not given
    #[arg(long, value_name = "COL", value_delimiter = ',')]
    pub signals: Vec<String>,
    /// Columns to leave out, such as labels
    #[arg(long, value_name = "COL", value_delimiter = ',')]
    pub ignore: Vec<String>,
    /// Rows from the start to fit on; they must be clean
    #[arg(long, value_name = "ROWS")]
    pub fit: usize,
    /// Rows after those to calibrate on; they must be clean, too
    #[arg(long, value_name = "ROWS")]
    pub calibrate: usize,
    /// Family of the detector
    #[arg(long, value_name = "NAME", default_value = Family::Ewma.as_str())]
    pub family: String,
    /// File for `ts,score,p,alarm,top1,top2,top3`, one line per row of the input
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// What is asked of the file.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    time: &'a str,
    signals: &'a [String],
    ignore: &'a [String],
}

/// A file in columns.
struct Columns {
    ts: Vec<Timestamp>,
    /// The times as they were written.
    stamps: Vec<String>,
    names: Vec<String>,
    values: Vec<Vec<Option<f64>>>,
}

/// Scores the file.
///
/// # Errors
/// What is wrong with the input, with file, column and row, or with the output.
pub fn run(args: &ScoreArgs) -> anyhow::Result<()> {
    let family = family_of(&args.family)?;
    let wanted = Wanted { time: &args.time, signals: &args.signals, ignore: &args.ignore };
    let input = &args.input;
    let columns = read(input, wanted).with_context(|| format!("{}", input.display()))?;
    let request = ScoreRequest {
        ts: &columns.ts,
        names: &columns.names,
        columns: &columns.values,
        fit_rows: args.fit,
        calibrate_rows: args.calibrate,
        family,
    };
    let scored = score_columns(request).with_context(|| format!("{}", input.display()))?;
    let text = lines(&columns.stamps, &scored);
    signals::disk::replace(&RealDisk, &args.out, text.as_bytes())
        .with_context(|| format!("{}: cannot be written", args.out.display()))
}

fn family_of(name: &str) -> anyhow::Result<Family> {
    Family::from_name(name).with_context(|| {
        let known = Family::ALL.map(Family::as_str).join(", ");
        format!("--family {name}: unknown; choose {known}")
    })
}

fn read(path: &Path, wanted: Wanted<'_>) -> anyhow::Result<Columns> {
    let mut magic = [0_u8; 4];
    let mut file = File::open(path).context("cannot be opened; check the path")?;
    let is_parquet = file.read_exact(&mut magic).is_ok() && &magic == b"PAR1";
    let file = File::open(path).context("cannot be opened; check the path")?;
    if is_parquet { parquet::read(file, wanted) } else { csv::read(file, wanted) }
}

impl Wanted<'_> {
    /// Places of the time column and of the signals among `names`.
    fn places(&self, names: &[String]) -> anyhow::Result<(usize, Vec<usize>)> {
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        let missing =
            |wanted: &str| format!("no column `{wanted}`; there are {}", names.join(", "));
        let time = place(self.time).with_context(|| missing(self.time))?;
        for name in self.ignore {
            place(name).with_context(|| missing(name))?;
        }
        let signals = if self.signals.is_empty() {
            let taken = |name: &&String| **name != self.time && !self.ignore.contains(name);
            names.iter().filter(taken).filter_map(|name| place(name)).collect::<Vec<_>>()
        } else {
            let chosen = self.signals.iter().filter(|name| !self.ignore.contains(name));
            chosen
                .map(|name| place(name).with_context(|| missing(name)))
                .collect::<anyhow::Result<_>>()?
        };
        if signals.is_empty() {
            bail!("no column is left to score; name some with --signals");
        }
        Ok((time, signals))
    }
}

fn lines(stamps: &[String], scored: &[ScoredRow]) -> String {
    let mut text = "ts,score,p,alarm,top1,top2,top3\n".to_owned();
    for (stamp, row) in stamps.iter().zip(scored) {
        let number = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
        let top = |place: usize| row.top.get(place).map_or("", |part| part.signal.as_str());
        let cells = [
            quoted(stamp),
            number(row.score),
            number(row.p),
            u8::from(row.alarm).to_string(),
            quoted(top(0)),
            quoted(top(1)),
            quoted(top(2)),
        ];
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

/// A cell of a CSV file, RFC 4180.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests;
