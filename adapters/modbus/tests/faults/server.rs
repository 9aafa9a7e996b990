//! The fault server as a process: started on free ports, steered through its control port.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value as Json;

use crate::case::Carrier;

/// How long the server may take for an answer on its control port.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server at work; it ends when this is dropped.
pub(crate) struct FaultServer {
    child: Child,
    /// `host:port`, or the path of the pseudo terminal.
    pub(crate) address: String,
    pub(crate) control: Control,
    _folder: tempfile::TempDir,
}

/// The control port of a server, which may belong to another process.
pub(crate) struct Control {
    /// `host:port`.
    pub(crate) place: String,
}

impl FaultServer {
    /// Serves the devices of `setup` over `carrier`.
    pub(crate) fn start(setup: &Json, carrier: Carrier, seed: u64) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a file");
        let file = folder.path().join("devices.json");
        std::fs::write(&file, setup.to_string()).unwrap();
        let script =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peers/modbus_fault_server.py");
        let pty: PathBuf = folder.path().join("tty");
        let mut command = Command::new("python3");
        command.arg(script).arg("--config").arg(&file).args(["--control", "127.0.0.1:0"]);
        command.args(["--seed", &seed.to_string()]);
        match carrier {
            Carrier::Tcp => command.args(["--tcp", "127.0.0.1:0"]),
            Carrier::RtuOverTcp => command.args(["--rtu-tcp", "127.0.0.1:0"]),
            Carrier::Pty => command.arg("--pty").arg(&pty),
        };
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is needed for the fault server; install it");
        let (mut address, mut control) = (String::new(), String::new());
        let told = BufReader::new(child.stdout.take().expect("it is piped"));
        for line in told.lines() {
            let line = line.expect("the server prints text");
            match line.split_once(' ') {
                Some(("control", place)) => place.clone_into(&mut control),
                Some((_, place)) => place.clone_into(&mut address),
                None if line == "ready" => break,
                None => panic!("the fault server says: {line}"),
            }
        }
        assert!(!control.is_empty() && !address.is_empty(), "the fault server did not start");
        let control = Control { place: control };
        Self { child, address, control, _folder: folder }
    }

    /// What the control port answers to a question.
    pub(crate) fn get(&self, path: &str) -> Json {
        self.control.get(path)
    }

    /// Sends an order to the control port.
    pub(crate) fn http(&self, method: &str, path: &str, body: &Json) -> Json {
        self.control.http(method, path, body)
    }
}

impl Control {
    /// What the control port answers to a question.
    pub(crate) fn get(&self, path: &str) -> Json {
        self.http("GET", path, &Json::Null)
    }

    /// Sends an order to the control port.
    pub(crate) fn http(&self, method: &str, path: &str, body: &Json) -> Json {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(&self.place).expect("the control port is open");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).expect("the control port listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the control port answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        assert!(head.starts_with("HTTP/1.1 200"), "{method} {path}: {body}");
        serde_json::from_str(body).expect("an answer in JSON")
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
