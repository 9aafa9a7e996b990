//! Checks of `[web]` beside its address: who may read, and TLS.

use signals::Mistake;

use super::raw::RawWeb;
use super::settings::{Reading, WebTls};

pub(crate) fn reading(raw: &RawWeb) -> Reading {
    match raw.reading.as_deref() {
        Some("open") => Reading::Open,
        Some(_) | None => Reading::Login,
    }
}

/// TLS: a certificate only with its key, and neither beside another choice.
pub(crate) fn tls(raw: &RawWeb, mistakes: &mut Vec<Mistake>) -> WebTls {
    let files = [("web.certificate", &raw.certificate), ("web.private_key", &raw.private_key)];
    for (key, text) in files.iter().filter_map(|(key, text)| Some((*key, text.as_deref()?))) {
        if text.contains("-----BEGIN") {
            let remedy = "put it into a file and write the file's path";
            mistakes.push(Mistake::new(key, "must not stand in the configuration", remedy));
        } else if text.trim().is_empty() {
            mistakes.push(Mistake::new(key, "is empty", "write a path, or take the key out"));
        }
    }
    match (&raw.certificate, &raw.private_key, raw.tls.as_deref()) {
        (None, None, Some("device")) => WebTls::Device,
        (None, None, Some("off")) => WebTls::Off,
        (None, None, Some(_) | None) => WebTls::Auto,
        (Some(certificate), Some(key), None) => {
            WebTls::Own { certificate: certificate.into(), private_key: key.into() }
        }
        (Some(_), Some(_), Some(_)) => {
            let remedy = "take it out: a certificate is always used";
            mistakes.push(Mistake::new("web.tls", "stands beside a certificate", remedy));
            WebTls::Auto
        }
        (Some(_), None, _) => {
            let remedy = "add private_key with the path of the key it was made for";
            mistakes.push(Mistake::new("web.certificate", "stands without a private key", remedy));
            WebTls::Auto
        }
        (None, Some(_), _) => {
            let remedy = "add certificate with the path of the certificate made for it";
            mistakes.push(Mistake::new("web.private_key", "stands without a certificate", remedy));
            WebTls::Auto
        }
    }
}
