//! The check of one device: its own keys, its tags together, and the scans they make.

use std::collections::BTreeMap;
use std::time::Duration;

use signals::{Table, column_name, duration};

use super::DeviceConfig;
use super::device::{Device, Watchdog};
use super::notes::{Notes, nearest};
use super::plant::{Named, Taken, Written};
use super::tag::{self, Surroundings, Tag};
use super::together;
use super::write::Writing;
use crate::area::{Address, AddressStyle, Area};
use crate::decode::Order;
use crate::plan::CostModel;
use crate::scan::{Limits, Scan};
use crate::write::WritableTag;

/// Scan period of a device that names none: what operators expect of a trend.
const PERIOD: Duration = Duration::from_secs(1);
/// How long to wait for an answer where nothing is said: long for a device, short for a line.
const TIMEOUT: Duration = Duration::from_millis(500);
/// Registers that fit in an answer (Modbus Application Protocol V1.1b3, clause 6.3).
const REGISTERS_MAX: u16 = 125;
/// Bits that fit in an answer (clause 6.1).
pub(super) const BITS_MAX: u16 = 2000;
/// Signals that fit in a table.
const SIGNALS_MAX: usize = u16::MAX as usize;

/// The device with the interlocks its writes name, or `None` with at least one mistake.
pub(super) fn device(
    raw: &DeviceConfig,
    written: &[Written],
    taken: &mut Taken<'_>,
    notes: &mut Notes<'_>,
) -> Option<(Device, Vec<(Named, Written)>)> {
    let remedy = "give the device a name; tables are named after it";
    let name = notes.required("name", raw.name.clone(), remedy);
    if let Some(name) = &name {
        taken.check_name(name, notes);
    }
    let unit = check_unit(raw, notes);
    let longest = Duration::from_hours(24);
    let period = notes
        .duration("every", raw.every.as_deref(), Duration::from_millis(10)..=longest)
        .unwrap_or(PERIOD);
    let limits = check_limits(raw, taken.cost, notes);
    let shown = name.clone().unwrap_or_default();
    let around = Surroundings {
        path: raw.path.clone().unwrap_or_else(|| format!("{}/{shown}", taken.site)),
        style: check_style(raw, notes),
        order: check_order(raw, notes),
        period,
        registers_max: limits.registers_max,
        writing: Writing::of(raw, notes),
    };
    let tags = check_tags(written, &around, notes);
    for tag in &tags {
        let told = taken.check_path(tag, &shown);
        notes.extend(told.and_then(|mistake| tag.told_by(written, mistake)));
    }
    let timeout = check_timeout(raw, &tags, notes);
    let watchdog = find_watchdog(raw, &tags, written, notes);
    let writable = writable(&tags, unit.unwrap_or_default(), timeout);
    let interlocks = interlocks(&tags, written);
    let scans = build_scans(&shown, tags, &limits, notes);
    let watchdog = watchdog.and_then(|path| place_of(&path, &scans));
    let (name, description) = (name?, raw.description.clone());
    let unit = unit?;
    Some((Device { name, unit, description, timeout, scans, writable, watchdog }, interlocks))
}

/// The mistakes of tags whose device is not known: only what is wrong on every device.
pub(super) fn tags_of_any_device(written: &[Written], notes: &mut Notes<'_>) {
    let mut none = Vec::new();
    let raw = DeviceConfig::default();
    let around = Surroundings {
        path: String::new(),
        style: AddressStyle::Protocol,
        order: Order::Abcd,
        period: PERIOD,
        registers_max: REGISTERS_MAX,
        writing: Writing::of(&raw, &mut Notes::new(&mut none, "")),
    };
    drop(check_tags(written, &around, notes));
}

/// The tags by themselves, and what they say of one another.
fn check_tags(written: &[Written], around: &Surroundings, notes: &mut Notes<'_>) -> Vec<Tag> {
    let mut tags = Vec::new();
    for (place, written) in written.iter().enumerate() {
        let mut own = Vec::new();
        let tag = tag::check(place, &written.config, around, &mut Notes::new(&mut own, ""));
        notes.extend(own.into_iter().map(|mistake| written.told(mistake)));
        tags.extend(tag);
    }
    together::check(&mut tags, written, around, notes);
    if tags.len() > SIGNALS_MAX {
        let problem = format!("{} tags are more than a device can have", tags.len());
        notes.add("tag", problem, format!("at most {SIGNALS_MAX}; scan some at another period"));
        tags.truncate(SIGNALS_MAX);
    }
    tags
}

fn find_watchdog(
    raw: &DeviceConfig,
    tags: &[Tag],
    written: &[Written],
    notes: &mut Notes<'_>,
) -> Option<String> {
    let wanted = raw.watchdog_tag.as_deref()?;
    let found = tags.iter().find(|tag| tag.name == wanted);
    let is_written = written.iter().any(|tag| tag.config.name.as_deref() == Some(wanted));
    if found.is_none() && !is_written {
        let remedy = nearest(wanted, tags.iter().map(|tag| &tag.name));
        notes.add("watchdog_tag", format!("there is no tag \"{wanted}\" in this device"), remedy);
    }
    found.map(|tag| tag.signal.path.clone())
}

fn place_of(path: &str, scans: &[Scan]) -> Option<Watchdog> {
    scans.iter().enumerate().find_map(|(scan, found)| {
        let mut signals = found.table().signals().iter();
        let signal = signals.position(|signal| signal.path == path)?;
        Some(Watchdog { scan, signal })
    })
}

fn writable(tags: &[Tag], unit: u8, timeout: Duration) -> Vec<WritableTag> {
    let ruled = tags.iter().filter_map(|tag| Some((tag, tag.rule.clone()?)));
    ruled
        .map(|(tag, rule)| WritableTag {
            path: tag.signal.path.clone(),
            unit,
            point: tag.point.clone(),
            timeout,
            rule,
        })
        .collect()
}

fn interlocks(tags: &[Tag], written: &[Written]) -> Vec<(Named, Written)> {
    let ruled = tags.iter().filter(|tag| tag.rule.is_some()).enumerate();
    ruled
        .filter_map(|(writable, tag)| {
            let written = written.get(tag.place)?;
            let name = written.config.write.as_ref()?.interlock.clone()?;
            Some((Named { name, writable }, written.clone()))
        })
        .collect()
}

fn check_limits(raw: &DeviceConfig, cost: CostModel, notes: &mut Notes<'_>) -> Limits {
    let registers = notes.number("max_registers", raw.max_registers, 1..=REGISTERS_MAX);
    let bits = notes.number("max_bits", raw.max_bits, 1..=BITS_MAX);
    Limits {
        registers_max: registers.unwrap_or(REGISTERS_MAX),
        bits_max: bits.unwrap_or(BITS_MAX),
        holes: check_holes(raw, notes),
        cost,
    }
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
        let (signals, points): (Vec<_>, Vec<_>) =
            tags.into_iter().map(|tag| (tag.signal, tag.point)).unzip();
        match Table::of_exchanges(name, device, signals) {
            Ok(table) => scans.push(Scan::new(table.with_period(period), period, points, limits)),
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
