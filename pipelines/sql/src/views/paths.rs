//! Which signals a query is about, as far as its filters on `path` say.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{RecordBatch, StringViewArray};
use arrow_schema::{DataType, Field, Schema};
use datafusion::catalog::Session;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::{PhysicalExpr, conjunction};

use super::{PATH, is_about};

/// A test of paths, or of what another column of texts holds. Without filters all pass.
#[derive(Debug)]
pub(super) struct PathFilter(Option<Arc<dyn PhysicalExpr>>, &'static str);

/// Senders a signal of a table with source addresses can have.
const SENDERS: std::ops::RangeInclusive<u8> = 0..=u8::MAX;

impl PathFilter {
    /// What `filters` say of paths.
    pub(super) fn of(state: &dyn Session, filters: &[Expr]) -> Result<Self> {
        Self::about(state, filters, PATH)
    }

    /// What `filters` say of this column.
    pub(super) fn about(
        state: &dyn Session,
        filters: &[Expr],
        column: &'static str,
    ) -> Result<Self> {
        let schema = DFSchema::try_from(Schema::new(vec![field(column)]))?;
        let about_paths = filters.iter().filter(|filter| is_about(filter, column));
        let tests = about_paths
            .map(|filter| state.create_physical_expr(filter.clone(), &schema))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self((!tests.is_empty()).then(|| conjunction(tests)), column))
    }

    /// Which of these pass.
    pub(super) fn passes(&self, paths: &[String]) -> Result<Vec<bool>> {
        let Some(test) = &self.0 else { return Ok(vec![true; paths.len()]) };
        let schema = Arc::new(Schema::new(vec![field(self.1)]));
        let column: StringViewArray = paths.iter().map(|path| Some(path.as_str())).collect();
        let rows = RecordBatch::try_new(schema, vec![Arc::new(column)])?;
        let passed = test.evaluate(&rows)?.into_array(paths.len())?;
        Ok(passed.as_boolean().iter().map(|passed| passed == Some(true)).collect())
    }

    /// The senders with which each of these paths passes.
    pub(super) fn senders(&self, paths: &[String]) -> Result<Vec<Senders>> {
        if self.0.is_none() {
            return Ok(vec![Senders::all(); paths.len()]);
        }
        let mut found = Vec::with_capacity(paths.len());
        for path in paths {
            let sent: Vec<String> = SENDERS.map(|sender| sent_by(path, sender)).collect();
            found.push(Senders(self.passes(&sent)?));
        }
        Ok(found)
    }

    /// Whether any of the signals of these paths passes.
    pub(super) fn passes_any<'a>(
        &self,
        paths: impl Iterator<Item = &'a String>,
        by_sender: bool,
    ) -> Result<bool> {
        if self.0.is_none() {
            return Ok(true);
        }
        let paths: Vec<String> = paths.cloned().collect();
        if by_sender {
            return Ok(self.senders(&paths)?.iter().any(Senders::has_any));
        }
        Ok(self.passes(&paths)?.contains(&true))
    }
}

/// Senders by address: which of them are wanted.
#[derive(Clone, Debug)]
pub(super) struct Senders(Vec<bool>);

impl Senders {
    fn all() -> Self {
        Self(vec![true; SENDERS.count()])
    }

    /// Whether this one is.
    pub(super) fn has(&self, sender: u8) -> bool {
        self.0.get(usize::from(sender)).copied().unwrap_or(false)
    }

    /// Whether any is.
    pub(super) fn has_any(&self) -> bool {
        self.0.contains(&true)
    }
}

/// The path of a signal of a table with source addresses, as sent by one of them.
pub(crate) fn sent_by(path: &str, sender: u8) -> String {
    format!("{path}@{sender}")
}

fn field(name: &str) -> Field {
    Field::new(name, DataType::Utf8View, false)
}
