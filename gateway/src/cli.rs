//! The command line: one binary, one file a command.

use clap::{Parser, Subcommand};

pub mod audit;
pub mod can;
pub mod check;
pub mod query;
pub mod run;
pub mod score;
pub mod token;
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
        if err.is::<super::run::ConfigError>() { CONFIG } else { FAILURE }
    }
}

/// Industrial gateway: Modbus and CAN into Parquet, anomaly detection, MQTT, a local page.
///
/// Examples:
///   fieldgate run --demo                        the whole gateway on a simulated plant
///   fieldgate run --config /etc/fieldgate       a real one
///   fieldgate check /etc/fieldgate              every mistake in its configuration
///   fieldgate query "SELECT * FROM pump_1s LIMIT 5" --data /var/lib/fieldgate
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
    /// Ask the lake and the journal in SQL, also while a gateway runs.
    Query(query::QueryArgs),
    /// CAN: decode recorded logs.
    Can(can::CanArgs),
    /// Run the detectors over a file as they run live.
    Score(score::ScoreArgs),
    /// Write one value to a device, through the running gateway.
    Write(write::WriteArgs),
    /// Tokens: who may write.
    Token(token::TokenArgs),
    /// The record of writes: whether it is whole.
    Audit(audit::AuditArgs),
}
