//! The certificate that the page shows: the owner's own, or one of an authority that is this
//! device's alone.
//!
//! CE-1 The authority's key is made at the first start, is in `DATA/web-ca.key` (0600) and nowhere
//!      else. It may sign for this gateway's names and for addresses of private networks only
//!      (RFC 5280, section 4.2.1.10): who trusts it, trusts it for nothing else.
//! CE-2 The certificate and its key live in memory. Another is made when an address or name of the
//!      machine has changed, when the clock has left its term, and 30 days before its end.
//! CE-3 Files of the owner's are read again when they have changed; files that do not fit together
//!      never end what works.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
    date_time_ymd,
};
use signals::Timestamp;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::access::publish_secret;
use crate::audit::hash_of;

/// Life of a certificate: browsers take no longer ones (398 days).
const TERM: Duration = Duration::from_hours(397 * 24);
/// So long before the end another is made.
const BEFORE_END: Duration = Duration::from_hours(30 * 24);
/// A certificate begins a day ago: clocks differ.
const SLACK: Duration = Duration::from_hours(24);
/// 2026-01-01: a clock before that is wrong, and no certificate begins earlier.
const BEGINNING: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
/// Permission bits of everybody else.
const OTHERS: u32 = 0o007;

/// Names and addresses that the gateway is reached by, sorted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Names {
    dns: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Names {
    /// Those of this machine now.
    fn of_machine(gateway: &str) -> Self {
        let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
        let addresses = interfaces.filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
        });
        Self::new([&host_name(), gateway], addresses)
    }

    /// Names that can be names in DNS, and addresses that no router passes on.
    pub(super) fn new(hosts: [&str; 2], addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let is_label = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        let mut dns = vec!["localhost".to_owned()];
        for host in hosts.into_iter().filter(|host| is_label(host)) {
            dns.extend([host.to_ascii_lowercase(), format!("{}.local", host.to_ascii_lowercase())]);
        }
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let mut addresses: Vec<_> =
            loopback.into_iter().chain(addresses).filter(|ip| is_private(*ip)).collect();
        dns.sort();
        dns.dedup();
        addresses.sort();
        addresses.dedup();
        Self { dns, addresses }
    }
}

fn host_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    host.trim().to_owned()
}

/// Networks that the authority may sign for: address and bits of its prefix.
const PRIVATE: [(IpAddr, u8); 8] = [
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(100, 64, 0, 0)), 10),
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16),
    (IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12),
    (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16),
    (IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
    (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
];

fn is_private(ip: IpAddr) -> bool {
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)) << 96, true),
        IpAddr::V6(ip) => (u128::from(ip), false),
    };
    let ((address, is_v4), is_in) = (bits(ip), |network: u128, prefix: u8, address: u128| {
        let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
        network & mask == address & mask
    });
    PRIVATE.iter().any(|(network, prefix)| {
        let (network, is_same) = bits(*network);
        is_same == is_v4 && is_in(network, *prefix, address)
    })
}

/// Who signs.
enum Source {
    /// This device's own authority.
    Device { authority: Box<Issuer<'static, KeyPair>>, pem: String, gateway: String },
    /// The owner's files.
    Own { certificate: PathBuf, key: PathBuf },
}

/// What is shown now.
#[derive(Default)]
struct Shown {
    key: Option<Arc<CertifiedKey>>,
    /// From where the present one came, to see whether it is still right.
    names: Names,
    from: Option<Timestamp>,
    print: String,
    /// The failure that was told last.
    told: String,
}

/// The page's certificate, and where the next one comes from.
pub struct Certificates {
    source: Source,
    shown: Arc<Mutex<Shown>>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    /// Of this device's own authority, which is made when there is none in `data`.
    ///
    /// # Errors
    /// When its files cannot be read or written.
    pub fn of_device(gateway: &str, data: &Path, now: Timestamp) -> anyhow::Result<Self> {
        let (key_file, file) = (data.join("web-ca.key"), data.join("web-ca.crt"));
        let key = match std::fs::read_to_string(&key_file) {
            Ok(pem) => match KeyPair::from_pem(&pem) {
                Ok(key) => key,
                Err(err) => {
                    let told = "who trusted the authority must trust the new one";
                    tracing::error!("{}: is damaged ({err}); {told}", key_file.display());
                    new_key(&key_file)?
                }
            },
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => new_key(&key_file)?,
            Err(err) if err.kind() == std::io::ErrorKind::InvalidData => new_key(&key_file)?,
            Err(err) => {
                let told = format!("{}: cannot be read; check its permissions", key_file.display());
                return Err(anyhow::Error::from(err).context(told));
            }
        };
        let params = authority(&key, [&host_name(), gateway]);
        let pem = match std::fs::read_to_string(&file) {
            Ok(pem) if is_of(&pem, &key) => pem,
            Ok(_) | Err(_) => {
                let pem = params.self_signed(&key)?.pem();
                keep(&file, &pem);
                pem
            }
        };
        let authority = Box::new(Issuer::new(params, key));
        let source = Source::Device { authority, pem, gateway: gateway.to_owned() };
        let certificates = Self { source, shown: Arc::default() };
        certificates.look(now)?;
        Ok(certificates)
    }

    /// The owner's certificate with its chain, and its private key, PEM. While they do not fit
    /// together, which is told, one of `instead` is shown: a file in the making at a start keeps
    /// nobody from the page.
    ///
    /// # Errors
    /// Those of `instead`.
    pub fn of_owner(
        (certificate, key): (&Path, &Path),
        instead: impl FnOnce() -> anyhow::Result<Self>,
    ) -> anyhow::Result<Self> {
        let source = Source::Own { certificate: certificate.to_owned(), key: key.to_owned() };
        let certificates = Self { source, shown: Arc::default() };
        if let Err(err) = certificates.look(BEGINNING) {
            tracing::error!("{err:#}; until then the page shows this device's own certificate");
            let Shown { key, .. } = std::mem::take(
                &mut *instead()?.shown.lock().unwrap_or_else(PoisonError::into_inner),
            );
            let mut shown = certificates.shown.lock().unwrap_or_else(PoisonError::into_inner);
            (shown.key, shown.told) = (key, format!("{err:#}"));
        }
        Ok(certificates)
    }

    /// The authority's certificate, for people to trust; none where the certificate is the owner's.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        match &self.source {
            Source::Device { pem, .. } => Some(pem),
            Source::Own { .. } => None,
        }
    }

    /// SHA-256 over the authority's certificate as browsers show it, to compare before trusting.
    #[must_use]
    pub fn fingerprint(&self) -> Option<String> {
        let der = CertificateDer::from_pem_slice(self.authority()?.as_bytes()).ok()?;
        let digits = hash_of(&der).to_uppercase();
        let pairs = digits.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair));
        Some(pairs.collect::<Vec<_>>().join(":"))
    }

    /// Sees whether what is shown is still right, and renews it if not. What does not work is told
    /// once, and what worked stays.
    pub fn renew(&self, now: Timestamp) {
        let Err(err) = self.look(now) else { return };
        let told = format!("{err:#}");
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.told != told {
            tracing::error!("the page's certificate is not renewed: {told}");
            shown.told = told;
        }
    }

    fn look(&self, now: Timestamp) -> anyhow::Result<()> {
        match &self.source {
            Source::Device { authority, gateway, pem } => {
                let mut names = Names::of_machine(gateway);
                // The machine was called otherwise when the authority was made: one name that it
                // may not sign for would spoil the certificate for all.
                let der = CertificateDer::from_pem_slice(pem.as_bytes())?;
                let is_local = |name: &str| matches!(name.rsplit_once('.'), Some((_, "local")));
                names.dns.retain(|name| is_local(name) || may_sign_for(&der, name));
                self.look_at_names(authority, names, now)
            }
            Source::Own { certificate, key } => self.look_at_files(certificate, key),
        }
    }

    pub(super) fn look_at_names(
        &self,
        authority: &Issuer<'static, KeyPair>,
        names: Names,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let is_right = |shown: &Shown| {
            let begin = shown.from.is_some_and(|from| from <= now || now < BEGINNING);
            let end = shown.from.is_some_and(|from| now.plus(BEFORE_END) < from.plus(TERM));
            shown.names == names && begin && end
        };
        if is_right(&self.shown.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        let from = now.minus(SLACK).max(BEGINNING);
        let key = KeyPair::generate()?;
        let certificate = server(&names, from)?.signed_by(&key, authority)?;
        let chain = vec![certificate.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|err| anyhow!(err))?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider())?;
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let print = String::new();
        *shown = Shown {
            key: Some(Arc::new(certified)),
            names,
            from: Some(from),
            print,
            told: String::new(),
        };
        Ok(())
    }

    fn look_at_files(&self, certificate: &Path, key: &Path) -> anyhow::Result<()> {
        let read = |path: &Path| {
            std::fs::read(path).with_context(|| {
                format!("{}: cannot be read; check that it is there and readable", path.display())
            })
        };
        let (chain, secret) = (read(certificate)?, read(key)?);
        let print = hash_of(&[&*chain, &*secret].concat());
        if self.shown.lock().unwrap_or_else(PoisonError::into_inner).print == print {
            return Ok(());
        }
        if std::fs::metadata(key)?.permissions().mode() & OTHERS != 0 {
            bail!("{}: everybody may read this key; run chmod o= on it", key.display());
        }
        let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
        let parsed = parsed.ok().filter(|chain| !chain.is_empty());
        let parsed = parsed.with_context(|| {
            format!("{}: has no certificate in PEM; check `web.certificate`", certificate.display())
        })?;
        let secret = PrivateKeyDer::from_pem_slice(&secret).map_err(|_| {
            anyhow!("{}: has no private key in PEM; check `web.private_key`", key.display())
        })?;
        let certified = CertifiedKey::from_der(parsed, secret, &ring::default_provider());
        let certified = certified.map_err(|err| {
            anyhow!("{} is not the key of {}: {err}", key.display(), certificate.display())
        })?;
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.key.is_some() {
            tracing::info!("the page shows the certificate that {} has now", certificate.display());
        }
        *shown = Shown { key: Some(Arc::new(certified)), print, ..Shown::default() };
        Ok(())
    }

    /// What makes TLS of a connection: 1.2 or 1.3, HTTP/1.1.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let resolver = Arc::new(Resolver { shown: Arc::clone(&self.shown) });
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider);
        // The provider has both versions.
        let builder = builder.with_safe_default_protocol_versions();
        let mut config = match builder {
            Ok(builder) => builder.with_no_client_auth().with_cert_resolver(resolver),
            Err(err) => unreachable!("ring has TLS 1.2 and 1.3: {err}"),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

struct Resolver {
    shown: Arc<Mutex<Shown>>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).key.clone()
    }
}

/// The authority of one device. What it signs with follows from its key alone.
fn authority(key: &KeyPair, hosts: [&str; 2]) -> CertificateParams {
    let mut params = CertificateParams::default();
    let print: String = hash_of(key.public_key_raw()).chars().take(12).collect();
    params.distinguished_name.push(DnType::CommonName, format!("fieldgate device CA {print}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (date_time_ymd(2025, 1, 1), date_time_ymd(2055, 1, 1));
    let networks = PRIVATE
        .iter()
        .map(|(ip, prefix)| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(*ip, *prefix)));
    let names = Names::new(hosts, []).dns.into_iter().chain(["local".to_owned()]);
    let permitted_subtrees = names.map(GeneralSubtree::DnsName).chain(networks).collect();
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    params
}

/// Keeps a file for the next start. On a full disk this one goes on without.
fn keep(path: &Path, pem: &str) {
    if let Err(err) = publish_secret(path, pem.as_bytes()) {
        let told = "check the disk; the next start makes another authority";
        tracing::error!("{}: cannot be written: {err}; {told}", path.display());
    }
}

fn new_key(path: &Path) -> anyhow::Result<KeyPair> {
    let key = KeyPair::generate()?;
    keep(path, &key.serialize_pem());
    Ok(key)
}

/// Whether the certificate is of that key.
fn is_of(pem: &str, key: &KeyPair) -> bool {
    let raw = key.public_key_raw();
    CertificateDer::from_pem_slice(pem.as_bytes())
        .is_ok_and(|der| der.windows(raw.len()).any(|window| window == raw))
}

/// Whether the authority's certificate permits that name: a `dNSName`, context tag 2, with its
/// length, stands in it (RFC 5280, section 4.2.1.6).
fn may_sign_for(authority: &[u8], name: &str) -> bool {
    let Ok(length) = u8::try_from(name.len()) else { return false };
    let wanted = [&[0x82, length], name.as_bytes()].concat();
    authority.windows(wanted.len()).any(|window| window == wanted)
}

fn server(names: &Names, from: Timestamp) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(names.dns.clone())?;
    params.subject_alt_names.extend(names.addresses.iter().copied().map(SanType::IpAddress));
    params.distinguished_name.push(DnType::CommonName, "fieldgate");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.insert_extended_key_usage(ExtendedKeyUsagePurpose::ServerAuth);
    params.use_authority_key_identifier_extension = true;
    let since = Duration::from_micros(u64::try_from(from.micros()).unwrap_or_default());
    params.not_before = date_time_ymd(1970, 1, 1) + since;
    params.not_after = params.not_before + TERM;
    Ok(params)
}

#[cfg(test)]
mod tests;
