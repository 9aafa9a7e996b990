//! The check of a plant: lines, the devices on them, and the tag lists they share.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use serde::Deserialize;
use signals::{Mistake, column_name};

use super::device::{Device, Line};
use super::list::{self, Sheet};
use super::notes::{Notes, nearest};
use super::tag::Tag;
use super::write::can_interlock;
use super::{DeviceConfig, LineConfig, TagConfig, Transport, budget, check as device_check, line};
use crate::plan::{CostModel, silence};
use crate::scan::Point;
use crate::write::Interlock;

/// What a device takes from a request to its answer, until it has been measured.
const TURNAROUND: Duration = Duration::from_millis(4);

/// `[[line]]`, `[[profile]]` and `[[device]]`, as written.
#[derive(Clone, Debug, Default)]
pub struct PlantConfig {
    /// The lines.
    pub line: Vec<LineConfig>,
    /// Tag lists that several devices share.
    pub profile: Vec<ProfileConfig>,
    /// The devices.
    pub device: Vec<DeviceConfig>,
}

/// `[[profile]]`: the tags of all devices of one kind, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ProfileConfig {
    /// The name devices refer to.
    pub name: Option<String>,
    /// CSV file with more tags.
    pub tags: Option<String>,
    /// The tags.
    pub tag: Vec<TagConfig>,
}

/// What a check takes from the gateway.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// First part of the paths of devices that name no path of their own.
    pub site: &'a str,
    /// Where relative names of files start.
    pub folder: &'a Path,
    /// Reads a tag list by the name the configuration gives it.
    pub list: &'a dyn Fn(&str) -> io::Result<String>,
}

/// A tag as written, and where.
#[derive(Clone, Debug)]
pub(super) struct Written {
    origin: Origin,
    pub(super) config: TagConfig,
}

#[derive(Clone, Debug)]
enum Origin {
    /// A table of the configuration: `device[0].tag[3]`.
    Table(String),
    /// A row of a tag list.
    Row(Rc<Sheet>, u64),
}

impl Written {
    /// A mistake below the tag's table as one from the top.
    pub(super) fn told(&self, mistake: Mistake) -> Mistake {
        match &self.origin {
            Origin::Table(key) => mistake.below(key),
            Origin::Row(sheet, line) => sheet.told(*line, mistake),
        }
    }

    /// What others call it: `device[0].tag[3]`, `pump.csv:12`.
    pub(super) fn shown(&self) -> String {
        match &self.origin {
            Origin::Table(key) => key.rsplit('.').next().unwrap_or(key).to_owned(),
            Origin::Row(sheet, line) => format!("{}:{line}", sheet.file),
        }
    }
}

/// Lines with their devices, ready to run, or everything that is wrong with them: a plant without
/// profiles and tag lists.
///
/// # Errors
/// As [`check_plant`].
pub fn check(
    lines: Vec<LineConfig>,
    devices: Vec<DeviceConfig>,
    site: &str,
) -> Result<Vec<Line>, Vec<Mistake>> {
    let plant = PlantConfig { line: lines, device: devices, profile: Vec::new() };
    let none = |_: &str| Err(io::ErrorKind::NotFound.into());
    check_plant(&plant, &Around { site, folder: Path::new(""), list: &none })
}

/// Lines with their devices, ready to run, or everything that is wrong with them.
///
/// Lines come back in the order given, each with its devices in the order given. Reads the tag
/// lists; opens nothing else.
///
/// # Errors
/// Every mistake, with keys as in the input: `line[0].host`, `device[1].tag[3].at`.
pub fn check_plant(plant: &PlantConfig, around: &Around<'_>) -> Result<Vec<Line>, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut lines = check_lines(&plant.line, around, &mut mistakes);
    let profiles = Profiles::read(&plant.profile, around, &mut mistakes);
    let names: Vec<&str> = plant.line.iter().filter_map(|line| line.name.as_deref()).collect();
    let mut taken = Taken::below(around.site);
    let mut wanted = Vec::new();
    for (place, raw) in plant.device.iter().enumerate() {
        let key = format!("device[{place}]");
        let mut notes = Notes::new(&mut mistakes, &key);
        let on = notes.required("line", raw.line.clone(), "name the line the device is on");
        if let Some(on) = on.as_deref().filter(|on| !names.contains(on)) {
            notes.add("line", format!("there is no line \"{on}\""), nearest(on, &names));
        }
        taken.check_unit(place, raw, &mut notes);
        let mut written = profiles.of(raw, &mut notes);
        written.extend(own_tags(&key, (raw.tags.as_deref(), &raw.tag), around, &mut mistakes));
        let line = lines.iter().flatten().find(|line| Some(&line.name) == on.as_ref());
        taken.cost = line.map(Line::cost).unwrap_or_default();
        let mut notes = Notes::new(&mut mistakes, &key);
        let checked = device_check::device(raw, &written, &mut taken, &mut notes);
        let Some((device, interlocks)) = checked else { continue };
        let line = lines.iter_mut().flatten().find(|line| Some(&line.name) == on.as_ref());
        if let Some(line) = line {
            wanted.extend(interlocks.into_iter().map(|(tag, told)| Wanted {
                line: line.name.clone(),
                device: line.devices.len(),
                tag,
                told,
            }));
            line.devices.push(device);
        }
    }
    profiles.check_unused(&plant.device, &mut mistakes);
    let over = lines
        .iter()
        .enumerate()
        .filter_map(|(place, line)| line.as_ref().and_then(|line| budget::check(place, line)));
    mistakes.extend(over);
    let mut lines: Vec<Line> = lines.into_iter().flatten().collect();
    for wanted in wanted {
        wanted.find(&mut lines, &mut mistakes);
    }
    // A profile's mistake shows in each of its devices; it is told once.
    let mut told = std::collections::HashSet::new();
    mistakes.retain(|mistake| told.insert(mistake.to_string()));
    if mistakes.is_empty() { Ok(lines) } else { Err(mistakes) }
}

fn check_lines(
    raw: &[LineConfig],
    around: &Around<'_>,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Option<Line>> {
    let mut checked = Vec::new();
    for (place, raw) in raw.iter().enumerate() {
        let mut notes = Notes::new(mistakes, format!("line[{place}]"));
        let line = line::check(raw, &checked, around.folder, &mut notes);
        checked.push(line);
    }
    checked
}

/// Tags of a table's CSV file and of its own.
fn own_tags(
    key: &str,
    (file, tags): (Option<&str>, &[TagConfig]),
    around: &Around<'_>,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Written> {
    let mut written = Vec::new();
    if let Some(file) = file {
        let key = format!("{key}.tags");
        match (around.list)(file) {
            Ok(text) => {
                let (sheet, rows) = list::read(&key, file, &text, mistakes);
                written.extend(rows.into_iter().map(|row| Written {
                    origin: Origin::Row(Rc::clone(&sheet), row.line),
                    config: row.tag,
                }));
            }
            Err(err) => mistakes.push(Mistake::new(
                key,
                format!("{file}: cannot be read: {err}"),
                "correct the name, or save the list there as CSV in UTF-8",
            )),
        }
    }
    written.extend(tags.iter().enumerate().map(|(place, tag)| Written {
        origin: Origin::Table(format!("{key}.tag[{place}]")),
        config: tag.clone(),
    }));
    written
}

/// The shared tag lists by name.
struct Profiles {
    lists: Vec<(String, Vec<Written>)>,
}

impl Profiles {
    fn read(raw: &[ProfileConfig], around: &Around<'_>, mistakes: &mut Vec<Mistake>) -> Self {
        let mut lists: Vec<(String, Vec<Written>)> = Vec::new();
        for (place, raw) in raw.iter().enumerate() {
            let key = format!("profile[{place}]");
            let mut notes = Notes::new(mistakes, &key);
            let name = notes.required("name", raw.name.clone(), "devices refer to it by its name");
            if lists.iter().any(|(taken, _)| Some(taken) == name.as_ref()) {
                notes.add("name", "another profile has this name", "choose another name");
            }
            let tags = own_tags(&key, (raw.tags.as_deref(), &raw.tag), around, mistakes);
            lists.extend(name.map(|name| (name, tags)));
        }
        Self { lists }
    }

    /// The mistakes of lists that no device refers to (yet).
    fn check_unused(&self, devices: &[DeviceConfig], mistakes: &mut Vec<Mistake>) {
        for (name, tags) in &self.lists {
            if !devices.iter().any(|device| device.profile.as_ref() == Some(name)) {
                let mut notes = Notes::new(mistakes, "");
                device_check::tags_of_any_device(tags, &mut notes);
            }
        }
    }

    fn of(&self, raw: &DeviceConfig, notes: &mut Notes<'_>) -> Vec<Written> {
        let Some(wanted) = raw.profile.as_deref() else { return Vec::new() };
        let found = self.lists.iter().find(|(name, _)| name == wanted);
        if found.is_none() {
            let remedy = nearest(wanted, self.lists.iter().map(|(name, _)| name));
            notes.add("profile", format!("there is no profile \"{wanted}\""), remedy);
        }
        found.map(|(_, tags)| tags.clone()).unwrap_or_default()
    }
}

/// What earlier devices have taken.
pub(super) struct Taken<'a> {
    /// First part of paths.
    pub(super) site: &'a str,
    /// What a request costs the line of the device at hand.
    pub(super) cost: CostModel,
    /// Table prefixes, with the name they were made of.
    names: HashMap<String, String>,
    /// Line and unit, with the place of the device.
    units: HashMap<(String, i64), usize>,
    /// Paths of signals.
    paths: HashMap<String, String>,
}

impl<'a> Taken<'a> {
    fn below(site: &'a str) -> Self {
        let (names, units, paths) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { site, cost: CostModel::default(), names, units, paths }
    }

    fn check_unit(&mut self, place: usize, raw: &DeviceConfig, notes: &mut Notes<'_>) {
        let (Some(line), Some(unit)) = (&raw.line, raw.unit) else { return };
        if let Some(first) = self.units.insert((line.clone(), unit), place) {
            let problem = format!("device[{first}] is unit {unit} of line \"{line}\" already");
            notes.add("unit", problem, "correct the unit id, or put the tags in one device");
        }
    }

    pub(super) fn check_name(&mut self, name: &str, notes: &mut Notes<'_>) {
        if let Some(first) = self.names.insert(column_name(name), name.to_owned()) {
            let problem = format!("\"{name}\" gives the same table names as device \"{first}\"");
            notes.add("name", problem, "choose another name");
        }
    }

    /// A mistake of the tag's name, if another device has its path.
    pub(super) fn check_path(&mut self, tag: &Tag, device: &str) -> Option<Mistake> {
        let first = self.paths.insert(tag.signal.path.clone(), device.to_owned())?;
        if first == device {
            return None;
        }
        let problem = format!("device \"{first}\" has a tag {} already", tag.signal.path);
        let remedy = "rename one, or give the devices different paths";
        Some(Mistake::new("name", problem, remedy))
    }
}

/// An interlock by its name, to be found when all devices are known.
pub(super) struct Named {
    /// Path of the tag, or its name in the device.
    pub(super) name: String,
    /// Place in [`Device::writable`].
    pub(super) writable: usize,
}

struct Wanted {
    line: String,
    device: usize,
    tag: Named,
    told: Written,
}

impl Wanted {
    fn find(self, lines: &mut [Line], mistakes: &mut Vec<Mistake>) {
        let Some(line) = lines.iter_mut().find(|line| line.name == self.line) else { return };
        let own = line.devices.get(self.device).map(|device| device.path_of(&self.tag.name));
        let paths = [Some(self.tag.name.clone()), own.flatten()];
        let found = line.devices.iter().find_map(|device| {
            let mut points = device.points();
            let (path, point) =
                points.find(|(path, _)| paths.iter().flatten().any(|wanted| wanted == path))?;
            let (path, point) = (path.to_owned(), point.clone());
            Some(Interlock { path, unit: device.unit, point, timeout: device.timeout })
        });
        let wrong = match &found {
            Some(lock) if !can_interlock(lock.point.format.kind) => Some((
                format!("{} is text", lock.path),
                "name a bit, a coil or a number".to_owned(),
            )),
            Some(_) => None,
            None => {
                let paths = line.devices.iter().flat_map(Device::points).map(|(path, _)| path);
                let own = line.devices.get(self.device).into_iter().flat_map(Device::points);
                let names = own.filter_map(|(path, _)| path.rsplit('/').next());
                let remedy = nearest(&self.tag.name, names.chain(paths));
                Some((format!("no tag of this line is \"{}\"", self.tag.name), remedy))
            }
        };
        if let Some((problem, remedy)) = wrong {
            mistakes.push(self.told.told(Mistake::new("write.interlock", problem, remedy)));
            return;
        }
        let device = line.devices.get_mut(self.device);
        if let Some(tag) = device.and_then(|device| device.writable.get_mut(self.tag.writable)) {
            tag.rule.interlock = found;
        }
    }
}

impl Line {
    /// What a request costs it, before anything has been measured.
    #[must_use]
    pub fn cost(&self) -> CostModel {
        match &self.transport {
            Transport::Rtu { serial, .. } => {
                CostModel::serial(serial, TURNAROUND).with_gap(self.request_gap, silence(serial))
            }
            Transport::Tcp { .. } | Transport::RtuOverTcp { .. } | Transport::Tls { .. } => {
                CostModel::default().with_gap(self.request_gap, Duration::ZERO)
            }
        }
    }
}

impl Device {
    /// Paths of its signals with where they stand.
    fn points(&self) -> impl Iterator<Item = (&str, &Point)> {
        self.scans.iter().flat_map(|scan| {
            let signals = scan.table().signals().iter().map(|signal| signal.path);
            signals.zip(scan.points())
        })
    }

    /// Path of the tag that is called `name` in this device.
    fn path_of(&self, name: &str) -> Option<String> {
        let ending = format!("/{name}");
        self.points().find(|(path, _)| path.ends_with(&ending)).map(|(path, _)| path.to_owned())
    }
}

#[cfg(test)]
mod tests;
