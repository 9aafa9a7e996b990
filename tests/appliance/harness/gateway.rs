//! A running gateway: started, asked over HTTP, stopped or killed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Ending, binary, now_us, signal, text, wait_for, wait_until};

/// Patience with a start, on a machine that builds at the same time.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// A stop as told takes at most 5 s; the rest is the machine's.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// One demo starts at a time: each looks for a free port for its broker.
static STARTING: Mutex<()> = Mutex::new(());

/// A running gateway.
pub(crate) struct Gateway {
    child: Ending,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    /// `127.0.0.1:PORT` of its page.
    pub(crate) address: String,
    /// The token of commands on the box, of this run: it reads.
    pub(crate) local_token: String,
    /// When the program was started.
    pub(crate) spawned: Instant,
}

/// A device of the status.
pub(crate) const DEVICES: [&str; 4] = ["pump", "boiler", "compressor", "truck"];

impl Gateway {
    /// `fieldgate run --demo --data DATA`, page on a free port.
    pub(crate) fn demo(data: &Path) -> Self {
        Self::start(data, &["--demo"])
    }

    /// `fieldgate run --config CONFIG --data DATA`, page on a free port.
    pub(crate) fn of(config: &Path, data: &Path) -> Self {
        Self::start(data, &["--config", text(config)])
    }

    fn start(data: &Path, arguments: &[&str]) -> Self {
        let _alone = STARTING.lock();
        let spawned = Instant::now();
        let mut child = Command::new(binary())
            .arg("run")
            .args(arguments)
            .args(["--data", text(data)])
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be run");
        let stderr = child.stderr.take().expect("stderr is piped");
        let mut child = Ending(child);
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let lines = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let address = wait_for("fieldgate runs", START_PATIENCE, || {
            let lines = log.lock().unwrap().clone();
            let ended = child.0.try_wait().unwrap();
            assert!(ended.is_none(), "ended at its start, {ended:?}:\n{}", lines.join("\n"));
            lines.iter().find_map(|line| page_of(line))
        });
        let local_token =
            std::fs::read_to_string(data.join("local-token")).expect("the local token");
        Self { child, log, reader: Some(reader), address, local_token, spawned }
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Status code and body of a GET.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let bearer = format!("Authorization: Bearer {}\r\n", self.local_token);
        self.ask(("GET", path), (&bearer, ""))
    }

    /// Status code, head and body of a request with these headers, each ended by CR LF, and no others of ours.
    pub(crate) fn request(&self, asked: (&str, &str), sent: (&str, &str)) -> (u16, String, String) {
        self.try_request(asked, sent).unwrap_or_else(|err| {
            panic!("{asked:?}: {err}; log:\n{}", self.log().join("\n"));
        })
    }

    /// Status code and body of a POST of JSON, with a token or without.
    pub(crate) fn post(&self, path: &str, token: Option<&str>, json: &str) -> (u16, String) {
        let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let head = format!("Content-Type: application/json\r\n{}", bearer.unwrap_or_default());
        self.ask(("POST", path), (&head, json))
    }

    fn ask(&self, (method, path): (&str, &str), sent: (&str, &str)) -> (u16, String) {
        let (code, _, body) = self.request((method, path), sent);
        (code, body)
    }

    fn try_request(
        &self,
        (method, path): (&str, &str),
        (head, body): (&str, &str),
    ) -> std::io::Result<(u16, String, String)> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let (address, length) = (&self.address, body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{head}\r\n{body}"
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Ok((code, head.to_owned(), body.to_owned()))
    }

    /// The JSON of a GET that answers 200.
    pub(crate) fn json(&self, path: &str) -> Value {
        let (code, body) = self.get(path);
        assert_eq!(code, 200, "GET {path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|err| panic!("GET {path}: {err}: {body}"))
    }

    /// `/api/v1/status`.
    pub(crate) fn status(&self) -> Value {
        self.json("/api/v1/status")
    }

    /// Messages not acknowledged yet, of all streams.
    pub(crate) fn backlog(&self) -> u64 {
        let status = self.status();
        let uplinks = status["uplinks"].as_array().expect("uplinks").iter();
        let streams = uplinks.flat_map(|uplink| uplink["streams"].as_array().expect("streams"));
        streams.filter_map(|stream| stream["backlog_messages"].as_u64()).sum()
    }

    /// Host and port of the first uplink's broker.
    pub(crate) fn broker_port(&self) -> u16 {
        let status = self.status();
        let address = status["uplinks"][0]["address"].as_str().expect("an uplink").to_owned();
        let port = address.rsplit(':').next().and_then(|port| port.parse().ok());
        port.unwrap_or_else(|| panic!("{address}: no port"))
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child.0, name);
    }

    /// kill -9; gives the wall time at which it was sent.
    pub(crate) fn kill(mut self) -> (i64, Vec<String>) {
        let at = now_us();
        self.child.0.kill().expect("a running process can be killed");
        self.child.0.wait().expect("a killed process ends");
        (at, self.all_lines())
    }

    /// SIGTERM; the process must end by itself with code 0. Gives the log and how long it took.
    pub(crate) fn stop(mut self) -> (Vec<String>, Duration) {
        let told = Instant::now();
        signal(&self.child.0, "TERM");
        let mut code = None;
        wait_until("the gateway stops when told to", STOP_PATIENCE, || {
            code = self.child.0.try_wait().unwrap();
            code.is_some()
        });
        let took = told.elapsed();
        let lines = self.all_lines();
        assert!(code.is_some_and(|code| code.success()), "{code:?}:\n{}", lines.join("\n"));
        (lines, took)
    }

    fn all_lines(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader of the log does not panic");
        }
        self.log()
    }
}

/// The address in `… fieldgate runs page=http://127.0.0.1:1234 data=…`, or with `https`.
fn page_of(line: &str) -> Option<String> {
    let (_, after) = line.split_once("fieldgate runs")?;
    let (_, address) = after.split_once("://")?;
    Some(address.split_whitespace().next()?.to_owned())
}
