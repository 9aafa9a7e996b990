//! What the tags of a device say of one another: names, overlaps, scales, groups.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use signals::{Mistake, column_name};

use super::check::BITS_MAX;
use super::notes::{Notes, nearest};
use super::plant::Written;
use super::tag::{Surroundings, Tag};
use crate::area::{Address, AddressStyle};
use crate::scan::Point;

/// Notes every contradiction; gives values the points of their scales, and groups their numbers.
pub(super) fn check(
    tags: &mut [Tag],
    written: &[Written],
    around: &Surroundings,
    notes: &mut Notes<'_>,
) {
    check_duplicates(written, notes);
    check_overlaps(tags, written, around.style, notes);
    link_scales(tags, written, notes);
    number_groups(tags);
    check_groups(tags, written, around.registers_max, notes);
}

/// Gives each value with a `scale_tag` the point of that tag.
fn link_scales(tags: &mut [Tag], written: &[Written], notes: &mut Notes<'_>) {
    if written.iter().all(|tag| tag.config.scale_tag.is_none()) {
        return;
    }
    let points: HashMap<String, (Point, bool)> = tags
        .iter()
        .map(|tag| (tag.name.clone(), (tag.point.clone(), tag.can_be_scale())))
        .collect();
    let mut used: BTreeSet<String> = BTreeSet::new();
    let names: Vec<&str> = written.iter().filter_map(|tag| tag.config.name.as_deref()).collect();
    for tag in tags.iter_mut() {
        let config = written.get(tag.place).map(|written| &written.config);
        let Some(wanted) = config.and_then(|config| config.scale_tag.as_deref()) else { continue };
        let wrong = match points.get(wanted) {
            // A tag with mistakes of its own: those are told.
            None if names.contains(&wanted) => continue,
            None => {
                let known = points.iter().filter(|(_, (_, can))| *can).map(|(name, _)| name);
                let mut known: Vec<&String> = known.collect();
                known.sort();
                let problem = format!("there is no tag \"{wanted}\" in this device");
                Some((problem, nearest(wanted, known)))
            }
            Some((_, false)) => Some((
                format!("\"{wanted}\" is no power of ten"),
                "name an unscaled integer tag of a register".to_owned(),
            )),
            Some((scale, _)) if scale.address.area != tag.point.address.area => Some((
                format!("\"{wanted}\" stands in another area"),
                "value and scale must come from one answer: name a tag of the same area".to_owned(),
            )),
            Some((scale, _)) => {
                let mut scale = scale.clone();
                Arc::make_mut(&mut scale.format).mark_as_power();
                tag.point.scale = Some(Box::new(scale));
                used.insert(wanted.to_owned());
                None
            }
        };
        if let Some((problem, remedy)) = wrong {
            let mistake = Mistake::new("scale_tag", problem, remedy);
            notes.extend(tag.told_by(written, mistake));
        }
    }
    for tag in tags.iter_mut().filter(|tag| used.contains(&tag.name)) {
        Arc::make_mut(&mut tag.point.format).mark_as_power();
    }
}

fn number_groups(tags: &mut [Tag]) {
    let mut numbers: BTreeMap<String, u16> = BTreeMap::new();
    for tag in tags {
        let Some(name) = &tag.group else { continue };
        let next = u16::try_from(numbers.len()).unwrap_or(u16::MAX);
        tag.point.group = Some(*numbers.entry(name.clone()).or_insert(next));
    }
}

/// Tags of a group must fit in one answer.
fn check_groups(tags: &[Tag], written: &[Written], registers_max: u16, notes: &mut Notes<'_>) {
    let mut groups: BTreeMap<u16, Vec<&Tag>> = BTreeMap::new();
    for tag in tags {
        if let Some(group) = tag.point.group {
            groups.entry(group).or_default().push(tag);
        }
    }
    for members in groups.values() {
        let Some(first) = members.first() else { continue };
        let (area, period) = (first.point.address.area, first.period);
        let other = members.iter().find(|t| t.point.address.area != area || t.period != period);
        if let Some(tag) = other {
            let problem =
                format!("\"{}\" is of another area or period than \"{}\"", tag.name, first.name);
            let remedy = "tags of a group come from one answer: give them one area and one period";
            notes.extend(tag.told_by(written, Mistake::new("coherent", problem, remedy)));
            continue;
        }
        let start = members.iter().map(|tag| u32::from(tag.point.address.offset)).min();
        let last = members.iter().max_by_key(|tag| tag.end());
        let (Some(start), Some(last)) = (start, last) else { continue };
        let max = if area.holds_bits() { BITS_MAX } else { registers_max };
        let span = last.end().saturating_sub(start);
        if span > u32::from(max) {
            let problem = format!("the group spans {span} addresses, one answer holds {max}");
            let remedy = "make the group smaller: what must agree must fit in one answer";
            notes.extend(last.told_by(written, Mistake::new("coherent", problem, remedy)));
        }
    }
}

fn check_duplicates(written: &[Written], notes: &mut Notes<'_>) {
    let mut seen: HashMap<String, (&Written, &str)> = HashMap::new();
    for tag in written {
        let Some(name) = tag.config.name.as_deref() else { continue };
        let Some((first, other)) = seen.insert(column_name(name), (tag, name)) else { continue };
        let first = first.shown();
        let problem = if other == name {
            format!("{first} is called \"{name}\" too")
        } else {
            format!("\"{name}\" gives the same column as \"{other}\", {first}")
        };
        notes.extend([tag.told(Mistake::new("name", problem, "rename one of them"))]);
    }
}

/// Values that share some registers but not all: nearly always an address that is off by one.
fn check_overlaps(tags: &[Tag], written: &[Written], style: AddressStyle, notes: &mut Notes<'_>) {
    let mut sorted: Vec<&Tag> = tags.iter().collect();
    sorted.sort_by_key(|tag| (tag.point.address, std::cmp::Reverse(tag.end())));
    let mut furthest: Option<&Tag> = None;
    for tag in sorted {
        let address = tag.point.address;
        let before = furthest.filter(|before| before.point.address.area == address.area);
        if let Some(before) = before {
            let start = u32::from(address.offset);
            let crosses = start < before.end() && tag.end() > before.end();
            if let (true, Ok(free)) = (crosses, u16::try_from(before.end())) {
                let mistake = overlap(tag, before, style, free);
                notes.extend(tag.told_by(written, mistake));
            }
        }
        if before.is_none_or(|before| tag.end() > before.end()) {
            furthest = Some(tag);
        }
    }
}

fn overlap(tag: &Tag, before: &Tag, style: AddressStyle, free: u16) -> Mistake {
    let address = tag.point.address;
    let start = before.point.address.show(style);
    let shown = match style {
        AddressStyle::Protocol => format!("{start}-{}", free.saturating_sub(1)),
        AddressStyle::Modicon => start,
    };
    let shared = before.end().saturating_sub(u32::from(address.offset));
    let half = shared * 2 == u32::from(before.point.format.words());
    let problem = format!(
        "\"{}\" ({} at {}) overlaps {} of \"{}\" ({shown})",
        tag.name,
        tag.point.format.kind.name(),
        address.show(style),
        if half { "half" } else { "part" },
        before.name,
    );
    let meant = Address { area: address.area, offset: free }.show(style);
    Mistake::new("at", problem, format!("did you mean {meant}?"))
}
