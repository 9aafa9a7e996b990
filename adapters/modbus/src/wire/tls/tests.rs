use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use crate::area::Area;
use crate::config::{TlsIdentity, Transport};
use crate::scan::Read;
use crate::wire::{Turn, dial};

/// An authority, and a folder for what it issues.
struct Plant {
    folder: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// How the device is set up.
#[derive(Clone, Copy)]
struct Setup {
    /// The name in its certificate.
    name: &'static str,
    /// Whether its certificate has expired.
    expired: bool,
    /// Whether it wants a certificate of ours.
    mutual: bool,
    version: &'static SupportedProtocolVersion,
}

const PLAIN: Setup = Setup { name: "pump.hall", expired: false, mutual: false, version: &TLS13 };

impl Plant {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let plant = Self { folder: TempDir::new().unwrap(), authority };
        fs::write(plant.file("ca.pem"), plant.authority.pem()).unwrap();
        plant
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for `name` and its key, in files.
    fn issue(&self, name: &str, expired: bool) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        let files = (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")));
        fs::write(&files.0, certificate.pem()).unwrap();
        fs::write(&files.1, key.serialize_pem()).unwrap();
        mode(&files.1, 0o600);
        files
    }

    /// What a client of this plant has to know.
    fn identity(&self) -> TlsIdentity {
        TlsIdentity {
            ca: self.file("ca.pem"),
            client: None,
            server_name: Some("pump.hall".to_owned()),
        }
    }

    /// A device that answers reads of two registers with 11 and 12; where it listens.
    async fn device(&self, setup: Setup) -> String {
        let mut params = CertificateParams::new(vec![setup.name.to_owned()]).unwrap();
        if setup.expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[setup.version])
            .unwrap();
        let builder = if setup.mutual {
            let mut roots = RootCertStore::empty();
            roots.add(self.authority.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        #[expect(clippy::disallowed_methods, reason = "it ends with the runtime of its test")]
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = [0; 12];
                while stream.read_exact(&mut request).await.is_ok() {
                    let mut answer = request[..2].to_vec();
                    answer.extend([0, 0, 0, 7, 1, 3, 4, 0, 11, 0, 12]);
                    stream.write_all(&answer).await.unwrap();
                }
            }
        });
        host
    }
}

fn mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

/// Two registers through TLS.
async fn read(host: &str, identity: TlsIdentity) -> io::Result<Vec<u16>> {
    let transport = Transport::Tls { host: host.to_owned(), identity };
    let mut wire = dial(&transport, 7).await?;
    let mut words = Vec::new();
    let turn = Turn { unit: 1, deadline: Instant::now() + Duration::from_secs(5) };
    let two = Read { area: Area::Holding, start: 0, count: 2 };
    wire.read(turn, two, &mut words).await.expect("the device answers");
    Ok(words)
}

async fn fails_with(host: &str, identity: TlsIdentity, told: &[&str]) {
    let err = read(host, identity).await.expect_err("it must not connect").to_string();
    assert!(told.iter().all(|part| err.contains(part)), "{err}");
}

#[tokio::test]
async fn registers_come_through_tls_1_2_and_1_3_with_and_without_our_certificate() {
    let plant = Plant::new();
    for version in [&TLS12, &TLS13] {
        for mutual in [false, true] {
            let host = plant.device(Setup { mutual, version, ..PLAIN }).await;
            let client = mutual.then(|| plant.issue("gateway", false));
            let identity = TlsIdentity { client, ..plant.identity() };
            assert_eq!(read(&host, identity).await.unwrap(), [11, 12]);
        }
    }
}

#[tokio::test]
async fn the_host_s_own_name_counts_when_no_other_is_given() {
    let plant = Plant::new();
    let host = plant.device(Setup { name: "127.0.0.1", ..PLAIN }).await;
    let identity = TlsIdentity { server_name: None, ..plant.identity() };
    assert_eq!(read(&host, identity).await.unwrap(), [11, 12]);
}

#[tokio::test]
async fn a_device_of_another_authority_is_refused() {
    let (plant, other) = (Plant::new(), Plant::new());
    let host = other.device(PLAIN).await;
    fails_with(&host, plant.identity(), &["none of the authorities", "ca.pem", "add the one"])
        .await;
}

#[tokio::test]
async fn an_expired_certificate_and_one_for_another_name_are_refused() {
    let plant = Plant::new();
    let expired = plant.device(Setup { expired: true, ..PLAIN }).await;
    fails_with(&expired, plant.identity(), &["has expired", "renew it"]).await;
    let other = plant.device(Setup { name: "fan.hall", ..PLAIN }).await;
    fails_with(&other, plant.identity(), &["\"pump.hall\"", "fan.hall", "server_name"]).await;
}

#[tokio::test]
async fn a_device_that_wants_our_certificate_and_gets_none_or_a_strange_one_says_so() {
    let (plant, other) = (Plant::new(), Plant::new());
    for version in [&TLS12, &TLS13] {
        let host = plant.device(Setup { mutual: true, version, ..PLAIN }).await;
        fails_with(&host, plant.identity(), &["refuses us", "`client_cert`"]).await;
        let strange = Some(other.issue("gateway", false));
        let identity = TlsIdentity { client: strange, ..plant.identity() };
        fails_with(&host, identity, &["refuses our certificate", "let it trust"]).await;
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_say_which_and_why() {
    let plant = Plant::new();
    let host = plant.device(PLAIN).await;
    let (certificate, key) = plant.issue("gateway", false);
    let with =
        |client: (PathBuf, PathBuf)| TlsIdentity { client: Some(client), ..plant.identity() };

    let missing = TlsIdentity { ca: plant.file("none.pem"), ..plant.identity() };
    fails_with(&host, missing, &["none.pem", "check the path"]).await;
    let no_certificate = TlsIdentity { ca: key.clone(), ..plant.identity() };
    fails_with(&host, no_certificate, &["gateway.key", "BEGIN CERTIFICATE"]).await;
    fails_with(&host, with((certificate.clone(), certificate.clone())), &["private key"]).await;
    let (_, other) = plant.issue("other", false);
    fails_with(&host, with((certificate.clone(), other)), &["do not belong together"]).await;
    mode(&key, 0o644);
    fails_with(&host, with((certificate, key)), &["gateway.key", "everybody", "chmod 640"]).await;
}

#[tokio::test]
async fn a_device_without_tls_is_told_as_such() {
    let plant = Plant::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let device = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&[0; 64]).await.unwrap();
        let mut sink = [0; 1024];
        while stream.read(&mut sink).await.is_ok_and(|count| count > 0) {}
    };
    let told = ["does not speak TLS", "802"];
    tokio::join!(fails_with(&host, plant.identity(), &told), device);
}
