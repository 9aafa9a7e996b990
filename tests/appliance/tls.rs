//! MQTT over TLS with certificates on both sides, against mosquitto: who is refused, what the
//! operator is told, and a certificate that is renewed while messages flow.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::forwarding::Bench;
use crate::harness::authority::{Authority, Issued, Term};
use crate::harness::broker::Mosquitto;
use crate::harness::gateway::Gateway;
use crate::harness::{free_port, let_pass, text, wait_until};

/// Ends in a year that certificates of these tests do not see the end of.
const GOOD: Term = Term::Now(2080);
/// Patience with an attempt to connect.
const PATIENCE: Duration = Duration::from_secs(20);

/// A TLS listener of mosquitto with this certificate that wants one of `ca`.
fn listener(port: u16, ca: &Path, served: &Issued) -> Vec<String> {
    vec![
        format!("listener {port} 127.0.0.1"),
        format!("cafile {}", text(ca)),
        format!("certfile {}", text(&served.certificate)),
        format!("keyfile {}", text(&served.key)),
        "require_certificate true".to_owned(),
    ]
}

/// One way of connecting, and what comes of it.
struct Case {
    name: &'static str,
    port: u16,
    ca: PathBuf,
    client: Option<Issued>,
    crl: Option<PathBuf>,
    /// Parts of the error; none when it must connect.
    told: Vec<&'static str>,
}

impl Case {
    fn uplink(&self) -> String {
        let mut uplink = format!(
            "[[uplink]]\nname = \"{}\"\nkind = \"mqtt\"\naddress = \"localhost:{}\"\n\
             tls = true\nca = \"{}\"\n",
            self.name,
            self.port,
            text(&self.ca)
        );
        if let Some(Issued { certificate, key, .. }) = &self.client {
            let (certificate, key) = (text(certificate), text(key));
            writeln!(uplink, "certificate = \"{certificate}\"\nprivate_key = \"{key}\"").unwrap();
        }
        if let Some(crl) = &self.crl {
            writeln!(uplink, "crl = \"{}\"", text(crl)).unwrap();
        }
        uplink
    }

    /// Whether the status says what it should.
    fn holds(&self, uplink: &Value) -> bool {
        let error = uplink["last_error"].as_str().unwrap_or_default();
        if self.told.is_empty() {
            uplink["state"] == "connected" && error.is_empty()
        } else {
            uplink["state"] != "connected" && self.told.iter().all(|part| error.contains(part))
        }
    }
}

/// Everything that can be wrong with a certificate, each at an uplink of its own.
fn cases(folder: &Path) -> (Vec<Case>, Vec<String>) {
    let (mut plant, mut other) = (Authority::new(folder, "plant"), Authority::new(folder, "other"));
    let served = [
        plant.issue("good", "localhost", GOOD),
        plant.issue("expired", "localhost", Term::Past),
        plant.issue("future", "localhost", Term::Future),
        plant.issue("elsewhere", "broker.example.com", GOOD),
        plant.issue("revoked", "localhost", GOOD),
    ];
    let ports = [(); 5].map(|()| free_port());
    let ours = plant.issue("gw", "gw-1", GOOD);
    let revoked_client = plant.issue("gw-revoked", "gw-1", GOOD);
    let crl = plant.revoke(&[&served[4], &revoked_client]);
    let mut lines: Vec<String> = ports
        .iter()
        .zip(&served)
        .flat_map(|(port, served)| listener(*port, &plant.ca(), served))
        .collect();
    let strict = free_port();
    lines.extend(listener(strict, &plant.ca(), &served[0]));
    lines.push(format!("crlfile {}", text(&crl)));
    let expired_client = plant.issue("gw-expired", "gw-1", Term::Past);
    let case = |name, port, told: &[&'static str]| Case {
        name,
        port,
        ca: plant.ca(),
        client: Some(ours.clone()),
        crl: None,
        told: told.to_vec(),
    };
    let good = |name| case(name, ports[0], &[]);
    let cases = vec![
        good("good"),
        Case { crl: Some(crl.clone()), ..good("good-crl") },
        Case {
            ca: other.ca(),
            told: vec!["none of the authorities in", "other-ca.pem", "put the one that issued it"],
            ..good("wrong-ca")
        },
        case("expired", ports[1], &["has expired", "renew it on the broker"]),
        case("future", ports[2], &["not valid yet", "check the clock of the gateway"]),
        case("name", ports[3], &["\"localhost\"", "broker.example.com", "set `server_name`"]),
        Case { crl: Some(crl), ..case("revoked", ports[4], &["is revoked by the list in"]) },
        Case {
            client: None,
            told: vec!["refuses us", "may want a certificate: set `certificate` and `private_key`"],
            ..good("no-client")
        },
        Case {
            client: Some(other.issue("gw-other", "gw-1", GOOD)),
            told: vec!["does not know the authority that issued our certificate", "gw-other.pem"],
            ..good("client-ca")
        },
        Case {
            client: Some(expired_client),
            told: vec!["our certificate", "gw-expired.pem has expired; renew it"],
            ..good("client-expired")
        },
        Case {
            client: Some(revoked_client),
            told: vec!["our certificate", "gw-revoked.pem is revoked; have a new one issued"],
            ..case("client-revoked", strict, &[])
        },
    ];
    (cases, lines)
}

#[test]
fn who_may_not_be_trusted_is_refused_and_the_operator_is_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (cases, lines) = cases(folder.path());
    let broker_folder = folder.path().join("broker");
    fs::create_dir(&broker_folder).unwrap();
    let _broker = Mosquitto::with(&broker_folder, lines);
    let uplinks: String = cases.iter().map(Case::uplink).collect();
    let config = folder.path().join("gateway.toml");
    fs::write(&config, format!("[gateway]\nid = \"gw-1\"\nsite = \"plant\"\n{uplinks}")).unwrap();
    let gateway = Gateway::of(&config, &folder.path().join("data"));
    let mut wrong = Vec::new();
    let of = |gateway: &Gateway, name: &str| {
        let status = gateway.status();
        let uplinks = status["uplinks"].as_array().unwrap();
        uplinks.iter().find(|uplink| uplink["name"] == name).unwrap().clone()
    };
    wait_until("every uplink has tried", PATIENCE, || {
        let uplinks = gateway.status()["uplinks"].as_array().unwrap().clone();
        uplinks.iter().all(|one| one["state"] == "connected" || one["last_error"].is_string())
    });
    for case in &cases {
        let uplink = of(&gateway, case.name);
        println!("{}: {} {}", case.name, uplink["state"], uplink["last_error"]);
        if !case.holds(&uplink) {
            wrong.push(format!("{}: {uplink:#}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (_, metrics) = gateway.get("/metrics");
    for role in ["ours", "authority", "broker"] {
        let labels = format!("{{uplink=\"good\",certificate=\"{role}\"}}");
        assert!(metrics.contains(&format!("certificate_days_left{labels}")), "{metrics}");
    }
    let status = of(&gateway, "client-expired");
    assert!(status["note"].as_str().is_some_and(|note| note.contains("renew it")), "{status}");
    let (log, _) = gateway.stop();
    assert!(log.iter().any(|line| line.contains("our certificate ended on 2002-12-31")));
    assert!(log.iter().all(|line| !line.contains("PRIVATE KEY")));
}

#[test]
fn a_certificate_renewed_while_messages_flow_costs_no_message_and_no_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut authority = Authority::new(folder.path(), "plant");
    let served = authority.issue("broker", "localhost", GOOD);
    let ours = authority.issue("gw", "gw-1", GOOD);
    let next = authority.issue("next", "gw-1", Term::Now(2081));
    let port = free_port();
    let keys = format!(
        "address = \"localhost:{port}\"\ntls = true\nca = \"plant-ca.pem\"\n\
         certificate = \"gw.pem\"\nprivate_key = \"gw.key\"\n"
    );
    let bench = Bench::of(folder, listener(port, &authority.ca(), &served), &keys);
    let gateway = bench.gateway();
    bench.wait_for_messages(10);
    let seen = || {
        let uplink = gateway.status()["uplinks"][0].clone();
        let mut certificates = uplink["certificates"].as_array().unwrap().iter();
        let ours = certificates.find(|one| one["certificate"] == "ours").unwrap();
        (uplink["connections"].as_u64().unwrap(), ours["not_after_us"].as_i64().unwrap())
    };
    let (connections, before) = seen();
    // The certificate alone does not fit the old key: the connection that works is kept.
    fs::copy(&next.certificate, &ours.certificate).unwrap();
    wait_until("the change is seen", PATIENCE, || {
        gateway.log().iter().any(|line| line.contains("are not used") && line.contains("gw.key"))
    });
    assert_eq!(seen(), (connections, before));
    fs::copy(&next.key, &ours.key).unwrap();
    wait_until("the new certificate is used", PATIENCE, || seen().0 == connections + 1);
    assert!(seen().1 > before, "it ends a year later");
    let_pass(Duration::from_secs(2));
    bench.finish(gateway);
}
