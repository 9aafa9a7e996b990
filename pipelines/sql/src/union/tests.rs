use arrow_array::cast::AsArray as _;
use arrow_array::types::Int32Type;
use arrow_array::{Int32Array, UInt8Array, UInt16Array};

use super::*;

fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    let fields = columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), false));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[expect(clippy::needless_pass_by_value, reason = "reads like the table it is")]
fn check(earlier: &DataType, later: &DataType, expected: Option<DataType>) {
    assert_eq!(common(earlier, later), expected, "{earlier} then {later}");
}

#[test]
fn a_column_of_two_types_gets_the_narrowest_that_holds_both() {
    use DataType::*;
    check(&UInt8, &UInt16, Some(UInt16));
    check(&UInt16, &UInt8, Some(UInt16));
    check(&Boolean, &UInt8, Some(UInt8));
    check(&UInt8, &Int8, Some(Int16));
    check(&UInt32, &Int16, Some(Int64));
    check(&Int64, &UInt64, Some(Decimal128(20, 0)));
    check(&Int16, &Float32, Some(Float32));
    check(&Int32, &Float32, Some(Float64));
    check(&Float32, &Float64, Some(Float64));
    check(&Float64, &Utf8, Some(Utf8));
    check(&Utf8, &Binary, Some(Binary));
    check(&Float64, &Binary, None);
}

#[test]
fn the_latest_schema_gives_the_order_and_columns_that_are_gone_stay_at_the_end() {
    let earlier = schema(&[("ts", DataType::Int64), ("gone", DataType::Utf8)]);
    let later = schema(&[("ts", DataType::Int64), ("new", DataType::Utf8)]);
    let union = union(&earlier, &later).unwrap();
    let columns: Vec<_> =
        union.fields().iter().map(|f| (f.name().as_str(), f.is_nullable())).collect();
    assert_eq!(columns, [("ts", false), ("new", true), ("gone", true)]);
}

#[test]
fn rows_are_brought_into_the_union_by_name() {
    let narrow = schema(&[("a", DataType::UInt8), ("b", DataType::UInt16)]);
    let columns: Vec<ArrayRef> =
        vec![Arc::new(UInt8Array::from(vec![7])), Arc::new(UInt16Array::from(vec![9]))];
    let rows = RecordBatch::try_new(Arc::clone(&narrow), columns).unwrap();
    let union = union(&narrow, &schema(&[("a", DataType::Int32), ("c", DataType::Utf8)])).unwrap();
    let rows = adapt(&rows, &union).unwrap();
    assert_eq!(rows.column(0).as_primitive::<Int32Type>(), &Int32Array::from(vec![7]));
    assert_eq!(rows.column_by_name("c").unwrap().null_count(), 1);
    assert_eq!(rows.column_by_name("b").unwrap().null_count(), 0);
}
