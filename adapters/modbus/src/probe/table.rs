//! A block of registers as a table for people.

use super::decoding::{Decoding, orders};
use crate::area::{Address, AddressStyle};
use crate::decode::{Order, RegisterType};

/// Numbers over several registers, by their width.
const WIDE: [RegisterType; 6] = [
    RegisterType::F32,
    RegisterType::U32,
    RegisterType::I32,
    RegisterType::F64,
    RegisterType::U64,
    RegisterType::I64,
];
/// What else registers may hold.
const OTHERS: [RegisterType; 10] = [
    RegisterType::F16,
    RegisterType::Bcd16,
    RegisterType::Bcd32,
    RegisterType::Mod10k2,
    RegisterType::Mod10k3,
    RegisterType::I16SignMagnitude,
    RegisterType::Epoch32,
    RegisterType::DateTime6,
    RegisterType::Ipv4,
    RegisterType::Mac,
];
/// Blocks up to this many registers are shown under every decoding at every address.
const SMALL: usize = 16;

/// Registers or bits that were read at once.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// First of them.
    pub start: Address,
    /// What they hold.
    pub words: &'a [u16],
}

impl Block<'_> {
    /// The block register by register, and under all decodings.
    #[must_use]
    pub fn show(self) -> String {
        if self.start.area.holds_bits() {
            return self.bits();
        }
        let mut parts = vec![self.registers()];
        let wide = self.wide();
        if wide.len() > 1 {
            parts.push(columns(&wide));
        }
        let others = self.others();
        if others.len() > 1 {
            parts.push(columns(&others));
        }
        parts.join("\n")
    }

    fn at(self) -> impl Iterator<Item = (Address, usize)> {
        let offsets = self.start.offset..=u16::MAX;
        let places = offsets.enumerate().take(self.words.len());
        places.map(move |(place, offset)| (Address { offset, ..self.start }, place))
    }

    fn bits(self) -> String {
        let mut rows = vec![["address", "modicon", "state"].map(str::to_owned).to_vec()];
        for ((address, _), state) in self.at().zip(self.words) {
            let modicon = address.show(AddressStyle::Modicon);
            rows.push(vec![address.to_string(), modicon, state.to_string()]);
        }
        columns(&rows)
    }

    fn registers(self) -> String {
        let titles = ["address", "modicon", "hex", "u16", "i16", "bits 15..0", "text"];
        let mut rows = vec![titles.map(str::to_owned).to_vec()];
        for ((address, _), word) in self.at().zip(self.words) {
            let [high, low] = word.to_be_bytes();
            let bits =
                format!("{:04b} {:04b} {:04b} {:04b}", high >> 4, high & 15, low >> 4, low & 15);
            rows.push(vec![
                address.to_string(),
                address.show(AddressStyle::Modicon),
                format!("0x{word:04X}"),
                word.to_string(),
                word.cast_signed().to_string(),
                bits,
                [high, low].map(letter).iter().collect(),
            ]);
        }
        columns(&rows)
    }

    /// Numbers over several registers under the four orders.
    fn wide(self) -> Vec<Vec<String>> {
        let titles = ["address", "type", "ABCD", "CDAB", "BADC", "DCBA"];
        let mut rows = vec![titles.map(str::to_owned).to_vec()];
        for (address, place) in self.at() {
            // In a long block values stand one behind the other more often than not.
            if self.words.len() > SMALL && place % 2 == 1 {
                continue;
            }
            let rest = self.words.get(place..).unwrap_or_default();
            for kind in WIDE {
                let read = Order::ALL.map(|order| Decoding::of(kind, order, address, rest));
                if read.iter().all(Option::is_none) {
                    continue;
                }
                let mut row = vec![address.to_string(), kind.name().to_owned()];
                let texts = read.into_iter().map(|d| d.and_then(|d| d.text));
                row.extend(texts.map(|text| text.unwrap_or_else(|| "-".to_owned())));
                rows.push(row);
            }
        }
        rows
    }

    /// Rarer decodings that the words allow.
    fn others(self) -> Vec<Vec<String>> {
        let mut rows = vec![["address", "type", "order", "value"].map(str::to_owned).to_vec()];
        for order in [Order::Abcd, Order::Badc] {
            let text = Decoding::of(RegisterType::Text, order, self.start, self.words);
            rows.extend(text.and_then(row_of));
        }
        for (address, place) in self.at() {
            if self.words.len() > SMALL && place > 0 {
                break;
            }
            let rest = self.words.get(place..).unwrap_or_default();
            for kind in OTHERS {
                let read = orders(kind).iter();
                let read = read.filter_map(|order| Decoding::of(kind, *order, address, rest));
                rows.extend(read.filter_map(row_of));
            }
        }
        rows
    }
}

fn row_of(decoding: Decoding) -> Option<Vec<String>> {
    let Decoding { address, kind, order, text, .. } = decoding;
    Some(vec![address.to_string(), kind.name().to_owned(), order.name().to_owned(), text?])
}

fn letter(byte: u8) -> char {
    if byte.is_ascii_graphic() || byte == b' ' { byte.into() } else { '.' }
}

/// Rows as lines with their cells one under the other; every row ends with a line break.
#[must_use]
pub fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}
