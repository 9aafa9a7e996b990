//! `samples`: every sample of every signal, one row each.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::conjunction;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use signals::table::{Q, TS};

use super::ledger::Ledger;
use super::paths::{PathFilter, Senders};
use super::unpivot::{Column, SamplesExec, Turn};
use super::{PATH, blocking, is_about, schema};
use crate::snapshot::{Folders, SignalTable, Signals};
use crate::spans::{Times, is_about_time};
use crate::table::LakeTable;

/// The view.
#[derive(Debug)]
pub(super) struct Samples {
    folders: Arc<Folders>,
    memory_bytes: usize,
    schema: SchemaRef,
}

impl Samples {
    pub(super) fn new(folders: &Arc<Folders>, memory_bytes: usize) -> Self {
        Self { folders: Arc::clone(folders), memory_bytes, schema: schema() }
    }

    /// The tables with a signal that is asked for.
    async fn tables(&self, paths: &PathFilter) -> Result<Vec<SignalTable>> {
        let folders = Arc::clone(&self.folders);
        let all = blocking(move || folders.signal_tables()).await?;
        let mut wanted = Vec::new();
        for table in all {
            if paths.passes_any(table.paths.iter(), table.by_sender)? {
                wanted.push(table);
            }
        }
        Ok(wanted)
    }

    /// What is read of these tables, in the order that Q-1 asks for.
    async fn read(
        &self,
        state: &dyn Session,
        tables: Vec<SignalTable>,
        times: Times,
    ) -> Result<Signals> {
        let folders = Arc::clone(&self.folders);
        let memory_bytes = self.memory_bytes;
        let pool = Arc::clone(&state.runtime_env().memory_pool);
        let reservation = MemoryConsumer::new("samples").register(&pool);
        blocking(move || folders.signals(&tables, &times, (reservation, memory_bytes))).await
    }
}

#[async_trait]
impl TableProvider for Samples {
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
        let times: Vec<Expr> = filters.iter().filter(|f| is_about_time(f)).cloned().collect();
        let tables = self.tables(&paths).await?;
        let found = self.read(state, tables, Times::of(state, &times)?).await?;
        let ledger = Arc::new(found.ledger);
        let schema = match projection {
            Some(wanted) => Arc::new(self.schema.project(wanted)?),
            None => Arc::clone(&self.schema),
        };
        let (mut plans, mut turns) = (Vec::new(), Vec::new());
        for table in &found.tables {
            let (columns, turn) = turn(table, &paths, &ledger, &schema)?;
            if turn.columns() > 0 {
                let scan = table.scan(state, Some(&columns), &times, None).await?;
                plans.push(within(state, scan, &times)?);
                turns.push(Arc::new(turn));
            }
        }
        if plans.is_empty() {
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let partitions = state.config().target_partitions();
        let held = Arc::new(found.reservation);
        Ok(Arc::new(SamplesExec::new((plans, turns), schema, partitions, held)))
    }

    /// Filters on `path` and on `ts` are kept to the row here.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| {
            if is_about(filter, PATH) || is_about_time(filter) {
                TableProviderFilterPushDown::Exact
            } else {
                TableProviderFilterPushDown::Unsupported
            }
        };
        Ok(filters.iter().map(support).collect())
    }
}

/// How the rows of a table become samples of `schema`, and which of its columns that takes.
fn turn(
    table: &LakeTable,
    paths: &PathFilter,
    ledger: &Arc<Ledger>,
    schema: &SchemaRef,
) -> Result<(Vec<usize>, Turn)> {
    let columns = table.schema();
    let place = |name: &str| columns.column_with_name(name).map(|(place, _)| place);
    let of_row = [place(TS), place(Q), table.sender_column()];
    let mut columns: Vec<usize> = of_row.into_iter().flatten().collect();
    let named: Vec<(usize, String)> = table.signals().collect();
    let texts: Vec<String> = named.iter().map(|(_, path)| path.clone()).collect();
    let wanted: Vec<(bool, Option<Senders>)> = if table.sender_column().is_some() {
        let senders = paths.senders(&texts)?.into_iter();
        senders.map(|senders| (senders.has_any(), Some(senders))).collect()
    } else {
        paths.passes(&texts)?.into_iter().map(|is_wanted| (is_wanted, None)).collect()
    };
    let mut signals = Vec::new();
    for ((place, path), (is_wanted, senders)) in named.into_iter().zip(wanted) {
        if is_wanted {
            signals.push(Column { place: columns.len(), path, senders });
            columns.push(place);
        }
    }
    Ok((columns, Turn { signals, ledger: Arc::clone(ledger), schema: Arc::clone(schema) }))
}

/// The rows of these times alone.
pub(super) fn within(
    state: &dyn Session,
    scan: Arc<dyn ExecutionPlan>,
    times: &[Expr],
) -> Result<Arc<dyn ExecutionPlan>> {
    if times.is_empty() {
        return Ok(scan);
    }
    let schema: &Schema = &scan.schema();
    let schema = DFSchema::try_from(schema.clone())?;
    let tests = times
        .iter()
        .map(|filter| state.create_physical_expr(filter.clone(), &schema))
        .collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(FilterExec::try_new(conjunction(tests), scan)?))
}
