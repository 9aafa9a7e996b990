//! `fieldgate check PATH…`: every mistake of a configuration at once.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::{self, Config, LoadError, Located};

/// The file could not be read (`EX_IOERR`).
const EXIT_IO: u8 = 74;
/// The configuration has mistakes (`EX_CONFIG`).
const EXIT_CONFIG: u8 = 78;

/// Arguments of `fieldgate check`.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// Configuration files, or folders of gateway.toml and conf.d/*.toml; each is checked alone
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Open no socket: check only what the files say
    #[arg(long)]
    pub offline: bool,
    /// Print the mistakes as a JSON array
    #[arg(long)]
    pub json: bool,
}

/// Checks every path and says what is wrong, on stdout; files that cannot be read, on stderr.
///
/// Exit codes: 0 no mistake, 74 a file cannot be read, 78 at least one mistake.
#[must_use]
pub fn run(args: &CheckArgs) -> ExitCode {
    // What a file says is checked without a socket in any case; `offline` only promises it.
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    match print(args, &mut out, &mut err) {
        Ok(code) => ExitCode::from(code),
        // Whoever reads the list has closed it: nobody is left to tell.
        Err(_) => ExitCode::from(EXIT_IO),
    }
}

fn print(args: &CheckArgs, out: &mut impl Write, err: &mut impl Write) -> io::Result<u8> {
    let mut mistakes: Vec<Located> = Vec::new();
    let mut unreadable = false;
    for path in &args.paths {
        match config::load(path) {
            Ok(config) if args.json => drop(config),
            Ok(config) => writeln!(out, "{}", summary(path, &config))?,
            Err(LoadError::Mistakes(found)) => mistakes.extend(found),
            Err(problem @ (LoadError::Read { .. } | LoadError::TooLarge { .. })) => {
                unreadable = true;
                writeln!(err, "{problem}")?;
            }
        }
    }
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &mistakes)?;
        writeln!(out)?;
    } else {
        for mistake in &mistakes {
            writeln!(out, "{mistake}")?;
        }
        if !mistakes.is_empty() {
            writeln!(err, "{}", count(mistakes.len(), "mistake"))?;
        }
    }
    out.flush()?;
    Ok(match (mistakes.is_empty(), unreadable) {
        (false, _) => EXIT_CONFIG,
        (true, true) => EXIT_IO,
        (true, false) => 0,
    })
}

/// `gateway.toml: config ok: 3 devices, 41 tags, 2 buses, 1 detector, 1 uplink`
fn summary(path: &Path, config: &Config) -> String {
    let devices: usize = config.lines.iter().map(|line| line.devices.len()).sum();
    let parts = [
        count(devices, "device"),
        count(config.tags(), "tag"),
        count(config.buses.len(), "bus"),
        count(config.detectors.len(), "detector"),
        count(config.uplinks.len(), "uplink"),
    ];
    format!("{}: config ok: {}", path.display(), parts.join(", "))
}

fn count(number: usize, noun: &str) -> String {
    let plural = match (number, noun.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests;
