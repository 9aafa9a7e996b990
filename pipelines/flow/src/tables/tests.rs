use signals::{Range, Signal, ValueType};

use super::*;

/// A table with everything a definition can say of a signal.
pub(crate) fn described() -> Arc<Table> {
    let mut flow = Signal::new("plant/pump/flow", "flow", ValueType::F64);
    flow.unit = Some("m³/h".into());
    flow.description = Some("Behind the valve".into());
    flow.range = Some(Range { low: 0.0, high: 120.5 });
    flow.source = "input:42 f32 CDAB".into();
    let mut mode = Signal::new("plant/pump/Mode", "mode_raw", ValueType::U16);
    mode.unit = Some(String::new());
    mode.labels = [(0, "off".to_owned()), (1, "on".to_owned())].into();
    Table::of_exchanges("pump", "p1", vec![flow, mode]).unwrap()
}

#[test]
fn the_hash_of_a_definition_is_the_same_in_every_version() {
    // Journals on disks in the field name their tables by it.
    assert_eq!(TableHash::of(&described()), TableHash(0x8242_0ee3_e2b6_debe));
}
