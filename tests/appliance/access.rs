//! Who may: the claim of a new gateway, every route with every role, what is taken away, guesses.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::gateway::Gateway;
use crate::harness::programs::{answer, node, python};
use crate::harness::{fieldgate, root, text, wait_until};

const PASSWORD: &str = "four words make it";
const ROLES: [&str; 4] = ["viewer", "operator", "engineer", "admin"];

fn write_config(folder: &Path, web: &str) -> PathBuf {
    let can = root().join("config/demo/can");
    let path = folder.join("gateway.toml");
    let config = format!(
        "[gateway]\nid = \"gw-7\"\nsite = \"plant\"\n[web]\n{web}\n\
         [[can]]\nname = \"truck\"\nreplay = \"{0}/truck-idle-j1939-gps.log.gz\"\n\
         channel = \"can0\"\ndbc = [\"{0}/j1939_common.dbc\"]\nmatch = \"pgn\"\nloop = true\n",
        text(&can)
    );
    fs::write(&path, config).unwrap();
    path
}

fn claim_code(data: &Path) -> String {
    let shown = fieldgate(&["claim-code", "--data", text(data)]);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    String::from_utf8(shown.stdout).unwrap().trim().to_owned()
}

/// A request as the gateway's page makes it, with the cookie of a session or without.
fn ask(gateway: &Gateway, asked: (&str, &str), cookie: &str, body: &Value) -> (u16, Value) {
    let head = format!("Origin: http://{}\r\nCookie: {cookie}\r\n", gateway.address);
    let (code, _, answer) = gateway.request(asked, (&head, &body.to_string()));
    (code, serde_json::from_str(&answer).unwrap_or(Value::String(answer)))
}

/// The cookie that an answer gives.
fn cookie_of(gateway: &Gateway, path: &str, body: &Value) -> String {
    let (code, head, answer) = gateway.request(("POST", path), ("", &body.to_string()));
    assert_eq!(code, 200, "{path}: {answer}");
    let line = head.lines().find(|line| line.to_lowercase().starts_with("set-cookie: "));
    let line = line.expect("a cookie");
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "fieldgate_gw-7="] {
        assert!(line.contains(part), "{line}");
    }
    line["set-cookie: ".len()..].split(';').next().unwrap().to_owned()
}

fn claimed(gateway: &Gateway, data: &Path) -> String {
    let who = json!({ "code": claim_code(data), "name": "eva", "password": PASSWORD });
    cookie_of(gateway, "/api/v1/claim", &who)
}

fn log_in(gateway: &Gateway, name: &str) -> String {
    cookie_of(gateway, "/api/v1/session", &json!({ "name": name, "password": PASSWORD }))
}

#[test]
fn a_new_gateway_tells_a_stranger_nothing_until_its_owner_claims_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let gateway = Gateway::of(&write_config(folder.path(), ""), &data);
    let stranger = |path| gateway.request(("GET", path), ("", ""));
    assert_eq!(stranger("/api/v1/status").0, 401);
    assert_eq!(stranger("/metrics").0, 401);
    assert_eq!(stranger("/healthz").0, 200);
    assert_eq!(stranger("/").0, 200, "the page itself, to log in at");
    let session: Value = serde_json::from_str(&stranger("/api/v1/session").2).unwrap();
    assert_eq!(session, json!({ "claimed": false, "reading": "login", "user": null }));
    for (name, password) in [("admin", "admin"), ("admin", ""), ("root", "fieldgate")] {
        let login = json!({ "name": name, "password": password });
        assert_eq!(ask(&gateway, ("POST", "/api/v1/session"), "", &login).0, 401);
    }
    let code = claim_code(&data);
    assert!(!gateway.log().join("\n").contains(&code), "the code is in the log");
    let cookie = claimed(&gateway, &data);
    assert_eq!(ask(&gateway, ("GET", "/api/v1/status"), &cookie, &Value::Null).0, 200);
    let (_, session) = ask(&gateway, ("GET", "/api/v1/session"), &cookie, &Value::Null);
    assert_eq!(session["user"], json!({ "name": "eva", "role": "admin", "is_session": true }));
    let again = json!({ "code": code, "name": "mallory", "password": PASSWORD });
    assert_eq!(ask(&gateway, ("POST", "/api/v1/claim"), "", &again).0, 409);
    assert!(!fieldgate(&["claim-code", "--data", text(&data)]).status.success());
    let (_, audit) = ask(&gateway, ("GET", "/api/v1/audit"), &cookie, &Value::Null);
    assert_eq!(audit["records"][0]["kind"], "claimed", "{audit}");
    let log = gateway.log().join("\n");
    gateway.stop();
    for secret in [PASSWORD, &code, &cookie] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let verified = fieldgate(&["audit", "verify", "--data", text(&data)]);
    assert!(verified.status.success());
}

/// What a route asks for that is right in form and does nothing: only the answer's kind matters.
fn body_of(path: &str) -> Value {
    match path {
        "/api/v1/sql" => json!({ "sql": "SELECT 1" }),
        _ => json!({}),
    }
}

#[test]
fn every_route_lets_in_whom_its_line_in_the_docs_says_and_nobody_else() {
    let docs = fs::read_to_string(root().join("docs/access.md")).unwrap();
    let routes: Vec<(String, String, String)> = docs
        .lines()
        .filter(|line| line.contains("| `/"))
        .map(|line| {
            let mut cells = line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
            cells.next();
            (cells.next().unwrap(), cells.next().unwrap(), cells.next().unwrap())
        })
        .collect();
    assert!(routes.len() > 30, "{}", routes.len());
    for reading in ["login", "open"] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let config = write_config(folder.path(), &format!("reading = \"{reading}\""));
        let gateway = Gateway::of(&config, &data);
        claimed(&gateway, &data);
        let token = |role: &str| {
            let add = ["token", "add", "--name", role, "--role", role, "--data", text(&data)];
            let made = fieldgate(&add);
            assert!(made.status.success());
            String::from_utf8(made.stdout).unwrap().trim().to_owned()
        };
        let tokens: BTreeMap<_, _> = ROLES.iter().map(|role| (*role, token(role))).collect();
        let rank = |role: &str| ROLES.iter().position(|known| *known == role);
        for (method, path, needs) in &routes {
            // What would log out, or hang up, is asked by strangers alone.
            let concrete = path.replace(['{', '}'], "x");
            let least = match (&**needs, reading) {
                ("nothing", _) | ("reading", "open") => None,
                ("reading", _) => rank("viewer"),
                (role, _) => Some(rank(role).unwrap_or_else(|| panic!("{needs}"))),
            };
            let callers = [None].into_iter().chain(ROLES.into_iter().map(Some));
            for caller in callers {
                let head = caller.map_or_else(String::new, |role| {
                    format!("Authorization: Bearer {}\r\n", tokens[role])
                });
                let body = body_of(path).to_string();
                let (code, _, answer) = gateway.request((method, &concrete), (&head, &body));
                let said = format!("{reading}: {method} {path} as {caller:?}: {code} {answer}");
                let code_of = serde_json::from_str::<Value>(&answer).unwrap_or_default();
                let kind = code_of["code"].as_str().unwrap_or_default();
                match (least, caller.and_then(rank)) {
                    (Some(_), None) => assert_eq!((code, kind), (401, "not_logged_in"), "{said}"),
                    (Some(least), Some(has)) if has < least => {
                        assert_eq!((code, kind), (403, "role"), "{said}");
                    }
                    (None | Some(_), _) => {
                        assert!(
                            !["not_logged_in", "role", "no_valid_token"].contains(&kind),
                            "{said}"
                        );
                        assert!(code < 500, "{said}");
                    }
                }
            }
            let unknown = "Authorization: Bearer fgt_0000\r\n";
            let (code, _, answer) = gateway.request((method, &concrete), (unknown, "{}"));
            if needs != "nothing" {
                assert_eq!(code, 401, "{reading}: {method} {path} with an unknown token: {answer}");
            }
        }
        gateway.stop();
    }
}

#[test]
fn what_is_taken_away_opens_nothing_from_the_next_request_on() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let gateway = Gateway::of(&write_config(folder.path(), ""), &data);
    let eva = claimed(&gateway, &data);
    let user = |name: &str, role: &str| json!({ "name": name, "role": role, "password": PASSWORD });
    let may = |cookie: &str, path: &str| ask(&gateway, ("GET", path), cookie, &Value::Null).0;
    let change = |asked: (&str, &str), body: Value| {
        let (code, answer) = ask(&gateway, asked, &eva, &body);
        assert!((200..300).contains(&code), "{asked:?}: {code} {answer}");
        answer
    };
    change(("POST", "/api/v1/users"), user("adam", "admin"));
    let adam = log_in(&gateway, "adam");
    assert_eq!(may(&adam, "/api/v1/users"), 200);
    change(("PATCH", "/api/v1/users/adam"), json!({ "role": "viewer" }));
    assert_eq!((may(&adam, "/api/v1/users"), may(&adam, "/api/v1/status")), (403, 200));
    change(("DELETE", "/api/v1/users/adam"), Value::Null);
    assert_eq!(may(&adam, "/api/v1/status"), 401);

    let token = change(("POST", "/api/v1/tokens"), json!({ "name": "ci", "role": "viewer" }));
    let bearer = format!("Authorization: Bearer {}\r\n", token["token"].as_str().unwrap());
    let read = || gateway.request(("GET", "/api/v1/status"), (&bearer, "")).0;
    assert_eq!(read(), 200);
    change(("DELETE", "/api/v1/tokens/ci"), Value::Null);
    assert_eq!(read(), 401);

    let again = log_in(&gateway, "eva");
    let sessions = change(("GET", "/api/v1/sessions"), Value::Null);
    assert_eq!(sessions["sessions"].as_array().map(Vec::len), Some(2), "{sessions}");
    let newest = sessions["sessions"][0]["id"].as_str().unwrap();
    change(("DELETE", &format!("/api/v1/sessions/{newest}")), Value::Null);
    assert_eq!((may(&again, "/api/v1/status"), may(&eva, "/api/v1/status")), (401, 200));
    change(("DELETE", "/api/v1/session"), Value::Null);
    assert_eq!(may(&eva, "/api/v1/status"), 401);

    let audit = fieldgate(&["audit", "verify", "--data", text(&data)]);
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
    gateway.stop();
    let kept = fs::read_dir(data.join("audit")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&kept).unwrap();
    let place = bytes.len() / 2;
    bytes[place] ^= 1;
    fs::write(&kept, bytes).unwrap();
    let audit = fieldgate(&["audit", "verify", "--data", text(&data)]);
    assert!(!audit.status.success(), "a changed byte is not seen");
}

#[test]
fn a_request_that_another_page_makes_a_browser_send_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let gateway = Gateway::of(&write_config(folder.path(), ""), &data);
    let cookie = claimed(&gateway, &data);
    let body = json!({ "name": "mallory", "role": "admin", "password": PASSWORD }).to_string();
    for origin in ["", "Origin: http://evil.example\r\n", "Origin: null\r\n"] {
        let head = format!("Cookie: {cookie}\r\n{origin}");
        let (code, _, answer) = gateway.request(("POST", "/api/v1/users"), (&head, &body));
        assert_eq!(code, 403, "{origin}: {answer}");
        assert!(answer.contains("foreign_origin"), "{answer}");
    }
    let (_, users) = ask(&gateway, ("GET", "/api/v1/users"), &cookie, &Value::Null);
    assert_eq!(users["users"].as_array().map(Vec::len), Some(1), "{users}");
    gateway.stop();
}

#[test]
fn guessing_is_slow_and_counted_and_hashes_are_made_one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let gateway = Gateway::of(&write_config(folder.path(), ""), &data);
    let cookie = claimed(&gateway, &data);
    let guess = |name: &str, number: u32| {
        let login = json!({ "name": name, "password": format!("guess number {number}") });
        let (code, head, _) =
            gateway.request(("POST", "/api/v1/session"), ("", &login.to_string()));
        (code, head.to_lowercase().contains("retry-after: "))
    };
    for name in ["eva", "nobody"] {
        let codes: Vec<u16> = (0..50).map(|number| guess(name, number).0).collect();
        let looked_at = codes.iter().filter(|code| **code == 401).count();
        assert!((5..=8).contains(&looked_at), "{name}: {codes:?}");
        assert_eq!(guess(name, 50), (429, true));
    }
    let right = json!({ "name": "eva", "password": PASSWORD });
    assert_eq!(ask(&gateway, ("POST", "/api/v1/session"), "", &right).0, 429, "the right one too");
    assert_eq!(ask(&gateway, ("GET", "/api/v1/status"), &cookie, &Value::Null).0, 200);
    wait_until("an event tells of it", Duration::from_secs(10), || {
        let events = gateway.json("/api/v1/events?limit=50");
        let events = events["events"].as_array().unwrap().clone();
        events.iter().any(|event| {
            event["kind"] == "access"
                && event["message"].as_str().unwrap().contains("eva: login failed 5")
        })
    });
    // Twenty at once, from names that have not failed yet.
    let codes: Vec<u16> = std::thread::scope(|scope| {
        let guess = &guess;
        let tries: Vec<_> =
            (0..20).map(|n| scope.spawn(move || guess(&format!("name {n}"), n).0)).collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(codes.iter().all(|code| [401, 429].contains(code)), "{codes:?}");
    gateway.stop();
}

#[test]
fn an_owner_claims_a_gateway_at_its_page_and_lets_people_and_programs_in() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let shots = root().join("target/screenshots");
    fs::create_dir_all(&shots).unwrap();
    // With TLS, as other machines see it: cookies and live values must come through.
    let gateway = Gateway::of(&write_config(folder.path(), "tls = \"device\""), &data);
    let url = format!("https://{}", gateway.address);
    let told = answer(node("page/people.mjs").arg(&url).arg(claim_code(&data)).arg(&shots));
    println!("{told:#}");
    assert_eq!(told["claim_title"], "Claim this gateway");
    assert_eq!(told["behind"], 0, "a stranger sees the screens");
    assert!(told["wrong_code"].as_str().unwrap().contains("not the code"));
    assert_eq!((&told["claimed_as"], &told["landed_on"]), (&json!("eva"), &json!("Storage")));
    assert!(told["weak"].as_str().unwrap().contains("too short"), "{}", told["weak"]);
    assert!(told["token"].as_str().unwrap().starts_with("fgt_"));
    assert_eq!(told["adam_sees_people"], 0);
    assert!(told["shut_ms"].as_u64().unwrap() < 10_000, "{}", told["shut_ms"]);
    assert!(told["wrong_password"].as_str().unwrap().contains("Name or password is wrong"));
    let newest_first = [
        "login",
        "login_failed",
        "logout",
        "user_removed",
        "login",
        "token_added",
        "user_added",
        "claimed",
        "claim_failed",
    ];
    assert_eq!(told["records"], json!(newest_first));
    assert_eq!(told["foreign"], json!([]), "requests to other hosts");
    assert_eq!(told["errors"], json!([]));
    assert_eq!(told["screenshots"].as_array().map(Vec::len), Some(12));
    gateway.stop();
}

#[test]
fn a_program_that_trusts_this_devices_authority_reads_by_tls_and_no_other_does() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = write_config(folder.path(), "tls = \"device\"");
    let gateway = Gateway::of(&config, &data);
    let read = |gateway: &Gateway, ca: &Path| {
        let mut python = python("tls_read.py");
        python.args([&gateway.address, text(ca)]).env("FIELDGATE_TOKEN", &gateway.local_token);
        answer(&mut python)
    };
    let ca = folder.path().join("ca.crt");
    let (code, _, pem) = gateway.request(("GET", "/ca.crt"), ("", ""));
    assert_eq!(code, 200);
    fs::write(&ca, &pem).unwrap();
    let told = read(&gateway, &ca);
    assert_eq!((&told["status"], &told["version"]), (&json!(200), &json!("TLSv1.3")), "{told}");
    assert_eq!(told["cookie_is_secure"], true, "{told}");
    assert!(told["old"].as_str().unwrap().contains("refused"), "TLS 1.1: {told}");
    gateway.stop();
    let again = Gateway::of(&config, &data);
    assert_eq!(read(&again, &ca)["status"], 200, "it is trusted after a restart");
    again.stop();
    let other_data = folder.path().join("other");
    let other = Gateway::of(&config, &other_data);
    let told = read(&other, &ca);
    assert!(told["problem"].as_str().unwrap().contains("CERTIFICATE_VERIFY_FAILED"), "{told}");
    other.stop();
}

#[test]
fn no_request_that_the_api_document_allows_or_forbids_breaks_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let gateway = Gateway::of(&write_config(folder.path(), ""), &data);
    let add = ["token", "add", "--name", "fuzz", "--role", "admin", "--data", text(&data)];
    let made = fieldgate(&add);
    let token = String::from_utf8(made.stdout).unwrap();
    // More by hand: FIELDGATE_API_EXAMPLES=1000 makes some 50,000 requests.
    let examples = std::env::var("FIELDGATE_API_EXAMPLES").unwrap_or_else(|_| "12".to_owned());
    let url = format!("http://{}", gateway.address);
    let document = root().join("docs/openapi.json");
    let mut python = python("api_fuzz.py");
    python.args([text(&document), &url, &examples]).env("FIELDGATE_TOKEN", token.trim());
    let told = answer(&mut python);
    println!("{} requests to {} operations", told["requests"], told["operations"]);
    assert_eq!(told["code"], 0, "{}", told["said"].as_str().unwrap_or_default());
    assert_eq!(told["operations"], 36);
    assert!(told["requests"].as_u64().unwrap() > 500, "{told}");
    assert_eq!(gateway.get("/healthz").0, 200);
    let verified = fieldgate(&["audit", "verify", "--data", text(&data)]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    gateway.stop();
}

/// What `audit security` finds: verdict by what it is about; and the exit code.
fn audited(config: &Path, data: &Path) -> (BTreeMap<String, String>, i32) {
    let (config, data) = (text(config), text(data));
    let ran = fieldgate(&["audit", "security", "--config", config, "--data", data, "--json"]);
    let found: Vec<Value> = serde_json::from_slice(&ran.stdout).unwrap_or_else(|err| {
        panic!("{err}: {}", String::from_utf8_lossy(&ran.stderr));
    });
    let of = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    for one in &found {
        assert_eq!(of(one, "remedy").is_empty(), of(one, "verdict") == "good", "{one}");
    }
    let verdicts = found.iter().map(|one| (of(one, "about"), of(one, "verdict"))).collect();
    (verdicts, ran.status.code().unwrap())
}

#[test]
fn a_security_report_says_what_weakens_a_gateway_that_runs_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = write_config(folder.path(), "");
    let gateway = Gateway::of(&config, &data);
    let verdict = |report: &BTreeMap<String, String>, about: &str| {
        report.get(about).unwrap_or_else(|| panic!("nothing about {about}: {report:?}")).clone()
    };
    let (report, code) = audited(&config, &data);
    assert_eq!(code, 0, "{report:?}");
    assert_eq!(verdict(&report, "claim"), "warning", "nobody has claimed it");
    for about in ["page", "page's connections", "audit", "logins", "writing to devices"] {
        assert_eq!(verdict(&report, about), "good", "{about}");
    }

    let cookie = claimed(&gateway, &data);
    assert!(!cookie.is_empty());
    let wrong = json!({ "name": "eva", "password": "guessed by somebody" });
    let (code, _) = ask(&gateway, ("POST", "/api/v1/session"), "", &wrong);
    assert_eq!(code, 401);
    let added = ["token", "add", "--name", "tool", "--role", "admin", "--data", text(&data)];
    assert!(fieldgate(&added).status.success());
    let open = "listen = \"0.0.0.0:1\"\nreading = \"open\"\ntls = \"off\"";
    let (report, code) = audited(&write_config(folder.path(), open), &data);
    assert_eq!(code, 1, "passwords in clear are wrong: {report:?}");
    let found: Vec<_> = ["claim", "page", "page's connections", "token tool"]
        .map(|about| verdict(&report, about))
        .to_vec();
    assert_eq!(found, ["good", "warning", "bad", "warning"]);

    let audit = fs::read_dir(data.join("audit")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read_to_string(&audit).unwrap();
    fs::write(&audit, whole.replacen("eva", "eve", 1)).unwrap();
    let (report, code) = audited(&write_config(folder.path(), ""), &data);
    assert_eq!((verdict(&report, "audit").as_str(), code), ("bad", 1));
}
