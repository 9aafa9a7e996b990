//! Which files can hold rows of the times a query asks for, as far as their names say.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, BooleanArray, TimestampMicrosecondArray};
use arrow_schema::{Field, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::conjunction;
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use pipelines_flow::lake::LakeFile;
use signals::table::{TS, timestamp_type};

const DAY: Duration = Duration::from_hours(24);

/// Times of the rows of a file, µs, both included.
pub(crate) type Span = (i64, i64);

/// The times of a file's rows: from its first one to the end of its date.
pub(crate) fn span_of(file: &LakeFile) -> Span {
    let day_us = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX);
    (file.first.micros(), file.first.floor(DAY).micros().saturating_add(day_us - 1))
}

/// What filters say of `ts` alone.
#[derive(Debug)]
pub(crate) struct Times(Kept);

/// Which times those are.
#[derive(Debug)]
enum Kept {
    Any,
    Between(i64, i64),
    Passing(Box<PruningPredicate>),
}

impl Times {
    /// Of any time.
    pub(crate) const ANY: Self = Self(Kept::Any);

    /// From a time, µs, up to another, which is not one of them.
    pub(crate) const fn between(from: i64, to: i64) -> Self {
        Self(Kept::Between(from, to))
    }

    /// The times of which all of `filters` that are about `ts` alone can hold.
    pub(crate) fn of(state: &dyn Session, filters: &[Expr]) -> Result<Self> {
        let schema: SchemaRef =
            Arc::new(Schema::new(vec![Field::new(TS, timestamp_type(), false)]));
        let named = DFSchema::try_from(Arc::clone(&schema))?;
        let about = filters.iter().filter(|filter| is_about_time(filter));
        let tests = about
            .map(|filter| state.create_physical_expr(filter.clone(), &named))
            .collect::<Result<Vec<_>>>()?;
        if tests.is_empty() {
            return Ok(Self::ANY);
        }
        let test = PruningPredicateBuilder::new().with_file_schema(schema);
        test.try_build(conjunction(tests)).map(|test| Self(Kept::Passing(Box::new(test))))
    }

    /// Which of these spans may hold such times. What cannot be told may.
    pub(crate) fn may_be_in(&self, spans: Vec<Span>) -> Vec<bool> {
        let count = spans.len();
        let all = vec![true; count];
        match &self.0 {
            Kept::Passing(test) if count > 0 => test.prune(&Spans(spans)).unwrap_or(all),
            Kept::Between(from, to) => {
                spans.iter().map(|(first, last)| last >= from && first < to).collect()
            }
            Kept::Passing(_) | Kept::Any => all,
        }
    }
}

/// Whether a filter is about `ts` and nothing else.
pub(crate) fn is_about_time(filter: &Expr) -> bool {
    let columns = filter.column_refs();
    !columns.is_empty() && columns.iter().all(|column| column.name == TS)
}

/// Spans as the engine asks for them.
struct Spans(Vec<Span>);

impl Spans {
    fn times(&self, column: &Column, time: impl Fn(&Span) -> i64) -> Option<ArrayRef> {
        let times = TimestampMicrosecondArray::from_iter_values(self.0.iter().map(time));
        (column.name == TS).then(|| Arc::new(times.with_timezone("UTC")) as ArrayRef)
    }
}

impl PruningStatistics for Spans {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.times(column, |(first, _)| *first)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.times(column, |(_, last)| *last)
    }

    fn num_containers(&self) -> usize {
        self.0.len()
    }

    fn null_counts(&self, _column: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(
        &self,
        _column: &Column,
        _values: &std::collections::HashSet<ScalarValue>,
    ) -> Option<BooleanArray> {
        None
    }
}
