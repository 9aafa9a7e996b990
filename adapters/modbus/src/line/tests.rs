//! Lines against a real server: the one of `tokio-modbus`, with registers of device images.

mod plant;

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use signals::adapter::{Health, Notebook, Status};
use signals::{Adapter as _, Batch, QualityClass, Reason};

use self::plant::{Desk, Plant, Server};
use super::ModbusLine;
use crate::cases;
use crate::config::{DeviceConfig, LineConfig, check};
use crate::image::configuration;
use crate::scan::tests::check_image;

const PATIENCE: Duration = Duration::from_secs(20);

/// Units `1..=count` with three registers each, scanned every 100 ms.
fn units(count: u8) -> (Vec<Json>, Vec<DeviceConfig>) {
    let documents: Vec<Json> = (1..=count)
        .map(|unit| {
            json!({
                "device": format!("unit {unit}"), "unit": unit,
                "image": {"holding": [{"start": 0, "words": [unit, 2, 3]}]},
                "tags": [
                    {"name": "a", "table": "holding", "address": 0, "type": "u16"},
                    {"name": "b", "table": "holding", "address": 1, "type": "u32"},
                ],
            })
        })
        .collect();
    let configure = |document: &Json| DeviceConfig {
        every: Some("100 ms".to_owned()),
        timeout: Some("40 ms".to_owned()),
        ..configuration(document, "").1
    };
    let devices = documents.iter().map(configure).collect();
    (documents, devices)
}

fn line(server: &str, devices: Vec<DeviceConfig>) -> ModbusLine {
    let line = LineConfig {
        name: Some("line".to_owned()),
        host: Some(server.to_owned()),
        connect_timeout: Some("500 ms".to_owned()),
        ..LineConfig::default()
    };
    let mut lines = check(vec![line], devices, "site").expect("the configuration is right");
    ModbusLine::new(lines.remove(0))
}

fn is_good(batch: &Batch) -> bool {
    batch.flaws.is_empty()
}

fn all_bad_for(batch: &Batch, reasons: &[Reason]) -> bool {
    batch.flaws.len() == batch.table.signals().len()
        && batch.flaws.iter().all(|flaw| {
            flaw.quality.class == QualityClass::Bad && reasons.contains(&flaw.quality.reason)
        })
}

fn of<'a>(batches: &'a [Batch], device: &str) -> Vec<&'a Batch> {
    batches.iter().filter(|batch| batch.table.device() == device).collect()
}

fn wait_for(health: &Health, what: &str, condition: impl Fn(&signals::adapter::Vitals) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition(&health.vitals()) {
        assert!(Instant::now() < deadline, "{what}: {:?}", health.vitals());
        std::thread::yield_now();
    }
}

#[test]
fn device_images_arrive_whole_through_a_socket_though_nobody_declared_their_holes() {
    for (file, document) in cases::documents("modbus-device-image/1") {
        let server = Server::start(Plant::of(std::slice::from_ref(&document)));
        let (_, mut device, tags) = configuration(&document, "");
        (device.holes, device.max_registers) = (Vec::new(), None);
        device.every = Some("50 ms".to_owned());
        let adapter = line(&server.address, vec![device.clone()]);
        let scan = adapter.line.devices[0].scans[0].clone();
        let desk = Desk::run(adapter);
        let refused = |batch: &Batch| {
            batch.flaws.iter().any(|flaw| matches!(flaw.quality.reason, Reason::Exception(_)))
        };
        let what = file.display().to_string();
        desk.wait(&what, |batches| batches.last().is_some_and(|batch| !refused(batch)));
        check_image(desk.batches().last().unwrap(), &tags, &scan);
    }
}

#[test]
fn a_dead_unit_costs_the_others_no_slot_and_has_a_row_in_each_of_its_own() {
    let (documents, mut devices) = units(5);
    for device in &mut devices {
        (device.every, device.timeout) = (Some("200 ms".to_owned()), Some("150 ms".to_owned()));
    }
    let server = Server::start(Plant::of(&documents));
    server.plant.dead.lock().unwrap().insert(3);
    let desk = Desk::run(line(&server.address, devices));
    desk.wait("40 rows of unit 5", |batches| of(batches, "unit 5").len() >= 40);
    let batches = desk.batches();
    for device in ["unit 1", "unit 2", "unit 4", "unit 5"] {
        let rows = of(&batches, device);
        let good = rows.iter().filter(|row| is_good(row)).count();
        let missed = desk.health(device).vitals().missed;
        println!("{device}: {good} of {} rows good, {missed} slots missed", rows.len());
        // One in forty for a test machine that stands still for a moment.
        assert!(good >= 38 && missed <= 1, "{device}: {good} good, {missed} missed");
    }
    let dead = of(&batches, "unit 3");
    assert!(dead.len() >= 38, "{} rows", dead.len());
    assert!(dead.iter().all(|row| all_bad_for(row, &[Reason::Timeout, Reason::Demoted])));
    let vitals = desk.health("unit 3").vitals();
    assert_eq!(vitals.status, Status::Failure, "{vitals:?}");
    assert!(vitals.requests < 10, "it is asked only now and then: {vitals:?}");
    assert!(vitals.last_error.unwrap().contains("check power, wiring and the unit id"));

    server.plant.dead.lock().unwrap().clear();
    desk.wait("unit 3 is back", |batches| is_good(of(batches, "unit 3").last().unwrap()));
    wait_for(&desk.health("unit 3"), "normal again", |vitals| vitals.status == Status::Normal);
}

#[test]
fn a_server_that_dies_and_returns_leaves_rows_without_values_and_then_good_ones() {
    let (documents, devices) = units(2);
    let server = Server::start(Plant::of(&documents));
    let desk = Desk::run(line(&server.address, devices));
    desk.wait("good rows", |batches| batches.iter().filter(|batch| is_good(batch)).count() >= 6);
    let address = server.address.clone();
    let plant = server.stop();
    let lost = |batch: &Batch| all_bad_for(batch, &[Reason::NotConnected]);
    desk.wait("rows without a connection", |batches| {
        batches.iter().rev().take(8).filter(|batch| lost(batch)).count() == 8
    });
    let vitals = desk.health("unit 1").vitals();
    assert_eq!(vitals.status, Status::Failure);
    let told = vitals.last_error.unwrap();
    assert!(told.contains("nothing listens on port"), "{told}");
    assert_eq!(told.matches("check").count(), 1, "one remedy: {told}");

    let _server = Server::start_at(&address, plant);
    desk.wait("good rows again", |batches| batches.iter().rev().take(4).all(is_good));
    wait_for(&desk.health("unit 1"), "normal again", |vitals| vitals.status == Status::Normal);
    let strays: Vec<Batch> = desk.batches();
    let odd = strays.iter().find(|batch| {
        let reasons = [Reason::NotConnected, Reason::Timeout];
        !is_good(batch) && !all_bad_for(batch, &reasons)
    });
    assert!(odd.is_none(), "a row is good or says why not: {odd:?}");
}

#[test]
fn a_line_that_never_connects_still_has_a_row_in_every_slot() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_, devices) = units(1);
    let desk = Desk::run(line(&closed.to_string(), devices));
    desk.wait("ten rows", |batches| batches.len() >= 10);
    assert!(desk.batches().iter().all(|batch| all_bad_for(batch, &[Reason::NotConnected])));
    let vitals = desk.health("unit 1").vitals();
    assert!(vitals.detail.starts_with("no connection"), "{vitals:?}");
    assert_eq!(vitals.requests, 0);
}

#[test]
fn times_of_a_table_rise_though_the_wall_clock_steps_back() {
    let (documents, devices) = units(1);
    let server = Server::start(Plant::of(&documents));
    let desk = Desk::run(line(&server.address, devices));
    desk.wait("five rows", |batches| batches.len() >= 5);
    desk.clock.ahead_micros.fetch_sub(3_600_000_000, Ordering::SeqCst);
    desk.wait("ten rows", |batches| batches.len() >= 10);
    let times: Vec<i64> =
        desk.batches().iter().flat_map(|batch| batch.timestamps().to_vec()).collect();
    assert!(times.is_sorted_by(|before, after| before < after), "{times:?}");
}

#[test]
fn rows_that_the_intake_refuses_are_counted() {
    let (documents, devices) = units(1);
    let server = Server::start(Plant::of(&documents));
    let desk = Desk::run(line(&server.address, devices));
    desk.shut.store(true, Ordering::SeqCst);
    wait_for(&desk.health("unit 1"), "dropped rows", |vitals| vitals.dropped >= 3);
}

#[test]
fn a_slot_that_passed_is_counted_and_not_caught_up() {
    let (documents, mut devices) = units(2);
    // The server takes longer for each answer than two units have time for.
    let server = Server::start(Plant::of(&documents));
    server.plant.delay_millis.store(80, Ordering::SeqCst);
    for device in &mut devices {
        device.timeout = Some("99 ms".to_owned());
    }
    let started = Instant::now();
    let desk = Desk::run(line(&server.address, devices));
    desk.wait("twenty rows", |batches| batches.len() >= 20);
    let (rows, missed) = (desk.batches().len(), desk.missed());
    let slots = 2 * (started.elapsed().as_millis() / 100 + 1);
    assert!(missed > 0, "the line is too slow for its slots");
    assert!(rows as u128 + u128::from(missed) <= slots, "{rows} rows, {missed} missed, {slots}");
}

#[test]
fn a_unit_that_answers_late_is_known_to_live() {
    let (documents, mut devices) = units(2);
    let server = Server::start(Plant::of(&documents));
    server.plant.slow.lock().unwrap().insert(2);
    devices[1].every = Some("200 ms".to_owned());
    devices[1].timeout = Some("30 ms".to_owned());
    let desk = Desk::run(line(&server.address, devices));
    wait_for(&desk.health("unit 2"), "time-outs", |vitals| vitals.timeouts >= 1);
    desk.wait("unit 1 goes on", |batches| of(batches, "unit 1").len() >= 30);
    let demoted = |batch: &&&Batch| all_bad_for(batch, &[Reason::Demoted]);
    assert_eq!(of(&desk.batches(), "unit 2").iter().filter(demoted).count(), 0);
}

/// Waits for the next request to arrive.
fn next_request(plant: &Plant) {
    let (before, deadline) = (plant.requests.load(Ordering::SeqCst), Instant::now() + PATIENCE);
    while plant.requests.load(Ordering::SeqCst) == before {
        assert!(Instant::now() < deadline, "a request arrives");
        std::thread::yield_now();
    }
}

#[test]
fn a_line_that_is_told_to_stop_waits_half_a_second_for_an_answer() {
    let (documents, mut devices) = units(1);
    let server = Server::start(Plant::of(&documents));
    server.plant.dead.lock().unwrap().insert(1);
    devices[0].every = Some("20 s".to_owned());
    devices[0].timeout = Some("15 s".to_owned());
    let desk = Desk::run(line(&server.address, devices));
    next_request(&server.plant);
    let raised = Instant::now();
    desk.stop();
    assert!(raised.elapsed() < Duration::from_millis(700), "{:?}", raised.elapsed());
}

#[test]
fn what_a_device_answers_while_its_line_is_told_to_stop_is_a_row() {
    let (documents, mut devices) = units(1);
    let server = Server::start(Plant::of(&documents));
    server.plant.delay_millis.store(60, Ordering::SeqCst);
    (devices[0].every, devices[0].timeout) = (Some("500 ms".to_owned()), Some("400 ms".to_owned()));
    let desk = Desk::run(line(&server.address, devices));
    desk.wait("a first row", |batches| !batches.is_empty());
    next_request(&server.plant);
    let good = desk.stop().iter().filter(|batch| is_good(batch)).count();
    assert_eq!(good as u64, server.plant.requests.load(Ordering::SeqCst), "each read is a row");
}

#[test]
fn every_table_of_a_line_is_announced_before_it_runs() {
    let (_, devices) = units(3);
    let adapter = line("127.0.0.1:1", devices);
    let names: HashSet<String> =
        adapter.tables().iter().map(|table| table.name().to_owned()).collect();
    let wanted = ["unit_1_100ms", "unit_2_100ms", "unit_3_100ms"].map(str::to_owned);
    assert_eq!(names, HashSet::from(wanted));
    let addresses: Vec<String> = adapter.health().iter().map(|h| h.address.clone()).collect();
    assert_eq!(addresses[1], "127.0.0.1:1 unit 2");
    assert_eq!(Arc::strong_count(&adapter.health[0]), 1);
}

#[derive(Default)]
struct Pages(Mutex<BTreeMap<String, String>>);

impl Notebook for Pages {
    fn recall(&self, name: &str) -> Option<String> {
        self.0.lock().unwrap().get(name).cloned()
    }

    fn keep(&self, name: &str, page: &str) {
        self.0.lock().unwrap().insert(name.to_owned(), page.to_owned());
    }
}

#[test]
fn what_a_device_refuses_is_learned_once_and_remembered_over_a_restart() {
    let document = json!({
        "device": "meter", "unit": 1,
        "image": {"holding": [{"start": 0, "words": [1, 2]}, {"start": 9, "words": [3, 4]}]},
        "tags": [
            {"name": "a", "table": "holding", "address": 1, "type": "u16"},
            {"name": "b", "table": "holding", "address": 9, "type": "u16"},
        ],
    });
    let device = DeviceConfig { every: Some("50 ms".to_owned()), ..configuration(&document, "").1 };
    let server = Server::start(Plant::of(&[document]));
    let pages = Arc::new(Pages::default());
    let run = || {
        let adapter = line(&server.address, vec![device.clone()]);
        Desk::run(adapter.remembering(Arc::clone(&pages) as Arc<dyn Notebook>))
    };
    let first = run();
    let kept = || pages.recall("modbus_meter").is_some_and(|page| page.contains("\"start\":2"));
    first.wait("a lesson", |batches| kept() && batches.last().is_some_and(is_good));
    assert!(first.health("meter").vitals().exceptions > 0);
    first.stop();
    let second = run();
    second.wait("ten rows", |batches| batches.len() >= 10);
    assert!(second.batches().iter().all(is_good));
    assert_eq!(second.health("meter").vitals().exceptions, 0, "nobody asked for the hole again");
}

#[test]
fn a_line_shows_what_it_counts_and_its_last_frames() {
    let (documents, devices) = units(2);
    let server = Server::start(Plant::of(&documents));
    let adapter = line(&server.address, devices);
    let instruments = adapter.instruments().remove(0);
    let desk = Desk::run(adapter);
    let value = |name: &str| {
        let readings = instruments.readings();
        readings.iter().find(|reading| reading.metric.name == name).map(|reading| reading.value)
    };
    desk.wait("readings", |_| {
        value("modbus_line_slots_done_total").is_some_and(|done| done > 10.0)
    });
    assert_eq!(value("modbus_line_connected"), Some(1.0));
    assert!(value("modbus_unit_round_trip_seconds").is_some_and(|trip| trip > 0.0));
    assert!(value("modbus_line_bytes_received_total").is_some_and(|bytes| bytes > 100.0));
    assert!(instruments.frames_text().unwrap().contains("01 03"), "requests in hex");
}
