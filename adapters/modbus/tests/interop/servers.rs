//! Servers of other makes with the registers of an image.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};

use serde_json::Value as Json;
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};

use super::images::{Sheet, root};

/// A process that ends with its owner.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts a server and takes the line that says where it serves.
fn start(command: &mut Command, input: &str) -> (Ending, String) {
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|err| panic!("{command:?}: {err}; run tests/run peers"));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let stdout = child.stdout.take().expect("stdout is piped");
    let running = Ending(child);
    stdin.write_all(input.as_bytes()).expect("the server reads its image");
    drop(stdin);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).expect("the server says where it serves");
    assert!(!line.is_empty(), "{command:?} has not started");
    (running, line.trim().to_owned())
}

/// pymodbus, a port for each image.
pub(crate) struct Pymodbus {
    ports: BTreeMap<String, u16>,
    _running: Ending,
}

impl Pymodbus {
    pub(crate) fn serve(sheets: &[Sheet], arguments: &[&str]) -> Self {
        let peers = std::env::var_os("FIELDGATE_PEERS");
        let peers = peers.map_or_else(|| root().join("target/peers"), PathBuf::from);
        let python = peers.join("venv/bin/python");
        assert!(python.is_file(), "{}: not there; run tests/run peers", python.display());
        let mut command = Command::new(python);
        command.arg(root().join("tests/peers/pymodbus_server.py")).args(arguments);
        command.args(sheets.iter().map(|sheet| &sheet.path));
        let (running, ports) = start(&mut command, "");
        let ports = serde_json::from_str(&ports).expect("pymodbus tells its ports");
        Self { ports, _running: running }
    }

    pub(crate) fn port(&self, sheet: &Sheet) -> u16 {
        self.ports[&sheet.device]
    }
}

/// libmodbus, in a program of ours that is compiled on the spot.
pub(crate) struct Libmodbus {
    /// A port, or a terminal.
    pub(crate) place: String,
    _running: Ending,
}

impl Libmodbus {
    pub(crate) fn serve(sheet: &Sheet, arguments: &[&str]) -> Self {
        let (running, place) = start(Command::new(built()).args(arguments), &plain(sheet));
        Self { place, _running: running }
    }
}

/// The compiled program; all tests of one run share it.
fn built() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = root().join("tests/peers/libmodbus_server.c");
        let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("libmodbus_server");
        let compiled = Command::new("cc")
            .args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([&program, &source])
            .arg("-lmodbus")
            .output();
        let compiled = compiled.expect("there is a C compiler; run tests/run peers");
        let told = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "no libmodbus server; run tests/run peers\n{told}");
        program
    })
}

/// An image as lines of words.
fn plain(sheet: &Sheet) -> String {
    let limits = &sheet.image["limits"];
    let limit = |key: &str, usual: u64| limits[key].as_u64().unwrap_or(usual);
    let mut text = String::new();
    let registers = limit("max_read_registers", 125);
    let (bits, too_long) = (limit("max_read_bits", 2000), limit("over_limit_exception", 3));
    writeln!(text, "unit {}\nlimits {registers} {bits} {too_long}", sheet.unit()).unwrap();
    for (area, start, values) in runs(&sheet.image) {
        let values: Vec<String> = values.iter().map(u16::to_string).collect();
        writeln!(text, "run {area} {start} {}", values.join(" ")).unwrap();
    }
    for hole in sheet.image["illegal"].as_array().into_iter().flatten() {
        writeln!(text, "hole {} {} {}", hole[0].as_str().unwrap(), hole[1], hole[2]).unwrap();
    }
    text
}

/// Area, first address and values of every run of registers or bits.
fn runs(image: &Json) -> Vec<(&str, u16, Vec<u16>)> {
    let word = |value: &Json| u16::try_from(value.as_u64().expect("a word")).expect("a word");
    let areas = image["image"].as_object().expect("an image has areas");
    let mut runs = Vec::new();
    for (area, segments) in areas {
        for segment in segments.as_array().expect("an area has runs") {
            let values = segment.get("words").or_else(|| segment.get("bits"));
            let values = values.and_then(Json::as_array).expect("a run has values");
            runs.push((area.as_str(), word(&segment["start"]), values.iter().map(word).collect()));
        }
    }
    runs
}

/// The server of tokio-modbus, in this process.
pub(crate) struct TokioModbus {
    pub(crate) port: u16,
    _runtime: tokio::runtime::Runtime,
}

impl TokioModbus {
    pub(crate) fn serve(sheet: &Sheet) -> Self {
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        let runtime = threads.worker_threads(1).enable_all().build().expect("an event loop");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let registers = Arc::new(Registers::of(sheet));
        runtime.spawn(async move {
            let accept = |stream, peer| {
                let registers = Arc::clone(&registers);
                async move {
                    accept_tcp_connection(stream, peer, |_| Ok(Some(Arc::clone(&registers))))
                }
            };
            let server = Server::new(listener);
            server.serve(&accept, |err| panic!("tokio-modbus: {err}")).await
        });
        Self { port, _runtime: runtime }
    }
}

/// Registers and bits by function code and address.
struct Registers {
    unit: u8,
    words: HashMap<(u8, u16), u16>,
    longest: usize,
}

impl Registers {
    fn of(sheet: &Sheet) -> Self {
        let mut words = HashMap::new();
        for (area, start, values) in runs(&sheet.image) {
            let areas = ["coil", "discrete", "holding", "input"];
            let place = areas.iter().position(|name| *name == area).expect("an area");
            let function = u8::try_from(place + 1).expect("1 to 4");
            let addresses = (start..).zip(values);
            words.extend(addresses.map(|(address, value)| ((function, address), value)));
        }
        let registers_max = sheet.image["limits"]["max_read_registers"].as_u64().unwrap_or(125);
        Self { unit: sheet.unit(), words, longest: usize::try_from(registers_max).unwrap() }
    }

    fn read(&self, function: u8, start: u16, count: u16) -> Result<Vec<u16>, ExceptionCode> {
        if function > 2 && usize::from(count) > self.longest {
            return Err(ExceptionCode::IllegalDataValue);
        }
        let word = |place| self.words.get(&(function, start.checked_add(place)?)).copied();
        (0..count).map(word).collect::<Option<_>>().ok_or(ExceptionCode::IllegalDataAddress)
    }
}

impl Service for Registers {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = std::future::Ready<Result<Option<Response>, ExceptionCode>>;

    fn call(&self, asked: Self::Request) -> Self::Future {
        if asked.slave != self.unit {
            return std::future::ready(Ok(None));
        }
        let (Request::ReadCoils(start, count)
        | Request::ReadDiscreteInputs(start, count)
        | Request::ReadHoldingRegisters(start, count)
        | Request::ReadInputRegisters(start, count)) = asked.request
        else {
            return std::future::ready(Err(ExceptionCode::IllegalFunction));
        };
        let function = asked.request.function_code().value();
        std::future::ready(self.read(function, start, count).map(|words| {
            let bits = || words.iter().map(|word| *word != 0).collect();
            Some(match function {
                1 => Response::ReadCoils(bits()),
                2 => Response::ReadDiscreteInputs(bits()),
                3 => Response::ReadHoldingRegisters(words),
                _ => Response::ReadInputRegisters(words),
            })
        }))
    }
}
