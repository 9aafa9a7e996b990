//! `fieldgate doctor` and `support-bundle` on a gateway that runs, one that does not, and a
//! configuration that cannot be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::counter::CountingDevice;
use crate::harness::gateway::Gateway;
use crate::harness::{fieldgate, text, wait_until};

/// One device, a broker that is not there, and a page on `page`.
fn write_config(path: &Path, (device, broker, page): (u16, u16, &str)) {
    let config = format!(
        "[gateway]\nid = \"bench\"\nsite = \"bench\"\n\n[web]\nlisten = \"{page}\"\n\n[[line]]\n\
         name = \"a\"\nhost = \"127.0.0.1:{device}\"\n\n[[device]]\nname = \"counter\"\nline = \"a\"\n\
         unit = 1\nevery = \"200 ms\"\n\n[[device.tag]]\nname = \"reads\"\nat = \"input:0\"\n\
         type = \"u32\"\n\n[[uplink]]\nname = \"cloud\"\nkind = \"mqtt\"\naddress = \"127.0.0.1:{broker}\"\n\
         username = \"plant\"\npassword = \"file:{}\"\n",
        path.with_file_name("password").display()
    );
    fs::write(path, config).unwrap();
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What the doctor finds: verdict, about, found, remedy; and the exit code.
fn examined(config: &Path, data: &Path) -> (Vec<Value>, i32) {
    let ran = fieldgate(&["doctor", "--config", text(config), "--data", text(data), "--json"]);
    let found: Vec<Value> = serde_json::from_slice(&ran.stdout).unwrap_or_else(|err| {
        panic!(
            "{err}: {} {}",
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr)
        )
    });
    for one in &found {
        let is_good = one["verdict"] == "good";
        assert_eq!(one["remedy"].as_str().unwrap().is_empty(), is_good, "{one}");
    }
    (found, ran.status.code().unwrap())
}

fn verdict(found: &[Value], about: &str) -> String {
    let of = found.iter().find(|one| one["about"].as_str().unwrap().starts_with(about));
    let of = of.unwrap_or_else(|| panic!("nothing about {about}: {found:#?}"));
    of["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn without_a_gateway_places_are_tried_and_what_is_wrong_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (config, data) = (folder.path().join("gateway.toml"), folder.path().join("data"));
    let device = CountingDevice::start();
    fs::write(folder.path().join("password"), "hunter2").unwrap();
    let page = format!("127.0.0.1:{}", free_port());
    write_config(&config, (device.port, free_port(), &page));
    let (found, code) = examined(&config, &data);
    assert_eq!(verdict(&found, "line a"), "good");
    assert_eq!(verdict(&found, "gateway"), "warning", "none at work is no mistake yet");
    assert_eq!(verdict(&found, "uplink cloud"), "bad");
    assert_eq!(code, 1, "something is wrong");

    fs::remove_file(folder.path().join("password")).unwrap();
    write_config(&config, (free_port(), free_port(), &page));
    let (found, _) = examined(&config, &data);
    assert_eq!(verdict(&found, "line a"), "bad");
    assert_eq!(verdict(&found, "secret"), "bad");

    fs::write(&config, "[gateway]\nid = 7\n").unwrap();
    let (found, code) = examined(&config, &data);
    let mistake = format!("{}:2:", config.display());
    assert_eq!((verdict(&found, &mistake).as_str(), code), ("bad", 1));
}

#[test]
fn a_running_gateway_says_itself_how_it_is_and_the_bundle_has_it_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let (config, data) = (folder.path().join("gateway.toml"), folder.path().join("data"));
    let device = CountingDevice::start();
    fs::write(folder.path().join("password"), "hunter2").unwrap();
    write_config(&config, (device.port, free_port(), "127.0.0.1:0"));
    let gateway = Gateway::of(&config, &data);
    // The page was given a free port: the doctor looks where the configuration says.
    write_config(&config, (device.port, free_port(), &gateway.address));
    let mut found = Vec::new();
    wait_until("gateway and device are well", std::time::Duration::from_secs(30), || {
        found = examined(&config, &data).0;
        verdict(&found, "gateway") == "good" && verdict(&found, "device counter") == "good"
    });
    assert!(
        found.iter().all(|one| one["about"] != "line a"),
        "its one connection is the gateway's"
    );

    let out = folder.path().join("bundle.tar.gz");
    let bundle =
        ["support-bundle", "--config", text(&config), "--data", text(&data), "--out", text(&out)];
    let ran = fieldgate(&bundle);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let unpacked = Command::new("tar").arg("-xzf").arg(&out).current_dir(folder.path()).status();
    assert!(unpacked.unwrap().success());
    let inside = folder.path().join("fieldgate-support");
    let status: Value =
        serde_json::from_slice(&fs::read(inside.join("status.json")).unwrap()).unwrap();
    assert_eq!(status["devices"][0]["name"], "counter");
    let metrics = fs::read_to_string(inside.join("metrics.txt")).unwrap();
    assert!(metrics.contains("# TYPE fieldgate_"), "{metrics}");
    assert!(inside.join("machine/etc/os-release").is_file());
    let grep = Command::new("grep").args(["-r", "hunter2"]).arg(&inside).output().unwrap();
    assert_eq!(grep.stdout, b"", "a secret is in the bundle");
    assert!(!fieldgate(&bundle).status.success(), "a file that is there is not written over");
    gateway.stop();
}
