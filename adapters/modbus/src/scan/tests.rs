use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array as _, ArrayRef};
use serde_json::{Value as Json, json};
use signals::{
    Batch, BatchBuilder, ClockState, Quality, QualityClass, Reason, Timestamp, Value, ValueType,
};

use super::{Answers, Scan, Stamp};
use crate::config::{DeviceConfig, LineConfig, check};
use crate::decode::tests::same;
use crate::image::{Image, configuration};
use crate::{cases, image};

const NOON: Stamp = Stamp {
    ts: Timestamp::from_micros(1_800_000_000_000_000),
    error: std::time::Duration::from_nanos(1_500),
    clock: ClockState::Synced,
};

fn scans(line: LineConfig, device: DeviceConfig) -> Vec<Scan> {
    let lines = check(vec![line], vec![device], "site").expect("the configuration is right");
    lines.into_iter().flat_map(|line| line.devices).flat_map(|device| device.scans).collect()
}

fn row(scan: &Scan, image: &Image) -> Batch {
    let mut builder = BatchBuilder::new(Arc::clone(scan.table()));
    scan.row_from(NOON, &mut builder, |read| image.read(read));
    builder.finish().expect("there is a row")
}

/// The value in the first row of a column.
pub(crate) fn first(column: &ArrayRef, kind: ValueType) -> Option<Value<'_>> {
    if column.is_null(0) {
        return None;
    }
    Some(match kind {
        ValueType::Bool => Value::Bool(column.as_boolean().value(0)),
        ValueType::I8 => Value::I64(column.as_primitive::<Int8Type>().value(0).into()),
        ValueType::I16 => Value::I64(column.as_primitive::<Int16Type>().value(0).into()),
        ValueType::I32 => Value::I64(column.as_primitive::<Int32Type>().value(0).into()),
        ValueType::I64 => Value::I64(column.as_primitive::<Int64Type>().value(0)),
        ValueType::U8 => Value::U64(column.as_primitive::<UInt8Type>().value(0).into()),
        ValueType::U16 => Value::U64(column.as_primitive::<UInt16Type>().value(0).into()),
        ValueType::U32 => Value::U64(column.as_primitive::<UInt32Type>().value(0).into()),
        ValueType::U64 => Value::U64(column.as_primitive::<UInt64Type>().value(0)),
        ValueType::F32 => Value::F64(column.as_primitive::<Float32Type>().value(0).into()),
        ValueType::F64 => Value::F64(column.as_primitive::<Float64Type>().value(0)),
        ValueType::Text => Value::Text(column.as_string::<i32>().value(0)),
        ValueType::Bytes => unreachable!("no register type is bytes"),
    })
}

/// Checks every tag of an image against what it expects; the batch is its only row.
pub(crate) fn check_image(batch: &Batch, tags: &[Json], scan: &Scan) {
    for (place, tag) in tags.iter().enumerate() {
        let signal = batch.table.signals().get(place).unwrap();
        let flaw = batch.flaws.iter().find(|flaw| usize::from(flaw.signal) == place);
        let quality = flaw.map_or(Quality::GOOD, |flaw| flaw.quality);
        let reason = if let Reason::Sentinel(which) = quality.reason {
            scan.points[place].format.sentinels[usize::from(which)].name.clone()
        } else {
            quality.reason.to_string()
        };
        let expect = &tag["expect"];
        assert_eq!(quality.class.as_str(), expect["quality"], "{tag}");
        assert_eq!(reason, expect["reason"].as_str().unwrap_or_default(), "{tag}");
        let value = first(batch.column(place), signal.kind);
        assert!(same(&expect["value"], value), "{tag} gave {value:?}");
    }
}

#[test]
fn every_tag_of_the_device_images_gives_its_value_quality_and_reason() {
    let mut read = 0;
    for (file, document) in cases::documents("modbus-device-image/1") {
        let (line, device, tags) = configuration(&document, "127.0.0.1");
        let scans = scans(line, device);
        assert_eq!(scans.len(), 1, "{}: one scan class", file.display());
        check_image(&row(&scans[0], &Image::of(&document)), &tags, &scans[0]);
        read += tags.len();
    }
    println!("{read} tags read");
}

#[test]
fn holes_that_nobody_declared_are_found_by_cutting_the_refused_reads() {
    for (file, document) in cases::documents("modbus-device-image/1") {
        let image = Image::of(&document);
        let (line, mut device, tags) = configuration(&document, "127.0.0.1");
        (device.holes, device.max_registers) = (Vec::new(), None);
        let mut scan = scans(line, device).remove(0);
        let mut cuts = 0;
        while let Some(refused) = scan.reads.iter().position(|read| image.read(*read).is_err()) {
            assert!(scan.cut(refused).is_some(), "{}: {:?}", file.display(), scan.reads[refused]);
            cuts += 1;
        }
        check_image(&row(&scan, &image), &tags, &scan);
        assert!(cuts <= 12, "{}: {cuts} cuts", file.display());
    }
}

fn pump() -> (Scan, Image) {
    let document = json!({
        "device": "pump", "unit": 3,
        "image": {"holding": [{"start": 0, "words": [10, 20, 30]}, {"start": 300, "words": [40]}]},
        "tags": [
            {"name": "a", "table": "holding", "address": 0, "type": "u16"},
            {"name": "b", "table": "holding", "address": 1, "type": "u32"},
            {"name": "c", "table": "holding", "address": 300, "type": "i16"},
        ],
    });
    let (line, device, _) = image::configuration(&document, "127.0.0.1");
    (scans(line, device).remove(0), Image::of(&document))
}

#[test]
fn signals_of_a_read_without_an_answer_are_null_with_its_reason_and_the_others_good() {
    let (scan, _) = pump();
    let mut answers = Answers::default();
    answers.good(&[10, 20, 30]);
    answers.failed(Reason::Timeout);
    let mut builder = BatchBuilder::new(Arc::clone(scan.table()));
    let tally = scan.decode_into(&answers, NOON, &mut builder);
    let batch = builder.finish().unwrap();
    assert_eq!(first(batch.column(1), ValueType::U32), Some(Value::U64(20 * 65_536 + 30)));
    assert_eq!(first(batch.column(2), ValueType::I16), None);
    assert_eq!(batch.flaws.len(), 1);
    assert_eq!(batch.flaws[0].quality, Quality::bad(Reason::Timeout));
    assert_eq!((tally.bad, tally.signals, tally.reason), (1, 3, Reason::Timeout));
}

#[test]
fn an_answer_that_is_too_short_is_bad_and_never_read_beyond() {
    let (scan, _) = pump();
    let mut answers = Answers::default();
    answers.good(&[10, 20]);
    answers.good(&[]);
    let mut builder = BatchBuilder::new(Arc::clone(scan.table()));
    scan.decode_into(&answers, NOON, &mut builder);
    let batch = builder.finish().unwrap();
    let qualities: Vec<_> = batch.flaws.iter().map(|f| (f.signal, f.quality.reason)).collect();
    assert_eq!(qualities, [(1, Reason::QuantityMismatch), (2, Reason::QuantityMismatch)]);
}

#[test]
fn a_value_outside_its_range_is_kept_and_uncertain_or_dropped_and_bad() {
    let range = |outside: &str| {
        let document = json!({
            "device": "pump", "unit": 3, "image": {},
            "tags": [{"name": "a", "table": "holding", "address": 0, "type": "i16"}],
        });
        let (line, mut device, _) = image::configuration(&document, "127.0.0.1");
        device.tag[0].range = Some(crate::config::RangeConfig {
            low: Some(0.0),
            high: Some(100.0),
            outside: Some(outside.to_owned()),
        });
        scans(line, device).remove(0)
    };
    let check = |outside: &str, raw: i16, class: QualityClass, reason: Reason, kept: bool| {
        let scan = range(outside);
        let mut builder = BatchBuilder::new(Arc::clone(scan.table()));
        scan.row_from(NOON, &mut builder, |_| Ok(vec![raw.cast_unsigned()]));
        let batch = builder.finish().unwrap();
        assert_eq!(batch.flaws[0].quality, Quality { class, reason });
        assert_eq!(first(batch.column(0), ValueType::I16).is_some(), kept);
    };
    check("uncertain", -1, QualityClass::Uncertain, Reason::RangeLow, true);
    check("uncertain", 101, QualityClass::Uncertain, Reason::RangeHigh, true);
    check("bad", 101, QualityClass::Bad, Reason::RangeHigh, false);
}

#[test]
fn a_read_of_one_value_is_never_cut() {
    let (mut scan, _) = pump();
    assert_eq!(scan.reads.len(), 2);
    assert!(scan.cut(1).is_none(), "one register");
    assert!(scan.cut(0).is_some(), "a | b");
    assert!(scan.cut(1).is_none(), "a 32-bit value stays whole");
    assert!(scan.cut(7).is_none(), "there is no such read");
}

#[test]
fn values_beside_a_watchdog_that_stands_still_are_uncertain_until_it_moves() {
    let (scan, _) = pump();
    let mut watch = super::Watch::new(0);
    let mut builder = BatchBuilder::new(Arc::clone(scan.table()));
    for tick in [7, 8, 8, 8, 8, 9] {
        let mut answers = Answers::default();
        answers.good(&[tick, 20, 30]);
        answers.good(&[40]);
        watch.look(&scan, &mut answers);
        scan.decode_into(&answers, NOON, &mut builder);
    }
    let batch = builder.finish().unwrap();
    let still = Quality::uncertain(Reason::WatchdogStill);
    let doubted: Vec<_> =
        batch.flaws.iter().map(|flaw| (flaw.row, flaw.signal, flaw.quality)).collect();
    assert_eq!(doubted, [(4, 0, still), (4, 1, still)], "c comes from another read");
    assert_eq!(batch.column(0).null_count(), 0, "the values are kept");
}

/// A device with a power, a current and their scales; the device changes the scale at will.
fn scaled(power_at: u16, max: i64, holes: &[&str]) -> Scan {
    let document = json!({
        "device": "meter", "unit": 3, "image": {}, "limits": {"max_read_registers": max},
        "tags": [
            {"name": "w", "table": "holding", "address": 0, "type": "i16", "scale_tag": "w_sf",
             "sentinel": 32768},
            {"name": "w_sf", "table": "holding", "address": power_at, "type": "i16"},
        ],
    });
    let (line, mut device, _) = image::configuration(&document, "127.0.0.1");
    device.holes = holes.iter().map(|hole| (*hole).to_owned()).collect();
    scans(line, device).remove(0)
}

/// Value and quality of the first signal, when each read is answered by these registers.
fn value_of(scan: &Scan, register: impl Fn(u16) -> u16) -> (Option<f64>, Quality) {
    let mut builder = BatchBuilder::new(Arc::clone(scan.table()));
    scan.row_from(NOON, &mut builder, |read| {
        Ok((0..read.count).map(|place| register(read.start + place)).collect())
    });
    let batch = builder.finish().unwrap();
    let flaw = batch.flaws.iter().find(|flaw| flaw.signal == 0);
    let value = match first(batch.column(0), ValueType::F64) {
        Some(Value::F64(number)) => Some(number),
        Some(_) | None => None,
    };
    (value, flaw.map_or(Quality::GOOD, |flaw| flaw.quality))
}

#[test]
fn a_value_follows_its_scale_from_poll_to_poll() {
    let scan = scaled(10, 125, &[]);
    assert_eq!(scan.reads().len(), 1, "one answer brings both");
    let check = |raw: i16, power: i16, wanted: f64| {
        let register = |at: u16| if at == 0 { raw } else { power }.cast_unsigned();
        assert_eq!(value_of(&scan, register), (Some(wanted), Quality::GOOD), "{raw} {power}");
    };
    check(2315, -1, 231.5);
    check(2315, 0, 2315.0);
    check(-7, 10, -7e10);
    check(3, -10, 3e-10);
    check(0, 4, 0.0);
}

#[test]
fn a_scale_that_is_missing_or_absurd_makes_the_value_bad_and_never_unscaled() {
    let scan = scaled(1, 125, &[]);
    let check = |raw: i16, power: i16, reason: Reason| {
        let register = |at: u16| if at == 0 { raw } else { power }.cast_unsigned();
        assert_eq!(value_of(&scan, register), (None, Quality::bad(reason)), "{raw} {power}");
    };
    check(5, i16::MIN, Reason::ScaleFactorNotImplemented);
    check(5, 11, Reason::ScaleFactorOutOfRange);
    check(5, -11, Reason::ScaleFactorOutOfRange);
    check(i16::MIN, 1, Reason::NotImplemented);
    check(i16::MIN, i16::MIN, Reason::NotImplemented);
}

#[test]
fn a_scale_too_far_for_one_answer_is_read_beside_and_the_value_uncertain() {
    let register = |at: u16| if at == 0 { 25 } else { u16::MAX };
    let doubt = Quality::uncertain(Reason::ScaleFromOtherRead);
    for scan in [scaled(30, 20, &[]), scaled(30, 125, &["holding:7"])] {
        assert_eq!(scan.reads().len(), 2);
        assert_eq!(value_of(&scan, register), (Some(2.5), doubt));
    }
}

#[test]
fn a_read_is_never_cut_between_a_value_and_its_scale() {
    let mut scan = scaled(10, 125, &[]);
    assert!(scan.cut(0).is_none());
}

#[test]
fn a_group_comes_from_one_answer_even_where_two_are_cheaper() {
    let document = json!({
        "device": "pump", "unit": 3, "image": {},
        "tags": [
            {"name": "high", "table": "holding", "address": 0, "type": "u16"},
            {"name": "low", "table": "holding", "address": 60, "type": "u16"},
            {"name": "other", "table": "holding", "address": 120, "type": "u16"},
        ],
    });
    let reads = |grouped: bool| {
        let (mut line, mut device, _) = image::configuration(&document, "127.0.0.1");
        (line.transport, line.host) = (Some("rtu".to_owned()), None);
        (line.port, line.baud) = (Some("/dev/ttyS1".to_owned()), Some(9600));
        for tag in device.tag.iter_mut().take(2) {
            tag.coherent = grouped.then(|| "pair".to_owned());
        }
        let mut scan = scans(line, device).remove(0);
        let reads: Vec<u16> = scan.reads().iter().map(|read| read.count).collect();
        (reads, scan.cut(0).is_some())
    };
    assert_eq!(reads(false), (vec![1, 1, 1], false), "gaps of 59 do not pay at 9,600 baud");
    assert_eq!(reads(true), (vec![61, 1], false));
}
