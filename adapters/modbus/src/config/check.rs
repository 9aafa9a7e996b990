//! The check of lines and devices: every mistake at once, nothing is opened.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use signals::{Mistake, Table, column_name, duration};

use super::device::{Device, Line};
use super::notes::{Notes, nearest};
use super::tag::{self, Surroundings, Tag};
use super::transport::{Depth, Transport};
use super::{DeviceConfig, LineConfig};
use crate::area::{Address, AddressStyle, Area};
use crate::decode::Order;
use crate::scan::{Limits, Point, Scan};

/// Scan period of a device that names none: what operators expect of a trend.
const PERIOD: Duration = Duration::from_secs(1);
/// How long to wait for an answer where nothing is said: long for a device, short for a line.
const TIMEOUT: Duration = Duration::from_millis(500);
/// How long a connection may take to come up: two lost SYN packets.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Registers that fit in an answer (Modbus Application Protocol V1.1b3, clause 6.3).
const REGISTERS_MAX: u16 = 125;
/// Bits that fit in an answer (clause 6.1).
const BITS_MAX: u16 = 2000;
/// The port IANA gave to Modbus.
const PORT: u16 = 502;

/// Lines with their devices, ready to run, or everything that is wrong with them.
///
/// `site` stands first in the path of devices that name no path of their own. Lines come back in
/// the order given, each with its devices in the order given.
///
/// # Errors
/// Every mistake, with keys as in the input: `line[0].host`, `device[1].tag[3].at`.
pub fn check(
    lines: Vec<LineConfig>,
    devices: Vec<DeviceConfig>,
    site: &str,
) -> Result<Vec<Line>, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut names = Vec::new();
    let mut checked = Vec::new();
    for (place, raw) in lines.into_iter().enumerate() {
        let mut notes = Notes::new(&mut mistakes, format!("line[{place}]"));
        names.extend(raw.name.clone());
        checked.push(check_line(raw, &checked, &mut notes));
    }
    let mut taken = Taken::default();
    for (place, raw) in devices.into_iter().enumerate() {
        let mut notes = Notes::new(&mut mistakes, format!("device[{place}]"));
        let wanted = notes.required("line", raw.line.clone(), "name the line the device is on");
        if let Some(wanted) = wanted.as_ref().filter(|wanted| !names.contains(wanted)) {
            let problem = format!("there is no line \"{wanted}\"");
            notes.add("line", problem, nearest(wanted, &names));
        }
        taken.check_unit(place, &raw, &mut notes);
        let device = check_device(&raw, site, &mut taken, &mut notes);
        let line = checked.iter_mut().flatten().find(|line| Some(&line.name) == wanted.as_ref());
        if let (Some(line), Some(device)) = (line, device) {
            line.devices.push(device);
        }
    }
    if mistakes.is_empty() { Ok(checked.into_iter().flatten().collect()) } else { Err(mistakes) }
}

/// What earlier devices have taken.
#[derive(Default)]
struct Taken {
    /// Table prefixes, with the name they were made of.
    names: HashMap<String, String>,
    /// Line and unit, with the place of the device.
    units: HashMap<(String, i64), usize>,
    /// Paths of signals.
    paths: HashMap<String, String>,
}

impl Taken {
    fn check_unit(&mut self, place: usize, raw: &DeviceConfig, notes: &mut Notes<'_>) {
        let (Some(line), Some(unit)) = (&raw.line, raw.unit) else { return };
        if let Some(first) = self.units.insert((line.clone(), unit), place) {
            let problem = format!("device[{first}] is unit {unit} of line \"{line}\" already");
            notes.add("unit", problem, "correct the unit id, or put the tags in one device");
        }
    }

    fn check_name(&mut self, name: &str, notes: &mut Notes<'_>) {
        if let Some(first) = self.names.insert(column_name(name), name.to_owned()) {
            let problem = format!("\"{name}\" gives the same table names as device \"{first}\"");
            notes.add("name", problem, "choose another name");
        }
    }

    fn check_path(&mut self, tag: &Tag, device: &str, notes: &mut Notes<'_>) {
        let Some(first) = self.paths.insert(tag.signal.path.clone(), device.to_owned()) else {
            return;
        };
        if first != device {
            let problem = format!("device \"{first}\" has a tag {} already", tag.signal.path);
            let key = format!("tag[{}].name", tag.place);
            notes.add(&key, problem, "rename one, or give the devices different paths");
        }
    }
}

fn check_line(raw: LineConfig, others: &[Option<Line>], notes: &mut Notes<'_>) -> Option<Line> {
    let name = notes.required("name", raw.name, "give the line a name; devices refer to it");
    if name.is_some() && others.iter().flatten().any(|line| Some(&line.name) == name.as_ref()) {
        notes.add("name", "another line has this name", "choose another name");
    }
    match raw.transport.as_deref() {
        None | Some("tcp") => {}
        Some(later @ ("rtu" | "rtu_over_tcp" | "tls")) => {
            let problem = format!("transport \"{later}\" is not built into this version");
            notes.add("transport", problem, "use \"tcp\" through a gateway device");
        }
        Some(other) => {
            let problem = format!("there is no transport \"{other}\"");
            notes.add("transport", problem, nearest(other, ["tcp", "rtu", "rtu_over_tcp", "tls"]));
        }
    }
    let host = notes.required("host", raw.host, "write host:port, for example \"10.0.0.5:502\"");
    let host = host.and_then(|host| check_host(host.trim(), notes));
    let second = Duration::from_secs(1);
    let connect_timeout = notes
        .duration("connect_timeout", raw.connect_timeout.as_deref(), second / 100..=60 * second)
        .unwrap_or(CONNECT_TIMEOUT);
    let request_gap = notes
        .duration("request_gap", raw.request_gap.as_deref(), Duration::ZERO..=10 * second)
        .unwrap_or(Duration::ZERO);
    let transport = Transport::Tcp { host: host? };
    let pipeline = Depth::Fixed(1);
    let devices = Vec::new();
    Some(Line { name: name?, transport, pipeline, connect_timeout, request_gap, devices })
}

/// `host:port` with the standard port where none is given.
fn check_host(host: &str, notes: &mut Notes<'_>) -> Option<String> {
    let has_port = host.rsplit_once(':').is_some_and(|(before, _)| !before.contains(':'))
        || host.contains("]:");
    let Some((name, port)) = host.rsplit_once(':').filter(|_| has_port) else {
        let bare_v6 = host.contains(':') && !host.starts_with('[');
        return Some(if bare_v6 { format!("[{host}]:{PORT}") } else { format!("{host}:{PORT}") });
    };
    let port_fits = port.parse::<u16>().is_ok_and(|port| port != 0);
    if name.is_empty() || !port_fits || host.contains(char::is_whitespace) {
        let problem = format!("\"{host}\" is not a host and port");
        notes.add("host", problem, "write host:port, for example \"10.0.0.5:502\"");
        return None;
    }
    Some(host.to_owned())
}

fn check_device(
    raw: &DeviceConfig,
    site: &str,
    taken: &mut Taken,
    notes: &mut Notes<'_>,
) -> Option<Device> {
    let name = notes.required(
        "name",
        raw.name.clone(),
        "give the device a name; tables are named after it",
    );
    if let Some(name) = &name {
        taken.check_name(name, notes);
    }
    let unit = check_unit(raw, notes);
    let longest = Duration::from_hours(24);
    let period = notes
        .duration("every", raw.every.as_deref(), Duration::from_millis(10)..=longest)
        .unwrap_or(PERIOD);
    let style = check_style(raw, notes);
    let limits = Limits {
        registers_max: notes
            .number("max_registers", raw.max_registers, 1..=REGISTERS_MAX)
            .unwrap_or(REGISTERS_MAX),
        bits_max: notes.number("max_bits", raw.max_bits, 1..=BITS_MAX).unwrap_or(BITS_MAX),
        holes: check_holes(raw, notes),
    };
    let shown = name.clone().unwrap_or_default();
    let around = Surroundings {
        path: raw.path.clone().unwrap_or_else(|| format!("{site}/{shown}")),
        style,
        order: check_order(raw, notes),
        period,
        registers_max: limits.registers_max,
    };
    let mut tags = Vec::new();
    for (place, tag) in raw.tag.iter().enumerate() {
        let checked = tag::check(place, tag, &around, &mut notes.below(&format!("tag[{place}]")));
        tags.extend(checked);
    }
    check_duplicates(raw, notes);
    check_overlaps(&tags, style, notes);
    for tag in &tags {
        taken.check_path(tag, &shown, notes);
    }
    let timeout = check_timeout(raw, &tags, notes);
    let scans = build_scans(&shown, tags, &limits, notes);
    let (name, description) = (name?, raw.description.clone());
    let writable = Vec::new();
    Some(Device { name, unit: unit?, description, timeout, scans, writable })
}

fn check_unit(raw: &DeviceConfig, notes: &mut Notes<'_>) -> Option<u8> {
    let Some(unit) = raw.unit else {
        notes.add("unit", "is missing", "write the unit id the device is set to, 1 to 247");
        return None;
    };
    let reserved = raw.allow_reserved_unit.unwrap_or(false);
    let fitting = u8::try_from(unit).ok().filter(|unit| reserved || (1..=247).contains(unit));
    if fitting.is_none() {
        let remedy = if (0..=255).contains(&unit) {
            "write 1 to 247, or set allow_reserved_unit = true if it is meant"
        } else {
            "write a number from 1 to 247"
        };
        notes.add("unit", format!("{unit} is no unit id of a device"), remedy);
    }
    fitting
}

fn check_style(raw: &DeviceConfig, notes: &mut Notes<'_>) -> AddressStyle {
    match raw.address_style.as_deref() {
        None | Some("protocol") => AddressStyle::Protocol,
        Some("modicon") => AddressStyle::Modicon,
        Some(other) => {
            let problem = format!("there is no address style \"{other}\"");
            notes.add("address_style", problem, nearest(other, ["protocol", "modicon"]));
            AddressStyle::Protocol
        }
    }
}

fn check_order(raw: &DeviceConfig, notes: &mut Notes<'_>) -> Order {
    let Some(text) = &raw.word_order else { return Order::Abcd };
    Order::named(text.trim()).unwrap_or_else(|| {
        notes.add("word_order", format!("there is no order \"{text}\""), tag::ORDERS);
        Order::Abcd
    })
}

/// `input:7` and `input:16-39` as addresses, ascending.
fn check_holes(raw: &DeviceConfig, notes: &mut Notes<'_>) -> Vec<Address> {
    let mut holes = Vec::new();
    for text in &raw.holes {
        let read = text.split_once(':').and_then(|(area, span)| {
            let (first, last) = span.split_once('-').unwrap_or((span, span));
            let first: u16 = first.trim().parse().ok()?;
            let last: u16 = last.trim().parse().ok()?;
            Some((Area::named(area.trim())?, first, last)).filter(|_| first <= last)
        });
        match read {
            Some((area, first, last)) => {
                holes.extend((first..=last).map(|offset| Address { area, offset }));
            }
            None => notes.add(
                "holes",
                format!("\"{text}\" names no addresses"),
                "write area:first-last, 0-based, for example \"input:16-39\"",
            ),
        }
    }
    holes.sort_unstable();
    holes.dedup();
    holes
}

fn check_duplicates(raw: &DeviceConfig, notes: &mut Notes<'_>) {
    let mut seen: HashMap<String, (usize, &str)> = HashMap::new();
    for (place, tag) in raw.tag.iter().enumerate() {
        let Some(name) = tag.name.as_deref() else { continue };
        let Some((first, other)) = seen.insert(column_name(name), (place, name)) else { continue };
        let key = format!("tag[{place}].name");
        if other == name {
            let problem = format!("tag[{first}] is called \"{name}\" too");
            notes.add(&key, problem, "rename one of them");
        } else {
            let problem = format!("\"{name}\" gives the same column as \"{other}\", tag[{first}]");
            notes.add(&key, problem, "rename one of them");
        }
    }
}

/// Values that share some registers but not all: nearly always an address that is off by one.
fn check_overlaps(tags: &[Tag], style: AddressStyle, notes: &mut Notes<'_>) {
    let end = |tag: &Tag| u32::from(tag.address.offset) + u32::from(tag.format.words());
    let shown = |tag: &Tag| {
        let last = u16::try_from(end(tag).saturating_sub(1)).unwrap_or(u16::MAX);
        let start = tag.address.show(style);
        if style == AddressStyle::Protocol { format!("{start}-{last}") } else { start }
    };
    let mut sorted: Vec<&Tag> = tags.iter().collect();
    sorted.sort_by_key(|tag| (tag.address, std::cmp::Reverse(end(tag))));
    let mut furthest: Option<&Tag> = None;
    for tag in sorted {
        let before = furthest.filter(|before| before.address.area == tag.address.area);
        if let Some(before) = before {
            let start = u32::from(tag.address.offset);
            let crosses = start < end(before) && end(tag) > end(before);
            if let (true, Ok(free)) = (crosses, u16::try_from(end(before))) {
                let shared = end(before) - start;
                let half = shared * 2 == u32::from(before.format.words());
                let problem = format!(
                    "\"{}\" ({} at {}) overlaps {} of \"{}\" ({})",
                    tag.name,
                    tag.format.kind.name(),
                    tag.address.show(style),
                    if half { "half" } else { "part" },
                    before.name,
                    shown(before)
                );
                let meant = Address { area: tag.address.area, offset: free }.show(style);
                notes.add(
                    &format!("tag[{}].at", tag.place),
                    problem,
                    format!("did you mean {meant}?"),
                );
            }
        }
        if before.is_none_or(|before| end(tag) > end(before)) {
            furthest = Some(tag);
        }
    }
}

/// Shorter than the fastest scan; four fifths of it when nothing is said.
fn check_timeout(raw: &DeviceConfig, tags: &[Tag], notes: &mut Notes<'_>) -> Duration {
    let fastest = tags.iter().min_by_key(|tag| tag.period);
    let longest = Duration::from_mins(10);
    let given =
        notes.duration("timeout", raw.timeout.as_deref(), Duration::from_millis(1)..=longest);
    let Some(fastest) = fastest else { return given.unwrap_or(TIMEOUT) };
    let Some(timeout) = given else { return TIMEOUT.min(fastest.period * 4 / 5) };
    if timeout >= fastest.period {
        let problem = format!(
            "{} is not shorter than the period {} of \"{}\"",
            duration::show(timeout),
            duration::show(fastest.period),
            fastest.name
        );
        notes.add("timeout", problem, "lower it or scan slower");
    }
    timeout
}

/// One scan for each period, fastest first.
fn build_scans(device: &str, tags: Vec<Tag>, limits: &Limits, notes: &mut Notes<'_>) -> Vec<Scan> {
    let mut classes: BTreeMap<Duration, Vec<Tag>> = BTreeMap::new();
    for tag in tags {
        classes.entry(tag.period).or_default().push(tag);
    }
    let mut scans = Vec::new();
    for (period, tags) in classes {
        let name = table_name(device, period);
        let (signals, points): (Vec<_>, Vec<_>) = tags
            .into_iter()
            .map(|tag| (tag.signal, Point { address: tag.address, format: tag.format }))
            .unzip();
        match Table::of_exchanges(name, device, signals) {
            Ok(table) => scans.push(Scan::new(table, period, points, limits)),
            // Two columns of one name have been noted as two tags of one name.
            Err(signals::TableError::Duplicate { .. }) => {}
            Err(err @ signals::TableError::Name { .. }) => {
                notes.add("name", err.to_string(), "choose a name of letters and digits");
            }
        }
    }
    scans
}

/// `pump_250ms`: the device and the period, as a legal name.
fn table_name(device: &str, period: Duration) -> String {
    format!("{}_{}", column_name(device), duration::show(period).replace(' ', ""))
}

#[cfg(test)]
mod tests;
