//! The device images from discovery to a row: what is found out is what was known.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use signals::{Batch, BatchBuilder, ClockState, Quality, Timestamp};

use super::*;
use crate::decode::tests::same;
use crate::scan::Stamp;
use crate::scan::tests::first;

/// What the walk itself has judged: the marker, and the end of the chain.
const FRAME: [&str; 3] = ["sunspec_marker", "end_id", "end_len"];

/// One row of every scan of a device that has the tags of its map.
fn rows(map: &Map, image: &Image) -> Vec<Batch> {
    let device = DeviceConfig {
        name: Some("device".to_owned()),
        line: Some("line".to_owned()),
        unit: Some(1),
        max_registers: Some(image.registers_max.into()),
        tag: map.tags().iter().map(Tag::to_config).collect(),
        ..DeviceConfig::default()
    };
    let line = LineConfig {
        name: Some("line".to_owned()),
        host: Some("127.0.0.1:502".to_owned()),
        ..LineConfig::default()
    };
    let lines = check(vec![line], vec![device], "site").expect("what is discovered is right");
    let stamp = Stamp {
        ts: Timestamp::from_micros(1_800_000_000_000_000),
        error: Duration::ZERO,
        clock: ClockState::Synced,
    };
    let row = |scan: &crate::scan::Scan| {
        let mut builder = BatchBuilder::new(Arc::clone(scan.table()));
        scan.row_from(stamp, &mut builder, |read| image.read(read));
        builder.finish().expect("there is a row")
    };
    lines[0].devices[0].scans.iter().map(row).collect()
}

/// The signal that stands at an address: batch, place.
fn at(rows: &[Batch], address: &Json) -> (usize, usize) {
    let source = format!("holding:{address} ");
    let place = |batch: &Batch| {
        batch.table.signals().iter().position(|signal| signal.source.starts_with(&source))
    };
    let found = rows.iter().enumerate().find_map(|(row, batch)| Some((row, place(batch)?)));
    found.unwrap_or_else(|| panic!("no signal at {source}"))
}

#[test]
fn every_tag_of_the_images_comes_out_equal_through_discovery() {
    let mut read = 0;
    for (file, document) in documents("modbus-device-image/1") {
        if !file.to_string_lossy().contains("sunspec") {
            continue;
        }
        let image = Image::of(&document);
        let (map, _) = walked(&image, image.registers_max);
        assert_eq!(map.remarks, [""; 0], "{}", file.display());
        let rows = rows(&map, &image);
        for tag in document["tags"].as_array().unwrap() {
            if FRAME.contains(&tag["name"].as_str().unwrap()) {
                continue;
            }
            let (row, place) = at(&rows, &tag["address"]);
            let batch = &rows[row];
            let flaw = batch.flaws.iter().find(|flaw| usize::from(flaw.signal) == place);
            let quality = flaw.map_or(Quality::GOOD, |flaw| flaw.quality);
            let expect = &tag["expect"];
            assert_eq!(quality.class.as_str(), expect["quality"], "{tag}");
            let reason = expect["reason"].as_str().unwrap_or_default();
            assert_eq!(quality.reason.to_string(), reason, "{tag}");
            let signal = batch.table.signals().get(place).unwrap();
            let value = first(batch.column(place), signal.kind);
            assert!(same(&expect["value"], value), "{tag} gave {value:?}");
            // `inv.AphA`, and the last part of `inverter_three_phase.AphA`.
            let own = tag["name"].as_str().unwrap().rsplit('.').next().unwrap();
            assert!(signal.path.ends_with(&format!(".{own}")), "{} is {own}", signal.path);
            read += 1;
        }
    }
    assert!(read >= 130, "{read}");
    println!("{read} tags read");
}
