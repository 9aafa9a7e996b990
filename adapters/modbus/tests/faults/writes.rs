//! Writes of a script: given at the line's desk, their outcomes waited for.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use adapters_modbus::area::{Address, Area};
use adapters_modbus::config::Line;
use adapters_modbus::decode::{Format, RegisterType};
use adapters_modbus::scan::Point;
use adapters_modbus::write::{
    Closing, Command, DeskHandle, Intent, Ledger, Office, Origin, Readback, Reply, Setting,
    WritableTag, WriteRule,
};
use serde_json::Value as Json;
use signals::Clock;

use crate::case::{Act, Scenario};

/// How long a device may take to answer a write.
const TIMEOUT: Duration = Duration::from_millis(500);

/// An audit that forgets: the audit has tests of its own.
struct Forgetful;

impl Ledger for Forgetful {
    fn begin(&self, _: &Intent) -> io::Result<u64> {
        Ok(1)
    }

    fn end(&self, _: u64, _: &Closing) -> io::Result<()> {
        Ok(())
    }

    fn refuse(&self, _: &Intent, _: &Closing) -> io::Result<u64> {
        Ok(1)
    }
}

/// Lets the line write what the script of the scenario writes. Its units must be on the line.
pub(crate) fn allow(scenario: &Scenario, line: &mut Line, clock: Arc<dyn Clock>) -> DeskHandle {
    let writes = scenario.script.iter().filter_map(|step| match &step.act {
        Act::Write(write) => Some(write),
        Act::Http(..) => None,
    });
    for write in writes {
        let unit = unit_of(write);
        let device = line.devices.iter_mut().find(|device| device.unit == unit);
        let readback = write["readback"].as_bool().unwrap_or(true).then(Readback::default);
        device.expect("units that are written to are on the line").writable.push(WritableTag {
            path: path_of(write),
            unit,
            point: point_of(write),
            timeout: TIMEOUT,
            rule: WriteRule { readback, ..WriteRule::default() },
        });
    }
    let random = || Err(io::Error::other("no script confirms"));
    DeskHandle::new(line, Office { clock, ledger: Arc::new(Forgetful), random })
}

pub(crate) fn unit_of(write: &Json) -> u8 {
    u8::try_from(write["unit"].as_u64().unwrap_or(1)).expect("a unit id")
}

fn path_of(write: &Json) -> String {
    format!("site/{}/{}/{}", write["unit"], write["table"], write["address"])
}

fn words_of(write: &Json) -> Vec<u16> {
    let words = write["words"].as_array().expect("a write has its words");
    words.iter().map(|word| u16::try_from(word.as_u64().unwrap()).unwrap()).collect()
}

fn point_of(write: &Json) -> Point {
    let area = Area::named(write["table"].as_str().unwrap_or("holding")).expect("a table");
    let offset = u16::try_from(write["address"].as_u64().expect("an address")).unwrap();
    let kind = match (area, words_of(write).len()) {
        (Area::Coil, 1) => RegisterType::Bool,
        (_, 1) => RegisterType::U16,
        (_, 2) => RegisterType::U32,
        (_, 4) => RegisterType::U64,
        (_, other) => panic!("no number has {other} registers"),
    };
    Point::new(Address { area, offset }, Format::new(kind))
}

/// Gives the command; its outcome's name comes when it is settled.
pub(crate) fn give(desk: DeskHandle, write: &Json) -> JoinHandle<String> {
    let bits = words_of(write).iter().fold(0_u64, |bits, word| bits << 16 | u64::from(*word));
    let is_bit = point_of(write).format.kind == RegisterType::Bool;
    let value = if is_bit { Setting::Bool(bits != 0) } else { Setting::Unsigned(bits) };
    let command = Command {
        path: path_of(write),
        value,
        who: "script".to_owned(),
        origin: Origin::Local("127.0.0.1".to_owned()),
        expected_old: None,
        confirm_token: None,
        not_after: None,
    };
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        match runtime.block_on(desk.order(command)) {
            Reply::Settled(report) => report.outcome.name(),
            Reply::Confirm(_) => "confirm".to_owned(),
        }
    })
}
