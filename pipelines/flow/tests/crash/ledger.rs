//! What the victim has promised, life by life, and what the disk shows for it.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampMicrosecondType, UInt64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use pipelines_flow::codec::BatchCodec;
use pipelines_flow::disk::RealDisk;
use pipelines_flow::log::LogView;
use pipelines_flow::tables::TableStore;
use pipelines_flow::{Entry, lake};
use signals::{Batch, Disk, Offset, Timestamp};

use crate::victim::{PAST, RANGE, TABLE};

/// What of an interval without samples need not be covered by a row of `_gaps`: between the last
/// sample and the commit it is in, between the start and the first sample; on a busy machine.
const UNEXPLAINED_MAX: Duration = Duration::from_secs(1);

/// One row: time in microseconds and number.
type Row = (i64, u64);

/// What one life has promised.
struct Life {
    first: u64,
    kept: Option<u64>,
    ended: Timestamp,
}

/// Everything promised so far.
#[derive(Default)]
pub(crate) struct Ledger {
    lives: Vec<Life>,
    files: HashMap<PathBuf, Vec<RecordBatch>>,
    sent: BTreeMap<u64, String>,
    /// Said after the last word that counts, before the machine was gone.
    late: BTreeMap<u64, String>,
    /// Small files that were joined.
    pub(crate) joined: u64,
    /// Samples that were said to be durable.
    pub(crate) promised: u64,
    /// Samples found.
    pub(crate) there: u64,
    /// The longest time before a crash of which nothing is left.
    pub(crate) worst_loss: Duration,
}

impl Ledger {
    /// The first number of the next life.
    pub(crate) fn first(&self) -> u64 {
        (self.lives.len() as u64 + 1) * RANGE
    }

    pub(crate) fn files(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn messages(&self) -> usize {
        self.sent.len()
    }

    /// Notes what a life said until it ended.
    pub(crate) fn note(&mut self, heard: &str, ended: Timestamp) -> Result<(), String> {
        if !heard.contains("lives ") {
            return Err(format!("the victim did not start: {heard}"));
        }
        let mut life = Life { first: self.first(), kept: None, ended };
        let whole = heard.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let (mut last_sent, mut joined) = (None, 0);
        for line in whole.lines() {
            let mut words = line.split(' ');
            match words.next() {
                Some("lives") if line != "lives 0" => return Err(format!("damage: {line}")),
                Some("kept") => life.kept = words.next().and_then(|number| number.parse().ok()),
                Some("joined") => joined = words.next().unwrap().parse().unwrap(),
                Some("sent") => {
                    let seq: u64 = words.next().unwrap().parse().unwrap();
                    self.note_sent((last_sent, seq), words.next().unwrap())?;
                    last_sent = Some(seq);
                }
                _ => {}
            }
        }
        self.joined += joined;
        self.promised += life.kept.map_or(0, |kept| kept + 1 - life.first);
        self.lives.push(life);
        Ok(())
    }

    /// Notes what was said when nobody could tell any more whether the power was still there.
    ///
    /// A cursor that stands past such a message was brought to the disk after the message was said
    /// and before the power went, so the next life may begin behind it; it must then be the same
    /// for ever, as every other.
    pub(crate) fn note_late(&mut self, words: &str) {
        let whole = words.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let sent = whole.lines().filter_map(|line| line.strip_prefix("sent ")?.split_once(' '));
        let sent = sent.filter_map(|(seq, print)| Some((seq.parse().ok()?, print.to_owned())));
        self.late.extend(sent);
    }

    /// A message: gapless in each life, no message before it missing, and the same for ever.
    fn note_sent(&mut self, (last, seq): (Option<u64>, u64), print: &str) -> Result<(), String> {
        if last.is_none() {
            for (said, print) in std::mem::take(&mut self.late).range(..seq) {
                self.keep_sent(*said, print)?;
            }
        }
        let newest = self.sent.last_key_value().map_or(0, |(seq, _)| seq + 1);
        let is_due = last.map_or(seq <= newest, |last| seq == last + 1);
        if !is_due {
            return Err(format!("message {seq} after {last:?}; {newest} was due at the latest"));
        }
        self.keep_sent(seq, print)
    }

    fn keep_sent(&mut self, seq: u64, print: &str) -> Result<(), String> {
        match self.sent.insert(seq, print.to_owned()) {
            Some(before) if before != print => {
                Err(format!("message {seq} was {before} and is {print}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Holds the disk against what was promised.
    pub(crate) fn settle(&mut self, data: &Path) -> Result<(), String> {
        let past = self.numbers(data, PAST)?;
        for life in &self.lives {
            check_life(life, of_life(life, &past)).map_err(|wrong| format!("{PAST}: {wrong}"))?;
        }
        let rows = self.numbers(data, TABLE)?;
        self.there = rows.len() as u64;
        let mut lived: Vec<&[Row]> = Vec::new();
        for life in &self.lives {
            let left = of_life(life, &rows);
            check_life(life, left)?;
            if let Some((last, _)) = left.last() {
                let loss = life.ended.since(Timestamp::from_micros(*last));
                self.worst_loss = self.worst_loss.max(loss);
                lived.push(left);
            }
        }
        let gaps = self.rows(data, "_gaps")?;
        let gaps: Vec<(i64, i64)> = gaps.iter().flat_map(off_times).collect();
        lived.windows(2).try_for_each(|pair| check_hole(pair[0], pair[1], &gaps))
    }

    /// Times and numbers of a counting table, each once and in order.
    fn numbers(&mut self, data: &Path, table: &str) -> Result<Vec<Row>, String> {
        let rows: Vec<Row> = self.rows(data, table)?.iter().flat_map(numbers).collect();
        match rows.windows(2).find(|pair| pair[1].1 <= pair[0].1) {
            Some(pair) => {
                Err(format!("{table}: {} after {}: twice or out of order", pair[1].1, pair[0].1))
            }
            None => Ok(rows),
        }
    }

    /// Rows of a table: those in files, then those that are only in the journal.
    pub(crate) fn rows(&mut self, data: &Path, table: &str) -> Result<Vec<RecordBatch>, String> {
        let say = |err: std::io::Error| err.to_string();
        let lake = data.join("lake");
        let files = lake::files(&RealDisk, &lake, table).map_err(say)?;
        let mut rows = Vec::new();
        for file in &files {
            if !self.files.contains_key(&file.path) {
                let read = read(&file.path);
                let read = read.map_err(|err| format!("{}: {err}", file.path.display()))?;
                self.files.insert(file.path.clone(), read);
            }
            rows.extend(self.files.get(&file.path).into_iter().flatten().cloned());
        }
        let sealed = lake::sealed(&RealDisk, &lake).map_err(say)?;
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let store = TableStore::open(&data.join("tables"), Arc::clone(&disk)).map_err(say)?;
        let codec = Arc::new(BatchCodec::new(Arc::new(store)));
        let view: LogView<Batch> = LogView::new(&data.join("journal"), disk, codec);
        let tail = |entry: Entry<Batch>| {
            let Some(first) = entry.record.first_ts() else { return };
            let key = (table.to_owned(), first.date());
            let is_sealed = sealed.get(&key).is_some_and(|sealed| entry.offset <= *sealed);
            if entry.record.table.name() == table && !is_sealed {
                rows.push(entry.record.rows.clone());
            }
        };
        view.visit(Offset::START, tail).map_err(say)?;
        Ok(rows)
    }
}

fn of_life<'a>(life: &Life, rows: &'a [Row]) -> &'a [Row] {
    let from = rows.partition_point(|(_, number)| *number < life.first);
    let to = rows.partition_point(|(_, number)| *number < life.first + RANGE);
    rows.get(from..to).unwrap_or_default()
}

/// All that is left of a life stands without a hole, and nothing that was promised is missing.
fn check_life(life: &Life, left: &[Row]) -> Result<(), String> {
    let first = life.first;
    if let Some((row, due)) = left.iter().zip(first..).find(|(row, due)| row.1 != *due) {
        return Err(format!("life {first}: {} where {due} was due", row.1));
    }
    let reached = first + left.len() as u64;
    match life.kept {
        Some(kept) if kept >= reached => Err(format!(
            "life {first}: {kept} was said to be durable, {} samples are missing",
            kept + 1 - reached
        )),
        Some(_) | None => Ok(()),
    }
}

/// Between two lives: rows of `_gaps` say why there is nothing.
fn check_hole(before: &[Row], after: &[Row], gaps: &[(i64, i64)]) -> Result<(), String> {
    let (Some((from, _)), Some((to, _))) = (before.last(), after.first()) else { return Ok(()) };
    let mut reached = *from;
    let mut unexplained = 0;
    for (start, end) in gaps.iter().filter(|(start, end)| end > from && start < to) {
        unexplained += (start - reached).max(0);
        reached = reached.max(*end);
    }
    unexplained += (to - reached).max(0);
    let allowed = i64::try_from(UNEXPLAINED_MAX.as_micros()).unwrap();
    if unexplained > allowed {
        return Err(format!("{unexplained} µs of {from}..{to} have no row of _gaps: {gaps:?}"));
    }
    Ok(())
}

/// The rows of a file.
fn read(path: &Path) -> Result<Vec<RecordBatch>, Box<dyn std::error::Error>> {
    let rows = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn numbers(rows: &RecordBatch) -> Vec<Row> {
    let times = rows.column(0).as_primitive::<TimestampMicrosecondType>();
    let numbers = rows.column_by_name("number").expect("a column").as_primitive::<UInt64Type>();
    times.values().iter().copied().zip(numbers.values().iter().copied()).collect()
}

fn off_times(rows: &RecordBatch) -> Vec<(i64, i64)> {
    let time = |name: &str| {
        rows.column_by_name(name).expect("a column").as_primitive::<TimestampMicrosecondType>()
    };
    let causes = rows.column_by_name("cause").expect("a column").as_string::<i32>().clone();
    let spans = time("gap_start").values().iter().zip(time("gap_end").values());
    let rows = spans.zip(causes.iter());
    rows.filter(|(_, cause)| *cause == Some("gateway_off")).map(|((a, b), _)| (*a, *b)).collect()
}
