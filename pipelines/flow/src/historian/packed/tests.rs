use std::sync::Arc;

use proptest::prelude::*;
use signals::{
    BatchBuilder, ClockState, Quality, Reason, Signal, Table, Timestamp, Value, ValueType,
};

use super::*;

/// A table with a column of every type.
fn table() -> Arc<Table> {
    use ValueType::{Bool, Bytes, F32, F64, I8, I16, I32, I64, Text, U8, U16, U32, U64};
    let kinds = [Bool, I8, I16, I32, I64, U8, U16, U32, U64, F32, F64, Text, Bytes];
    let signal = |(place, kind): (usize, ValueType)| {
        Signal::new(format!("t/c{place}"), format!("c{place}"), kind)
    };
    let signals = kinds.into_iter().enumerate().map(signal).collect();
    Table::of_exchanges("t", "t", signals).unwrap()
}

/// Rows whose values and nulls depend on `seed`.
fn rows(count: usize, seed: u64) -> RecordBatch {
    let table = table();
    let mut builder = BatchBuilder::new(Arc::clone(&table));
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u32::try_from(state >> 33).unwrap()
    };
    for row in 0..i64::try_from(count).unwrap() {
        builder.begin(Timestamp::from_micros(row), 0, ClockState::Synced);
        for (place, signal) in table.signals().iter().enumerate() {
            let number = next();
            let text = format!("{number}");
            if number % 5 == 0 {
                builder.flaw(place, Quality::bad(Reason::Timeout));
                continue;
            }
            match signal.kind {
                ValueType::Bool => builder.set(place, Value::Bool(number % 2 == 0)),
                ValueType::Text => builder.set(place, Value::Text(&text)),
                ValueType::Bytes => builder.set(place, Value::Bytes(text.as_bytes())),
                ValueType::F32 | ValueType::F64 => builder.set(place, Value::F64(number.into())),
                ValueType::I8 | ValueType::I16 | ValueType::I32 | ValueType::I64 => {
                    builder.set(place, Value::I64(i64::from(number % 100) - 50));
                }
                ValueType::U8 | ValueType::U16 | ValueType::U32 | ValueType::U64 => {
                    builder.set(place, Value::U64(u64::from(number % 100)));
                }
            }
        }
    }
    builder.finish().unwrap().rows
}

proptest! {
    #[test]
    fn what_is_unpacked_is_what_was_packed(count in 1_usize..400, seed in any::<u64>()) {
        let batch = rows(count, seed);
        let packed = Packed::of(&batch);
        if let Some(packed) = packed {
            prop_assert_eq!(packed.rows, batch.num_rows());
            prop_assert_eq!(packed.batch().unwrap(), batch);
        }
    }
}

#[test]
fn a_large_batch_is_held_in_less() {
    let batch = rows(1_000, 7);
    let held = Held::of(batch.clone());
    let Held::Packed(packed) = &held else { panic!("it is left as it is") };
    assert!(packed.bytes.len() * 2 < packed.length, "{} of {}", packed.bytes.len(), packed.length);
    assert_eq!(held.unpacked(), batch);
}

#[test]
fn a_slice_of_a_batch_is_left_as_it_is_and_comes_back_whole() {
    let slice = rows(1_000, 7).slice(3, 900);
    assert_eq!(Held::of(slice.clone()).unpacked(), slice);
}
