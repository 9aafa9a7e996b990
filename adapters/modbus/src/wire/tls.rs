//! TLS for a connection: whom to trust, who we are, and what to do when that fails.
//!
//! Modbus/TCP Security Protocol Specification v36: TLS 1.2 or later, both sides with certificates
//! from an authority the other trusts. The files are read at every connection, so that a renewed
//! certificate needs no restart. TLS by rustls with ring.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncBufReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error, RootCertStore};

use super::dial::refused;
use crate::config::TlsIdentity;

/// Longest wait for the device's judgement of our certificate: in TLS 1.3 it comes after the
/// handshake, when the device would otherwise seem to be reached.
const JUDGEMENT_MAX: Duration = Duration::from_millis(200);
/// Permission bits of everybody else.
const OTHERS: u32 = 0o007;

/// Makes `stream` a TLS connection to the device at `host`, a name or an address without port.
///
/// # Errors
/// What is wrong with a file, with the device's certificate or with ours, and the remedy.
pub(super) async fn connect(
    stream: TcpStream,
    host: &str,
    identity: &TlsIdentity,
) -> io::Result<TlsStream<TcpStream>> {
    let name = identity.server_name.as_deref().unwrap_or(host);
    let server_name = ServerName::try_from(name.to_owned()).map_err(|_| {
        refused(
            io::ErrorKind::InvalidInput,
            format!(
                "\"{name}\" cannot be the name in a certificate; set `server_name` to the name or \
                 address in the device's certificate"
            ),
        )
    })?;
    let config = client_config(identity).await?;
    let begin = Instant::now();
    let connecting = TlsConnector::from(Arc::new(config)).connect(server_name, stream);
    let mut stream = connecting.await.map_err(|err| explained(err, identity, name))?;
    let patience = (2 * begin.elapsed()).min(JUDGEMENT_MAX);
    match timeout(patience, stream.fill_buf()).await {
        Ok(Err(err)) => return Err(explained(err, identity, name)),
        Ok(Ok([])) => return Err(explained(io::ErrorKind::UnexpectedEof.into(), identity, name)),
        // Silence is consent; bytes nobody asked for are for the engine to judge.
        Err(_) | Ok(Ok(_)) => {}
    }
    Ok(stream)
}

async fn client_config(identity: &TlsIdentity) -> io::Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|err| refused(io::ErrorKind::InvalidInput, format!("TLS: {err}")))?;
    let builder = versions.with_root_certificates(authorities(&identity.ca).await?);
    let Some((chain_file, key_file)) = &identity.client else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(chain_file).await?;
    let key = private_key(key_file).await?;
    builder.with_client_auth_cert(chain, key).map_err(|err| {
        refused(
            io::ErrorKind::InvalidInput,
            format!(
                "{} and {} do not belong together ({err}); give the key the certificate was made \
                 for",
                chain_file.display(),
                key_file.display()
            ),
        )
    })
}

async fn authorities(file: &Path) -> io::Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(file).await? {
        store
            .add(certificate)
            .map_err(|err| unusable(file, &err, "a certificate of an authority"))?;
    }
    Ok(store)
}

async fn certificates(file: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    const WANTED: &str = "certificates in PEM (`-----BEGIN CERTIFICATE-----`)";
    let pem = contents(file).await?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|err| unusable(file, &err, WANTED))?;
    if certificates.is_empty() {
        return Err(unusable(file, &"there is none in it", WANTED));
    }
    Ok(certificates)
}

async fn private_key(file: &Path) -> io::Result<PrivateKeyDer<'static>> {
    let found = tokio::fs::metadata(file).await.map_err(|err| unreadable(file, &err))?;
    if found.permissions().mode() & OTHERS != 0 {
        return Err(refused(
            io::ErrorKind::PermissionDenied,
            format!(
                "{}: everybody on this machine may use this private key; `chmod 640` it and give \
                 it to the gateway's group",
                file.display()
            ),
        ));
    }
    let pem = contents(file).await?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|err| {
        unusable(file, &err, "an unencrypted private key in PEM (PKCS #8, PKCS #1 or SEC 1)")
    })
}

async fn contents(file: &Path) -> io::Result<Vec<u8>> {
    tokio::fs::read(file).await.map_err(|err| unreadable(file, &err))
}

fn unreadable(file: &Path, err: &io::Error) -> io::Error {
    let remedy = "check the path and that the gateway's user may read it";
    refused(err.kind(), format!("{}: {err}; {remedy}", file.display()))
}

fn unusable(file: &Path, err: &dyn std::fmt::Display, wanted: &str) -> io::Error {
    let told = format!("{}: {err}; it must hold {wanted}", file.display());
    refused(io::ErrorKind::InvalidInput, told)
}

/// A failed handshake in words for the operator.
fn explained(err: io::Error, identity: &TlsIdentity, name: &str) -> io::Error {
    let cause = err.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let told = match cause {
        Some(Error::InvalidCertificate(fault)) => certificate_fault(fault, identity, name),
        Some(Error::AlertReceived(alert)) => refusal(&format!("{alert:?}"), identity),
        Some(Error::InvalidMessage(_)) => {
            "what answers there does not speak TLS; check the port (802 for Modbus/TCP Security), \
             or use transport `tcp`"
                .to_owned()
        }
        Some(other) => format!("TLS: {other}; check the TLS settings of the device"),
        None if is_end(err.kind()) => refusal("it closed the connection", identity),
        None => return err,
    };
    refused(err.kind(), told)
}

fn certificate_fault(fault: &CertificateError, identity: &TlsIdentity, name: &str) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest has one remedy")]
    match fault {
        // A bad signature: an authority made anew under its old name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "the device's certificate is from none of the authorities in {}; add the one that \
             issued it, or the device's own if it issued it itself",
            identity.ca.display()
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the device's certificate has expired; renew it on the device, and check the clock of \
             the gateway"
                .to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the device's certificate is not valid yet; check the clocks of the gateway and of \
             the device that issued it"
                .to_owned()
        }
        CertificateError::NotValidForName => format!(
            "the device's certificate does not name \"{name}\"; set `server_name` to a name it \
             carries"
        ),
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "the device's certificate does not name \"{name}\" but {}; set `server_name` to that, \
             if it is the right device",
            if presented.is_empty() { "nothing".to_owned() } else { presented.join(", ") }
        ),
        other => format!("the device's certificate is refused: {other:?}; renew it on the device"),
    }
}

fn refusal(why: &str, identity: &TlsIdentity) -> String {
    if identity.client.is_some() {
        format!(
            "the device refuses our certificate ({why}); let it trust the authority that issued it"
        )
    } else {
        format!(
            "the device refuses us ({why}); it may want a certificate: set `client_cert` and \
             `client_key`"
        )
    }
}

fn is_end(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

#[cfg(test)]
mod tests;
