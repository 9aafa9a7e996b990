//! The page of a demo in a real browser.

use std::fs;

use crate::harness::gateway::{DEVICES, Gateway};
use crate::harness::programs::{answer, node};
use crate::harness::root;

#[test]
fn the_page_shows_four_machines_alive_and_asks_no_other_host() {
    let folder = tempfile::tempdir().unwrap();
    let shots = root().join("target/screenshots");
    fs::create_dir_all(&shots).unwrap();
    let gateway = Gateway::demo(folder.path());
    let url = format!("http://{}", gateway.address);
    let told = answer(node("page/page.mjs").arg(&url).arg(&shots));
    println!("{told:#}");
    for device in DEVICES {
        let tile = &told["tiles"][device];
        assert_eq!(tile["shown"], true, "{device}: no tile");
        assert_eq!(tile["changes"], true, "{device}: its values stand still");
    }
    assert!(told["trend_points"].as_u64().unwrap() > 50, "the trend is empty");
    assert!(told["trend_ms"].as_u64().unwrap() < 10_000);
    assert!(told["exchanges"].as_u64().unwrap() > 5, "no requests of the pump are shown");
    assert!(told["exchange"].as_str().unwrap().contains("ms"), "{}", told["exchange"]);
    assert_eq!(told["sql_rows"], 7, "the page's own question");
    assert!(told["lake_use"].as_str().unwrap().contains("Free"), "{}", told["lake_use"]);
    assert_eq!(told["foreign"], serde_json::json!([]), "requests to other hosts");
    assert_eq!(told["errors"], serde_json::json!([]), "the console complains");
    assert_eq!(told["screenshots"].as_array().map(Vec::len), Some(32));
    gateway.stop();
}
