//! `latest`: the newest sample of every signal.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::{blocking, schema};
use crate::snapshot::{Folders, Row};

/// The view.
#[derive(Debug)]
pub(super) struct Latest {
    folders: Arc<Folders>,
    schema: SchemaRef,
}

impl Latest {
    pub(super) fn new(folders: &Arc<Folders>) -> Self {
        Self { folders: Arc::clone(folders), schema: schema() }
    }

    fn rows(&self, rows: &[Row]) -> Result<RecordBatch> {
        let times = rows.iter().map(|(_, newest)| newest.micros);
        let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
        let paths: StringViewArray = rows.iter().map(|(path, _)| Some(path.as_str())).collect();
        let values: Float64Array = rows.iter().map(|(_, newest)| newest.value).collect();
        let texts: StringViewArray = rows.iter().map(|(_, newest)| newest.text.clone()).collect();
        let classes: StringViewArray =
            rows.iter().map(|(_, newest)| Some(newest.class.as_str())).collect();
        let reasons: StringViewArray =
            rows.iter().map(|(_, newest)| Some(&*newest.reason)).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(times),
            Arc::new(paths),
            Arc::new(values),
            Arc::new(texts),
            Arc::new(classes),
            Arc::new(reasons),
        ];
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

#[async_trait]
impl TableProvider for Latest {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let folders = Arc::clone(&self.folders);
        let rows = blocking(move || folders.last_values()).await?;
        let rows = [vec![self.rows(&rows)?]];
        let schema = Arc::clone(&self.schema);
        Ok(MemorySourceConfig::try_new_exec(&rows, schema, projection.cloned())?)
    }
}
