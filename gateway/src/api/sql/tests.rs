use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, StringArray};

use super::*;

#[test]
fn nulls_are_not_empty_texts_and_only_texts_are_shortened() {
    let long = "é".repeat(CELL_CHARS_MAX + 5);
    let rows = RecordBatch::try_from_iter([
        ("x", Arc::new(Float64Array::from(vec![Some(1e300), None])) as ArrayRef),
        ("t", Arc::new(StringArray::from(vec![Some(long.as_str()), Some("")]))),
    ])
    .unwrap();
    let cells = texts(&rows).unwrap();
    assert_eq!(cells[0][0].as_deref(), Some("1e300"));
    let shown = cells[0][1].as_deref().unwrap();
    assert_eq!(shown.chars().count(), CELL_CHARS_MAX + 1);
    assert!(shown.ends_with('…'));
    assert_eq!(cells[1], [None, Some(String::new())]);
}

#[test]
fn a_question_with_an_unknown_key_is_refused() {
    assert!(serde_json::from_str::<Asked>(r#"{"sql":"SELECT 1","fromat":"csv"}"#).is_err());
    assert!(serde_json::from_str::<Asked>(r#"{"sql":"SELECT 1","format":"csv"}"#).is_ok());
}
