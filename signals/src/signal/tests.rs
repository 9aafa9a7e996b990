use super::column_name;

#[test]
fn column_names_are_snake_case() {
    assert_eq!(column_name("EngineSpeed"), "engine_speed");
    assert_eq!(column_name("DPFStatus"), "dpf_status");
    assert_eq!(column_name("motor_current_a"), "motor_current_a");
    assert_eq!(column_name("Boost Pressure [bar]"), "boost_pressure_bar");
    assert_eq!(column_name("Temp1Out"), "temp1_out");
}

#[test]
fn column_names_are_legal_whatever_comes_in() {
    assert_eq!(column_name(""), "_");
    assert_eq!(column_name("2nd Stage"), "_2nd_stage");
    assert_eq!(column_name("Öl"), "_l");
    assert_eq!(column_name("--"), "_");
}
