//! Register maps: how a quantity lies in a device's registers, and the image a client reads.

/// The four tables of Modbus.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Table {
    /// Read by function 1.
    Coil,
    /// Read by function 2.
    Discrete,
    /// Read by function 3.
    Holding,
    /// Read by function 4.
    Input,
}

/// Why a device refuses a read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Exception 2.
    #[error("a register of the block does not exist; ask only for registers of the map")]
    Address,
    /// Exception 3.
    #[error("the block is empty or longer than the device gives in one answer; ask for less")]
    Count,
    /// Exception 11: nobody answers behind the gateway.
    #[error("there is no device with this unit id; ask for unit 3, 4, 5 or 17")]
    Unit,
}

/// Order of the bytes on the wire, A = most significant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Order {
    Abcd,
    Cdab,
    Badc,
    Dcba,
}

/// How a quantity is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A coil or a discrete input.
    Bool,
    /// A bit of a register, 0 = least significant.
    Bit(u8),
    /// The high byte of a register, signed.
    I8High,
    /// The low byte of a register, signed.
    I8Low,
    U16,
    I16,
    U32,
    I32,
    U64,
    F32,
    F64,
    /// Four decimal digits.
    Bcd16,
    /// Eight decimal digits.
    Bcd32,
    /// Text that never changes, padded with spaces to this many registers.
    Text(&'static str, u16),
}

impl Kind {
    /// Registers (or bits) it takes.
    pub(crate) fn width(self) -> u16 {
        match self {
            Self::Bool
            | Self::Bit(_)
            | Self::I8High
            | Self::I8Low
            | Self::U16
            | Self::I16
            | Self::Bcd16 => 1,
            Self::U32 | Self::I32 | Self::F32 | Self::Bcd32 => 2,
            Self::U64 | Self::F64 => 4,
            Self::Text(_, registers) => registers,
        }
    }
}

/// Where one quantity lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Register {
    pub(crate) name: &'static str,
    pub(crate) table: Table,
    pub(crate) address: u16,
    pub(crate) kind: Kind,
    pub(crate) order: Order,
    /// Engineering value = raw × scale.
    pub(crate) scale: f64,
}

/// A register and the quantity of a reading `R` that it shows.
pub(crate) struct Point<R> {
    pub(crate) register: Register,
    pub(crate) quantity: fn(&R) -> f64,
}

impl<R> Point<R> {
    const fn new(table: Table, name: &'static str, at: (u16, Kind), of: fn(&R) -> f64) -> Self {
        let (address, kind) = at;
        let register = Register { name, table, address, kind, order: Order::Abcd, scale: 1.0 };
        Self { register, quantity: of }
    }

    pub(crate) const fn input(name: &'static str, at: (u16, Kind), of: fn(&R) -> f64) -> Self {
        Self::new(Table::Input, name, at, of)
    }

    pub(crate) const fn holding(name: &'static str, at: (u16, Kind), of: fn(&R) -> f64) -> Self {
        Self::new(Table::Holding, name, at, of)
    }

    pub(crate) const fn discrete(name: &'static str, at: u16, of: fn(&R) -> f64) -> Self {
        Self::new(Table::Discrete, name, (at, Kind::Bool), of)
    }

    pub(crate) const fn coil(name: &'static str, at: u16, of: fn(&R) -> f64) -> Self {
        Self::new(Table::Coil, name, (at, Kind::Bool), of)
    }

    pub(crate) const fn order(mut self, order: Order) -> Self {
        self.register.order = order;
        self
    }

    pub(crate) const fn scale(mut self, scale: f64) -> Self {
        self.register.scale = scale;
        self
    }
}

/// 1 for true: bits and coils are quantities like others.
pub(crate) fn flag(on: bool) -> f64 {
    if on { 1.0 } else { 0.0 }
}

impl Register {
    /// The words on the wire that show `value`, first register first; limited to what the type
    /// can hold, as a transmitter does.
    fn encode(&self, value: f64) -> impl Iterator<Item = u16> {
        let number = raw_bits(self.kind, value / self.scale);
        (0..self.kind.width()).map(move |place| {
            let word = if let Kind::Text(text, _) = self.kind {
                characters(text, place)
            } else {
                low_word(number >> (16 * self.rank(place)))
            };
            if self.swaps_bytes() { word.swap_bytes() } else { word }
        })
    }

    /// The engineering value of words on the wire; `None` for text.
    fn decode(&self, words: &[u16]) -> Option<f64> {
        if let Kind::Text(..) = self.kind {
            return None;
        }
        let raw = (0..).zip(words).fold(0, |sum, (place, &word)| {
            let word = if self.swaps_bytes() { word.swap_bytes() } else { word };
            sum | u64::from(word) << (16 * self.rank(place))
        });
        number(self.kind, raw).map(|number| number * self.scale)
    }

    /// How many words of the number are less significant than the one in the register `place`.
    fn rank(&self, place: u16) -> u16 {
        match self.order {
            Order::Abcd | Order::Badc => self.kind.width() - 1 - place,
            Order::Cdab | Order::Dcba => place,
        }
    }

    fn swaps_bytes(&self) -> bool {
        matches!(self.order, Order::Badc | Order::Dcba)
    }
}

/// Two characters of a text; spaces behind its end.
fn characters(text: &str, place: u16) -> u16 {
    let byte = |at: usize| text.as_bytes().get(at).copied().unwrap_or(b' ');
    let first = 2 * usize::from(place);
    u16::from_be_bytes([byte(first), byte(first + 1)])
}

#[expect(clippy::cast_possible_truncation, reason = "the lowest 16 bits are what is asked for")]
const fn low_word(raw: u64) -> u16 {
    raw as u16
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` from float to integer saturates, as a transmitter does at its limits"
)]
fn raw_bits(kind: Kind, number: f64) -> u64 {
    let whole = number.round();
    match kind {
        Kind::Bool => u64::from(number > 0.5),
        Kind::Bit(bit) => u64::from(number > 0.5) << bit,
        Kind::I8High => u64::from((whole as i8).cast_unsigned()) << 8,
        Kind::I8Low => u64::from((whole as i8).cast_unsigned()),
        Kind::U16 => u64::from(whole as u16),
        Kind::I16 => u64::from((whole as i16).cast_unsigned()),
        Kind::U32 => u64::from(whole as u32),
        Kind::I32 => u64::from((whole as i32).cast_unsigned()),
        Kind::U64 => whole as u64,
        Kind::F32 => u64::from((number as f32).to_bits()),
        Kind::F64 => number.to_bits(),
        Kind::Bcd16 => bcd((whole as u64).min(9_999)),
        Kind::Bcd32 => bcd((whole as u64).min(99_999_999)),
        Kind::Text(..) => 0,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "each kind takes the bits it has; counters of the plant stay far below 2^53"
)]
fn number(kind: Kind, raw: u64) -> Option<f64> {
    Some(match kind {
        Kind::Bool => (raw & 1) as f64,
        Kind::Bit(bit) => (raw >> bit & 1) as f64,
        Kind::I8High => f64::from(((raw >> 8) as u8).cast_signed()),
        Kind::I8Low => f64::from((raw as u8).cast_signed()),
        Kind::U16 => f64::from(raw as u16),
        Kind::I16 => f64::from((raw as u16).cast_signed()),
        Kind::U32 => f64::from(raw as u32),
        Kind::I32 => f64::from((raw as u32).cast_signed()),
        Kind::U64 => raw as f64,
        Kind::F32 => f64::from(f32::from_bits(raw as u32)),
        Kind::F64 => f64::from_bits(raw),
        Kind::Bcd16 | Kind::Bcd32 => {
            (0..8).rev().fold(0, |sum, digit| sum * 10 + (raw >> (4 * digit) & 0xF)) as f64
        }
        Kind::Text(..) => return None,
    })
}

fn bcd(number: u64) -> u64 {
    (0..8).fold(0, |bits, digit| bits | ((number / 10_u64.pow(digit) % 10) << (4 * digit)))
}

/// Registers that follow each other without a hole.
#[derive(Clone, Debug, PartialEq)]
struct Segment {
    table: Table,
    start: u16,
    words: Vec<u16>,
}

impl Segment {
    /// The block, when all of it lies in this segment.
    fn block(&self, table: Table, start: u16, count: u16) -> Option<&[u16]> {
        if self.table != table {
            return None;
        }
        let from = usize::from(start.checked_sub(self.start)?);
        self.words.get(from..from + usize::from(count))
    }

    fn block_mut(&mut self, table: Table, start: u16, count: u16) -> Option<&mut [u16]> {
        if self.table != table {
            return None;
        }
        let from = usize::from(start.checked_sub(self.start)?);
        self.words.get_mut(from..from + usize::from(count))
    }
}

/// Where a named quantity lies in the registers of one machine.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    register: Register,
    segment: usize,
}

impl Cell {
    /// Decimals that tell all values of the register apart: 4 for floats.
    pub(crate) fn decimals(&self) -> usize {
        let floats = matches!(self.register.kind, Kind::F32 | Kind::F64);
        let enough = |decimals: &i32| self.register.scale * 10_f64.powi(*decimals) > 1.0 - 1e-9;
        let scaled = (0..4).find(enough).and_then(|decimals| usize::try_from(decimals).ok());
        if floats { 4 } else { scaled.unwrap_or(4) }
    }
}

/// What a client finds in a device's registers, taken at one instant.
#[derive(Clone, Debug)]
pub struct Image {
    pub(crate) registers_max: u16,
    pub(crate) registers: Vec<Register>,
    segments: Vec<Segment>,
}

impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        self.segments == other.segments
    }
}

impl Image {
    /// An image of all registers of `map`, all zero. The device gives `registers_max` registers
    /// or bits in one answer.
    pub(crate) fn of<R>(map: &[Point<R>], registers_max: u16) -> Self {
        let registers: Vec<Register> = map.iter().map(|point| point.register).collect();
        let mut sorted = registers.clone();
        sorted.sort_by_key(|register| (register.table as u8, register.address));
        let mut segments: Vec<Segment> = Vec::new();
        for Register { table, address, kind, .. } in sorted {
            let end = usize::from(address + kind.width());
            match segments.last_mut() {
                Some(last)
                    if last.table == table
                        && usize::from(address) <= usize::from(last.start) + last.words.len() =>
                {
                    let length = last.words.len().max(end - usize::from(last.start));
                    last.words.resize(length, 0);
                }
                Some(_) | None => {
                    let words = vec![0; usize::from(kind.width())];
                    segments.push(Segment { table, start: address, words });
                }
            }
        }
        Self { registers_max, registers, segments }
    }

    /// Writes a reading into the registers.
    pub(crate) fn show<R>(&mut self, map: &[Point<R>], reading: &R) {
        for segment in &mut self.segments {
            segment.words.fill(0);
        }
        for Point { register, quantity } in map {
            let words = register.encode(quantity(reading));
            let block = self.segments.iter_mut().find_map(|segment| {
                segment.block_mut(register.table, register.address, register.kind.width())
            });
            // Bits and bytes share registers: what is there stays.
            for (place, word) in block.into_iter().flatten().zip(words) {
                *place |= word;
            }
        }
    }

    /// The words (for coils and discrete inputs 0 or 1) of a block of registers.
    ///
    /// # Errors
    /// As the device refuses: a count of 0 or above its limit, a register it does not have.
    pub fn read(&self, table: Table, start: u16, count: u16) -> Result<&[u16], Refusal> {
        if count == 0 || count > self.registers_max {
            return Err(Refusal::Count);
        }
        self.segments
            .iter()
            .find_map(|segment| segment.block(table, start, count))
            .ok_or(Refusal::Address)
    }

    /// The value of a named quantity in engineering units, as a client that knows the map reads
    /// it; true is 1. `None` for an unknown name and for text.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<f64> {
        self.at(&self.cell(name)?)
    }

    /// Where a named quantity lies, for many reads of it. `None` for an unknown name.
    #[must_use]
    pub fn cell(&self, name: &str) -> Option<Cell> {
        let register = *self.registers.iter().find(|register| register.name == name)?;
        let Register { table, address, kind, .. } = register;
        let holds = |segment: &Segment| segment.block(table, address, kind.width()).is_some();
        Some(Cell { register, segment: self.segments.iter().position(holds)? })
    }

    /// The value of a quantity, as [`Image::value`] gives it.
    #[must_use]
    pub fn at(&self, cell: &Cell) -> Option<f64> {
        let Register { table, address, kind, .. } = cell.register;
        let block = self.segments.get(cell.segment)?.block(table, address, kind.width())?;
        cell.register.decode(block)
    }
}

#[cfg(test)]
mod tests;
