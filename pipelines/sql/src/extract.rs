//! Part of a table in the order in which it was recorded: what an export reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion::error::Result as EngineResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use futures::{StreamExt as _, stream};
use signals::Timestamp;
use signals::table::TS;

use crate::error::SqlError;
use crate::lake::Lake;
use crate::rows::Rows;
use crate::snapshot::Wanted;

/// Part of a table.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// Name of the table.
    pub table: &'a str,
    /// Its columns, in this order.
    pub columns: &'a [String],
    /// Rows from this time on; `None` for all from the first.
    pub from: Option<Timestamp>,
    /// Rows before this time; `None` for all to the last.
    pub to: Option<Timestamp>,
}

impl Part<'_> {
    fn sql(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(|column| quoted(column)).collect();
        let mut sql = format!("SELECT {} FROM {}", columns.join(", "), quoted(self.table));
        let bounds = [(">=", self.from), ("<", self.to)];
        let bounds = bounds.into_iter().filter_map(|(sign, at)| Some((sign, at?)));
        for (place, (sign, at)) in bounds.enumerate() {
            let word = if place == 0 { "WHERE" } else { "AND" };
            // Writing to a String cannot fail.
            let _ok = write!(sql, " {word} {TS} {sign} '{at}'");
        }
        sql
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Lake {
    /// Every table there is now, with its columns: those of all its files and of the journal's
    /// tail.
    ///
    /// # Errors
    /// [`SqlError::Io`], and [`SqlError::Mixed`] for a table that cannot be read as one.
    pub async fn schemas(&self) -> Result<BTreeMap<String, SchemaRef>, SqlError> {
        use datafusion::catalog::TableProvider as _;
        let wanted = Wanted { rows_of: BTreeSet::new(), catalog: true };
        let reservation = self.engine.reservation("schemas");
        let (folders, memory_bytes) = (Arc::clone(&self.folders), self.limits.memory_bytes);
        let read = move || folders.snapshot(&wanted, reservation, memory_bytes);
        let read = tokio::task::spawn_blocking(read);
        let snapshot = read.await.map_err(|err| SqlError::Run(err.to_string()))??;
        let tables = snapshot.tables.into_iter();
        Ok(tables.map(|(name, table)| (name, table.schema())).collect())
    }

    /// The rows of a part of a table as they were recorded: file after file, then the journal's
    /// tail. One reader, one batch at a time.
    ///
    /// # Errors
    /// As [`Lake::query`]; what comes later may be [`SqlError::is_outrun`].
    pub async fn extract(&self, part: &Part<'_>) -> Result<Rows, SqlError> {
        let in_order = Self { is_in_order: true, ..self.clone() };
        in_order.query(&part.sql()).await
    }
}

/// Executes the partitions of a plan one after the other.
pub(crate) fn execute_in_order(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
) -> EngineResult<SendableRecordBatchStream> {
    let schema = plan.schema();
    let parts = execute_stream_partitioned(plan, context)?;
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(parts).flatten())))
}
