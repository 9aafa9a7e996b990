//! `fieldgate export`: a chosen part of the lake and the journal's tail as files, also while a
//! gateway writes.
//!
//! Rows stream: a few batches and one encoded row group are in memory. Files are written under
//! hidden names beside their targets, synced, and get their names when all of them are whole.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt as _;
use pipelines_sql::{Lake, Limits, Part, SqlError};

use super::exit::UsageError;
use file::Draft;
use plan::{Plan, TablePart, Wish};

mod file;
mod plan;

/// A person waits at the terminal and can interrupt.
const TIME_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// The rows of one table that wait in the journal, and what reads files.
const MEMORY_BYTES_MAX: usize = 512 << 20;
/// How often a table is begun anew because files of it were joined while they were read.
const ATTEMPTS_MAX: u32 = 5;

/// Arguments of `fieldgate export`.
///
/// Examples:
///   fieldgate export pump_1s --data /var/lib/fieldgate --out pump.parquet
///   fieldgate export 'pump_*' --data /var/lib/fieldgate --out week --from 2026-11-16 --to 2026-11-23
///   fieldgate export --signals 'plant/pump/*' --format csv --data /var/lib/fieldgate --out pump
#[expect(clippy::doc_markdown, reason = "the examples are for copying")]
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct ExportArgs {
    /// Tables, `*` for any letters; none for all
    pub tables: Vec<String>,
    /// Folder the gateway writes to; it may be running
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// A file of one table (pump.parquet), or a folder for a file a table
    #[arg(long, value_name = "PATH")]
    pub out: PathBuf,
    /// Rows from this time on: 2026-11-23, 2026-11-23T10:30:00Z or 2026-11-23T11:30:00+01:00;
    /// UTC where no zone is given
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Rows before this time
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Only these signals, by path or column, `*` for any letters; several with commas. Times,
    /// qualities and senders always come with them
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub signals: Vec<String>,
    /// How files are written; without it, what the name in --out says, else parquet
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Replace files that are there
    #[arg(long)]
    pub overwrite: bool,
}

/// How files are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Format {
    /// As the lake's own files: types, encodings, and what is known of each signal
    Parquet,
    /// With a header line; nulls are empty
    Csv,
    /// Arrow IPC file (Feather)
    Arrow,
    /// One object a line; nulls are written
    Jsonl,
}

impl Format {
    /// All, with the endings of their files.
    const ALL: [(Self, &'static str); 4] = [
        (Self::Parquet, "parquet"),
        (Self::Csv, "csv"),
        (Self::Arrow, "arrow"),
        (Self::Jsonl, "jsonl"),
    ];

    /// Ending of its files.
    fn ending(self) -> &'static str {
        Self::ALL.into_iter().find(|(format, _)| *format == self).map_or("", |(_, ending)| ending)
    }
}

/// Writes the files.
///
/// # Errors
/// Every mistake in the arguments, or what failed; then no file has been put in place.
pub fn run(args: &ExportArgs) -> anyhow::Result<()> {
    super::wait_for(export(args))
}

async fn export(args: &ExportArgs) -> anyhow::Result<()> {
    let limits = Limits { memory_bytes: MEMORY_BYTES_MAX, time: TIME_MAX, rows: u64::MAX };
    // Mistakes in the arguments are told together, also with a folder that is none.
    let (lake, schemas, unread) = match Lake::open_within(&args.data, limits) {
        Ok(lake) => match lake.schemas().await {
            Ok(schemas) => (Some(lake), schemas, None),
            Err(err) => (None, BTreeMap::new(), Some(err)),
        },
        Err(err) => (None, BTreeMap::new(), Some(err)),
    };
    let wish = Wish { args, schemas: lake.is_some().then_some(&schemas) };
    let (plan, lake) = match (wish.plan(), lake, unread) {
        (Ok(plan), Some(lake), _) => (plan, lake),
        (Ok(_), None, Some(err)) => return Err(told(&args.data, &err)),
        (Ok(_), None, None) => return Ok(()),
        (Err(mut mistakes), _, unread) => {
            mistakes.extend(unread.map(|err| format!("--data: {err}")));
            return Err(UsageError(mistakes.join("\n")).into());
        }
    };
    let mut drafts = Vec::with_capacity(plan.parts.len());
    for part in &plan.parts {
        drafts.push(whole(&lake, &plan, part).await?);
    }
    let (mut rows, mut bytes, files) = (0, 0, drafts.len());
    for draft in drafts {
        (rows, bytes) = (rows + draft.rows, bytes + draft.bytes);
        let target = draft.target.clone();
        draft.publish().with_context(|| {
            format!("{}: cannot be put in place; check the disk and the folder", target.display())
        })?;
    }
    tracing::info!(files, rows, bytes, out = %args.out.display(), "exported");
    Ok(())
}

fn told(data: &std::path::Path, err: &SqlError) -> anyhow::Error {
    let is_usage = matches!(err, SqlError::NoData { .. });
    let text = format!("--data {}: {err}", data.display());
    if is_usage { UsageError(text).into() } else { anyhow::anyhow!(text) }
}

/// A file with all rows of a part, not in place yet; begun anew while compaction outruns it.
async fn whole(lake: &Lake, plan: &Plan, part: &TablePart) -> anyhow::Result<Draft> {
    let mut attempts = 1;
    loop {
        match draft(lake, plan, part).await {
            Err(err) if attempts < ATTEMPTS_MAX && is_outrun(&err) => attempts += 1,
            done => return done,
        }
    }
}

fn is_outrun(err: &anyhow::Error) -> bool {
    err.downcast_ref::<SqlError>().is_some_and(SqlError::is_outrun)
}

async fn draft(lake: &Lake, plan: &Plan, part: &TablePart) -> anyhow::Result<Draft> {
    let (table, columns) = (part.table.as_str(), part.columns.as_slice());
    let asked = Part { table, columns, from: plan.from, to: plan.to };
    let mut rows = lake.extract(&asked).await?;
    let failed = || format!("{}: cannot be written; check the disk", part.target.display());
    let mut growing = file::Growing::begin(plan, part, &rows.schema()).with_context(failed)?;
    while let Some(batch) = rows.next().await {
        growing.add(&batch?).with_context(failed)?;
    }
    growing.finish().with_context(failed)
}

#[cfg(test)]
mod tests;
