//! Events of earlier runs and of this one, in one row.

use pipelines_flow::system::{Cell, SystemRows};

use super::*;

fn rows(kinds: impl IntoIterator<Item = (i64, String)>) -> RecordBatch {
    let row = |(seconds, kind): (i64, String)| {
        let ts = Timestamp::from_micros(seconds * 1_000_000);
        let words = [kind.as_str(), "note", "plc", "said", "{}"].map(Cell::from);
        (ts, words.to_vec())
    };
    let rows: Vec<_> = kinds.into_iter().map(row).collect();
    SystemRows::events().batch(&rows).unwrap().rows
}

fn named(range: std::ops::Range<i64>) -> RecordBatch {
    rows(range.map(|at| (at, format!("e{at}"))))
}

fn shown(live: &Live) -> Vec<String> {
    let mut events = live.events(EVENTS_MAX);
    events.reverse();
    assert!(events.is_sorted_by_key(|event| event.number), "numbers grow");
    events.into_iter().map(|event| event.kind).collect()
}

fn live() -> Live {
    Live::new(Arc::new(Catalog::default()))
}

#[test]
fn what_earlier_runs_have_told_stands_before_what_this_one_has_told_already() {
    let live = live();
    live.write().told.take(&named(10..12));
    let seen = live.events(1).first().map(|event| event.number).unwrap();
    let mut past = Past::default();
    past.take(&named(1..3));
    live.precede(past);
    live.write().told.take(&named(12..13));
    assert_eq!(shown(&live), ["e1", "e2", "e10", "e11", "e12"]);
    let after: Vec<_> = live.events_after(seen).into_iter().map(|event| event.kind).collect();
    assert_eq!(after, ["e12"], "who has seen e11 gets what is newer");
}

#[test]
fn a_full_row_of_events_drops_the_oldest_of_the_past() {
    let live = live();
    live.write().told.take(&named(5_000..5_010));
    let mut past = Past::default();
    past.take(&named(0..2_000));
    live.precede(past);
    let shown = shown(&live);
    assert_eq!(shown.len(), EVENTS_MAX);
    assert_eq!(shown.first().unwrap(), "e1010");
    assert_eq!(shown.last().unwrap(), "e5009");
}
