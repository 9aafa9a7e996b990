//! Part: one table, its rows read and counted, and what the answer says of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::catalog::{Session, TableProvider as _};
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::scalar::ScalarValue;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use signals::table::{Q, TS};

use super::Shape;
use super::answer::{Found, HourRows, Missing, Window, hole_rows, missing_by_hour, pieces};
use super::causes::{Causes, Told};
use super::lives::{Life, Lives};
use super::slots::Islands;
use super::tally::{Asked, Tally};
use crate::snapshot::SignalTable;
use crate::table::LakeTable;
use crate::views::ledger::Ledger;
use crate::views::paths::PathFilter;
use crate::views::samples::within;

/// A table to be counted.
pub(super) struct Part {
    name: String,
    by_sender: bool,
    /// Its rows; none when it has none.
    rows: Option<Arc<dyn ExecutionPlan>>,
    asked: Vec<Asked>,
    /// When each of those was to be sampled.
    lives: Vec<Vec<Life>>,
    /// Time between its rows, µs, where they are on a grid.
    period: Option<i64>,
}

fn time(micros: i64) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())))
}

/// What all tables share.
pub(super) struct Shared {
    pub(super) gaps: Vec<Told>,
    pub(super) ledger: Ledger,
    pub(super) window: Window,
    pub(super) shape: Shape,
    pub(super) schema: SchemaRef,
    /// What is charged for the tail, for what is known of quality and for gaps.
    pub(super) reservation: MemoryReservation,
}

/// Some of the tables, one after the other.
pub(super) struct Parts {
    parts: Vec<Arc<Part>>,
    shared: Arc<Shared>,
}

impl Parts {
    /// These tables.
    pub(super) fn new(parts: Vec<Arc<Part>>, shared: &Arc<Shared>) -> Self {
        Self { parts, shared: Arc::clone(shared) }
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.parts.iter().map(|part| part.name.as_str()).collect();
        f.debug_struct("Parts").field("tables", &names).finish_non_exhaustive()
    }
}

impl PartitionStream for Parts {
    fn schema(&self) -> &SchemaRef {
        &self.shared.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let shared = Arc::clone(&self.shared);
        let rows = stream::iter(self.parts.clone()).then(move |part| {
            let (shared, context) = (Arc::clone(&shared), Arc::clone(&context));
            async move { part.answer(&shared, context).await }
        });
        let rows = rows.map_ok(|batches| stream::iter(batches.into_iter().map(Ok))).try_flatten();
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.shared.schema), rows))
    }
}

impl Part {
    /// What is counted of a table, and the plan that reads its rows.
    pub(super) async fn new(
        state: &dyn Session,
        (table, found): (&SignalTable, Option<&LakeTable>),
        (paths, lives): (&PathFilter, &Lives),
        window: &Window,
    ) -> Result<Self> {
        let mut columns: Vec<usize> = Vec::new();
        let mut named = BTreeMap::new();
        if let Some(found) = found {
            let schema = found.schema();
            let place = |name: &str| schema.column_with_name(name).map(|(place, _)| place);
            columns.extend([place(TS), place(Q), found.sender_column()].into_iter().flatten());
            named = found.columns_by_path();
        }
        for path in lives.paths_in(&table.name) {
            named.entry(path).or_default();
        }
        let texts: Vec<String> = named.keys().cloned().collect();
        let wanted: Vec<_> = if table.by_sender {
            let senders = paths.senders(&texts)?.into_iter();
            senders.map(|senders| (senders.has_any(), Some(senders))).collect()
        } else {
            paths.passes(&texts)?.into_iter().map(|is_wanted| (is_wanted, None)).collect()
        };
        let (mut asked, mut of_asked) = (Vec::new(), Vec::new());
        for ((path, own), (_, senders)) in named.into_iter().zip(wanted).filter(|(_, (is, _))| *is)
        {
            let places = (columns.len()..columns.len() + own.len()).collect();
            columns.extend(own);
            of_asked.push(lives.of(&path, &table.name));
            asked.push(Asked { path, places, senders });
        }
        let rows = match found {
            Some(found) => {
                let times =
                    [col(TS).gt_eq(time(window.read_from)), col(TS).lt(time(window.read_to))];
                let scan = found.scan(state, Some(&columns), &times, None).await?;
                Some(within(state, scan, &times)?)
            }
            None => None,
        };
        let period = of_asked.iter().flatten().filter_map(|life: &Life| life.period).next_back();
        let period = period.filter(|_| !table.by_sender);
        let (name, by_sender) = (table.name.clone(), table.by_sender);
        Ok(Self { name, by_sender, rows, asked, lives: of_asked, period })
    }

    /// The rows of the answer that are about this table.
    async fn answer(&self, shared: &Shared, context: Arc<TaskContext>) -> Result<Vec<RecordBatch>> {
        let charged = shared.reservation.new_empty();
        let asked: &[Asked] = if shared.shape == Shape::Hours { &self.asked } else { &[] };
        let mut tally = Tally::new(asked, &shared.ledger, self.period);
        if let Some(rows) = &self.rows {
            for partition in 0..rows.properties().partitioning.partition_count() {
                let mut batches = rows.execute(partition, Arc::clone(&context))?;
                while let Some(batch) = batches.next().await {
                    tally.add(&batch?);
                    charged.try_resize(tally.bytes())?;
                }
            }
        }
        let slack = self.period.unwrap_or(0) / 2;
        let own = shared.gaps.iter().filter(|told| told.is_about(&self.name));
        let causes = Causes::of(own, slack);
        let newest = tally.islands.as_ref().and_then(Islands::newest);
        let window = Window { known_to: shared.window.known_to.max(newest), ..shared.window };
        let all: Vec<Life> = self.lives.iter().flatten().cloned().collect();
        let pieces = match (tally.islands.take(), self.period) {
            (Some(islands), Some(period)) => pieces(islands, &all, &causes, (&window, period)),
            _ => Vec::new(),
        };
        if shared.shape == Shape::Holes {
            return hole_rows((&shared.schema, &self.name), &pieces, &all, &window);
        }
        let mut rows = HourRows::new((&shared.schema, &self.name), &window, &causes);
        let mut known: Vec<(&[Life], BTreeMap<i64, Missing<'_>>)> = Vec::new();
        for ((asked, lives), counts) in self.asked.iter().zip(&self.lives).zip(&tally.counts) {
            // Most signals of a table came with it.
            if known.last().is_none_or(|(of, _)| of != lives) {
                known.push((lives, missing_by_hour(&pieces, lives)));
            }
            let none = BTreeMap::new();
            let missing = known.last().map_or(&none, |(_, missing)| missing);
            let by_sender = self.by_sender;
            charged.try_resize(tally.bytes().saturating_add(rows.bytes_with_one_more()))?;
            rows.add(&asked.path, &Found { lives, missing, counts, by_sender })?;
        }
        rows.take()
    }
}
