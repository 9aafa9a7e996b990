//! The samples to be stored: tables read from a lake folder, as one batch each, and cut as they
//! come from adapters.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Array as _, RecordBatch};
use arrow_schema::DataType;
use arrow_select::concat::concat_batches;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use signals::{Batch, ClockState, Signal, Table, ValueType, table};

/// All rows of one table, in order.
pub(crate) struct Samples {
    pub(crate) table: Arc<Table>,
    pub(crate) rows: RecordBatch,
}

impl Samples {
    /// Values that are there, times and qualities not counted.
    pub(crate) fn values(&self) -> u64 {
        let signals = self.rows.columns().iter().skip(self.table.first_column());
        signals.map(|column| (column.len() - column.null_count()) as u64).sum()
    }

    /// A batch of some of the rows.
    pub(crate) fn batch(&self, first: usize, count: usize) -> Batch {
        let rows = self.rows.slice(first, count);
        Batch { table: Arc::clone(&self.table), rows, flaws: Vec::new(), clock: ClockState::Synced }
    }
}

/// The tables of a lake folder.
pub(crate) fn read(folder: &Path) -> Vec<Samples> {
    let mut tables = BTreeMap::<String, Vec<PathBuf>>::new();
    for table in list(folder) {
        let name = table.file_name().and_then(|name| name.to_str()).expect("a table's name");
        let files = list(&table).into_iter().flat_map(|date| list(&date));
        tables.entry(name.to_owned()).or_default().extend(files);
    }
    let of_signals = tables.into_iter().filter(|(name, _)| !name.starts_with('_'));
    of_signals.map(|(name, files)| read_table(&name, &files)).collect()
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder can be read").flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn read_table(name: &str, files: &[PathBuf]) -> Samples {
    let mut batches = Vec::new();
    for path in files {
        let file = File::open(path).expect("the file opens");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("it is Parquet");
        batches.extend(reader.build().expect("a reader").map(|rows| rows.expect("whole rows")));
    }
    let rows = concat_batches(&batches.first().expect("a file has rows").schema(), &batches);
    let rows = rows.expect("files of a table have one schema");
    let by_sender = rows.schema().column_with_name(table::SA).is_some();
    let signal = |field: &Arc<arrow_schema::Field>| {
        let path = field.metadata().get("path").cloned().unwrap_or_else(|| field.name().clone());
        Signal::new(path, field.name().clone(), kind(field.data_type()))
    };
    let schema = rows.schema();
    let own = if by_sender { 3 } else { 2 };
    let signals = schema.fields().iter().skip(own).map(signal).collect();
    let table = Table::of_signals(name, "bench", by_sender, signals).expect("a legal table");
    // Without what files say of their columns.
    let rows = RecordBatch::try_new(Arc::clone(table.schema()), rows.columns().to_vec());
    let rows = rows.expect("the schema is the table's");
    Samples { table, rows }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an Arrow type that no signal has")]
fn kind(arrow: &DataType) -> ValueType {
    match arrow {
        DataType::Boolean => ValueType::Bool,
        DataType::Int8 => ValueType::I8,
        DataType::Int16 => ValueType::I16,
        DataType::Int32 => ValueType::I32,
        DataType::Int64 => ValueType::I64,
        DataType::UInt8 => ValueType::U8,
        DataType::UInt16 => ValueType::U16,
        DataType::UInt32 => ValueType::U32,
        DataType::UInt64 => ValueType::U64,
        DataType::Float32 => ValueType::F32,
        DataType::Float64 => ValueType::F64,
        DataType::Utf8 => ValueType::Text,
        DataType::Binary => ValueType::Bytes,
        other => panic!("no signal has the type {other}"),
    }
}

/// The batches of all tables second after second, as adapters offer them: what a table sampled
/// within one second is one batch.
pub(crate) fn by_second(samples: &[Samples]) -> Vec<Vec<Batch>> {
    let mut seconds = BTreeMap::<i64, Vec<Batch>>::new();
    for of_table in samples {
        let whole = of_table.batch(0, of_table.rows.num_rows());
        let times = whole.timestamps();
        let mut first = 0;
        while let Some(&time) = times.get(first) {
            let second = time.div_euclid(1_000_000);
            let rest = times.get(first..).unwrap_or_default();
            let count = rest.iter().take_while(|t| t.div_euclid(1_000_000) == second).count();
            // Own buffers: a slice would keep the whole table alive.
            let rows = of_table.batch(first, count);
            let copied = concat_batches(rows.table.schema(), std::iter::once(&rows.rows));
            let rows = Batch { rows: copied.expect("one schema"), ..rows };
            seconds.entry(second).or_default().push(rows);
            first += count;
        }
    }
    seconds.into_values().collect()
}
