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
    let numbers = |sender| catalog.numbers(&eec1, Some(sender)).unwrap().of.to_vec();
    assert_eq!(numbers(0), [0, 1]);
    assert_eq!(numbers(17), [2, 3]);
    assert_eq!(numbers(0), [0, 1], "numbers stay");
    assert_eq!(catalog.id_of("eec1/b@17"), Some(3));
}

#[test]
fn tables_without_senders_are_known_before_their_first_sample() {
    let catalog = Catalog::default();
    catalog.add(&[table("pump", false), table("eec1", true)]);
    assert_eq!(catalog.len(), 2);
    assert_eq!(catalog.entry(1).unwrap().path(), "pump/b");
}

#[test]
fn a_signal_of_a_changed_table_keeps_its_number_and_is_told_when_it_is_another() {
    let catalog = Catalog::default();
    catalog.add(&[table("pump", false)]);
    let mut b = Signal::new("pump/b", "b", ValueType::F64);
    let c = Signal::new("pump/c", "c", ValueType::F64);
    let changed =
        |b: &Signal| Table::of_signals("pump", "pump", false, vec![c.clone(), b.clone()]).unwrap();
    let numbers = catalog.numbers(&changed(&b), None).unwrap();
    assert_eq!((numbers.of.to_vec(), numbers.turned), (vec![2, 1], vec![]));
    b.unit = Some("bar".to_owned());
    let numbers = catalog.numbers(&changed(&b), None).unwrap();
    assert_eq!((numbers.of.to_vec(), numbers.turned), (vec![2, 1], vec![1]));
    assert_eq!(catalog.entry(1).unwrap().signal().unit, Some("bar"));
    assert_eq!(catalog.entry(0).unwrap().path(), "pump/a", "what is gone stays as it was");
    assert!(!catalog.entry(0).unwrap().is_current);
    // `a` is gone, `b` has become another one.
    assert_eq!((catalog.len(), catalog.turns()), (3, 2));
}

#[test]
fn signals_of_tables_that_are_gone_keep_their_numbers_and_may_come_back() {
    let catalog = Catalog::default();
    let tables = [table("pump", false), table("fan", false)];
    catalog.add(&tables);
    catalog.retire(&["pump"]);
    assert_eq!(catalog.gone(&[0, 1, 2, 3]), HashSet::from([0, 1]));
    catalog.add(&tables);
    assert_eq!(catalog.gone(&[0, 1, 2, 3]), HashSet::new());
    assert_eq!((catalog.len(), catalog.turns()), (4, 4));
}
