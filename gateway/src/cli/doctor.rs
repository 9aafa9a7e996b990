//! `fieldgate doctor`: what is wrong with a gateway and the machine it is on, each with its remedy.
//!
//! What a running gateway knows is asked of it: nobody opens a second connection to a device that
//! may take only one. Without one, places are looked at and addresses are tried.

use std::path::{Path, PathBuf};

use clap::Args;
use pipelines_flow::disk::RealDisk;
use signals::{Clock as _, ClockState, Disk as _};

use super::finding::{self, Finding};
use crate::clock::SystemClock;
use crate::config::{self, Config, LoadError, WebSettings};
use crate::secret;

mod places;
pub(super) mod running;

/// Options of `fieldgate doctor`.
///
/// Examples:
///   fieldgate doctor --config /etc/fieldgate --data /var/lib/fieldgate
///   fieldgate doctor --config /etc/fieldgate --data /var/lib/fieldgate --json
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct DoctorArgs {
    /// The configuration: a file, or a folder of gateway.toml and conf.d/*.toml
    #[arg(long, value_name = "PATH")]
    config: PathBuf,
    /// Folder the gateway writes to
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Open no connection but to the gateway on this machine
    #[arg(long)]
    offline: bool,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// Looks at everything and tells what it found.
///
/// # Errors
/// When something is wrong; how much, and it was told before.
pub fn run(args: &DoctorArgs) -> anyhow::Result<()> {
    finding::tell(&examine(&args.config, &args.data, args.offline), args.json)
}

/// Looks at everything; `offline` opens no connection but to the gateway on this machine.
pub(super) fn examine(path: &Path, data: &Path, offline: bool) -> Vec<Finding> {
    let mut findings = vec![clock()];
    findings.extend(folder(data));
    let config = match config::load(path) {
        Ok(config) => config,
        Err(err) => {
            findings.extend(mistakes(&err));
            // One that was started before the mistake was made still runs.
            let told = running::ask(WebSettings::default().listen, data);
            findings.extend(told.unwrap_or_else(|silence| vec![silence]));
            return findings;
        }
    };
    findings.push(Finding::good(path.display().to_string(), "no mistake"));
    findings.extend(room(data, &config));
    findings.extend(secrets(&config));
    match running::ask(config.web.listen, data) {
        Ok(told) => findings.extend(told),
        Err(silence) => {
            findings.push(silence);
            findings.extend(places::lines(&config, offline));
            findings.extend(places::buses(&config));
        }
    }
    if !offline {
        findings.extend(places::uplinks(&config));
    }
    findings
}

fn mistakes(err: &LoadError) -> Vec<Finding> {
    let LoadError::Mistakes(found) = err else {
        let remedy = "check the path, and that this user may read it";
        return vec![Finding::bad("configuration", err.to_string(), remedy)];
    };
    let place = |one: &config::Located| {
        let place = format!("{}:{}:{} {}", one.file, one.line, one.column, one.key);
        place.trim_end().to_owned()
    };
    found.iter().map(|one| Finding::bad(place(one), &*one.problem, &*one.remedy)).collect()
}

pub(super) fn clock() -> Finding {
    let clock = SystemClock::new();
    let now = clock.now().to_string();
    match clock.state() {
        ClockState::Synced => Finding::good("clock", now),
        ClockState::Unsynced => Finding::warning(
            "clock",
            format!("{now}, and nothing says that it was set"),
            "let chrony or systemd-timesyncd reach a time server; samples are marked until then",
        ),
    }
}

/// Whether this user can write where the gateway keeps everything.
fn folder(data: &Path) -> Vec<Finding> {
    let about = data.display().to_string();
    if !data.try_exists().unwrap_or(true) {
        let remedy = "the gateway makes it at its first start; check the path if it has run before";
        return vec![Finding::warning(about, "is not there", remedy)];
    }
    let tried = tempfile::Builder::new().prefix(".doctor").tempfile_in(data);
    vec![match tried {
        Ok(_) => Finding::good(about, "can be written"),
        Err(err) => Finding::bad(
            about,
            format!("cannot be written: {err}"),
            "run this as the gateway's user; if it is, look at permissions and at how the volume \
             is mounted",
        ),
    }]
}

pub(super) fn room(data: &Path, config: &Config) -> Vec<Finding> {
    const MIB: u64 = 1 << 20;
    let about = format!("room for {}", data.display());
    let room = match RealDisk.room(data) {
        Ok(room) => room,
        Err(err) => {
            return vec![Finding::bad(about, err.to_string(), "check that the volume is mounted")];
        }
    };
    let said = format!("{} of {} MiB are free", room.free / MIB, room.total / MIB);
    let kept = config.lake.free_min.unwrap_or_else(|| (room.total / 10).min(512 * MIB));
    vec![if room.free < kept {
        let remedy = "the oldest files of the lake go now: give it another volume, or set \
                      lake.bytes_max to what it may have";
        Finding::warning(about, format!("{said}, less than lake.free_min"), remedy)
    } else {
        Finding::good(about, said)
    }]
}

/// Whether every secret can be read; what it is stays where it is.
fn secrets(config: &Config) -> Vec<Finding> {
    let remedy = "check the place that the configuration names, and who may read it";
    let mut findings = Vec::new();
    for uplink in &config.uplinks {
        if let Err(err) = secret::mqtt_settings(&config.gateway.id, uplink, &config.base) {
            findings.push(Finding::bad("secret", format!("{err:#}"), remedy));
        }
    }
    let upload = config.upload.as_ref();
    if let Some(Err(err)) = upload.map(|to| secret::upload_settings(&config.gateway.id, to)) {
        findings.push(Finding::bad("secret", format!("{err:#}"), remedy));
    }
    findings
}
