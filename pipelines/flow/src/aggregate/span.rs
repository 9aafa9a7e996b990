//! The windows of one table and one shape.
//!
//! Rows are collected in panes, one for each step and source address; a window is the panes of its
//! length joined. A tumbling window is one pane.
//!
//! - S-1 A row is in every window that holds its time and was open when the row came. A row that
//!   came too late for one of them is counted, once.
//! - S-2 Open at a time are at most `length / every` panes and what the lateness adds to them, for
//!   each source address; one value is carried for each signal.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signals::{ClockState, Table, Timestamp};

use super::{Closed, WindowSettings};
use crate::window::{Quantile, Tally};

/// The windows of one table and one shape.
#[derive(Debug)]
pub(super) struct Span {
    settings: WindowSettings,
    quantiles: Vec<Quantile>,
    /// Windows that end at this or before it are closed.
    closed: Option<Timestamp>,
    /// By start and source address.
    panes: BTreeMap<(Timestamp, Option<u8>), Pane>,
    carried: BTreeMap<Option<u8>, Vec<Carried>>,
    /// Rows that came too late for a window.
    late_rows: u64,
}

/// What was collected over one step.
#[derive(Debug)]
pub(super) struct Pane {
    pub(super) tallies: Vec<Tally>,
    clock: ClockState,
}

/// The last pane with samples of a signal that is in no open window any more: its start, and what
/// held at its end.
type Carried = Option<(Timestamp, Option<f64>)>;

impl Span {
    /// No windows yet; those that start before `floor` were closed before.
    pub(super) fn new(settings: &WindowSettings, floor: Option<Timestamp>) -> Self {
        Self {
            quantiles: settings.quantiles(),
            closed: floor.map(|start| settings.shape.boundary_before(start)),
            settings: settings.clone(),
            panes: BTreeMap::new(),
            carried: BTreeMap::new(),
            late_rows: 0,
        }
    }

    pub(super) fn settings(&self) -> &WindowSettings {
        &self.settings
    }

    /// Rows that came too late since the last call.
    pub(super) fn take_late_rows(&mut self) -> u64 {
        std::mem::take(&mut self.late_rows)
    }

    /// Goes on with a changed table; `places` says where each of its signals was before.
    pub(super) fn turn_to(&mut self, places: &[Option<usize>]) {
        let fresh = self.fresh();
        for pane in self.panes.values_mut() {
            let old = |place: &Option<usize>| place.and_then(|place| pane.tallies.get(place));
            let tallies = places.iter().map(|place| old(place).unwrap_or(&fresh).clone());
            pane.tallies = tallies.collect();
        }
        for carried in self.carried.values_mut() {
            let old = |place: &Option<usize>| place.and_then(|place| carried.get(place).copied());
            *carried = places.iter().map(|place| old(place).flatten()).collect();
        }
    }

    /// Closes the windows that the table's newest timestamp has passed by the lateness.
    pub(super) fn close_by(
        &mut self,
        newest: Timestamp,
        table: &Arc<Table>,
        out: &mut Vec<Closed>,
    ) {
        let boundary = newest.minus(self.settings.lateness).floor(self.settings.shape.every);
        if self.closed.is_none_or(|closed| closed < boundary) {
            self.close_until(boundary, table, out);
        }
    }

    /// Closes all windows with rows.
    pub(super) fn close_all(&mut self, table: &Arc<Table>, out: &mut Vec<Closed>) {
        if let Some(((newest, _), _)) = self.panes.last_key_value() {
            self.close_until(newest.plus(self.settings.shape.length), table, out);
        }
    }

    fn close_until(&mut self, boundary: Timestamp, table: &Arc<Table>, out: &mut Vec<Closed>) {
        let shape = self.settings.shape;
        while let Some(((oldest, _), _)) = self.panes.first_key_value() {
            let holds_oldest = oldest.minus(shape.length).plus(shape.every);
            let open = self.closed.map(|closed| shape.first_open(closed));
            let start = holds_oldest.max(open.unwrap_or(holds_oldest));
            let end = start.plus(shape.length);
            if end > boundary {
                break;
            }
            self.close((start, end), table, out);
            self.closed = Some(end);
            self.retire(start.plus(shape.every));
        }
        self.closed = Some(boundary);
        self.retire(shape.first_open(boundary));
    }

    /// The pane of a row; `None` when all windows that would hold it have closed.
    pub(super) fn pane_for(
        &mut self,
        (ts, sa): (Timestamp, Option<u8>),
        signals: usize,
        clock: ClockState,
    ) -> Option<&mut Pane> {
        let shape = self.settings.shape;
        let start = ts.floor(shape.every);
        if let Some(closed) = self.closed {
            self.late_rows += u64::from(start.plus(shape.every) <= closed);
            if start.plus(shape.length) <= closed {
                return None;
            }
        }
        let fresh = || Tally::new(!self.quantiles.is_empty());
        let pane = self.panes.entry((start, sa)).or_insert_with(|| Pane {
            tallies: std::iter::repeat_with(fresh).take(signals).collect(),
            clock: ClockState::Synced,
        });
        if clock == ClockState::Unsynced {
            pane.clock = ClockState::Unsynced;
        }
        Some(pane)
    }

    /// The oldest row that a window not closed yet may need: its own, and those of as long before
    /// it as it is long. `None` before anything has closed.
    pub(super) fn needs(&self) -> Option<Timestamp> {
        let shape = self.settings.shape;
        self.closed.map(|closed| shape.first_open(closed).minus(shape.length))
    }

    fn fresh(&self) -> Tally {
        Tally::new(!self.quantiles.is_empty())
    }

    /// Tells a window of each source address that has rows in it.
    fn close(
        &self,
        (start, end): (Timestamp, Timestamp),
        table: &Arc<Table>,
        out: &mut Vec<Closed>,
    ) {
        let within = || self.panes.range((start, None)..(end, None));
        let senders: BTreeSet<Option<u8>> = within().map(|((_, sa), _)| *sa).collect();
        for sa in senders {
            let panes = || within().filter(|((_, of), _)| *of == sa).map(|(_, pane)| pane);
            let is_unsynced = panes().any(|pane| pane.clock == ClockState::Unsynced);
            let carried = self.carried.get(&sa);
            let numeric = table.signals().iter().enumerate().filter(|(_, s)| s.kind.is_numeric());
            let summary = |place: usize| {
                let mut whole: Option<Cow<'_, Tally>> = None;
                for tally in panes().filter_map(|pane| pane.tallies.get(place)) {
                    match &mut whole {
                        None => whole = Some(Cow::Borrowed(tally)),
                        Some(whole) => whole.to_mut().join(tally),
                    }
                }
                let whole = whole.unwrap_or_default();
                let last = carried.and_then(|carried| carried.get(place).copied().flatten());
                let since = start.minus(self.settings.shape.length);
                let held = last.filter(|(pane, _)| *pane >= since).and_then(|(_, held)| held);
                let mut told = whole.close((start, end), held);
                told.quantiles = whole.quantiles(&self.quantiles);
                (place, told)
            };
            out.push(Closed {
                shape: self.settings.shape,
                start,
                end,
                table: Arc::clone(table),
                sa,
                signals: numeric.map(|(place, _)| summary(place)).collect(),
                clock: if is_unsynced { ClockState::Unsynced } else { ClockState::Synced },
            });
        }
    }

    /// Lets go of panes that start before the first open window; what held at their ends stays.
    fn retire(&mut self, first_open: Timestamp) {
        while let Some(entry) = self.panes.first_entry().filter(|e| e.key().0 < first_open) {
            let ((start, sa), pane) = entry.remove_entry();
            let carried = self.carried.entry(sa).or_default();
            carried.resize(pane.tallies.len(), None);
            for (last, tally) in carried.iter_mut().zip(&pane.tallies) {
                if tally.has_samples() {
                    *last = Some((start, tally.held()));
                }
            }
        }
    }
}

#[cfg(test)]
impl Span {
    /// Panes held.
    pub(super) fn panes(&self) -> usize {
        self.panes.len()
    }
}
