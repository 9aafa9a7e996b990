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
    assert_eq!(table.schema().field(2).metadata()["unit"], "m3/h");
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
