use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use arrow_array::types::Float64Type;

use super::*;
use crate::Signal;

fn builder() -> BatchBuilder {
    let signals = vec![
        Signal::new("p/flow", "flow", ValueType::F64),
        Signal::new("p/on", "on", ValueType::Bool),
    ];
    BatchBuilder::new(Table::of_signals("p", "p", false, signals).unwrap())
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

#[test]
fn a_signal_that_was_not_set_is_null() {
    let mut rows = builder();
    rows.begin(at(1), 0, ClockState::Synced);
    rows.set(0, Value::F64(2.5));
    rows.begin(at(2), 0, ClockState::Synced);
    rows.set(1, Value::Bool(true));
    let batch = rows.finish().unwrap();
    assert_eq!(batch.column(0).as_primitive::<Float64Type>().value(0).to_bits(), 2.5f64.to_bits());
    assert!(batch.column(0).is_null(1));
    assert!(batch.column(1).is_null(0));
}

#[test]
fn the_worst_quality_of_a_row_is_its_q() {
    let mut rows = builder();
    rows.begin(at(1), 0, ClockState::Synced);
    rows.flaw(0, Quality::bad(Reason::Timeout));
    rows.flaw(1, Quality::uncertain(Reason::RangeHigh));
    rows.begin(at(2), 0, ClockState::Synced);
    let batch = rows.finish().unwrap();
    assert_eq!(
        &batch.rows.column(1).as_primitive::<arrow_array::types::UInt8Type>().values()[..],
        [2, 0]
    );
    assert_eq!(batch.flaws.len(), 2);
}

#[test]
fn a_row_that_was_asked_for_carries_the_error_of_its_time_rounded_up() {
    let table = Table::of_exchanges("p", "p", vec![Signal::new("p/flow", "flow", ValueType::F64)]);
    let mut rows = BatchBuilder::new(table.unwrap());
    rows.begin(at(1), 0, ClockState::Synced);
    rows.time_error(Duration::from_nanos(1_001));
    rows.begin(at(2), 0, ClockState::Synced);
    let batch = rows.finish().unwrap();
    assert_eq!(batch.time_errors(), Some(&[2, 0][..]));
    assert_eq!(batch.column(0).null_count(), 2);
}

#[test]
fn two_rows_never_share_a_time() {
    let mut rows = builder();
    for micros in [5, 5, 4, 9] {
        rows.begin(at(micros), 0, ClockState::Synced);
    }
    assert_eq!(rows.finish().unwrap().timestamps(), [5, 6, 7, 9]);
}

#[test]
fn a_finished_builder_starts_again_empty() {
    let mut rows = builder();
    assert!(rows.finish().is_none());
    rows.begin(at(1), 0, ClockState::Unsynced);
    assert_eq!(rows.finish().unwrap().clock, ClockState::Unsynced);
    assert!(rows.finish().is_none());
    rows.begin(at(2), 0, ClockState::Synced);
    assert_eq!(rows.finish().unwrap().clock, ClockState::Synced);
}
