//! Host: boots the machine once, and keeps what it tells.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::inside::{INSIDE, MARK};

#[path = "../../../../tests/guest/archive.rs"]
mod archive;

use archive::{Archive, found};

/// Patience with the machine: boot and all scenarios.
const PATIENCE: Duration = Duration::from_secs(270);
const MODULES: [&str; 6] = [
    "net/can/can.ko",
    "net/can/can-raw.ko",
    "drivers/net/can/dev/can-dev.ko",
    "drivers/net/can/vcan.ko",
    "drivers/net/can/sja1000/sja1000.ko",
    "drivers/net/can/sja1000/kvaser_pci.ko",
];
/// The first program: brings up two controllers on one wire and a virtual bus.
const INIT: &str = "#!/bin/busybox sh
/bin/busybox --install -s /bin 2>/dev/null
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
for m in can can-raw can-dev vcan sja1000 kvaser_pci; do insmod /modules/$m.ko || echo no $m; done
ip link add vcan0 type vcan && ip link set vcan0 up
@INSIDE@=1 FIELDGATE_GUEST_RATE_SECONDS=@RATE@ /guest --ignored --exact inside::scenarios --nocapture
poweroff -f
";

/// What the machine told, by scenario; or why there is nothing, once for all tests.
static TOLD: OnceLock<Result<BTreeMap<String, Value>, String>> = OnceLock::new();

/// What a scenario told; `None` when the machine is to be skipped.
pub(crate) fn told(scenario: &str) -> Option<Value> {
    if is_skipped() {
        return None;
    }
    let told = TOLD.get_or_init(run).as_ref().unwrap_or_else(|why| panic!("{why}"));
    let value = told.get(scenario);
    let value = value.unwrap_or_else(|| panic!("the machine told nothing of {scenario}"));
    assert!(value.get("panic").is_none(), "{scenario} failed in the machine: {value:#}");
    Some(value.clone())
}

fn is_skipped() -> bool {
    let skipped = std::env::var("FIELDGATE_GUEST").is_ok_and(|value| value == "skip");
    if skipped {
        println!("SKIPPED: FIELDGATE_GUEST=skip, nothing was shown of SocketCAN");
    }
    skipped
}

fn peers() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers");
    std::env::var_os("FIELDGATE_PEERS").map_or_else(default, PathBuf::from).join("guest")
}

fn run() -> Result<BTreeMap<String, Value>, String> {
    let folder = peers();
    let kernel = folder.join("vmlinuz");
    if !kernel.is_file() {
        return Err(format!("{}: not there; run tests/run peers", kernel.display()));
    }
    let scratch = tempfile::tempdir().map_err(|err| format!("no temporary folder: {err}"))?;
    let initrd = scratch.path().join("initrd");
    fs::write(&initrd, archive(&folder)?).map_err(|err| format!("{}: {err}", initrd.display()))?;
    let mut machine = Machine::boot(&kernel, &initrd)?;
    let told = machine.listen();
    machine.child.kill().ok();
    machine.child.wait().ok();
    told
}

/// The machine's file system: this program, what it calls, and what they need.
fn archive(folder: &Path) -> Result<Vec<u8>, String> {
    let mut archive = Archive::default();
    for name in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        archive.folder(name);
    }
    let rate = std::env::var("FIELDGATE_GUEST_RATE_SECONDS").unwrap_or_else(|_| "10".to_owned());
    archive.file("init", INIT.replace("@RATE@", &rate).replace("@INSIDE@", INSIDE).as_bytes());
    archive.modules(&folder.join("kernel"), &MODULES)?;
    let this = std::env::current_exe().map_err(|err| err.to_string())?;
    let programs = [
        (this, "guest"),
        (found("busybox")?, "bin/busybox"),
        (found("ip")?, "bin/ip"),
        (found("candump")?, "bin/candump"),
    ];
    for (path, name) in programs {
        archive.program(&path, name)?;
    }
    Ok(archive.finish())
}

struct Machine {
    child: Child,
}

impl Machine {
    /// Two controllers of Kvaser make, both on one bus, and two processors that are emulated.
    fn boot(kernel: &Path, initrd: &Path) -> Result<Self, String> {
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024"])
            .args(["-nographic", "-no-reboot", "-net", "none", "-monitor", "none"])
            .args(["-object", "can-bus,id=bus"])
            .args(["-device", "kvaser_pci,canbus=bus", "-device", "kvaser_pci,canbus=bus"])
            .args(["-append", "console=ttyS0 quiet loglevel=1 panic=-1"])
            .arg("-kernel")
            .arg(kernel)
            .arg("-initrd")
            .arg(initrd)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let child = command
            .spawn()
            .map_err(|err| format!("qemu-system-x86_64: {err}; run tests/run peers"))?;
        Ok(Self { child })
    }

    /// What it tells until it powers off, or until patience is at its end.
    fn listen(&mut self) -> Result<BTreeMap<String, Value>, String> {
        let console = self.child.stdout.take().expect("the console is piped");
        let (sender, lines) = channel();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).trim().to_owned()).is_err() {
                    return;
                }
            }
        });
        let begun = Instant::now();
        let (mut told, mut console) = (BTreeMap::new(), Vec::new());
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            match lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some((_, json)) = line.split_once(MARK) {
                        println!("guest {:>5.1} s: {json}", begun.elapsed().as_secs_f64());
                        let value: Value =
                            serde_json::from_str(json).expect("the guest tells JSON");
                        let name = value["scenario"].as_str().expect("it has a name").to_owned();
                        told.insert(name, value);
                    }
                    console.push(line);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    println!("the machine has not ended after {PATIENCE:?}");
                    self.child.kill().ok();
                    break;
                }
            }
        }
        reader.join().expect("the reader ends with the console");
        println!("guest: {:.1} s from start to end", begun.elapsed().as_secs_f64());
        if told.is_empty() {
            return Err(format!("the machine told nothing:\n{}", console.join("\n")));
        }
        Ok(told)
    }
}
