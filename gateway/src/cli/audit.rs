//! `fieldgate audit`: what is open to others, and whether the record of who did what is whole.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use pipelines_flow::disk::RealDisk;

use crate::audit;

mod security;
mod sockets;

/// Arguments of `fieldgate audit`.
#[derive(Args, Debug)]
pub struct AuditArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Look for what weakens this gateway: settings, accounts, tokens, certificates, ports; say
    /// what to do about each.
    Security(security::SecurityArgs),
    /// Say whether the chain of records holds, and at which record it breaks.
    Verify {
        /// Folder of the gateway; it may be running.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
}

/// Looks.
///
/// # Errors
/// When something is wrong, the chain is broken, or files cannot be read.
pub fn run(args: &AuditArgs) -> anyhow::Result<()> {
    let data = match &args.what {
        What::Security(args) => return security::run(args),
        What::Verify { data } => data,
    };
    let verdict = audit::verify(data, &RealDisk).with_context(|| {
        format!("{}: the audit cannot be read; check the path and its permissions", data.display())
    })?;
    writeln!(io::stdout().lock(), "{verdict}")?;
    if verdict.broken.is_some() {
        bail!("the audit was changed");
    }
    Ok(())
}
