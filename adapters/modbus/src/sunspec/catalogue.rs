//! From models to tags: a `SunSpec` device as it stands in a configuration.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use signals::column_name;

use super::definition::{Point, ScaleFactor};
use super::layout::{Placed, layout};
use super::{Map, Model};
use crate::area::{Address, Area};
use crate::config::TagConfig;
use crate::decode::RegisterType;

/// Scan period of what never changes while a device runs.
const STATIC_EVERY: &str = "1 h";

/// A tag of a discovered device.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag {
    /// Name, unique in the device: `inverter_three_phase.A`, `mppt.module_2.DCA`.
    pub name: String,
    /// First register.
    pub address: Address,
    /// Type.
    pub kind: RegisterType,
    /// Registers of a string.
    pub length: Option<u16>,
    /// Name of the tag with the power of ten.
    pub scale_tag: Option<String>,
    /// A factor that is always the same.
    pub scale: Option<f64>,
    /// Engineering unit.
    pub unit: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// Names of values, or of bits.
    pub labels: BTreeMap<i64, String>,
    /// How the device says that it has no such point: the key `not_implemented`.
    pub absent: Absent,
    /// Whether it never changes while the device runs.
    pub is_static: bool,
}

/// A convention of the key `not_implemented`.
pub type Absent = Option<&'static str>;

/// How a `SunSpec` type is read: ours, and how it says "not implemented".
const TYPES: [(&str, RegisterType, Absent); 19] = [
    ("int16", RegisterType::I16, Some(POINT)),
    ("uint16", RegisterType::U16, Some(POINT)),
    ("count", RegisterType::U16, Some(POINT)),
    ("acc16", RegisterType::U16, Some(ACCUMULATOR)),
    ("enum16", RegisterType::Enum16, Some(POINT)),
    ("bitfield16", RegisterType::Flags16, Some(POINT)),
    ("sunssf", RegisterType::I16, Some(POINT)),
    ("int32", RegisterType::I32, Some(POINT)),
    ("uint32", RegisterType::U32, Some(POINT)),
    ("acc32", RegisterType::U32, Some(ACCUMULATOR)),
    ("enum32", RegisterType::U32, Some(POINT)),
    ("bitfield32", RegisterType::Flags32, Some(POINT)),
    ("ipaddr", RegisterType::Ipv4, Some(POINT)),
    ("int64", RegisterType::I64, Some(POINT)),
    ("uint64", RegisterType::U64, Some(POINT)),
    ("acc64", RegisterType::U64, Some(ACCUMULATOR)),
    ("float32", RegisterType::F32, Some(POINT)),
    ("float64", RegisterType::F64, Some(POINT)),
    ("string", RegisterType::Text, None),
];
const POINT: &str = "sunspec";
/// An accumulator starts at 0, and is 0 for ever when there is none.
const ACCUMULATOR: &str = "sunspec_acc";

impl Map {
    /// The tags of all models that are known, in the order of their registers.
    ///
    /// Padding is left out, and so are IPv6 addresses, which no type of ours holds.
    #[must_use]
    pub fn tags(&self) -> Vec<Tag> {
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        let mut tags = Vec::new();
        for model in &self.models {
            let Some(definition) = &model.definition else { continue };
            let times = taken.entry(definition.group.name.clone()).or_insert(0);
            *times += 1;
            let prefix = match times {
                1 => definition.group.name.clone(),
                times => format!("{}_{times}", definition.group.name),
            };
            tags.extend(tags_of(model, &prefix));
        }
        unique(&mut tags);
        tags
    }

    /// The models that are not known: number, address, length.
    pub fn unknown(&self) -> impl Iterator<Item = (u16, u16, u16)> {
        let unknown = self.models.iter().filter(|model| model.definition.is_none());
        unknown.map(|model| (model.id, model.address, model.length))
    }
}

fn tags_of(model: &Model, prefix: &str) -> Vec<Tag> {
    let Some(definition) = &model.definition else { return Vec::new() };
    let mut laid = layout(definition, model.length, &model.words);
    laid.link_scales();
    laid.points.iter().filter_map(|placed| tag_of(model, placed, prefix)).collect()
}

fn tag_of(model: &Model, placed: &Placed<'_>, prefix: &str) -> Option<Tag> {
    let point = placed.point;
    // An EUI-48 takes four registers, the first of them empty.
    let (kind, absent, skip) = if point.r#type == "eui48" {
        (RegisterType::Mac, None, 1)
    } else {
        let (_, kind, absent) = TYPES.iter().find(|(name, ..)| *name == point.r#type)?;
        (*kind, *absent, 0)
    };
    let offset = u32::from(model.address) + placed.offset + skip;
    let address = Address { area: Area::Holding, offset: u16::try_from(offset).ok()? };
    let scale = match point.sf {
        Some(ScaleFactor::Fixed(power)) => format!("1e{power}").parse().ok(),
        Some(ScaleFactor::Point(_)) | None => None,
    };
    Some(Tag {
        name: format!("{prefix}.{}", placed.name),
        address,
        kind,
        length: (kind == RegisterType::Text).then_some(point.size),
        scale_tag: placed.scale_point.as_ref().map(|name| format!("{prefix}.{name}")),
        scale,
        unit: unit(point),
        description: point.label.clone(),
        labels: point.symbols.iter().map(|(name, value)| (*value, name.clone())).collect(),
        absent,
        is_static: point.is_static,
    })
}

/// Names whose columns would be the same get a number.
fn unique(tags: &mut [Tag]) {
    let mut columns: BTreeMap<String, usize> = BTreeMap::new();
    for tag in tags {
        let times = columns.entry(column_name(&tag.name)).or_insert(0);
        *times += 1;
        if *times > 1 {
            let _ok = write!(tag.name, "_n{times}");
        }
    }
}

/// Units as engineers write them; a power of ten is none.
fn unit(point: &Point) -> Option<String> {
    let unit = match point.units.as_deref()?.trim() {
        "SF" => return None,
        "C" => "°C",
        "Secs" | "Sec" => "s",
        "mSecs" => "ms",
        "Pct" => "%",
        "Degrees" | "deg" => "°",
        "WH" => "Wh",
        "AH" => "Ah",
        "Var" => "var",
        "Varh" => "varh",
        "W/m2" | "W/m^2" => "W/m²",
        "HPa" => "hPa",
        "ohms" => "Ω",
        other => other,
    };
    Some(unit.to_owned())
}

impl Tag {
    /// The tag as a configuration has it.
    #[must_use]
    pub fn to_config(&self) -> TagConfig {
        let labels = self.labels.iter().map(|(raw, name)| (raw.to_string(), name.clone()));
        TagConfig {
            name: Some(self.name.clone()),
            at: Some(self.address.to_string()),
            r#type: Some(self.kind.name().to_owned()),
            length: self.length.map(i64::from),
            scale: self.scale,
            unit: self.unit.clone(),
            description: self.description.clone(),
            every: self.is_static.then(|| STATIC_EVERY.to_owned()),
            labels: labels.collect(),
            scale_tag: self.scale_tag.clone(),
            not_implemented: self.absent.map(str::to_owned),
            ..TagConfig::default()
        }
    }

    /// The tag as `[[device.tag]]` in TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut out = String::from("[[device.tag]]\n");
        let mut put = |key: &str, value: String| {
            let _ok = writeln!(out, "{key} = {value}");
        };
        put("name", quoted(&self.name));
        put("at", quoted(&self.address.to_string()));
        put("type", quoted(self.kind.name()));
        if let Some(length) = self.length {
            put("length", length.to_string());
        }
        if let Some(scale_tag) = &self.scale_tag {
            put("scale_tag", quoted(scale_tag));
        }
        if let Some(scale) = self.scale {
            put("scale", scale.to_string());
        }
        for (key, text) in [("unit", &self.unit), ("description", &self.description)] {
            if let Some(text) = text {
                put(key, quoted(text));
            }
        }
        if self.is_static {
            put("every", quoted(STATIC_EVERY));
        }
        let labels: Vec<String> =
            self.labels.iter().map(|(raw, name)| format!("{raw} = {}", quoted(name))).collect();
        if !labels.is_empty() {
            put("labels", format!("{{ {} }}", labels.join(", ")));
        }
        if let Some(absent) = self.absent {
            put("not_implemented", quoted(absent));
        }
        out
    }
}

/// A basic string of TOML: JSON's escapes are among its.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
