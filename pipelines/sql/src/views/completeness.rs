//! `completeness`: of every signal and hour what was expected, what is stored and why the rest is
//! not; `holes`: the stretches without rows, one by one.
//!
//! ```text
//! _signals ─► when a signal was to be sampled ┐
//! rows     ─► times ─► holes between them     ├─► holes cut at hours, signals' lives and causes
//! _gaps    ─► causes, each moment once        ┘   rows of hours: stored + explained + unexplained
//! ```
//!
//! - V-3 Expected is what is stored and what is missing: slots on the grid of the table between,
//!   before and behind its rows, in the lives of the signal, up to the newest commit.
//! - V-4 A missing slot is explained by the gap it lies in and by no other; rows that lie in a gap
//!   are there all the same.

mod answer;
mod causes;
mod lives;
mod part;
mod slots;
mod tally;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use signals::table::{TS, timestamp_type};

use self::answer::Window;
use self::causes::Told;
use self::part::{Part, Parts, Shared};
use self::tally::hour_of;
use super::paths::PathFilter;
use super::{PATH, blocking, is_about};
use crate::snapshot::{Books, Folders, Reading, SignalTable};
use crate::spans::Times;
use crate::table::LakeTable;

pub(crate) use causes::GAPS;
pub(crate) use lives::{Lives, SIGNALS};

const HOUR_US: i64 = 3_600_000_000;
/// Hours that a query looks at, the newest of them: a century, whatever a clock has said.
const HOURS_MAX: i64 = 1 << 20;
const TABLE: &str = "table";

/// The views.
#[derive(Debug)]
pub(super) struct Completeness {
    folders: Arc<Folders>,
    memory_bytes: usize,
    shape: Shape,
    schema: SchemaRef,
}

/// What rows are about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    /// A signal and an hour.
    Hours,
    /// A stretch without rows of a table.
    Holes,
}

impl Completeness {
    /// `completeness`.
    pub(super) fn hours(folders: &Arc<Folders>, memory_bytes: usize) -> Self {
        let text = |name: &str| Field::new(name, DataType::Utf8View, false);
        let number = |name: &str, nullable| Field::new(name, DataType::Int64, nullable);
        let schema = Arc::new(Schema::new(vec![
            Field::new(TS, timestamp_type(), false),
            text(PATH),
            text(TABLE),
            number("period_us", true),
            number("expected", true),
            number("good", false),
            number("uncertain", false),
            number("bad", false),
            text("reasons"),
            number("explained", true),
            text("causes"),
            number("unexplained", true),
        ]));
        Self { folders: Arc::clone(folders), memory_bytes, shape: Shape::Hours, schema }
    }

    /// `holes`.
    pub(super) fn holes(folders: &Arc<Folders>, memory_bytes: usize) -> Self {
        let text = |name: &str| Field::new(name, DataType::Utf8View, false);
        let schema = Arc::new(Schema::new(vec![
            Field::new(TS, timestamp_type(), false),
            Field::new("until", timestamp_type(), false),
            text(TABLE),
            Field::new("missing", DataType::Int64, false),
            text("cause"),
            text("detail"),
        ]));
        Self { folders: Arc::clone(folders), memory_bytes, shape: Shape::Holes, schema }
    }

    /// The tables that are asked for.
    async fn tables(&self, paths: &PathFilter, names: &PathFilter) -> Result<Vec<SignalTable>> {
        let folders = Arc::clone(&self.folders);
        let all = blocking(move || folders.signal_tables()).await?;
        let mut wanted = Vec::new();
        for table in all {
            if names.passes(std::slice::from_ref(&table.name))? == [true]
                && paths.passes_any(table.paths.iter(), table.by_sender)?
            {
                wanted.push(table);
            }
        }
        Ok(wanted)
    }

    /// The books of these tables, and the window they are about.
    async fn read(
        &self,
        state: &dyn Session,
        tables: &Arc<[SignalTable]>,
        filters: &[Expr],
    ) -> Result<Option<(Books, Window)>> {
        let pool = Arc::clone(&state.runtime_env().memory_pool);
        let reservation = MemoryConsumer::new("completeness").register(&pool);
        let hours = Times::of(state, filters)?;
        // The test of read times is made of the window, which is known when the books are open.
        let context = Windows { hours, shape: self.shape };
        let (folders, memory_bytes) = (Arc::clone(&self.folders), self.memory_bytes);
        let tables = Arc::clone(tables);
        blocking(move || {
            let found = std::cell::Cell::new(None);
            let times = |oldest, newest, lives: &Lives| {
                let window = context.window((oldest, newest), lives, &tables);
                found.set(window);
                window.map(|window| Times::between(window.read_from, window.read_to))
            };
            let reading = Reading { tables: &tables, times: &times };
            let books = folders.books(&reading, (reservation, memory_bytes))?;
            let window = found.get();
            Ok(window
                .map(|window| Window { known_to: books.known_to, ..window })
                .map(|w| (books, w)))
        })
        .await
    }
}

/// Which hours a query is about.
struct Windows {
    hours: Times,
    shape: Shape,
}

impl Windows {
    /// The window of the hours that pass the query's filters.
    fn window(
        &self,
        (oldest, newest): (i64, i64),
        lives: &Lives,
        tables: &[SignalTable],
    ) -> Option<Window> {
        let last = hour_of(newest);
        let mut hours = Vec::new();
        let mut hour = hour_of(oldest).max(last.saturating_sub(HOURS_MAX * HOUR_US));
        while hour <= last {
            hours.push(hour);
            hour += HOUR_US;
        }
        let length = if self.shape == Shape::Hours { 0 } else { HOUR_US - 1 };
        let spans = hours.iter().map(|hour| (*hour, hour + length)).collect();
        let passed = self.hours.may_be_in(spans);
        let mut passing = hours.into_iter().zip(passed).filter(|(_, passes)| *passes);
        let (from, _) = passing.next()?;
        let to = passing.next_back().map_or(from, |(hour, _)| hour) + HOUR_US;
        let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        let slowest = lives.slowest(&|table| names.contains(&table)).unwrap_or(0);
        let margin = slowest.saturating_mul(2).saturating_add(60_000_000);
        Some(Window { from, to, read_from: from - margin, read_to: to + margin, known_to: None })
    }
}

#[async_trait]
impl TableProvider for Completeness {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let paths = PathFilter::of(state, filters)?;
        let names = PathFilter::about(state, filters, TABLE)?;
        let tables: Arc<[SignalTable]> = self.tables(&paths, &names).await?.into();
        let Some((books, window)) = self.read(state, &tables, filters).await? else {
            let schema = match projection {
                Some(wanted) => Arc::new(self.schema.project(wanted)?),
                None => Arc::clone(&self.schema),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        };
        let shared = Arc::new(Shared {
            gaps: books.gaps.iter().flat_map(Told::read).collect(),
            ledger: books.ledger,
            window,
            shape: self.shape,
            schema: Arc::clone(&self.schema),
            reservation: books.reservation,
        });
        let found: BTreeMap<String, LakeTable> = books.tables.into_iter().collect();
        let streams = state.config().target_partitions().max(1);
        let mut parts: Vec<Vec<Arc<Part>>> = vec![Vec::new(); streams];
        for (place, table) in tables.iter().enumerate() {
            let rows = (table, found.get(&table.name));
            let part = Part::new(state, rows, (&paths, &books.lives), &window).await?;
            if let Some(own) = parts.get_mut(place % streams) {
                own.push(Arc::new(part));
            }
        }
        let stream = |parts| -> Arc<dyn PartitionStream> { Arc::new(Parts::new(parts, &shared)) };
        let streams = parts.into_iter().map(stream).collect();
        let schema = Arc::clone(&self.schema);
        Ok(Arc::new(StreamingTableExec::try_new(schema, streams, projection, [], false, None)?))
    }

    /// Filters on `path` are kept here; those on `ts` and `table` spare tables and files, and rows
    /// are filtered above.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| {
            if self.shape == Shape::Hours && is_about(filter, PATH) {
                TableProviderFilterPushDown::Exact
            } else {
                TableProviderFilterPushDown::Inexact
            }
        };
        Ok(filters.iter().map(support).collect())
    }
}
