use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array};

use super::*;

fn rows(first: i64) -> RecordBatch {
    RecordBatch::try_from_iter([
        ("n", Arc::new(Int64Array::from(vec![first, first + 1])) as ArrayRef),
        ("x", Arc::new(Float64Array::from(vec![Some(0.5), None]))),
    ])
    .unwrap()
}

fn whole(encoding: Encoding, batches: &[RecordBatch]) -> Vec<u8> {
    let mut encoder = Encoder::new(encoding, &rows(0).schema()).unwrap();
    let mut bytes = Vec::new();
    for batch in batches {
        bytes.extend(encoder.rows(batch).unwrap());
    }
    bytes.extend(encoder.end().unwrap());
    bytes
}

#[test]
fn csv_has_its_header_once_also_without_rows() {
    let csv = |batches: &[RecordBatch]| String::from_utf8(whole(Encoding::Csv, batches)).unwrap();
    assert_eq!(csv(&[rows(1), rows(3)]), "n,x\n1,0.5\n2,\n3,0.5\n4,\n");
    assert_eq!(csv(&[]), "n,x\n");
}

#[test]
fn json_lines_name_nulls() {
    let text = String::from_utf8(whole(Encoding::JsonLines, &[rows(1)])).unwrap();
    assert_eq!(text, "{\"n\":1,\"x\":0.5}\n{\"n\":2,\"x\":null}\n");
}

#[test]
fn an_arrow_stream_in_pieces_reads_as_one() {
    let bytes = whole(Encoding::Arrow, &[rows(1), rows(3)]);
    let reader = arrow_ipc::reader::StreamReader::try_new(bytes.as_slice(), None).unwrap();
    let read: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    assert_eq!(read, [rows(1), rows(3)]);
    let empty = whole(Encoding::Arrow, &[]);
    let reader = arrow_ipc::reader::StreamReader::try_new(empty.as_slice(), None).unwrap();
    assert_eq!(reader.schema(), rows(0).schema());
}
