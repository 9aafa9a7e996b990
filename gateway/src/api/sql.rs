//! Questions in SQL, answered as a table for the page or as a stream for programs.

use std::io;
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use pipelines_sql::{Rows, SqlError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Problem, Shared};
use crate::answer::{Encoder, Encoding};
use crate::queries::{QUEUE, Seat};

/// Longest question, bytes.
pub(super) const QUESTION_BYTES_MAX: usize = 64 * 1024;
/// Rows of a table for the page: nobody scrolls further.
const TABLE_ROWS_MAX: usize = 2_000;
/// Characters of a cell of a table for the page.
const CELL_CHARS_MAX: usize = 1_000;

/// How the answer is wanted.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// One JSON object: columns, and rows of texts as a person reads them.
    #[default]
    Table,
    Csv,
    Jsonl,
    Arrow,
}

/// A question.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    sql: String,
    #[serde(default)]
    format: Format,
}

/// A question in the address, for programs that read from one.
pub(super) async fn get(
    state: State<Shared>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|err| malformed(&err.body_text()))?;
    answer(state, asked).await
}

/// A question as JSON.
pub(super) async fn post(state: State<Shared>, body: Bytes) -> Result<Response, Problem> {
    let asked = serde_json::from_slice(&body).map_err(|err| malformed(&err.to_string()))?;
    answer(state, asked).await
}

fn malformed(detail: &str) -> Problem {
    const HINT: &str = "give `sql`, and `format` as one of table, csv, jsonl, arrow";
    Problem::bad_request("malformed_question", detail, HINT)
}

async fn answer(State(view): State<Shared>, asked: Asked) -> Result<Response, Problem> {
    let seat = view.queries.seat().await.ok_or_else(|| {
        let detail = format!("{QUEUE} queries run or wait already, or they take long");
        Problem::too_many("queries_busy", detail, "wait until one has ended, then ask again")
    })?;
    let began = Instant::now();
    let rows = view.queries.lake().map_err(|err| problem_of(&err))?.query(&asked.sql).await;
    let rows = rows.map_err(|err| problem_of(&err))?;
    match asked.format {
        Format::Table => table(rows, began).await.map(axum::response::IntoResponse::into_response),
        Format::Csv => stream(rows, Encoding::Csv, seat),
        Format::Jsonl => stream(rows, Encoding::JsonLines, seat),
        Format::Arrow => stream(rows, Encoding::Arrow, seat),
    }
}

fn problem_of(err: &SqlError) -> Problem {
    let detail = err.to_string();
    match err {
        SqlError::Time { .. } | SqlError::Memory { .. } => {
            Problem::unprocessable("query_too_large", detail, "ask for less")
        }
        SqlError::Io { .. } | SqlError::Run(_) | SqlError::NoData { .. } => {
            Problem::internal("query_failed", detail, "see the gateway's log; check the disk")
        }
        SqlError::Syntax(_)
        | SqlError::NotAllowed { .. }
        | SqlError::UnknownTable { .. }
        | SqlError::Plan(_)
        | SqlError::Mixed { .. } => {
            Problem::bad_request("wrong_query", detail, "correct the query and ask again")
        }
    }
}

/// The first rows as texts.
async fn table(mut rows: Rows, began: Instant) -> Result<Json<Value>, Problem> {
    let schema = rows.schema();
    let columns: Vec<Value> = schema
        .fields()
        .iter()
        .map(|field| {
            json!({
                "name": field.name(),
                "type": field.data_type().to_string(),
                "number": field.data_type().is_numeric(),
            })
        })
        .collect();
    let mut cells: Vec<Vec<Option<String>>> = Vec::new();
    let mut is_cut = false;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(|err| problem_of(&err))?;
        let left = TABLE_ROWS_MAX - cells.len();
        is_cut = batch.num_rows() > left;
        let shown = batch.slice(0, batch.num_rows().min(left));
        cells.extend(texts(&shown).map_err(|err| problem_of(&SqlError::Run(err.to_string())))?);
        if is_cut {
            break;
        }
    }
    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Json(json!({ "columns": columns, "rows": cells, "cut": is_cut, "elapsed_ms": ms })))
}

/// Rows of cells; nulls stay apart from empty texts.
fn texts(rows: &RecordBatch) -> Result<Vec<Vec<Option<String>>>, arrow_schema::ArrowError> {
    let options = FormatOptions::default().with_display_error(true);
    let columns = rows.columns().iter().map(|column| {
        Ok((column, ArrayFormatter::try_new(column.as_ref(), &options)?, column.data_type()))
    });
    let columns = columns.collect::<Result<Vec<_>, arrow_schema::ArrowError>>()?;
    let cell = |row: usize| {
        columns.iter().map(move |(column, format, kind)| {
            (!column.is_null(row)).then(|| shortened(format.value(row).to_string(), kind))
        })
    };
    Ok((0..rows.num_rows()).map(|row| cell(row).collect()).collect())
}

/// A number is never shortened: half of it is another one.
fn shortened(mut text: String, kind: &DataType) -> String {
    if !kind.is_numeric()
        && let Some((end, _)) = text.char_indices().nth(CELL_CHARS_MAX)
    {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Bytes as the rows come. A query that fails on the way breaks the transfer off: what came is
/// then not taken for the whole.
fn stream(rows: Rows, encoding: Encoding, seat: Seat) -> Result<Response, Problem> {
    let failed = |err: arrow_schema::ArrowError| problem_of(&SqlError::Run(err.to_string()));
    let encoder = Encoder::new(encoding, &rows.schema()).map_err(failed)?;
    let chunks = futures::stream::unfold(Some((rows, encoder, seat)), |state| async {
        let (mut rows, mut encoder, seat) = state?;
        match rows.next().await {
            Some(Ok(batch)) => {
                let bytes = encoder.rows(&batch).map_err(io::Error::other);
                let more = bytes.is_ok().then_some((rows, encoder, seat));
                Some((bytes, more))
            }
            Some(Err(err)) => {
                tracing::warn!(%err, "an answer was broken off");
                Some((Err(io::Error::other(err)), None))
            }
            None => Some((encoder.end().map_err(io::Error::other), None)),
        }
    });
    let kind = [(header::CONTENT_TYPE, encoding.media_type())];
    Ok((kind, Body::from_stream(chunks)).into_response())
}

#[cfg(test)]
mod tests;
