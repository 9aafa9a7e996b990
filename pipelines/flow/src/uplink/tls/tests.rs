use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use signals::ManualClock;
use tempfile::TempDir;

use super::*;

/// An authority and a client's certificate in files.
struct Files {
    folder: TempDir,
    settings: TlsSettings,
}

impl Files {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(2051, 2, 28);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut params = CertificateParams::new(vec!["gw-1".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2027, 1, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("ca.pem"), authority.pem()).unwrap();
        fs::write(file("gw.pem"), certificate.pem()).unwrap();
        fs::write(file("gw.key"), key.serialize_pem()).unwrap();
        fs::set_permissions(file("gw.key"), fs::Permissions::from_mode(0o600)).unwrap();
        let client = Some((file("gw.pem"), file("gw.key")));
        let settings = TlsSettings { ca: file("ca.pem"), client, ..TlsSettings::default() };
        Self { folder, settings }
    }

    fn load(&self) -> Result<Loaded, String> {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::from_micros(0)));
        self.settings.load("broker.example.com", &clock)
    }

    fn put(&self, name: &str, content: &str) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn fails_with(&self, parts: &[&str]) {
        let told = self.load().err().unwrap();
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    }
}

#[test]
fn terms_of_our_certificate_and_the_authority_are_read_in_both_forms_of_time() {
    let terms = Files::new().load().unwrap().terms();
    let told: Vec<_> = terms.iter().map(|term| (term.role, term.not_after.to_string())).collect();
    // From 2050 on a certificate writes the year with four digits (RFC 5280, 4.1.2.5).
    let wanted = [
        ("authority", "2051-02-28T00:00:00.000000Z".to_owned()),
        ("ours", "2027-01-31T00:00:00.000000Z".to_owned()),
    ];
    assert_eq!(told, wanted);
    let now = Timestamp::parse("2027-01-30T12:00:00Z").unwrap();
    assert_eq!(terms[1].days_left(now), 0);
    assert_eq!(terms[1].days_left(now.plus(Duration::from_hours(13))), -1, "it is over");
}

#[test]
fn bytes_that_are_no_certificate_have_no_term() {
    let files = Files::new();
    let certificate = certificates(&files.settings.ca).unwrap().remove(0);
    for length in 0..certificate.len() {
        assert_eq!(validity::not_after(&certificate[..length]), None, "cut to {length} bytes");
    }
    assert_eq!(validity::not_after(&[0x30, 0x85, 1, 1, 1, 1, 1]), None);
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_what_to_do() {
    let mut files = Files::new();
    files.put("ca.pem", "nothing");
    files.fails_with(&["ca.pem: there is none in it", "must hold certificates in PEM"]);
    files.settings.ca = files.folder.path().join("gone.pem");
    files.fails_with(&["gone.pem: No such file", "check the path"]);
    let mut files = Files::new();
    files.settings.crl = Some(files.folder.path().join("ca.pem"));
    files.fails_with(&["ca.pem: there is none in it", "revocation lists in PEM"]);
    let mut files = Files::new();
    files.settings.server_name = Some("not a name".to_owned());
    files.fails_with(&["\"not a name\"", "set `server_name`"]);
}

#[test]
fn a_key_is_refused_when_everybody_may_read_it_or_when_it_is_anothers_and_never_shown() {
    let files = Files::new();
    let key = files.folder.path().join("gw.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    files.fails_with(&["gw.key: everybody on this machine", "chmod 640"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    files.put("gw.key", &KeyPair::generate().unwrap().serialize_pem());
    files.fails_with(&["gw.pem and", "do not belong together"]);
    files.put("gw.key", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n");
    let told = files.load().err().unwrap();
    assert!(!told.contains("c2VjcmV0") && !told.contains("secret"), "{told}");
}

#[test]
fn the_fingerprint_follows_the_content_of_every_file() {
    let files = Files::new();
    let before = files.settings.fingerprint();
    assert_eq!(before, files.settings.fingerprint());
    files.put("gw.key", "another");
    assert_ne!(before, files.settings.fingerprint());
}
