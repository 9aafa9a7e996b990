//! Causes: what `_gaps` says of the times of a table. Pure.
//!
//! - CA-1 A moment has one cause: where gaps overlap, that of the one that came first on a sample's
//!   way. What was never sampled cannot have been evicted.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array as _, RecordBatch};

/// Name of the table.
pub(crate) const GAPS: &str = "_gaps";

/// A gap as it was told.
#[derive(Clone, Debug)]
pub(super) struct Told {
    table: Box<str>,
    start: i64,
    end: i64,
    pub(super) cause: Arc<str>,
    pub(super) detail: Arc<str>,
}

/// A stretch of time, and why there are no rows in it, if anybody said so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch<'a> {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) told: Option<&'a Told>,
}

/// The causes of one table, in order of time, each moment once.
#[derive(Debug, Default)]
pub(super) struct Causes<'a> {
    spans: Vec<(i64, i64, &'a Told)>,
}

impl Told {
    /// A gap of the table or tables `table`, from `start` to `end`, both included.
    pub(super) fn new(table: &str, (start, end): (i64, i64), cause: &str, detail: &str) -> Self {
        let (cause, detail) = (Arc::from(cause), Arc::from(detail));
        Self { table: table.into(), start, end, cause, detail }
    }

    /// The gaps in these rows. One of which nobody knows an end is a moment; of which nobody knows
    /// any, is none.
    pub(super) fn read(rows: &RecordBatch) -> Vec<Self> {
        let text = |name: &str| rows.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let time = |name: &str| {
            let column = rows.column_by_name(name)?;
            column.as_primitive_opt::<TimestampMicrosecondType>()
        };
        let (Some(tables), Some(causes), Some(details)) =
            (text("table"), text("cause"), text("detail"))
        else {
            return Vec::new();
        };
        let (Some(starts), Some(ends)) = (time("gap_start"), time("gap_end")) else {
            return Vec::new();
        };
        let at = |row: usize| {
            let start = starts.is_valid(row).then(|| starts.value(row));
            let end = ends.is_valid(row).then(|| ends.value(row));
            let span = (start.or(end)?, end.or(start)?);
            Some(Self::new(tables.value(row), span, causes.value(row), details.value(row)))
        };
        (0..rows.num_rows()).filter_map(at).collect()
    }

    /// Whether it is about a table: `*` is about all, `truck_*` about those that begin so.
    pub(super) fn is_about(&self, table: &str) -> bool {
        match self.table.strip_suffix('*') {
            Some(beginning) => table.starts_with(beginning),
            None => *self.table == *table,
        }
    }

    /// Place on a sample's way, from the device to the file.
    fn rank(&self) -> u8 {
        match &*self.cause {
            "gateway_off" => 0,
            "starting" | "reload" => 1,
            "overload" => 3,
            "damage" => 4,
            "thinned" => 5,
            "evicted" => 6,
            _ => 2,
        }
    }
}

impl<'a> Causes<'a> {
    /// What these gaps, all of one table, explain. Their ends are samples, or the neighbours of
    /// samples, so each is wider by `slack` µs.
    pub(super) fn of(gaps: impl Iterator<Item = &'a Told>, slack: i64) -> Self {
        let gaps: Vec<&Told> = gaps.filter(|told| told.end >= told.start).collect();
        // Where gaps begin and end, with the place of each.
        let mut bounds: Vec<(i64, bool, usize)> = Vec::with_capacity(2 * gaps.len());
        for (place, told) in gaps.iter().enumerate() {
            bounds.push((told.start.saturating_sub(slack), true, place));
            bounds.push((told.end.saturating_add(slack).saturating_add(1), false, place));
        }
        bounds.sort_unstable();
        let mut open: BTreeSet<(u8, usize)> = BTreeSet::new();
        let mut spans: Vec<(i64, i64, &Told)> = Vec::new();
        let mut since = i64::MIN;
        for (time, begins, place) in bounds {
            let Some(told) = gaps.get(place) else { continue };
            let first = open.first().and_then(|(_, place)| gaps.get(*place));
            if let Some(first) = first.filter(|_| since < time) {
                match spans.last_mut() {
                    // Another gap has begun or ended behind it.
                    Some((_, end, last)) if *end == since && std::ptr::eq(*last, *first) => {
                        *end = time;
                    }
                    _ => spans.push((since, time, first)),
                }
            }
            since = time;
            let key = (told.rank(), place);
            if begins {
                open.insert(key);
            } else {
                open.remove(&key);
            }
        }
        Self { spans }
    }

    /// `from..to` without a rest, cut where causes begin and end.
    pub(super) fn cut(&self, from: i64, to: i64) -> Vec<Stretch<'a>> {
        let mut stretches = Vec::new();
        let mut at = from;
        let first = self.spans.partition_point(|(_, end, _)| *end <= from);
        for (start, end, told) in self.spans.iter().skip(first) {
            if *start >= to || at >= to {
                break;
            }
            if *start > at {
                stretches.push(Stretch { from: at, to: *start, told: None });
                at = *start;
            }
            let end = (*end).min(to);
            stretches.push(Stretch { from: at, to: end, told: Some(told) });
            at = end;
        }
        if at < to {
            stretches.push(Stretch { from: at, to, told: None });
        }
        stretches
    }
}

#[cfg(test)]
mod tests;
