//! Logs that are played on the host and sent in the machine, the same bytes in both.

use std::fmt::Write as _;

use adapters_can::bus::LoadedBus;
use adapters_can::config::{CanConfig, Files};
use adapters_can::frame::Frame;
use adapters_can::logs::LogReader;
use adapters_can::source::Source;

static TRUCK: &[u8] =
    include_bytes!("../../../../tests/cases/can/logs/truck-idle-j1939-gps.log.gz");
static TRUCK_DBC: &[u8] = include_bytes!("../../../../tests/cases/can/dbc/j1939_common.dbc");
static FD_DBC: &[u8] = include_bytes!("../../../../tests/cases/can/dbc/opendbc-hyundai_canfd.dbc");
/// One message whose payload is its number.
static COUNT_DBC: &[u8] = b"BO_ 256 Sequence: 8 X\n SG_ Number : 0|32@1+ (1,0) [0|0] \"\" X\n";
/// Frames of the CAN FD log.
const FD_FRAMES: u32 = 4_000;

/// A log, and what it is decoded with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Play {
    /// A recorded truck: 45,571 classic frames of J1939, transfers of several frames among them.
    Truck,
    /// Made up: CAN FD frames of every message of a real database, with random payloads.
    Fd,
    /// No log: frames that are numbered.
    Count,
}

impl Play {
    fn dbc(self) -> (&'static str, &'static [u8]) {
        match self {
            Self::Truck => ("truck.dbc", TRUCK_DBC),
            Self::Fd => ("fd.dbc", FD_DBC),
            Self::Count => ("count.dbc", COUNT_DBC),
        }
    }

    /// The log as candump writes it.
    pub(crate) fn log(self) -> &'static [u8] {
        match self {
            Self::Truck => TRUCK,
            Self::Fd => Box::leak(fd_log().into_bytes().into_boxed_slice()),
            Self::Count => b"(1.0) can0 100#00000000\n",
        }
    }

    /// Its frames of channel `can0`.
    pub(crate) fn frames(self) -> Vec<Frame> {
        let source = Source::Embedded { name: "log".to_owned(), bytes: self.log() };
        let mut log = LogReader::new(source.open().expect("it is built in"));
        let mut frames = Vec::new();
        let mut frame = Frame::default();
        while log.next(&mut frame).expect("it is built in") {
            if frame.channel == 0 {
                frames.push(frame.clone());
            }
        }
        assert_eq!(log.bad_lines().count, 0);
        frames
    }

    /// A bus called `bus` that decodes it, checked and loaded as a configuration is.
    pub(crate) fn bus(self, change: impl FnOnce(&mut CanConfig)) -> LoadedBus {
        let (name, dbc) = self.dbc();
        let mut config = CanConfig {
            name: Some("bus".to_owned()),
            dbc: vec![name.to_owned()],
            ..CanConfig::default()
        };
        change(&mut config);
        let files = [(name, dbc), ("log", self.log())];
        let bus =
            config.check(Files::Embedded(&files), "site").expect("the configuration is right");
        bus.load().expect("the database is right")
    }
}

/// CAN FD frames of all messages, in turn, bit rate switched every other time.
fn fd_log() -> String {
    let text = String::from_utf8_lossy(FD_DBC);
    let header = |line: &str| -> Option<(u32, u8)> {
        let mut words = line.strip_prefix("BO_ ")?.split_whitespace();
        let id = words.next()?.parse().ok()?;
        Some((id, words.nth(1)?.parse().ok()?))
    };
    let messages: Vec<(u32, u8)> = text.lines().filter_map(header).collect();
    assert!(messages.len() > 40, "the database has many messages");
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut log = String::new();
    for (number, (id, len)) in (0..FD_FRAMES).zip(messages.iter().cycle()) {
        let mut payload = String::new();
        for _ in 0..*len {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            write!(payload, "{:02X}", random & 0xFF).unwrap();
        }
        let (second, micros, flags) = (1 + number / 1_000, number % 1_000, number % 2);
        writeln!(log, "({second}.{micros:06}) can0 {id:03X}##{flags}{payload}").unwrap();
    }
    log
}
