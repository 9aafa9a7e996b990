//! The samples that a rule looks at, read from the lake and put into batches as they came.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, RecordBatch};
use futures::StreamExt as _;
use pipelines_sql::rule::{Input, Kind, Measure};
use pipelines_sql::{Lake, SqlError};
use signals::{Batch, BatchBuilder, ClockState, Signal, Table, Timestamp, Value, ValueType};

use crate::rules::work::TICK;

/// Rows of a batch.
const ROWS_MAX: usize = 1_024;

/// Signals that were sampled together, as one table.
struct Group {
    table: Arc<Table>,
    /// By path: place in the table.
    places: HashMap<String, (usize, Kind)>,
}

/// A row being written.
struct Row {
    group: usize,
    ts: Timestamp,
    sender: Option<u8>,
    /// Signals that are set already.
    set: Vec<usize>,
}

/// What is read for a rule.
pub(super) struct Reading {
    /// Paths of samples, or of a window's rows.
    paths: Vec<String>,
    /// The window and its functions, for a rule that asks one.
    window: Option<(String, Vec<String>)>,
    groups: Vec<Group>,
    rows: Option<BatchBuilder>,
    row: Option<Row>,
}

impl Reading {
    /// What a rule with these inputs needs.
    pub(super) async fn of(lake: &Lake, inputs: &[Input]) -> Result<Self, SqlError> {
        let mut paths: Vec<String> = inputs.iter().map(|input| input.path.clone()).collect();
        paths.sort();
        paths.dedup();
        let functions = inputs.iter().filter_map(|input| match &input.measure {
            Measure::Window(window, function) => Some((window.clone(), function.clone())),
            Measure::Value | Measure::Rate | Measure::Age => None,
        });
        let (windows, mut functions): (Vec<String>, Vec<String>) = functions.unzip();
        functions.sort();
        functions.dedup();
        let window = windows.into_iter().next().map(|window| (window, functions));
        let groups = if window.is_some() { Vec::new() } else { groups(lake, inputs).await? };
        Ok(Self { paths, window, groups, rows: None, row: None })
    }

    /// The question whose answer [`Reading::read`] takes.
    pub(super) fn question(&self, within: &Range<Timestamp>) -> String {
        let Range { start, end } = within;
        let mut about = String::new();
        for path in &self.paths {
            let path = path.replace('\'', "''");
            let or = if about.is_empty() { "" } else { " OR " };
            let written = match &self.window {
                Some(_) => write!(about, "{or}signal = '{path}'"),
                None => write!(about, "{or}path = '{path}' OR starts_with(path, '{path}@')"),
            };
            written.unwrap_or_default();
        }
        match &self.window {
            Some((window, functions)) => {
                let functions = functions
                    .iter()
                    .fold(String::new(), |columns, function| columns + ", \"" + function + "\"");
                format!(
                    "SELECT window_end, arrow_cast(signal, 'Utf8') AS signal, sa{functions} \
                     FROM \"_aggregates_{window}\" WHERE window_end >= TIMESTAMP '{start}' \
                     AND window_end < TIMESTAMP '{end}' AND ({about}) ORDER BY window_end"
                )
            }
            None => format!(
                "SELECT ts, arrow_cast(path, 'Utf8') AS path, \
                 CASE WHEN quality = 'bad' THEN NULL ELSE value END AS value, \
                 arrow_cast(CASE WHEN quality = 'bad' THEN NULL ELSE text END, 'Utf8') AS text \
                 FROM samples WHERE ts >= TIMESTAMP '{start}' AND ts < TIMESTAMP '{end}' \
                 AND ({about}) ORDER BY ts, path"
            ),
        }
    }

    /// Takes rows of the answer, and gives batches as they are whole.
    pub(super) fn read(&mut self, rows: &RecordBatch, mut take: impl FnMut(&Batch)) {
        if let Some((window, _)) = &self.window {
            windows(window, rows, take);
            return;
        }
        let ts = rows.column(0).as_primitive_opt::<TimestampMicrosecondType>();
        let path = rows.column(1).as_string_opt::<i32>();
        let value = rows.column(2).as_primitive_opt::<Float64Type>();
        let text = rows.column(3).as_string_opt::<i32>();
        let (Some(ts), Some(path), Some(value), Some(text)) = (ts, path, value, text) else {
            return;
        };
        for row in 0..rows.num_rows() {
            let at = Timestamp::from_micros(ts.value(row));
            let number = value.is_valid(row).then(|| value.value(row));
            let text = text.is_valid(row).then(|| text.value(row));
            self.sample((at, path.value(row)), (number, text), &mut take);
        }
    }

    fn sample(
        &mut self,
        (ts, path): (Timestamp, &str),
        (number, text): (Option<f64>, Option<&str>),
        take: &mut impl FnMut(&Batch),
    ) {
        let (path, sender) = match path.rsplit_once('@') {
            Some((before, sender)) if self.is_known(before) => (before, sender.parse().ok()),
            Some(_) | None => (path, None),
        };
        let mut found = self.groups.iter().enumerate();
        let found = found.find_map(|(at, group)| Some((at, *group.places.get(path)?)));
        let Some((group, (place, kind))) = found else { return };
        let is_same = self.row.as_ref().is_some_and(|row| {
            (row.group, row.ts, row.sender) == (group, ts, sender) && !row.set.contains(&place)
        });
        if !is_same {
            self.begin(Row { group, ts, sender, set: Vec::new() }, take);
        }
        if let Some(row) = &mut self.row {
            row.set.push(place);
        }
        let value = match kind {
            Kind::Number => number.map(Value::F64),
            Kind::Truth => number.map(|number| Value::Bool(number != 0.0)),
            Kind::Text => text.map(Value::Text),
        };
        if let (Some(rows), Some(value)) = (&mut self.rows, value) {
            rows.set(place, value);
        }
    }

    fn is_known(&self, path: &str) -> bool {
        self.groups.iter().any(|group| group.places.contains_key(path))
    }

    /// Begins a row; of another table, after a pause or when there are many, in another batch.
    fn begin(&mut self, row: Row, take: &mut impl FnMut(&Batch)) {
        let follows = self
            .row
            .as_ref()
            .is_some_and(|last| last.group == row.group && row.ts.since(last.ts) <= TICK);
        if !follows || self.rows.as_ref().is_some_and(|rows| rows.rows() >= ROWS_MAX) {
            self.flush(&mut *take);
        }
        let Some(group) = self.groups.get(row.group) else { return };
        let rows = self.rows.get_or_insert_with(|| BatchBuilder::new(Arc::clone(&group.table)));
        rows.begin(row.ts, row.sender.unwrap_or_default(), ClockState::Synced);
        self.row = Some(row);
    }

    /// Gives the rows that are not given yet.
    pub(super) fn flush(&mut self, mut take: impl FnMut(&Batch)) {
        self.row = None;
        if let Some(batch) = self.rows.take().and_then(|mut rows| rows.finish()) {
            take(&batch);
        }
    }
}

/// A batch for each end of a window.
fn windows(window: &str, rows: &RecordBatch, mut take: impl FnMut(&Batch)) {
    let Ok(table) = Table::of_system(format!("_aggregates_{window}"), Vec::new()) else { return };
    let Some(ends) = rows.column(0).as_primitive_opt::<TimestampMicrosecondType>() else { return };
    let mut from = 0;
    for part in ends.values().chunk_by(|a, b| a == b) {
        let rows = rows.slice(from, part.len());
        from += part.len();
        let table = Arc::clone(&table);
        take(&Batch { table, rows, flaws: Vec::new(), clock: ClockState::Synced });
    }
}

/// The signals by the tables they were sampled in, as the lake says; those that it does not know by
/// their assets.
async fn groups(lake: &Lake, inputs: &[Input]) -> Result<Vec<Group>, SqlError> {
    let mut table_of: HashMap<String, String> = HashMap::new();
    let question = "SELECT arrow_cast(path, 'Utf8'), arrow_cast(\"table\", 'Utf8') FROM _signals \
                    WHERE \"table\" IS NOT NULL ORDER BY ts";
    let mut rows = lake.query(question).await?;
    while let Some(rows) = rows.next().await {
        let rows = rows?;
        let (paths, tables) = (rows.column(0).as_string_opt(), rows.column(1).as_string_opt());
        let (Some(paths), Some(tables)) = (paths, tables) else { continue };
        let (paths, tables): (&arrow_array::StringArray, &arrow_array::StringArray) =
            (paths, tables);
        for (path, table) in paths.iter().zip(tables).filter_map(|(p, t)| p.zip(t)) {
            table_of.insert(path.to_owned(), table.to_owned());
        }
    }
    let mut by_table: BTreeMap<String, BTreeMap<&str, Kind>> = BTreeMap::new();
    for input in inputs {
        let asset = || input.path.rsplit_once('/').map_or("", |(asset, _)| asset).to_owned();
        let table = table_of.get(&input.path).cloned().unwrap_or_else(asset);
        by_table.entry(table).or_default().insert(&input.path, input.kind);
    }
    let has_sender = inputs.iter().any(|input| input.sender.is_some());
    let group = |(at, signals): (usize, &BTreeMap<&str, Kind>)| {
        let listed = signals.iter().enumerate().map(|(place, (path, kind))| {
            let kind = match kind {
                Kind::Number => ValueType::F64,
                Kind::Truth => ValueType::Bool,
                Kind::Text => ValueType::Text,
            };
            Signal::new(*path, format!("c{place}"), kind)
        });
        let name = format!("rehearsal_{at}");
        let table = Table::of_signals(name, "rehearsal", has_sender, listed.collect()).ok()?;
        let places = signals.iter().enumerate();
        let places = places.map(|(place, (path, kind))| ((*path).to_owned(), (place, *kind)));
        Some(Group { table, places: places.collect() })
    };
    Ok(by_table.values().enumerate().filter_map(group).collect())
}
