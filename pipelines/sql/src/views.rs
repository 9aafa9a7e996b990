//! Views of all tables of signals at once: `samples` and `latest`; `completeness` and `holes`, what
//! is not there and why.
//!
//! ```text
//! filters on path ─► which signals, of which tables ─► filters on ts ─► which files
//!                                                                      ─► rows turned into samples
//! ```
//!
//! - V-1 A sample is a cell with a value, or one of which `_quality` says that it is bad. A cell
//!   that is empty by design is none.
//! - V-2 What cannot be shown to be good is not called good.

mod completeness;
mod latest;
mod ledger;
mod paths;
mod samples;
mod unpivot;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Expr;
use signals::table::timestamp_type;

use crate::error::SqlError;
use crate::snapshot::Folders;

use completeness::Completeness;
pub(crate) use completeness::{GAPS, Lives, SIGNALS};
pub(crate) use ledger::{CHANGE_BYTES, Ledger, QUALITY, grade};
pub(crate) use paths::sent_by;
pub(crate) use unpivot::digits;

/// Every sample there is.
pub(crate) const SAMPLES: &str = "samples";
/// The newest one of each signal.
pub(crate) const LATEST: &str = "latest";
/// What of each signal is there and what is not, by hour.
pub(crate) const COMPLETENESS: &str = "completeness";
/// The stretches without samples.
pub(crate) const HOLES: &str = "holes";
/// The views there are.
pub(crate) const NAMES: [&str; 4] = [SAMPLES, LATEST, COMPLETENESS, HOLES];

const TS: &str = "ts";
const PATH: &str = "path";

/// The view of this name over `folders`.
pub(crate) fn view(
    name: &str,
    folders: &Arc<Folders>,
    memory_bytes: usize,
) -> Option<Arc<dyn TableProvider>> {
    match name {
        SAMPLES => Some(Arc::new(samples::Samples::new(folders, memory_bytes))),
        COMPLETENESS => Some(Arc::new(Completeness::hours(folders, memory_bytes))),
        HOLES => Some(Arc::new(Completeness::holes(folders, memory_bytes))),
        LATEST => Some(Arc::new(latest::Latest::new(folders))),
        _ => None,
    }
}

/// Columns of a sample.
fn schema() -> SchemaRef {
    let text = |name: &str, nullable: bool| Field::new(name, DataType::Utf8View, nullable);
    Arc::new(Schema::new(vec![
        Field::new(TS, timestamp_type(), false),
        text(PATH, false),
        Field::new("value", DataType::Float64, true),
        text("text", true),
        text("quality", false),
        text("reason", false),
    ]))
}

/// Whether a filter is about this column and no other.
fn is_about(filter: &Expr, name: &str) -> bool {
    let columns = filter.column_refs();
    !columns.is_empty() && columns.iter().all(|column| column.name == name)
}

/// Reads files on a thread that may wait for them.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> std::result::Result<T, SqlError> + Send + 'static,
) -> Result<T> {
    let read = tokio::task::spawn_blocking(read).await;
    let read = read.map_err(|err| DataFusionError::Execution(err.to_string()))?;
    read.map_err(SqlError::into_engine)
}
