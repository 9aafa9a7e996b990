//! Areas and addresses: where a value stands in a device.

use std::fmt;

/// One of the four address spaces of a device.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Area {
    /// Writable bits, function code 1.
    Coil,
    /// Read-only bits, function code 2.
    Discrete,
    /// Read-only registers, function code 4.
    Input,
    /// Writable registers, function code 3.
    Holding,
}

impl Area {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Coil, Self::Discrete, Self::Input, Self::Holding];

    /// The name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete",
            Self::Input => "input",
            Self::Holding => "holding",
        }
    }

    /// The area of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|area| area.name() == name)
    }

    /// Whether it holds bits; the others hold registers.
    #[must_use]
    pub const fn holds_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }

    /// Function code that reads it.
    #[must_use]
    pub const fn function(self) -> u8 {
        match self {
            Self::Coil => 1,
            Self::Discrete => 2,
            Self::Holding => 3,
            Self::Input => 4,
        }
    }

    /// First digit of its Modicon numbers.
    const fn modicon(self) -> u32 {
        match self {
            Self::Coil => 0,
            Self::Discrete => 1,
            Self::Input => 3,
            Self::Holding => 4,
        }
    }
}

/// How addresses are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AddressStyle {
    /// `input:42`, from 0, as on the wire.
    #[default]
    Protocol,
    /// `30043`, from 1, 5 or 6 digits, as in paper manuals.
    Modicon,
}

/// A protocol address, 0-based, in an area.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Address {
    /// The address space.
    pub area: Area,
    /// 0-based.
    pub offset: u16,
}

impl Address {
    /// Reads an address in the given style.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub fn parse(text: &str, style: AddressStyle) -> Result<Self, (String, String)> {
        match style {
            AddressStyle::Protocol => Self::parse_protocol(text),
            AddressStyle::Modicon => Self::parse_modicon(text),
        }
    }

    /// The address as people of that style write it.
    #[must_use]
    pub fn show(self, style: AddressStyle) -> String {
        match style {
            AddressStyle::Protocol => self.to_string(),
            AddressStyle::Modicon => {
                let number = u32::from(self.offset) + 1;
                let width = if number > 9999 { 5 } else { 4 };
                format!("{}{number:0width$}", self.area.modicon())
            }
        }
    }

    fn parse_protocol(text: &str) -> Result<Self, (String, String)> {
        let Some((area, offset)) = text.split_once(':') else {
            let remedy = match Self::parse_modicon(text) {
                Ok(meant) => format!("write \"{meant}\", or set address_style = \"modicon\""),
                Err(_) => "write area and 0-based address, for example \"holding:42\"".to_owned(),
            };
            return Err((format!("\"{text}\" is not an address"), remedy));
        };
        let area = Area::named(area.trim()).ok_or_else(|| {
            let nearest = crate::config::nearest(area.trim(), Area::ALL.map(Area::name));
            (format!("there is no area \"{}\"", area.trim()), nearest)
        })?;
        let offset = offset.trim().parse().map_err(|_| {
            let problem = format!("\"{}\" is not an address", offset.trim());
            (problem, "write a whole number from 0 to 65535".to_owned())
        })?;
        Ok(Self { area, offset })
    }

    fn parse_modicon(text: &str) -> Result<Self, (String, String)> {
        let wrong =
            |remedy: &str| (format!("\"{text}\" is not a Modicon number"), remedy.to_owned());
        let digits = text.len();
        if !matches!(digits, 5 | 6) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong(
                "write 5 or 6 digits, for example 40001 or 400001, or set address_style = \"protocol\"",
            ));
        }
        let (first, rest) = text.split_at(1);
        let area = Area::ALL
            .into_iter()
            .find(|area| area.modicon().to_string() == first)
            .ok_or_else(|| wrong("start with 0 (coil), 1 (discrete), 3 (input) or 4 (holding)"))?;
        let number: u32 = rest.parse().map_err(|_| wrong("write digits only"))?;
        number
            .checked_sub(1)
            .and_then(|offset| u16::try_from(offset).ok())
            .map(|offset| Self { area, offset })
            .ok_or_else(|| wrong("Modicon numbers run from 1 to 65536 in each area"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.area.name(), self.offset)
    }
}

#[cfg(test)]
mod tests;
