//! The binary `fieldgate`.

use std::io::IsTerminal as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command as Process, ExitCode};

use clap::Parser as _;
use gateway::cli::{
    Cli, Command, audit, can, check, config, discover, doctor, exit, export, manual, plan, query,
    read, rule, run, score, support_bundle, token, user, write,
};

fn main() -> ExitCode {
    if let Some(failed) = become_single_threaded_in_models() {
        return failed;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(err) => {
            // Help and version are no errors; they go to stdout with code 0.
            let code = if err.use_stderr() { exit::USAGE } else { 0 };
            return if err.print().is_ok() { ExitCode::from(code) } else { ExitCode::FAILURE };
        }
    };
    log_to_stderr();
    let done = match &cli.command {
        Command::Check(args) => return check::run(args),
        Command::Config(args) => config::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::SupportBundle(args) => support_bundle::run(args),
        Command::Run(args) => run::run(args),
        Command::Query(args) => query::run(args),
        Command::Export(args) => export::run(args),
        Command::Can(args) => can::run(args),
        Command::Score(args) => score::run(args),
        Command::Benchmark(args) => score::run_benchmark(args),
        Command::Write(args) => write::run(args),
        Command::ClaimCode(args) => user::claim_code(args),
        Command::User(args) => user::run(args),
        Command::Token(args) => token::run(args),
        Command::Audit(args) => audit::run(args),
        Command::Plan(args) => plan::run(args),
        Command::Read(args) => read::run(args),
        Command::Rule(args) => rule::run(args),
        Command::Discover(args) => discover::run(args),
        Command::Manual(args) => manual::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            tracing::error!("{err:#}");
            ExitCode::from(exit::code_of(&err))
        }
    }
}

/// The matrix library asks `/proc/cpuinfo` at every product unless this variable is set, and it
/// must be set before any thread exists: the process starts itself again with it.
fn become_single_threaded_in_models() -> Option<ExitCode> {
    if std::env::var_os(models::THREADS_VARIABLE).is_some() {
        return None;
    }
    let this = std::env::current_exe().ok()?;
    let mut again = Process::new(this);
    again.args(std::env::args_os().skip(1)).env(models::THREADS_VARIABLE, "1");
    // A dozen mostly sleeping threads: an arena each would hold what the start has freed.
    again.env("MALLOC_ARENA_MAX", "2");
    // Only returns when it failed; then the models complain where they are used.
    let _err = again.exec();
    None
}

fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    // The broker's library tells every packet at INFO.
    let default = "info,rumqttd=off,tokio_modbus=error";
    let filter = EnvFilter::try_from_env("FIELDGATE_LOG").unwrap_or_else(|_| default.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
