//! TLS to a broker: whom to trust, who we are, and what to do when that fails. rustls with ring.
//!
//! - T-1 Files are read for every connection and looked at while one is up: a renewed certificate
//!   needs no restart. Files that do not fit together never end a connection that works.
//! - T-2 The content of a private key is in no message and no log.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use signals::{Clock, Timestamp};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName,
};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use judge::Judge;

pub(super) mod faults;
mod judge;
mod validity;

/// The authorities a Debian machine trusts, for brokers with a public certificate.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Permission bits of everybody else.
const OTHERS: u32 = 0o007;
/// How often the files are looked at while a connection is up.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Whom to trust and who we are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsSettings {
    /// Certificates of the authorities that may have issued the broker's certificate, PEM.
    pub ca: PathBuf,
    /// Our certificate with its chain, and its private key, PEM; `None` when the broker wants none.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The name in the broker's certificate when it is not the host of its address.
    pub server_name: Option<String>,
    /// Revocation lists of the authorities, PEM.
    pub crl: Option<PathBuf>,
    /// How often the files are looked at while a connection is up.
    pub look_every: Duration,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            ca: PathBuf::from(SYSTEM_AUTHORITIES),
            client: None,
            server_name: None,
            crl: None,
            look_every: LOOK_EVERY,
        }
    }
}

/// A certificate and how long it is good for.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct CertificateTerm {
    /// Whose: `ours`, `authority` or `broker`.
    pub role: &'static str,
    /// Its last moment.
    pub not_after: Timestamp,
}

impl CertificateTerm {
    /// Whole days left; negative when it is over.
    #[must_use]
    pub fn days_left(&self, now: Timestamp) -> i64 {
        const DAY_US: i64 = 86_400_000_000;
        self.not_after.micros().saturating_sub(now.micros()).div_euclid(DAY_US)
    }
}

/// The certificate of a PEM file that ends first; `None` where no date can be read.
///
/// # Errors
/// What is wrong with the file, and the remedy.
pub fn first_to_end(file: &Path, role: &'static str) -> Result<Option<CertificateTerm>, String> {
    let all = certificates(file)?;
    Ok(all.iter().filter_map(|one| term(role, one)).min_by_key(|term| term.not_after))
}

/// What the files say, ready for one connection.
pub(super) struct Loaded {
    pub(super) config: Arc<ClientConfig>,
    /// To tell whether the files have changed since.
    pub(super) print: Fingerprint,
    terms: Vec<CertificateTerm>,
    broker: Arc<Mutex<Option<Timestamp>>>,
}

impl Loaded {
    /// Terms of the certificates; the broker's is known once it has shown it.
    pub(super) fn terms(&self) -> Vec<CertificateTerm> {
        let broker = *self.broker.lock().unwrap_or_else(PoisonError::into_inner);
        let broker = broker.map(|not_after| CertificateTerm { role: "broker", not_after });
        self.terms.iter().cloned().chain(broker).collect()
    }
}

/// Checksums of the files' contents.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Fingerprint(Vec<Option<u32>>);

impl TlsSettings {
    /// The name the broker's certificate must carry.
    pub(super) fn name<'a>(&'a self, host: &'a str) -> &'a str {
        self.server_name.as_deref().unwrap_or(host)
    }

    /// The files as they are now.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let client = self.client.iter().flat_map(|(chain, key)| [chain, key]);
        let files = [&self.ca].into_iter().chain(client).chain(&self.crl);
        let print = |file: &PathBuf| std::fs::read(file).ok().map(|bytes| crc32fast::hash(&bytes));
        Fingerprint(files.map(print).collect())
    }

    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with which file, and the remedy.
    pub(super) fn load(&self, host: &str, clock: &Arc<dyn Clock>) -> Result<Loaded, String> {
        let print = self.fingerprint();
        let name = self.name(host);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| {
            format!(
                "\"{name}\" cannot be the name in a certificate; set `server_name` to the name or \
                 address in the broker's certificate"
            )
        })?;
        let (roots, authority) = self.authorities()?;
        let provider = Arc::new(ring::default_provider());
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = builder
            .with_crls(self.revocations()?)
            .build()
            .map_err(|err| format!("TLS: {err}; check `ca` and `crl`"))?;
        let broker = Arc::default();
        let judge = Judge::new(verifier, name, Arc::clone(clock), Arc::clone(&broker));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|err| format!("TLS: {err}"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(judge));
        let mut terms: Vec<_> = authority.into_iter().collect();
        let config = match &self.client {
            None => builder.with_no_client_auth(),
            Some((chain_file, key_file)) => {
                let chain = certificates(chain_file)?;
                terms.extend(chain.first().and_then(|leaf| term("ours", leaf)));
                let key = private_key(key_file)?;
                builder.with_client_auth_cert(chain, key).map_err(|err| {
                    format!(
                        "{} and {} do not belong together ({err}); give the key the certificate \
                         was made for",
                        chain_file.display(),
                        key_file.display()
                    )
                })?
            }
        };
        Ok(Loaded { config: Arc::new(config), print, terms, broker })
    }

    /// Trusted authorities, and the one whose term ends first when there are few: with the whole
    /// world's in the file, some old one always ends soon.
    fn authorities(&self) -> Result<(RootCertStore, Option<CertificateTerm>), String> {
        const OWN_MAX: usize = 8;
        let mut store = RootCertStore::empty();
        let all = certificates(&self.ca)?;
        let terms = all.iter().filter_map(|one| term("authority", one));
        let first = terms.min_by_key(|term| term.not_after).filter(|_| all.len() <= OWN_MAX);
        let is_whole_world = all.len() > OWN_MAX;
        for certificate in all {
            match store.add(certificate) {
                Ok(()) => {}
                // One odd certificate of a hundred is not worth standing still.
                Err(_) if is_whole_world => {}
                Err(err) => {
                    return Err(unusable(&self.ca, &err, "certificates of authorities"));
                }
            }
        }
        Ok((store, first))
    }

    fn revocations(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
        const WANTED: &str = "revocation lists in PEM (`-----BEGIN X509 CRL-----`)";
        let Some(file) = &self.crl else { return Ok(Vec::new()) };
        let pem = contents(file)?;
        let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&pem).collect();
        let lists = lists.map_err(|err| unusable(file, &err, WANTED))?;
        if lists.is_empty() {
            return Err(unusable(file, &"there is none in it", WANTED));
        }
        Ok(lists)
    }
}

fn term(role: &'static str, certificate: &CertificateDer<'_>) -> Option<CertificateTerm> {
    validity::not_after(certificate).map(|not_after| CertificateTerm { role, not_after })
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    const WANTED: &str = "certificates in PEM (`-----BEGIN CERTIFICATE-----`)";
    let pem = contents(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|err| unusable(file, &err, WANTED))?;
    if certificates.is_empty() {
        return Err(unusable(file, &"there is none in it", WANTED));
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let found = std::fs::metadata(file).map_err(|err| unreadable(file, &err))?;
    if found.permissions().mode() & OTHERS != 0 {
        return Err(format!(
            "{}: everybody on this machine may use this private key; `chmod 640` it and give it \
             to the gateway's group",
            file.display()
        ));
    }
    let pem = contents(file)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|err| {
        unusable(file, &err, "an unencrypted private key in PEM (PKCS #8, PKCS #1 or SEC 1)")
    })
}

fn contents(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|err| unreadable(file, &err))
}

fn unreadable(file: &Path, err: &std::io::Error) -> String {
    format!("{}: {err}; check the path and that the gateway's user may read it", file.display())
}

fn unusable(file: &Path, err: &dyn fmt::Display, wanted: &str) -> String {
    format!("{}: {err}; it must hold {wanted}", file.display())
}

#[cfg(test)]
mod tests;
