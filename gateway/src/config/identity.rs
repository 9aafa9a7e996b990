//! Checks of what names the gateway and stores its samples: `[gateway]`, `[journal]`, `[lake]`,
//! `[web]`, `[local_broker]`.

use std::net::SocketAddr;
use std::time::Duration;

use pipelines_flow::historian::Profile;
use signals::{Mistake, duration};

use super::raw::{Raw, RawGateway, RawJournal, RawLake};
use super::settings::{GatewayIdentity, JournalSettings, LakeSettings, WebSettings};
use super::web;

/// Site of a gateway that names none: the first part of all its paths.
const SITE_DEFAULT: &str = "plant";
/// Longest gateway id: it stands in every topic.
const ID_CHARS_MAX: usize = 64;
/// Fewer segments than this and dropping the oldest loses a large share of the backlog at once.
const SEGMENTS_MIN: u64 = 4;

pub(crate) fn gateway(raw: &RawGateway, mistakes: &mut Vec<Mistake>) -> GatewayIdentity {
    let id = raw.id.clone().unwrap_or_default();
    if raw.id.is_some() && !is_id(&id) {
        let problem = format!("\"{id}\" is not a gateway id");
        let remedy = format!(
            "use 1 to {ID_CHARS_MAX} letters, digits, - or _, starting with a letter or digit"
        );
        mistakes.push(Mistake::new("gateway.id", problem, remedy));
    }
    let site = raw.site.clone().unwrap_or_else(|| SITE_DEFAULT.to_owned());
    if !is_path(&site) {
        let problem = format!("\"{site}\" is not a site");
        let remedy = "use letters, digits, - _ . and single slashes in between: \"north/hall-2\"";
        mistakes.push(Mistake::new("gateway.site", problem, remedy));
    }
    let timezone = raw.timezone.clone().unwrap_or_else(|| "UTC".to_owned());
    if !is_timezone(&timezone) {
        let problem = format!("\"{timezone}\" is not the name of a time zone");
        mistakes.push(Mistake::new(
            "gateway.timezone",
            problem,
            "use an IANA name such as \"Europe/Berlin\", or \"UTC\"",
        ));
    }
    GatewayIdentity { id, site, timezone }
}

pub(crate) fn journal(raw: &RawJournal, mistakes: &mut Vec<Mistake>) -> JournalSettings {
    let default = JournalSettings::default();
    let every_batch = raw.sync.as_deref() == Some("every_batch");
    if every_batch && raw.sync_interval.is_some() {
        mistakes.push(Mistake::new(
            "journal.sync_interval",
            "has no meaning with sync = \"every_batch\"",
            "take it out, or write sync = \"interval\"",
        ));
    }
    let interval = span(raw.sync_interval.as_deref()).unwrap_or(default.sync_interval);
    let checked = JournalSettings {
        sync_interval: if every_batch { Duration::ZERO } else { interval },
        sync_bytes: raw.sync_bytes.unwrap_or(default.sync_bytes),
        segment_bytes: raw.segment_bytes.unwrap_or(default.segment_bytes),
        bytes_max: raw.bytes_max.unwrap_or(default.bytes_max),
    };
    if checked.bytes_max / SEGMENTS_MIN < checked.segment_bytes {
        let key = if raw.bytes_max.is_some() { "bytes_max" } else { "segment_bytes" };
        mistakes.push(Mistake::new(
            format!("journal.{key}"),
            format!("the journal has room for fewer than {SEGMENTS_MIN} segments"),
            format!("make bytes_max at least {SEGMENTS_MIN} times segment_bytes"),
        ));
    }
    checked
}

pub(crate) fn lake(raw: &RawLake) -> LakeSettings {
    let default = LakeSettings::default();
    LakeSettings {
        roll_interval: span(raw.roll_interval.as_deref()).unwrap_or(default.roll_interval),
        roll_rows: raw.roll_rows.unwrap_or(default.roll_rows),
        profile: match raw.profile.as_deref() {
            Some("compact") => Profile::Compact,
            Some(_) | None => default.profile,
        },
        bytes_max: raw.bytes_max,
        free_min: raw.free_min,
        thin_interval: match span(raw.thin_interval.as_deref()) {
            Some(Duration::ZERO) => None,
            Some(interval) => Some(interval),
            None => default.thin_interval,
        },
    }
}

pub(crate) fn listen(raw: &Raw, mistakes: &mut Vec<Mistake>) -> (WebSettings, Option<SocketAddr>) {
    let web = raw.web.listen.as_deref();
    let web = web.and_then(|text| address(text, "web.listen", mistakes)).or_else(|| {
        let default = WebSettings::default();
        web.is_none().then_some(default.listen)
    });
    let broker = raw.local_broker.as_ref().and_then(|broker| broker.listen.as_deref());
    let broker = broker.and_then(|text| address(text, "local_broker.listen", mistakes));
    if let (Some(web), Some(broker)) = (web, broker) {
        let overlap =
            web.ip() == broker.ip() || web.ip().is_unspecified() || broker.ip().is_unspecified();
        if web.port() == broker.port() && web.port() != 0 && overlap {
            mistakes.push(Mistake::new(
                "local_broker.listen",
                format!("{broker} is taken by the page on {web}"),
                "use another port, for example 1883",
            ));
        }
    }
    let listen = web.unwrap_or_else(|| WebSettings::default().listen);
    let (reading, tls) = (web::reading(&raw.web), web::tls(&raw.web, mistakes));
    (WebSettings { listen, reading, tls }, broker)
}

/// A duration that the walk has already found right.
pub(crate) fn span(text: Option<&str>) -> Option<Duration> {
    text.and_then(|text| duration::parse(text).ok())
}

fn address(text: &str, key: &str, mistakes: &mut Vec<Mistake>) -> Option<SocketAddr> {
    if let Ok(address) = text.trim().parse() {
        return Some(address);
    }
    let port = text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    let remedy = match port {
        Some(port) => format!("use \"127.0.0.1:{port}\", or \"0.0.0.0:{port}\" for all networks"),
        None => "write an address and a port from 0 to 65535: \"127.0.0.1:8080\"".to_owned(),
    };
    let problem = format!("\"{text}\" is not an address to listen on");
    mistakes.push(Mistake::new(key, problem, remedy));
    None
}

/// Letters, digits, `-` and `_`, starting with a letter or digit.
pub(crate) fn is_id(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= ID_CHARS_MAX
        && text.chars().all(legal)
}

fn is_path(text: &str) -> bool {
    let legal = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.len() <= 256 && text.split('/').all(|part| !part.is_empty() && part.chars().all(legal))
}

/// The form of an IANA name; whether there is such a zone depends on the machine.
fn is_timezone(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+');
    let named = |part: &str| !part.is_empty() && part.chars().all(legal);
    let first = text.starts_with(|c: char| c.is_ascii_uppercase());
    let zone = text.contains('/') || matches!(text, "UTC" | "GMT");
    first && zone && text.len() <= 64 && text.split('/').all(named)
}
