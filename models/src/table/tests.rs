use std::sync::Arc;
use std::time::Duration;

use signals::{
    Batch, BatchBuilder, ClockState, Quality, Reason, Signal, Table, Timestamp, Value, ValueType,
};

use super::{GroupClock, Row};

fn table(name: &str, signals: &[(&str, ValueType)]) -> Arc<Table> {
    let signal = |(path, kind): &(&str, ValueType)| Signal::new(*path, *path, *kind);
    Table::of_signals(name, name, false, signals.iter().map(signal).collect()).unwrap()
}

/// A batch of one-signal rows at these milliseconds.
fn batch(table: &Arc<Table>, rows: &[(i64, f64)]) -> Batch {
    let mut builder = BatchBuilder::new(Arc::clone(table));
    for (millis, value) in rows {
        builder.begin(Timestamp::from_micros(millis * 1_000), 0, ClockState::Synced);
        builder.set(0, Value::F64(*value));
    }
    builder.finish().unwrap()
}

fn two_tables() -> (Arc<Table>, Arc<Table>, GroupClock) {
    two_tables_waiting(3)
}

fn two_tables_waiting(age_max_s: u64) -> (Arc<Table>, Arc<Table>, GroupClock) {
    let (fast, slow) =
        (table("fast", &[("a", ValueType::F64)]), table("slow", &[("b", ValueType::F64)]));
    let paths = ["a".to_owned(), "b".to_owned()];
    let tables = [Arc::clone(&fast), Arc::clone(&slow)];
    let clock =
        GroupClock::new(&paths, &tables, Duration::from_secs(1), Duration::from_secs(age_max_s))
            .unwrap();
    (fast, slow, clock)
}

fn row(second: i64, values: [Option<f64>; 2]) -> Row {
    Row { ts: Timestamp::from_micros(second * 1_000_000), values: values.to_vec() }
}

#[test]
fn a_group_in_one_table_gives_its_rows_at_their_own_times_without_what_is_not_good() {
    let both = table("t", &[("x", ValueType::U16), ("on", ValueType::Bool), ("y", ValueType::F64)]);
    let mut builder = BatchBuilder::new(Arc::clone(&both));
    for (micros, bad) in [(1_234, false), (2_345, true)] {
        builder.begin(Timestamp::from_micros(micros), 0, ClockState::Synced);
        builder.set(0, Value::U64(7));
        builder.set(1, Value::Bool(true));
        builder.set(2, Value::F64(1.5));
        if bad {
            builder.flaw(2, Quality::uncertain(Reason::Stale));
        }
    }
    let paths = ["y".to_owned(), "x".to_owned(), "on".to_owned()];
    let second = Duration::from_secs(1);
    let mut clock = GroupClock::new(&paths, &[both], second, second).unwrap();
    let rows = clock.feed(&builder.finish().unwrap());
    let values: Vec<_> = rows.iter().map(|row| (row.ts.micros(), row.values.clone())).collect();
    let good = vec![Some(1.5), Some(7.0), Some(1.0)];
    let flawed = vec![None, Some(7.0), Some(1.0)];
    assert_eq!(values, [(1_234, good), (2_345, flawed)]);
}

#[test]
fn signals_of_two_tables_meet_on_the_clock_with_their_last_values() {
    let (fast, slow, mut clock) = two_tables();
    assert_eq!(clock.feed(&batch(&fast, &[(500, 1.0), (1_500, 2.0), (2_100, 3.0)])), []);
    let rows = clock.feed(&batch(&slow, &[(900, 10.0), (2_000, 20.0)]));
    assert_eq!(rows, [row(1, [Some(1.0), Some(10.0)]), row(2, [Some(2.0), Some(20.0)])]);
}

#[test]
fn a_silent_table_holds_the_group_no_longer_than_the_greatest_age() {
    let (fast, slow, mut clock) = two_tables();
    clock.feed(&batch(&slow, &[(1_000, 10.0)]));
    let seconds: Vec<(i64, f64)> = (1..=12).map(|s| (s * 1_000, 1.0)).collect();
    let rows = clock.feed(&batch(&fast, &seconds));
    assert_eq!(rows.first(), Some(&row(1, [Some(1.0), Some(10.0)])));
    assert_eq!(rows.last(), Some(&row(9, [Some(1.0), None])));
}

#[test]
fn rows_behind_the_clock_are_counted_and_change_nothing() {
    let (fast, slow, mut clock) = two_tables();
    clock.feed(&batch(&fast, &[(5_000, 1.0)]));
    clock.feed(&batch(&slow, &[(5_000, 10.0)]));
    assert_eq!(clock.feed(&batch(&slow, &[(4_000, 9.0), (4_500, 9.5)])), []);
    assert_eq!(clock.late_rows(), 2);
}

#[test]
fn a_gap_of_three_days_gives_no_rows() {
    let (fast, slow, mut clock) = two_tables();
    let mut rows = Vec::new();
    for (millis, value) in [(1_000, 1.0), (300_000_000, 2.0)] {
        rows.extend(clock.feed(&batch(&fast, &[(millis, value)])));
        rows.extend(clock.feed(&batch(&slow, &[(millis, value * 10.0)])));
    }
    let expected = [row(1, [Some(1.0), Some(10.0)]), row(300_000, [Some(2.0), Some(20.0)])];
    assert_eq!(rows, expected);
}

#[test]
fn the_clock_starts_over_when_time_is_set_back() {
    let (fast, slow, mut clock) = two_tables();
    clock.feed(&batch(&fast, &[(9_000_000, 1.0)]));
    assert_eq!(clock.feed(&batch(&slow, &[(9_000_000, 10.0)])).len(), 1);
    clock.feed(&batch(&fast, &[(5_000_000, 2.0)]));
    let rows = clock.feed(&batch(&slow, &[(5_000_000, 20.0)]));
    assert_eq!(rows, [row(5_000, [Some(2.0), Some(20.0)])]);
}

#[test]
fn rows_do_not_depend_on_how_they_were_batched() {
    let a: Vec<(i64, f64)> = (0..50_i32).map(|i| (i64::from(i) * 400, f64::from(i))).collect();
    let b: Vec<(i64, f64)> = (0..20).map(|i| (i * 1_000 + 7, 1.0)).collect();
    let rows_of = |piece_rows: usize| {
        let (fast, slow, mut clock) = two_tables_waiting(30);
        let mut rows = Vec::new();
        for piece in a.chunks(piece_rows) {
            rows.extend(clock.feed(&batch(&fast, piece)));
        }
        for piece in b.chunks(piece_rows) {
            rows.extend(clock.feed(&batch(&slow, piece)));
        }
        rows
    };
    let whole = rows_of(100);
    assert_eq!(whole.len(), 20);
    for piece_rows in [1, 3, 7] {
        assert_eq!(rows_of(piece_rows), whole);
    }
}

#[test]
fn a_path_that_no_table_has_or_that_is_text_is_named() {
    let text = table("t", &[("note", ValueType::Text)]);
    let second = Duration::from_secs(1);
    for path in ["note", "nowhere"] {
        let missing = GroupClock::new(&[path.to_owned()], &[Arc::clone(&text)], second, second);
        assert_eq!(missing.unwrap_err(), path);
    }
}

#[test]
fn a_table_that_changes_gives_its_signals_from_where_they_are_now_and_none_of_another_unit() {
    let before = table("t", &[("x", ValueType::F64), ("y", ValueType::F64)]);
    let paths = ["x".to_owned(), "y".to_owned()];
    let second = Duration::from_secs(1);
    let mut clock = GroupClock::new(&paths, &[Arc::clone(&before)], second, second).unwrap();
    let mut in_bar = Signal::new("y", "y", ValueType::F64);
    in_bar.unit = Some("bar".to_owned());
    let signals = vec![in_bar, Signal::new("x", "x", ValueType::F64)];
    let after = Table::of_signals("t", "t", false, signals).unwrap();
    let mut values = |table: &Arc<Table>| {
        let mut builder = BatchBuilder::new(Arc::clone(table));
        builder.begin(Timestamp::from_micros(1), 0, ClockState::Synced);
        builder.set(0, Value::F64(1.0));
        builder.set(1, Value::F64(2.0));
        clock.feed(&builder.finish().unwrap()).remove(0).values
    };
    assert_eq!(values(&before), [Some(1.0), Some(2.0)]);
    assert_eq!(values(&after), [Some(2.0), None]);
    assert_eq!(values(&before), [Some(1.0), Some(2.0)], "as it was");
}
