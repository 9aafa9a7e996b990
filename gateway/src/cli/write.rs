//! `fieldgate write`: one value to one tag, through the API of the running gateway.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use adapters_modbus::write::Setting;
use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value as Json, json};

/// Longer than the gateway takes for any command.
const PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of an answer.
const ANSWER_MAX: u64 = 1 << 20;

/// Options of `fieldgate write`.
///
/// Examples:
///   fieldgate write plant/pump-3/setpoint 4.5 --token-file /etc/fieldgate/eva.token
///   fieldgate write plant/valve-1/open true --confirm --token-file eva.token
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct WriteArgs {
    /// Path of the tag.
    path: String,
    /// The value, in engineering units: a number, true, false, or text.
    #[arg(allow_hyphen_values = true)]
    value: String,
    /// Do the second step at once where the tag wants one.
    #[arg(long)]
    confirm: bool,
    /// Refuse unless the tag has this value right before.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    expected_old: Option<String>,
    /// Refuse when it is not on the wire by then: 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    not_after: Option<String>,
    /// File with the token as its first line.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Address of the gateway's API on this machine.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    gateway: SocketAddr,
}

/// Gives the command and tells its outcome.
///
/// # Errors
/// When the command was refused, or its outcome is not that the device took the value.
pub fn run(args: &WriteArgs) -> anyhow::Result<()> {
    if !args.gateway.ip().is_loopback() {
        bail!(
            "{}: the token would go over the network unprotected; run this on the gateway itself",
            args.gateway
        );
    }
    let token = token(&args.token_file)?;
    let mut wish = json!({ "tag": args.path, "value": Setting::parse(&args.value) });
    if let Some(old) = &args.expected_old {
        put(&mut wish, "expected_old", json!(Setting::parse(old)));
    }
    if let Some(until) = &args.not_after {
        put(&mut wish, "not_after", json!(until));
    }
    let (mut status, mut answer) = post(args.gateway, &token, &wish)?;
    if status == 202 {
        if !args.confirm {
            bail!("{}: wants a second step; look at the value, then give --confirm", args.path);
        }
        put(&mut wish, "confirm_token", answer.get("confirm_token").cloned().unwrap_or_default());
        (status, answer) = post(args.gateway, &token, &wish)?;
    }
    let text = |key: &str| answer.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    if status != 200 {
        bail!("{}: {} ({}); {}", args.path, text("detail"), text("code"), text("hint"));
    }
    let outcome = text("outcome");
    writeln!(io::stdout().lock(), "{outcome}: {}", text("detail"))?;
    if !matches!(outcome.as_str(), "confirmed_by_readback" | "acknowledged") {
        bail!("{}: {outcome}", args.path);
    }
    Ok(())
}

fn put(wish: &mut Json, key: &str, value: Json) {
    if let Some(fields) = wish.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}

fn token(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("{}: cannot be read; check that it is there and readable", path.display())
    })?;
    let token = text.lines().next().unwrap_or_default().trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        bail!("{}: its first line is no token; see `fieldgate token add`", path.display());
    }
    Ok(token.to_owned())
}

/// One request on a connection of its own; status and body of the answer.
fn post(gateway: SocketAddr, token: &str, wish: &Json) -> anyhow::Result<(u16, Json)> {
    let told =
        || format!("{gateway}: the gateway does not answer; check that it runs, and --gateway");
    let mut stream =
        TcpStream::connect_timeout(&gateway, Duration::from_secs(5)).with_context(told)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let body = wish.to_string();
    write!(
        stream,
        "POST /api/v1/writes HTTP/1.1\r\nHost: {gateway}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .with_context(told)?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer).with_context(told)?;
    let (head, body) = answer.split_once("\r\n\r\n").with_context(told)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status =
        status.with_context(|| format!("{gateway}: that is no gateway; check --gateway"))?;
    let body = serde_json::from_str(body)
        .with_context(|| format!("{gateway}: the answer is no JSON (status {status})"))?;
    Ok((status, body))
}
