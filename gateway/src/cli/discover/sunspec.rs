//! `fieldgate discover sunspec`: a device's own models as configuration.

use std::fmt::Write as _;

use adapters_modbus::config::Transport;
use adapters_modbus::probe::{Session, place};
use adapters_modbus::sunspec::{Map, Tag};
use anyhow::bail;
use serde_json::json;
use signals::column_name;

use crate::cli::exit::UsageError;
use crate::cli::read::{PaceArgs, progress};

/// Arguments of `fieldgate discover sunspec`.
///
/// Prints [[line]] and [[device]] with a tag for every point of every model that is known, ready
/// for a configuration: names, units, scale factors, states, and what is not implemented.
#[derive(Clone, Debug, clap::Args)]
pub struct SunspecArgs {
    /// HOST[:PORT], or a place as for `fieldgate read`
    #[arg(value_name = "PLACE")]
    pub place: String,
    /// Unit id
    #[arg(long, default_value_t = 1)]
    pub unit: u8,
    /// Name of the device [default: of what it says of itself]
    #[arg(long)]
    pub name: Option<String>,
    /// Name of the line [default: the device's]
    #[arg(long)]
    pub line: Option<String>,
    /// Scan period of its tags; what never changes is read every hour
    #[arg(long, default_value = "1 s")]
    pub every: String,
    /// Registers the device gives in one answer
    #[arg(long, default_value_t = 125, value_parser = clap::value_parser!(u16).range(2..=125))]
    pub max_registers: u16,
    /// Print the models as JSON instead
    #[arg(long)]
    pub json: bool,
    /// How the device is asked
    #[command(flatten)]
    pub pace: PaceArgs,
}

/// Reads the chain of models and prints it.
///
/// # Errors
/// What is wrong or did not answer, as a sentence that says what to do.
pub(super) fn run(args: &SunspecArgs) -> anyhow::Result<()> {
    let patience = args.pace.patience()?;
    let transport = place(&args.place).map_err(|err| UsageError(err.to_string()))?;
    if let Err(problem) = signals::duration::parse(&args.every) {
        bail!(UsageError(format!("--every {}: {problem}", args.every)));
    }
    let mut session = Session::new(transport.clone(), patience);
    let map = super::super::wait_for(async {
        let told = |read: adapters_modbus::scan::Read| {
            progress(&format!("holding:{}, {} registers", read.start, read.count));
        };
        Ok(session.sunspec(args.unit, args.max_registers, told).await?)
    })?;
    progress("");
    if map.base.is_none() {
        bail!(
            "{transport} unit {}: no SunSpec map at 40000, 0 or 50000; check the unit id (often \
             1, 126 or 255), and whether SunSpec is switched on in the device",
            args.unit
        );
    }
    for remark in &map.remarks {
        super::tell(remark);
    }
    if args.json {
        return super::super::print(&format!("{}\n", serde_json::to_string_pretty(&plain(&map))?));
    }
    super::super::print(&toml(args, &transport, &map))
}

fn plain(map: &Map) -> serde_json::Value {
    let models: Vec<_> = map
        .models
        .iter()
        .map(|model| {
            json!({
                "id": model.id,
                "address": model.address,
                "length": model.length,
                "label": model.definition.as_ref().map(|definition| definition.label.as_str()),
                "registers": model.words,
            })
        })
        .collect();
    json!({
        "base": map.base,
        "manufacturer": map.common("Mn"),
        "model": map.common("Md"),
        "version": map.common("Vr"),
        "serial": map.common("SN"),
        "models": models,
        "remarks": map.remarks,
    })
}

/// The configuration; comments say what was found.
fn toml(args: &SunspecArgs, transport: &Transport, map: &Map) -> String {
    let said = |point: &str| map.common(point).unwrap_or_default();
    let own = column_name(&format!("{} {}", said("Md"), said("SN")));
    let own = if own.is_empty() { "sunspec".to_owned() } else { own };
    let name = args.name.clone().unwrap_or(own);
    let line = args.line.clone().unwrap_or_else(|| name.clone());
    let mut out = format!(
        "# {} {}, version {}, serial number {}: SunSpec at holding:{}\n",
        said("Mn"),
        said("Md"),
        said("Vr"),
        said("SN"),
        map.base.unwrap_or_default()
    );
    for model in &map.models {
        let label = model.definition.as_ref().map_or("not known, left out", |d| d.label.as_str());
        // Writing to a String cannot fail.
        let _ok = writeln!(
            out,
            "#   model {} at holding:{}, {} registers: {label}",
            model.id, model.address, model.length
        );
    }
    let _ok = writeln!(out, "\n[[line]]\nname = {}", quoted(&line));
    out.push_str(&transport_keys(transport));
    let _ok = writeln!(
        out,
        "\n[[device]]\nname = {}\nline = {}\nunit = {}\ndescription = {}\nevery = {}",
        quoted(&name),
        quoted(&line),
        args.unit,
        quoted(format!("{} {}", said("Mn"), said("Md")).trim()),
        quoted(&args.every)
    );
    if !(1..=247).contains(&args.unit) {
        out.push_str("allow_reserved_unit = true\n");
    }
    if args.max_registers < 125 {
        let _ok = writeln!(out, "max_registers = {}", args.max_registers);
    }
    for tag in map.tags() {
        let _ok = write!(out, "\n{}", Tag::to_toml(&tag));
    }
    out
}

/// The keys of `[[line]]` that lead to a place.
fn transport_keys(transport: &Transport) -> String {
    let path = |path: &std::path::Path| quoted(&path.display().to_string());
    match transport {
        Transport::Tcp { host } => format!("transport = \"tcp\"\nhost = {}\n", quoted(host)),
        Transport::RtuOverTcp { host } => {
            format!("transport = \"rtu_over_tcp\"\nhost = {}\n", quoted(host))
        }
        Transport::Tls { host, identity } => {
            let mut keys = format!(
                "transport = \"tls\"\nhost = {}\nca = {}\n",
                quoted(host),
                path(&identity.ca)
            );
            if let Some((certificate, key)) = &identity.client {
                let _ok =
                    writeln!(keys, "certificate = {}\nkey = {}", path(certificate), path(key));
            }
            if let Some(name) = &identity.server_name {
                let _ok = writeln!(keys, "server_name = {}", quoted(name));
            }
            keys
        }
        Transport::Rtu { port, serial } => {
            let parity = format!("{:?}", serial.parity).to_lowercase();
            format!(
                "transport = \"rtu\"\nport = {}\nbaud = {}\nparity = \"{parity}\"\nstop_bits = \
                 {}\n",
                path(port),
                serial.baud,
                serial.stop_bits
            )
        }
    }
}

/// A basic string of TOML: JSON's escapes are among its.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
