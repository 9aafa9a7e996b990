//! What a query sees: the tail of the journal, then the files of the lake.
//!
//! The order makes Q-1: a row sealed between the two readings is in both, and the file's name
//! says so; a row that left the journal before the first reading is in a file already.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::SchemaRef;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use pipelines_flow::disk::RealDisk;
use pipelines_flow::lake::{self, LakeFile, Sealed};
use pipelines_flow::log::LogView;
use pipelines_flow::tables::TableStore;
use signals::Disk;

use crate::error::SqlError;
use crate::spans::{Times, span_of};
use crate::table::{FoundFile, LakeTable};
use crate::tail::{Tail, TailCodec};
use crate::union::{adapt, union};

mod books;
mod last_values;
mod signal_tables;

pub(crate) use books::{Books, Reading};
use last_values::LastValues;
pub(crate) use last_values::Row;
pub(crate) use signal_tables::{SignalTable, Signals};

/// Footers remembered; a table of a year of quarter hours has 35,000 files.
const FOOTERS_MAX: usize = 200_000;
/// How often the lake is listed again because a file was replaced or removed meanwhile.
const LISTINGS_MAX: u32 = 3;

/// The folders of a gateway, to be read.
pub(crate) struct Folders {
    lake: PathBuf,
    journal: PathBuf,
    disk: Arc<dyn Disk>,
    definitions: Arc<TableStore>,
    footers: Mutex<Footers>,
    last_values: Mutex<LastValues>,
}

/// What has been read of files, which never change.
#[derive(Default)]
struct Footers {
    /// Schema and bytes.
    by_path: HashMap<PathBuf, (SchemaRef, u64)>,
    /// The schemas that differ: most files of a table share one.
    schemas: Vec<SchemaRef>,
}

/// Which tables a query names.
pub(crate) struct Wanted {
    /// Tables whose rows it reads.
    pub(crate) rows_of: BTreeSet<String>,
    /// Whether it asks about tables themselves, so that all have to be there.
    pub(crate) catalog: bool,
}

/// What a query sees.
pub(crate) struct Snapshot {
    /// Those the query may read.
    pub(crate) tables: BTreeMap<String, Arc<LakeTable>>,
    /// Names of all tables there are.
    pub(crate) names: BTreeSet<String>,
    /// What the tail's rows take of the memory limit.
    pub(crate) reservation: MemoryReservation,
}

impl Folders {
    /// The folders below `folder`.
    pub(crate) fn open(folder: &Path) -> Result<Self, SqlError> {
        let [lake, journal, definitions] =
            ["lake", "journal", "tables"].map(|name| folder.join(name));
        let is_there = |path: &Path| path.try_exists().map_err(io_error(path));
        if !is_there(&lake)? && !is_there(&journal)? {
            return Err(SqlError::NoData { folder: folder.to_owned() });
        }
        let absolute = |path: PathBuf| std::path::absolute(&path).map_err(io_error(&path));
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let store = TableStore::open(&definitions, Arc::clone(&disk));
        Ok(Self {
            lake: absolute(lake)?,
            journal: absolute(journal)?,
            definitions: Arc::new(store.map_err(io_error(&definitions))?),
            disk,
            footers: Mutex::default(),
            last_values: Mutex::default(),
        })
    }

    /// The tables a query sees from now on. Reads files: not for an async thread.
    pub(crate) fn snapshot(
        &self,
        wanted: &Wanted,
        reservation: MemoryReservation,
        memory_bytes: usize,
    ) -> Result<Snapshot, SqlError> {
        let tail = self.tail(wanted.rows_of.clone(), reservation, memory_bytes)?;
        let mut names: BTreeSet<String> = tail.names().map(str::to_owned).collect();
        names.extend(lake::tables(&*self.disk, &self.lake).map_err(io_error(&self.lake))?);
        let is_wanted = |name: &&String| wanted.catalog || wanted.rows_of.contains(*name);
        let mut tables = BTreeMap::new();
        for name in names.iter().filter(is_wanted) {
            if let Some(table) = self.table(name, &tail, &Times::ANY)? {
                tables.insert(name.clone(), Arc::new(table));
            }
        }
        Ok(Snapshot { tables, names, reservation: tail.into_reservation() })
    }

    /// The tail with the rows of the tables in `wanted`.
    fn tail(
        &self,
        wanted: BTreeSet<String>,
        reservation: MemoryReservation,
        memory_bytes: usize,
    ) -> Result<Tail, SqlError> {
        let codec = TailCodec::new(Arc::clone(&self.definitions), move |table: &str| {
            wanted.contains(table)
        });
        let journal = LogView::new(&self.journal, Arc::clone(&self.disk), Arc::new(codec) as _);
        Tail::read(&journal, reservation)
            .map_err(io_error(&self.journal))?
            .map_err(|err| SqlError::of_engine(&err, memory_bytes))
    }

    /// A table; `None` for a folder without files of which the tail knows nothing.
    fn table(&self, name: &str, tail: &Tail, times: &Times) -> Result<Option<LakeTable>, SqlError> {
        let (files, sealed) = self.files(name, times)?;
        let mixed = |mixed: crate::union::Mixed| SqlError::Mixed {
            table: name.to_owned(),
            column: mixed.column,
            earlier: mixed.earlier.to_string(),
            later: mixed.later.to_string(),
        };
        let mut schemas: Vec<_> =
            files.iter().map(|(_, schema)| Arc::clone(schema)).chain(tail.schemas(name)).collect();
        schemas.dedup();
        let mut schema: Option<SchemaRef> = None;
        for next in schemas {
            schema = Some(match schema {
                Some(before) => union(&before, &next).map_err(mixed)?,
                None => next,
            });
        }
        let Some(schema) = schema else { return Ok(None) };
        let rows = tail.rows_behind(name, &sealed);
        let rows = rows.iter().map(|rows| adapt(rows, &schema)).collect::<Result<Vec<_>, _>>();
        let rows = rows.map_err(|err| SqlError::Run(err.to_string()))?;
        let files = files.into_iter().map(|(file, _)| file).collect();
        Ok(Some(LakeTable::new(schema, files, rows)))
    }

    /// The files of a table that may hold rows of these times, with their schemas, in the order
    /// they were written, and what all of its files say is sealed.
    fn files(
        &self,
        name: &str,
        times: &Times,
    ) -> Result<(Vec<(FoundFile, SchemaRef)>, Sealed), SqlError> {
        let mut listings = 0;
        'listing: loop {
            listings += 1;
            let (listed, sealed) = self.listing(name)?;
            let may_be_in = times.may_be_in(listed.iter().map(span_of).collect());
            let asked = listed.into_iter().zip(may_be_in).filter(|(_, may_be)| *may_be);
            let mut found = Vec::new();
            for (file, _) in asked {
                let (schema, bytes) = match self.footer(&file) {
                    Ok(footer) => footer,
                    Err(err)
                        if err.kind() == io::ErrorKind::NotFound && listings < LISTINGS_MAX =>
                    {
                        continue 'listing;
                    }
                    Err(err) => return Err(io_error(&file.path)(err)),
                };
                let (first, end) = span_of(&file);
                found.push((FoundFile { path: file.path, bytes, first, end }, schema));
            }
            return Ok((found, sealed));
        }
    }

    /// The files of a table in the order they were written, and what they say is sealed.
    fn listing(&self, name: &str) -> Result<(Vec<LakeFile>, Sealed), SqlError> {
        let mut listed =
            lake::files(&*self.disk, &self.lake, name).map_err(io_error(&self.lake.join(name)))?;
        listed.sort_by_key(|file| file.seq);
        let mut sealed = Sealed::new();
        for file in &listed {
            let seq = sealed.entry((file.table.clone(), file.date.clone())).or_insert(file.seq);
            *seq = (*seq).max(file.seq);
        }
        Ok((listed, sealed))
    }

    /// Schema and length of a file.
    fn footer(&self, file: &LakeFile) -> io::Result<(SchemaRef, u64)> {
        let footers = || self.footers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(footer) = footers().by_path.get(&file.path) {
            return Ok(footer.clone());
        }
        let open = File::open(&file.path)?;
        let bytes = open.metadata()?.len();
        let about = ArrowReaderMetadata::load(&open, ArrowReaderOptions::new())
            .map_err(|err| io::Error::new(io::ErrorKind::InvalidData, err))?;
        let mut footers = footers();
        let schema = footers.intern(about.schema());
        footers.by_path.insert(file.path.clone(), (Arc::clone(&schema), bytes));
        Ok((schema, bytes))
    }
}

impl std::fmt::Debug for Folders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Folders").field("lake", &self.lake).finish_non_exhaustive()
    }
}

impl Footers {
    fn intern(&mut self, schema: &SchemaRef) -> SchemaRef {
        if self.by_path.len() >= FOOTERS_MAX {
            *self = Self::default();
        }
        let known = self.schemas.iter().find(|known| *known == schema).map(Arc::clone);
        known.unwrap_or_else(|| {
            self.schemas.push(Arc::clone(schema));
            Arc::clone(schema)
        })
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> SqlError {
    let path = path.to_owned();
    move |source| SqlError::Io { path, source }
}
