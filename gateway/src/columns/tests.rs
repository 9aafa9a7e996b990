use signals::{BatchBuilder, ClockState, Signal, Timestamp};

use super::*;

fn table(columns: &[(&str, ValueType)]) -> Arc<Table> {
    let signal = |(column, kind): &(&str, ValueType)| {
        Signal::new(format!("site/pump/{column}"), *column, *kind)
    };
    Table::of_exchanges("pump", "pump", columns.iter().map(signal).collect()).unwrap()
}

fn names(table: &Table) -> Vec<&str> {
    table.signals().iter().map(|signal| signal.column).collect()
}

#[test]
fn a_type_that_changes_has_a_column_of_its_own_and_the_first_one_when_it_changes_back() {
    let folder = tempfile::tempdir().unwrap();
    let columns = Columns::open(folder.path());
    let first = table(&[("a", ValueType::U16), ("b", ValueType::F64)]);
    assert!(Arc::ptr_eq(&columns.settle(&first), &first), "nothing is renamed without need");
    let other = columns.settle(&table(&[("a", ValueType::F32), ("b", ValueType::F64)]));
    assert_eq!(names(&other), ["a__2", "b"]);
    assert_eq!(other.signals().get(0).unwrap().path, "site/pump/a", "the signal is the same");
    assert!(other.by_exchange());
    let back = columns.settle(&table(&[("a", ValueType::U16), ("b", ValueType::F64)]));
    assert_eq!(names(&back), ["a", "b"]);
    let third = columns.settle(&table(&[("a", ValueType::I64)]));
    assert_eq!(names(&third), ["a__3"]);
}

#[test]
fn names_are_the_same_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let changed = table(&[("a", ValueType::F32)]);
    {
        let columns = Columns::open(folder.path());
        let _first = columns.settle(&table(&[("a", ValueType::U16)]));
        assert_eq!(names(&columns.settle(&changed)), ["a__2"]);
    }
    assert_eq!(names(&Columns::open(folder.path()).settle(&changed)), ["a__2"]);
}

#[test]
fn a_folder_of_before_this_record_gives_the_types_of_its_signals() {
    let folder = tempfile::tempdir().unwrap();
    let before = table(&[("a", ValueType::U16)]);
    let print = serde_json::to_string(&("pump", before.signals().get(0).unwrap())).unwrap();
    let known = BTreeMap::from([("site/pump/a", (print, 0))]);
    let text = serde_json::to_vec(&known).unwrap();
    std::fs::write(folder.path().join("signals.json"), text).unwrap();
    let columns = Columns::open(folder.path());
    assert_eq!(names(&columns.settle(&before)), ["a"]);
    assert_eq!(names(&columns.settle(&table(&[("a", ValueType::I64)]))), ["a__2"]);
}

#[test]
fn a_name_that_another_signal_has_is_not_taken_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let columns = Columns::open(folder.path());
    let _first = columns.settle(&table(&[("a", ValueType::U16), ("a__2", ValueType::U16)]));
    let turned = columns.settle(&table(&[("a", ValueType::F32), ("a__2", ValueType::U16)]));
    assert_eq!(names(&turned), ["a__2_", "a__2"]);
}

#[test]
fn rows_keep_everything_but_the_names_of_columns() {
    let folder = tempfile::tempdir().unwrap();
    let columns = Columns::open(folder.path());
    let _first = columns.settle(&table(&[("a", ValueType::U16)]));
    let mut builder = BatchBuilder::new(table(&[("a", ValueType::F32)]));
    builder.begin(Timestamp::from_micros(7), 0, ClockState::Unsynced);
    builder.set(0, signals::Value::F64(1.5));
    let batch = builder.finish().unwrap();
    let settled = columns.settle_batch(batch.clone());
    assert_eq!(names(&settled.table), ["a__2"]);
    assert_eq!(settled.rows.schema(), Arc::clone(settled.table.schema()));
    assert_eq!(settled.rows.columns(), batch.rows.columns());
    assert_eq!((settled.clock, settled.flaws.len()), (ClockState::Unsynced, batch.flaws.len()));
}
