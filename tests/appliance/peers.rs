//! Independent Modbus servers: what pymodbus holds is what `DuckDB` reads.

use std::fs;
use std::time::Duration;

use crate::harness::gateway::Gateway;
use crate::harness::images::Peers;
use crate::harness::programs::{answer, check_lake, python};
use crate::harness::wait_until;

const IMAGES: [&str; 5] =
    ["pump_vfd", "screw_compressor", "steam_boiler", "grid_meter_sunspec", "pv_inverter_sunspec"];
/// Answers of every device before the gateway is stopped.
const ANSWERS_MIN: u64 = 6;

#[test]
fn every_tag_of_a_pymodbus_server_is_read_back_from_parquet_with_its_value_and_quality() {
    let folder = tempfile::tempdir().unwrap();
    let peers = Peers::serve(&IMAGES);
    let config = folder.path().join("gateway.toml");
    fs::write(&config, peers.config("500 ms")).unwrap();
    let gateway = Gateway::of(&config, folder.path());
    wait_until("every device answers", Duration::from_secs(30), || {
        let status = gateway.status();
        let devices = status["devices"].as_array().unwrap();
        devices.iter().all(|device| device["answers"].as_u64().unwrap() >= ANSWERS_MIN)
    });
    gateway.stop();
    let lake = folder.path().join("lake");
    check_lake(&lake);
    let mut wrong = Vec::new();
    for (image, device) in peers.devices() {
        let told = answer(python("image_check.py").arg(&lake).arg(image).arg(&device));
        println!(
            "{}: {} tags checked over {} rows, {} scaled by another register left out",
            told["device"],
            told["checked"],
            told["rows"],
            told["left_out"].as_array().unwrap().len()
        );
        wrong
            .extend(told["wrong"].as_array().unwrap().iter().map(|one| format!("{device}: {one}")));
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
