//! `fieldgate audit`: whether the record of writes is whole.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use pipelines_flow::disk::RealDisk;

use crate::audit;

/// Arguments of `fieldgate audit`.
#[derive(Args, Debug)]
pub struct AuditArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say whether the chain of records holds, and at which record it breaks.
    Verify {
        /// Folder of the gateway; it may be running.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
}

/// Looks through the records.
///
/// # Errors
/// When the chain is broken, or files cannot be read.
pub fn run(args: &AuditArgs) -> anyhow::Result<()> {
    let What::Verify { data } = &args.what;
    let verdict = audit::verify(data, &RealDisk).with_context(|| {
        format!("{}: the audit cannot be read; check the path and its permissions", data.display())
    })?;
    writeln!(io::stdout().lock(), "{verdict}")?;
    if verdict.broken.is_some() {
        bail!("the audit was changed");
    }
    Ok(())
}
