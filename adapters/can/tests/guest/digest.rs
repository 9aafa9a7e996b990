//! Digest: one number for all that a set of batches holds but its times.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::DataType;
use signals::Batch;

/// Rows and a 64-bit FNV-1a of every cell, null and flaw, by table.
pub(crate) type Digest = BTreeMap<String, (u64, String)>;

struct Fnv(u64);

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
}

/// The digests of batches, in the order they were made. Times are left out.
pub(crate) fn digest(batches: &[Batch]) -> Digest {
    let mut tables: BTreeMap<String, (u64, Fnv)> = BTreeMap::new();
    for batch in batches {
        let name = batch.table.name().to_owned();
        let (rows, sum) = tables.entry(name).or_insert((0, Fnv(0xCBF2_9CE4_8422_2325)));
        for row in 0..batch.rows.num_rows() {
            *rows += 1;
            // Column 0 is the time.
            batch.rows.columns().iter().skip(1).for_each(|column| cell(column, row, sum));
            for flaw in batch.flaws.iter().filter(|flaw| flaw.row as usize == row) {
                sum.bytes(format!("{} {:?}", flaw.signal, flaw.quality).as_bytes());
            }
        }
    }
    let shown = |(rows, sum): (u64, Fnv)| (rows, format!("{:016x}", sum.0));
    tables.into_iter().map(|(name, sums)| (name, shown(sums))).collect()
}

fn cell(column: &ArrayRef, row: usize, sum: &mut Fnv) {
    if column.is_null(row) {
        sum.bytes(b"null");
        return;
    }
    macro_rules! number {
        ($($kind:ident $of:ident),*) => {
            match column.data_type() {
                $(DataType::$kind => sum.bytes(&column.as_primitive::<$of>().value(row).to_le_bytes()),)*
                DataType::Boolean => sum.bytes(&[u8::from(column.as_boolean().value(row))]),
                DataType::Utf8 => sum.bytes(column.as_string::<i32>().value(row).as_bytes()),
                DataType::Binary => sum.bytes(column.as_binary::<i32>().value(row)),
                other => panic!("columns of {other} are not known"),
            }
        };
    }
    number!(
        Int8 Int8Type, Int16 Int16Type, Int32 Int32Type, Int64 Int64Type, UInt8 UInt8Type,
        UInt16 UInt16Type, UInt32 UInt32Type, UInt64 UInt64Type, Float32 Float32Type,
        Float64 Float64Type
    );
}

/// The values of an unsigned column, in the order of the rows.
pub(crate) fn numbers(batches: &[Batch], table: &str, column: &str) -> Vec<u64> {
    let of_table = batches.iter().filter(|batch| batch.table.name() == table);
    let mut numbers = Vec::new();
    for batch in of_table {
        let cells = batch.rows.column_by_name(column).expect("the table has the column");
        let cells = cells.as_primitive::<UInt32Type>();
        numbers.extend(cells.values().iter().map(|number| u64::from(*number)));
    }
    numbers
}
