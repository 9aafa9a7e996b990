//! A recorded truck through `fieldgate can decode`: the numbers that other code computed.

use crate::harness::programs::{answer, python};
use crate::harness::{case, fieldgate, root, text};

#[test]
fn a_recorded_truck_decodes_to_the_numbers_of_its_golden_files() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("tables");
    let demo = root().join("config/demo/can");
    let [j1939, gps] = ["j1939_common.dbc", "css-canmod-gps.dbc"].map(|name| demo.join(name));
    let log = demo.join("truck-idle-j1939-gps.log.gz");
    let arguments = ["can", "decode", "--dbc", text(&j1939), text(&gps), "--log", text(&log)];
    let ran = fieldgate(&[&arguments[..], &["--out", text(&out), "--json"]].concat());
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    println!("{}", String::from_utf8_lossy(&ran.stderr).trim());
    for (golden, dbc) in [("j1939_common", &j1939), ("canmod-gps", &gps)] {
        let golden = case(&format!("can/golden/truck-idle.{golden}.json"));
        let told = answer(python("golden_check.py").args([&out, &golden, dbc]));
        println!("{}: {} signals, {} values", text(&golden), told["signals"], told["values"]);
        let wrong = told["wrong"].as_array().unwrap();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", golden.display());
        assert!(told["values"].as_u64().unwrap() > 1_000);
    }
}
