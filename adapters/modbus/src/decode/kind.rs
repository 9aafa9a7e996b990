//! The types a value in registers can have: name, width and the type of its column.

use signals::ValueType;

macro_rules! register_types {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $words:literal, $column:ident;)*) => {
        /// How the words of a value are to be read.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum RegisterType {
            $($(#[$doc])* $name,)*
        }

        impl RegisterType {
            /// Every type, in the order of the manual.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name in the configuration.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// Registers (or coils) the value takes; 0 for a string, whose length is configured.
            #[must_use]
            pub const fn words(self) -> u16 {
                match self { $(Self::$name => $words),* }
            }

            /// Type of the column when the value is not scaled.
            #[must_use]
            pub const fn column(self) -> ValueType {
                match self { $(Self::$name => ValueType::$column),* }
            }
        }
    };
}

register_types! {
    /// A coil or discrete input.
    Bool = "bool", 1, Bool;
    /// One bit of a register.
    Bit = "bit", 1, Bool;
    /// High byte, unsigned.
    U8High = "u8h", 1, U8;
    /// Low byte, unsigned.
    U8Low = "u8l", 1, U8;
    /// High byte, signed.
    I8High = "i8h", 1, I8;
    /// Low byte, signed.
    I8Low = "i8l", 1, I8;
    /// Signed, 16 bits.
    I16 = "i16", 1, I16;
    /// Unsigned, 16 bits.
    U16 = "u16", 1, U16;
    /// Signed, 32 bits.
    I32 = "i32", 2, I32;
    /// Unsigned, 32 bits.
    U32 = "u32", 2, U32;
    /// Signed, 64 bits.
    I64 = "i64", 4, I64;
    /// Unsigned, 64 bits.
    U64 = "u64", 4, U64;
    /// IEEE 754 binary16.
    F16 = "f16", 1, F32;
    /// IEEE 754 binary32.
    F32 = "f32", 2, F32;
    /// IEEE 754 binary64.
    F64 = "f64", 4, F64;
    /// Text, two characters a register.
    Text = "string", 0, Text;
    /// Four decimal digits in nibbles.
    Bcd16 = "bcd16", 1, U16;
    /// Eight decimal digits in nibbles.
    Bcd32 = "bcd32", 2, U32;
    /// Two words of 0..=9999 each.
    Mod10k2 = "mod10k2", 2, U32;
    /// Three words of 0..=9999 each.
    Mod10k3 = "mod10k3", 3, U64;
    /// Four words of 0..=9999 each.
    Mod10k4 = "mod10k4", 4, U64;
    /// Sign and magnitude, 16 bits.
    I16SignMagnitude = "i16sm", 1, I16;
    /// A number that stands for a state.
    Enum16 = "enum16", 1, U16;
    /// 16 flags; the value is the raw number.
    Flags16 = "flags16", 1, U16;
    /// 32 flags; the value is the raw number.
    Flags32 = "flags32", 2, U32;
    /// Seconds since 1970, UTC, as RFC 3339 text.
    Epoch32 = "epoch32", 2, Text;
    /// Year, month, day, hour, minute, second in a word each, as ISO 8601 text without a zone.
    DateTime6 = "datetime6", 6, Text;
    /// An IPv4 address as text.
    Ipv4 = "ipv4", 2, Text;
    /// A MAC address as text.
    Mac = "mac", 3, Text;
}

/// What other programs and manuals call the types.
const FOREIGN: [(&str, RegisterType); 14] = [
    ("boolean", RegisterType::Bool),
    ("int16", RegisterType::I16),
    ("uint16", RegisterType::U16),
    ("word", RegisterType::U16),
    ("int32", RegisterType::I32),
    ("uint32", RegisterType::U32),
    ("dword", RegisterType::U32),
    ("int64", RegisterType::I64),
    ("uint64", RegisterType::U64),
    ("float32", RegisterType::F32),
    ("float", RegisterType::F32),
    ("real", RegisterType::F32),
    ("float64", RegisterType::F64),
    ("double", RegisterType::F64),
];

/// The part of its registers a value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    Whole,
    HighByte,
    LowByte,
    Bit,
}

/// How the bits of a value stand for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Coding {
    /// 0 or 1.
    Truth,
    /// Unsigned, or signed in two's complement.
    Binary,
    /// So many decimal digits, one in four bits.
    Bcd(u32),
    /// So many words of 0..=9999.
    Mod10k(u32),
    /// The first bit is the sign.
    SignMagnitude,
    /// Floating point; greatest finite number.
    Real(f64),
    /// Not a number.
    Text,
}

impl RegisterType {
    /// How its bits stand for its value.
    pub(crate) const fn coding(self) -> Coding {
        match self {
            Self::Bool | Self::Bit => Coding::Truth,
            Self::Bcd16 => Coding::Bcd(4),
            Self::Bcd32 => Coding::Bcd(8),
            Self::Mod10k2 => Coding::Mod10k(2),
            Self::Mod10k3 => Coding::Mod10k(3),
            Self::Mod10k4 => Coding::Mod10k(4),
            Self::I16SignMagnitude => Coding::SignMagnitude,
            Self::F16 => Coding::Real(65_504.0),
            Self::F32 => Coding::Real(f32::MAX as f64),
            Self::F64 => Coding::Real(f64::MAX),
            Self::Text | Self::Epoch32 | Self::DateTime6 | Self::Ipv4 | Self::Mac => Coding::Text,
            Self::U8High
            | Self::U8Low
            | Self::I8High
            | Self::I8Low
            | Self::I16
            | Self::U16
            | Self::I32
            | Self::U32
            | Self::I64
            | Self::U64
            | Self::Enum16
            | Self::Flags16
            | Self::Flags32 => Coding::Binary,
        }
    }

    /// The part of its registers the value is.
    pub(crate) const fn part(self) -> Part {
        if matches!(self, Self::U8High | Self::I8High) {
            Part::HighByte
        } else if matches!(self, Self::U8Low | Self::I8Low) {
            Part::LowByte
        } else if matches!(self, Self::Bit) {
            Part::Bit
        } else {
            Part::Whole
        }
    }

    /// The type another program calls by that name.
    #[must_use]
    pub fn known_elsewhere_as(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        FOREIGN.iter().find(|(foreign, _)| *foreign == name).map(|(_, kind)| *kind)
    }

    /// The type of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether a scale and an offset mean something.
    #[must_use]
    pub const fn can_scale(self) -> bool {
        !matches!(self.column(), ValueType::Bool | ValueType::Text)
            && !matches!(self, Self::Enum16 | Self::Flags16 | Self::Flags32)
    }

    /// Whether the number is a plain integer in two's complement or unsigned.
    #[must_use]
    pub const fn is_plain_integer(self) -> bool {
        self.can_be_compared_by_bits() && !self.is_real()
    }

    /// Whether the number can be negative.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        matches!(self.column(), ValueType::I8 | ValueType::I16 | ValueType::I32 | ValueType::I64)
            || self.is_real()
    }

    /// Whether the number is a floating-point number.
    #[must_use]
    pub const fn is_real(self) -> bool {
        matches!(self, Self::F16 | Self::F32 | Self::F64)
    }

    /// Whether `CDAB` and `DCBA` mean something: the value is a number over several registers.
    #[must_use]
    pub const fn has_word_order(self) -> bool {
        self.words() > 1 && !matches!(self, Self::DateTime6 | Self::Mac | Self::Ipv4)
    }

    /// Width of the raw number in bits; 0 for what is not one number.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self.part() {
            Part::Bit => 1,
            Part::HighByte | Part::LowByte => 8,
            Part::Whole if matches!(self, Self::Bool) => 1,
            Part::Whole if matches!(self, Self::DateTime6) => 0,
            Part::Whole => self.words() as u32 * 16,
        }
    }

    const fn can_be_compared_by_bits(self) -> bool {
        !matches!(
            self,
            Self::Bool
                | Self::Bit
                | Self::Text
                | Self::DateTime6
                | Self::Bcd16
                | Self::Bcd32
                | Self::Mod10k2
                | Self::Mod10k3
                | Self::Mod10k4
                | Self::I16SignMagnitude
        )
    }
}
