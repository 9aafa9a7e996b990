//! Device images of `tests/cases/modbus` behind pymodbus, and the configuration that reads them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use super::programs::python;
use super::{Ending, case};

/// Images served by one pymodbus process, each on a port of its own.
pub(crate) struct Peers {
    images: Vec<(PathBuf, Value)>,
    ports: BTreeMap<String, u16>,
    _server: Ending,
}

impl Peers {
    /// Serves these images until dropped.
    pub(crate) fn serve(names: &[&str]) -> Self {
        let paths = names.iter().map(|name| case(&format!("modbus/{name}.json")));
        let images: Vec<(PathBuf, Value)> = paths
            .map(|path| {
                let text = fs::read_to_string(&path).expect("the image is in the repository");
                (path, serde_json::from_str(&text).expect("an image is JSON"))
            })
            .collect();
        let mut command = python("pymodbus_server.py");
        command.args(images.iter().map(|(path, _)| path));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("Python can be run");
        let stdout = child.stdout.take().expect("stdout is piped");
        let server = Ending(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("the server tells its ports");
        let ports = serde_json::from_str(&line)
            .unwrap_or_else(|err| panic!("pymodbus has not started: {err}: {line:?}"));
        Self { images, ports, _server: server }
    }

    /// Path of each image and name of its device in the configuration.
    pub(crate) fn devices(&self) -> impl Iterator<Item = (&PathBuf, String)> {
        self.images.iter().map(|(path, image)| (path, device_of(image)))
    }

    /// The port of a device.
    pub(crate) fn port(&self, device: &str) -> u16 {
        self.ports[device]
    }

    /// `[gateway]`, and a line, a device and its tags for each image, read every `period`.
    pub(crate) fn config(&self, period: &str) -> String {
        let mut config = String::from("[gateway]\nid = \"bench\"\nsite = \"bench\"\n");
        for (_, image) in &self.images {
            let host = self.ports[image["device"].as_str().expect("a device has a name")];
            write_device(&mut config, image, (host, period)).expect("text can be written");
        }
        config
    }
}

/// `pump-vfd` → `pump_vfd`.
fn device_of(image: &Value) -> String {
    image["device"].as_str().expect("a device has a name").replace('-', "_")
}

fn write_device(
    config: &mut String,
    image: &Value,
    (port, period): (u16, &str),
) -> Result<(), std::fmt::Error> {
    let name = device_of(image);
    writeln!(config, "\n[[line]]\nname = \"{name}\"\ntransport = \"tcp\"")?;
    writeln!(config, "host = \"127.0.0.1:{port}\"")?;
    if let Some(gap) = image["limits"]["min_gap_ms"].as_u64() {
        writeln!(config, "request_gap = \"{gap} ms\"")?;
    }
    writeln!(config, "\n[[device]]\nname = \"{name}\"\nline = \"{name}\"")?;
    writeln!(config, "unit = {}\npath = \"bench/{name}\"", image["unit"])?;
    writeln!(config, "timeout = \"200 ms\"\nevery = \"{period}\"")?;
    for (key, limit) in [("max_registers", "max_read_registers"), ("max_bits", "max_read_bits")] {
        if let Some(limit) = image["limits"][limit].as_u64() {
            writeln!(config, "{key} = {limit}")?;
        }
    }
    let holes = image["illegal"].as_array().into_iter().flatten();
    let holes: Vec<String> = holes.filter_map(hole_of).collect();
    writeln!(config, "holes = {holes:?}")?;
    for tag in image["tags"].as_array().expect("an image has tags") {
        if is_plain(tag) {
            write_tag(config, tag)?;
        }
    }
    Ok(())
}

/// Values that another register scales, and those registers, take a profile of the device.
fn is_plain(tag: &Value) -> bool {
    tag.get("scale_tag").is_none() && tag.get("role").is_none()
}

/// `["input", 7, 9]` → `input:7-9`.
fn hole_of(hole: &Value) -> Option<String> {
    let (low, high) = (hole[1].as_u64()?, hole[2].as_u64()?);
    Some(format!("{}:{low}-{high}", hole[0].as_str()?))
}

fn write_tag(config: &mut String, tag: &Value) -> Result<(), std::fmt::Error> {
    let word = |key: &str| tag[key].as_str().expect("a tag has it");
    writeln!(config, "\n[[device.tag]]\nname = \"{}\"", word("name"))?;
    writeln!(config, "at = \"{}:{}\"", word("table"), tag["address"])?;
    for key in ["type", "order", "bit", "length", "encoding", "scale", "offset", "unit"] {
        if !tag[key].is_null() {
            writeln!(config, "{key} = {}", tag[key])?;
        }
    }
    for key in ["under_range_raw", "over_range_raw"] {
        if !tag[key].is_null() {
            writeln!(config, "{key} = {}", tag[key])?;
        }
    }
    if !tag["sentinel"].is_null() {
        writeln!(config, "sentinels = {{ \"{}\" = \"not_implemented\" }}", tag["sentinel"])?;
    }
    for (key, written) in [("enum", "labels"), ("flags", "labels"), ("sentinels", "sentinels")] {
        let Some(entries) = tag[key].as_object() else { continue };
        let entries = entries.iter().map(|(number, name)| format!("\"{number}\" = {name}"));
        writeln!(config, "{written} = {{ {} }}", entries.collect::<Vec<_>>().join(", "))?;
    }
    Ok(())
}
