//! `fieldgate can`: recorded frames to the tables a live bus gives; frames of a log or of an interface
//! as text, and counted.

mod dump;
mod input;
mod raw;
mod stats;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adapters_can::dbc::Lint;
use adapters_can::frame::Frame;
use adapters_can::log_decode::{FrameSource, LogDecode, plan_of};
use adapters_can::logs::LogReader;
use adapters_can::plan::{DecodePlan, Matching};
use adapters_can::source::Source;
use anyhow::{Context as _, bail};
use arrow_array::RecordBatch;
use pipelines_flow::disk::RealDisk;
use pipelines_flow::historian::{FileAbout, Profile, by_date, write_file};
use pipelines_flow::lake;
use serde::Serialize;
use signals::{Batch, ClockState, Offset, Table, Timestamp};

/// Rows of one table that may wait before they become a file.
const FILE_ROWS: usize = 256 * 1024;
/// Rows of all tables together that may wait: a log may have hundreds of messages.
const WAITING_ROWS: usize = 2 * 1024 * 1024;

/// Arguments of `fieldgate can`.
#[derive(Clone, Debug, clap::Args)]
pub struct CanArgs {
    /// What to do
    #[command(subcommand)]
    pub command: CanCommand,
}

/// What `fieldgate can` can do.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum CanCommand {
    /// Decode a recorded log to Parquet: the tables a live bus gives, at the log's own times
    Decode(DecodeArgs),
    /// Print the frames of a log or of an interface, with their signals where a database knows them
    Dump(dump::DumpArgs),
    /// Count the frames of a log or of an interface: which identifiers, how many, how often, how much
    /// of the bus they take
    Stats(stats::StatsArgs),
}

/// Arguments of `fieldgate can decode`.
#[derive(Clone, Debug, clap::Args)]
pub struct DecodeArgs {
    /// Databases; the first that knows a message wins
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub dbc: Vec<PathBuf>,
    /// candump, ASC, TRC or BLF, also gzipped; or a folder with raw frames that a gateway kept
    #[arg(long, value_name = "FILE")]
    pub log: PathBuf,
    /// Folder for the tables: new or empty
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How frames find their message
    #[arg(long = "match", value_enum, default_value_t)]
    pub matching: Match,
    /// Print the summary as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// How frames find their message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Match {
    /// By parameter group where the database says J1939, else exactly
    #[default]
    Auto,
    /// By the whole identifier
    Exact,
    /// By J1939 parameter group, whatever priority and source address
    Pgn,
}

impl From<Match> for Matching {
    fn from(matching: Match) -> Self {
        match matching {
            Match::Auto => Self::Auto,
            Match::Exact => Self::Exact,
            Match::Pgn => Self::Pgn,
        }
    }
}

/// What was read and written.
#[derive(Debug, Serialize)]
struct Report {
    frames: u64,
    matched: u64,
    truncated: u64,
    unknown: u64,
    unknown_ids: u64,
    clock_steps: u64,
    bad_lines: u64,
    rows: u64,
    files: u64,
    bytes: u64,
    /// Rows by table.
    tables: BTreeMap<String, u64>,
    lint: Vec<Lint>,
}

/// Runs `fieldgate can …`.
///
/// # Errors
/// What is wrong, as a sentence that says what to do.
pub fn run(args: &CanArgs) -> anyhow::Result<()> {
    match &args.command {
        CanCommand::Decode(args) => decode(args),
        CanCommand::Dump(args) => dump::run(args),
        CanCommand::Stats(args) => stats::run(args),
    }
}

/// Which frames of a log.
#[derive(Clone, Debug, clap::Args)]
pub struct Pick {
    /// Only frames of this interface, as the log names it
    #[arg(long, value_name = "NAME")]
    pub channel: Option<String>,
    /// Only frames of these identifiers, hexadecimal: 3 digits for 11 bits, 8 for 29
    #[arg(long, num_args = 1.., value_name = "HEX")]
    pub id: Vec<String>,
}

/// [`Pick`], checked.
struct Picked<'a> {
    channel: Option<&'a str>,
    ids: Vec<(u32, bool)>,
}

impl Pick {
    fn checked(&self) -> anyhow::Result<Picked<'_>> {
        let mut ids = Vec::with_capacity(self.id.len());
        for text in &self.id {
            let id = u32::from_str_radix(text, 16).ok().filter(|id| *id <= 0x1FFF_FFFF);
            let Some(id) = id.filter(|id| text.len() > 3 || *id <= 0x7FF) else {
                bail!(
                    "--id {text}: no identifier; write 3 hexadecimal digits for 11 bits, 8 for 29"
                );
            };
            ids.push((id, text.len() > 3));
        }
        Ok(Picked { channel: self.channel.as_deref(), ids })
    }
}

impl Picked<'_> {
    fn takes(&self, frame: &Frame, channel: &str) -> bool {
        self.channel.is_none_or(|wanted| wanted == channel)
            && (self.ids.is_empty() || self.ids.contains(&(frame.id, frame.extended)))
    }
}

/// The frames of a log, or those that a gateway kept.
fn frames_of(path: &Path) -> anyhow::Result<Box<dyn FrameSource>> {
    if let Some(raw) = raw::RawFiles::find(path)? {
        return Ok(Box::new(raw));
    }
    let source = Source::File(path.to_owned());
    let input = source.open();
    let input = input.with_context(|| format!("{source}: cannot be read; check the path"))?;
    Ok(Box::new(LogReader::new(input)))
}

fn plan_of_files(
    databases: &[PathBuf],
    matching: Match,
) -> anyhow::Result<(Arc<DecodePlan>, Vec<Lint>)> {
    let databases: Vec<Source> = databases.iter().cloned().map(Source::File).collect();
    Ok(plan_of(&databases, matching.into())?)
}

fn tell_lint(lint: &[Lint]) -> io::Result<()> {
    let mut err = io::stderr().lock();
    lint.iter().try_for_each(|lint| writeln!(err, "{lint}"))
}

fn decode(args: &DecodeArgs) -> anyhow::Result<()> {
    is_free(&args.out)?;
    let (plan, lint) = plan_of_files(&args.dbc, args.matching)?;
    let name = args.log.display().to_string();
    let mut log = LogDecode::of_frames(plan, name, frames_of(&args.log)?);
    let mut files = Files::new(&args.out);
    while let Some(batch) = log.next_batch()? {
        files.add(&batch)?;
    }
    files.finish()?;
    let summary = log.summary();
    let report = Report {
        frames: summary.frames,
        matched: summary.matched,
        truncated: summary.truncated,
        unknown: summary.unknown,
        unknown_ids: summary.unknown_ids,
        clock_steps: summary.clock_steps,
        bad_lines: summary.bad_lines.count,
        rows: files.tables.values().sum(),
        files: files.count,
        bytes: files.bytes,
        tables: files.tables,
        lint,
    };
    let mut err = io::stderr().lock();
    report.lint.iter().try_for_each(|lint| writeln!(err, "{lint}"))?;
    for bad in &summary.bad_lines.first {
        writeln!(err, "{}:{}: {}", args.log.display(), bad.line, bad.problem)?;
    }
    writeln!(err, "{}", sentence(&report))?;
    if args.json {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    }
    Ok(())
}

fn sentence(report: &Report) -> String {
    format!(
        "{} frames: {} matched ({} too short for a signal), {} unknown with {} identifiers; {} \
         rows in {} tables, {} files, {} bytes; {} bad lines, {} clock steps, {} remarks on the \
         databases",
        report.frames,
        report.matched,
        report.truncated,
        report.unknown,
        report.unknown_ids,
        report.rows,
        report.tables.len(),
        report.files,
        report.bytes,
        report.bad_lines,
        report.clock_steps,
        report.lint.len(),
    )
}

/// Files of another decoding would be mixed with this one's.
fn is_free(folder: &Path) -> anyhow::Result<()> {
    match std::fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => bail!("--out {}: not empty; give a new or an empty folder", folder.display()),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(err) => Err(err).with_context(|| {
            format!("--out {}: cannot be read; give a new or an empty folder", folder.display())
        }),
    }
}

/// Rows on their way into files: one file per table and date, or more when there are many rows.
struct Files {
    lake: PathBuf,
    /// Rows of one table that make a file.
    file_rows: usize,
    waiting: BTreeMap<String, Waiting>,
    waiting_rows: usize,
    /// Batches so far: they stand for the journal's offsets in the files' names.
    batches: Offset,
    tables: BTreeMap<String, u64>,
    count: u64,
    bytes: u64,
}

/// Rows of one table and date.
struct Waiting {
    table: Arc<Table>,
    first: Timestamp,
    from: Offset,
    to: Offset,
    batches: Vec<RecordBatch>,
    rows: usize,
}

impl Files {
    fn new(lake: &Path) -> Self {
        Self {
            lake: lake.to_owned(),
            file_rows: FILE_ROWS,
            waiting: BTreeMap::new(),
            waiting_rows: 0,
            batches: Offset::START,
            tables: BTreeMap::new(),
            count: 0,
            bytes: 0,
        }
    }

    fn add(&mut self, batch: &Batch) -> anyhow::Result<()> {
        let at = self.batches;
        self.batches = at.next();
        let name = batch.table.name();
        let mut place = 0;
        for rows in by_date(&batch.rows, batch.timestamps()) {
            let first = batch.timestamps().get(place).copied().unwrap_or_default();
            let first = Timestamp::from_micros(first);
            place += rows.num_rows();
            if self.waiting.get(name).is_some_and(|w| w.first.date() != first.date()) {
                self.write(name)?;
            }
            let waiting = self.waiting.entry(name.to_owned()).or_insert_with(|| Waiting {
                table: Arc::clone(&batch.table),
                first,
                from: at,
                to: at,
                batches: Vec::new(),
                rows: 0,
            });
            waiting.to = at;
            waiting.rows += rows.num_rows();
            self.waiting_rows += rows.num_rows();
            waiting.batches.push(rows);
            if waiting.rows >= self.file_rows {
                self.write(name)?;
            }
        }
        if self.waiting_rows >= WAITING_ROWS {
            self.finish()?;
        }
        Ok(())
    }

    /// Writes all that waits.
    fn finish(&mut self) -> anyhow::Result<()> {
        let names: Vec<String> = self.waiting.keys().cloned().collect();
        names.iter().try_for_each(|name| self.write(name))
    }

    fn write(&mut self, name: &str) -> anyhow::Result<()> {
        let Some(waiting) = self.waiting.remove(name) else { return Ok(()) };
        self.waiting_rows -= waiting.rows;
        let path = lake::path_of(&self.lake, name, waiting.first, waiting.to);
        let about = FileAbout {
            table: waiting.table,
            gateway: "can decode".to_owned(),
            from: waiting.from,
            to: waiting.to,
            clock: ClockState::Synced,
            profile: Profile::Default,
        };
        self.bytes += write_file(&RealDisk, &path, &about, &waiting.batches)
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        self.count += 1;
        *self.tables.entry(name.to_owned()).or_default() += waiting.rows as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
