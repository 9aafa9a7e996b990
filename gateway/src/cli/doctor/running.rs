//! What a running gateway says of itself.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::access::LocalToken;
use crate::cli::finding::Finding;

const PATIENCE: Duration = Duration::from_secs(5);
/// For a whole answer, however it trickles in.
const ANSWER_PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of an answer: ten thousand devices.
const ANSWER_MAX: usize = 16 << 20;

/// What the gateway that listens there finds; a finding of its own when there is none.
pub(super) fn ask(listen: SocketAddr, data: &Path) -> Result<Vec<Finding>, Finding> {
    let address = here(listen);
    let about = "gateway";
    let remedy =
        "start it (`systemctl start fieldgate`) and read its log (`journalctl -u fieldgate`)";
    let status = get((address, data), "/api/v1/status")
        .map_err(|err| Finding::warning(about, format!("none at {address}: {err:#}"), remedy))?;
    let mut findings = match get((address, data), "/readyz") {
        Ok(ready) => vec![readiness(&ready)],
        Err(err) => vec![Finding::bad(about, format!("{err:#}"), remedy)],
    };
    for kind in ["journal", "lake"] {
        if let Some(err) = at(at(&status, kind), "error").as_str() {
            findings.push(Finding::bad(kind, err, "check the volume, its room and the log"));
        }
    }
    findings.extend(list(at(&status, "devices")).iter().map(device));
    findings.extend(list(at(&status, "uplinks")).iter().map(uplink));
    findings.extend(get((address, data), "/api/v1/lake").ok().as_ref().and_then(upload));
    Ok(findings)
}

/// Where a program on this machine finds what listens there.
fn here(listen: SocketAddr) -> SocketAddr {
    let mut address = listen;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    address
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// What an object has by this name; null when it has not.
fn at<'a>(of: &'a Value, key: &str) -> &'a Value {
    of.get(key).unwrap_or(&Value::Null)
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    at(of, key).as_str().unwrap_or_default()
}

fn readiness(ready: &Value) -> Finding {
    if at(ready, "ready") == true {
        return Finding::good("gateway", "runs, and samples become durable");
    }
    let checks = at(ready, "checks").as_object().into_iter().flatten();
    let said: Vec<_> =
        checks.map(|(name, said)| format!("{name}: {}", said.as_str().unwrap_or("?"))).collect();
    let remedy = "see the devices below, and `journalctl -u fieldgate`";
    Finding::bad("gateway", format!("runs, but is not ready ({})", said.join("; ")), remedy)
}

fn device(device: &Value) -> Finding {
    let about = format!("device {} ({})", text(device, "name"), text(device, "address"));
    let said = match (text(device, "detail"), text(device, "last_error")) {
        ("", "") => text(device, "status"),
        ("", error) => error,
        (detail, _) => detail,
    };
    let remedy = "its screen on the page has the last requests; `fieldgate read` asks it alone";
    match text(device, "status") {
        "normal" => Finding::good(about, "normal"),
        "failure" => Finding::bad(about, said, remedy),
        _ => Finding::warning(about, said, remedy),
    }
}

fn uplink(uplink: &Value) -> Finding {
    let about = format!("uplink {} ({})", text(uplink, "name"), text(uplink, "address"));
    let waiting: u64 = list(at(uplink, "streams"))
        .iter()
        .filter_map(|one| at(one, "backlog_messages").as_u64())
        .sum();
    if let Some(note) = at(uplink, "note").as_str() {
        return Finding::warning(about, note, "see the forwarding screen of the page");
    }
    if text(uplink, "state") == "connected" {
        return Finding::good(about, format!("connected, {waiting} messages wait"));
    }
    let said = format!("{}, {waiting} messages wait", text(uplink, "state"));
    let said = match text(uplink, "last_error") {
        "" => said,
        err => format!("{said}: {err}"),
    };
    Finding::warning(about, said, "they are sent when the broker takes them; nothing is lost by it")
}

/// The upload, where there is one.
fn upload(lake: &Value) -> Option<Finding> {
    let upload = lake.get("upload").filter(|upload| upload.is_object())?;
    let about = format!("upload to {}", text(upload, "to"));
    let waiting = at(upload, "waiting_files");
    Some(match at(upload, "error").as_str() {
        None => Finding::good(about, format!("{waiting} files wait")),
        Some(err) => {
            let remedy = "tried again by itself; files stay here until they are there, unless the \
                          budget of the lake takes them";
            Finding::warning(about, format!("{waiting} files wait: {err}"), remedy)
        }
    })
}

fn get(gateway: (SocketAddr, &Path), path: &str) -> anyhow::Result<Value> {
    let body = fetch(gateway, path)?;
    let answer: Value = serde_json::from_str(&body).context("what listens there is no gateway")?;
    if at(&answer, "code") == "no_valid_token" || at(&answer, "code") == "not_logged_in" {
        bail!("it does not let this command in; run it as root, with the gateway's --data");
    }
    Ok(answer)
}

/// One request on a connection of its own; the body of the answer, whatever its status.
pub(crate) fn fetch((listen, data): (SocketAddr, &Path), path: &str) -> anyhow::Result<String> {
    let address = here(listen);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let token = LocalToken::read(data).map(|token| format!("Authorization: Bearer {token}\r\n"));
    let token = token.unwrap_or_default();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n{token}Connection: close\r\n\r\n")?;
    let (begun, mut answer, mut piece) = (Instant::now(), Vec::new(), [0; 1 << 14]);
    loop {
        let read = stream.read(&mut piece)?;
        answer.extend_from_slice(piece.get(..read).unwrap_or_default());
        if read == 0 {
            break;
        }
        if begun.elapsed() > ANSWER_PATIENCE || answer.len() > ANSWER_MAX {
            bail!("{path}: the answer does not end; restart the gateway if that stays so");
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    let (_, body) = answer.split_once("\r\n\r\n").context("what listens there is no gateway")?;
    Ok(body.to_owned())
}
