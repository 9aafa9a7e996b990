//! `fieldgate token`: who may write through the API.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use signals::Clock as _;

use crate::clock::SystemClock;
use crate::tokens::{Role, Tokens};

/// Arguments of `fieldgate token`.
#[derive(Args, Debug)]
pub struct TokenArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a token and show it, once.
    Add {
        /// Whose it is; audit records name it.
        #[arg(long)]
        name: String,
        /// What it may be used for.
        #[arg(long, value_enum)]
        role: Role,
        /// Folder of the gateway.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Show names and roles.
    List {
        /// Folder of the gateway.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Make a token worthless, from the next request on.
    Revoke {
        /// Whose it is.
        #[arg(long)]
        name: String,
        /// Folder of the gateway.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
}

/// Does what was asked for.
///
/// # Errors
/// When the tokens cannot be read or written.
pub fn run(args: &TokenArgs) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match &args.what {
        What::Add { name, role, data } => {
            let token = Tokens::of(data).add(name, *role, SystemClock::new().now())?;
            tracing::info!("keep it in a file that only {name} can read: it is not shown again");
            writeln!(out, "{token}")?;
        }
        What::List { data } => {
            for token in Tokens::of(data).list()? {
                let role = format!("{:?}", token.role).to_lowercase();
                writeln!(out, "{:<24} {role:<9} made {}", token.name, token.created)?;
            }
        }
        What::Revoke { name, data } => {
            Tokens::of(data).revoke(name)?;
            tracing::info!("the token of {name} is worthless now");
        }
    }
    Ok(())
}
