//! A gateway's data folder, to be asked in SQL.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use datafusion::catalog::memory::{
    MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider,
};
use datafusion::catalog::{CatalogProvider as _, CatalogProviderList as _, SchemaProvider as _};
use datafusion::common::TableReference;
use datafusion::error::DataFusionError;
use datafusion::execution::context::{SQLOptions, SessionConfig};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::physical_plan::execute_stream;
use tokio::time::Instant;

use crate::error::SqlError;
use crate::rows::Rows;
use crate::snapshot::{Folders, Snapshot, Wanted};

const CATALOG: &str = "fieldgate";
const SCHEMA: &str = "lake";
const INFORMATION_SCHEMA: &str = "information_schema";

/// What a query may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes that all queries of a [`Lake`] may hold together, the rows of the tail included.
    pub memory_bytes: usize,
    /// Time of one query, from its text to its last row.
    pub time: Duration,
    /// Rows of one answer; it is cut there.
    pub rows: u64,
}

impl Default for Limits {
    /// 256 MiB, 30 seconds, a million rows.
    fn default() -> Self {
        Self {
            // A gateway of 1 GiB has to go on sampling meanwhile.
            memory_bytes: 256 << 20,
            time: Duration::from_secs(30),
            rows: 1_000_000,
        }
    }
}

/// The lake and the journal's tail of a data folder. Cheap to clone.
#[derive(Clone)]
pub struct Lake {
    folders: Arc<Folders>,
    limits: Limits,
    state: Arc<SessionState>,
}

impl Lake {
    /// The lake in `folder`, which a gateway may be writing to, within the default limits.
    ///
    /// # Errors
    /// [`SqlError::NoData`] and [`SqlError::Io`].
    pub fn open(folder: &Path) -> Result<Self, SqlError> {
        Self::open_within(folder, Limits::default())
    }

    /// The lake in `folder`, within `limits`.
    ///
    /// # Errors
    /// As [`Lake::open`].
    pub fn open_within(folder: &Path, limits: Limits) -> Result<Self, SqlError> {
        let folders = Arc::new(Folders::open(folder)?);
        let engine = |err: DataFusionError| SqlError::of_engine(&err, limits.memory_bytes);
        // Nothing is spilled: flash is for samples.
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_limit(limits.memory_bytes, 1.0)
            .with_disk_manager_builder(disk)
            .build_arc()
            .map_err(engine)?;
        Ok(Self { folders, limits, state: Arc::new(session(runtime)) })
    }

    /// Answers a SELECT, EXPLAIN, SHOW or DESCRIBE over what is durable now.
    ///
    /// Needs a tokio runtime with time. Reading and computing happen on its threads.
    ///
    /// # Errors
    /// [`SqlError`]: what is wrong with the text, or which limit it reached.
    pub async fn query(&self, sql: &str) -> Result<Rows, SqlError> {
        let began = Instant::now();
        match tokio::time::timeout(self.limits.time, self.start(sql, began)).await {
            Ok(rows) => rows,
            Err(_) => Err(SqlError::Time { limit: self.limits.time }),
        }
    }

    async fn start(&self, sql: &str, began: Instant) -> Result<Rows, SqlError> {
        let engine = |err: DataFusionError| SqlError::of_engine(&err, self.limits.memory_bytes);
        let dialect = self.state.config_options().sql_parser.dialect;
        let statement = self.state.sql_to_statement(sql, &dialect).map_err(engine)?;
        is_question(&statement.to_string())?;
        let named = self.state.resolve_table_references(&statement).map_err(engine)?;
        let wanted = wanted(&named);
        let snapshot = self.snapshot(wanted).await?;
        self.is_known(&named, &snapshot.names)?;
        let state = self.with_tables(&snapshot).map_err(engine)?;
        let plan = state.statement_to_plan(statement).await.map_err(engine)?;
        let read_only = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        read_only.verify_plan(&plan).map_err(engine)?;
        let plan = state.create_physical_plan(&plan).await.map_err(engine)?;
        let stream = execute_stream(plan, state.task_ctx()).map_err(engine)?;
        Ok(Rows::new(stream, self.limits, began, snapshot.reservation))
    }

    async fn snapshot(&self, wanted: Wanted) -> Result<Snapshot, SqlError> {
        let folders = Arc::clone(&self.folders);
        let pool = &self.state.runtime_env().memory_pool;
        let reservation = MemoryConsumer::new("tail").register(pool);
        let memory_bytes = self.limits.memory_bytes;
        let read = move || folders.snapshot(&wanted, reservation, memory_bytes);
        let read = tokio::task::spawn_blocking(read);
        read.await.map_err(|err| SqlError::Run(err.to_string()))?
    }

    /// Names the first table that is not there, with the nearest that is.
    fn is_known(&self, named: &[TableReference], names: &BTreeSet<String>) -> Result<(), SqlError> {
        // Functions that give rows stand where tables do.
        let functions = self.state.table_functions();
        let of_lake = |name: &&TableReference| {
            name.schema().is_none_or(|schema| schema == SCHEMA)
                && !functions.contains_key(name.table())
        };
        let Some(unknown) = named.iter().filter(of_lake).find(|name| !names.contains(name.table()))
        else {
            return Ok(());
        };
        let name = unknown.table().to_owned();
        let distance = |known: &&String| strsim::damerau_levenshtein(known, &name);
        let hint = match names.iter().min_by_key(distance) {
            Some(nearest) => format!("did you mean `{nearest}`? `SHOW TABLES` lists all"),
            None => "nothing has been recorded yet".to_owned(),
        };
        Err(SqlError::UnknownTable { name, hint })
    }

    /// The session with the tables of one snapshot.
    fn with_tables(&self, snapshot: &Snapshot) -> Result<SessionState, DataFusionError> {
        let schema = MemorySchemaProvider::new();
        for (name, table) in &snapshot.tables {
            let table = Arc::clone(table);
            schema.register_table(name.clone(), table)?;
        }
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(SCHEMA, Arc::new(schema))?;
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
        let session = SessionStateBuilder::new_from_existing((*self.state).clone());
        Ok(session.with_catalog_list(Arc::new(catalogs)).build())
    }
}

/// What all queries share: functions, rules, limits.
fn session(runtime: Arc<RuntimeEnv>) -> SessionState {
    let config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true);
    SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .build()
}

/// Says early and plainly what the check of the plan would refuse anyway.
fn is_question(statement: &str) -> Result<(), SqlError> {
    const QUESTIONS: [&str; 8] =
        ["SELECT", "WITH", "VALUES", "FROM", "EXPLAIN", "SHOW", "DESCRIBE", "DESC"];
    let word = statement.trim_start_matches('(').split_whitespace().next().unwrap_or_default();
    if QUESTIONS.iter().any(|question| word.eq_ignore_ascii_case(question)) {
        return Ok(());
    }
    Err(SqlError::NotAllowed { what: format!("{word} is not allowed") })
}

fn wanted(named: &[TableReference]) -> Wanted {
    let is_catalog = |name: &&TableReference| name.schema() == Some(INFORMATION_SCHEMA);
    Wanted {
        rows_of: named.iter().map(|name| name.table().to_owned()).collect(),
        catalog: named.iter().any(|name| is_catalog(&name)),
    }
}
