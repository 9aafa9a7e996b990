//! `fieldgate query "SQL"`: the lake and the journal's tail in SQL, also while a gateway writes.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use arrow_array::RecordBatch;
use futures::StreamExt as _;
use pipelines_sql::{Lake, Limits, Rows};

use crate::answer::{Encoder, Encoding};

/// Rows of one drawn table: the widths of its columns are known only when all are there.
const DRAWN_ROWS_MAX: usize = 10_000;
/// A person waits at the terminal and can interrupt.
const TIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// A query by hand may take more than one of the page, on whatever machine it runs.
const MEMORY_BYTES_MAX: usize = 1 << 30;

/// Arguments of `fieldgate query`.
#[derive(Clone, Debug, clap::Args)]
pub struct QueryArgs {
    /// One SELECT, EXPLAIN, SHOW or DESCRIBE; `SHOW TABLES` lists the tables
    pub sql: String,
    /// Folder the gateway writes to; it may be running
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// How rows are written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// How rows are written to stdout.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Format {
    /// Drawn with lines, for reading; a new drawing every 10,000 rows
    #[default]
    Table,
    /// With a header line; nulls are empty
    Csv,
    /// One object a line (JSON lines); nulls are written
    Json,
    /// Arrow IPC stream
    Arrow,
}

/// Answers the query on stdout.
///
/// # Errors
/// What is wrong with the query or with the data, as a sentence that says what to do.
pub fn run(args: &QueryArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .context("query: cannot start its threads; check the limits of this user")?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    match runtime.block_on(answer(args, &mut out)) {
        // Whoever reads has seen enough.
        Err(err) if is_broken_pipe(&err) => Ok(()),
        done => done,
    }
}

async fn answer(args: &QueryArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let limits = Limits { memory_bytes: MEMORY_BYTES_MAX, time: TIME_MAX, rows: u64::MAX };
    let lake = Lake::open_within(&args.data, limits)?;
    let rows = lake.query(&args.sql).await?;
    match args.format {
        Format::Table => draw(rows, out).await?,
        Format::Csv => write(rows, Encoding::Csv, out).await?,
        Format::Json => write(rows, Encoding::JsonLines, out).await?,
        Format::Arrow => write(rows, Encoding::Arrow, out).await?,
    }
    out.flush()?;
    Ok(())
}

/// Writes the rows as they come.
async fn write(mut rows: Rows, encoding: Encoding, out: &mut impl Write) -> anyhow::Result<()> {
    let mut encoder = Encoder::new(encoding, &rows.schema())?;
    while let Some(batch) = rows.next().await {
        out.write_all(&encoder.rows(&batch?)?)?;
    }
    out.write_all(&encoder.end()?)?;
    Ok(())
}

async fn draw(mut rows: Rows, out: &mut impl Write) -> anyhow::Result<()> {
    let mut waiting = vec![RecordBatch::new_empty(rows.schema())];
    let mut count = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        if count + batch.num_rows() > DRAWN_ROWS_MAX {
            writeln!(out, "{}", arrow_cast::pretty::pretty_format_batches(&waiting)?)?;
            waiting.truncate(1);
            count = 0;
        }
        count += batch.num_rows();
        waiting.push(batch);
    }
    writeln!(out, "{}", arrow_cast::pretty::pretty_format_batches(&waiting)?)?;
    Ok(())
}

fn is_broken_pipe(err: &anyhow::Error) -> bool {
    let is_pipe = |err: &io::Error| err.kind() == io::ErrorKind::BrokenPipe;
    err.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(is_pipe))
}
