//! The command line: one binary, one file a command.

use std::future::Future;
use std::io::{self, Write as _};

use arrow_cast::parse::string_to_timestamp_nanos;
use clap::{Parser, Subcommand};
use signals::Timestamp;

pub mod audit;
pub mod can;
pub mod check;
pub mod config;
pub mod discover;
pub mod doctor;
pub mod export;
mod finding;
pub mod manual;
pub mod plan;
pub mod query;
pub mod read;
pub mod rule;
pub mod run;
pub mod score;
pub mod support_bundle;
pub mod token;
pub mod user;
pub mod write;

/// Exit codes, after sysexits.
pub mod exit {
    /// Something failed that is no fault of the input.
    pub const FAILURE: u8 = 1;
    /// The command line is wrong.
    pub const USAGE: u8 = 64;
    /// The configuration is wrong.
    pub const CONFIG: u8 = 78;

    /// The code for an error.
    #[must_use]
    pub fn code_of(err: &anyhow::Error) -> u8 {
        if err.is::<super::run::ConfigError>() {
            CONFIG
        } else if err.is::<UsageError>() {
            USAGE
        } else {
            FAILURE
        }
    }

    /// A command line whose values cannot be meant; says what to write.
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    pub struct UsageError(pub String);
}

/// Industrial gateway: Modbus and CAN into Parquet, anomaly detection, MQTT, a local page.
///
/// Examples:
///   fieldgate run --demo                        the whole gateway on a simulated plant
///   fieldgate run --config /etc/fieldgate       a real one
///   fieldgate check /etc/fieldgate              every mistake in its configuration
///   fieldgate read tcp://10.0.0.5 --unit 3 input:42 --count 4
///   fieldgate discover modbus-tcp 10.0.0.0/24
///   fieldgate query "SELECT * FROM pump_1s LIMIT 5" --data /var/lib/fieldgate
///   fieldgate export 'pump_*' --data /var/lib/fieldgate --out pumps --from 2026-11-16
#[expect(clippy::doc_markdown, reason = "the examples are for copying")]
#[derive(Debug, Parser)]
#[command(name = "fieldgate", version, verbatim_doc_comment, subcommand_required = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway until it is told to stop (SIGTERM or Ctrl-C).
    Run(run::RunArgs),
    /// Say everything that is wrong in a configuration, and what to do about it.
    Check(check::CheckArgs),
    /// Configurations taken before: what changed when, what a change would do, the way back.
    Config(config::ConfigArgs),
    /// Look at a gateway and its machine: what is wrong, and what to do about it.
    Doctor(doctor::DoctorArgs),
    /// Write what somebody who helps needs to see into one file, without secrets.
    SupportBundle(support_bundle::SupportBundleArgs),
    /// Ask the lake and the journal in SQL, also while a gateway runs.
    Query(query::QueryArgs),
    /// Write a chosen part of the lake and the journal into files, also while a gateway runs.
    Export(export::ExportArgs),
    /// CAN: decode recorded logs.
    Can(can::CanArgs),
    /// Run the detectors over a file as they run live.
    Score(score::ScoreArgs),
    /// Run the detectors over a public set of labelled recordings, and say what they are worth.
    Benchmark(score::BenchmarkArgs),
    /// Write one value to a device, through the running gateway.
    Write(write::WriteArgs),
    /// Show the code that claims a new gateway at its page.
    ClaimCode(user::ClaimCodeArgs),
    /// Users: who logs in at the page.
    User(user::UserArgs),
    /// Tokens: what programs come in with.
    Token(token::TokenArgs),
    /// Security: what of this gateway is open to others, and whether its records are whole.
    Audit(audit::AuditArgs),
    /// Say what a configuration will ask of its lines, without asking.
    Plan(plan::PlanArgs),
    /// Read registers of a device under every decoding, or look for a value in them.
    Read(read::ReadArgs),
    /// Rules: what they would have done with the past.
    Rule(rule::RuleArgs),
    /// Find Modbus devices, and what they say of themselves.
    Discover(discover::DiscoverArgs),
    /// Write the manual pages and the completions of shells: for whoever makes a package.
    Manual(manual::ManualArgs),
}

/// Waits for work that asks devices; Ctrl-C ends it.
fn wait_for<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    match wait_or_stop(work)? {
        Some(done) => done,
        None => anyhow::bail!("stopped"),
    }
}

/// Waits for work; `None` when Ctrl-C came first. Connections are closed either way.
fn wait_or_stop<T>(work: impl Future<Output = T>) -> anyhow::Result<Option<T>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => None,
            done = work => Some(done),
        }
    });
    // A name server that does not answer must not hold up the end.
    runtime.shutdown_background();
    Ok(done)
}

/// Writes a result to stdout.
fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(err) if err.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

/// The moment of an argument, UTC where it names no zone.
pub(crate) fn time(
    argument: &str,
    text: Option<&str>,
    mistakes: &mut Vec<String>,
) -> Option<Timestamp> {
    let text = text?;
    if let Ok(nanos) = string_to_timestamp_nanos(text.trim()) {
        return Some(Timestamp::from_micros(nanos.div_euclid(1_000)));
    }
    mistakes.push(format!(
        "{argument}: \"{text}\" is no time; write for example 2026-11-23, 2026-11-23T10:30:00Z or \
         2026-11-23T11:30:00+01:00"
    ));
    None
}
