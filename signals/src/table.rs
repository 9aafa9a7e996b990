//! Tables: what is sampled together has one timestamp per row and one column per signal.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::{Signal, SignalList, SignalRef, ValueType};

/// The time column: UTC, microseconds, never null, strictly increasing within a table.
pub const TS: &str = "ts";
/// The worst quality class of the row: 0 good, 1 uncertain, 2 bad.
pub const Q: &str = "q";
/// How far `ts` may be from the moment the device measured, either way, in microseconds: half the
/// time from the first request sent to the last answer received.
pub const TS_ERR: &str = "ts_err";
/// J1939 source address of the row.
pub const SA: &str = "sa";

/// How the columns of a table are laid out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// `ts`, `q`, `ts_err` if rows are asked for, `sa` if there are several senders, then one
    /// nullable column per signal.
    Signals {
        /// Whether rows carry the error of their time.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        by_exchange: bool,
        /// Whether rows carry the J1939 source address they came from.
        by_source_address: bool,
        /// Microseconds from one row to the next, where rows come on a fixed grid.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        period_us: Option<u64>,
        /// The signals in column order.
        signals: SignalList,
    },
    /// `ts`, then columns of the gateway's own: `_events`, `_quality`, `_aggregates_10s` …
    System {
        /// The columns after `ts`.
        columns: Vec<SystemColumn>,
    },
}

/// One column of a table of the gateway's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SystemColumn {
    /// Column name.
    pub name: String,
    /// Type of the values.
    pub kind: SystemType,
    /// Whether a row may lack it.
    pub nullable: bool,
}

/// Types of the columns of system tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemType {
    /// A value type as signals have it.
    Plain(ValueType),
    /// UTC microseconds.
    Timestamp,
}

/// A table that cannot be.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum TableError {
    /// Table and column names are what every reader of the lake takes without quoting.
    #[error(
        "table `{table}`: `{name}` is not a legal name; use a-z, 0-9 and _, not starting with a digit"
    )]
    Name {
        /// The table.
        table: String,
        /// The table or column name in question.
        name: String,
    },
    /// Two columns of one name.
    #[error("table `{table}`: column `{column}` appears twice; rename one of the signals")]
    Duplicate {
        /// The table.
        table: String,
        /// The column that appears twice.
        column: String,
    },
}

/// A table: name, origin and columns. Immutable; a change of configuration makes a new one.
#[derive(Debug)]
pub struct Table {
    name: String,
    device: String,
    layout: Layout,
    schema: SchemaRef,
}

#[derive(Serialize)]
struct DefinitionRef<'a> {
    name: &'a str,
    device: &'a str,
    layout: &'a Layout,
}

#[derive(Deserialize)]
struct Definition {
    name: String,
    device: String,
    layout: Layout,
}

impl Table {
    /// A table of signals that are sampled together.
    ///
    /// `device` is the name of the device or bus they come from.
    ///
    /// # Errors
    /// [`TableError`] for a name that is not `[a-z0-9_]` and for two columns of one name.
    pub fn of_signals(
        name: impl Into<String>,
        device: impl Into<String>,
        by_source_address: bool,
        signals: Vec<Signal>,
    ) -> Result<Arc<Self>, TableError> {
        let signals = signals.into();
        let period_us = None;
        let layout = Layout::Signals { by_exchange: false, by_source_address, period_us, signals };
        Self::build(name.into(), device.into(), layout)
    }

    /// A table of signals that a device is asked for: rows carry the error of their time.
    ///
    /// # Errors
    /// As [`Table::of_signals`].
    pub fn of_exchanges(
        name: impl Into<String>,
        device: impl Into<String>,
        signals: Vec<Signal>,
    ) -> Result<Arc<Self>, TableError> {
        let signals = signals.into();
        let (by_exchange, by_source_address, period_us) = (true, false, None);
        let layout = Layout::Signals { by_exchange, by_source_address, period_us, signals };
        Self::build(name.into(), device.into(), layout)
    }

    /// This table with rows on a fixed grid, one every `period`, whether there are values or not:
    /// a row that is not there is missing. A system table has none and stays as it is.
    #[must_use]
    pub fn with_period(&self, period: Duration) -> Arc<Self> {
        let mut layout = self.layout.clone();
        if let Layout::Signals { period_us, .. } = &mut layout {
            *period_us = u64::try_from(period.as_micros()).ok().filter(|us| *us > 0);
        }
        let (name, device) = (self.name.clone(), self.device.clone());
        Arc::new(Self { name, device, layout, schema: Arc::clone(&self.schema) })
    }

    /// A table of the gateway's own; its name starts with `_`.
    ///
    /// # Errors
    /// As [`Table::of_signals`].
    pub fn of_system(
        name: impl Into<String>,
        columns: Vec<SystemColumn>,
    ) -> Result<Arc<Self>, TableError> {
        Self::build(name.into(), String::new(), Layout::System { columns })
    }

    /// The table of a definition made by [`Table::definition`].
    ///
    /// # Errors
    /// A sentence about what is wrong with the text.
    pub fn from_definition(json: &str) -> Result<Arc<Self>, String> {
        let read: Definition = serde_json::from_str(json).map_err(|err| err.to_string())?;
        Self::build(read.name, read.device, read.layout).map_err(|err| err.to_string())
    }

    /// Name, origin and columns as JSON: equal tables give equal text.
    ///
    /// # Panics
    /// Never: a table is plain strings, numbers and lists.
    #[must_use]
    pub fn definition(&self) -> String {
        let form = DefinitionRef { name: &self.name, device: &self.device, layout: &self.layout };
        serde_json::to_string(&form).expect("a table is plain strings, numbers and lists")
    }

    /// The table's name, which is its folder in the lake.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device or bus it comes from; empty for a system table.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }

    /// How its columns are laid out.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Its columns as Arrow sees them: names and types, nothing more. Every batch has this schema.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Its columns as files carry them, with paths, units, labels … of the signals as metadata of
    /// their fields. Made anew by each call, because it weighs four times what the schema does.
    #[must_use]
    pub fn described_schema(&self) -> Schema {
        let plain = self.schema.fields().iter().map(|field| field.as_ref().clone());
        let about = std::iter::repeat_n(HashMap::new(), self.first_column());
        let about = about.chain(self.signals().iter().map(about_of));
        let about = about.chain(std::iter::repeat_with(HashMap::new));
        let fields = plain.zip(about).map(|(field, about)| field.with_metadata(about));
        Schema::new(fields.collect::<Vec<_>>())
    }

    /// Its signals in column order; empty for a system table.
    #[must_use]
    pub fn signals(&self) -> &SignalList {
        static NONE: LazyLock<SignalList> = LazyLock::new(SignalList::default);
        match &self.layout {
            Layout::Signals { signals, .. } => signals,
            Layout::System { .. } => &NONE,
        }
    }

    /// Whether rows carry a J1939 source address.
    #[must_use]
    #[inline]
    pub fn by_source_address(&self) -> bool {
        matches!(self.layout, Layout::Signals { by_source_address: true, .. })
    }

    /// Whether rows carry the error of their time, because a device was asked for them.
    #[must_use]
    #[inline]
    pub fn by_exchange(&self) -> bool {
        matches!(self.layout, Layout::Signals { by_exchange: true, .. })
    }

    /// Time from one row to the next, where rows come on a fixed grid.
    #[must_use]
    pub fn period(&self) -> Option<Duration> {
        match self.layout {
            Layout::Signals { period_us, .. } => period_us.map(Duration::from_micros),
            Layout::System { .. } => None,
        }
    }

    /// Place of the first column after `ts`, `q`, `ts_err` and `sa`.
    #[must_use]
    pub fn first_column(&self) -> usize {
        match self.layout {
            Layout::Signals { by_exchange, by_source_address, .. } => {
                2 + usize::from(by_exchange) + usize::from(by_source_address)
            }
            Layout::System { .. } => 1,
        }
    }

    fn build(name: String, device: String, layout: Layout) -> Result<Arc<Self>, TableError> {
        let fields = fields_of(&layout);
        let mut seen = HashSet::new();
        for column in std::iter::once(name.as_str()).chain(fields.iter().map(|f| f.name().as_str()))
        {
            if !is_legal_name(column) {
                return Err(TableError::Name { table: name.clone(), name: column.to_owned() });
            }
        }
        for field in &fields {
            if !seen.insert(field.name().clone()) {
                return Err(TableError::Duplicate { table: name, column: field.name().clone() });
            }
        }
        let schema = shared(Schema::new(fields));
        Ok(Arc::new(Self { name, device, layout, schema }))
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.device == other.device && self.layout == other.layout
    }
}

fn is_legal_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    !name.is_empty() && name.chars().all(legal) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Schemas looked through for one that can be shared; the oldest gives way.
const RECENT_MAX: usize = 64;

/// The schema, or the equal one of a table made before: devices of one kind have the same
/// columns, and a column takes more memory than all that is known of its signal.
fn shared(schema: Schema) -> SchemaRef {
    static RECENT: Mutex<VecDeque<Weak<Schema>>> = Mutex::new(VecDeque::new());
    let mut recent = RECENT.lock().unwrap_or_else(PoisonError::into_inner);
    let known = recent.iter().filter_map(Weak::upgrade).find(|known| **known == schema);
    if let Some(known) = known {
        return known;
    }
    recent.retain(|known| known.strong_count() > 0);
    if recent.len() == RECENT_MAX {
        recent.pop_front();
    }
    let schema = Arc::new(schema);
    recent.push_back(Arc::downgrade(&schema));
    schema
}

/// The Arrow type of the time columns.
#[must_use]
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn fields_of(layout: &Layout) -> Vec<Field> {
    let mut fields = vec![Field::new(TS, timestamp_type(), false)];
    match layout {
        Layout::Signals { by_exchange, by_source_address, signals, .. } => {
            fields.push(Field::new(Q, DataType::UInt8, false));
            if *by_exchange {
                fields.push(Field::new(TS_ERR, DataType::UInt32, false));
            }
            if *by_source_address {
                fields.push(Field::new(SA, DataType::UInt8, false));
            }
            fields.extend(signals.iter().map(field_of));
        }
        Layout::System { columns } => {
            fields.extend(columns.iter().map(|column| {
                let kind = match column.kind {
                    SystemType::Plain(kind) => kind.arrow(),
                    SystemType::Timestamp => timestamp_type(),
                };
                Field::new(&column.name, kind, column.nullable)
            }));
        }
    }
    fields
}

fn field_of(signal: SignalRef<'_>) -> Field {
    Field::new(signal.column, signal.kind.arrow(), true)
}

/// What a file says of a signal.
fn about_of(signal: SignalRef<'_>) -> HashMap<String, String> {
    let labels = (!signal.labels.is_empty()).then(|| serde_json::to_string(signal.labels).ok());
    let notes = [
        ("path", Some(signal.path.to_owned())),
        ("unit", signal.unit.map(str::to_owned)),
        ("description", signal.description.map(str::to_owned)),
        ("source", Some(signal.source.to_owned())),
        ("labels", labels.flatten()),
        ("range", signal.range.map(|range| format!("{}..{}", range.low, range.high))),
    ];
    let is_said = |key: &str, text: &str| key == "path" || !text.is_empty();
    let notes = notes.into_iter().filter_map(|(key, text)| Some((key, text?)));
    let notes = notes.filter(|(key, text)| is_said(key, text));
    notes.map(|(key, text)| (key.to_owned(), text)).collect()
}

#[cfg(test)]
mod tests;
