//! `fieldgate config`: what changed when, what a change would do, and the way back.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use similar::TextDiff;

use super::exit::UsageError;
use super::run::ConfigError;
use crate::config::{self, Config, ConfigText, LoadError};
use crate::reload::Effect;
use crate::revisions::{Revision, Revisions};

/// Arguments of `fieldgate config`.
#[derive(Args, Debug)]
pub struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The configurations that this gateway has taken, newest last.
    History {
        /// Folder of the gateway.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Print a JSON array, with the files
        #[arg(long)]
        json: bool,
    },
    /// One of them, as it was.
    Show {
        /// Its number in the history
        number: u64,
        /// Folder of the gateway.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// What a configuration changes: in its lines, and in the gateway when it is read again.
    Diff {
        /// Number in the history to start from; the newest when there is none
        number: Option<u64>,
        /// The configuration: a file, or a folder of gateway.toml and conf.d/*.toml
        #[arg(long, value_name = "PATH")]
        config: PathBuf,
        /// Folder of the gateway.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Put one of them back in place of the configuration, as it was, all files or none.
    Rollback {
        /// Its number in the history
        number: u64,
        /// The configuration: a file, or a folder of gateway.toml and conf.d/*.toml
        #[arg(long, value_name = "PATH")]
        config: PathBuf,
        /// Folder of the gateway.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
}

/// Does what was asked for.
///
/// # Errors
/// When there is no such revision, a configuration has mistakes, or files cannot be read or
/// written.
pub fn run(args: &ConfigArgs) -> anyhow::Result<()> {
    match &args.what {
        What::History { data, json } => history(&Revisions::of(data), *json),
        What::Show { number, data } => {
            let revision = revision(&Revisions::of(data), *number)?;
            let mut out = String::new();
            for file in &revision.files {
                let text = file.text.trim_end();
                let _ok = writeln!(out, "# ---- {}\n{text}\n", file.name);
            }
            super::print(&out)
        }
        What::Diff { number, config, data } => {
            let kept = Revisions::of(data);
            let from = match number {
                Some(number) => revision(&kept, *number)?,
                None => newest(&kept, data)?,
            };
            let (new, texts) = config::load_with_text(config).map_err(ConfigError)?;
            super::print(&difference(&from.files, &texts))?;
            super::print(&effect(&from, config, &new))
        }
        What::Rollback { number, config, data } => {
            let kept = Revisions::of(data);
            let back = revision(&kept, *number)?;
            let base = config::base_of(config);
            let new = config::of_texts(&back.files, &base)
                .map_err(|mistakes| ConfigError(LoadError::Mistakes(mistakes)))
                .context("that revision cannot be used any more; nothing was changed")?;
            let told = newest(&kept, data).map(|runs| effect(&runs, config, &new))?;
            config::put_back(config, &back.files).with_context(|| {
                format!("{}: cannot be written; check the permissions", config.display())
            })?;
            super::print(&told)?;
            super::print("It is in place. Take it: systemctl reload fieldgate (or kill -HUP).\n")
        }
    }
}

fn history(kept: &Revisions, json: bool) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for number in kept.numbers()? {
        match kept.read(number) {
            Ok(revision) => all.extend(revision),
            Err(err) => tracing::warn!("revision {number} is left out: {err}"),
        }
    }
    if json {
        return super::print(&format!("{}\n", serde_json::to_string_pretty(&all)?));
    }
    let mut out = String::new();
    for (place, one) in all.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|before| all.get(before));
        let (added, removed) = before.map_or((0, 0), |before| lines(&before.files, &one.files));
        let occasion = serde_json::to_value(one.occasion)?;
        let occasion = occasion.as_str().unwrap_or_default();
        let (number, at, sum) = (one.number, one.at, one.sha256.get(..8).unwrap_or_default());
        let _ok =
            writeln!(out, "{number:>5}  {at}  {occasion:<6}  {sum}  +{added} -{removed} lines");
    }
    super::print(&out)
}

fn revision(kept: &Revisions, number: u64) -> anyhow::Result<Revision> {
    let told = || format!("revision {number} cannot be read");
    if let Some(revision) = kept.read(number).with_context(told)? {
        return Ok(revision);
    }
    let numbers = kept.numbers()?;
    let there = match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) => format!("there are {first} to {last}"),
        _ => "there are none: has the gateway run with this --data?".to_owned(),
    };
    Err(UsageError(format!("there is no revision {number}; {there}")).into())
}

/// What the gateway runs with, or ran with last.
fn newest(kept: &Revisions, data: &Path) -> anyhow::Result<Revision> {
    match kept.numbers()?.last() {
        Some(number) => revision(kept, *number),
        None => bail!(
            "{}: no configuration was taken there yet; check --data, or start the gateway once",
            data.display()
        ),
    }
}

/// Files by name, of both.
fn pairs<'a>(
    old: &'a [ConfigText],
    new: &'a [ConfigText],
) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
    let text = |of: &'a [ConfigText], name: &str| {
        of.iter().find(|file| file.name == name).map_or("", |file| file.text.as_str())
    };
    let gone = old.iter().filter(|file| new.iter().all(|one| one.name != file.name));
    let names = new.iter().chain(gone).map(|file| file.name.as_str());
    names.map(move |name| (name, text(old, name), text(new, name)))
}

fn difference(old: &[ConfigText], new: &[ConfigText]) -> String {
    let of = |(name, before, after)| {
        TextDiff::from_lines(before, after).unified_diff().header(name, name).to_string()
    };
    pairs(old, new).filter(|(_, before, after)| before != after).map(of).collect()
}

/// Lines that came, and lines that went.
fn lines(old: &[ConfigText], new: &[ConfigText]) -> (usize, usize) {
    let mut count = (0, 0);
    for (_, before, after) in pairs(old, new) {
        for change in TextDiff::from_lines(before, after).iter_all_changes() {
            match change.tag() {
                similar::ChangeTag::Insert => count.0 += 1,
                similar::ChangeTag::Delete => count.1 += 1,
                similar::ChangeTag::Equal => {}
            }
        }
    }
    count
}

/// What taking `new` would do to a gateway that runs with `from`.
fn effect(from: &Revision, path: &Path, new: &Config) -> String {
    match config::of_texts(&from.files, &config::base_of(path)) {
        Ok(old) => Effect::between(&old, new).to_string(),
        // The files it names are others now: its own text is all that is left of it.
        Err(mistakes) => format!(
            "what it changes in the gateway cannot be said: revision {} cannot be used any more \
             ({} mistakes)\n",
            from.number,
            mistakes.len()
        ),
    }
}
