//! The check of one tag.

use std::time::Duration;

use signals::{Mistake, Range, Signal, ValueType, column_name};

use super::notes::{Notes, nearest};
use super::plant::Written;
use super::sentinel;
use super::write::{self, Writing};
use super::{RangeConfig, TagConfig};
use crate::area::{Address, AddressStyle};
use crate::decode::{Encoding, Format, Order, Outside, RegisterType, Scale};
use crate::scan::Point;
use crate::write::WriteRule;

/// Shortest and longest scan period.
const PERIODS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_hours(24);
/// Names of columns that every table has.
const RESERVED: [&str; 4] = ["ts", "q", "sa", "ts_err"];
/// What a tag takes from its device.
pub(super) struct Surroundings {
    /// Path of the device.
    pub(super) path: String,
    /// How addresses are written.
    pub(super) style: AddressStyle,
    /// Order of values over several registers.
    pub(super) order: Order,
    /// Scan period.
    pub(super) period: Duration,
    /// Registers in one answer.
    pub(super) registers_max: u16,
    /// How it is written to.
    pub(super) writing: Writing,
}

/// A tag as checked.
#[derive(Clone, Debug)]
pub(super) struct Tag {
    /// Place among the tags of the device as written.
    pub(super) place: usize,
    pub(super) name: String,
    pub(super) point: Point,
    pub(super) period: Duration,
    pub(super) signal: Signal,
    /// What may be written, if anything.
    pub(super) rule: Option<WriteRule>,
    /// The group of tags that come from one answer.
    pub(super) group: Option<String>,
}

impl Tag {
    /// The address after its last one.
    pub(super) fn end(&self) -> u32 {
        u32::from(self.point.address.offset) + u32::from(self.point.format.words())
    }

    /// Whether its value can be the power of ten of another.
    pub(super) fn can_be_scale(&self) -> bool {
        let format = &self.point.format;
        let is_integer = format.kind.is_plain_integer() && format.kind.column() != ValueType::Text;
        is_integer && format.scale.is_none() && self.signal.kind != ValueType::F64
    }

    /// A mistake of this tag as one from the top.
    pub(super) fn told_by(&self, written: &[Written], mistake: Mistake) -> Option<Mistake> {
        written.get(self.place).map(|written| written.told(mistake))
    }
}

/// The tag at `place`, or `None` with at least one note.
pub(super) fn check(
    place: usize,
    raw: &TagConfig,
    around: &Surroundings,
    notes: &mut Notes<'_>,
) -> Option<Tag> {
    let name =
        notes.required("name", raw.name.clone(), "give the tag a name, unique in its device");
    let period = match &raw.every {
        Some(text) => notes.duration("every", Some(text), PERIODS),
        None => Some(around.period),
    };
    let address = check_address(raw, around.style, notes);
    let format = check_format(raw, around, notes);
    let labels = check_labels(raw, notes);
    if let Some(column) = name.as_deref().map(column_name)
        && RESERVED.contains(&column.as_str())
    {
        notes.add(
            "name",
            format!("\"{column}\" is a column of every table"),
            "choose another name",
        );
    }
    if let (Some(address), Some(format)) = (address, &format) {
        check_place(address, format, around, notes);
    }
    let group = check_text("coherent", raw.coherent.as_deref(), notes);
    let (name, period, address, labels) = (name?, period?, address?, labels?);
    let mut format = format?;
    if format.kind == RegisterType::Enum16 {
        format.states = labels.keys().copied().collect();
    }
    let scale_tag = raw.scale_tag.as_deref();
    let kind = if scale_tag.is_some() { ValueType::F64 } else { format.column() };
    let mut signal = Signal::new(format!("{}/{name}", around.path), column_name(&name), kind);
    signal.unit.clone_from(&raw.unit);
    signal.description.clone_from(&raw.description);
    signal.range = format.range.map(|(range, _)| range);
    signal.labels = labels;
    signal.source = source(address, &format, scale_tag);
    let point = Point::new(address, format);
    let rule = raw.write.as_ref().map(|raw| write::check(raw, &point, around.writing, notes));
    if rule.is_some() && scale_tag.is_some() {
        let problem = "the scale of the value is another tag: writing it would take two writes";
        notes.add("write", problem, "remove it, or write a raw tag without scale_tag");
    }
    Some(Tag { place, name, point, period, signal, rule, group })
}

/// The text of an optional key, which must not be blank.
fn check_text(key: &str, text: Option<&str>, notes: &mut Notes<'_>) -> Option<String> {
    let text = text?.trim();
    if text.is_empty() {
        notes.add(key, "is empty", "remove it, or write a name");
    }
    Some(text.to_owned())
}

/// Where a value comes from, as an engineer writes it: `input:44 f32 CDAB`.
fn source(address: Address, format: &Format, scale_tag: Option<&str>) -> String {
    let part = if format.kind == RegisterType::Bit {
        format!(" {}", format.bit)
    } else if format.kind == RegisterType::Text {
        format!(" {}", format.length)
    } else {
        String::new()
    };
    let ordered = format.words() > 1 || format.order != Order::Abcd;
    let order = if ordered { format!(" {}", format.order.name()) } else { String::new() };
    let scale = scale_tag.map(|name| format!(" x10^{name}")).unwrap_or_default();
    format!("{address} {}{part}{order}{scale}", format.kind.name())
}

fn check_address(raw: &TagConfig, style: AddressStyle, notes: &mut Notes<'_>) -> Option<Address> {
    let example = match style {
        AddressStyle::Protocol => "write area and 0-based address, for example \"holding:42\"",
        AddressStyle::Modicon => "write the number of the manual, for example \"40043\"",
    };
    let text = notes.required("at", raw.at.clone(), example)?;
    match Address::parse(text.trim(), style) {
        Ok(address) => Some(address),
        Err((problem, remedy)) => {
            notes.add("at", problem, remedy);
            None
        }
    }
}

/// What address and type say of each other.
fn check_place(address: Address, format: &Format, around: &Surroundings, notes: &mut Notes<'_>) {
    let kind = format.kind;
    match (address.area.holds_bits(), kind) {
        (true, RegisterType::Bool) => {}
        (true, _) => {
            let problem = format!("{} is no type of a {}", kind.name(), address.area.name());
            notes.add("type", problem, "use \"bool\", or a register area");
        }
        (false, RegisterType::Bool) => notes.add(
            "type",
            format!("bool is no type of a {} register", address.area.name()),
            "use \"bit\" with bit = 0 to 15, or the area coil or discrete",
        ),
        (false, _) => {}
    }
    let words = format.words();
    if u32::from(address.offset) + u32::from(words) > 1 << 16 {
        let problem = format!("{words} registers from {} end behind 65535", address.offset);
        notes.add("at", problem, format!("start at {} or below", (1 << 16) - u32::from(words)));
    }
    if !address.area.holds_bits() && words > around.registers_max {
        let problem = format!(
            "the value takes {words} registers, one answer of the device holds {}",
            around.registers_max
        );
        let key = if kind == RegisterType::Text { "length" } else { "type" };
        notes.add(
            key,
            problem,
            "a value is never split: raise max_registers or take a shorter type",
        );
    }
}

fn check_format(raw: &TagConfig, around: &Surroundings, notes: &mut Notes<'_>) -> Option<Format> {
    let name = notes.required("type", raw.r#type.clone(), "name the type, for example \"u16\"")?;
    let Some(kind) = RegisterType::named(name.trim()) else {
        let remedy = match RegisterType::known_elsewhere_as(name.trim()) {
            Some(meant) => format!("it is called \"{}\" here", meant.name()),
            None => nearest(name.trim(), RegisterType::ALL.iter().map(|kind| kind.name())),
        };
        notes.add("type", format!("there is no type \"{}\"", name.trim()), remedy);
        return None;
    };
    let mut format = Format::new(kind);
    format.order = check_order(raw, kind, around.order, notes);
    match (kind, raw.bit) {
        (RegisterType::Bit, None) => {
            notes.add("bit", "is missing", "write bit = 0 (least significant) to 15");
        }
        (RegisterType::Bit, bit) => {
            let bit = notes.number("bit", bit, 0..=15).unwrap_or(0);
            format.bit = u8::try_from(bit).unwrap_or(0);
        }
        (_, Some(_)) => notes.add("bit", "only type bit has a bit", "remove it, or use type bit"),
        (_, None) => {}
    }
    match (kind, raw.length) {
        (RegisterType::Text, None) => {
            notes.add("length", "is missing", "write the registers the string takes");
        }
        (RegisterType::Text, length) => {
            format.length = notes.number("length", length, 1..=125).unwrap_or(1);
        }
        (_, Some(_)) => notes.add("length", "only strings have a length", "remove it"),
        (_, None) => {}
    }
    format.encoding = check_encoding(raw, kind, notes);
    format.scale = check_scale(raw, kind, notes);
    format.range = raw.range.as_ref().and_then(|range| check_range(range, kind, notes));
    if raw.scale_tag.is_some() {
        check_scale_tag(raw, kind, notes);
    }
    format.sentinels = sentinel::check(raw, kind, notes);
    for (key, limit) in
        [("under_range_raw", raw.under_range_raw), ("over_range_raw", raw.over_range_raw)]
    {
        if limit.is_some() && (kind.column() == ValueType::Text || kind.is_real()) {
            notes.add(key, "is for whole raw numbers", "remove it, or use range");
        }
    }
    format.under_range_raw = raw.under_range_raw;
    format.over_range_raw = raw.over_range_raw;
    Some(format)
}

fn check_order(
    raw: &TagConfig,
    kind: RegisterType,
    of_device: Order,
    notes: &mut Notes<'_>,
) -> Order {
    let Some(text) = &raw.order else {
        return if kind.has_word_order() { of_device } else { Order::Abcd };
    };
    let Some(order) = Order::named(text.trim()) else {
        notes.add("order", format!("there is no order \"{text}\""), ORDERS);
        return Order::Abcd;
    };
    let words_meant = kind.words() > 1 || !order.reverses_words();
    if !words_meant {
        let problem = format!("{} orders words, which {} has not", order.name(), kind.name());
        notes.add("order", problem, "use ABCD, or BADC to swap the bytes of each word");
    }
    order
}

/// Remedy for an unknown order.
pub(super) const ORDERS: &str = "use ABCD (big endian), CDAB (words swapped), BADC (bytes swapped) \
                                 or DCBA (little endian)";

fn check_encoding(raw: &TagConfig, kind: RegisterType, notes: &mut Notes<'_>) -> Encoding {
    let Some(text) = &raw.encoding else { return Encoding::Utf8 };
    if kind != RegisterType::Text {
        notes.add("encoding", "only strings have an encoding", "remove it");
    }
    match text.to_lowercase().as_str() {
        "utf-8" | "utf8" | "ascii" => Encoding::Utf8,
        "latin-1" | "latin1" | "iso-8859-1" => Encoding::Latin1,
        other => {
            let remedy = nearest(other, ["utf-8", "latin-1"]);
            notes.add("encoding", format!("there is no encoding \"{text}\""), remedy);
            Encoding::Utf8
        }
    }
}

#[expect(clippy::float_cmp, reason = "0, 1 and 0 as written")]
fn check_scale(raw: &TagConfig, kind: RegisterType, notes: &mut Notes<'_>) -> Option<Scale> {
    let (scale, offset) = (raw.scale.unwrap_or(1.0), raw.offset.unwrap_or(0.0));
    if scale == 0.0 {
        notes.add("scale", "0 makes every value the same", "write the factor, for example 0.1");
        return None;
    }
    for (key, number) in [("scale", scale), ("offset", offset)] {
        if !number.is_finite() {
            notes.add(key, "is not a finite number", "write a plain number");
            return None;
        }
    }
    if scale == 1.0 && offset == 0.0 {
        return None;
    }
    if !kind.can_scale() {
        let key = if scale == 1.0 { "offset" } else { "scale" };
        notes.add(key, format!("{} has no scale", kind.name()), "remove it, or use a number type");
        return None;
    }
    Some(Scale::new(scale, offset))
}

fn check_scale_tag(raw: &TagConfig, kind: RegisterType, notes: &mut Notes<'_>) {
    if !kind.can_scale() {
        let problem = format!("{} has no scale", kind.name());
        notes.add("scale_tag", problem, "remove it, or use a number type");
    }
    if raw.scale.is_some() || raw.offset.is_some() {
        let problem = "stands beside scale or offset";
        notes.add("scale_tag", problem, "keep one: the value is multiplied once");
    }
}

fn check_range(
    raw: &RangeConfig,
    kind: RegisterType,
    notes: &mut Notes<'_>,
) -> Option<(Range, Outside)> {
    if matches!(kind.column(), ValueType::Text | ValueType::Bool) {
        notes.add("range", format!("{} has no range", kind.name()), "remove it");
    }
    let outside = match raw.outside.as_deref() {
        None | Some("uncertain") => Outside::Uncertain,
        Some("bad") => Outside::Bad,
        Some(other) => {
            let remedy = nearest(other, ["uncertain", "bad"]);
            notes.add("range.outside", format!("there is no quality \"{other}\""), remedy);
            Outside::Uncertain
        }
    };
    let (Some(low), Some(high)) = (raw.low, raw.high) else {
        let key = if raw.low.is_none() { "range.low" } else { "range.high" };
        notes.add(key, "is missing", "give both ends, in engineering units");
        return None;
    };
    let ordered = low.is_finite() && high.is_finite() && low < high;
    if !ordered {
        notes.add(
            "range",
            format!("low {low} is not below high {high}"),
            "exchange or correct them",
        );
    }
    ordered.then_some((Range { low, high }, outside))
}

fn check_labels(
    raw: &TagConfig,
    notes: &mut Notes<'_>,
) -> Option<std::collections::BTreeMap<i64, String>> {
    let mut labels = std::collections::BTreeMap::new();
    let mut wrong = false;
    for (key, label) in &raw.labels {
        match key.trim().parse::<i64>() {
            Ok(number) if labels.insert(number, label.clone()).is_none() => {}
            Ok(number) => {
                wrong = true;
                notes.add("labels", format!("{number} is named twice"), "keep one of them");
            }
            Err(_) => {
                wrong = true;
                let problem = format!("\"{key}\" is not a whole number");
                notes.add("labels", problem, "write raw value = name, for example 0 = \"off\"");
            }
        }
    }
    (!wrong).then_some(labels)
}
