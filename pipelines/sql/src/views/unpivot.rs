//! Rows of tables turned into samples, table by table, batch by batch, column by column.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning,
    PlanProperties, ReplaceChildrenOptions,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};

mod cells;

pub(crate) use cells::digits;
pub(super) use cells::{Column, Turn};

/// The samples of some tables. Tables are read one after the other, so that memory does not grow
/// with their number.
#[derive(Debug)]
pub(super) struct SamplesExec {
    /// Plans whose columns are `ts`, `q`, perhaps `sa`, then those of signals.
    tables: Vec<Arc<dyn ExecutionPlan>>,
    /// How the rows of each become samples.
    turns: Vec<Arc<Turn>>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    /// What is charged for the tail and for what is known of quality.
    held: Arc<MemoryReservation>,
}

impl SamplesExec {
    /// Samples of these tables with the columns of `schema`, in `partitions` streams.
    pub(super) fn new(
        (tables, turns): (Vec<Arc<dyn ExecutionPlan>>, Vec<Arc<Turn>>),
        schema: SchemaRef,
        partitions: usize,
        held: Arc<MemoryReservation>,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(partitions.max(1)),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { tables, turns, schema, properties: Arc::new(properties), held }
    }
}

impl DisplayAs for SamplesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signals: usize = self.turns.iter().map(|turn| turn.columns()).sum();
        write!(f, "SamplesExec: tables={}, columns={signals}", self.tables.len())
    }
}

impl ExecutionPlan for SamplesExec {
    fn name(&self) -> &'static str {
        "SamplesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.tables.iter().collect()
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.tables.len()]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            tables: children,
            turns: self.turns.clone(),
            schema: Arc::clone(&self.schema),
            properties: Arc::clone(&self.properties),
            held: Arc::clone(&self.held),
        }))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let streams = self.properties.partitioning.partition_count();
        let parts = self.tables.iter().zip(&self.turns).flat_map(|(table, turn)| {
            let parts = table.properties().partitioning.partition_count();
            (0..parts).map(move |part| (Arc::clone(table), Arc::clone(turn), part))
        });
        let own: Vec<_> =
            parts.enumerate().filter(|(place, _)| place % streams == partition).collect();
        let held = Arc::clone(&self.held);
        let samples = stream::iter(own).map(move |(_, (table, turn, part))| {
            let rows = table.execute(part, Arc::clone(&context))?;
            let _charged_as_long_as_read = &held;
            let samples = rows.map_ok(move |rows| samples_of(&turn, rows)).try_flatten();
            Ok::<_, DataFusionError>(samples)
        });
        let samples = samples.try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), samples)))
    }
}

/// The samples of a batch, made when they are asked for.
fn samples_of(
    turn: &Arc<Turn>,
    rows: RecordBatch,
) -> impl futures::Stream<Item = Result<RecordBatch>> + use<> {
    let turn = Arc::clone(turn);
    let made = (0..turn.columns()).flat_map(move |column| turn.samples(column, &rows));
    stream::iter(made)
}
