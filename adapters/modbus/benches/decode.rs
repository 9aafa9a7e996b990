//! What a value costs on its way from words into a column, and a plan of ten thousand tags.
//!
//! `cargo bench -p adapters-modbus --bench decode`. One thread; CPU time is that of the thread.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters_modbus::config::{DeviceConfig, Line, LineConfig, TagConfig, check};
use adapters_modbus::plan::{Span, Terms, plan};
use adapters_modbus::scan::{Answers, Point, Scan, Stamp};
use signals::{BatchBuilder, ClockState, Timestamp};

/// Tags of the device.
const TAGS: u16 = 10_000;
/// Rows in a batch.
const ROWS: i64 = 16;

fn main() {
    println!("10,000 tags, one row after the other, ns of CPU per tag");
    for (name, kinds) in [
        ("u16", &["u16"][..]),
        ("i16 scaled", &["i16*"]),
        ("f32", &["f32"]),
        ("bits", &["bit"]),
        ("mixed", &["i16*", "f32", "u16", "bit", "u32*", "enum16", "i32", "f64"]),
    ] {
        let line = line(kinds);
        let scan = line.devices.first().and_then(|device| device.scans.first());
        measure(name, scan.expect("the device has one scan class"));
    }
    measure_plans();
    println!("a point takes {} bytes", size_of::<Point>());
}

/// One device with tags of these types in turn; `*` for a scale of 0.1.
fn line(kinds: &[&str]) -> Line {
    let mut offset = 0_u32;
    let tag = |(place, kind): (u16, &str)| {
        let scaled = kind.ends_with('*');
        let kind = kind.trim_end_matches('*');
        let at = format!("holding:{offset}");
        offset += match kind {
            "f32" | "u32" | "i32" => 2,
            "f64" => 4,
            _ => 1,
        };
        TagConfig {
            name: Some(format!("t{place}")),
            at: Some(at),
            r#type: Some(kind.to_owned()),
            bit: (kind == "bit").then_some(3),
            scale: scaled.then_some(0.1),
            ..TagConfig::default()
        }
    };
    let device = DeviceConfig {
        name: Some("press".to_owned()),
        line: Some("hall".to_owned()),
        unit: Some(1),
        tag: (0..TAGS).zip(kinds.iter().copied().cycle()).map(tag).collect(),
        ..DeviceConfig::default()
    };
    let line = LineConfig {
        name: Some("hall".to_owned()),
        host: Some("127.0.0.1".to_owned()),
        ..LineConfig::default()
    };
    let (started, begin) = (Instant::now(), cpu_ns());
    let mut lines = check(vec![line], vec![device], "site").expect("the configuration is right");
    let (all, cpu) = (started.elapsed().as_secs_f64() * 1e3, ms(cpu_ns() - begin));
    println!("  checked and planned in {all:.1} ms, {cpu:.1} ms of CPU");
    lines.remove(0)
}

fn measure(name: &str, scan: &Scan) {
    let mut answers = Answers::default();
    for read in scan.reads() {
        let words: Vec<u16> = (0..read.count).map(|word| (word * 7) & 0x3FFF).collect();
        answers.good(&words);
    }
    let mut text = String::new();
    let words = [0x1234_u16; 4];
    let decode = per_tag(|_| {
        for point in scan.points() {
            let words = words.get(..usize::from(point.format.words())).unwrap_or_default();
            black_box(point.format.decode(black_box(words), &mut text));
        }
    });
    let mut builder = BatchBuilder::new(Arc::clone(scan.table()));
    let whole = per_tag(|row| {
        let ts = Timestamp::from_micros(row * 1_000);
        let stamp = Stamp { ts, error: Duration::ZERO, clock: ClockState::Synced };
        scan.decode_into(&answers, stamp, &mut builder);
        if row % ROWS == ROWS - 1 {
            black_box(builder.finish());
        }
    });
    println!("{name:12} decode {decode:6.1}   into columns {whole:6.1}");
}

/// Nanoseconds a tag, of the thread's CPU time.
fn per_tag(mut row: impl FnMut(i64)) -> f64 {
    let (mut rows, begin) = (0, cpu_ns());
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(500) {
        row(rows);
        rows += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let spent = (cpu_ns() - begin) as f64;
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let tags = rows as f64 * f64::from(TAGS);
    spent / tags
}

fn measure_plans() {
    let terms = Terms { request_cost: 1_000, word_cost: 4, count_max: 125, holes: vec![30_000] };
    let spread: Vec<Span> =
        (0..TAGS).map(|tag| Span { start: tag * 6 + tag % 3, count: 1 << (tag % 3) }).collect();
    let dense: Vec<Span> = (0..TAGS).map(|start| Span { start, count: 1 }).collect();
    for (name, atoms) in [("spread", spread), ("neighbours", dense)] {
        let (started, begin) = (Instant::now(), cpu_ns());
        let reads = black_box(plan(&atoms, &terms)).len();
        let (all, cpu) = (started.elapsed().as_secs_f64() * 1e3, ms(cpu_ns() - begin));
        println!("plan of 10,000 tags, {name}: {reads} reads in {all:.2} ms, {cpu:.2} ms of CPU");
    }
}

#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// CPU time of this thread (Linux).
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
