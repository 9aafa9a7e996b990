use std::collections::HashMap;

use super::*;
use crate::cli::finding::Verdict;

fn config(text: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, format!("[gateway]\nid = \"gw-7\"\n{text}")).unwrap();
    config::load(&path).unwrap()
}

fn worst(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).max().unwrap()
}

fn listener(protocol: &'static str, address: &str) -> Listener {
    Listener::of(protocol, address.parse().unwrap())
}

#[test]
fn a_page_that_others_reach_must_ask_who_they_are_and_encrypt() {
    let folder = tempfile::tempdir().unwrap();
    let of = |web: &str| page(&config(&format!("[web]\n{web}")), folder.path());
    let [reading, way] = [0, 1];
    let verdict = |web: &str, place: usize| of(web)[place].verdict;
    for web in ["", "listen = \"127.0.0.1:8080\"\nreading = \"open\"\ntls = \"off\""] {
        assert_eq!((verdict(web, reading), verdict(web, way)), (Verdict::Good, Verdict::Good));
    }
    let open = "listen = \"0.0.0.0:8080\"\nreading = \"open\"";
    assert_eq!((verdict(open, reading), verdict(open, way)), (Verdict::Warning, Verdict::Good));
    let plain = "listen = \"0.0.0.0:8080\"\ntls = \"off\"";
    assert_eq!((verdict(plain, reading), verdict(plain, way)), (Verdict::Good, Verdict::Bad));
}

#[test]
fn a_password_without_tls_is_wrong_and_a_readable_key_too() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    std::fs::write(&key, "").unwrap();
    let of = |rest: &str| {
        let text = format!("[[uplink]]\nname = \"cloud\"\nkind = \"mqtt\"\n{rest}\n");
        let config = config(&text);
        worst(&link(&config.uplinks[0], &config))
    };
    assert_eq!(of("address = \"127.0.0.1:1883\""), Verdict::Good);
    assert_eq!(of("address = \"broker.example:1883\""), Verdict::Warning);
    let named = "address = \"broker.example:1883\"\nusername = \"gw\"\npassword = \"env:P\"";
    assert_eq!(of(named), Verdict::Bad);
    let set = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
    let both = format!(
        "address = \"broker.example:8883\"\ntls = true\nca = \"{0}\"\ncertificate = \"{0}\"\n\
         private_key = \"{0}\"",
        key.display()
    );
    set(0o644);
    assert_eq!(of(&both), Verdict::Bad);
    set(0o640);
    assert_eq!(of(&both), Verdict::Good);
}

#[test]
fn certificates_are_told_thirty_days_before_their_end_and_behind_it() {
    let end = Timestamp::parse("2026-12-31T00:00:00Z").unwrap();
    let term = CertificateTerm { role: "ours", not_after: end };
    let at = |day: &str| ending("x".to_owned(), &term, Timestamp::parse(day).unwrap()).verdict;
    assert_eq!(at("2026-12-01T00:00:00Z"), Verdict::Good);
    assert_eq!(at("2026-12-01T00:00:01Z"), Verdict::Warning);
    assert_eq!(at("2027-01-01T00:00:00Z"), Verdict::Bad);
}

#[test]
fn tokens_that_never_end_are_told_when_they_may_much_or_are_old() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Tokens::of(folder.path());
    let made = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let later = made.plus(Duration::from_hours(24));
    kept.add("reader", Role::Viewer, (made, None)).unwrap();
    assert_eq!(worst(&tokens(folder.path(), later)), Verdict::Good);
    let in_two_years = made.plus(Duration::from_hours(2 * 365 * 24));
    assert_eq!(worst(&tokens(folder.path(), in_two_years)), Verdict::Warning);
    kept.add("tool", Role::Engineer, (made, None)).unwrap();
    let found = tokens(folder.path(), later);
    assert_eq!(found.len(), 1, "one that is weak: {found:?}");
    assert!(found[0].to_string().contains("token revoke --name tool"), "{}", found[0]);
}

#[test]
fn what_others_reach_is_named_with_the_program_that_it_belongs_to() {
    let config =
        config("[web]\nlisten = \"0.0.0.0:8080\"\n[local_broker]\nlisten = \"0.0.0.0:1883\"\n");
    let all = [
        listener("tcp", "0.0.0.0:8080"),
        listener("tcp", "0.0.0.0:1883"),
        listener("tcp", "0.0.0.0:22"),
        listener("udp", "[::]:8080"),
        listener("tcp", "127.0.0.1:631"),
    ];
    let programs = HashMap::from([(0, "sshd".to_owned())]);
    let found = ports(&config, &all, &programs);
    let verdicts: Vec<_> = found.iter().map(|one| one.verdict).collect();
    let [good, warning] = [Verdict::Good, Verdict::Warning];
    assert_eq!(verdicts, [good, warning, warning, warning, good], "{found:?}");
    assert!(found[2].to_string().contains("sshd listens on 0.0.0.0"), "{}", found[2]);
    assert!(found[4].to_string().contains("1 more"), "{}", found[4]);
}

#[test]
fn files_that_others_may_read_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    std::fs::write(path("gateway.toml"), "").unwrap();
    std::fs::write(path("users.json"), "").unwrap();
    set(folder.path(), 0o750);
    set(&path("users.json"), 0o600);
    let found = || rights(&path("gateway.toml"), folder.path());
    assert_eq!(worst(&found()), Verdict::Good);
    set(folder.path(), 0o755);
    assert_eq!(worst(&found()), Verdict::Warning);
    set(&path("users.json"), 0o640);
    assert_eq!(worst(&found()), Verdict::Bad);
    set(&path("users.json"), 0o600);
    set(folder.path(), 0o750);
    set(&path("gateway.toml"), 0o666);
    assert_eq!(worst(&found()), Verdict::Bad);
}
