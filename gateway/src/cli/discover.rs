//! `fieldgate discover`: which devices answer, and what they say of themselves.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use adapters_modbus::config::{Parity, Serial, Transport};
use adapters_modbus::discover::{FoundUnit, Told, hosts, numbers, serial, tcp};
use adapters_modbus::probe::{Patience, columns, parity};
use serde::Serialize;

use super::exit::UsageError;
use super::read::{PaceArgs, progress};

mod sunspec;

/// Unit ids a device may have.
const UNITS: std::ops::RangeInclusive<u8> = 0..=255;

/// Arguments of `fieldgate discover`.
#[derive(Clone, Debug, clap::Args)]
pub struct DiscoverArgs {
    /// What to look for
    #[command(subcommand)]
    pub what: What,
}

/// What `fieldgate discover` can look for.
///
/// All of it reads only, slowly, and over one connection to a host at a time.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum What {
    /// Modbus TCP units of a host or a network
    ModbusTcp(TcpArgs),
    /// Modbus RTU units on a serial port, with its settings
    ModbusRtu(RtuArgs),
    /// The SunSpec models of a device, as configuration
    #[expect(clippy::doc_markdown, reason = "this is the help text")]
    Sunspec(sunspec::SunspecArgs),
}

/// Arguments of `fieldgate discover modbus-tcp`.
///
/// Asks each unit for one holding register, then for its identification (functions 43/14 and 17).
/// Up to 32 hosts at once, 40 new ones a second, each at --rate requests a second.
#[derive(Clone, Debug, clap::Args)]
pub struct TcpArgs {
    /// A host, an address, or a network of at most 4,096 hosts (192.168.1.0/24)
    #[arg(required = true)]
    pub hosts: Vec<String>,
    /// Port
    #[arg(long, default_value_t = 502)]
    pub port: u16,
    /// Unit ids to ask: 1-247 finds everything behind a gateway, and takes minutes
    #[arg(long, default_value = "1,255")]
    pub units: String,
    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,
    /// How devices are asked
    #[command(flatten)]
    pub pace: PaceArgs,
}

/// Arguments of `fieldgate discover modbus-rtu`.
///
/// Tries every combination of baud and parity until units answer under one. No other program may
/// use the port, and no other master the line.
#[derive(Clone, Debug, clap::Args)]
pub struct RtuArgs {
    /// Serial port: /dev/ttyUSB0
    pub port: PathBuf,
    /// Bauds to try
    #[arg(long, default_value = "19200,9600,38400,115200")]
    pub bauds: String,
    /// Parities to try
    #[arg(long, default_value = "even,none,odd")]
    pub parities: String,
    /// Unit ids to ask
    #[arg(long, default_value = "1-247")]
    pub units: String,
    /// Try all combinations although units have answered under one
    #[arg(long)]
    pub all: bool,
    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,
    /// How long to wait for an answer, in milliseconds
    #[arg(long, default_value_t = 200, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub timeout: u64,
}

/// A unit and where it answered.
#[derive(Debug, Serialize)]
struct Row {
    place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<String>,
    #[serde(flatten)]
    found: FoundUnit,
}

/// Runs `fieldgate discover …`; Ctrl-C ends it with what was found so far.
///
/// # Errors
/// What is wrong or could not be opened, as a sentence that says what to do.
pub fn run(args: &DiscoverArgs) -> anyhow::Result<()> {
    match &args.what {
        What::ModbusTcp(args) => over_tcp(args),
        What::ModbusRtu(args) => over_serial(args),
        What::Sunspec(args) => sunspec::run(args),
    }
}

fn over_tcp(args: &TcpArgs) -> anyhow::Result<()> {
    let patience = args.pace.patience()?;
    let units = units(&args.units)?;
    let mut transports = Vec::new();
    for text in &args.hosts {
        let hosts = hosts(text).map_err(|err| UsageError(err.to_string()))?;
        let with_port = |host: String| Transport::Tcp { host: format!("{host}:{}", args.port) };
        transports.extend(hosts.into_iter().map(with_port));
    }
    let count = transports.len();
    let silent = patience.connect_timeout * u32::try_from(count.div_ceil(32)).unwrap_or(u32::MAX);
    tell(&format!(
        "{count} hosts, {} units each, at most {} requests a second to a host; a network where \
         nothing answers takes {} s; Ctrl-C ends it",
        units.len(),
        args.pace.rate,
        silent.as_secs().max(1)
    ));
    let mut rows = Vec::new();
    let (mut done, mut open) = (0, 0);
    let stopped = super::wait_or_stop(tcp(transports, units, patience, |told| {
        match told {
            Told::Found { place, unit } => rows.push(Row { place, settings: None, found: unit }),
            Told::Done { is_open, .. } => {
                done += 1;
                open += usize::from(is_open);
            }
            Told::Asking { .. } => {}
        }
        progress(&format!("{done} of {count} hosts, {open} open, {} units", rows.len()));
    }))?;
    progress("");
    tell(&format!("{done} of {count} hosts asked, {open} have an open port"));
    finish(&rows, args.json, stopped.is_none())
}

fn over_serial(args: &RtuArgs) -> anyhow::Result<()> {
    let units = units(&args.units)?;
    let bauds: Vec<u32> = numbers(&args.bauds, 300..=4_000_000_u32)
        .map_err(|err| UsageError(format!("--bauds: {err}")))?;
    let parities = parities(&args.parities)?;
    let patience = Patience {
        timeout: Duration::from_millis(args.timeout),
        pace: Duration::ZERO,
        ..Patience::default()
    };
    let combinations: Vec<Serial> = bauds
        .iter()
        .flat_map(|baud| parities.iter().map(|parity| settings(*baud, *parity)))
        .collect();
    let longest = patience.timeout * u32::try_from(combinations.len() * units.len())?;
    tell(&format!(
        "{} settings, {} units each; at most {} s; Ctrl-C ends it",
        combinations.len(),
        units.len(),
        longest.as_secs()
    ));
    let mut rows: Vec<Row> = Vec::new();
    let stopped = super::wait_or_stop(async {
        for serial_settings in combinations {
            let shown = show(serial_settings);
            let transport = Transport::Rtu { port: args.port.clone(), serial: serial_settings };
            let found = serial(transport, units.clone(), patience, |told| match told {
                Told::Asking { place, unit } => {
                    progress(&format!("{place} {shown}, unit {unit}, {} found", rows.len()));
                }
                Told::Found { place, unit } => {
                    rows.push(Row { place, settings: Some(shown.clone()), found: unit });
                }
                Told::Done { .. } => {}
            });
            if found.await? > 0 && !args.all {
                break;
            }
        }
        anyhow::Ok(())
    })?;
    progress("");
    match stopped {
        None => finish(&rows, args.json, true),
        Some(done) => {
            done?;
            finish(&rows, args.json, false)
        }
    }
}

fn units(text: &str) -> Result<Vec<u8>, UsageError> {
    numbers(text, UNITS).map_err(|err| UsageError(format!("--units: {err}")))
}

fn parities(text: &str) -> Result<Vec<Parity>, UsageError> {
    let wrong = || UsageError(format!("--parities {text}: give none, even, odd or several"));
    text.split(',').map(|part| parity(part.trim()).ok_or_else(wrong)).collect()
}

fn settings(baud: u32, parity: Parity) -> Serial {
    // Without parity its place is a second stop bit (Serial Line V1.02, clause 2.5.1); receivers
    // that want one stop bit take two for a pause.
    let stop_bits = if parity == Parity::None { 2 } else { 1 };
    Serial { baud, parity, stop_bits, ..Serial::default() }
}

/// `19200 8E1`.
fn show(serial: Serial) -> String {
    let parity = match serial.parity {
        Parity::None => 'N',
        Parity::Even => 'E',
        Parity::Odd => 'O',
    };
    format!("{} {}{parity}{}", serial.baud, serial.data_bits, serial.stop_bits)
}

/// Prints what was found; a search that was stopped ends as one.
fn finish(rows: &[Row], json: bool, was_stopped: bool) -> anyhow::Result<()> {
    if json {
        super::print(&format!("{}\n", serde_json::to_string_pretty(rows)?))?;
    } else {
        let titles = ["place", "settings", "unit", "answer", "identification"];
        let mut table = vec![titles.map(str::to_owned).to_vec()];
        table.extend(rows.iter().map(cells));
        super::print(&columns(&table))?;
    }
    tell(&format!("{} units answer", rows.len()));
    if was_stopped {
        anyhow::bail!("stopped before everything was asked");
    }
    Ok(())
}

fn cells(row: &Row) -> Vec<String> {
    let said = row.found.identification.iter().map(|(key, text)| format!("{key} {text}"));
    let server = row.found.server_id.iter().map(|id| format!("server id {id}"));
    vec![
        row.place.clone(),
        row.settings.clone().unwrap_or_default(),
        row.found.unit.to_string(),
        row.found.evidence.clone(),
        said.chain(server).collect::<Vec<_>>().join(", "),
    ]
}

/// A line for people, beside the result.
fn tell(text: &str) {
    // Nobody is left to tell when it fails.
    let _gone = writeln!(io::stderr().lock(), "{text}");
}
