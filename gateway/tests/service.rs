//! The gateway under a service manager: what a real datagram socket in `NOTIFY_SOCKET` is told.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);
const CONFIG: &str = "[gateway]\nid = \"gw\"\nsite = \"bench\"\n\n[[can]]\nname = \"bus\"\n\
                      source = \"synthetic\"\ndbc = [\"a.dbc\"]\n";
const DBC: &str = "BO_ 256 Motion: 8 A\n SG_ Speed : 0|16@1+ (0.5,0) [0|0] \"km/h\" X\n\
                   BA_DEF_ BO_ \"GenMsgCycleTime\" INT 0 1000;\n\
                   BA_DEF_DEF_ \"GenMsgCycleTime\" 0;\nBA_ \"GenMsgCycleTime\" BO_ 256 20;\n";

/// A gateway that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Running {
    /// Starts a gateway with samples of its own; `manager` is its service manager's socket.
    fn start(folder: &Path, manager: &Path) -> Self {
        std::fs::write(folder.join("gateway.toml"), CONFIG).expect("written");
        std::fs::write(folder.join("a.dbc"), DBC).expect("written");
        let child = Command::new(env!("CARGO_BIN_EXE_fieldgate"))
            .args(["run", "--listen", "127.0.0.1:0", "--config"])
            .arg(folder.join("gateway.toml"))
            .arg("--data")
            .arg(folder.join("data"))
            .env("NOTIFY_SOCKET", manager)
            .env("WATCHDOG_USEC", "1500000")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("the binary starts"))
    }

    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status();
        assert!(sent.expect("kill can be run").success());
    }
}

/// The next notice that has a line.
fn wait_for(manager: &UnixDatagram, line: &str) -> Duration {
    let begun = Instant::now();
    let mut told = [0; 1_024];
    while begun.elapsed() < PATIENCE {
        let length = manager.recv(&mut told).unwrap_or_else(|err| panic!("{line}: {err}"));
        let text = String::from_utf8_lossy(told.get(..length).unwrap_or_default());
        assert!(line == "STOPPING=1" || !text.contains("STOPPING=1"), "{text}");
        if text.lines().any(|found| found == line) {
            return begun.elapsed();
        }
    }
    panic!("{line}: not within {PATIENCE:?}");
}

#[test]
fn systemd_would_be_told_ready_then_signs_of_life_then_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut gateway = Running::start(folder.path(), &folder.path().join("notify"));
    let ready = wait_for(&manager, "READY=1");
    let mut longest = Duration::ZERO;
    for _ in 0..4 {
        longest = longest.max(wait_for(&manager, "WATCHDOG=1"));
    }
    println!("ready after {ready:?}; longest pause between signs of life {longest:?} of 1.5 s");
    gateway.signal("TERM");
    wait_for(&manager, "STOPPING=1");
    assert!(gateway.0.wait().unwrap().success());
}

#[test]
fn a_gateway_that_stands_still_gives_no_sign_of_life() {
    let folder = tempfile::tempdir().unwrap();
    let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let gateway = Running::start(folder.path(), &folder.path().join("notify"));
    wait_for(&manager, "READY=1");
    gateway.signal("STOP");
    manager.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let mut told = [0; 1_024];
    // What was sent before it stood still, then silence.
    let silence = (0..20).find_map(|_| manager.recv(&mut told).err());
    assert_eq!(silence.map(|err| err.kind()), Some(io::ErrorKind::WouldBlock));
    gateway.signal("CONT");
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    wait_for(&manager, "WATCHDOG=1");
}
