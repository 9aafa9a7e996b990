use std::path::Path;

use super::*;
use crate::config::{CanConfig, Files, MessageConfig};

const DBC: &[u8] = b"BO_ 256 Motion: 8 A\n SG_ Speed : 0|8@1+ (1,0) [0|0] \"\" X\n \
                     SG_ Gear : 8|8@1+ (1,0) [0|0] \"\" X\n";
const LOG: &[u8] = b"(1.0) can0 100#0102\n";

fn config() -> CanConfig {
    CanConfig {
        name: Some("truck".to_owned()),
        replay: Some("a.log".to_owned()),
        dbc: vec!["a.dbc".to_owned()],
        ..CanConfig::default()
    }
}

fn load(config: CanConfig) -> Result<LoadedBus, Vec<Mistake>> {
    config
        .check(Files::Embedded(&[("a.log", LOG), ("a.dbc", DBC), ("b.dbc", b"")]), "s")
        .unwrap()
        .load()
}

#[test]
fn only_the_wanted_signals_have_columns() {
    let loaded = load(CanConfig { signals: vec!["Motion.Gear".to_owned()], ..config() }).unwrap();
    let tables = loaded.adapter().unwrap().tables();
    let columns: Vec<_> = tables[0].signals().iter().map(|s| s.column).collect();
    assert_eq!(columns, ["gear"]);
}

#[test]
fn a_wanted_signal_that_no_database_has_is_a_mistake() {
    let found =
        load(CanConfig { signals: vec!["Motion.Gears".to_owned()], ..config() }).unwrap_err();
    assert_eq!(found[0].key, "signals[0]");
}

#[test]
fn every_file_that_cannot_be_read_is_a_mistake_at_its_key() {
    let found = load(CanConfig { dbc: vec!["a.dbc".to_owned(), "b.dbc".to_owned()], ..config() });
    assert_eq!(found.unwrap_err()[0].key, "dbc[1]");
    let bus = config().check(Files::Folder(Path::new("/no/such/folder")), "s").unwrap();
    let keys: Vec<_> = bus.load().unwrap_err().into_iter().map(|m| m.key).collect();
    assert_eq!(keys, ["dbc[0]", "replay"]);
}

#[test]
fn a_bus_on_an_interface_has_the_tables_of_its_databases() {
    let live = CanConfig { replay: None, interface: Some("can0".to_owned()), ..config() };
    let adapter = load(live).unwrap().adapter().unwrap();
    assert_eq!(adapter.tables()[0].name(), "truck_motion");
    assert_eq!(adapter.health()[0].address, "interface can0");
}

#[test]
fn what_is_expected_of_a_message_must_be_in_a_database() {
    let expect = |change: fn(&mut MessageConfig)| {
        let mut message =
            MessageConfig { name: Some("Motion".to_owned()), ..MessageConfig::default() };
        change(&mut message);
        let loaded = load(CanConfig { message: vec![message], ..config() });
        loaded.map(|_| ()).map_err(|found| found.into_iter().map(|m| m.key).collect::<Vec<_>>())
    };
    assert_eq!(expect(|m| m.cycle = Some("100 ms".to_owned())), Ok(()));
    assert_eq!(expect(|m| m.name = Some("Speed".to_owned())).unwrap_err(), ["message[0].name"]);
    assert_eq!(
        expect(|m| m.counter = Some("Count".to_owned())).unwrap_err(),
        ["message[0].counter"]
    );
    let with_checksum: fn(&mut MessageConfig) = |m| {
        m.checksum = Some("Gear".to_owned());
        m.checksum_kind = Some("xor8".to_owned());
    };
    assert_eq!(expect(with_checksum), Ok(()));
}
