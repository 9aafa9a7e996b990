//! Answer: what was counted of a table, held against what was expected of it, as rows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use arrow_schema::SchemaRef;
use datafusion::error::Result;

use super::HOUR_US;
use super::causes::{Causes, Stretch};
use super::lives::Life;
use super::slots::{Hole, Islands};
use super::tally::{Count, Counts};
use crate::views::paths::sent_by;

/// Rows of one batch of the answer.
const ROWS_MAX: usize = 8_192;

/// Times that are asked for and known, µs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Beginning of the first hour.
    pub(super) from: i64,
    /// End of the last hour.
    pub(super) to: i64,
    /// Rows are read from here on: what holes at the window's edges begin and end with.
    pub(super) read_from: i64,
    /// Rows are read up to here.
    pub(super) read_to: i64,
    /// What has happened since is not told yet.
    pub(super) known_to: Option<i64>,
}

/// A stretch of missing slots of a table, all of one hour and one cause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    hole: Hole,
    stretch: Stretch<'a>,
}

/// Time that a row which was sampled may still take to be told of.
const ON_ITS_WAY_US: i64 = 2_000_000;

/// The missing slots of a table, cut at hours and where causes change.
pub(super) fn pieces<'a>(
    islands: Islands,
    lives: &[Life],
    causes: &Causes<'a>,
    (window, period): (&Window, i64),
) -> Vec<Piece<'a>> {
    let on_grid = || lives.iter().filter(|life| life.period.is_some());
    let Some(begin) = on_grid().map(|life| life.from).min() else { return Vec::new() };
    let end = on_grid().map(|life| life.to).max().unwrap_or(i64::MAX);
    let (begin, end) = (begin.max(window.read_from), end.min(window.read_to));
    let known_to = window.known_to.max(islands.newest()).unwrap_or(i64::MIN);
    // A slot is over a period later.
    let settled = known_to.saturating_sub(period + ON_ITS_WAY_US).saturating_add(1);
    let end = end.min(settled);
    let holes = if islands.is_empty() {
        vec![Hole::all(begin, end, period)]
    } else {
        islands.holes(begin, end)
    };
    let mut pieces = Vec::new();
    for hole in holes {
        let (after, before) = hole.span();
        let (from, to) = (after.max(window.from), before.min(window.to));
        for stretch in causes.cut(from, to.max(from)) {
            if hole.within(stretch.from, stretch.to) > 0 {
                pieces.push(Piece { hole, stretch });
            }
        }
    }
    pieces
}

impl Piece<'_> {
    /// Its slots in the lives of a signal that are on a grid, within `from..to`.
    fn missing(&self, lives: &[Life], (from, to): (i64, i64)) -> i64 {
        let lives = lives.iter().filter(|life| life.period.is_some());
        let within = lives.map(|life| {
            let from = from.max(life.from).max(self.stretch.from);
            self.hole.within(from, to.min(life.to).min(self.stretch.to))
        });
        within.sum()
    }

    fn cause(&self) -> Option<&str> {
        self.stretch.told.map(|told| &*told.cause)
    }
}

/// What is missing of a signal in one hour: by cause, those without one under none.
pub(super) type Missing<'a> = BTreeMap<Option<&'a str>, i64>;

/// What is missing by hour in these lives of a signal.
pub(super) fn missing_by_hour<'a>(
    pieces: &'a [Piece<'_>],
    lives: &[Life],
) -> BTreeMap<i64, Missing<'a>> {
    let mut hours: BTreeMap<i64, Missing<'_>> = BTreeMap::new();
    for piece in pieces {
        let mut hour = super::tally::hour_of(piece.stretch.from);
        while hour < piece.stretch.to {
            let missing = piece.missing(lives, (hour, hour + HOUR_US));
            if missing > 0 {
                *hours.entry(hour).or_default().entry(piece.cause()).or_default() += missing;
            }
            hour += HOUR_US;
        }
    }
    hours
}

/// What was found of one signal.
pub(super) struct Found<'a> {
    /// When it was to be sampled.
    pub(super) lives: &'a [Life],
    /// What is missing of that, by hour.
    pub(super) missing: &'a BTreeMap<i64, Missing<'a>>,
    /// What is stored.
    pub(super) counts: &'a Counts,
    /// Whether it is told apart by sender.
    pub(super) by_sender: bool,
}

/// Rows of `completeness` of one table.
pub(super) struct HourRows<'a> {
    pub(super) schema: &'a SchemaRef,
    pub(super) table: &'a str,
    pub(super) window: &'a Window,
    pub(super) causes: &'a Causes<'a>,
    rows: Vec<HourRow>,
    batches: Vec<RecordBatch>,
    made: usize,
}

/// What a row takes of the memory, roughly, while its table is counted.
const ROW_BYTES: usize = 256;

struct HourRow {
    hour: i64,
    path: Arc<str>,
    period: Option<i64>,
    expected: Option<i64>,
    count: Count,
    explained: i64,
    causes: String,
    unexplained: i64,
}

impl<'a> HourRows<'a> {
    pub(super) fn new(
        (schema, table): (&'a SchemaRef, &'a str),
        window: &'a Window,
        causes: &'a Causes<'a>,
    ) -> Self {
        Self { schema, table, window, causes, rows: Vec::new(), batches: Vec::new(), made: 0 }
    }

    /// Memory that it takes when a signal has been added that has a row in every hour.
    pub(super) fn bytes_with_one_more(&self) -> usize {
        let hours = (self.window.to - self.window.from).max(0) / HOUR_US;
        let hours = usize::try_from(hours).unwrap_or(usize::MAX);
        self.made.saturating_add(hours).saturating_mul(ROW_BYTES)
    }

    /// Adds a signal.
    pub(super) fn add(&mut self, path: &str, found: &Found<'_>) -> Result<()> {
        let Found { counts, by_sender, .. } = *found;
        let mut senders: Vec<u8> = counts.keys().map(|(sender, _)| *sender).collect();
        senders.dedup();
        if senders.is_empty() && !by_sender {
            senders.push(0);
        }
        for sender in senders {
            let name: Arc<str> =
                if by_sender { sent_by(path, sender).into() } else { Arc::from(path) };
            let mut hour = self.window.from;
            while hour < self.window.to {
                let count = counts.get(&(sender, hour)).cloned().unwrap_or_default();
                self.add_hour((&name, hour), found, count)?;
                hour += HOUR_US;
            }
        }
        Ok(())
    }

    fn add_hour(
        &mut self,
        (path, hour): (&Arc<str>, i64),
        found: &Found<'_>,
        count: Count,
    ) -> Result<()> {
        let missing = found.missing.get(&hour);
        let overlaps = |life: &&Life| life.from < hour + HOUR_US && life.to > hour;
        let mut of_hour = found.lives.iter().filter(overlaps);
        let grid = of_hour.clone().filter_map(|life| life.period).next_back();
        let known_to = self.window.known_to.unwrap_or(i64::MAX);
        let is_alive = hour <= known_to && of_hour.next().is_some();
        if count.stored() == 0 && missing.is_none() && !is_alive {
            return Ok(());
        }
        let total = |is_told: bool| -> i64 {
            let all = missing.into_iter().flatten();
            all.filter(|(cause, _)| cause.is_some() == is_told).map(|(_, count)| count).sum()
        };
        let (explained, unexplained) = (total(true), total(false));
        let causes = match grid {
            Some(_) => object(
                missing
                    .into_iter()
                    .flatten()
                    .filter_map(|(cause, count)| Some(((*cause)?, count.to_string()))),
            ),
            None => self.seconds(hour),
        };
        let expected = grid.map(|_| count.stored() + explained + unexplained);
        let path = Arc::clone(path);
        let row =
            HourRow { hour, path, period: grid, expected, count, explained, causes, unexplained };
        self.rows.push(row);
        self.made += 1;
        if self.rows.len() >= ROWS_MAX { self.finish_batch() } else { Ok(()) }
    }

    /// Of a table without a grid: seconds of the hour that gaps have told of.
    fn seconds(&self, hour: i64) -> String {
        let mut by_cause: BTreeMap<&str, i64> = BTreeMap::new();
        for stretch in self.causes.cut(hour, hour + HOUR_US) {
            if let Some(told) = stretch.told {
                *by_cause.entry(&told.cause).or_default() += stretch.to - stretch.from;
            }
        }
        object(by_cause.into_iter().map(|(cause, us)| {
            (cause, format!("\"{}.{:03} s\"", us / 1_000_000, us / 1_000 % 1_000))
        }))
    }

    /// The rows so far.
    pub(super) fn take(&mut self) -> Result<Vec<RecordBatch>> {
        self.finish_batch()?;
        Ok(std::mem::take(&mut self.batches))
    }

    fn finish_batch(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let number = |of: &dyn Fn(&HourRow) -> Option<i64>| -> ArrayRef {
            Arc::new(rows.iter().map(of).collect::<Int64Array>())
        };
        let text = |of: &dyn Fn(&HourRow) -> String| -> ArrayRef {
            Arc::new(rows.iter().map(|row| Some(of(row))).collect::<StringViewArray>())
        };
        let reasons = |row: &HourRow| {
            object(row.count.reasons.iter().map(|(reason, n)| (&**reason, n.to_string())))
        };
        let hours = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.hour));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(hours.with_timezone("UTC")),
            text(&|row| row.path.to_string()),
            text(&|_| self.table.to_owned()),
            number(&|row| row.period),
            number(&|row| row.expected),
            number(&|row| Some(row.count.good)),
            number(&|row| Some(row.count.uncertain)),
            number(&|row| Some(row.count.bad)),
            text(&reasons),
            number(&|row| row.expected.map(|_| row.explained)),
            text(&|row| row.causes.clone()),
            number(&|row| row.expected.map(|_| row.unexplained)),
        ];
        self.batches.push(RecordBatch::try_new(Arc::clone(self.schema), columns)?);
        Ok(())
    }
}

/// Rows of `holes` of one table; `lives` are those of all of its signals.
pub(super) fn hole_rows(
    (schema, table): (&SchemaRef, &str),
    pieces: &[Piece<'_>],
    lives: &[Life],
    window: &Window,
) -> Result<Vec<RecordBatch>> {
    let whole = merged(lives);
    let mut found = Vec::new();
    for piece in pieces {
        for life in &whole {
            let from = piece.stretch.from.max(life.from).max(window.from);
            let to = piece.stretch.to.min(life.to).min(window.to);
            let missing = piece.hole.within(from, to);
            if missing > 0 {
                found.push((piece.hole.ends_within(from, to), missing, piece.stretch.told));
            }
        }
    }
    let mut batches = Vec::new();
    for rows in found.chunks(ROWS_MAX) {
        let time = |of: &dyn Fn(&(i64, i64)) -> i64| -> ArrayRef {
            let times = rows.iter().map(|(ends, _, _)| of(ends));
            Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
        };
        let text = |of: &dyn Fn(usize) -> String| -> ArrayRef {
            Arc::new((0..rows.len()).map(|row| Some(of(row))).collect::<StringViewArray>())
        };
        let told = |row: usize| rows.get(row).and_then(|(_, _, told)| *told);
        let missing = rows.iter().map(|(_, missing, _)| *missing);
        let columns: Vec<ArrayRef> = vec![
            time(&|ends| ends.0),
            time(&|ends| ends.1),
            text(&|_| table.to_owned()),
            Arc::new(Int64Array::from_iter_values(missing)),
            text(&|row| told(row).map_or("unexplained".to_owned(), |told| told.cause.to_string())),
            text(&|row| told(row).map_or(String::new(), |told| told.detail.to_string())),
        ];
        batches.push(RecordBatch::try_new(Arc::clone(schema), columns)?);
    }
    Ok(batches)
}

/// Lives on a grid, those that touch each other as one.
fn merged(lives: &[Life]) -> Vec<Life> {
    let mut sorted: Vec<Life> = lives.iter().filter(|l| l.period.is_some()).cloned().collect();
    sorted.sort_by_key(|life| life.from);
    let mut whole: Vec<Life> = Vec::new();
    for life in sorted {
        match whole.last_mut() {
            Some(last) if life.from <= last.to => last.to = last.to.max(life.to),
            _ => whole.push(life),
        }
    }
    whole
}

/// A JSON object of names, which need no escapes, and values.
fn object<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut text = "{".to_owned();
    for (name, value) in pairs {
        let comma = if text.len() > 1 { "," } else { "" };
        // Writing to a text cannot fail.
        let _written = write!(text, "{comma}\"{}\":{value}", name.replace(['"', '\\'], ""));
    }
    text.push('}');
    text
}
