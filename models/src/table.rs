//! Alignment: batches of one or several tables become rows of a group of signals.
//!
//! A group that lies in one table gives one row per row of the table, at its own times. A group
//! over several tables is sampled on a clock (1 s): the last value of each signal that is not
//! older than its greatest age, else missing. A tick is complete when every table has gone past
//! it, or when one of them is ahead by the greatest age: a silent device does not hold the group.
//! So batches of a group over several tables must be shorter than the greatest age.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use signals::{Batch, SignalRef, Table, Timestamp};

/// Values of a group at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Their time.
    pub ts: Timestamp,
    /// One entry per signal of the group; `None` for a sample that is missing or not good.
    pub values: Vec<Option<f64>>,
}

/// Brings the signals of a group to common times.
#[derive(Debug)]
pub struct GroupClock {
    size: usize,
    period: Duration,
    age_max: Duration,
    sources: Vec<Source>,
    lanes: Vec<Lane>,
    /// The last tick that was given out.
    last: Option<Timestamp>,
    late_rows: u64,
}

/// A table of the group.
#[derive(Debug)]
struct Source {
    table: Arc<Table>,
    /// Places in the table and in the group.
    places: Vec<(usize, usize)>,
    /// The table the group was made for, and the places in it: what a changed one is held against.
    origin: (Arc<Table>, Vec<(usize, usize)>),
    newest: Option<Timestamp>,
}

/// The samples of one signal that no tick has passed yet.
#[derive(Debug, Default)]
struct Lane {
    held: Option<(Timestamp, f64)>,
    coming: VecDeque<(Timestamp, Option<f64>)>,
}

impl GroupClock {
    /// A clock for the signals at `paths`, which lie in some of `tables`. `period` is the time
    /// between rows of a group over several tables; a value older than `age_max` is missing.
    ///
    /// # Errors
    /// The first path that no table has, or that is not a number.
    pub fn new(
        paths: &[String],
        tables: &[Arc<Table>],
        period: Duration,
        age_max: Duration,
    ) -> Result<Self, String> {
        let mut sources: Vec<Source> = Vec::new();
        for (slot, path) in paths.iter().enumerate() {
            let (table, column) = tables
                .iter()
                .find_map(|table| {
                    let column = table.signals().iter().position(|s| s.path == *path)?;
                    Some((table, column))
                })
                .ok_or_else(|| path.clone())?;
            let numeric = table.signals().get(column).is_some_and(|s| s.kind.is_numeric());
            if !numeric {
                return Err(path.clone());
            }
            match sources.iter_mut().find(|source| source.table == *table) {
                Some(source) => source.origin.1.push((column, slot)),
                None => sources.push(Source {
                    table: Arc::clone(table),
                    places: Vec::new(),
                    origin: (Arc::clone(table), vec![(column, slot)]),
                    newest: None,
                }),
            }
        }
        for source in &mut sources {
            source.places.clone_from(&source.origin.1);
        }
        let lanes = paths.iter().map(|_| Lane::default()).collect();
        let period = period.max(Duration::from_millis(1));
        Ok(Self { size: paths.len(), period, age_max, sources, lanes, last: None, late_rows: 0 })
    }

    /// Takes a batch and gives the rows that are complete now, oldest first. Batches of other
    /// tables give nothing.
    pub fn feed(&mut self, batch: &Batch) -> Vec<Row> {
        let name = batch.table.name();
        let place = self.sources.iter().position(|source| source.table.name() == name);
        let Some(source) = place else { return Vec::new() };
        if let Some(source) = self.sources.get_mut(source) {
            source.turn_to(&batch.table);
        }
        if self.sources.len() == 1 {
            return self.rows_of(batch);
        }
        self.store(batch, source);
        self.ticks()
    }

    /// Rows that came after their tick had been given out.
    #[must_use]
    pub fn late_rows(&self) -> u64 {
        self.late_rows
    }

    fn rows_of(&self, batch: &Batch) -> Vec<Row> {
        let stamps = batch.timestamps().iter().map(|micros| Timestamp::from_micros(*micros));
        let mut aligned: Vec<Row> =
            stamps.map(|ts| Row { ts, values: vec![None; self.size] }).collect();
        for source in &self.sources {
            for (column, slot) in &source.places {
                let values = good_values(batch, *column);
                for (row, value) in aligned.iter_mut().zip(values) {
                    if let Some(cell) = row.values.get_mut(*slot) {
                        *cell = value;
                    }
                }
            }
        }
        aligned
    }

    fn store(&mut self, batch: &Batch, source: usize) {
        let newest = batch.last_ts();
        let back = self
            .last
            .zip(newest)
            .is_some_and(|(last, newest)| newest < last && last.since(newest) > self.age_max);
        if back {
            // The clock was set back: start over from the new time.
            self.last = None;
            self.lanes.iter_mut().for_each(|lane| *lane = Lane::default());
            self.sources.iter_mut().for_each(|source| source.newest = None);
        }
        let stamps = batch.timestamps().iter().map(|micros| Timestamp::from_micros(*micros));
        let behind = stamps.filter(|ts| self.last.is_some_and(|last| *ts <= last)).count();
        self.late_rows += u64::try_from(behind).unwrap_or(u64::MAX);
        let Some(source) = self.sources.get_mut(source) else { return };
        source.newest = source.newest.max(newest);
        for (column, slot) in &source.places {
            let Some(lane) = self.lanes.get_mut(*slot) else { continue };
            let stamps = batch.timestamps().iter().map(|micros| Timestamp::from_micros(*micros));
            for (ts, value) in stamps.zip(good_values(batch, *column)) {
                if self.last.is_none_or(|last| ts > last) {
                    lane.coming.push_back((ts, value));
                }
            }
        }
    }

    fn ticks(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        while let Some(tick) = self.next_tick() {
            let values: Vec<Option<f64>> =
                self.lanes.iter_mut().map(|lane| lane.at(tick, self.age_max)).collect();
            self.last = Some(tick);
            rows.push(Row { ts: tick, values });
        }
        rows
    }

    /// The next tick that is complete. Stretches in which nothing came are passed over.
    fn next_tick(&self) -> Option<Timestamp> {
        let first = self.lanes.iter().filter_map(Lane::next).min()?;
        let after = first.floor(self.period);
        let tick = if after < first { after.plus(self.period) } else { after };
        let tick = match self.last {
            Some(last) => tick.max(last.plus(self.period)),
            None => tick,
        };
        let newest = self.sources.iter().filter_map(|source| source.newest).max()?;
        let all = self.sources.iter().all(|source| source.newest.is_some_and(|at| at >= tick));
        let waited = newest >= tick && newest.since(tick) >= self.age_max;
        (all || waited).then_some(tick)
    }
}

impl Source {
    /// Goes on with a changed table: signals that are still numbers of the same unit are taken from
    /// where they are now, the others are missing.
    fn turn_to(&mut self, table: &Arc<Table>) {
        if Arc::ptr_eq(&self.table, table) {
            return;
        }
        self.table = Arc::clone(table);
        let (origin, wanted) = &self.origin;
        let place = |(column, slot): &(usize, usize)| {
            let signal = origin.signals().get(*column)?;
            let is_same = |now: &SignalRef<'_>| {
                now.path == signal.path && now.unit == signal.unit && now.kind.is_numeric()
            };
            Some((table.signals().iter().position(|now| is_same(&now))?, *slot))
        };
        self.places = wanted.iter().filter_map(place).collect();
    }
}

impl Lane {
    fn next(&self) -> Option<Timestamp> {
        self.coming.front().map(|(ts, _)| *ts)
    }

    fn at(&mut self, tick: Timestamp, age_max: Duration) -> Option<f64> {
        while let Some((ts, value)) = self.coming.pop_front_if(|(ts, _)| *ts <= tick) {
            self.held = value.map(|value| (ts, value));
        }
        self.held.filter(|(ts, _)| tick.since(*ts) <= age_max).map(|(_, value)| value)
    }
}

/// The column of the signal at `place`, without what is not good.
fn good_values(batch: &Batch, place: usize) -> Vec<Option<f64>> {
    let mut values = reals(batch.column(place));
    for flaw in batch.flaws.iter().filter(|flaw| usize::from(flaw.signal) == place) {
        let row = usize::try_from(flaw.row).unwrap_or(usize::MAX);
        if let Some(value) = values.get_mut(row).filter(|_| !flaw.quality.is_good()) {
            *value = None;
        }
    }
    values
}

/// A column as real numbers; text and bytes are missing.
fn reals(column: &ArrayRef) -> Vec<Option<f64>> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::wildcard_enum_match_arm,
        reason = "a detector needs no more than 53 bits; Arrow has types we never write"
    )]
    match column.data_type() {
        DataType::Float64 => numbers::<Float64Type>(column, |v| v),
        DataType::Float32 => numbers::<Float32Type>(column, f64::from),
        DataType::Int8 => numbers::<Int8Type>(column, f64::from),
        DataType::Int16 => numbers::<Int16Type>(column, f64::from),
        DataType::Int32 => numbers::<Int32Type>(column, f64::from),
        DataType::Int64 => numbers::<Int64Type>(column, |v| v as f64),
        DataType::UInt8 => numbers::<UInt8Type>(column, f64::from),
        DataType::UInt16 => numbers::<UInt16Type>(column, f64::from),
        DataType::UInt32 => numbers::<UInt32Type>(column, f64::from),
        DataType::UInt64 => numbers::<UInt64Type>(column, |v| v as f64),
        DataType::Boolean => {
            column.as_boolean().iter().map(|v| v.map(|v| f64::from(u8::from(v)))).collect()
        }
        _ => vec![None; column.len()],
    }
}

fn numbers<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    real: impl Fn(T::Native) -> f64,
) -> Vec<Option<f64>> {
    column.as_primitive::<T>().iter().map(|value| value.map(&real)).collect()
}

#[cfg(test)]
mod tests;
