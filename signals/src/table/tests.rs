use super::*;

fn pump() -> Vec<Signal> {
    let mut flow = Signal::new("plant/pump/flow", "flow", ValueType::F64);
    flow.unit = Some("m3/h".into());
    vec![flow, Signal::new("plant/pump/running", "running", ValueType::Bool)]
}

#[test]
fn a_table_of_signals_starts_with_time_and_quality() {
    let table = Table::of_signals("pump", "pump", false, pump()).unwrap();
    let names: Vec<_> = table.schema().fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["ts", "q", "flow", "running"]);
    assert_eq!(table.first_column(), 2);
}

#[test]
fn a_definition_gives_the_same_table_again() {
    let table = Table::of_signals("pump", "pump", true, pump()).unwrap();
    assert_eq!(Table::from_definition(&table.definition()).unwrap(), table);
}

#[test]
fn a_column_may_not_appear_twice() {
    let twice =
        vec![Signal::new("a", "flow", ValueType::F64), Signal::new("b", "flow", ValueType::F64)];
    let refused = Table::of_signals("pump", "pump", false, twice).unwrap_err();
    assert!(refused.to_string().contains("`flow` appears twice"), "{refused}");
}

#[test]
fn a_signal_may_not_take_the_name_of_the_time_column() {
    let refused =
        Table::of_signals("pump", "pump", false, vec![Signal::new("a", "ts", ValueType::F64)]);
    assert!(matches!(refused, Err(TableError::Duplicate { .. })));
}

#[test]
fn names_that_would_need_quoting_are_refused() {
    for bad in ["Pump", "pump 3", "3pump", "", "pümp"] {
        assert!(Table::of_signals(bad, "d", false, vec![]).is_err(), "{bad}");
    }
}

/// A table with everything a definition can say of a signal.
fn described() -> Arc<Table> {
    let mut flow = Signal::new("plant/pump/flow", "flow", ValueType::F64);
    flow.unit = Some("m³/h".into());
    flow.description = Some("Behind the valve".into());
    flow.range = Some(crate::Range { low: 0.0, high: 120.5 });
    flow.source = "input:42 f32 CDAB".into();
    let mut mode = Signal::new("plant/pump/Mode", "mode_raw", ValueType::U16);
    mode.unit = Some(String::new());
    mode.labels = [(0, "off".to_owned()), (1, "on".to_owned())].into();
    Table::of_exchanges("pump", "p1", vec![flow, mode]).unwrap()
}

#[test]
fn the_text_of_a_definition_never_changes() {
    // Journals and files name tables by the hash of this text.
    assert_eq!(
        described().definition(),
        r#"{"name":"pump","device":"p1","layout":{"signals":{"by_exchange":true,"by_source_address":false,"signals":[{"path":"plant/pump/flow","column":"flow","kind":"f64","unit":"m³/h","description":"Behind the valve","range":{"low":0.0,"high":120.5},"labels":{},"source":"input:42 f32 CDAB"},{"path":"plant/pump/Mode","column":"mode_raw","kind":"u16","unit":"","description":null,"range":null,"labels":{"0":"off","1":"on"},"source":""}]}}}"#
    );
    assert_eq!(Table::from_definition(&described().definition()).unwrap(), described());
}

#[test]
fn files_say_all_that_is_known_of_a_signal_and_batches_nothing() {
    let table = described();
    let about = |pairs: &[(&str, &str)]| -> HashMap<String, String> {
        pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
    };
    let schema = table.described_schema();
    let told: Vec<HashMap<String, String>> =
        schema.fields().iter().map(|field| field.metadata().clone()).collect();
    let flow = [
        ("path", "plant/pump/flow"),
        ("unit", "m³/h"),
        ("description", "Behind the valve"),
        ("source", "input:42 f32 CDAB"),
        ("range", "0..120.5"),
    ];
    let mode = [("path", "plant/pump/Mode"), ("labels", r#"{"0":"off","1":"on"}"#)];
    assert_eq!(told, [about(&[]), about(&[]), about(&[]), about(&flow), about(&mode)]);
    let plain: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_metadata(HashMap::new()))
        .collect();
    assert_eq!(**table.schema(), Schema::new(plain), "names, types and order are the same");
    let system = Table::of_system(
        "_states",
        vec![SystemColumn {
            name: "state".into(),
            kind: SystemType::Plain(ValueType::Text),
            nullable: true,
        }],
    );
    let system = system.unwrap();
    assert_eq!(system.described_schema(), **system.schema());
}

#[test]
fn tables_of_like_columns_share_one_schema_and_others_have_their_own() {
    let columns = |device: &str, last: &str| {
        let signal = |c: &&str| Signal::new(format!("{device}/{c}"), *c, ValueType::F64);
        let signals = ["shared_a", "shared_b", last].iter().map(signal).collect();
        Table::of_signals(device, device, false, signals).unwrap()
    };
    let (one, two, other) =
        (columns("one", "shared_c"), columns("two", "shared_c"), columns("three", "own"));
    assert!(Arc::ptr_eq(one.schema(), two.schema()));
    assert_ne!(one.schema(), other.schema());
    assert_ne!(one.described_schema(), two.described_schema(), "paths are each table's own");
}
