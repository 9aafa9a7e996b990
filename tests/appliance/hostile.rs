//! Names, units and texts that somebody else wrote: markup, ten thousand characters, writing in both directions, control
//! characters. They are shown as text, the layout holds, and nothing of them runs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::gateway::Gateway;
use crate::harness::programs::{answer, node};
use crate::harness::{fieldgate, root, text};

const MARKUP: &str =
    "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>'&quot;";

/// The screens of a gateway in a browser.
fn screens(url: &str, languages: &str, login: Option<(&str, &str)>) -> Value {
    let mut node = node("page/screens.mjs");
    node.args([url, languages, "light,dark"]);
    if let Some((name, password)) = login {
        node.env("FIELDGATE_NAME", name).env("FIELDGATE_PASSWORD", password);
    }
    let told = answer(&mut node);
    println!("{} views looked at", told["looked_at"]);
    assert_eq!(told["violations"], json!([]), "axe-core complains");
    assert_eq!(told["errors"], json!([]), "scripts fail, or ran that must not");
    assert_eq!(told["foreign"], json!([]), "requests to other hosts");
    assert_eq!(told["wide"], json!([]), "wider than the window");
    assert_eq!(told["out_of_sight"], json!([]), "what can be done is not in sight");
    told
}

#[test]
fn every_screen_of_the_demo_can_be_used_by_everybody_in_both_languages_and_themes() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::demo(folder.path());
    let told = screens(&format!("http://{}", gateway.address), "en-GB,de-DE", None);
    assert!(told["looked_at"].as_u64().unwrap() >= 40, "{told}");
    gateway.stop();
}

/// A DBC whose texts attack, and a log of its frames.
fn write_files(folder: &Path) -> PathBuf {
    let long = "W".repeat(10_000);
    let bidi = "\u{202E}gnorw\u{202C} \u{2066}isolated";
    let dbc = format!(
        "VERSION \"{MARKUP}\"\nNS_ :\nBS_:\nBU_: Vector__XXX\n\
         BO_ 256 Frame: 8 Vector__XXX\n \
         SG_ Marked : 0|16@1+ (1,0) [0|0] \"<b>{bidi}</b>\" Vector__XXX\n \
         SG_ Lengthy : 16|16@1+ (1,0) [0|0] \"{long}\" Vector__XXX\n \
         SG_ Chosen : 32|8@1+ (1,0) [0|0] \"\u{1B}[2J\" Vector__XXX\n\
         CM_ SG_ 256 Marked \"{MARKUP}\";\nCM_ SG_ 256 Lengthy \"{long} {bidi}\";\n\
         VAL_ 256 Chosen 1 \"{MARKUP}\" 2 \"{long}\" ;\n"
    );
    fs::write(folder.join("hostile.dbc"), dbc).unwrap();
    let frames = (0..400).map(|n| {
        let (s, us) = (1_790_000_000 + n / 100, n % 100 * 10_000);
        format!("({s}.{us:06}) can0 100#{:02X}00{:02X}000{}000000\n", n % 256, n % 7, 1 + n % 2)
    });
    fs::write(folder.join("hostile.log"), frames.collect::<String>()).unwrap();
    let config = folder.join("gateway.toml");
    let described = serde_json::to_string(&format!("{MARKUP} {bidi} {long}")).unwrap();
    let content = format!(
        "[gateway]\nid = \"gw-7\"\nsite = \"plant\"\n\
         [[can]]\nname = \"bus\"\nreplay = \"hostile.log\"\nchannel = \"can0\"\n\
         dbc = [\"hostile.dbc\"]\nmatch = \"exact\"\nloop = true\n\
         [[line]]\nname = \"line\"\nhost = \"127.0.0.1:1\"\n\
         [[device]]\nname = \"pump\"\nline = \"line\"\nunit = 3\nevery = \"1 s\"\ntimeout = \"200 ms\"\n\
         description = {described}\n\
         tag = [{{ name = \"flow\", at = \"input:0\", type = \"u16\", unit = \"<i>m</i>\", description = {described} }}]\n\
         [[rule]]\nname = \"always\"\nsql = \"SELECT marked FROM 'plant/bus/frame' WHERE marked >= 0\"\n\
         [rule.alarm]\npriority = \"high\"\nmessage = {described}\naction = {described}\n"
    );
    fs::write(&config, content).unwrap();
    config
}

#[test]
fn texts_that_attack_are_shown_as_texts_and_the_layout_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (config, data) = (write_files(folder.path()), folder.path().join("data"));
    let checked = fieldgate(&["check", "--offline", text(&config)]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let password = folder.path().join("password");
    fs::write(&password, "four words make it\n").unwrap();
    let user = ["user", "add", "--name", "eva", "--role", "admin"];
    let kept = ["--password-file", text(&password), "--data", text(&data)];
    let added = fieldgate(&[&user[..], &kept[..]].concat());
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let gateway = Gateway::of(&config, &data);
    let signals = gateway.json("/api/v1/signals").to_string();
    assert!(signals.contains("onerror"), "the texts do not come this far: {}", root().display());
    let url = format!("http://{}", gateway.address);
    let told = screens(&url, "en-GB", Some(("eva", "four words make it")));
    assert!(told["looked_at"].as_u64().unwrap() >= 22, "{told}");
    assert!(
        told["acts"].as_u64().unwrap() >= 4,
        "the alarm is not there to be acknowledged: {told}"
    );
    gateway.stop();
}
