//! What one core makes of a log: how fast it is read, decoded, and both, into Arrow batches.
//!
//! `bench_decode WORK LOG DBC… [--seconds S]`, WORK being `read`, `decode` or `log`; prints one
//! line of JSON. Databases are loaded before; `decode` takes its frames from memory.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs, hint};

use adapters_can::decode::{BATCH_ROWS_MAX, Decoder, Outcome};
use adapters_can::frame::Frame;
use adapters_can::log_decode::{LogDecode, plan_of};
use adapters_can::logs::LogReader;
use adapters_can::plan::{DecodePlan, Matching};
use adapters_can::source::Source;
use adapters_can::tables::Naming;
use signals::ClockState;

/// What one pass through the log did.
#[derive(Default)]
struct Pass {
    frames: u64,
    rows: u64,
    values: u64,
}

fn main() {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let mut seconds = 3.0;
    if let Some(at) = arguments.iter().position(|argument| argument == "--seconds") {
        let given: Vec<String> = arguments.drain(at..).collect();
        seconds = given.get(1).and_then(|s| s.parse().ok()).expect("--seconds takes a number");
    }
    let [work, log, databases @ ..] = arguments.as_slice() else {
        panic!("usage: bench_decode read|decode|log LOG DBC… [--seconds S]");
    };
    let log = Source::File(PathBuf::from(log));
    let databases: Vec<Source> =
        databases.iter().map(|path| Source::File(PathBuf::from(path))).collect();
    let (plan, _) = plan_of(&databases, Matching::Auto).expect("the databases load");
    let mut once: Box<dyn FnMut() -> Pass> = match work.as_str() {
        "read" => Box::new(move || {
            read(&log, |frame| {
                hint::black_box(frame.id);
            })
        }),
        "decode" => {
            let mut frames = Vec::new();
            read(&log, |frame| frames.push(frame.clone()));
            Box::new(move || decode(&frames, &plan))
        }
        "log" => Box::new(move || whole(&log, &plan)),
        other => panic!("`{other}` is not read, decode or log"),
    };
    // Files come from the page cache from here on.
    once();
    measure(work, Duration::from_secs_f64(seconds), &mut once);
}

/// Passes until the time is over; what the processor did is of this thread alone.
fn measure(work: &str, span: Duration, once: &mut dyn FnMut() -> Pass) {
    let (begun, cpu_before) = (Instant::now(), cpu_seconds());
    let (mut passes, mut sum) = (0_u32, Pass::default());
    while begun.elapsed() < span {
        let pass = once();
        sum.frames += pass.frames;
        sum.rows += pass.rows;
        sum.values += pass.values;
        passes += 1;
    }
    let cpu = cpu_seconds() - cpu_before;
    #[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^53")]
    let rate = |count: u64| count as f64 / cpu;
    println!(
        "{{\"program\": \"fieldgate\", \"work\": \"{work}\", \"passes\": {passes}, \"frames\": {}, \
         \"rows\": {}, \"values\": {}, \"frames_per_cpu_s\": {:.0}, \"values_per_cpu_s\": {:.0}, \
         \"cpu_s\": {cpu:.3}, \"wall_s\": {:.3}, \"peak_kib\": {}}}",
        sum.frames,
        sum.rows,
        sum.values,
        rate(sum.frames),
        rate(sum.values),
        begun.elapsed().as_secs_f64(),
        peak_kib(),
    );
}

fn read(log: &Source, mut take: impl FnMut(&Frame)) -> Pass {
    let mut reader = LogReader::new(log.open().expect("the log opens"));
    let mut frame = Frame::default();
    let mut frames = 0;
    while reader.next(&mut frame).expect("the log can be read") {
        take(&frame);
        frames += 1;
    }
    Pass { frames, ..Pass::default() }
}

fn decode(frames: &[Frame], plan: &Arc<DecodePlan>) -> Pass {
    let naming = Naming { bus: "can0".to_owned(), path: "can0".to_owned() };
    let mut decoder = Decoder::new(Arc::clone(plan), &naming).expect("the tables have legal names");
    let mut pass = Pass::default();
    for frame in frames {
        pass.frames += 1;
        if let Outcome::Row { message, rows, .. } =
            decoder.push(frame, frame.ts, ClockState::Synced)
            && rows >= BATCH_ROWS_MAX
        {
            decoder.finish(message).iter().for_each(|batch| pass.add(batch));
        }
    }
    decoder.finish_all().for_each(|batch| pass.add(&batch));
    pass
}

fn whole(log: &Source, plan: &Arc<DecodePlan>) -> Pass {
    let mut decode = LogDecode::with_plan(Arc::clone(plan), log).expect("the log opens");
    let mut pass = Pass::default();
    while let Some(batch) = decode.next_batch().expect("the log can be read") {
        pass.add(&batch);
    }
    pass.frames = decode.summary().frames;
    pass
}

impl Pass {
    fn add(&mut self, batch: &signals::Batch) {
        self.rows += batch.rows.num_rows() as u64;
        let present = |place| batch.column(place).len() - batch.column(place).null_count();
        self.values +=
            (0..batch.table.signals().len()).map(|place| present(place) as u64).sum::<u64>();
    }
}

/// Processor time of this process: it has one thread.
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").expect("the kernel counts time");
    let nanos: u64 = text.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
    Duration::from_nanos(nanos).as_secs_f64()
}

/// The greatest resident set so far.
fn peak_kib() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("the kernel tells");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
