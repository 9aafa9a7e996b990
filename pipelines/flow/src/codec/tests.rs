use std::path::Path;

use arrow_array::Array as _;
use proptest::prelude::*;
use signals::{BatchBuilder, Signal, Table, Timestamp, Value, ValueType};

use super::*;
use crate::disk::sim::SimDisk;

const KINDS: [ValueType; 13] = [
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

fn table() -> Arc<Table> {
    let signal = |(place, kind): (usize, &ValueType)| {
        Signal::new(format!("p/s{place}"), format!("s{place}"), *kind)
    };
    Table::of_signals("all", "d", true, KINDS.iter().enumerate().map(signal).collect()).unwrap()
}

fn codec(disk: &SimDisk) -> BatchCodec {
    let store = TableStore::open(Path::new("/tables"), Arc::new(disk.clone())).unwrap();
    BatchCodec::new(Arc::new(store))
}

fn set(rows: &mut BatchBuilder, place: usize, seed: u64) {
    let text = "ß".repeat(usize::try_from(seed % 5).unwrap());
    let signed = seed.cast_signed();
    let value = match KINDS[place] {
        ValueType::Bool => Value::Bool(seed.is_multiple_of(2)),
        ValueType::I8 => Value::I64(signed % 128),
        ValueType::I16 => Value::I64(signed % 32_768),
        ValueType::I32 => Value::I64(signed % (1 << 31)),
        ValueType::I64 => Value::I64(signed),
        ValueType::U8 => Value::U64(seed % 256),
        ValueType::U16 => Value::U64(seed % 65_536),
        ValueType::U32 => Value::U64(seed % (1 << 32)),
        ValueType::U64 => Value::U64(seed),
        ValueType::F32 => Value::F64(f64::from(f32::from_bits(u32::try_from(seed >> 40).unwrap()))),
        ValueType::F64 => Value::F64(f64::from_bits(seed)),
        ValueType::Text => Value::Text(&text),
        ValueType::Bytes => Value::Bytes(text.as_bytes()),
    };
    rows.set(place, value);
}

fn batch(cells: &[(i64, Vec<Option<u64>>)]) -> Option<Batch> {
    let mut rows = BatchBuilder::new(table());
    for (time, cells) in cells {
        rows.begin(
            Timestamp::from_micros(*time),
            u8::try_from(*time % 256).unwrap(),
            ClockState::Unsynced,
        );
        for (place, cell) in cells.iter().enumerate() {
            match cell {
                Some(seed) => set(&mut rows, place, *seed),
                None => rows.flaw(place, Quality::bad(Reason::Exception(2))),
            }
        }
    }
    rows.finish()
}

proptest! {
    #[test]
    fn a_batch_comes_back_bit_for_bit(
        cells in prop::collection::vec(
            (0i64..4_000_000_000_000_000, prop::collection::vec(any::<Option<u64>>(), KINDS.len())),
            1..40,
        )
    ) {
        let disk = SimDisk::new();
        let codec_a = codec(&disk);
        let batch = batch(&cells).unwrap();
        let mut bytes = Vec::new();
        codec_a.encode(&batch, &mut bytes).unwrap();
        // A second process, which has only the files.
        let again = codec(&disk).decode(&bytes).unwrap();
        let mut bytes_again = Vec::new();
        codec_a.encode(&again, &mut bytes_again).unwrap();
        prop_assert_eq!(&bytes, &bytes_again);
        prop_assert_eq!(&batch.flaws, &again.flaws);
        prop_assert_eq!(batch.clock, again.clock);
        prop_assert_eq!(batch.timestamps(), again.timestamps());
        for (a, b) in batch.rows.columns().iter().zip(again.rows.columns()) {
            prop_assert_eq!(a.nulls(), b.nulls());
        }
    }

    #[test]
    fn bytes_cut_or_changed_never_panic(
        cut in 0usize..2_000, place in 0usize..2_000, flip in 1u8..=255
    ) {
        let disk = SimDisk::new();
        let codec = codec(&disk);
        let batch = batch(&[(5, vec![Some(3); KINDS.len()]), (9, vec![None; KINDS.len()])]).unwrap();
        let mut bytes = Vec::new();
        codec.encode(&batch, &mut bytes).unwrap();
        bytes.truncate(cut);
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= flip;
        }
        let _either = codec.decode(&bytes);
    }
}

#[test]
fn a_record_of_an_unknown_table_is_an_error_that_names_it() {
    let disk = SimDisk::new();
    let mut bytes = Vec::new();
    codec(&disk).encode(&batch(&[(1, vec![])]).unwrap(), &mut bytes).unwrap();
    let refused = codec(&SimDisk::new()).decode(&bytes).unwrap_err();
    assert!(refused.to_string().contains("table definition"), "{refused}");
}

#[test]
fn an_envelope_comes_back_as_it_was() {
    let envelope = Envelope { source: Offset(7), payload: b"{}".to_vec() };
    let mut bytes = Vec::new();
    EnvelopeCodec.encode(&envelope, &mut bytes).unwrap();
    assert_eq!(EnvelopeCodec.decode(&bytes).unwrap(), envelope);
}
