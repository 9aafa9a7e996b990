//! A table as the planner sees it: files of the lake and rows of the tail under one schema.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, Session, TableProvider};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::object_store::path::Path as StorePath;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use signals::table::SA;

use crate::spans::Times;

/// Bytes read from a file's end at first: most footers fit.
const FOOTER_BYTES: usize = 64 << 10;

/// A file of the table.
#[derive(Debug)]
pub(crate) struct FoundFile {
    /// Where it is, absolute.
    pub(crate) path: PathBuf,
    /// Its length.
    pub(crate) bytes: u64,
    /// Time of its first row, µs.
    pub(crate) first: i64,
    /// The last moment of its date, µs.
    pub(crate) end: i64,
}

/// One table of a snapshot.
#[derive(Debug)]
pub(crate) struct LakeTable {
    schema: SchemaRef,
    files: Vec<FoundFile>,
    tail: Vec<RecordBatch>,
}

impl LakeTable {
    /// A table of `schema`, which the batches of `tail` have and the files' are part of.
    pub(crate) fn new(schema: SchemaRef, files: Vec<FoundFile>, tail: Vec<RecordBatch>) -> Self {
        Self { schema, files, tail }
    }

    /// Its signals: where their columns are, and their paths as last given.
    pub(crate) fn signals(&self) -> impl Iterator<Item = (usize, String)> {
        let fields = self.schema.fields().iter().enumerate();
        fields.filter_map(|(place, field)| Some((place, field.metadata().get("path")?.clone())))
    }

    /// The place of each column of signals by path: one that has changed its type has several.
    pub(crate) fn columns_by_path(&self) -> BTreeMap<String, Vec<usize>> {
        let mut columns: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, path) in self.signals() {
            columns.entry(path).or_default().push(place);
        }
        columns
    }

    /// The earliest moment of its rows, µs; `None` without rows.
    pub(crate) fn first_micros(&self) -> Option<i64> {
        let of_tail = self.tail.iter().filter_map(|rows| {
            let times = rows.column(0).as_primitive_opt::<TimestampMicrosecondType>()?;
            times.values().iter().copied().min()
        });
        self.files.iter().map(|file| file.first).chain(of_tail).min()
    }

    /// Where its column of senders is, if it has one.
    pub(crate) fn sender_column(&self) -> Option<usize> {
        let (place, field) = self.schema.column_with_name(SA)?;
        (!field.metadata().contains_key("path")).then_some(place)
    }

    /// The scan of these files, shared out to the threads in runs of neighbours.
    fn files_scan(
        &self,
        state: &dyn Session,
        files: Vec<&FoundFile>,
        projection: Option<&Vec<usize>>,
    ) -> Result<FileScanConfig> {
        let file = |file: &FoundFile| -> Result<PartitionedFile> {
            let location = StorePath::from_absolute_path(&file.path)
                .map_err(|err| DataFusionError::External(Box::new(err)))?;
            let mut found = PartitionedFile::new(String::new(), file.bytes);
            found.object_meta.location = location;
            Ok(found)
        };
        let files = files.into_iter().map(file).collect::<Result<Vec<_>>>()?;
        // Footers stay in memory between queries.
        let runtime = state.runtime_env();
        let here = ObjectStoreUrl::local_filesystem();
        let footers = runtime.cache_manager.get_file_metadata_cache();
        let reader = CachedParquetFileReaderFactory::new(runtime.object_store(&here)?, footers);
        let source = ParquetSource::new(Arc::clone(&self.schema))
            .with_parquet_file_reader_factory(Arc::new(reader))
            .with_metadata_size_hint(FOOTER_BYTES);
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(here, Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?;
        Ok(config.build())
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let times = Times::of(state, filters)?;
        let spans = self.files.iter().map(|file| (file.first, file.end)).collect();
        let asked = self.files.iter().zip(times.may_be_in(spans));
        let files: Vec<_> = asked.filter_map(|(file, may_be)| may_be.then_some(file)).collect();
        let mut parts: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        if !files.is_empty() {
            parts
                .push(DataSourceExec::from_data_source(self.files_scan(state, files, projection)?));
        }
        if !self.tail.is_empty() {
            let schema = Arc::clone(&self.schema);
            let tail = std::slice::from_ref(&self.tail);
            parts.push(MemorySourceConfig::try_new_exec(tail, schema, projection.cloned())?);
        }
        match parts.len() {
            0 => {
                let schema = match projection {
                    Some(columns) => Arc::new(self.schema.project(columns)?),
                    None => Arc::clone(&self.schema),
                };
                Ok(Arc::new(EmptyExec::new(schema)))
            }
            _ => UnionExec::try_new(parts),
        }
    }

    /// A filter on `ts` spares the files and row groups outside of it; rows are filtered above the
    /// scan.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// What a query can name, in order.
#[derive(Debug, Default)]
pub(crate) struct Tables(pub(crate) BTreeMap<String, Arc<dyn TableProvider>>);

#[async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(self.0.get(name).map(Arc::clone))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}
