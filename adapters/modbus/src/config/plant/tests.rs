use std::collections::BTreeMap;
use std::time::Duration;

use signals::{Mistake, ValueType};

use super::check;
use crate::config::{DeviceConfig, Line, LineConfig, RangeConfig, TagConfig};

fn line() -> LineConfig {
    LineConfig {
        name: Some("hall".to_owned()),
        host: Some("10.0.0.5".to_owned()),
        ..LineConfig::default()
    }
}

fn device(tags: Vec<TagConfig>) -> DeviceConfig {
    DeviceConfig {
        name: Some("Pump 3".to_owned()),
        line: Some("hall".to_owned()),
        unit: Some(3),
        tag: tags,
        ..DeviceConfig::default()
    }
}

fn tag(name: &str, at: &str, kind: &str) -> TagConfig {
    TagConfig {
        name: Some(name.to_owned()),
        at: Some(at.to_owned()),
        r#type: Some(kind.to_owned()),
        ..TagConfig::default()
    }
}

fn mistakes(devices: Vec<DeviceConfig>) -> Vec<Mistake> {
    check(vec![line()], devices, "plant").expect_err("there are mistakes")
}

fn built(devices: Vec<DeviceConfig>) -> Line {
    check(vec![line()], devices, "plant").expect("there is no mistake").remove(0)
}

/// The one mistake of a device with this one tag, as `key: problem; remedy`.
fn mistake_of(tag: TagConfig) -> String {
    let mistakes = mistakes(vec![device(vec![tag])]);
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    mistakes[0].to_string()
}

#[test]
fn everything_missing_is_told_at_once() {
    let lines = vec![LineConfig::default()];
    let devices = vec![DeviceConfig { tag: vec![TagConfig::default()], ..DeviceConfig::default() }];
    let mistakes = check(lines, devices, "plant").unwrap_err();
    let keys: Vec<&str> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "line[0].name",
            "line[0].host",
            "device[0].line",
            "device[0].name",
            "device[0].unit",
            "device[0].tag[0].name",
            "device[0].tag[0].at",
            "device[0].tag[0].type",
        ]
    );
    assert!(mistakes.iter().all(|mistake| !mistake.remedy.is_empty()));
}

#[test]
fn tables_paths_and_columns_are_named_after_device_period_and_tag() {
    let fast =
        TagConfig { every: Some("250 ms".to_owned()), ..tag("Flow Rate", "input:44", "f32") };
    let scaled = TagConfig { scale: Some(0.1), ..tag("speed", "input:3", "u16") };
    let line = built(vec![DeviceConfig {
        word_order: Some("CDAB".to_owned()),
        ..device(vec![tag("running", "coil:0", "bool"), scaled, fast])
    }]);
    assert_eq!(line.transport.to_string(), "10.0.0.5:502");
    let scans = &line.devices[0].scans;
    let tables: Vec<&str> = scans.iter().map(|scan| scan.table().name()).collect();
    assert_eq!(tables, ["pump_3_250ms", "pump_3_1s"]);
    assert_eq!(line.devices[0].timeout, Duration::from_millis(200), "4/5 of the fastest period");
    let flow = scans[0].table().signals().get(0).unwrap();
    assert_eq!(flow.path, "plant/Pump 3/Flow Rate");
    assert_eq!((flow.column, flow.kind), ("flow_rate", ValueType::F32));
    assert_eq!(flow.source, "input:44 f32 CDAB");
    let slow: Vec<_> = scans[1].table().signals().iter().collect();
    assert_eq!((slow[0].kind, slow[1].kind), (ValueType::Bool, ValueType::F64));
    assert_eq!(slow[1].source, "input:3 u16", "the word order is for values of several registers");
}

#[test]
fn an_unknown_type_is_answered_with_the_nearest() {
    let told = mistake_of(tag("a", "input:0", "uint16"));
    assert!(told.ends_with("there is no type \"uint16\"; it is called \"u16\" here"), "{told}");
    let told = mistake_of(tag("a", "input:0", "f23"));
    assert!(told.ends_with("did you mean \"f32\"?"), "{told}");
}

#[test]
fn values_that_cross_are_an_address_that_is_off_by_one() {
    let mistakes = mistakes(vec![device(vec![
        tag("discharge_pressure", "input:44", "f32"),
        tag("flow", "input:45", "f32"),
    ])]);
    assert_eq!(mistakes.len(), 1);
    assert_eq!(
        mistakes[0].to_string(),
        "device[0].tag[1].at: \"flow\" (f32 at input:45) overlaps half of \"discharge_pressure\" \
         (input:44-45); did you mean input:46?"
    );
}

#[test]
fn two_views_of_the_same_registers_do_not_cross() {
    let bit = TagConfig { bit: Some(2), ..tag("running", "holding:1", "bit") };
    built(vec![device(vec![
        tag("status", "holding:0", "flags32"),
        tag("low", "holding:1", "u16"),
        tag("same", "holding:0", "u32"),
        tag("input", "input:1", "u32"),
        bit,
    ])]);
}

#[test]
fn every_single_mistake_of_a_tag_names_its_key() {
    let whole = |key: &str, change: &dyn Fn(&mut TagConfig)| {
        let mut tag = tag("a", "input:0", "u16");
        change(&mut tag);
        let told = mistake_of(tag);
        assert!(told.starts_with(&format!("device[0].tag[0].{key}: ")), "{key}: {told}");
    };
    let text = |text: &str| Some(text.to_owned());
    let named = |key: &str| BTreeMap::from([(key.to_owned(), "x".to_owned())]);
    let range = |low, high| Some(RangeConfig { low, high, outside: None });
    whole("at", &|tag| tag.at = text("inputs:0"));
    whole("at", &|tag| tag.at = text("input:65536"));
    whole("at", &|tag| (tag.at, tag.r#type) = (text("input:65535"), text("u32")));
    whole("bit", &|tag| tag.r#type = text("bit"));
    whole("bit", &|tag| (tag.r#type, tag.bit) = (text("bit"), Some(16)));
    whole("bit", &|tag| tag.bit = Some(3));
    whole("length", &|tag| tag.r#type = text("string"));
    whole("length", &|tag| (tag.r#type, tag.length) = (text("string"), Some(126)));
    whole("length", &|tag| tag.length = Some(2));
    whole("type", &|tag| tag.r#type = text("bool"));
    whole("type", &|tag| tag.at = text("coil:0"));
    whole("order", &|tag| tag.order = text("ACBD"));
    whole("order", &|tag| tag.order = text("CDAB"));
    whole("scale", &|tag| tag.scale = Some(0.0));
    whole("scale", &|tag| tag.scale = Some(f64::NAN));
    whole("scale", &|tag| (tag.r#type, tag.scale) = (text("enum16"), Some(0.1)));
    whole("offset", &|tag| (tag.r#type, tag.offset) = (text("mac"), Some(1.0)));
    whole("range", &|tag| tag.range = range(Some(5.0), Some(5.0)));
    whole("range.low", &|tag| tag.range = range(None, Some(5.0)));
    whole("labels", &|tag| tag.labels = named("on"));
    whole("sentinels", &|tag| tag.sentinels = named("65536"));
    whole("sentinels", &|tag| tag.sentinels = named("0x10000"));
    whole("every", &|tag| tag.every = text("1"));
    whole("every", &|tag| tag.every = text("1 ms"));
    whole("encoding", &|tag| tag.encoding = text("utf-8"));
    whole("name", &|tag| tag.name = text("TS"));
}

#[test]
fn every_single_mistake_of_a_device_names_its_key() {
    let whole = |key: &str, change: &dyn Fn(&mut DeviceConfig)| {
        let mut device = device(vec![tag("a", "input:0", "u16")]);
        change(&mut device);
        let mistakes = mistakes(vec![device]);
        assert_eq!(mistakes.len(), 1, "{key}: {mistakes:?}");
        assert_eq!(mistakes[0].key, format!("device[0].{key}"), "{mistakes:?}");
    };
    let text = |text: &str| Some(text.to_owned());
    whole("line", &|device| device.line = text("haul"));
    whole("unit", &|device| device.unit = Some(0));
    whole("unit", &|device| device.unit = Some(255));
    whole("unit", &|device| (device.unit, device.allow_reserved_unit) = (Some(256), Some(true)));
    whole("timeout", &|device| device.timeout = text("1 s"));
    whole("max_registers", &|device| device.max_registers = Some(126));
    whole("max_bits", &|device| device.max_bits = Some(0));
    whole("word_order", &|device| device.word_order = text("little"));
    whole("address_style", &|device| device.address_style = text("modbus"));
    whole("holes", &|device| device.holes = vec!["input:9-7".to_owned()]);
    whole("tag[1].name", &|device| device.tag.push(tag("a", "input:4", "u16")));
    whole("tag[1].name", &|device| device.tag.push(tag("A", "input:4", "u16")));
    whole("tag[0].at", &|device| device.address_style = text("modicon"));
    whole("tag[0].type", &|device| {
        (device.max_registers, device.tag[0].r#type) = (Some(1), text("u32"));
    });
}

#[test]
fn two_devices_share_neither_unit_nor_name_nor_path() {
    let mut other = device(vec![tag("a", "input:0", "u16")]);
    other.path = Some("plant/Pump 3".to_owned());
    let mistakes = mistakes(vec![
        device(vec![tag("a", "input:0", "u16")]),
        DeviceConfig { name: Some("pump_3".to_owned()), ..other },
    ]);
    let keys: Vec<&str> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(keys, ["device[1].unit", "device[1].name", "device[1].tag[0].name"]);
}

#[test]
fn a_directly_connected_device_may_be_unit_255_when_it_is_meant() {
    let mut direct = device(Vec::new());
    (direct.unit, direct.allow_reserved_unit) = (Some(255), Some(true));
    assert_eq!(built(vec![direct]).devices[0].unit, 255);
}

#[test]
fn a_host_takes_the_standard_port_unless_it_names_one() {
    let host = |text: &str| {
        let line = LineConfig { host: Some(text.to_owned()), ..line() };
        check(vec![line], Vec::new(), "plant").map(|lines| lines[0].transport.to_string())
    };
    assert_eq!(host("plc.local").unwrap(), "plc.local:502");
    assert_eq!(host("127.0.0.1:5020").unwrap(), "127.0.0.1:5020");
    assert_eq!(host("fe80::1").unwrap(), "[fe80::1]:502");
    assert_eq!(host("[fe80::1]:5020").unwrap(), "[fe80::1]:5020");
    for wrong in ["plc:0", "plc:70000", ":502", "plc:modbus"] {
        assert!(host(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn modicon_numbers_of_a_manual_give_the_same_registers() {
    let mut modicon = device(vec![tag("flow", "300045", "f32")]);
    modicon.address_style = Some("modicon".to_owned());
    let line = built(vec![modicon]);
    let read = line.devices[0].scans[0].reads()[0];
    assert_eq!((read.start, read.count), (44, 2));
}

#[test]
fn the_last_register_is_read_and_nothing_reaches_behind_it() {
    let line = built(vec![device(vec![
        tag("last", "holding:65535", "u16"),
        tag("before", "input:65534", "u32"),
        tag("coil", "coil:65535", "bool"),
    ])]);
    let reads = line.devices[0].scans[0].reads();
    let ends: Vec<u32> = reads.iter().map(|r| u32::from(r.start) + u32::from(r.count)).collect();
    assert_eq!(ends, [65_536; 3]);
    let told = mistake_of(tag("flow", "holding:65535", "u32"));
    assert!(told.ends_with("2 registers from 65535 end behind 65535; start at 65534 or below"));
}

#[test]
fn modicon_numbers_reach_the_last_register_in_six_digits_only() {
    let number = |at: &str| {
        let mut device = device(vec![tag("a", at, "u16")]);
        device.address_style = Some("modicon".to_owned());
        check(vec![line()], vec![device], "plant")
            .map(|lines| lines[0].devices[0].scans[0].reads()[0].start)
            .map_err(|told| told[0].to_string())
    };
    assert_eq!(number("40001"), Ok(0));
    assert_eq!(number("49999"), Ok(9998));
    assert_eq!(number("400001"), Ok(0));
    assert_eq!(number("465536"), Ok(65_535));
    for wrong in ["40000", "400000", "465537", "4001", "4000001", "50001", "4000x"] {
        assert!(number(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_device_without_tags_is_a_device_that_is_never_asked() {
    assert!(built(vec![device(Vec::new())]).devices[0].scans.is_empty());
}

#[test]
fn ten_thousand_coils_are_read_in_five_requests() {
    let coils = (0..10_000).map(|at| tag(&format!("c{at}"), &format!("coil:{at}"), "bool"));
    let line = built(vec![device(coils.collect())]);
    let reads = line.devices[0].scans[0].reads();
    assert_eq!(reads.len(), 5);
    assert!(reads.iter().all(|read| read.count == 2000));
}

#[test]
fn all_247_units_fit_on_one_line() {
    let unit = |unit: i64| DeviceConfig {
        name: Some(format!("u{unit}")),
        unit: Some(unit),
        ..device(vec![tag("a", "input:0", "u16")])
    };
    assert_eq!(built((1..=247).map(unit).collect()).devices.len(), 247);
}

#[test]
fn a_write_becomes_a_rule_with_the_interlock_it_names() {
    let write = crate::config::WriteConfig {
        min: Some(0.0),
        max: Some(10.0),
        max_step: Some(1.0),
        interval: Some("10 s".to_owned()),
        confirm: Some(true),
        readback_after: Some("200 ms".to_owned()),
        tolerance: Some(2),
        interlock: Some("ready".to_owned()),
        ..crate::config::WriteConfig::default()
    };
    let setpoint =
        TagConfig { scale: Some(0.01), write: Some(write), ..tag("setpoint", "holding:5", "u16") };
    let line = built(vec![device(vec![setpoint, tag("ready", "discrete:0", "bool")])]);
    let [tag] = &line.devices[0].writable[..] else { panic!("one tag may be written") };
    assert_eq!((tag.path.as_str(), tag.unit), ("plant/Pump 3/setpoint", 3));
    assert_eq!((tag.rule.min, tag.rule.max, tag.rule.step_max), (Some(0.0), Some(10.0), Some(1.0)));
    assert_eq!((tag.rule.interval_min, tag.rule.confirm), (Duration::from_secs(10), true));
    let readback = tag.rule.readback.expect("it is read back");
    assert_eq!((readback.after, readback.tolerance), (Duration::from_millis(200), 2));
    let lock = tag.rule.interlock.as_ref().expect("it has an interlock");
    assert_eq!((lock.path.as_str(), lock.unit), ("plant/Pump 3/ready", 3));
}

#[test]
fn a_watchdog_is_found_in_the_scan_that_reads_it() {
    let fast = TagConfig { every: Some("100 ms".to_owned()), ..tag("flow", "input:0", "u16") };
    let mut watched = device(vec![fast, tag("a", "input:1", "u16"), tag("tick", "input:2", "u16")]);
    watched.watchdog_tag = Some("tick".to_owned());
    let watchdog = built(vec![watched]).devices[0].watchdog;
    assert_eq!(watchdog, Some(crate::config::Watchdog { scan: 1, signal: 1 }));
}

#[test]
fn a_broadcast_is_written_only_when_it_is_meant_and_never_read_back() {
    let write = |broadcast| {
        let write = crate::config::WriteConfig { broadcast, ..Default::default() };
        let tag = TagConfig { write: Some(write), ..tag("reset", "coil:0", "bool") };
        let mut all = device(vec![tag]);
        (all.unit, all.allow_reserved_unit) = (Some(0), Some(true));
        check(vec![line()], vec![all], "plant")
    };
    assert!(write(None).unwrap_err()[0].key.ends_with("tag[0].write.broadcast"));
    let lines = write(Some(true)).unwrap();
    assert_eq!(lines[0].devices[0].writable[0].rule.readback, None);
}
