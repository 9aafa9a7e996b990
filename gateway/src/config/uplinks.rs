//! Checks of `[[uplink]]`.

use std::time::Duration;

use pipelines_flow::uplink::{Allowance, Hours, SendOrder};
use signals::Mistake;

use super::identity::{is_id, span};
use super::raw::{RawOutboxStream, RawUplink};
use super::settings::{
    GatewayIdentity, OutboxSettings, SecretRef, UplinkKind, UplinkSettings, UplinkTls,
};

/// What topics start with when nothing else is said.
const PREFIX_DEFAULT: &str = "fieldgate/v1";
/// Longest prefix: brokers cut topics at 256 bytes, and gateway and stream follow.
const PREFIX_CHARS_MAX: usize = 128;
/// Half of what most brokers and the NAT boxes before them wait for.
const KEEP_ALIVE_DEFAULT: Duration = Duration::from_secs(30);

pub(crate) fn check(
    raw: &[RawUplink],
    gateway: &GatewayIdentity,
    mistakes: &mut Vec<Mistake>,
) -> Vec<UplinkSettings> {
    let mut checked: Vec<UplinkSettings> = Vec::new();
    for (index, uplink) in raw.iter().enumerate() {
        let mut found = Vec::new();
        let settings = one(uplink, gateway, &mut found);
        if let Some(twin) = checked.iter().find(|other| same_client(other, &settings)) {
            let problem =
                format!("\"{}\" is what uplink \"{}\" calls itself", settings.client_id, twin.name);
            let remedy = "give each its own: a broker closes the first when the second connects";
            found.push(Mistake::new("client_id", problem, remedy));
        }
        mistakes.extend(found.into_iter().map(|m| m.below(&format!("uplink[{index}]"))));
        checked.push(settings);
    }
    checked
}

fn same_client(a: &UplinkSettings, b: &UplinkSettings) -> bool {
    !a.host.is_empty() && a.client_id == b.client_id && a.host == b.host && a.port == b.port
}

fn one(raw: &RawUplink, gateway: &GatewayIdentity, mistakes: &mut Vec<Mistake>) -> UplinkSettings {
    let name = raw.name.clone().unwrap_or_default();
    if raw.name.is_some() && !is_id(&name) {
        let remedy = "use 1 to 64 letters, digits, - or _, starting with a letter or digit";
        mistakes.push(Mistake::new("name", format!("\"{name}\" is not a name"), remedy));
    }
    let (host, port) = match raw.address.as_deref().map(address) {
        Some(Ok(address)) => address,
        Some(Err((problem, remedy))) => {
            mistakes.push(Mistake::new("address", problem, remedy));
            Default::default()
        }
        None => Default::default(),
    };
    let prefix = raw.prefix.clone().unwrap_or_else(|| PREFIX_DEFAULT.to_owned());
    if let Some((problem, remedy)) = prefix_mistake(&prefix) {
        mistakes.push(Mistake::new("prefix", problem, remedy));
    }
    let client_id = raw.client_id.clone().unwrap_or_else(|| format!("{}-{name}", gateway.id));
    if raw.client_id.is_some() && (client_id.is_empty() || client_id.chars().count() > 128) {
        let problem = "is empty or longer than 128 characters";
        mistakes.push(Mistake::new("client_id", problem, "leave it out, or shorten it"));
    }
    if raw.password.is_some() && raw.username.is_none() {
        let remedy = "add username: MQTT 3.1.1 sends no password without one";
        mistakes.push(Mistake::new("password", "stands without a username", remedy));
    }
    let (allowance, order) = allowance(raw, mistakes);
    UplinkSettings {
        name,
        kind: UplinkKind::Mqtt,
        host,
        port,
        prefix,
        client_id,
        username: raw.username.clone(),
        password: raw.password.as_deref().and_then(SecretRef::parse),
        allowance,
        order,
        message_bytes_max: raw.message_bytes_max,
        keep_alive: span(raw.keep_alive.as_deref()).unwrap_or(KEEP_ALIVE_DEFAULT),
        tls: tls(raw, mistakes),
    }
}

/// How much may be sent, and in which order.
fn allowance(raw: &RawUplink, mistakes: &mut Vec<Mistake>) -> (Allowance, SendOrder) {
    for (key, rate) in
        [("rate_per_s", raw.rate_per_s), ("backlog_rate_per_s", raw.backlog_rate_per_s)]
    {
        if rate.is_some_and(|rate| rate <= 0.0) {
            let remedy = "use more than 0 messages a second, or leave it out for no limit";
            mistakes.push(Mistake::new(key, "lets no message through", remedy));
        }
    }
    let is_live_first = raw.order.as_deref() == Some("live_first");
    let of_backlog = [
        ("backlog_rate_per_s", raw.backlog_rate_per_s.is_some()),
        ("backlog_hours", raw.backlog_hours.is_some()),
    ];
    for (key, _) in of_backlog.iter().filter(|(_, is_there)| *is_there && !is_live_first) {
        let remedy = "add order = \"live_first\", or take it out";
        mistakes.push(Mistake::new(*key, "has no effect while all is sent in order", remedy));
    }
    let hours = raw.backlog_hours.as_deref().map(Hours::parse);
    if hours == Some(None) {
        let problem = "are no hours of a day";
        let remedy = "write from and to in UTC: \"22:00-06:00\"";
        mistakes.push(Mistake::new("backlog_hours", problem, remedy));
    }
    let allowance = Allowance {
        rate_per_s: raw.rate_per_s,
        bytes_per_s: raw.bytes_per_s,
        bytes_per_day: raw.bytes_per_day,
        backlog_rate_per_s: raw.backlog_rate_per_s,
        backlog_hours: hours.flatten(),
    };
    (allowance, if is_live_first { SendOrder::LiveFirst } else { SendOrder::Strict })
}

/// Bounds of an outbox.
pub(crate) fn outbox(raw: &RawOutboxStream) -> OutboxSettings {
    OutboxSettings {
        bytes_max: raw.bytes_max,
        age_max: span(raw.age_max.as_deref()),
        refuses: raw.when_full.as_deref() == Some("refuse"),
    }
}

/// TLS: its keys mean something only with `tls = true`, and a certificate only with its key.
fn tls(raw: &RawUplink, mistakes: &mut Vec<Mistake>) -> Option<UplinkTls> {
    let files = [
        ("ca", &raw.ca),
        ("certificate", &raw.certificate),
        ("private_key", &raw.private_key),
        ("server_name", &raw.server_name),
        ("crl", &raw.crl),
    ];
    let mut is_sound = true;
    let mut wrong = |key: &str, problem: &str, remedy: &str| {
        mistakes.push(Mistake::new(key, problem, remedy));
        is_sound = false;
    };
    for (key, text) in files.iter().filter_map(|(key, text)| Some((*key, text.as_deref()?))) {
        if raw.tls != Some(true) {
            wrong(key, "has no effect without TLS", "add tls = true, or take it out");
        } else if text.contains("-----BEGIN") {
            let problem = "must not stand in the configuration";
            wrong(key, problem, "put it into a file and write the file's path");
        } else if text.trim().is_empty() {
            wrong(key, "is empty", "write it, or take the key out");
        }
    }
    let client = match (&raw.certificate, &raw.private_key) {
        (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
        (None, None) => None,
        _ if raw.tls != Some(true) => None,
        (Some(_), None) => {
            let remedy = "add private_key with the path of the key it was made for";
            wrong("certificate", "stands without a private key", remedy);
            None
        }
        (None, Some(_)) => {
            let remedy = "add certificate with the path of the certificate made for it";
            wrong("private_key", "stands without a certificate", remedy);
            None
        }
    };
    (is_sound && raw.tls == Some(true)).then(|| UplinkTls {
        ca: raw.ca.as_ref().map(Into::into),
        client,
        server_name: raw.server_name.clone(),
        crl: raw.crl.as_ref().map(Into::into),
    })
}

/// `host:port`, or what is wrong with it. User names in it may be followed by passwords, so such
/// an address is never repeated.
fn address(text: &str) -> Result<(String, u16), (String, String)> {
    let example = "write host and port: \"broker.example.com:1883\"".to_owned();
    if text.contains('@') {
        let remedy = "use username and password = \"env:…\" instead".to_owned();
        return Err(("holds a user or password".to_owned(), remedy));
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let rest = rest.trim_end_matches('/');
        let is_tls = matches!(scheme, "mqtts" | "ssl" | "tls");
        let port = match (rest.contains(':'), is_tls) {
            (true, _) => "",
            (false, true) => ":8883",
            (false, false) => ":1883",
        };
        let problem = format!("\"{text}\" has a scheme");
        let tls = if is_tls { " and add tls = true" } else { "" };
        return Err((problem, format!("leave out `{scheme}://`: \"{rest}{port}\"{tls}")));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        let remedy = format!("add the port: \"{text}:1883\"");
        return Err((format!("\"{text}\" has no port"), remedy));
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let named = match bare {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.len() <= 253 && host.chars().all(legal),
    };
    if !named {
        return Err((format!("\"{text}\" has no legal host"), example));
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok((bare.unwrap_or(host).to_owned(), port)),
        Ok(_) | Err(_) => {
            Err((format!("\"{port}\" is not a port"), "use 1 to 65535, usually 1883".to_owned()))
        }
    }
}

fn prefix_mistake(prefix: &str) -> Option<(String, String)> {
    let wildcard = prefix.chars().find(|c| matches!(c, '#' | '+'));
    if let Some(wildcard) = wildcard {
        let problem = format!("`{wildcard}` is for subscriptions, not for topics to publish on");
        return Some((problem, format!("take `{wildcard}` out")));
    }
    let remedy = || format!("write it as \"{PREFIX_DEFAULT}\"");
    if prefix.split('/').any(str::is_empty) {
        let problem = "starts or ends with a slash, or has an empty level".to_owned();
        return Some((problem, remedy()));
    }
    if prefix.chars().count() > PREFIX_CHARS_MAX {
        let problem = format!("is longer than {PREFIX_CHARS_MAX} characters");
        return Some((problem, "shorten it".to_owned()));
    }
    if prefix.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Some(("holds a space or a control character".to_owned(), remedy()));
    }
    None
}
