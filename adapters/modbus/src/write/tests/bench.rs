//! A line with one device, a desk and an audit in memory.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use signals::{ManualClock, Timestamp};

use super::device::Device;
use crate::area::{Address, Area};
use crate::decode::{Format, RegisterType};
use crate::scan::Point;
use crate::wire::Wire;
use crate::write::{
    Closing, Command, DeskHandle, Intent, Ledger, Office, Origin, Outcome, Reply, Report, Setting,
    WritableTag, WriteRule,
};

pub(super) const START: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

/// The audit in memory.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) begun: Mutex<Vec<Intent>>,
    pub(super) ended: Mutex<Vec<(u64, Closing)>>,
    pub(super) refused: Mutex<Vec<(Intent, Closing)>>,
    pub(super) is_broken: bool,
    /// Requests the device had seen when each intent was recorded.
    pub(super) seen: Mutex<Vec<usize>>,
    pub(super) device: Mutex<Option<Device>>,
}

impl Ledger for Memory {
    fn begin(&self, intent: &Intent) -> io::Result<u64> {
        if self.is_broken {
            return Err(io::Error::other("disk full"));
        }
        let device = self.device.lock().unwrap();
        let writes = device.as_ref().map_or(0, |device| device.functions().len());
        self.seen.lock().unwrap().push(writes);
        let mut begun = self.begun.lock().unwrap();
        begun.push(intent.clone());
        Ok(begun.len() as u64)
    }

    fn end(&self, begin: u64, closing: &Closing) -> io::Result<()> {
        self.ended.lock().unwrap().push((begin, closing.clone()));
        Ok(())
    }

    fn refuse(&self, intent: &Intent, closing: &Closing) -> io::Result<u64> {
        self.refused.lock().unwrap().push((intent.clone(), closing.clone()));
        Ok(0)
    }
}

/// Everything a command needs.
pub(super) struct Bench {
    pub(super) device: Device,
    pub(super) memory: Arc<Memory>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) handle: DeskHandle,
}

/// The tag `pump/setpoint` at holding:0.
pub(super) fn tag(kind: RegisterType, rule: WriteRule) -> WritableTag {
    WritableTag {
        path: "pump/setpoint".to_owned(),
        unit: 1,
        point: point(0, kind),
        timeout: Duration::from_millis(100),
        rule,
    }
}

pub(super) fn point(offset: u16, kind: RegisterType) -> Point {
    Point::new(Address { area: Area::Holding, offset }, Format::new(kind))
}

pub(super) fn command(value: Setting) -> Command {
    Command {
        path: "pump/setpoint".to_owned(),
        value,
        who: "eva".to_owned(),
        origin: Origin::Local("127.0.0.1:40000".to_owned()),
        expected_old: None,
        confirm_token: None,
        not_after: None,
    }
}

impl Bench {
    pub(super) fn new(device: Device, tag: WritableTag) -> Self {
        Self::with(device, tag, Memory::default())
    }

    pub(super) fn with(device: Device, tag: WritableTag, memory: Memory) -> Self {
        *memory.device.lock().unwrap() = Some(device.clone());
        let (memory, clock) = (Arc::new(memory), Arc::new(ManualClock::new(START)));
        let office = Office {
            clock: Arc::clone(&clock) as _,
            ledger: Arc::clone(&memory) as _,
            random: || Ok(0x2A),
        };
        let handle = DeskHandle::of("line", [tag], Some(office));
        Self { device, memory, clock, handle }
    }

    /// Gives a command while a line works on it.
    pub(super) async fn order(&self, command: Command) -> Report {
        let mut wire = self.device.connect();
        tokio::select! {
            reply = self.handle.order(command) => settled(reply),
            () = self.work(&mut wire) => unreachable!("a line works for ever"),
        }
    }

    /// Gives a command that nobody works on yet.
    #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
    pub(super) fn give(&self, command: Command) -> tokio::task::JoinHandle<Report> {
        let handle = self.handle.clone();
        tokio::spawn(async move { settled(handle.order(command).await) })
    }

    /// What a line does with its desk; connects anew when the connection breaks.
    pub(super) async fn work(&self, wire: &mut Wire) {
        let mut desk = self.handle.desk();
        loop {
            desk.ready().await;
            let order = desk.next_order().expect("the desk was ready");
            order.carry_out(Some(wire), Duration::from_millis(1)).await;
            if wire.is_broken() {
                *wire = self.device.connect();
            }
        }
    }

    /// Result and detail of the only record of an end.
    pub(super) fn ended(&self) -> String {
        let ended = self.memory.ended.lock().unwrap();
        let [(1, closing)] = &ended[..] else { panic!("{ended:?}") };
        closing.result.clone()
    }
}

pub(super) fn settled(reply: Reply) -> Report {
    match reply {
        Reply::Settled(report) => report,
        Reply::Confirm(confirm) => panic!("{confirm:?}"),
    }
}

/// Name of the reason of a refusal.
pub(super) fn refusal(report: &Report) -> &'static str {
    let Outcome::Refused(refusal) = &report.outcome else {
        panic!("{:?}: {}", report.outcome, report.detail)
    };
    refusal.code()
}
