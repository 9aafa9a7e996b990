//! Device images of the test cases: registers in memory, and the configuration that reads them.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value as Json;
use signals::Reason;

use crate::area::Area;
use crate::cases::whole;
use crate::config::{DeviceConfig, LineConfig, TagConfig};
use crate::scan::Read;

/// The registers and bits a device has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    pub(crate) words: HashMap<(Area, u16), u16>,
    pub(crate) registers_max: u16,
}

impl Image {
    pub(crate) fn of(document: &Json) -> Self {
        let mut image = Self { registers_max: 125, ..Self::default() };
        if let Some(limit) = document["limits"]["max_read_registers"].as_u64() {
            image.registers_max = u16::try_from(limit).unwrap();
        }
        for (area, segments) in document["image"].as_object().unwrap() {
            let area = Area::named(area).unwrap();
            for segment in segments.as_array().unwrap() {
                let values = segment.get("words").or_else(|| segment.get("bits")).unwrap();
                for (place, value) in values.as_array().unwrap().iter().enumerate() {
                    let offset = whole(&segment["start"]) + u16::try_from(place).unwrap();
                    image.words.insert((area, offset), whole(value));
                }
            }
        }
        image
    }

    /// What the device answers: exception 2 outside of its segments and above its limit.
    pub(crate) fn read(&self, read: Read) -> Result<Vec<u16>, Reason> {
        if !read.area.holds_bits() && read.count > self.registers_max {
            return Err(Reason::Exception(2));
        }
        (0..read.count)
            .map(|place| self.words.get(&(read.area, read.start.wrapping_add(place))).copied())
            .collect::<Option<_>>()
            .ok_or(Reason::Exception(2))
    }
}

/// A line to `host` with the device of the document, and its tags.
pub(crate) fn configuration(document: &Json, host: &str) -> (LineConfig, DeviceConfig, Vec<Json>) {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let tags: Vec<Json> = document["tags"].as_array().unwrap().clone();
    let holes = document["illegal"].as_array().into_iter().flatten();
    let device = DeviceConfig {
        name: text(&document["device"]),
        line: Some("line".to_owned()),
        unit: document["unit"].as_i64(),
        max_registers: document["limits"]["max_read_registers"].as_i64(),
        max_bits: document["limits"]["max_read_bits"].as_i64(),
        holes: holes
            .map(|hole| format!("{}:{}-{}", hole[0].as_str().unwrap(), hole[1], hole[2]))
            .collect(),
        tag: tags.iter().map(tag_config).collect(),
        ..DeviceConfig::default()
    };
    let line = LineConfig {
        name: Some("line".to_owned()),
        host: Some(host.to_owned()),
        ..LineConfig::default()
    };
    (line, device, tags)
}

fn tag_config(tag: &Json) -> TagConfig {
    let text = |key: &str| tag[key].as_str().map(str::to_owned);
    let names = |key: &str| -> BTreeMap<String, String> {
        let pairs = tag[key].as_object().into_iter().flatten();
        pairs.map(|(raw, name)| (raw.clone(), name.as_str().unwrap().to_owned())).collect()
    };
    let mut sentinels = names("sentinels");
    if let Some(raw) = tag["sentinel"].as_u64() {
        sentinels.insert(raw.to_string(), "not_implemented".to_owned());
    }
    let labels = if tag.get("enum").is_some() { names("enum") } else { names("flags") };
    TagConfig {
        name: text("name"),
        at: Some(format!("{}:{}", tag["table"].as_str().unwrap(), tag["address"])),
        r#type: text("type"),
        order: text("order"),
        length: tag["length"].as_i64(),
        encoding: text("encoding"),
        bit: tag["bit"].as_i64(),
        scale: tag["scale"].as_f64(),
        offset: tag["offset"].as_f64(),
        unit: text("unit"),
        scale_tag: text("scale_tag"),
        not_implemented: is_accumulator(tag).then(|| "sunspec_acc".to_owned()),
        labels,
        sentinels,
        under_range_raw: tag["under_range_raw"].as_i64(),
        over_range_raw: tag["over_range_raw"].as_i64(),
        ..TagConfig::default()
    }
}

/// Counters with a scale that know no other "not implemented" than 0 (acc32, acc64).
fn is_accumulator(tag: &Json) -> bool {
    let is_wide = matches!(tag["type"].as_str(), Some("u32" | "u64"));
    is_wide && tag.get("scale_tag").is_some() && tag["sentinel"].as_u64().unwrap_or(0) == 0
}
