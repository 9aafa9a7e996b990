//! A device as a process of its own, and a gateway as another.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// The fault server with one unit.
pub(crate) struct Plant {
    child: Child,
    address: String,
    control: String,
    _folder: tempfile::TempDir,
}

impl Plant {
    /// Unit 1 with these holding registers from address 0 on.
    pub(crate) fn start(words: &Json) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("devices.json");
        let tables = json!({ "holding": [{ "start": 0, "words": words }] });
        let setup = json!({ "units": { "1": { "tables": tables } } });
        std::fs::write(&file, setup.to_string()).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/peers/modbus_fault_server.py");
        let mut child = Command::new("python3")
            .arg(script)
            .arg("--config")
            .arg(&file)
            .args(["--control", "127.0.0.1:0", "--tcp", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is needed for the fault server; install it");
        let (mut address, mut control) = (String::new(), String::new());
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            match line.split_once(' ') {
                Some(("control", place)) => place.clone_into(&mut control),
                Some((_, place)) => place.clone_into(&mut address),
                None => break,
            }
        }
        assert!(!control.is_empty() && !address.is_empty(), "the fault server did not start");
        Self { child, address, control, _folder: folder }
    }

    /// The register as the device has it.
    pub(crate) fn word(&self, at: u16) -> u64 {
        let oracle = self.http(&format!("GET /oracle?unit=1&table=holding&addr={at}&count=1"), "");
        oracle["words"][0].as_u64().unwrap_or_else(|| panic!("{oracle}"))
    }

    /// Requests that write, as the device saw them.
    pub(crate) fn writes(&self) -> usize {
        let journal = self.http("GET /journal?since=0&unit=1", "");
        let entries = journal.as_array().or(journal["entries"].as_array());
        let entries = entries.unwrap_or_else(|| panic!("{journal}"));
        let writes =
            |entry: &&Json| [5, 6, 15, 16, 22].contains(&entry["fc"].as_u64().unwrap_or(0));
        entries.iter().filter(writes).count()
    }

    /// Replaces the faults.
    pub(crate) fn fault(&self, rules: &Json) {
        self.http("DELETE /faults", "");
        self.http("POST /faults", &rules.to_string());
    }

    pub(crate) fn wait(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::yield_now();
        }
    }

    fn http(&self, asked: &str, body: &str) -> Json {
        let (status, body) = http(&self.control, asked, None, body);
        assert_eq!(status, 200, "{asked}: {body}");
        body
    }
}

impl Drop for Plant {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A program that has ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A gateway at work, with an operator's and a viewer's token.
pub(crate) struct Gateway {
    child: Child,
    folder: Option<tempfile::TempDir>,
    address: String,
    pub(crate) token: String,
    pub(crate) viewer: String,
}

impl Gateway {
    /// Reads and writes the plant; `writes` is the content of `[writes]`.
    pub(crate) fn start(plant: &Plant, writes: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            r#"
[gateway]
id = "gw"
site = "site"
[writes]
{writes}
[[line]]
name = "line"
host = "{}"
[[device]]
name = "pump"
line = "line"
unit = 1
timeout = "200 ms"
every = "300 ms"
tag = [
  {{ name = "setpoint", at = "holding:0", type = "u16", write = {{ min = 0, max = 100 }} }},
  {{ name = "careful", at = "holding:1", type = "u16", write = {{ confirm = true }} }},
  {{ name = "slow", at = "holding:2", type = "u16", write = {{ readback_after = "50 s" }} }},
  {{ name = "remote", at = "holding:3", type = "bit", bit = 0 }},
  {{ name = "locked", at = "holding:3", type = "u16", write = {{ interlock = "site/pump/remote" }} }},
  {{ name = "level", at = "holding:2", type = "i16" }},
]
"#,
            plant.address
        );
        std::fs::write(folder.path().join("gateway.toml"), config).unwrap();
        let add = |name: &str, role: &str| {
            let data = folder.path().join("data");
            let args = ["token", "add", "--name", name, "--role", role, "--data"];
            let output = binary().args(args).arg(data).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        let (token, viewer) = (add("eva", "operator"), add("otto", "viewer"));
        std::fs::write(folder.path().join("token"), &token).unwrap();
        let (child, address) = run(folder.path());
        Self { child, folder: Some(folder), address, token, viewer }
    }

    /// Takes the power away and gives it back.
    pub(crate) fn kill_and_start_again(mut self) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let folder = self.folder.take().unwrap();
        let (child, address) = run(folder.path());
        let (token, viewer) = (self.token.clone(), self.viewer.clone());
        Self { child, folder: Some(folder), address, token, viewer }
    }

    pub(crate) fn write(&self, args: &[&str]) -> Ended {
        ended(self.write_command(args).output().unwrap())
    }

    pub(crate) fn write_in_background(&self, args: &[&str]) -> Child {
        self.write_command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn write_command(&self, args: &[&str]) -> Command {
        let mut command = binary();
        command.arg("write").args(args).arg("--token-file").arg(self.path().join("token"));
        command.args(["--gateway", &self.address]);
        command
    }

    /// Runs a command over this gateway's folder.
    pub(crate) fn fieldgate(&self, args: &[&str]) -> Ended {
        ended(binary().args(args).arg("--data").arg(self.data()).output().unwrap())
    }

    /// A command by hand: status and body.
    pub(crate) fn post(&self, token: Option<&str>, body: &str) -> (u16, Json) {
        http(&self.address, "POST /api/v1/writes", token, body)
    }

    fn data(&self) -> String {
        self.path().join("data").display().to_string()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("log")).unwrap()
    }

    pub(crate) fn audit_lines(&self) -> Vec<String> {
        let texts =
            self.audit_files().into_iter().map(|file| std::fs::read_to_string(file).unwrap());
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    pub(crate) fn flip_a_byte_of_the_first_record(&self) {
        let file = self.audit_files().remove(0);
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[40] ^= 1;
        std::fs::write(file, bytes).unwrap();
    }

    fn audit_files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path().join("data/audit")).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn path(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fieldgate"))
}

/// A gateway on the folder's configuration, and the address of its API.
fn run(folder: &Path) -> (Child, String) {
    let log = folder.join("log");
    let child = binary()
        .args(["run", "--listen", "127.0.0.1:0", "--config"])
        .arg(folder.join("gateway.toml"))
        .arg("--data")
        .arg(folder.join("data"))
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    // Whoever gets it waits for its end.
    (child, address_in(&log))
}

/// The address of the API, once the log says it.
fn address_in(log: &Path) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = std::fs::read_to_string(log).unwrap();
        let page = told.lines().find_map(|line| line.split_once("page=http://"));
        if let Some((_, rest)) = page {
            return rest.split_whitespace().next().unwrap().to_owned();
        }
        assert!(Instant::now() < deadline, "the gateway does not start: {told}");
        std::thread::yield_now();
    }
}

fn ended(output: std::process::Output) -> Ended {
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// `asked` is method and path.
fn http(host: &str, asked: &str, token: Option<&str>, body: &str) -> (u16, Json) {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let bearer =
        token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let head = format!("{asked} HTTP/1.1\r\nHost: {host}\r\n{bearer}Connection: close\r\n");
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Json::Null))
}
