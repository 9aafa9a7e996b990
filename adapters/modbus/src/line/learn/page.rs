//! The page on which the lessons of a device are kept over restarts: JSON.

use serde::{Deserialize, Serialize};
use signals::Timestamp;

use super::Lessons;
use crate::area::{Address, Area};
use crate::scan::Read;

/// Whose lessons they are: a page of another device is not believed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The device's name.
    pub(crate) device: String,
    /// Where the line leads.
    pub(crate) line: String,
    /// Its unit id.
    pub(crate) unit: u8,
}

#[derive(Serialize, Deserialize)]
struct Page {
    #[serde(flatten)]
    place: Place,
    /// When it was learned, RFC 3339.
    since: Option<String>,
    registers_max: Option<u16>,
    bits_max: Option<u16>,
    holes: Vec<Stretch>,
    missing: Vec<Stretch>,
    borders: Vec<Stretch>,
}

#[derive(Serialize, Deserialize)]
struct Stretch {
    area: String,
    start: u16,
    count: u16,
}

impl Place {
    /// The name of the page.
    pub(crate) fn page(&self) -> String {
        let legal = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        let name: String = self.device.chars().map(legal).collect();
        format!("modbus_{name}")
    }
}

impl Lessons {
    /// The lessons as a page.
    pub(crate) fn to_page(&self, place: &Place) -> String {
        let stretch = |read: &Read| Stretch {
            area: read.area.name().to_owned(),
            start: read.start,
            count: read.count,
        };
        let border = |address: &Address| {
            let Address { area, offset } = *address;
            Stretch { area: area.name().to_owned(), start: offset, count: 0 }
        };
        let page = Page {
            place: place.clone(),
            since: self.since.map(|since| since.to_string()),
            registers_max: self.registers_max,
            bits_max: self.bits_max,
            holes: self.holes.iter().map(stretch).collect(),
            missing: self.missing.iter().map(stretch).collect(),
            borders: self.borders.iter().map(border).collect(),
        };
        serde_json::to_string(&page).unwrap_or_default()
    }

    /// The lessons on a page; `None` when it cannot be read or is about another device.
    pub(crate) fn of_page(page: &str, place: &Place) -> Option<Self> {
        let page: Page =
            serde_json::from_str(page).ok().filter(|page: &Page| page.place == *place)?;
        let read = |stretch: &Stretch| {
            let area = Area::named(&stretch.area)?;
            let is_legal = u32::from(stretch.start) + u32::from(stretch.count) <= 1 << 16;
            is_legal.then_some(Read { area, start: stretch.start, count: stretch.count })
        };
        let reads = |stretches: &[Stretch]| stretches.iter().map(read).collect::<Option<Vec<_>>>();
        let border = |read: Read| Address { area: read.area, offset: read.start };
        Some(Self {
            registers_max: page.registers_max.filter(|most| *most > 0),
            bits_max: page.bits_max.filter(|most| *most > 0),
            holes: reads(&page.holes)?,
            missing: reads(&page.missing)?,
            borders: reads(&page.borders)?.into_iter().map(border).collect(),
            since: page.since.as_deref().and_then(Timestamp::parse),
        })
    }
}
