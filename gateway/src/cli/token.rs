//! `fieldgate token`: what programs come in with.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use signals::Clock as _;

use crate::access::{Role, Tokens};
use crate::clock::SystemClock;

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
        /// Days after which it ends by itself.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3660))]
        days: Option<u32>,
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
        What::Add { name, role, days, data } => {
            let now = SystemClock::new().now();
            let life = |days: &u32| Duration::from_hours(24 * u64::from(*days));
            let expires = days.as_ref().map(|days| now.plus(life(days)));
            let token = Tokens::of(data).add(name, *role, (now, expires))?;
            tracing::info!("keep it in a file that only {name} can read: it is not shown again");
            writeln!(out, "{token}")?;
        }
        What::List { data } => {
            for token in Tokens::of(data).list()? {
                let (name, role, made) = (&token.name, token.role.name(), token.created);
                let ends = token.expires.map(|at| format!(", ends {at}")).unwrap_or_default();
                writeln!(out, "{name:<24} {role:<9} made {made}{ends}")?;
            }
        }
        What::Revoke { name, data } => {
            Tokens::of(data).revoke(name)?;
            tracing::info!("the token of {name} is worthless now");
        }
    }
    Ok(())
}
