//! One exported file: under a hidden name while it grows, in place when all are whole.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{Schema, SchemaRef};
use pipelines_flow::disk::RealDisk;
use pipelines_flow::historian::GrowingFile;
use pipelines_flow::lake::unfinished;
use signals::{Disk as _, DiskFile, Timestamp};

use super::Format;
use super::plan::{Plan, TablePart};
use crate::answer::{Encoder, Encoding};

/// A file that is whole and durable under its hidden name; gone with this if it is not published.
pub(super) struct Draft {
    hidden: Hidden,
    pub(super) target: PathBuf,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl Draft {
    /// Gives the file its name.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn publish(self) -> io::Result<()> {
        RealDisk.publish(&self.hidden.0, &self.target)
    }
}

/// A hidden file, removed when nobody has given it a name.
struct Hidden(PathBuf);

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Err(err) = RealDisk.remove(&self.0) {
            tracing::warn!(path = %self.0.display(), %err, "remove it by hand");
        }
    }
}

/// A file to which rows are added.
pub(super) struct Growing {
    hidden: Hidden,
    target: PathBuf,
    schema: SchemaRef,
    rows: u64,
    form: Form,
}

enum Form {
    Parquet(Box<GrowingFile>),
    Arrow(Box<FileWriter<Box<dyn DiskFile>>>),
    Lines(Encoder, Box<dyn DiskFile>),
}

impl Growing {
    /// Begins the file of a table.
    ///
    /// # Errors
    /// What the operating system says, and types that the format cannot hold.
    pub(super) fn begin(plan: &Plan, part: &TablePart, schema: &SchemaRef) -> anyhow::Result<Self> {
        let notes = notes(plan, part);
        // What one of the lake's files says of itself is not true of this one.
        let schema = Schema::new(schema.fields().clone());
        let hidden = Hidden(unfinished(&part.target));
        let path = hidden.0.as_path();
        let (schema, form) = match plan.format {
            Format::Parquet => {
                let schema = SchemaRef::new(schema);
                let file = GrowingFile::begin(&RealDisk, path, SchemaRef::clone(&schema), &notes)?;
                (schema, Form::Parquet(Box::new(file)))
            }
            Format::Arrow => {
                let notes = notes.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
                let schema = SchemaRef::new(schema.with_metadata(notes.collect()));
                let file = FileWriter::try_new(anew(path)?, &schema)?;
                (schema, Form::Arrow(Box::new(file)))
            }
            Format::Csv => lines(Encoding::Csv, schema, path)?,
            Format::Jsonl => lines(Encoding::JsonLines, schema, path)?,
        };
        Ok(Self { hidden, target: part.target.clone(), schema, rows: 0, form })
    }

    /// Adds rows behind those before.
    ///
    /// # Errors
    /// As [`Growing::begin`].
    pub(super) fn add(&mut self, rows: &RecordBatch) -> anyhow::Result<()> {
        let rows = RecordBatch::try_new(SchemaRef::clone(&self.schema), rows.columns().to_vec())?;
        self.rows += rows.num_rows() as u64;
        match &mut self.form {
            Form::Parquet(file) => file.add(rows)?,
            Form::Arrow(file) => file.write(&rows)?,
            Form::Lines(encoder, file) => file.write_all(&encoder.rows(&rows)?)?,
        }
        Ok(())
    }

    /// Ends the file and makes its content durable.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn finish(self) -> anyhow::Result<Draft> {
        let bytes = match self.form {
            Form::Parquet(file) => {
                let (rows, bytes) = file.finish()?;
                anyhow::ensure!(
                    u64::try_from(rows) == Ok(self.rows),
                    "{rows} rows written of {}",
                    self.rows
                );
                bytes
            }
            Form::Arrow(file) => synced((*file).into_inner()?)?,
            Form::Lines(mut encoder, mut file) => {
                file.write_all(&encoder.end()?)?;
                synced(file)?
            }
        };
        Ok(Draft { hidden: self.hidden, target: self.target, rows: self.rows, bytes })
    }
}

fn lines(encoding: Encoding, schema: Schema, path: &Path) -> anyhow::Result<(SchemaRef, Form)> {
    let schema = SchemaRef::new(schema);
    let encoder = Encoder::new(encoding, &schema)?;
    Ok((schema, Form::Lines(encoder, anew(path)?)))
}

/// A new file in the place of one that an export before has left.
fn anew(path: &Path) -> anyhow::Result<Box<dyn DiskFile>> {
    RealDisk.remove(path).with_context(|| path.display().to_string())?;
    Ok(RealDisk.append(path)?)
}

fn synced(mut file: Box<dyn DiskFile>) -> io::Result<u64> {
    file.sync()?;
    file.bytes()
}

/// What the file says of itself.
fn notes(plan: &Plan, part: &TablePart) -> Vec<(&'static str, String)> {
    let mut notes = vec![
        ("fieldgate.table", part.table.clone()),
        ("fieldgate.writer", concat!("fieldgate ", env!("CARGO_PKG_VERSION")).to_owned()),
    ];
    let bounds = [("fieldgate.export_from", plan.from), ("fieldgate.export_to", plan.to)];
    let told = |(key, at): (_, Option<Timestamp>)| at.map(|at| (key, at.to_string()));
    notes.extend(bounds.into_iter().filter_map(told));
    notes
}
