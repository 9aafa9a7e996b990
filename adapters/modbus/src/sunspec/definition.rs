//! Definitions of `SunSpec` models: what stands where in a model of a number.
//!
//! Taken from the `pysunspec2` package (Apache-2.0, see `LICENSE` in this folder), compacted by
//! `tests/peers/sunspec_models.py`. Nothing is parsed before a device with that model is met.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One model a line, ascending.
const MODELS: &str = include_str!("models.jsonl");

/// A model as the `SunSpec` Alliance publishes it.
#[derive(Clone, Debug, Deserialize)]
pub struct Definition {
    /// Its number.
    pub id: u16,
    /// What it is: `Inverter (Three Phase)`.
    pub label: String,
    /// Its points, the header (`ID`, `L`) first.
    pub group: Group,
}

/// Points that stand together, possibly several times.
#[derive(Clone, Debug, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// How often it stands there; once when absent.
    pub count: Option<Count>,
    /// Its points, in the order of their registers.
    pub points: Vec<Point>,
    /// The groups behind its points.
    #[serde(default)]
    pub groups: Vec<Self>,
}

/// How often a group stands in a model.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum Count {
    /// So many times; 0 is as often as the model's length has room.
    Fixed(u16),
    /// As often as the point of this name says.
    Point(String),
}

/// A value.
#[derive(Clone, Debug, Deserialize)]
pub struct Point {
    /// Its name.
    pub name: String,
    /// `SunSpec`'s name of its type.
    pub r#type: String,
    /// Registers it takes.
    pub size: u16,
    /// Power of ten to multiply it with.
    pub sf: Option<ScaleFactor>,
    /// Engineering unit.
    pub units: Option<String>,
    /// What it is.
    pub label: Option<String>,
    /// Whether it never changes while the device runs.
    #[serde(default, rename = "static")]
    pub is_static: bool,
    /// Names of its values, or of its bits.
    #[serde(default)]
    pub symbols: BTreeMap<String, i64>,
}

/// Where the power of ten of a value comes from.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum ScaleFactor {
    /// It is always this one.
    Fixed(i32),
    /// It stands in the point of this name, of this group or of one around it.
    Point(String),
}

impl Definition {
    /// The definition of the model with that number, if one is known.
    #[must_use]
    pub fn of(id: u16) -> Option<Self> {
        let begins = format!("{{\"id\":{id},");
        let line = MODELS.lines().find(|line| line.starts_with(&begins))?;
        serde_json::from_str(line).ok()
    }

    /// The numbers of all models known.
    #[must_use]
    pub fn known() -> Vec<u16> {
        let number = |line: &str| line.strip_prefix("{\"id\":")?.split(',').next()?.parse().ok();
        MODELS.lines().filter_map(number).collect()
    }
}

impl Group {
    /// Registers it takes once, without groups in it that are counted elsewhere.
    pub(super) fn size(&self) -> u32 {
        let points: u32 = self.points.iter().map(|point| u32::from(point.size)).sum();
        let groups = self.groups.iter().map(|group| match group.count {
            None => group.size(),
            Some(Count::Fixed(times)) => group.size() * u32::from(times),
            Some(Count::Point(_)) => 0,
        });
        points + groups.sum::<u32>()
    }
}
