//! A gateway's data folder, to be asked in SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::catalog::memory::{MemoryCatalogProvider, MemoryCatalogProviderList};
use datafusion::catalog::{CatalogProvider as _, CatalogProviderList as _, TableProvider};
use datafusion::common::TableReference;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::physical_plan::execute_stream;
use futures::StreamExt as _;
use tokio::sync::{mpsc, oneshot};

use crate::engine::{CATALOG, Engine, SCHEMA};
use crate::error::SqlError;
use crate::extract::execute_in_order;
use crate::rows::{Rows, Work};
use crate::snapshot::{Folders, Snapshot, Wanted};
use crate::table::{LakeTable, Tables};
use crate::views;
use crate::yields::giving_way;

const INFORMATION_SCHEMA: &str = "information_schema";
/// Batches of an answer that may wait for whoever reads it; then the query waits.
const BATCHES_WAITING: usize = 2;

/// How often a query lists the files before it gives up: the joining of a date can outrun it once.
const ATTEMPTS_MAX: u32 = 10;

/// A query under way.
struct Begun {
    stream: SendableRecordBatchStream,
    /// What the tail's rows take: charged as long as the plan that reads them.
    tail: MemoryReservation,
    first: Option<Result<RecordBatch, DataFusionError>>,
}

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
    pub(crate) folders: Arc<Folders>,
    pub(crate) limits: Limits,
    pub(crate) engine: Arc<Engine>,
    /// Whether rows come as they were recorded.
    pub(crate) is_in_order: bool,
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
        let engine = Engine::new(limits.memory_bytes);
        let engine = engine.map_err(|err| SqlError::of_engine(&err, limits.memory_bytes))?;
        Ok(Self { folders, limits, engine: Arc::new(engine), is_in_order: false })
    }

    /// Answers a SELECT, EXPLAIN, SHOW or DESCRIBE over what is durable now.
    ///
    /// Needs a tokio runtime with time; the work is done on threads of the lake's own. Dropping
    /// the future or the rows ends the query.
    ///
    /// # Errors
    /// [`SqlError`]: what is wrong with the text, or which limit it reached.
    pub async fn query(&self, sql: &str) -> Result<Rows, SqlError> {
        let (started, schema) = oneshot::channel();
        let (sender, batches) = mpsc::channel(BATCHES_WAITING);
        let task = self.engine.spawn(self.clone().answer(sql.to_owned(), started, sender));
        let work = Work::new(task, self.limits.time);
        match tokio::time::timeout_at(work.until(), schema).await {
            Ok(Ok(schema)) => Ok(Rows::new(schema?, batches, work, self.limits)),
            Ok(Err(_)) => Err(SqlError::Run("it broke off while being planned".to_owned())),
            Err(_) => Err(SqlError::Time { limit: self.limits.time }),
        }
    }

    /// Plans the query, says which columns it has, and sends its rows.
    async fn answer(
        self,
        sql: String,
        started: oneshot::Sender<Result<SchemaRef, SqlError>>,
        sender: mpsc::Sender<Result<RecordBatch, SqlError>>,
    ) {
        let begun = match self.begin(&sql).await {
            Ok(begun) => begun,
            Err(err) => return drop(started.send(Err(err))),
        };
        let Begun { mut stream, tail: _tail, first } = begun;
        if started.send(Ok(stream.schema())).is_err() {
            return;
        }
        let mut next = first;
        while let Some(batch) = next {
            let batch = batch.map_err(|err| SqlError::of_engine(&err, self.limits.memory_bytes));
            if sender.send(batch).await.is_err() {
                return;
            }
            next = stream.next().await;
        }
    }

    /// Starts the query and waits for its first rows; begins anew while files that it has listed are
    /// joined or given up before it opens them.
    async fn begin(&self, sql: &str) -> Result<Begun, SqlError> {
        let mut attempts = 1;
        loop {
            let begun = self.first_rows(sql).await;
            let is_outrun = match &begun {
                Ok(Begun { first: Some(Err(err)), .. }) => is_missing_file(err),
                Ok(_) => false,
                Err(err) => is_missing_file(err),
            };
            if !is_outrun || attempts == ATTEMPTS_MAX {
                return begun;
            }
            attempts += 1;
        }
    }

    async fn first_rows(&self, sql: &str) -> Result<Begun, SqlError> {
        let (mut stream, tail) = self.start(sql).await?;
        let first = stream.next().await;
        Ok(Begun { stream, tail, first })
    }

    async fn start(
        &self,
        sql: &str,
    ) -> Result<(SendableRecordBatchStream, MemoryReservation), SqlError> {
        let engine = |err: DataFusionError| SqlError::of_engine(&err, self.limits.memory_bytes);
        let state = self.engine.state();
        let dialect = state.config_options().sql_parser.dialect;
        let statement = state.sql_to_statement(sql, &dialect).map_err(engine)?;
        is_question(&statement.to_string())?;
        let named = state.resolve_table_references(&statement).map_err(engine)?;
        let mut snapshot = self.snapshot(wanted(&named)).await?;
        snapshot.names.extend(views::NAMES.map(str::to_owned));
        self.is_known(&named, &snapshot.names)?;
        let state = self.with_tables(self.nameable(snapshot.tables)).map_err(engine)?;
        let plan = state.statement_to_plan(statement).await.map_err(engine)?;
        let read_only = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        read_only.verify_plan(&plan).map_err(engine)?;
        let plan = state.create_physical_plan(&plan).await.map_err(engine)?;
        let plan = giving_way(plan).map_err(engine)?;
        let execute = if self.is_in_order { execute_in_order } else { execute_stream };
        let stream = execute(plan, state.task_ctx()).map_err(engine)?;
        Ok((stream, snapshot.reservation))
    }

    /// Queries that have not come to their end.
    #[cfg(test)]
    pub(crate) fn running(&self) -> usize {
        self.engine.running()
    }

    async fn snapshot(&self, wanted: Wanted) -> Result<Snapshot, SqlError> {
        let reservation = self.engine.reservation("tail");
        if wanted.rows_of.is_empty() {
            return Ok(Snapshot { tables: BTreeMap::new(), names: BTreeSet::new(), reservation });
        }
        let folders = Arc::clone(&self.folders);
        let memory_bytes = self.limits.memory_bytes;
        let read = move || folders.snapshot(&wanted, reservation, memory_bytes);
        let read = tokio::task::spawn_blocking(read);
        read.await.map_err(|err| SqlError::Run(err.to_string()))?
    }

    /// The tables, and the views of names that no table has.
    fn nameable(&self, tables: BTreeMap<String, Arc<LakeTable>>) -> Tables {
        let memory_bytes = self.limits.memory_bytes;
        let view = |name| Some((name, views::view(name, &self.folders, memory_bytes)?));
        let mut named: BTreeMap<String, Arc<dyn TableProvider>> = views::NAMES
            .into_iter()
            .filter_map(view)
            .map(|(name, view)| (name.to_owned(), view))
            .collect();
        named.extend(tables.into_iter().map(|(name, table)| (name, table as _)));
        Tables(named)
    }

    /// Names the first table that is not there, with the nearest that is.
    fn is_known(&self, named: &[TableReference], known: &BTreeSet<String>) -> Result<(), SqlError> {
        // Functions that give rows stand where tables do.
        let functions = self.engine.state().table_functions();
        let of_lake = |name: &&TableReference| {
            name.schema().is_none_or(|schema| schema == SCHEMA)
                && !functions.contains_key(name.table())
        };
        let Some(unknown) = named.iter().filter(of_lake).find(|name| !known.contains(name.table()))
        else {
            return Ok(());
        };
        let name = unknown.table().to_owned();
        let distance = |near: &&String| strsim::damerau_levenshtein(near, &name);
        let hint = match known.iter().min_by_key(distance) {
            Some(nearest) => format!("did you mean `{nearest}`? `SHOW TABLES` lists all"),
            None => "nothing has been recorded yet".to_owned(),
        };
        Err(SqlError::UnknownTable { name, hint })
    }

    /// The session with the tables of one snapshot.
    fn with_tables(&self, tables: Tables) -> Result<SessionState, DataFusionError> {
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(SCHEMA, Arc::new(tables))?;
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
        let engine = self.engine.state();
        let mut config = engine.config().clone();
        if self.is_in_order {
            // One reader: files one after the other.
            config = config.with_target_partitions(1);
        }
        let session = SessionStateBuilder::new_from_existing(engine.clone()).with_config(config);
        let mut state = session.with_catalog_list(Arc::new(catalogs)).build();
        // What `now()` says in all of the query.
        state.mark_start_execution();
        Ok(state)
    }
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

/// Whether a file was not there when it was opened. The reader of files passes on the words of the
/// operating system, not its error.
pub(crate) fn is_missing_file(err: &impl std::error::Error) -> bool {
    const ENOENT: i32 = 2;
    err.to_string().contains(&std::io::Error::from_raw_os_error(ENOENT).to_string())
}

fn wanted(named: &[TableReference]) -> Wanted {
    let is_catalog = |name: &&TableReference| name.schema() == Some(INFORMATION_SCHEMA);
    Wanted {
        // Views read for themselves, what and when they need it.
        rows_of: named
            .iter()
            .filter(|name| is_catalog(name) || !views::NAMES.contains(&name.table()))
            .map(|name| name.table().to_owned())
            .collect(),
        catalog: named.iter().any(|name| is_catalog(&name)),
    }
}
