//! What a failed handshake means, and what a person can do about it.

use std::error::Error as StdError;
use std::io;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

use super::TlsSettings;

/// The TLS library's own error somewhere in a chain of causes.
pub(in crate::uplink) fn cause<'a>(err: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    let mut at = Some(err);
    while let Some(err) = at {
        if let Some(found) = err.downcast_ref::<Error>() {
            return Some(found);
        }
        // An I/O error gives the cause of what it holds as its own: look at what it holds.
        at = match err.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(held) => Some(held as &(dyn StdError + 'static)),
            None => err.source(),
        };
    }
    None
}

/// A failed handshake in words for the operator.
pub(in crate::uplink) fn told(err: &Error, settings: &TlsSettings, name: &str) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest has one remedy")]
    match err {
        Error::InvalidCertificate(fault) => certificate(fault, settings, name),
        Error::AlertReceived(alert) => refusal(*alert, settings),
        Error::InvalidMessage(_) => {
            "what answers there does not speak TLS; check the port (8883 for MQTT over TLS), or \
             leave out `tls`"
                .to_owned()
        }
        other => format!("TLS: {other}; check the TLS settings of the broker"),
    }
}

/// A broker that closes the connection in the middle of the handshake.
pub(in crate::uplink) const CLOSED: &str = "closes the connection before TLS is agreed; check \
     that this port speaks TLS (8883 for MQTT over TLS) and whether it wants `certificate` and \
     `private_key`";

fn certificate(fault: &CertificateError, settings: &TlsSettings, name: &str) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest has one remedy")]
    match fault {
        // A bad signature: an authority made anew under its old name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "the broker's certificate is from none of the authorities in {}; put the one that \
             issued it there",
            settings.ca.display()
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the broker's certificate has expired; renew it on the broker, and check the clock of \
             the gateway"
                .to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the broker's certificate is not valid yet; check the clock of the gateway, then that \
             of the broker's authority"
                .to_owned()
        }
        CertificateError::Revoked => format!(
            "the broker's certificate is revoked by the list in {}; do not trust this broker \
             until it has a new one",
            settings.crl.as_deref().unwrap_or(&settings.ca).display()
        ),
        CertificateError::UnknownRevocationStatus => format!(
            "{} has no list of an authority in the broker's chain; add the lists of all of them",
            settings.crl.as_deref().unwrap_or(&settings.ca).display()
        ),
        CertificateError::NotValidForName => wrong_name(name, &[]),
        CertificateError::NotValidForNameContext { presented, .. } => wrong_name(name, presented),
        other => format!("the broker's certificate is refused: {other:?}; renew it on the broker"),
    }
}

fn wrong_name(name: &str, presented: &[String]) -> String {
    // `DnsName("broker")`, as the library writes it, without the wrapping.
    let names = presented.iter().map(|name| name.split('"').nth(1).unwrap_or(name));
    let carried = match names.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        names => format!(" but {names}"),
    };
    format!(
        "the broker's certificate does not name \"{name}\"{carried}; use the name in the address, \
         or set `server_name`, if it is the right broker"
    )
}

/// Alerts a broker sends when it does not want our certificate.
fn refusal(alert: AlertDescription, settings: &TlsSettings) -> String {
    let Some((ours, _)) = &settings.client else {
        return format!(
            "the broker refuses us ({alert:?}); it may want a certificate: set `certificate` and \
             `private_key`"
        );
    };
    let ours = ours.display();
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest has one remedy")]
    match alert {
        AlertDescription::CertificateExpired => {
            format!("the broker says that our certificate {ours} has expired; renew it")
        }
        AlertDescription::CertificateRevoked => {
            format!("the broker says that our certificate {ours} is revoked; have a new one issued")
        }
        AlertDescription::UnknownCA => format!(
            "the broker does not know the authority that issued our certificate {ours}; let the \
             broker trust it, or use a certificate of the broker's authority"
        ),
        other => format!(
            "the broker refuses our certificate {ours} ({other:?}); let it trust the authority \
             that issued it, and check that the certificate is for clients"
        ),
    }
}
