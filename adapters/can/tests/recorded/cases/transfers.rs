//! Messages in pieces against the golden files beside the logs.

use std::collections::BTreeMap;
use std::path::Path;

use adapters_can::frame::Frame;
use adapters_can::log_decode::LogDecode;
use adapters_can::logs::LogReader;
use adapters_can::plan::Matching;
use adapters_can::source::Source;
use adapters_can::transport::{Ended, FastPacket, IsoTp, J1939, Kind};
use serde_json::Value;

use super::{beside, files, folders, text_of};

#[test]
fn every_transfer_in_the_logs_is_put_together_or_given_up_as_its_golden_file_says() {
    let goldens = files("golden", ".tp.jsonl");
    assert!(goldens.len() >= 3, "{goldens:?}");
    for path in goldens {
        let wanted: Vec<Value> =
            text_of(&path).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<&str> = wanted.iter().map(|row| row["kind"].as_str().unwrap()).collect();
        let got = transfers(&log_of(&path), &kinds);
        let failed = got.iter().filter(|ended| ended.payload.is_err()).count();
        println!("{}: {} transfers, {failed} failed", path.display(), got.len());
        assert_eq!(got.len(), wanted.len(), "{}", path.display());
        for (at, (ended, wanted)) in got.iter().zip(&wanted).enumerate() {
            assert_eq!(&shown(ended), wanted, "{} line {}", path.display(), at + 1);
        }
    }
}

/// Rows per table that a log gives with a database.
fn rows(dbc: &str, log: &str) -> BTreeMap<String, usize> {
    let own = folders().remove(0);
    let dbc = own.join("dbc").join(dbc);
    let mut decode = LogDecode::open(&[dbc], &own.join("logs").join(log), Matching::Auto).unwrap();
    let mut rows = BTreeMap::new();
    while let Some(batch) = decode.next_batch().unwrap() {
        *rows.entry(batch.table.name().to_owned()).or_default() += batch.rows.num_rows();
    }
    rows
}

#[test]
fn diagnostic_answers_in_several_frames_become_rows_of_their_message() {
    let rows = rows("css-tp_uds.dbc", "uds-isotp-kona-ev.log");
    let golden = text_of(&folders().remove(0).join("golden/uds-isotp-kona-ev.tp.jsonl"));
    let whole = |id: &str| {
        golden.lines().filter(|l| l.contains(id) && l.contains("\"failed\":null")).count()
    };
    assert_eq!(rows["can0_battery"], whole("\"7EC\""));
    assert_eq!(rows["can0_temperature"], whole("\"7BB\""));
}

#[test]
fn the_trouble_codes_of_the_idling_truck_are_a_table() {
    let rows = rows("j1939_common.dbc", "truck-idle-j1939-gps.log.gz");
    assert_eq!(rows["can0_dm1_codes"], 508, "127 messages of four codes");
}

#[test]
fn a_parameter_group_of_forty_bytes_becomes_rows() {
    let own = folders().remove(0);
    let log = own.join("logs/j1939-multipacket.log");
    let mut decode =
        LogDecode::open(&[own.join("dbc/css-tp_j1939.dbc")], &log, Matching::Pgn).unwrap();
    let mut rows = 0;
    while let Some(batch) = decode.next_batch().unwrap() {
        rows += batch.rows.num_rows() * usize::from(batch.table.name() == "can0_ec1");
    }
    assert!(rows > 0 && rows <= 16, "{rows} of 16 transfers");
}

/// The log whose name begins like the golden file's.
fn log_of(golden: &Path) -> std::path::PathBuf {
    let name = golden.file_name().unwrap().to_string_lossy();
    let stem = name.strip_suffix(".tp.jsonl").unwrap();
    let folder = beside(golden, "logs", "");
    let mut logs: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    logs.retain(|log| {
        let log = log.file_name().unwrap().to_string_lossy().into_owned();
        log.starts_with(stem) && !log.contains(".first") && log.contains(".log")
    });
    assert_eq!(logs.len(), 1, "{stem}: {logs:?}");
    logs.remove(0)
}

/// All transfers of a log, of the protocol that the golden file is about.
fn transfers(log: &Path, kinds: &[&str]) -> Vec<Ended> {
    let mut reader = LogReader::new(Source::File(log.to_owned()).open().unwrap());
    let (mut isotp, mut j1939, mut fast) = (Vec::new(), Vec::new(), Vec::new());
    let (mut frame, mut ended) = (Frame::default(), Vec::new());
    while reader.next(&mut frame).unwrap() {
        let bus = usize::from(frame.channel);
        if kinds.iter().any(|kind| matches!(*kind, "single" | "multi")) {
            isotp.resize_with(isotp.len().max(bus + 1), IsoTp::default);
            isotp[bus].push(&frame, &mut ended);
        } else if kinds.contains(&"fast") {
            fast.resize_with(fast.len().max(bus + 1), FastPacket::default);
            fast[bus].push(&frame, &mut ended);
        } else {
            j1939.resize_with(j1939.len().max(bus + 1), J1939::default);
            j1939[bus].push(&frame, &mut ended);
        }
    }
    ended.retain(|ended| ended.kind != Kind::Single || kinds.contains(&"single"));
    ended
}

/// A transfer as a line of a golden file.
fn shown(ended: &Ended) -> Value {
    let hex = |bytes: &Vec<u8>| {
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect::<String>()
    };
    serde_json::json!({
        "first_us": ended.first.micros(),
        "last_us": ended.last.micros(),
        "id": format!("{:X}", ended.id),
        "pgn": ended.pgn,
        "sa": ended.pgn.map(|_| ended.id & 0xFF),
        "da": ended.destination,
        "kind": ended.kind.as_str(),
        "len": ended.payload.as_ref().ok().map(Vec::len),
        "data": ended.payload.as_ref().ok().map(hex),
        "failed": ended.payload.as_ref().err().map(|why| why.as_str()),
    })
}
