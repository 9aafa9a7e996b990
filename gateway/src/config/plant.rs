//! Checks of what the gateway reads: lines, devices and buses, and the signals they will have.
//!
//! The adapters check what is theirs; here stands what concerns several of them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use adapters_can::bus::{Bus, LoadedBus};
use adapters_can::config::Files;
use adapters_can::tables::{Naming, tables_of};
use adapters_modbus::config::{Around, Line, PlantConfig};
use adapters_modbus::decode::RegisterType;
use signals::{Mistake, column_name};

use super::detectors::Catalog;
use super::raw::Raw;
use super::settings::GatewayIdentity;

/// No tag list is longer; what is longer is not a tag list.
const LIST_BYTES_MAX: u64 = 16 << 20;

/// Names that must differ from one another: those of one kind, and of all that makes tables.
pub(crate) fn names(raw: &Raw, mistakes: &mut Vec<Mistake>) {
    // Devices among themselves are the Modbus adapter's business.
    let mut tables: BTreeMap<String, String> = BTreeMap::new();
    for (index, device) in raw.device.iter().enumerate() {
        if let Some(name) = &device.name {
            tables.entry(column_name(name)).or_insert_with(|| format!("device[{index}]"));
        }
    }
    for (index, bus) in raw.can.iter().enumerate() {
        let Some(name) = &bus.name else { continue };
        let this = format!("can[{index}]");
        if let Some(first) = tables.get(&column_name(name)) {
            let problem = format!("\"{name}\" gives the same table names as {first}");
            mistakes.push(Mistake::new(format!("{this}.name"), problem, "rename one of the two"));
        } else {
            tables.insert(column_name(name), this);
        }
    }
    distinct("detector", raw.detector.iter().map(|d| d.name.as_deref()), mistakes);
    distinct("rule", raw.rule.iter().map(|r| r.name.as_deref()), mistakes);
    distinct("uplink", raw.uplink.iter().map(|u| u.name.as_deref()), mistakes);
}

fn distinct<'a>(
    list: &str,
    names: impl Iterator<Item = Option<&'a str>>,
    mistakes: &mut Vec<Mistake>,
) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, name) in names.enumerate() {
        let Some(name) = name else { continue };
        if let Some(first) = seen.get(name) {
            let problem = format!("\"{name}\" is the name of {list}[{first}] too");
            let key = format!("{list}[{index}].name");
            mistakes.push(Mistake::new(key, problem, "rename one of the two"));
        } else {
            seen.insert(name, index);
        }
    }
}

/// The lines with their devices; `None` with at least one mistake.
pub(crate) fn lines(
    raw: &Raw,
    gateway: &GatewayIdentity,
    files: Files<'_>,
    mistakes: &mut Vec<Mistake>,
) -> Option<Vec<Line>> {
    let plant = PlantConfig {
        line: raw.line.clone(),
        profile: raw.profile.clone(),
        device: raw.device.clone(),
    };
    let folder = match files {
        Files::Folder(folder) => folder,
        Files::Embedded(_) => Path::new(""),
    };
    let around = Around { site: &gateway.site, folder, list: &|name| read_list(files, name) };
    match adapters_modbus::config::check_plant(&plant, &around) {
        Ok(lines) => Some(lines),
        Err(found) => {
            mistakes.extend(found);
            None
        }
    }
}

/// The text of a tag list.
fn read_list(files: Files<'_>, name: &str) -> io::Result<String> {
    let too_long = || io::Error::other(format!("is longer than {LIST_BYTES_MAX} bytes"));
    let bytes = match files {
        Files::Folder(folder) => {
            let path = folder.join(name);
            if std::fs::metadata(&path)?.len() > LIST_BYTES_MAX {
                return Err(too_long());
            }
            std::fs::read(path)?
        }
        Files::Embedded(files) => {
            let found = files.iter().find(|(known, _)| *known == name);
            found.map(|(_, bytes)| bytes.to_vec()).ok_or(io::ErrorKind::NotFound)?
        }
    };
    String::from_utf8(bytes).map_err(|_| io::Error::other("is not UTF-8 text"))
}

/// The buses with their databases, `None` for each that has at least one mistake.
pub(crate) fn buses(
    raw: &Raw,
    gateway: &GatewayIdentity,
    files: Files<'_>,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Option<LoadedBus>> {
    let mut checked = Vec::with_capacity(raw.can.len());
    for (index, bus) in raw.can.iter().enumerate() {
        match bus.clone().check(files, &gateway.site).and_then(Bus::load) {
            Ok(bus) => checked.push(Some(bus)),
            Err(found) => {
                mistakes.extend(found.into_iter().map(|m| m.below(&format!("can[{index}]"))));
                checked.push(None);
            }
        }
    }
    checked
}

/// The signals a detector may name. Taken from what is written, so that a mistake in one tag does
/// not make every detector's signals unknown.
pub(crate) fn catalog(
    raw: &Raw,
    gateway: &GatewayIdentity,
    lines: Option<&[Line]>,
    buses: &[Option<LoadedBus>],
) -> Catalog {
    let mut catalog = Catalog::default();
    for line in lines.unwrap_or_default() {
        let scans = line.devices.iter().flat_map(|device| &device.scans);
        let signals = scans.flat_map(|scan| scan.table().signals());
        catalog.paths.extend(signals.map(|signal| (signal.path.to_owned(), Some(signal.kind))));
    }
    for device in &raw.device {
        let Some(name) = &device.name else { continue };
        let path = device.path.clone().unwrap_or_else(|| format!("{}/{name}", gateway.site));
        for tag in &device.tag {
            let Some(name) = &tag.name else { continue };
            let kind = tag.r#type.as_deref().and_then(RegisterType::named);
            let path = format!("{path}/{name}");
            catalog.paths.entry(path).or_insert_with(|| kind.map(RegisterType::column));
        }
        // Tags that stand in a list are known only when all is right.
        if lines.is_none() && (device.profile.is_some() || device.tags.is_some()) {
            catalog.open.push(path);
        }
    }
    for (written, bus) in raw.can.iter().zip(buses) {
        let tables = bus.as_ref().and_then(|bus| tables_of(&bus.plan, &naming(bus)).ok());
        if let Some(tables) = tables {
            let signals = tables.iter().flatten().flat_map(|table| table.signals());
            catalog.paths.extend(signals.map(|s| (s.path.to_owned(), Some(s.kind))));
        } else if let Some(name) = &written.name {
            let path = written.path.clone().unwrap_or_else(|| format!("{}/{name}", gateway.site));
            catalog.open.push(path);
        }
    }
    catalog
}

fn naming(bus: &LoadedBus) -> Naming {
    Naming { bus: bus.bus.name.clone(), path: bus.bus.path.clone() }
}
