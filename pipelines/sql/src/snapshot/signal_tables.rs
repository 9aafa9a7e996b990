//! Which signals there are in which tables, and what is read of them for the views.

use std::collections::BTreeMap;

use datafusion::execution::memory_pool::MemoryReservation;
use pipelines_flow::lake;
use signals::table::Layout;

use super::{Folders, io_error};
use crate::error::SqlError;
use crate::spans::Times;
use crate::table::LakeTable;
use crate::tail::Tail;
use crate::views::{CHANGE_BYTES, Ledger, QUALITY};

/// A table of signals, as known before any of its rows is looked at.
#[derive(Debug)]
pub(crate) struct SignalTable {
    /// Its name.
    pub(crate) name: String,
    /// Whether its signals are told apart by sender.
    pub(crate) by_sender: bool,
    /// Paths its columns have had.
    pub(crate) paths: Vec<String>,
}

/// What a view reads.
pub(crate) struct Signals {
    /// The tables, whose files may hold rows of the times asked for.
    pub(crate) tables: Vec<LakeTable>,
    /// What is known of the quality of their signals.
    pub(crate) ledger: Ledger,
    /// What both take of the memory limit.
    pub(crate) reservation: MemoryReservation,
}

impl Folders {
    /// All tables of signals. Definitions say so without a look at files; a lake without them,
    /// as one made of recorded logs is, is asked itself.
    pub(crate) fn signal_tables(&self) -> Result<Vec<SignalTable>, SqlError> {
        self.definitions.look_again().map_err(io_error(&self.lake))?;
        let mut tables: BTreeMap<String, SignalTable> = BTreeMap::new();
        let mut known = std::collections::BTreeSet::new();
        for definition in self.definitions.tables() {
            known.insert(definition.name().to_owned());
            let Layout::Signals { signals, .. } = definition.layout() else { continue };
            let name = definition.name();
            let table = tables.entry(name.to_owned()).or_insert_with(|| SignalTable {
                name: name.to_owned(),
                by_sender: false,
                paths: Vec::new(),
            });
            table.by_sender |= definition.by_source_address();
            table.paths.extend(signals.iter().map(|signal| signal.path.to_owned()));
        }
        for name in lake::tables(&*self.disk, &self.lake).map_err(io_error(&self.lake))? {
            if !known.contains(&name)
                && let Some(table) = self.undefined(name)?
            {
                tables.insert(table.name.clone(), table);
            }
        }
        Ok(tables.into_values().collect())
    }

    /// A table of which there are files alone.
    fn undefined(&self, name: String) -> Result<Option<SignalTable>, SqlError> {
        let (files, _) = self.files(&name, &Times::ANY)?;
        let (mut paths, mut by_sender) = (Vec::new(), false);
        let mut seen = Vec::new();
        for (_, schema) in files {
            // Most files of a table share one schema.
            if seen.contains(&schema) {
                continue;
            }
            let paths_of = schema.fields().iter().filter_map(|f| f.metadata().get("path").cloned());
            paths.extend(paths_of);
            let sender = schema.field_with_name(signals::table::SA);
            by_sender |= sender.is_ok_and(|field| !field.metadata().contains_key("path"));
            seen.push(schema);
        }
        Ok((!paths.is_empty()).then_some(SignalTable { name, by_sender, paths }))
    }

    /// The rows of these tables that may be of these times, and what is known of their quality.
    pub(crate) fn signals(
        &self,
        wanted: &[SignalTable],
        times: &Times,
        (reservation, memory_bytes): (MemoryReservation, usize),
    ) -> Result<Signals, SqlError> {
        let own = wanted.iter().map(|table| table.name.clone());
        let names = own.chain([QUALITY.to_owned()]).collect();
        let tail = self.tail(names, reservation, memory_bytes)?;
        let mut tables = Vec::new();
        for table in wanted {
            tables.extend(self.table(&table.name, &tail, times)?);
        }
        let from = tables.iter().filter_map(LakeTable::first_micros).min();
        let ledger = self.quality(wanted, &tail, from)?;
        let reservation = tail.into_reservation();
        reservation
            .try_grow(ledger.len() * CHANGE_BYTES)
            .map_err(|err| SqlError::of_engine(&err, memory_bytes))?;
        Ok(Signals { tables, ledger, reservation })
    }
    /// What is known of the quality of these tables' signals from a time on. To be called behind
    /// the reading of their rows: a change stands in front of the first row it holds for.
    pub(super) fn quality(
        &self,
        wanted: &[SignalTable],
        tail: &Tail,
        from: Option<i64>,
    ) -> Result<Ledger, SqlError> {
        let paths: std::collections::HashSet<&str> =
            wanted.iter().flat_map(|table| table.paths.iter().map(String::as_str)).collect();
        let is_wanted = |signal: &str| {
            let path = signal.rsplit_once('@').map_or(signal, |(path, _)| path);
            paths.contains(signal) || paths.contains(path)
        };
        let mut ledger = Ledger::default();
        let (files, sealed) = self.listing(QUALITY)?;
        let at = self.lake.join(QUALITY);
        let from = from.unwrap_or(i64::MAX);
        ledger.read_files(&files, from, &is_wanted).map_err(io_error(&at))?;
        for rows in tail.rows_behind(QUALITY, &sealed) {
            ledger.add(&rows, &is_wanted);
        }
        ledger.sort();
        Ok(ledger)
    }
}
