//! Writes recordings of simulated assets with labels: `docs/simulator.md`.
//!
//! `cargo run --release -p adapters-replay --example simulate -- plant --days 30 --out DIR`
//! `cargo run --release -p adapters-replay --example simulate -- vehicle --minutes 60 --out DIR`

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use adapters_replay::plant::Scenario;
use adapters_replay::recording::Recording;
use adapters_replay::vehicle::{Drive, Driving};
use clap::{Args, Parser, Subcommand};
use signals::Timestamp;

/// Recordings of simulated assets, with labels beside them. The same arguments give the same bytes.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    asset: Asset,
}

#[derive(Subcommand)]
enum Asset {
    /// Pump, boiler, compressor and exchanger: a CSV file each, a row a second.
    Plant(PlantArgs),
    /// A car's bus as a candump log, with its database.
    Vehicle(VehicleArgs),
}

#[derive(Args)]
struct VehicleArgs {
    /// Folder to write to; made when it is not there.
    #[arg(long)]
    out: PathBuf,
    /// Everything follows from it.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// When the drive begins, in UTC.
    #[arg(long, default_value = "2026-03-02T08:00:00Z", value_parser = moment)]
    start: Timestamp,
    /// How long it is, at most a day.
    #[arg(long, default_value_t = 60)]
    minutes: u32,
    /// How often each kind of fault and attack is wanted; 0: none.
    #[arg(long, default_value_t = 1)]
    per_kind: u32,
}

#[derive(Args)]
struct PlantArgs {
    /// Folder to write to; made when it is not there.
    #[arg(long)]
    out: PathBuf,
    /// Everything follows from it.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// When the recording begins, in UTC.
    #[arg(long, default_value = "2026-03-02T00:00:00Z", value_parser = moment)]
    start: Timestamp,
    /// How long it is.
    #[arg(long, default_value_t = 30.0)]
    days: f64,
    /// Days at the beginning without a fault; a tenth of all when left out.
    #[arg(long)]
    clean_days: Option<f64>,
    /// How often each kind of fault is wanted; 0: none.
    #[arg(long, default_value_t = 2)]
    faults_per_kind: u32,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| format!("{text} is no time; write 2026-03-02T00:00:00Z"))
}

fn days(count: f64) -> io::Result<Duration> {
    let wrong = |_| io::Error::other(format!("{count} days is no length; write a number from 0"));
    Duration::try_from_secs_f64(86_400.0 * count).map_err(wrong)
}

fn main() -> ExitCode {
    let written = match Cli::parse().asset {
        Asset::Plant(args) => plant(&args),
        Asset::Vehicle(args) => vehicle(&args),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("{err}");
            ExitCode::from(74)
        }
    }
}

fn plant(args: &PlantArgs) -> io::Result<()> {
    let mut scenario = Scenario::new(args.seed, args.start, days(args.days)?);
    scenario.faults_per_kind = args.faults_per_kind;
    if let Some(clean) = args.clean_days {
        scenario.clean = days(clean)?;
    }
    let written = Recording::new(scenario).write(|name| create(&args.out, name))?;
    let out = args.out.display();
    writeln!(io::stdout(), "{out}: {} rows a machine, {} faults", written.rows, written.faults)
}

fn vehicle(args: &VehicleArgs) -> io::Result<()> {
    let VehicleArgs { seed, start, minutes, per_kind, .. } = *args;
    let length = Duration::from_mins(u64::from(minutes));
    let driving = Driving::new(Drive { seed, start, length, per_kind });
    let written = driving.write(|name| create(&args.out, name))?;
    let (out, frames, injected) = (args.out.display(), written.frames, written.injected);
    writeln!(io::stdout(), "{out}: {frames} frames, {injected} of them not the vehicle's")
}

fn create(folder: &Path, name: &str) -> io::Result<BufWriter<File>> {
    let path = folder.join(name);
    let told = |err: io::Error| io::Error::new(err.kind(), format!("{}: {err}", path.display()));
    fs::create_dir_all(folder).map_err(told)?;
    File::create(&path).map(BufWriter::new).map_err(told)
}
