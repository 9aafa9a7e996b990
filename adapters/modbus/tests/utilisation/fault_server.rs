//! The fault server with its line model on a pseudo terminal: its journal says what was delivered.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters_modbus::ModbusLine;
use adapters_modbus::config::{Line, Serial, Transport};
use serde_json::{Value as Json, json};
use signals::{Adapter as _, Feed, Stop};

use crate::line_model::Times;
use crate::saturated::{Nowhere, Running};

/// How long the line is watched.
const WATCHED: Duration = Duration::from_secs(4);

struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Share of the line's time that a line made by `line` uses.
pub(crate) fn used(baud: u32, turnaround: Duration, line: impl Fn(Transport) -> Line) -> f64 {
    let folder = tempfile::tempdir().expect("there is room for a file");
    let (file, port) = (folder.path().join("device.json"), folder.path().join("tty"));
    let device = json!({
        "units": {"1": {"tables": {"holding": [{"start": 0, "words": vec![7; 250]}]}}},
        "line": {"baud": baud, "parity": "E", "turnaround_ms": turnaround.as_millis()},
    });
    std::fs::write(&file, device.to_string()).expect("the file can be written");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peers/modbus_fault_server.py");
    let mut command = Command::new("python3");
    command.arg(script).arg("--config").arg(&file).arg("--pty").arg(&port);
    command.args(["--control", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut child = command.spawn().expect("python3 is needed for the fault server; install it");
    let told = BufReader::new(child.stdout.take().expect("it is piped"));
    let _running = Ending(child);
    let lines = told.lines().map(|line| line.expect("the server prints text"));
    let lines: Vec<String> = lines.take_while(|line| line != "ready").collect();
    let control = lines.iter().find_map(|line| line.strip_prefix("control "));
    let control = control.expect("the server has a control port");
    let serial = Serial { baud, ..Serial::default() };
    let stop = Stop::new();
    let feed = Feed {
        intake: Arc::new(Nowhere),
        clock: Arc::new(Running(Instant::now())),
        stop: stop.clone(),
    };
    let adapter = Box::new(ModbusLine::new(line(Transport::Rtu { port, serial })));
    let polling = std::thread::spawn(move || adapter.run(feed));
    // The engine's stop ends the watch; what happens meanwhile is in the journal.
    let ends = Instant::now() + WATCHED;
    while Instant::now() < ends {
        std::thread::sleep(ends.saturating_duration_since(Instant::now()));
    }
    stop.raise();
    polling.join().expect("a line ends without a panic");
    let journal = journal(control);
    let time = |entry: &Json, key: &str| entry[key].as_u64().expect("a time in ns");
    let exchanges = journal.as_array().expect("a list of exchanges");
    assert!(exchanges.iter().all(|entry| entry["outcome"] == "ok"), "{exchanges:?}");
    let (first, last) = (&exchanges[0], &exchanges[exchanges.len() - 1]);
    let elapsed = Duration::from_nanos(time(last, "rx_ns") - time(first, "rx_ns"));
    // From the first request to the last: one exchange less than there are requests.
    let exchange = Times::of(baud, turnaround).whole(255);
    let count = u32::try_from(exchanges.len() - 1).expect("seconds hold few exchanges");
    (exchange * count).as_secs_f64() / elapsed.as_secs_f64()
}

fn journal(control: &str) -> Json {
    let mut stream = TcpStream::connect(control).expect("the control port is open");
    stream.write_all(b"GET /journal HTTP/1.1\r\n\r\n").expect("the control port listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the control port answers");
    let (_, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    serde_json::from_str(body).expect("an answer in JSON")
}
