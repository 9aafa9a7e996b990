//! Device images: what is served, the configuration that reads it, and what must come of it.

use std::fs;
use std::path::{Path, PathBuf};

use adapters_modbus::config::{Depth, Line, Transport};
use adapters_modbus::{DeviceConfig, LineConfig, check};
use serde_json::{Map, Value as Json, json};
use signals::Quality;

use super::polled::{Rows, Sample};

/// Keys of a tag that mean the same in an image and in a configuration.
const SAME: [&str; 13] = [
    "name",
    "type",
    "order",
    "bit",
    "length",
    "encoding",
    "scale",
    "scale_tag",
    "offset",
    "unit",
    "sentinels",
    "under_range_raw",
    "over_range_raw",
];

/// One device image.
pub(crate) struct Sheet {
    pub(crate) path: PathBuf,
    pub(crate) device: String,
    pub(crate) image: Json,
}

/// The images of the repository.
pub(crate) fn sheets() -> Vec<Sheet> {
    let folder = root().join("tests/cases/modbus");
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the cases are in the repository")
        .map(|entry| entry.expect("a folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    paths.sort();
    let sheets: Vec<Sheet> = paths.into_iter().filter_map(Sheet::read).collect();
    assert_eq!(sheets.len(), 5, "five device images in {}", folder.display());
    sheets
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

impl Sheet {
    fn read(path: PathBuf) -> Option<Self> {
        let text = fs::read_to_string(&path).expect("a case can be read");
        let image: Json = serde_json::from_str(&text).expect("a case is JSON");
        let device = image["device"].as_str().unwrap_or_default().to_owned();
        (image["format"] == "modbus-device-image/1").then_some(Self { path, device, image })
    }

    /// The unit id.
    pub(crate) fn unit(&self) -> u8 {
        u8::try_from(self.image["unit"].as_u64().expect("a device has a unit")).unwrap()
    }

    /// A line to the device over `transport` that reads everything once an hour.
    pub(crate) fn line(&self, transport: Transport) -> Line {
        let gap = self.image["limits"]["min_gap_ms"].as_u64().unwrap_or(0);
        let line = json!({
            "name": "line", "host": "127.0.0.1:1", "request_gap": format!("{gap} ms"),
        });
        let device = json!({
            "name": self.device, "line": "line", "unit": self.image["unit"], "path": "p",
            "every": "1 h", "timeout": "10 s", "holes": self.holes(),
            "max_registers": self.image["limits"]["max_read_registers"],
            "max_bits": self.image["limits"]["max_read_bits"],
            "tag": self.tags().iter().map(tag_config).collect::<Vec<_>>(),
        });
        let line: LineConfig = serde_json::from_value(line).expect("a line");
        let device: DeviceConfig = serde_json::from_value(device).expect("a device");
        let mut lines = check(vec![line], vec![device], "site")
            .unwrap_or_else(|mistakes| panic!("{}: {mistakes:#?}", self.device));
        Line { transport, pipeline: Depth::Fixed(1), ..lines.remove(0) }
    }

    fn holes(&self) -> Vec<String> {
        let holes = self.image["illegal"].as_array().into_iter().flatten();
        holes.map(|h| format!("{}:{}-{}", h[0].as_str().unwrap(), h[1], h[2])).collect()
    }

    pub(crate) fn tags(&self) -> &[Json] {
        self.image["tags"].as_array().expect("an image has tags")
    }

    /// Every tag that has not the value, quality or reason of the image.
    pub(crate) fn differences(&self, rows: &Rows) -> Vec<String> {
        let differs = |tag: &Json| {
            let name = tag["name"].as_str().expect("a tag has a name");
            let Some(sample) = rows.get(&format!("p/{name}")) else {
                return Some(format!("{name}: has no sample"));
            };
            let wrong = difference(tag, sample)?;
            Some(format!("{name}: {wrong}"))
        };
        self.tags().iter().filter_map(differs).collect()
    }
}

fn tag_config(tag: &Json) -> Json {
    let mut config: Map<String, Json> =
        SAME.into_iter().filter_map(|key| Some((key.to_owned(), tag.get(key)?.clone()))).collect();
    let at = format!("{}:{}", tag["table"].as_str().expect("a table"), tag["address"]);
    config.insert("at".to_owned(), at.into());
    if let Some(raw) = tag.get("sentinel") {
        config.insert("sentinels".to_owned(), json!({ raw.to_string(): "not_implemented" }));
    }
    // The only 32-bit numbers with a scale are accumulators (acc32).
    if tag.get("scale_tag").is_some() && tag["type"] == "u32" {
        config.insert("not_implemented".to_owned(), "sunspec_acc".into());
    }
    if let Some(labels) = tag.get("enum").or_else(|| tag.get("flags")) {
        config.insert("labels".to_owned(), labels.clone());
    }
    Json::Object(config)
}

fn difference(tag: &Json, sample: &Sample) -> Option<String> {
    let expect = &tag["expect"];
    if !same(&sample.value, &expect["value"]) {
        return Some(format!("{} instead of {}", sample.value, expect["value"]));
    }
    let Quality { class, reason } = sample.quality;
    if expect["quality"] != class.as_str() {
        return Some(format!("{} ({reason}) instead of {expect}", class.as_str()));
    }
    let wanted = expect["reason"].as_str().unwrap_or_default();
    let told = reason.to_string();
    (told != wanted && Some(told.as_str()) != sentinel(tag, wanted).as_deref())
        .then(|| format!("{told} instead of {wanted}"))
}

/// A sentinel with a name of the device's own is told by its place in the list.
fn sentinel(tag: &Json, name: &str) -> Option<String> {
    let mut names = tag["sentinels"].as_object()?.values();
    let place = names.position(|own| own == name)?;
    Some(format!("sentinel_{place}"))
}

/// Integers exactly, real numbers to 1e-12 of their size.
fn same(own: &Json, expected: &Json) -> bool {
    match (own, expected) {
        (Json::Number(own), Json::Number(wanted)) if own.is_f64() || wanted.is_f64() => {
            let (own, wanted) = (own.as_f64().unwrap(), wanted.as_f64().unwrap());
            (own - wanted).abs() <= 1e-12 * own.abs().max(wanted.abs())
        }
        (own, expected) => own == expected,
    }
}
