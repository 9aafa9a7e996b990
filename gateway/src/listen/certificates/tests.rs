use std::os::unix::fs::PermissionsExt as _;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;

/// 2026-11-24.
const NOW: Timestamp = Timestamp::from_micros(1_795_478_400_000_000);

#[derive(Debug)]
struct At(Timestamp);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        let micros = u64::try_from(self.0.micros()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_micros(micros)))
    }
}

/// Whether a client that trusts the authority, at that time, speaks to `name`.
async fn is_trusted(all: &Certificates, trusted: &str, (name, now): (&str, Timestamp)) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_details(provider, Arc::new(At(now)))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (ours, theirs) = duplex(1 << 16);
    let acceptor = all.acceptor();
    let server = async move {
        let mut tls = acceptor.accept(ours).await?;
        tls.write_all(b"hello").await?;
        tls.shutdown().await
    };
    let client = async move {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut tls = TlsConnector::from(Arc::new(config)).connect(name, theirs).await?;
        let mut text = String::new();
        tls.read_to_string(&mut text).await?;
        Ok::<_, std::io::Error>(text)
    };
    let (_, heard) = tokio::join!(server, client);
    heard.is_ok_and(|text| text == "hello")
}

fn device(data: &Path) -> Certificates {
    Certificates::of_device("gw-7", data, NOW).unwrap()
}

fn show(all: &Certificates, names: Names, now: Timestamp) {
    let Source::Device { authority, .. } = &all.source else { panic!("no device's") };
    all.look_at_names(authority, names, now).unwrap();
}

fn names(address: &str) -> Names {
    Names::new(["gw-7", ""], [address.parse().unwrap()])
}

#[tokio::test]
async fn who_trusts_the_authority_trusts_the_page_by_its_names_and_addresses() {
    let data = tempfile::tempdir().unwrap();
    let all = device(data.path());
    let ca = all.authority().unwrap().to_owned();
    for name in ["gw-7", "gw-7.local", "localhost", "127.0.0.1", "::1"] {
        assert!(is_trusted(&all, &ca, (name, NOW)).await, "{name}");
    }
    assert!(!is_trusted(&all, &ca, ("other.local", NOW)).await);
    show(&all, names("192.168.3.7"), NOW);
    assert!(is_trusted(&all, &ca, ("192.168.3.7", NOW)).await);
    let other = tempfile::tempdir().unwrap();
    let other = device(other.path());
    assert!(!is_trusted(&all, other.authority().unwrap(), ("gw-7", NOW)).await, "another device's");
}

#[tokio::test]
async fn the_authority_is_the_same_after_a_restart_and_its_key_is_nobody_elses() {
    let data = tempfile::tempdir().unwrap();
    let first = device(data.path());
    let (ca, print) = (first.authority().unwrap().to_owned(), first.fingerprint().unwrap());
    assert_eq!((print.len(), print.matches(':').count()), (95, 31), "{print}");
    let again = device(data.path());
    assert_eq!(again.authority(), Some(&*ca));
    assert!(is_trusted(&again, &ca, ("gw-7", NOW)).await);
    let mode = std::fs::metadata(data.path().join("web-ca.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A certificate without its key is of no use, and is replaced.
    std::fs::remove_file(data.path().join("web-ca.key")).unwrap();
    assert_ne!(device(data.path()).authority(), Some(&*ca));
}

#[tokio::test]
async fn a_thief_of_the_key_can_be_nobody_else() {
    let data = tempfile::tempdir().unwrap();
    let all = device(data.path());
    let ca = all.authority().unwrap().to_owned();
    for (host, ip) in [("bank.example", "192.168.3.7"), ("gw-7", "203.0.113.9")] {
        let mut forged = names("10.0.0.1");
        forged.dns = vec![host.to_owned()];
        forged.addresses = vec![ip.parse().unwrap()];
        show(&all, forged, NOW);
        assert!(!is_trusted(&all, &ca, (host, NOW)).await, "{host} {ip}");
        assert!(!is_trusted(&all, &ca, (ip, NOW)).await, "{host} {ip}");
    }
}

#[tokio::test]
async fn another_is_made_when_the_clock_or_the_addresses_say_so() {
    let data = tempfile::tempdir().unwrap();
    let all = device(data.path());
    let ca = all.authority().unwrap().to_owned();
    let shown = || all.shown.lock().unwrap().key.clone().unwrap();
    show(&all, names("192.168.3.7"), NOW);
    let first = shown();
    show(&all, names("192.168.3.7"), NOW.plus(Duration::from_hours(360 * 24)));
    assert!(Arc::ptr_eq(&first, &shown()), "a good one stays");
    let late = NOW.plus(Duration::from_hours(368 * 24));
    show(&all, names("192.168.3.7"), late);
    assert!(!Arc::ptr_eq(&first, &shown()), "30 days before its end");
    assert!(is_trusted(&all, &ca, ("192.168.3.7", late)).await);
    show(&all, names("192.168.3.7"), NOW);
    assert!(is_trusted(&all, &ca, ("192.168.3.7", NOW)).await, "the clock was set back");
    show(&all, names("10.1.2.3"), NOW);
    assert!(is_trusted(&all, &ca, ("10.1.2.3", NOW)).await, "it moved");
    // A box that wakes up in 1970 is reached by people whose clocks are right.
    show(&all, names("10.9.9.9"), Timestamp::from_micros(5_000_000));
    let before = shown();
    assert!(is_trusted(&all, &ca, ("10.9.9.9", BEGINNING.plus(SLACK))).await);
    show(&all, names("10.9.9.9"), Timestamp::from_micros(60_000_000));
    assert!(Arc::ptr_eq(&before, &shown()), "not another each time it is looked at");
}

#[test]
fn names_and_addresses_of_others_are_left_out() {
    let found = Names::new(
        ["Box", "gw_7"],
        ["192.168.3.7", "203.0.113.9", "fe80::1", "fd00::7", "100.64.0.1"]
            .map(|ip| ip.parse().unwrap()),
    );
    assert_eq!(found.dns, ["box", "box.local", "localhost"]);
    let addresses: Vec<String> = found.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["100.64.0.1", "127.0.0.1", "192.168.3.7", "::1", "fd00::7"]);
}

#[tokio::test]
async fn the_owners_certificate_is_read_again_and_a_wrong_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (folder.path().join("page.crt"), folder.path().join("page.key"));
    let issue = || {
        let issued = rcgen::generate_simple_self_signed(["gw.plant.example".to_owned()]).unwrap();
        (issued.cert.pem(), issued.signing_key.serialize_pem())
    };
    let put = |path: &Path, text: &str, mode: u32| {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let (first, first_key) = issue();
    put(&chain, &first, 0o644);
    put(&key, &first_key, 0o644);
    // At a start with files that do not do, the device's own is shown, and the files again later.
    let other = tempfile::tempdir().unwrap();
    let instead = || Certificates::of_device("gw-7", other.path(), NOW);
    let all = Certificates::of_owner((&chain, &key), instead).unwrap();
    let told = all.shown.lock().unwrap().told.clone();
    assert!(told.contains("everybody may read") && told.contains("page.key"), "{told}");
    let own = device(other.path());
    assert!(is_trusted(&all, own.authority().unwrap(), ("gw-7", NOW)).await);
    put(&key, &first_key, 0o600);
    all.renew(NOW);
    assert!(all.authority().is_none() && all.fingerprint().is_none());
    let trusted = |pem: String| {
        let all = &all;
        async move { is_trusted(all, &pem, ("gw.plant.example", NOW)).await }
    };
    assert!(trusted(first.clone()).await);
    let (second, second_key) = issue();
    put(&chain, &second, 0o644);
    all.renew(NOW);
    assert!(all.shown.lock().unwrap().told.contains("is not the key of"), "the key is another's");
    assert!(trusted(first.clone()).await, "what worked stays");
    put(&key, &second_key, 0o600);
    all.renew(NOW);
    assert!(trusted(second).await && !trusted(first).await);
}

#[tokio::test]
async fn damaged_files_of_the_authority_are_replaced_by_new_ones() {
    for damaged in ["web-ca.key", "web-ca.crt"] {
        for content in [&b""[..], b"-----BEGIN", b"\xFF\xFE"] {
            let data = tempfile::tempdir().unwrap();
            drop(device(data.path()));
            std::fs::write(data.path().join(damaged), content).unwrap();
            let again = device(data.path());
            let ca = again.authority().unwrap().to_owned();
            assert!(is_trusted(&again, &ca, ("gw-7", NOW)).await, "{damaged}");
            assert_eq!(device(data.path()).authority(), Some(&*ca), "{damaged}: it is kept");
        }
    }
}
