//! `fieldgate can stats`: which messages a log or a bus has, how many, how often, and how much of the
//! bus they take.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use adapters_can::frame::{Frame, FrameKind};
use adapters_can::live::tap::{Occupied, Tap};
use adapters_can::log_decode::FrameSource;
use adapters_can::plan::DecodePlan;
use anyhow::Context as _;
use serde::Serialize;

use super::input::{Input, Span};
use super::{Match, Pick, plan_of_files, tell_lint};

/// Identifiers told apart; the frames of further ones are counted together.
const IDENTIFIERS_MAX: usize = 65_536;

/// Arguments of `fieldgate can stats`.
#[derive(Clone, Debug, clap::Args)]
pub struct StatsArgs {
    /// candump, ASC, TRC or BLF, also gzipped; a folder with raw frames that a gateway kept; or a
    /// network interface like can0, which is only listened to
    #[arg(value_name = "LOG|INTERFACE")]
    pub log: PathBuf,
    /// Databases that name the messages; the first that knows a message wins
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub dbc: Vec<PathBuf>,
    /// How frames find their message
    #[arg(long = "match", value_enum, default_value_t)]
    pub matching: Match,
    /// Which frames
    #[command(flatten)]
    pub pick: Pick,
    /// How long
    #[command(flatten)]
    pub span: Span,
    /// Bits per second, to reckon the load; else what the interface says of itself
    #[arg(long, value_name = "BIT/S")]
    pub bitrate: Option<u32>,
    /// Bits per second of the payloads of CAN FD frames
    #[arg(long, value_name = "BIT/S")]
    pub data_bitrate: Option<u32>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// What a log holds.
#[derive(Debug, Default, Serialize)]
struct Stats {
    frames: u64,
    remote: u64,
    error: u64,
    /// Frames that no database knows.
    unknown: u64,
    bad_lines: u64,
    /// Frames of identifiers beyond those told apart.
    further: u64,
    #[serde(skip)]
    occupied: BTreeMap<String, Occupied>,
    /// From the first frame to the last; of an interface, the time it was listened to.
    seconds: f64,
    /// Frames that found the receive queue of an interface full.
    lost: u32,
    /// Share of the time that frames occupied each bus; error frames are not in it.
    load: BTreeMap<String, f64>,
    identifiers: Vec<Identifier>,
}

/// One identifier on one channel.
#[derive(Clone, Debug, Default, Serialize)]
struct Identifier {
    channel: String,
    id: String,
    /// Name of the message, if a database knows it.
    message: Option<String>,
    frames: u64,
    bytes: u64,
    /// Frames per second.
    rate_hz: Option<f64>,
    /// Mean, shortest and longest distance of two frames in milliseconds.
    period_ms: Option<f64>,
    period_min_ms: Option<f64>,
    period_max_ms: Option<f64>,
    #[serde(skip)]
    first_us: i64,
    #[serde(skip)]
    last_us: i64,
}

/// Counts, and writes a table or JSON to stdout.
///
/// # Errors
/// What is wrong, as a sentence that says what to do.
pub(super) fn run(args: &StatsArgs) -> anyhow::Result<()> {
    let (plan, lint) = plan_of_files(&args.dbc, args.matching)?;
    tell_lint(&lint)?;
    let mut source = Input::open(&args.log, args.span)?;
    let mut stats = count(args, &plan, &mut source)?;
    let said = source.tap().map_or((None, None), Tap::rates);
    stats.lost = source.tap().map_or(0, Tap::lost);
    stats.reckon((args.bitrate.or(said.0), args.data_bitrate.or(said.1)), source.tap());
    write(&stats, args.json)
}

/// Counts frames until they end.
fn count(
    args: &StatsArgs,
    plan: &DecodePlan,
    source: &mut dyn FrameSource,
) -> anyhow::Result<Stats> {
    let pick = args.pick.checked()?;
    let mut stats = Stats::default();
    let mut by_id: BTreeMap<(u16, bool, u32), Identifier> = BTreeMap::new();
    let (mut frame, mut times) = (Frame::default(), None::<(i64, i64)>);
    let unreadable = || format!("{}: cannot be read to its end", args.log.display());
    while source.next(&mut frame).with_context(unreadable)? {
        let channel = source.channels().get(usize::from(frame.channel));
        let channel = channel.map_or("", String::as_str);
        if !pick.takes(&frame, channel) {
            continue;
        }
        let now = frame.ts.micros();
        times = Some(times.map_or((now, now), |(low, high)| (low.min(now), high.max(now))));
        stats.frames += 1;
        if !stats.occupied.contains_key(channel) {
            stats.occupied.insert(channel.to_owned(), Occupied::default());
        }
        if let Some(occupied) = stats.occupied.get_mut(channel) {
            occupied.add(&frame);
        }
        match frame.kind {
            FrameKind::Data => {}
            FrameKind::Remote => stats.remote += 1,
            FrameKind::Error => {
                stats.error += 1;
                continue;
            }
        }
        let found = plan.find(&frame).and_then(|at| plan.messages().get(at));
        stats.unknown += u64::from(found.is_none() && frame.kind == FrameKind::Data);
        let key = (frame.channel, frame.extended, frame.id);
        if by_id.len() >= IDENTIFIERS_MAX && !by_id.contains_key(&key) {
            stats.further += 1;
            continue;
        }
        let entry = by_id.entry(key).or_insert_with(|| Identifier {
            channel: channel.to_owned(),
            id: if frame.extended {
                format!("{:08X}", frame.id)
            } else {
                format!("{:03X}", frame.id)
            },
            message: found.map(|message| message.name.clone()),
            first_us: now,
            last_us: now,
            ..Identifier::default()
        });
        entry.take(now, frame.bytes().len() as u64);
    }
    stats.seconds = times.map_or(0.0, |(low, high)| millis(high - low) / 1_000.0);
    stats.bad_lines = source.bad_lines().count;
    stats.identifiers = by_id.into_values().map(Identifier::finished).collect();
    Ok(stats)
}

impl Stats {
    /// Rates and loads over the time that was counted, at these bit rates.
    fn reckon(&mut self, rates: (Option<u32>, Option<u32>), tap: Option<&Tap>) {
        self.seconds = tap.map_or(self.seconds, |tap| tap.elapsed().as_secs_f64());
        let seconds = self.seconds;
        if seconds <= 0.0 {
            return;
        }
        let load = |(bus, occupied): (&String, &Occupied)| {
            Some((bus.clone(), occupied.seconds(rates)? / seconds))
        };
        // A bus of which nobody says the bit rate has no load.
        let is_known = rates.0.is_some();
        self.load = self.occupied.iter().filter(|_| is_known).filter_map(load).collect();
        for identifier in &mut self.identifiers {
            #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 frames")]
            let frames = identifier.frames as f64;
            identifier.rate_hz = Some(frames / seconds);
        }
    }
}

impl Identifier {
    fn take(&mut self, now: i64, bytes: u64) {
        if self.frames > 0 {
            let period = millis(now - self.last_us);
            self.period_min_ms = Some(self.period_min_ms.map_or(period, |least| least.min(period)));
            self.period_max_ms = Some(self.period_max_ms.map_or(period, |most| most.max(period)));
        }
        self.frames += 1;
        self.bytes += bytes;
        self.last_us = now;
    }

    fn finished(mut self) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a log has far fewer than 2^52 frames")]
        let gaps = self.frames.saturating_sub(1) as f64;
        self.period_ms = (gaps > 0.0).then(|| millis(self.last_us - self.first_us) / gaps);
        self
    }
}

#[expect(clippy::cast_precision_loss, reason = "a log is far shorter than 2^52 µs")]
fn millis(micros: i64) -> f64 {
    micros as f64 / 1_000.0
}

fn write(stats: &Stats, json: bool) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    if json {
        serde_json::to_writer_pretty(&mut out, stats)?;
        writeln!(out)?;
        return Ok(out.flush()?);
    }
    writeln!(
        out,
        "{:<10} {:>8} {:>9} {:>9} {:>10} {:>10} {:>10}  message",
        "channel", "id", "frames", "per s", "mean ms", "min ms", "max ms"
    )?;
    let shown = |period: Option<f64>| period.map_or("-".to_owned(), |p| format!("{p:.3}"));
    for identifier in &stats.identifiers {
        writeln!(
            out,
            "{:<10} {:>8} {:>9} {:>9} {:>10} {:>10} {:>10}  {}",
            identifier.channel,
            identifier.id,
            identifier.frames,
            identifier.rate_hz.map_or("-".to_owned(), |rate| format!("{rate:.2}")),
            shown(identifier.period_ms),
            shown(identifier.period_min_ms),
            shown(identifier.period_max_ms),
            identifier.message.as_deref().unwrap_or("-"),
        )?;
    }
    for (bus, load) in &stats.load {
        writeln!(out, "load of {bus}: {:.2} %", load * 100.0)?;
    }
    if stats.lost > 0 {
        writeln!(out, "{} frames lost: they found the receive queue full", stats.lost)?;
    }
    writeln!(
        out,
        "{} frames of {} identifiers in {:.3} s: {} unknown, {} remote, {} error; {} bad lines",
        stats.frames,
        stats.identifiers.len(),
        stats.seconds,
        stats.unknown,
        stats.remote,
        stats.error,
        stats.bad_lines,
    )?;
    Ok(out.flush()?)
}
