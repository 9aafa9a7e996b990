//! `fieldgate read`: registers of a device under every decoding, or the tags of a configured one.

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::time::Duration;

use adapters_modbus::area::{Address, AddressStyle};
use adapters_modbus::decode::{Order, RegisterType};
use adapters_modbus::probe::{
    Block, Decoding, Hit, Patience, Session, Sweep, Wanted, columns, hits, place,
};
use adapters_modbus::scan::Read;
use anyhow::{Context as _, bail};
use serde_json::json;

use super::exit::UsageError;

mod configured;

/// Registers and bits in one answer (Modbus Application Protocol V1.1b3, clauses 6.1 and 6.3).
const REGISTERS_MAX: u16 = 125;
const BITS_MAX: u16 = 2000;
/// Requests of one search: at the default pace a quarter of an hour.
const REQUESTS_MAX: u32 = 4000;
/// Readings of a search that are shown.
const HITS_SHOWN: usize = 200;

/// Arguments of `fieldgate read`.
///
/// Examples:
///   fieldgate read tcp://10.0.0.5 --unit 3 input:42 --count 4
///   fieldgate read rtu:///dev/ttyUSB0?baud=9600 --unit 17 40001 --type f32 --order CDAB
///   fieldgate read tcp://10.0.0.5 input:0 --count 2000 --find 23.5
///   fieldgate read --config gateway.toml drive.flow
#[expect(clippy::doc_markdown, reason = "the examples are for copying")]
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct ReadArgs {
    /// Where the device is (tcp://HOST[:PORT], rtu:///dev/ttyUSB0?baud=9600&parity=even,
    /// rtu+tcp://HOST:PORT, tls://HOST?ca=FILE); with --config the name of a device, or DEVICE.TAG
    #[arg(value_name = "PLACE")]
    pub place: String,
    /// First address: input:42, holding:0, coil:3, discrete:5, or a Modicon number (30043)
    #[arg(value_name = "ADDRESS", required_unless_present = "config", conflicts_with = "config")]
    pub address: Option<String>,
    /// Configuration the device stands in: a file, or a folder
    #[arg(long, value_name = "PATH", conflicts_with_all = ["unit", "count", "kind", "order", "find"])]
    pub config: Option<PathBuf>,
    /// Unit id; directly connected TCP devices often want 255 or 1
    #[arg(long, default_value_t = 1)]
    pub unit: u8,
    /// Registers or bits to read [default: what --type takes, else 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub count: Option<u32>,
    /// Read the registers as values of this type only: u16, f32, string …
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "find")]
    pub kind: Option<String>,
    /// Order of the bytes for --type: ABCD, CDAB, BADC or DCBA
    #[arg(long, default_value = "ABCD", requires = "kind")]
    pub order: String,
    /// Look for this number under every decoding, as exactly as it is written
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub find: Option<String>,
    /// How far a reading may lie from --find [default: half of its last digit]
    #[arg(long, requires = "find")]
    pub tolerance: Option<f64>,
    /// Registers the device gives in one answer
    #[arg(long, default_value_t = REGISTERS_MAX, value_parser = clap::value_parser!(u16).range(1..=125))]
    pub max_registers: u16,
    /// Print as JSON: registers, or the tags of a configured device
    #[arg(long, conflicts_with = "find")]
    pub json: bool,
    /// How the device is asked
    #[command(flatten)]
    pub pace: PaceArgs,
}

/// How patiently and how fast devices are asked.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct PaceArgs {
    /// How long to wait for an answer, in milliseconds
    #[arg(long, default_value_t = 1000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub timeout: u64,
    /// Requests a second at most to one device
    #[arg(long, default_value_t = 4.0, value_name = "N")]
    pub rate: f64,
}

impl PaceArgs {
    /// # Errors
    /// A rate that is no rate.
    pub(super) fn patience(self) -> anyhow::Result<Patience> {
        if !(0.01..=1000.0).contains(&self.rate) {
            bail!(UsageError(format!("--rate {}: give 0.01 to 1000 requests a second", self.rate)));
        }
        Ok(Patience {
            timeout: Duration::from_millis(self.timeout),
            pace: Duration::from_secs_f64(1.0 / self.rate),
            ..Patience::default()
        })
    }
}

/// Reads and prints on stdout.
///
/// # Errors
/// What is wrong or did not answer, as a sentence that says what to do.
pub fn run(args: &ReadArgs) -> anyhow::Result<()> {
    let patience = args.pace.patience()?;
    let text = super::wait_for(async {
        if let Some(config) = &args.config {
            return configured::read(config, &args.place, (patience, args.json)).await;
        }
        let address = address(args.address.as_deref().unwrap_or_default())?;
        let transport = place(&args.place).map_err(|err| UsageError(err.to_string()))?;
        let session = Session::new(transport, patience);
        let mut asked = Asked { args, session, address };
        match &args.find {
            Some(number) => asked.find(number).await,
            None => asked.read().await,
        }
    })?;
    super::print(&text)
}

/// An address in either style: `input:42` or `30043`.
fn address(text: &str) -> Result<Address, UsageError> {
    let style = if text.contains(':') { AddressStyle::Protocol } else { AddressStyle::Modicon };
    Address::parse(text, style).map_err(|(problem, remedy)| {
        UsageError(format!("{problem}; {remedy}").replace(
            ", or set address_style = \"protocol\"",
            ", or area and 0-based address: input:42",
        ))
    })
}

struct Asked<'a> {
    args: &'a ReadArgs,
    session: Session,
    address: Address,
}

impl Asked<'_> {
    async fn read(&mut self) -> anyhow::Result<String> {
        let kind = self.args.kind.as_deref().map(kind).transpose()?;
        let order = Order::named(&self.args.order)
            .ok_or_else(|| UsageError("--order: give ABCD, CDAB, BADC or DCBA".to_owned()))?;
        let words_of = |kind: RegisterType| u32::from(kind.words()).max(1);
        let count = self.args.count.unwrap_or_else(|| kind.map_or(1, words_of));
        let words = self.words(count).await?;
        if self.args.json {
            let start = self.address.to_string();
            return Ok(format!("{}\n", json!({ "address": start, "registers": words })));
        }
        let block = Block { start: self.address, words: &words };
        let title = format!(
            "{} unit {}: {} ({}), {count} {}\n\n",
            self.session.transport(),
            self.args.unit,
            self.address,
            self.address.show(AddressStyle::Modicon),
            if self.address.area.holds_bits() { "bits" } else { "registers" },
        );
        Ok(title + &kind.map_or_else(|| block.show(), |kind| values(block, kind, order)))
    }

    /// Reads a run of any length in as many requests as it takes.
    async fn words(&mut self, count: u32) -> anyhow::Result<Vec<u16>> {
        if u32::from(self.address.offset) + count > 1 << 16 {
            bail!(UsageError(format!(
                "--count {count} from {} leads behind address 65535; give {} or less",
                self.address,
                (1 << 16) - u32::from(self.address.offset)
            )));
        }
        let mut words = Vec::new();
        let mut sweep = Sweep::new(self.address, count, self.count_max(), u32::MAX);
        while let Some(read) = sweep.next() {
            let part = self.session.read(self.args.unit, read).await?;
            sweep.answer(Ok(&part));
            words.extend(part);
        }
        Ok(words)
    }

    async fn find(&mut self, number: &str) -> anyhow::Result<String> {
        let mut wanted = Wanted::parse(number).map_err(UsageError)?;
        if let Some(tolerance) = self.args.tolerance {
            if !(tolerance >= 0.0 && tolerance.is_finite()) {
                bail!(UsageError(format!("--tolerance {tolerance}: give 0 or more")));
            }
            wanted.tolerance = tolerance;
        }
        let count = self.args.count.unwrap_or(1000);
        let mut sweep = Sweep::new(self.address, count, self.count_max(), REQUESTS_MAX);
        let mut asked = 0;
        while let Some(read) = sweep.next() {
            asked += 1;
            progress(&format!("{} {}:{}, request {asked}", number, read.area.name(), read.start));
            match self.session.read(self.args.unit, read).await {
                Ok(words) => sweep.answer(Ok(&words)),
                Err(err) => match err.fault() {
                    Some(fault) if is_refusal(&err) => sweep.answer(Err(fault)),
                    Some(_) | None => return Err(err.into()),
                },
            }
        }
        progress("");
        let found: Vec<Hit> =
            sweep.runs().iter().flat_map(|run| hits(run.start, &run.words, wanted)).collect();
        let read: usize = sweep.runs().iter().map(|run| run.words.len()).sum();
        let searched = format!(
            "{read} read, {} not there, {} not asked for, in {asked} requests",
            sweep.holes(),
            sweep.left()
        );
        if found.is_empty() {
            bail!(
                "no reading gives {number} ± {} ({searched}); look in another area or range, or \
                 widen --tolerance",
                wanted.tolerance
            );
        }
        Ok(format!("{}\n{searched}\n", shown(&found)))
    }

    fn count_max(&self) -> u16 {
        if self.address.area.holds_bits() { BITS_MAX } else { self.args.max_registers }
    }
}

fn is_refusal(err: &adapters_modbus::probe::SessionError) -> bool {
    matches!(err.fault(), Some(adapters_modbus::wire::Fault::Exception(1..=4)))
}

fn kind(text: &str) -> Result<RegisterType, UsageError> {
    RegisterType::named(text).or_else(|| RegisterType::known_elsewhere_as(text)).ok_or_else(|| {
        let all: Vec<&str> = RegisterType::ALL.iter().map(|kind| kind.name()).collect();
        UsageError(format!("there is no type \"{text}\"; there are {}", all.join(", ")))
    })
}

/// The registers as values of one type, one behind the other.
fn values(block: Block<'_>, kind: RegisterType, order: Order) -> String {
    let mut rows =
        vec![["address", "modicon", "type", "order", "value"].map(str::to_owned).to_vec()];
    let step = usize::from(kind.words());
    let step = if step == 0 { block.words.len().max(1) } else { step };
    let offsets = (block.start.offset..=u16::MAX).step_by(step);
    for (offset, words) in offsets.zip(block.words.chunks(step)) {
        let address = Address { offset, ..block.start };
        let decoding = Decoding::of(kind, order, address, words);
        let none = "too few registers".to_owned();
        let text = decoding.map_or(none, |d| d.text.unwrap_or_else(|| "no such value".to_owned()));
        let modicon = address.show(AddressStyle::Modicon);
        let kind = kind.name().to_owned();
        rows.push(vec![address.to_string(), modicon, kind, order.name().to_owned(), text]);
    }
    columns(&rows)
}

fn shown(found: &[Hit]) -> String {
    let titles = ["address", "modicon", "type", "order", "in the registers", "scale"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for hit in found.iter().take(HITS_SHOWN) {
        let kinds: Vec<&str> = hit.kinds.iter().map(|kind| kind.name()).collect();
        let scale = match hit.power {
            0 => String::new(),
            power if power < 0 => format!("× {}", 1.0 / 10_f64.powi(-power)),
            power => format!("× {}", 10_f64.powi(power)),
        };
        rows.push(vec![
            hit.address.to_string(),
            hit.address.show(AddressStyle::Modicon),
            kinds.join(" "),
            hit.order.name().to_owned(),
            hit.raw.to_string(),
            scale,
        ]);
    }
    let more = found.len().saturating_sub(HITS_SHOWN);
    let told = if more > 0 { format!("… and {more} more\n") } else { String::new() };
    columns(&rows) + &told
}

/// A line that replaces itself, for people only.
pub(super) fn progress(text: &str) {
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        // Nobody is left to tell when it fails.
        let _gone = write!(err, "\r\x1b[K{text}").and_then(|()| err.flush());
    }
}

/// Reads `read` once, for the commands that ask configured devices.
async fn ask(session: &mut Session, unit: u8, read: Read) -> anyhow::Result<Vec<u16>> {
    session.read(unit, read).await.context("read")
}
