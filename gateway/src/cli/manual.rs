//! `fieldgate manual`: manual pages and completions, made from what the command line accepts, so
//! that they never say anything else.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

/// Shells whose completions packages carry.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Options of `fieldgate manual`.
#[derive(Args, Debug)]
pub struct ManualArgs {
    /// Folder that gets `man` and `completions`; made where it is not there
    #[arg(value_name = "DIR")]
    out: PathBuf,
}

/// Writes them.
///
/// # Errors
/// When the folder cannot be written.
pub fn run(args: &ManualArgs) -> anyhow::Result<()> {
    write(&args.out)
        .with_context(|| format!("{}: cannot be written; check the path", args.out.display()))
}

fn write(out: &Path) -> anyhow::Result<()> {
    let (man, completions) = (out.join("man"), out.join("completions"));
    std::fs::create_dir_all(&man)?;
    std::fs::create_dir_all(&completions)?;
    clap_mangen::generate_to(super::Cli::command(), &man)?;
    let mut command = super::Cli::command();
    for shell in SHELLS {
        let _path = clap_complete::generate_to(shell, &mut command, "fieldgate", &completions)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Names of a command and of all below it, joined as their pages are called.
    fn names(command: &clap::Command, before: &str, found: &mut BTreeSet<String>) {
        let name = format!("{before}{}", command.get_name());
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            names(below, &format!("{name}-"), found);
        }
        found.insert(name);
    }

    #[test]
    fn every_command_has_a_page_that_describes_it_and_every_shell_knows_it() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let mut wanted = BTreeSet::new();
        names(&super::super::Cli::command(), "", &mut wanted);
        for name in &wanted {
            let path = folder.path().join(format!("man/{name}.1"));
            let page = std::fs::read_to_string(&path).unwrap_or_else(|err| panic!("{name}: {err}"));
            assert!(page.contains(".SH SYNOPSIS") && page.contains(".SH DESCRIPTION"), "{name}");
        }
        for name in ["fieldgate.bash", "_fieldgate", "fieldgate.fish"] {
            let path = folder.path().join("completions").join(name);
            let script = std::fs::read_to_string(path).unwrap();
            for command in ["doctor", "claim-code", "support-bundle"] {
                assert!(script.contains(command), "{name}: {command}");
            }
        }
    }
}
