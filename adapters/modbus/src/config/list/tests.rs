use std::io;
use std::path::Path;

use crate::config::{
    Around, DeviceConfig, Line, LineConfig, PlantConfig, ProfileConfig, TagConfig, check_plant,
};

/// A plant with one device whose tags stand in `pump.csv`.
fn checked(list: &str) -> Result<Vec<Line>, Vec<String>> {
    let device = DeviceConfig { tags: Some("pump.csv".to_owned()), ..device("pump", 1) };
    let plant = PlantConfig { line: vec![line()], device: vec![device], ..PlantConfig::default() };
    let read = |name: &str| match name {
        "pump.csv" => Ok(list.to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    of_plant(&plant, &read)
}

fn of_plant(
    plant: &PlantConfig,
    list: &dyn Fn(&str) -> io::Result<String>,
) -> Result<Vec<Line>, Vec<String>> {
    let around = Around { site: "plant", folder: Path::new(""), list };
    check_plant(plant, &around).map_err(|told| told.iter().map(ToString::to_string).collect())
}

fn line() -> LineConfig {
    LineConfig {
        name: Some("hall".to_owned()),
        host: Some("10.0.0.5".to_owned()),
        ..LineConfig::default()
    }
}

fn device(name: &str, unit: i64) -> DeviceConfig {
    DeviceConfig {
        name: Some(name.to_owned()),
        line: Some("hall".to_owned()),
        unit: Some(unit),
        ..DeviceConfig::default()
    }
}

fn tag(name: &str, at: &str) -> TagConfig {
    TagConfig {
        name: Some(name.to_owned()),
        at: Some(at.to_owned()),
        r#type: Some("u16".to_owned()),
        ..TagConfig::default()
    }
}

fn sources(lines: &[Line], device: usize) -> Vec<String> {
    let scans = lines[0].devices[device].scans.iter();
    let signals = scans.flat_map(|scan| scan.table().signals());
    signals.map(|signal| format!("{} {}", signal.column, signal.source)).collect()
}

#[test]
fn a_list_of_a_spreadsheet_gives_the_tags_of_a_device() {
    let list = "\u{feff}Name,At,Type,Scale,Unit,range_low,range_high,labels,comment\r\n\
                # written by the integrator\r\n\
                speed,holding:1,i16,0.1,%,0,110,,\"fast, really\"\r\n\
                ,,,,,,,,\r\n\
                mode,holding:2,enum16,,,,,0=off | 1=on,\r\n";
    let lines = checked(list).unwrap();
    assert_eq!(sources(&lines, 0), ["speed holding:1 i16", "mode holding:2 enum16"]);
    let signals = lines[0].devices[0].scans[0].table().signals();
    assert_eq!(signals.get(1).unwrap().labels[&1], "on");
    assert_eq!(signals.get(0).unwrap().range.map(|range| range.high), Some(110.0));
}

#[test]
fn a_semicolon_between_cells_makes_the_comma_the_decimal_mark() {
    let lines = checked("name;at;type;scale\nspeed;holding:1;i16;0,1\n").unwrap();
    let scan = &lines[0].devices[0].scans[0];
    assert!(scan.points()[0].format.scale.is_some());
}

#[test]
fn a_mistake_in_a_list_names_file_line_and_column() {
    let list = "name,at,type,scale\nspeed,holding:1,i17,0.1\nflow,holding:x,u16,much\n";
    assert_eq!(
        checked(list).unwrap_err(),
        [
            "device[0].tags: pump.csv:3, column 4 (scale): \"much\" is not a number; write a \
             plain number, for example 0.1",
            "device[0].tags: pump.csv:2, column 3 (type): there is no type \"i17\"; did you mean \
             \"i16\"?",
            "device[0].tags: pump.csv:3, column 2 (at): \"x\" is not an address; write a whole \
             number from 0 to 65535",
        ]
    );
}

#[test]
fn columns_are_named_and_known_and_stand_once() {
    let told = checked("nmae,at,type,at\n").unwrap_err().join("\n");
    assert!(told.contains("there is no column \"nmae\"; did you mean \"name\"?"), "{told}");
    assert!(told.contains("stands here twice"), "{told}");
    assert!(told.contains("has no column \"name\""), "{told}");
    assert!(checked("").unwrap_err().join("\n").contains("has no column \"at\""));
}

#[test]
fn a_cell_too_many_is_told_and_not_guessed() {
    let told = checked("name,at,type,unit\na,holding:1,u16,m3,h\n").unwrap_err();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("pump.csv:2: has more cells than there are columns"), "{told:?}");
}

#[test]
fn a_list_that_is_not_there_is_a_mistake_of_the_key_that_names_it() {
    let device = DeviceConfig { tags: Some("fan.csv".to_owned()), ..device("fan", 1) };
    let plant = PlantConfig { line: vec![line()], device: vec![device], ..PlantConfig::default() };
    let told = of_plant(&plant, &|_| Err(io::ErrorKind::NotFound.into())).unwrap_err();
    assert!(told[0].starts_with("device[0].tags: fan.csv: cannot be read: "), "{told:?}");
}

fn with_profile(devices: Vec<DeviceConfig>, tags: Vec<TagConfig>) -> PlantConfig {
    let profile = ProfileConfig { name: Some("vfd".to_owned()), tag: tags, tags: None };
    PlantConfig { line: vec![line()], profile: vec![profile], device: devices }
}

fn of_kind(name: &str, unit: i64) -> DeviceConfig {
    DeviceConfig { profile: Some("vfd".to_owned()), ..device(name, unit) }
}

const NO_LIST: &dyn Fn(&str) -> io::Result<String> = &|_| Err(io::ErrorKind::NotFound.into());

#[test]
fn devices_of_one_profile_have_its_tags_and_their_own() {
    let mut second = of_kind("p2", 2);
    second.tag.push(tag("extra", "holding:9"));
    let plant = with_profile(vec![of_kind("p1", 1), second], vec![tag("speed", "holding:1")]);
    let lines = of_plant(&plant, NO_LIST).unwrap();
    assert_eq!(sources(&lines, 0), ["speed holding:1 u16"]);
    assert_eq!(sources(&lines, 1), ["speed holding:1 u16", "extra holding:9 u16"]);
}

#[test]
fn a_mistake_in_a_profile_is_told_once_and_where_it_stands() {
    let plant =
        with_profile(vec![of_kind("p1", 1), of_kind("p2", 2)], vec![tag("speed", "holding")]);
    let told = of_plant(&plant, NO_LIST).unwrap_err();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("profile[0].tag[0].at: "), "{told:?}");
    let unused = with_profile(Vec::new(), vec![tag("speed", "holding")]);
    assert_eq!(of_plant(&unused, NO_LIST).unwrap_err(), told, "also when no device has it");
}

#[test]
fn an_unknown_profile_is_answered_with_the_nearest() {
    let device = DeviceConfig { profile: Some("vdf".to_owned()), ..device("p1", 1) };
    let told = of_plant(&with_profile(vec![device], Vec::new()), NO_LIST).unwrap_err();
    assert_eq!(told, ["device[0].profile: there is no profile \"vdf\"; did you mean \"vfd\"?"]);
}
