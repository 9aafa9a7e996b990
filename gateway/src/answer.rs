//! Answers to queries as bytes, batch by batch: CSV, JSON lines, Arrow IPC.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, SchemaRef};

/// How rows are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// With a header line; nulls are empty.
    Csv,
    /// One object a line; nulls are written.
    JsonLines,
    /// Arrow IPC stream.
    Arrow,
}

impl Encoding {
    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::JsonLines => "application/jsonl; charset=utf-8",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }
}

/// Turns the batches of one answer into bytes; those of all calls in order are the whole.
pub enum Encoder {
    /// The schema, until the header line has been written.
    Csv(Option<SchemaRef>),
    /// Nothing is kept between batches.
    JsonLines,
    /// The stream being written.
    Arrow(Box<StreamWriter<Vec<u8>>>),
}

impl Encoder {
    /// An encoder of rows of `schema`.
    ///
    /// # Errors
    /// A type that the encoding cannot hold.
    pub fn new(encoding: Encoding, schema: &SchemaRef) -> Result<Self, ArrowError> {
        Ok(match encoding {
            Encoding::Csv => Self::Csv(Some(Arc::clone(schema))),
            Encoding::JsonLines => Self::JsonLines,
            Encoding::Arrow => Self::Arrow(Box::new(StreamWriter::try_new(Vec::new(), schema)?)),
        })
    }

    /// The bytes of these rows, behind those of the head if they are the first.
    ///
    /// # Errors
    /// A type that the encoding cannot hold.
    pub fn rows(&mut self, rows: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        match self {
            Self::Csv(head) => {
                let mut bytes = csv_head(head.take())?;
                arrow_csv::WriterBuilder::new().with_header(false).build(&mut bytes).write(rows)?;
                Ok(bytes)
            }
            Self::JsonLines => {
                let mut bytes = Vec::new();
                let mut writer = arrow_json::WriterBuilder::new()
                    .with_explicit_nulls(true)
                    .build::<_, arrow_json::writer::LineDelimited>(&mut bytes);
                writer.write(rows)?;
                writer.finish()?;
                Ok(bytes)
            }
            Self::Arrow(writer) => {
                writer.write(rows)?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }

    /// The last bytes; the head too, if there were no rows.
    ///
    /// # Errors
    /// A type that the encoding cannot hold.
    pub fn end(&mut self) -> Result<Vec<u8>, ArrowError> {
        match self {
            Self::Csv(head) => csv_head(head.take()),
            Self::JsonLines => Ok(Vec::new()),
            Self::Arrow(writer) => {
                writer.finish()?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }
}

fn csv_head(schema: Option<SchemaRef>) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    if let Some(schema) = schema {
        arrow_csv::Writer::new(&mut bytes).write(&RecordBatch::new_empty(schema))?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
