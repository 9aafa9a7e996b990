//! `fieldgate audit security`: what weakens a gateway, each with its remedy.
//!
//! Reads files and the kernel's lists; opens no connection. Says nothing of a secret but where it
//! is kept.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use pipelines_flow::disk::RealDisk;
use pipelines_flow::uplink::{CertificateTerm, first_to_end};
use signals::{Clock, Timestamp};

use super::sockets::{self, Listener};
use crate::access::{Role, Token, Tokens, Users};
use crate::audit::{self, Audit};
use crate::cli::doctor;
use crate::cli::finding::{self, Finding};
use crate::clock::SystemClock;
use crate::config::{self, Config, Reading, UplinkSettings, WebTls};

/// A certificate with fewer days left wants a new one now.
const DAYS_LEFT_MIN: i64 = 30;
/// Failed logins of so long are told.
const FAILURES_WITHIN: Duration = Duration::from_hours(24);
/// Failed logins in that time that are no longer people who mistype.
const FAILURES_MAX: u64 = 20;
/// Records of the audit that are looked through for them.
const RECORDS_MAX: usize = 10_000;
/// A token that is older and has no end has been forgotten, or will be.
const TOKEN_AGE_MAX: Duration = Duration::from_hours(365 * 24);

/// Options of `fieldgate audit security`.
///
/// Examples:
///   fieldgate audit security --config /etc/fieldgate --data /var/lib/fieldgate
///   fieldgate audit security --config /etc/fieldgate --data /var/lib/fieldgate --json
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct SecurityArgs {
    /// The configuration: a file, or a folder of gateway.toml and conf.d/*.toml
    #[arg(long, value_name = "PATH")]
    config: PathBuf,
    /// Folder the gateway writes to
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// Looks, and tells what it found.
///
/// # Errors
/// When something is wrong, or the configuration cannot be read.
pub(super) fn run(args: &SecurityArgs) -> anyhow::Result<()> {
    let config = config::load(&args.config)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let now = clock.now();
    let mut findings = vec![doctor::clock()];
    findings.extend(doctor::room(&args.data, &config));
    findings.extend(page(&config, &args.data));
    findings.extend(people(&args.data, now));
    findings.extend(tokens(&args.data, now));
    findings.extend(records(&args.data, &clock));
    findings.extend(config.uplinks.iter().flat_map(|uplink| link(uplink, &config)));
    findings.extend(certificates(&config, now));
    findings.push(writing(&config));
    findings.extend(rights(&args.config, &args.data));
    findings.extend(ports(&config, &sockets::listeners(), &sockets::programs()));
    finding::tell(&findings, args.json)
}

/// Who reaches the page, and whether the way there is encrypted.
fn page(config: &Config, data: &Path) -> Vec<Finding> {
    let web = &config.web;
    let is_local = web.listen.ip().is_loopback();
    let mut findings = vec![match web.reading {
        Reading::Login => Finding::good("page", "nobody reads without a login or a token"),
        Reading::Open if is_local => {
            Finding::good("page", "everybody on this machine reads, and nobody else reaches it")
        }
        Reading::Open => Finding::warning(
            "page",
            format!("everybody who reaches {} reads", web.listen),
            "set web.reading = \"login\", and give programs tokens (`fieldgate token add`)",
        ),
    }];
    findings.push(match web.tls {
        WebTls::Off if !is_local => Finding::bad(
            "page's connections",
            format!("are not encrypted on {}: passwords can be overheard", web.listen),
            "remove web.tls = \"off\", or listen on 127.0.0.1 behind a proxy that encrypts",
        ),
        WebTls::Off | WebTls::Auto if is_local => {
            Finding::good("page's connections", "do not leave this machine")
        }
        WebTls::Off | WebTls::Auto | WebTls::Device | WebTls::Own { .. } => {
            Finding::good("page's connections", "are encrypted")
        }
    });
    findings.push(match Users::of(data).is_claimed() {
        Ok(true) => Finding::good("claim", "the gateway belongs to somebody"),
        Ok(false) => Finding::warning(
            "claim",
            "the gateway belongs to nobody yet: who has its code makes the first account",
            "claim it now: `fieldgate claim-code`, then the page",
        ),
        Err(err) => unreadable("claim", &err),
    });
    findings
}

fn unreadable(about: &str, err: &anyhow::Error) -> Finding {
    Finding::warning(about, format!("{err:#}"), "run this as root or as the gateway's user")
}

fn people(data: &Path, now: Timestamp) -> Vec<Finding> {
    let users = match Users::of(data).list() {
        Ok(users) => users,
        Err(err) => return vec![unreadable("users", &err)],
    };
    let admins: Vec<_> = users.iter().filter(|user| user.role == Role::Admin).collect();
    let mut findings = Vec::new();
    if admins.len() == 1 && admins.iter().any(|one| now.since(one.created) > FAILURES_WITHIN) {
        findings.push(Finding::warning(
            "users",
            "one administrator: who forgets that password is locked out of the page",
            "make a second one: `fieldgate user add --role admin`",
        ));
    } else if !users.is_empty() {
        let said = format!("{}, of whom {} are administrators", users.len(), admins.len());
        findings.push(Finding::good("users", said));
    }
    findings
}

fn tokens(data: &Path, now: Timestamp) -> Vec<Finding> {
    let tokens = match Tokens::of(data).list() {
        Ok(tokens) => tokens,
        Err(err) => return vec![unreadable("tokens", &err)],
    };
    let mut findings: Vec<_> = tokens.iter().filter_map(|token| weak(token, now)).collect();
    if findings.is_empty() {
        findings.push(Finding::good("tokens", format!("{}, all with an end or new", tokens.len())));
    }
    findings
}

fn weak(token: &Token, now: Timestamp) -> Option<Finding> {
    let about = format!("token {}", token.name);
    let revoke = format!("revoke it: `fieldgate token revoke --name {}`", token.name);
    match token.expires {
        Some(end) if end <= now => {
            let said = format!("has ended on {}, and is still listed", end.date());
            Some(Finding::warning(about, said, revoke))
        }
        None if token.role >= Role::Engineer => Some(Finding::warning(
            about,
            format!("is for the role {} and never ends", token.role.name()),
            format!("make one with an end (`--days`) or a lesser role, then {revoke}"),
        )),
        None if now.since(token.created) > TOKEN_AGE_MAX => Some(Finding::warning(
            about,
            format!("was made on {} and never ends", token.created.date()),
            format!("make a new one with an end (`--days`), then {revoke}"),
        )),
        Some(_) | None => None,
    }
}

/// The audit's chain, and failed logins in it.
fn records(data: &Path, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let chain = match audit::verify(data, &RealDisk) {
        Ok(verdict) if verdict.broken.is_some() => Finding::bad(
            "audit",
            verdict.to_string(),
            "find out who can write to the data folder; what stands before the break is proven",
        ),
        Ok(verdict) => Finding::good("audit", verdict.to_string()),
        Err(err) => unreadable("audit", &err.into()),
    };
    let mut findings = vec![chain];
    let kept = Audit::new(data, Arc::new(RealDisk), Arc::clone(clock)).latest(RECORDS_MAX);
    let since = clock.now().minus(FAILURES_WITHIN).micros();
    let failures = |records: Vec<serde_json::Value>| -> u64 {
        let number =
            |record: &serde_json::Value, key| record.get("body").and_then(|b| b.get(key)?.as_i64());
        let is_failure = |record: &&serde_json::Value| {
            let kind = record.get("kind").and_then(serde_json::Value::as_str);
            kind.is_some_and(|kind| kind.ends_with("_failed"))
                && number(record, "at").is_some_and(|at| at >= since)
        };
        let untold = |record| u64::try_from(number(record, "untold").unwrap_or(0)).unwrap_or(0);
        records.iter().filter(is_failure).map(|record| 1 + untold(record)).sum()
    };
    match kept.map(failures) {
        Ok(count) if count > FAILURES_MAX => findings.push(Finding::warning(
            "logins",
            format!("{count} have failed in 24 hours"),
            "see from where in the audit on the page; keep that network away from the gateway",
        )),
        Ok(count) => {
            findings.push(Finding::good("logins", format!("{count} have failed in 24 hours")));
        }
        Err(err) => findings.push(unreadable("logins", &err.into())),
    }
    findings
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

fn link(uplink: &UplinkSettings, config: &Config) -> Vec<Finding> {
    let about = format!("uplink {} ({})", uplink.name, uplink.host);
    if is_here(&uplink.host) {
        return vec![Finding::good(about, "does not leave this machine")];
    }
    let Some(tls) = &uplink.tls else {
        let remedy = "set the uplink's tls with the broker's authority (docs/delivery.md)";
        return vec![if uplink.username.is_some() {
            Finding::bad(about, "sends a password that can be overheard", remedy)
        } else {
            Finding::warning(about, "can be overheard and forged: no TLS", remedy)
        }];
    };
    let Some((_, key)) = &tls.client else {
        return vec![Finding::good(about, "is encrypted, and the broker is checked")];
    };
    let key = config.base.join(key);
    vec![match std::fs::metadata(&key) {
        Ok(file) if file.permissions().mode() & 0o007 != 0 => Finding::bad(
            about,
            format!("{}: everybody may read the private key", key.display()),
            format!("chmod 640 {}; think of the key as known, and make a new one", key.display()),
        ),
        Ok(_) => Finding::good(about, "is encrypted, both ends are checked, the key is our own"),
        Err(err) => unreadable(&about, &anyhow::anyhow!("{}: {err}", key.display())),
    }]
}

/// Every certificate the configuration names.
fn certificates(config: &Config, now: Timestamp) -> Vec<Finding> {
    let mut files = Vec::new();
    if let WebTls::Own { certificate, .. } = &config.web.tls {
        files.push(("the page's certificate".to_owned(), config.base.join(certificate)));
    }
    for uplink in &config.uplinks {
        let Some(tls) = &uplink.tls else { continue };
        let own = tls.client.as_ref().map(|(chain, _)| ("our certificate", chain));
        let authority = tls.ca.as_ref().map(|ca| ("the authority", ca));
        files.extend(own.into_iter().chain(authority).map(|(whose, file)| {
            (format!("{whose} of uplink {}", uplink.name), config.base.join(file))
        }));
    }
    let term = |(about, file): (String, PathBuf)| match first_to_end(&file, "ours") {
        Ok(Some(term)) => ending(about, &term, now),
        Ok(None) => Finding::warning(about, "has no end that can be read", "make a new one"),
        Err(err) => Finding::bad(about, err, "check the path that the configuration names"),
    };
    files.into_iter().map(term).collect()
}

fn ending(about: String, term: &CertificateTerm, now: Timestamp) -> Finding {
    let (days, date) = (term.days_left(now), term.not_after.date());
    let remedy = "renew it; a new file in its place is taken without a restart";
    match days {
        ..0 => Finding::bad(about, format!("ended on {date}"), remedy),
        0..DAYS_LEFT_MIN => {
            Finding::warning(about, format!("ends on {date}, in {days} days"), remedy)
        }
        _ => Finding::good(about, format!("ends on {date}, in {days} days")),
    }
}

fn writing(config: &Config) -> Finding {
    if config.writes.enabled {
        return Finding::warning(
            "writing to devices",
            "is switched on",
            "leave it on only where somebody uses it: writes.enabled = false",
        );
    }
    Finding::good("writing to devices", "is off")
}

/// Who besides the gateway may read what it keeps, and change what it is told.
fn rights(config: &Path, data: &Path) -> Vec<Finding> {
    let mode = |path: &Path| std::fs::metadata(path).map(|file| file.permissions().mode());
    let mut findings = Vec::new();
    match mode(data) {
        Ok(mode) if mode & 0o007 != 0 => findings.push(Finding::warning(
            data.display().to_string(),
            "every user of this machine gets at the samples",
            format!("chmod o= {}", data.display()),
        )),
        Ok(_) => findings.push(Finding::good(data.display().to_string(), "is closed to others")),
        Err(err) => findings.push(unreadable(&data.display().to_string(), &err.into())),
    }
    for name in ["users.json", "tokens.json", "local-token", "web-ca.key"] {
        let file = data.join(name);
        if mode(&file).is_ok_and(|mode| mode & 0o077 != 0) {
            findings.push(Finding::bad(
                file.display().to_string(),
                "others may read it",
                format!("chmod 600 {}; think of what is in it as known", file.display()),
            ));
        }
    }
    if mode(config).is_ok_and(|mode| mode & 0o002 != 0) {
        findings.push(Finding::bad(
            config.display().to_string(),
            "everybody may change it",
            format!("chmod o-w {}", config.display()),
        ));
    }
    findings
}

/// What others can connect to on this machine, whoever's it is.
fn ports(config: &Config, listeners: &[Listener], programs: &HashMap<u64, String>) -> Vec<Finding> {
    let named = |listener: &Listener| {
        let port = listener.address.port();
        let is_broker = config.local_broker.is_some_and(|broker| broker.port() == port);
        match listener.protocol {
            "tcp" if port == config.web.listen.port() => Some("the gateway's page"),
            "tcp" if is_broker => Some("the gateway's broker"),
            _ => None,
        }
    };
    let mut findings = Vec::new();
    let open = listeners.iter().filter(|one| !one.address.ip().is_loopback());
    for listener in open {
        let about = format!("port {}/{}", listener.address.port(), listener.protocol);
        let program = listener.program(programs);
        findings.push(match (named(listener), program) {
            (Some("the gateway's broker"), _) => Finding::warning(
                about,
                format!("the gateway's broker listens on {}", listener.address.ip()),
                "set local_broker.listen to an address of 127.0.0.1: it asks nobody for a password",
            ),
            (Some(what), _) => Finding::good(about, format!("{what}, as documented")),
            (None, program) => Finding::warning(
                about,
                format!(
                    "{} listens on {}",
                    program.unwrap_or("a program of another user"),
                    listener.address.ip()
                ),
                "not the gateway's: stop it, bind it to 127.0.0.1, or filter the port",
            ),
        });
    }
    let local = listeners.len() - findings.len();
    findings.push(Finding::good("other ports", format!("{local} more, of this machine alone")));
    findings
}

#[cfg(test)]
mod tests;
