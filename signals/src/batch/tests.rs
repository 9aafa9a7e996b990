use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{self, Float64Type};

use super::*;
use crate::{Signal, ValueType};

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

const ALL: [ValueType; 13] = [
    ValueType::Bool,
    ValueType::I8,
    ValueType::I16,
    ValueType::I32,
    ValueType::I64,
    ValueType::U8,
    ValueType::U16,
    ValueType::U32,
    ValueType::U64,
    ValueType::F32,
    ValueType::F64,
    ValueType::Text,
    ValueType::Bytes,
];

/// What stands in row `row` of signal `signal`; `None` is absent.
fn written(row: usize, signal: usize, kind: ValueType) -> Option<Value<'static>> {
    let number = u8::try_from((row * 7 + signal * 3) % 100).unwrap();
    let is_absent = (row + signal).is_multiple_of(5) && signal.is_multiple_of(2) || signal == 9;
    (!is_absent).then_some(match kind {
        ValueType::Bool => Value::Bool(number < 50),
        ValueType::I8 | ValueType::I16 | ValueType::I32 | ValueType::I64 => {
            Value::I64(-i64::from(number))
        }
        ValueType::U8 | ValueType::U16 | ValueType::U32 | ValueType::U64 => {
            Value::U64(number.into())
        }
        ValueType::F32 | ValueType::F64 => Value::F64(f64::from(number) / 4.0),
        ValueType::Text => Value::Text(if number < 50 { "low" } else { "high" }),
        ValueType::Bytes => Value::Bytes(if number < 50 { b"low" } else { b"high" }),
    })
}

/// A cell as text.
fn shown(column: &ArrayRef, kind: ValueType, row: usize) -> Option<String> {
    macro_rules! number {
        ($arrow:ident) => {
            column.as_primitive::<types::$arrow>().value(row).to_string()
        };
    }
    column.is_valid(row).then(|| match kind {
        ValueType::Bool => column.as_boolean().value(row).to_string(),
        ValueType::I8 => number!(Int8Type),
        ValueType::I16 => number!(Int16Type),
        ValueType::I32 => number!(Int32Type),
        ValueType::I64 => number!(Int64Type),
        ValueType::U8 => number!(UInt8Type),
        ValueType::U16 => number!(UInt16Type),
        ValueType::U32 => number!(UInt32Type),
        ValueType::U64 => number!(UInt64Type),
        ValueType::F32 => number!(Float32Type),
        ValueType::F64 => number!(Float64Type),
        ValueType::Text => column.as_string::<i32>().value(row).to_owned(),
        ValueType::Bytes => format!("{:?}", column.as_binary::<i32>().value(row)),
    })
}

fn shown_value(value: Value<'_>) -> String {
    match value {
        Value::Bool(truth) => truth.to_string(),
        Value::I64(number) => number.to_string(),
        Value::U64(number) => number.to_string(),
        Value::F64(number) => number.to_string(),
        Value::Text(text) => text.to_owned(),
        Value::Bytes(bytes) => format!("{bytes:?}"),
    }
}

#[test]
fn every_cell_holds_what_was_set_whatever_the_types_beside_it_and_the_rows_before() {
    let kinds: Vec<ValueType> = ALL.into_iter().chain(ALL.into_iter().rev()).collect();
    let signal = |(place, kind): (usize, &ValueType)| {
        Signal::new(format!("p/s{place}"), format!("s{place}"), *kind)
    };
    let signals = kinds.iter().enumerate().map(signal).collect();
    let mut builder = BatchBuilder::new(Table::of_signals("p", "p", false, signals).unwrap());
    for rows in [1, 3, 1, 40, 300, 64, 700] {
        for row in 0..rows {
            builder.begin(at(i64::try_from(row).unwrap()), 0, ClockState::Synced);
            for (signal, kind) in kinds.iter().enumerate().rev() {
                if let Some(value) = written(row, signal, *kind) {
                    builder.set(signal, value);
                }
            }
        }
        let batch = builder.finish().unwrap();
        for (signal, kind) in kinds.iter().enumerate() {
            for row in 0..rows {
                let wanted = written(row, signal, *kind).map(shown_value);
                assert_eq!(
                    shown(batch.column(signal), *kind, row),
                    wanted,
                    "{kind:?}, {row} of {rows}"
                );
            }
        }
    }
}

#[test]
fn a_batch_takes_about_what_its_values_take_and_a_fixed_part_for_each_column() {
    let signals = (0..1000).map(|n| Signal::new(format!("p/{n}"), format!("s{n}"), ValueType::U16));
    let mut rows =
        BatchBuilder::new(Table::of_signals("p", "p", false, signals.collect()).unwrap());
    for micros in 0..10 {
        rows.begin(at(micros), 0, ClockState::Synced);
        (0..1000).for_each(|signal| rows.set(signal, Value::U64(7)));
    }
    let taken = rows.finish().unwrap().memory_bytes();
    assert!((20_000..200_000).contains(&taken), "{taken}");
}

#[test]
#[should_panic(expected = "a signal is set once per row")]
fn a_signal_that_is_set_twice_in_a_row_is_a_bug() {
    let mut rows = builder();
    rows.begin(at(1), 0, ClockState::Synced);
    rows.set(0, Value::F64(1.0));
    rows.set(0, Value::F64(2.0));
}
