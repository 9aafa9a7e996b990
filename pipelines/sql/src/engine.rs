//! Threads of their own for queries: a join can compute for seconds before it gives way, and
//! neither the page nor a device may wait for that.

use datafusion::error::Result;
use datafusion::execution::FunctionRegistry as _;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::functions;

/// Name of the catalog in SQL.
pub(crate) const CATALOG: &str = "fieldgate";
/// Name of the schema all tables are in.
pub(crate) const SCHEMA: &str = "lake";
/// More threads than this bring little over one disk, and take from what samples.
const THREADS_MAX: usize = 4;

/// A plan is walked by recursion, and frames of unoptimised code are large: the depth that the
/// parser allows fits with room to spare.
const STACK: usize = 16 << 20;

/// What all queries of a lake share: threads, memory, functions and rules.
pub(crate) struct Engine {
    /// There until the engine is dropped.
    threads: Option<Runtime>,
    state: SessionState,
}

impl Engine {
    /// An engine whose queries may hold `memory_bytes` together.
    pub(crate) fn new(memory_bytes: usize) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = cores.min(THREADS_MAX);
        let threads = Builder::new_multi_thread()
            .worker_threads(workers)
            .thread_name("sql")
            .thread_stack_size(STACK)
            .enable_time()
            .build()?;
        // Nothing is spilled: flash is for samples.
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_limit(memory_bytes, 1.0)
            .with_disk_manager_builder(disk)
            .build_arc()?;
        let config = SessionConfig::new()
            .with_target_partitions(workers)
            .with_default_catalog_and_schema(CATALOG, SCHEMA)
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(true);
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_default_features()
            .build();
        for function in functions::of_rows() {
            state.register_udf(function)?;
        }
        for function in functions::of_groups() {
            state.register_udaf(function)?;
        }
        Ok(Self { threads: Some(threads), state })
    }

    /// Functions, rules and limits; no tables.
    pub(crate) fn state(&self) -> &SessionState {
        &self.state
    }

    /// An empty share of the memory limit.
    pub(crate) fn reservation(&self, name: &str) -> MemoryReservation {
        MemoryConsumer::new(name).register(&self.state.runtime_env().memory_pool)
    }

    /// Runs a query's work.
    pub(crate) fn spawn<F: Future<Output = ()> + Send + 'static>(&self, work: F) -> JoinHandle<()> {
        self.threads.as_ref().expect("the threads go with the engine").spawn(work)
    }

    /// Queries that have not come to their end.
    #[cfg(test)]
    pub(crate) fn running(&self) -> usize {
        self.threads.as_ref().map_or(0, |threads| threads.metrics().num_alive_tasks())
    }
}

impl Drop for Engine {
    /// Does not wait: the last handle may go on an async thread, even one of these.
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}
