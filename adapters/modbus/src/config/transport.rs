//! How a line is reached: the wire under it, as checked.

use std::fmt;
use std::path::PathBuf;

/// The wire of a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Transport {
    /// Modbus TCP.
    Tcp {
        /// `host:port`.
        host: String,
    },
    /// RTU frames over a TCP connection: a serial device server in raw mode.
    RtuOverTcp {
        /// `host:port`.
        host: String,
    },
    /// Modbus/TCP Security (TLS), port 802 unless given.
    Tls {
        /// `host:port`.
        host: String,
        /// Whom to trust, and who we are.
        identity: TlsIdentity,
    },
    /// RTU on a serial port.
    Rtu {
        /// The device file: `/dev/ttyRS485-1`.
        port: PathBuf,
        /// Its settings.
        serial: Serial,
    },
}

/// Files of a TLS line (Modbus/TCP Security Protocol Specification v36, clause 8).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TlsIdentity {
    /// PEM file with the authorities to trust.
    pub ca: PathBuf,
    /// PEM files of our certificate chain and its key, when the device asks for them.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Name the device's certificate must carry; the host's when absent.
    pub server_name: Option<String>,
}

/// Settings of a serial port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Serial {
    /// Bits per second.
    pub baud: u32,
    /// 7 or 8.
    pub data_bits: u8,
    /// Parity bit.
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
    /// Whether the adapter returns our own bytes to us (2-wire adapters).
    pub local_echo: bool,
    /// Who switches the direction of an RS-485 line.
    pub rs485: Rs485,
}

/// Parity of a serial port.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Parity {
    /// None.
    None,
    /// Even, the standard's default.
    #[default]
    Even,
    /// Odd.
    Odd,
}

/// Who switches the direction of an RS-485 line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Rs485 {
    /// The adapter's own electronics, or RS-232.
    #[default]
    Adapter,
    /// The kernel driver (`TIOCSRS485`).
    Kernel,
}

/// Requests that may be on their way at once on a TCP connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Depth {
    /// This many, 1..=16.
    Fixed(u8),
    /// Found out: raised while answers stay right and get faster.
    Auto,
}

impl Serial {
    /// Bits on the line for one character: start, payload, parity, stop.
    #[must_use]
    pub fn bits_per_char(&self) -> u32 {
        let parity = u32::from(self.parity != Parity::None);
        1 + u32::from(self.data_bits) + parity + u32::from(self.stop_bits)
    }
}

impl Default for Serial {
    /// 19,200 8E1, as the standard wants it (Modbus over Serial Line V1.02, clause 2.5.1).
    fn default() -> Self {
        Self {
            baud: 19_200,
            data_bits: 8,
            parity: Parity::Even,
            stop_bits: 1,
            local_echo: false,
            rs485: Rs485::Adapter,
        }
    }
}

impl Transport {
    /// `modbus-tcp`, `modbus-rtu` …: what the health of a device calls it.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        match self {
            Self::Tcp { .. } => "modbus-tcp",
            Self::RtuOverTcp { .. } => "modbus-rtu-over-tcp",
            Self::Tls { .. } => "modbus-tls",
            Self::Rtu { .. } => "modbus-rtu",
        }
    }
}

/// Where it leads: `10.0.0.5:502` or `/dev/ttyS1`.
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host } | Self::RtuOverTcp { host } | Self::Tls { host, .. } => {
                f.write_str(host)
            }
            Self::Rtu { port, .. } => write!(f, "{}", port.display()),
        }
    }
}
