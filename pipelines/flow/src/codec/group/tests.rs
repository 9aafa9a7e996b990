use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use proptest::prelude::*;
use signals::{
    Batch, BatchBuilder, ClockState, Disk, Quality, Reason, Signal, Table, Timestamp, Value,
    ValueType,
};

use super::cells::{Decimal, step, stepped};
use super::*;
use crate::codec::{BatchCodec, Grouped};
use crate::disk::sim::SimDisk;
use crate::log::{Codec, GroupCodec};
use crate::tables::TableStore;

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

/// A batch as a test names it: table, time of the first row, rows of cells.
type Made = (usize, i64, Vec<Vec<Option<u64>>>);

/// Every third is of senders, every second has times that are off.
fn tables() -> Vec<Arc<Table>> {
    let signal = |(place, kind): (usize, &ValueType)| {
        Signal::new(format!("p/s{place}"), format!("s{place}"), *kind)
    };
    let signals = || KINDS.iter().enumerate().map(signal).collect::<Vec<_>>();
    vec![
        Table::of_signals("a", "d", true, signals()).unwrap(),
        Table::of_exchanges("b", "d", signals()).unwrap(),
        Table::of_signals("c", "d", false, signals()[10..11].to_vec()).unwrap(),
    ]
}

fn value(kind: ValueType, seed: u64, text: &str) -> Value<'_> {
    let signed = seed.cast_signed();
    match kind {
        ValueType::Bool => Value::Bool(seed.is_multiple_of(2)),
        ValueType::I8 => Value::I64(signed % 128),
        ValueType::I16 => Value::I64(signed % 32_768),
        ValueType::I32 => Value::I64(signed % (1 << 31)),
        ValueType::I64 => Value::I64(signed),
        ValueType::U8 => Value::U64(seed % 256),
        ValueType::U16 => Value::U64(seed % 65_536),
        ValueType::U32 => Value::U64(seed % (1 << 32)),
        ValueType::U64 => Value::U64(seed),
        // Scaled values, and any bits there are, payloads of NaN among them.
        ValueType::F32 => Value::F64(f64::from(f32::from_bits(u32::try_from(seed >> 32).unwrap()))),
        #[expect(clippy::cast_precision_loss, reason = "some number")]
        ValueType::F64 if seed.is_multiple_of(3) => Value::F64((seed % 70_000) as f64 * 0.1),
        ValueType::F64 => Value::F64(f64::from_bits(seed)),
        ValueType::Text => Value::Text(text),
        ValueType::Bytes => Value::Bytes(text.as_bytes()),
    }
}

fn batch(tables: &[Arc<Table>], made: &Made) -> Arc<Batch> {
    let (table, first, rows) = made;
    let table = &tables[table % tables.len()];
    let mut builder = BatchBuilder::new(Arc::clone(table));
    for (row, cells) in (0i64..).zip(rows) {
        let clock = if first % 2 == 0 { ClockState::Synced } else { ClockState::Unsynced };
        builder.begin(Timestamp::from_micros(first + row * 1_000_003), 7, clock);
        for (place, signal) in table.signals().iter().enumerate() {
            match cells[place] {
                Some(seed) => {
                    let text = "ß".repeat(usize::try_from(seed % 5).unwrap());
                    builder.set(place, value(signal.kind, seed, &text));
                }
                None => builder.flaw(place, Quality::bad(Reason::Exception(2))),
            }
        }
    }
    let (table, clock) = (Arc::clone(table), ClockState::Synced);
    let nothing = || {
        let rows = RecordBatch::new_empty(Arc::clone(table.schema()));
        Batch { table: Arc::clone(&table), rows, flaws: Vec::new(), clock }
    };
    Arc::new(builder.finish().unwrap_or_else(nothing))
}

fn codec(disk: &SimDisk) -> BatchCodec {
    let store = TableStore::open(Path::new("/tables"), Arc::new(disk.clone())).unwrap();
    BatchCodec::new(Arc::new(store))
}

/// Bits of a batch by the form that stands by itself.
fn bits(codec: &BatchCodec, batch: &Batch) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec.encode(batch, &mut bytes).unwrap();
    bytes
}

fn made() -> impl Strategy<Value = Made> {
    let cells = prop::collection::vec(any::<Option<u64>>(), KINDS.len());
    (0usize..3, 0i64..4_000_000_000_000_000, prop::collection::vec(cells, 0..6))
}

proptest! {
    #[test]
    fn the_batches_of_commits_come_back_bit_for_bit(
        commits in prop::collection::vec(prop::collection::vec(made(), 1..7), 1..4)
    ) {
        let (disk, tables) = (SimDisk::new(), tables());
        let writing = codec(&disk);
        let mut encoder = writing.encoder();
        let mut reference = None;
        for commit in &commits {
            let records: Vec<_> = commit.iter().map(|made| batch(&tables, made)).collect();
            if reference.is_none() {
                reference = Some(encoder.reference(&records).unwrap());
            }
            let mut bytes = Vec::new();
            encoder.encode(&records, &mut bytes).unwrap();
            // A second process, which has only the files.
            let reading = codec(&disk);
            let known = reading.reference(reference.as_ref().unwrap()).unwrap();
            let again = reading.decode_all(&bytes, &known).unwrap();
            prop_assert_eq!(again.len(), records.len());
            for (before, after) in records.iter().zip(again) {
                let after = after.unwrap();
                prop_assert_eq!(bits(&writing, before), bits(&writing, &after));
                prop_assert_eq!(before.clock, after.clock);
            }
            // As a query reads that names one table.
            let some = reading.decode_group(&bytes, &known, &|table| table.name() == "b").unwrap();
            for (before, after) in records.iter().zip(some) {
                match after.unwrap() {
                    Grouped::Rows(after) => {
                        prop_assert_eq!(before.table.name(), "b");
                        prop_assert_eq!(bits(&writing, before), bits(&writing, &after));
                    }
                    Grouped::Other(table) => {
                        prop_assert!(table.name() != "b");
                        prop_assert_eq!(before.table.name(), table.name());
                    }
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read_without_a_panic(
        commit in prop::collection::vec(made(), 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (disk, tables) = (SimDisk::new(), tables());
        let codec = codec(&disk);
        let records: Vec<_> = commit.iter().map(|made| batch(&tables, made)).collect();
        let mut encoder = codec.encoder();
        let reference = encoder.reference(&records).unwrap();
        let mut bytes = Vec::new();
        encoder.encode(&records, &mut bytes).unwrap();
        let known = codec.reference(&reference).unwrap();
        let spoil = |bytes: &mut Vec<u8>| {
            for (place, byte) in &changes {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
        };
        let shorten = |bytes: &mut Vec<u8>| bytes.truncate(cut.index(bytes.len()));
        let mut spoiled = bytes.clone();
        spoil(&mut spoiled);
        let tries = [
            spoiled,
            streams::with_structure(&bytes, spoil),
            streams::with_structure(&bytes, shorten),
            noise,
            bytes[..cut.index(bytes.len())].to_vec(),
        ];
        for bytes in tries {
            let _either = codec.decode_all(&bytes, &known);
            let _either = codec.reference(&bytes);
        }
        let _either = codec.reference(&streams::with_structure(&reference, spoil));
    }

    #[test]
    fn a_step_leads_to_where_it_came_from(bits in 1u32..=64, a: u64, b: u64) {
        let mask = u64::MAX >> (64 - bits);
        let (a, b) = (a & mask, b & mask);
        prop_assert_eq!(stepped(bits, a, step(bits, a, b)), b);
        prop_assert!(step(bits, a, b) <= mask);
    }

    #[test]
    fn a_decimal_gives_the_same_bits_or_is_none(real: u64, whole in -100_000i64..100_000) {
        for decimal in Decimal::all() {
            let real = f64::from_bits(real);
            let same = |whole: i64| decimal.real(whole).to_bits() == real.to_bits();
            prop_assert!(decimal.whole(real).is_none_or(same));
            prop_assert_eq!(decimal.whole(decimal.real(whole)), Some(whole));
        }
    }
}

#[test]
fn minus_zero_and_numbers_that_are_none_are_no_decimals() {
    for real in [-0.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 1e300] {
        assert!(Decimal::all().all(|decimal| decimal.whole(real).is_none()), "{real}");
    }
}

#[test]
fn a_lost_definition_costs_its_own_records_only() {
    let (disk, tables) = (SimDisk::new(), tables());
    let writing = codec(&disk);
    let cells = vec![vec![Some(6); KINDS.len()]];
    let records: Vec<_> =
        [0, 1, 2, 0].map(|table| batch(&tables, &(table, 5, cells.clone()))).into();
    let mut encoder = writing.encoder();
    let reference = encoder.reference(&records).unwrap();
    let mut bytes = Vec::new();
    encoder.encode(&records, &mut bytes).unwrap();
    let hash = crate::tables::TableHash::of(&tables[1]).0;
    disk.remove(&Path::new("/tables").join(format!("{hash:016x}.json"))).unwrap();
    let reading = codec(&disk);
    let known = reading.reference(&reference).unwrap();
    let again = reading.decode_all(&bytes, &known).unwrap();
    let whole: Vec<bool> = again.iter().map(Result::is_ok).collect();
    assert_eq!(whole, [true, false, true, true]);
    assert!(again[1].as_ref().unwrap_err().to_string().contains(&format!("{hash:016x}")));
}

#[test]
fn a_commit_of_a_plant_takes_less_than_a_byte_and_a_half_a_sample() {
    let signals = (0..40).map(|s| Signal::new(format!("p/{s}"), format!("s{s}"), ValueType::F64));
    let signals: Vec<_> = signals.collect();
    let tables: Vec<_> = (0..25)
        .map(|device| Table::of_signals(format!("d{device}"), "d", false, signals.clone()).unwrap())
        .collect();
    let codec = codec(&SimDisk::new());
    let mut encoder = codec.encoder();
    let mut bytes = Vec::new();
    for second in 0..2u32 {
        let row = |table: &Arc<Table>| {
            let mut rows = BatchBuilder::new(Arc::clone(table));
            let ts = 1_700_000_000_000_000 + i64::from(second) * 1_000_000;
            rows.begin(Timestamp::from_micros(ts), 0, ClockState::Synced);
            for signal in 0..40u32 {
                let raw = 700 + signal * 13 + (signal * 7 + second * 5) % 11;
                rows.set(usize::try_from(signal).unwrap(), Value::F64(f64::from(raw) * 0.1));
            }
            Arc::new(rows.finish().unwrap())
        };
        let records: Vec<_> = tables.iter().map(row).collect();
        if second == 0 {
            encoder.reference(&records).unwrap();
        }
        bytes.clear();
        encoder.encode(&records, &mut bytes).unwrap();
    }
    assert!(bytes.len() < 1_500, "{} bytes for 1,000 samples", bytes.len());
}
