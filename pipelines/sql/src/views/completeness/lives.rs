//! Lives: when a signal was to be sampled, and how often, as `_signals` says.

use std::collections::{BTreeMap, HashMap};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, RecordBatch};

/// Name of the table.
pub(crate) const SIGNALS: &str = "_signals";

/// A time in which a signal was sampled into one table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Life {
    pub(crate) table: String,
    /// From when on, µs.
    pub(crate) from: i64,
    /// Until when, `i64::MAX` when it still is.
    pub(crate) to: i64,
    /// Time between two rows of the table, µs, where they are on a grid.
    pub(crate) period: Option<i64>,
}

/// All lives, by path, in order of time.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    by_path: BTreeMap<String, Vec<Life>>,
}

impl Lives {
    /// What rows of `_signals` say.
    pub(crate) fn read(batches: &[RecordBatch]) -> Self {
        let mut ends: HashMap<(String, i64), i64> = HashMap::new();
        let mut by_path: BTreeMap<String, Vec<Life>> = BTreeMap::new();
        for rows in batches {
            let text = |name: &str| rows.column_by_name(name)?.as_string_opt::<i32>();
            let time = |name: &str| {
                rows.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()
            };
            let (Some(paths), Some(tables)) = (text("path"), text("table")) else { continue };
            let (Some(from), Some(to)) = (time("valid_from"), time("valid_to")) else { continue };
            // Rows of before there were periods have none.
            let periods = rows.column_by_name("period_us");
            let periods = periods.and_then(|column| column.as_primitive_opt::<Int64Type>());
            for row in (0..rows.num_rows()).filter(|row| from.is_valid(*row)) {
                let (path, from) = (paths.value(row).to_owned(), from.value(row));
                if to.is_valid(row) {
                    ends.insert((path, from), to.value(row));
                    continue;
                }
                let period = periods.filter(|periods| periods.is_valid(row));
                let period = period.map(|periods| periods.value(row)).filter(|us| *us > 0);
                let table = tables.value(row).to_owned();
                by_path.entry(path).or_default().push(Life { table, from, to: i64::MAX, period });
            }
        }
        for (path, lives) in &mut by_path {
            lives.sort_by_key(|life| life.from);
            // A record of signals that was lost tells all again, without an end of what was before.
            let mut next = i64::MAX;
            for life in lives.iter_mut().rev() {
                let end = ends.get(&(path.clone(), life.from)).copied();
                life.to = end.unwrap_or(next).min(next).max(life.from);
                next = life.from;
            }
        }
        Self { by_path }
    }

    /// The lives of a signal in a table.
    pub(crate) fn of(&self, path: &str, table: &str) -> Vec<Life> {
        let lives = self.by_path.get(path).into_iter().flatten();
        lives.filter(|life| life.table == table).cloned().collect()
    }

    /// The signals that a table has had.
    pub(crate) fn paths_in(&self, table: &str) -> Vec<String> {
        let is_in = |lives: &[Life]| lives.iter().any(|life| life.table == table);
        self.by_path
            .iter()
            .filter(|(_, lives)| is_in(lives))
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// The longest time between two rows of these tables, µs.
    pub(crate) fn slowest(&self, is_wanted: &dyn Fn(&str) -> bool) -> Option<i64> {
        let all = self.by_path.values().flatten();
        all.filter(|life| is_wanted(&life.table)).filter_map(|life| life.period).max()
    }

    /// When the first signal of any of these tables began.
    pub(crate) fn earliest(&self, is_wanted: &dyn Fn(&str) -> bool) -> Option<i64> {
        let all = self.by_path.values().flatten();
        all.filter(|life| is_wanted(&life.table)).map(|life| life.from).min()
    }
}
