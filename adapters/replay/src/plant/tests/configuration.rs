//! The demo's configuration and the register maps are two descriptions of one thing.

use toml_edit::{DocumentMut, Item, Table as TomlTable};

use super::*;
use crate::plant::registers::{Kind, Order, Register};

const DEMO: &str = include_str!("../../../../../config/demo/gateway.toml");

fn tables<'a>(table: &'a TomlTable, key: &str) -> Vec<&'a TomlTable> {
    table.get(key).and_then(Item::as_array_of_tables).map_or(vec![], |all| all.iter().collect())
}

fn text<'a>(table: &'a TomlTable, key: &str) -> Option<&'a str> {
    table.get(key).and_then(Item::as_str)
}

fn number(item: Option<&Item>) -> Option<f64> {
    let item = item?;
    let whole = || item.as_integer().and_then(|whole| i32::try_from(whole).ok());
    item.as_float().or_else(|| whole().map(f64::from))
}

/// Calls `check` with device, its table and each of its tags.
fn each_tag(mut check: impl FnMut(Device, &TomlTable, &TomlTable)) {
    let document: DocumentMut = DEMO.parse().unwrap();
    let devices = tables(&document, "device");
    let configured: Vec<_> = devices.iter().filter_map(|device| text(device, "name")).collect();
    assert_eq!(configured, ["pump", "boiler", "compressor"], "the exchanger is not in the demo");
    for config in devices {
        let named = |device: &Device| Some(device.name()) == text(config, "name");
        let device = Device::ALL.into_iter().find(named).unwrap();
        for tag in tables(config, "tag") {
            check(device, config, tag);
        }
    }
}

fn written(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::Bit(_) => "bit",
        Kind::I8High => "i8h",
        Kind::I8Low => "i8l",
        Kind::U16 => "u16",
        Kind::I16 => "i16",
        Kind::U32 => "u32",
        Kind::I32 => "i32",
        Kind::U64 => "u64",
        Kind::F32 => "f32",
        Kind::F64 => "f64",
        Kind::Bcd16 => "bcd16",
        Kind::Bcd32 => "bcd32",
        Kind::Text(..) => "string",
    }
}

fn order(device: &TomlTable, tag: &TomlTable) -> Order {
    match text(tag, "order").or(text(device, "word_order")).unwrap_or("ABCD") {
        "ABCD" => Order::Abcd,
        "CDAB" => Order::Cdab,
        "BADC" => Order::Badc,
        "DCBA" => Order::Dcba,
        other => panic!("{other} is no order"),
    }
}

#[test]
fn every_tag_of_the_demo_lies_where_the_plant_has_it() {
    let plant = Plant::new(1, START);
    each_tag(|device, config, tag| {
        let name = text(tag, "name").unwrap();
        let image = plant.image(device);
        let register: &Register =
            image.registers.iter().find(|register| register.name == name).unwrap();
        let table = format!("{:?}:{}", register.table, register.address).to_lowercase();
        assert_eq!(text(tag, "at"), Some(table.as_str()), "{name}");
        let kind = text(tag, "type").unwrap();
        assert_eq!(kind.replace("enum16", "u16"), written(register.kind), "{name}");
        if register.kind.width() > 1 {
            assert_eq!(order(config, tag), register.order, "{name}");
        }
        let scale = number(tag.get("scale")).unwrap_or(1.0);
        assert!((scale / register.scale - 1.0).abs() < 1e-12, "{name}");
        if let Kind::Bit(bit) = register.kind {
            assert_eq!(number(tag.get("bit")), Some(f64::from(bit)), "{name}");
        }
        if let Kind::Text(_, length) = register.kind {
            assert_eq!(number(tag.get("length")), Some(f64::from(length)), "{name}");
        }
        let width = register.kind.width();
        let words = plant.read(device.unit(), register.table, register.address, width);
        assert_eq!(words.map(<[u16]>::len), Ok(usize::from(width)), "{name}");
    });
}

#[test]
fn unit_limits_and_paths_of_the_demo_are_those_of_the_plant() {
    each_tag(|device, config, _| {
        let image = Plant::new(1, START).image(device).clone();
        assert_eq!(number(config.get("unit")), Some(f64::from(device.unit())));
        let limit = number(config.get("max_registers"));
        assert_eq!(limit, Some(f64::from(image.registers_max)));
        assert_eq!(format!("{}/x", text(config, "path").unwrap()), device.path("x"));
    });
}

#[test]
fn values_lie_in_their_ranges_for_99_percent_of_a_day_without_faults() {
    let mut plant = Plant::new(9, START);
    let mut counts = std::collections::BTreeMap::<String, (u32, u32)>::new();
    for minute in 0..1440 {
        plant.advance_to(START.plus(seconds(60 * minute)));
        each_tag(|device, _, tag| {
            let Some(range) = tag.get("range").and_then(Item::as_table_like) else { return };
            let path = device.path(text(tag, "name").unwrap());
            let value = plant.value(&path).unwrap();
            let (low, high) = (number(range.get("low")), number(range.get("high")));
            let within = low <= Some(value) && Some(value) <= high;
            let count = counts.entry(path).or_default();
            *count = (count.0 + u32::from(within), count.1 + 1);
        });
    }
    assert!(counts.len() > 25);
    for (path, (within, of)) in counts {
        assert!(within * 100 >= of * 99, "{path}: {within} of {of}");
    }
}

#[test]
fn the_detectors_signals_exist() {
    let document: DocumentMut = DEMO.parse().unwrap();
    let plant = Plant::new(1, START);
    for detector in tables(&document, "detector") {
        let signals = detector.get("signals").and_then(Item::as_array).unwrap();
        let paths: Vec<&str> = signals.iter().map(|path| path.as_str().unwrap()).collect();
        assert!(paths.iter().all(|path| plant.value(path).is_some()));
        assert_eq!(paths, detection::SIGNALS);
    }
}
