//! `fieldgate user` and `fieldgate claim-code`: who logs in at the page. For whoever may write the
//! gateway's folder; a running gateway follows at once.

use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use signals::Clock as _;

use crate::access::{ClaimCode, Role, Users};
use crate::clock::SystemClock;

/// Options of `fieldgate claim-code`.
///
/// Examples:
///   sudo -u fieldgate fieldgate claim-code --data /var/lib/fieldgate
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct ClaimCodeArgs {
    /// Folder of the gateway.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// Options of `fieldgate user`.
///
/// Examples:
///   fieldgate user add --name eva --role admin --password-file - --data /var/lib/fieldgate
///   fieldgate user list --data /var/lib/fieldgate
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct UserArgs {
    #[command(subcommand)]
    what: What,
    /// Folder of the gateway.
    #[arg(long, value_name = "DIR", global = true, default_value = "/var/lib/fieldgate")]
    data: PathBuf,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a user.
    Add {
        /// The name; audit records have it.
        #[arg(long)]
        name: String,
        /// What they may.
        #[arg(long, value_enum)]
        role: Role,
        /// File with the password as its first line; - for standard input.
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
    },
    /// Show names and roles.
    List,
    /// Give a user another role.
    Role {
        /// Whose.
        #[arg(long)]
        name: String,
        /// What they may from now on.
        #[arg(long, value_enum)]
        role: Role,
    },
    /// Give a user another password; their sessions end.
    Password {
        /// Whose.
        #[arg(long)]
        name: String,
        /// File with the password as its first line; - for standard input.
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
    },
    /// Take a user away; their sessions end.
    Remove {
        /// Whom.
        #[arg(long)]
        name: String,
    },
}

/// Shows the code that claims the gateway.
///
/// # Errors
/// When it is claimed already, or files cannot be read or written.
pub fn claim_code(args: &ClaimCodeArgs) -> anyhow::Result<()> {
    let data = &args.data;
    if Users::of(data).is_claimed()? {
        bail!("{}: the gateway is claimed; `fieldgate user list` names its admins", data.display());
    }
    if !data.is_dir() {
        bail!("{}: there is no such folder; give the gateway's --data", data.display());
    }
    super::print(&format!("{}\n", ClaimCode::of(data).current()?))
}

/// Does what was asked for.
///
/// # Errors
/// When users cannot be read or written, or a password is too weak.
pub fn run(args: &UserArgs) -> anyhow::Result<()> {
    let users = Users::of(&args.data);
    match &args.what {
        What::Add { name, role, password_file } => {
            let at = (&*password(password_file)?, SystemClock::new().now());
            users.add(name, *role, at)?;
            tracing::info!("{name} may log in, as {}", role.name());
        }
        What::List => {
            let mut out = io::stdout().lock();
            for user in users.list()? {
                let role = user.role.name();
                writeln!(out, "{:<24} {role:<9} made {}", user.name, user.created)?;
            }
        }
        What::Role { name, role } => {
            users.set_role(name, *role)?;
            tracing::info!("{name} is {} now", role.name());
        }
        What::Password { name, password_file } => {
            users.set_password(name, &password(password_file)?)?;
            tracing::info!("{name} has another password; sessions with the old one have ended");
        }
        What::Remove { name } => {
            users.remove(name)?;
            tracing::info!("{name} may no longer log in");
        }
    }
    Ok(())
}

/// Never on the command line, where every process of the machine can read it.
fn password(file: &Path) -> anyhow::Result<String> {
    let mut line = String::new();
    if file == Path::new("-") {
        io::stdin().lock().read_line(&mut line)?;
    } else {
        let opened = std::fs::File::open(file).with_context(|| {
            format!("{}: cannot be read; check that it is there and readable", file.display())
        })?;
        io::BufReader::new(opened).read_line(&mut line)?;
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
