use signals::{Signal, ValueType};

use super::*;

fn table(name: &str, by_source_address: bool) -> Arc<Table> {
    let signals = ["a", "b"].map(|c| Signal::new(format!("{name}/{c}"), c, ValueType::F64));
    Table::of_signals(name, name, by_source_address, signals.to_vec()).unwrap()
}

#[test]
fn each_sender_of_a_parameter_is_a_signal_of_its_own() {
    let catalog = Catalog::default();
    let eec1 = table("eec1", true);
    assert_eq!(catalog.first_id(&eec1, Some(0)), Some(0));
    assert_eq!(catalog.first_id(&eec1, Some(17)), Some(2));
    assert_eq!(catalog.first_id(&eec1, Some(0)), Some(0), "numbers stay");
    assert_eq!(catalog.id_of("eec1/b@17"), Some(3));
}

#[test]
fn tables_without_senders_are_known_before_their_first_sample() {
    let catalog = Catalog::default();
    catalog.add(&[table("pump", false), table("eec1", true)]);
    assert_eq!(catalog.len(), 2);
    assert_eq!(catalog.entry(1).unwrap().path(), "pump/b");
}
