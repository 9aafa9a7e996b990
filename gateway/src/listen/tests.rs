use std::net::Ipv4Addr;
use std::path::Path;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use signals::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;

/// A port that says how it sees who comes.
async fn port(certificates: Option<&Certificates>) -> (SocketAddr, Arc<Connections>) {
    port_with(certificates, IDLE).await
}

async fn port_with(
    certificates: Option<&Certificates>,
    idle: Duration,
) -> (SocketAddr, Arc<Connections>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (address, connections) = (listener.local_addr().unwrap(), Arc::default());
    let door = Door::new(listener, certificates, Arc::clone(&connections)).unwrap();
    let door = Door { idle, ..door };
    let seen = |ConnectInfo(peer): ConnectInfo<Peer>| async move {
        format!("tls {} local {}", peer.is_tls, peer.is_local)
    };
    let router = Router::new().route("/", get(seen));
    let service = router.into_make_service_with_connect_info::<Peer>();
    let mut served = JoinSet::new();
    served.spawn(async move { axum::serve(door, service).await });
    served.detach_all();
    (address, connections)
}

fn certificates(data: &Path) -> Certificates {
    Certificates::of_device("gw", data, Timestamp::from_micros(1_795_478_400_000_000)).unwrap()
}

async fn asked<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(mut stream: S) -> String {
    let request = b"GET / HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.rsplit("\r\n\r\n").next().unwrap().to_owned()
}

async fn secure(address: SocketAddr, authority: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    asked(TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()).await
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn one_port_speaks_tls_and_without_and_says_which() {
    let data = tempfile::tempdir().unwrap();
    let certificates = certificates(data.path());
    let (address, connections) = port(Some(&certificates)).await;
    assert_eq!(secure(address, certificates.authority().unwrap()).await, "tls true local true");
    let plain = TcpStream::connect(address).await.unwrap();
    assert_eq!(asked(plain).await, "tls false local true");
    let (without, _) = port(None).await;
    assert_eq!(asked(TcpStream::connect(without).await.unwrap()).await, "tls false local true");
    eventually("their places are free again", || connections.open() == 0).await;
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_closed_and_counted_and_one_that_speaks_is_not() {
    let idle = Duration::from_millis(400);
    let data = tempfile::tempdir().unwrap();
    let certificates = certificates(data.path());
    for certificates in [None, Some(&certificates)] {
        let (address, connections) = port_with(certificates, idle).await;
        let mut speaking = TcpStream::connect(address).await.unwrap();
        let mut silent = TcpStream::connect(address).await.unwrap();
        silent.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
        let begun = std::time::Instant::now();
        let request = b"GET / HTTP/1.1\r\nHost: gw\r\n\r\n";
        let mut answers = 0;
        // Longer than one silence may be, but never silent for so long.
        while begun.elapsed() < 3 * idle {
            speaking.write_all(request).await.unwrap();
            let mut answer = [0; 512];
            assert!(speaking.read(&mut answer).await.unwrap() > 0, "it has an answer each time");
            answers += 1;
            tokio::time::sleep(idle / 8).await;
        }
        assert!(answers > 3);
        let mut rest = Vec::new();
        let _ended = silent.read_to_end(&mut rest).await;
        assert_eq!(connections.idle(), 1);
        drop(speaking);
        eventually("both places are free again", || connections.open() == 0).await;
    }
}

#[tokio::test]
async fn who_says_nothing_or_nonsense_holds_up_nobody() {
    let data = tempfile::tempdir().unwrap();
    let certificates = certificates(data.path());
    let (address, connections) = port(Some(&certificates)).await;
    let mut silent = Vec::new();
    for _ in 0..OPEN_OF_ONE_MAX - 4 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut nonsense = TcpStream::connect(address).await.unwrap();
    nonsense.write_all(&[HANDSHAKE_RECORD, 3, 1, 0xFF, 0xFF, 9, 9]).await.unwrap();
    let mut rest = Vec::new();
    // It is told so, or cut off.
    let _ended = nonsense.read_to_end(&mut rest).await;
    eventually("it is counted", || connections.handshakes_failed() == 1).await;
    let trusted = certificates.authority().unwrap();
    assert_eq!(secure(address, trusted).await, "tls true local true");
    drop(silent);
    eventually("places of those who left are free", || connections.open() == 0).await;
}

#[tokio::test]
async fn one_address_has_a_bound_and_is_served_again_when_it_leaves() {
    let (address, connections) = port(None).await;
    let mut open = Vec::new();
    for _ in 0..OPEN_OF_ONE_MAX {
        open.push(TcpStream::connect(address).await.unwrap());
    }
    eventually("all are open", || connections.open() == OPEN_OF_ONE_MAX).await;
    let mut one_more = TcpStream::connect(address).await.unwrap();
    let mut nothing = Vec::new();
    assert!(matches!(one_more.read_to_end(&mut nothing).await, Ok(0) | Err(_)), "{nothing:?}");
    assert_eq!(connections.refused(), 1);
    drop(open);
    eventually("they have left", || connections.open() == 0).await;
    assert_eq!(asked(TcpStream::connect(address).await.unwrap()).await, "tls false local true");
}

#[test]
fn all_addresses_together_have_a_bound() {
    let connections = Arc::new(Connections::default());
    let of = |number: usize| IpAddr::from([192, 0, 2, u8::try_from(number % 200).unwrap()]);
    let places: Vec<_> = (0..OPEN_MAX).map(|number| connections.place(of(number))).collect();
    assert!(places.iter().all(Option::is_some));
    assert!(connections.place(of(0)).is_none());
    drop(places);
    assert_eq!(connections.open(), 0);
    assert!(connections.place(of(0)).is_some());
}
