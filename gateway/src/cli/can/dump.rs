//! `fieldgate can dump`: the frames of a log or of an interface as text, with their signals where a
//! database knows them.

use std::io::{self, Write};
use std::path::PathBuf;

use adapters_can::bits::Payload;
use adapters_can::frame::Frame;
use adapters_can::live::tap::Tap;
use adapters_can::log_decode::FrameSource;
use adapters_can::logs::line_of;
use adapters_can::plan::{DecodePlan, Raw, Reading, SignalPlan};
use anyhow::Context as _;

use super::input::{Input, Span};
use super::{Match, Pick, plan_of_files, tell_lint};

/// Arguments of `fieldgate can dump`.
#[derive(Clone, Debug, clap::Args)]
pub struct DumpArgs {
    /// candump, ASC, TRC or BLF, also gzipped; a folder with raw frames that a gateway kept; or a
    /// network interface like can0, which is only listened to
    #[arg(value_name = "LOG|INTERFACE")]
    pub log: PathBuf,
    /// Databases to decode with; the first that knows a message wins
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub dbc: Vec<PathBuf>,
    /// How frames find their message
    #[arg(long = "match", value_enum, default_value_t)]
    pub matching: Match,
    /// Which frames
    #[command(flatten)]
    pub pick: Pick,
    /// Frames at most
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// How long
    #[command(flatten)]
    pub span: Span,
}

/// Writes the frames to stdout, each as candump has it, its signals indented below.
///
/// # Errors
/// What is wrong, as a sentence that says what to do.
pub(super) fn run(args: &DumpArgs) -> anyhow::Result<()> {
    let plan = plan_of_files(&args.dbc, args.matching)?;
    tell_lint(&plan.1)?;
    let mut source = Input::open(&args.log, args.span)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    print(args, &plan.0, (&mut source, &mut out))?;
    let bad = source.bad_lines();
    if bad.count > 0 {
        writeln!(io::stderr(), "{} lines are not frames", bad.count)?;
    }
    if let Some(lost) = source.tap().map(Tap::lost).filter(|lost| *lost > 0) {
        writeln!(io::stderr(), "{lost} frames lost: they found the receive queue full")?;
    }
    Ok(())
}

/// Writes frames until they end. What was written is seen before the next frame is waited for.
pub(super) fn print(
    args: &DumpArgs,
    plan: &DecodePlan,
    (source, out): (&mut dyn FrameSource, &mut impl Write),
) -> anyhow::Result<()> {
    let pick = args.pick.checked()?;
    let (mut frame, mut payload, mut chosen) = (Frame::default(), Payload::new(), Vec::new());
    let mut left = args.limit.unwrap_or(u64::MAX);
    let unreadable = || format!("{}: cannot be read to its end", args.log.display());
    while left > 0 {
        if source.may_wait() {
            out.flush()?;
        }
        if !source.next(&mut frame).with_context(unreadable)? {
            break;
        }
        let channel = source.channels().get(usize::from(frame.channel));
        let channel = channel.map_or("", String::as_str);
        if !pick.takes(&frame, channel) {
            continue;
        }
        left -= 1;
        writeln!(out, "{}", line_of(&frame, channel))?;
        if let Some(at) = plan.find(&frame) {
            payload.load(frame.bytes());
            show(out, plan, at, (&payload, &mut chosen))?;
        }
    }
    Ok(out.flush()?)
}

fn show(
    out: &mut impl Write,
    plan: &DecodePlan,
    at: usize,
    (payload, chosen): (&Payload, &mut Vec<Option<u64>>),
) -> io::Result<()> {
    let Some(message) = plan.messages().get(at) else { return Ok(()) };
    message.choose(payload, chosen);
    for signal in &message.signals {
        let name = &signal.def.name;
        match signal.read(payload, chosen) {
            Reading::Absent => {}
            Reading::Truncated => writeln!(out, "    {}.{name}: truncated", message.name)?,
            Reading::Raw(raw) => {
                if let Some(reason) = signal.state(raw).reason() {
                    writeln!(out, "    {}.{name}: {reason}", message.name)?;
                } else {
                    let value = value(signal, raw, payload);
                    writeln!(out, "    {}.{name} = {value}", message.name)?;
                }
            }
        }
    }
    Ok(())
}

fn value(signal: &SignalPlan, raw: Raw, payload: &Payload) -> String {
    let number = match raw {
        Raw::Unsigned(raw) if signal.is_identity() => raw.to_string(),
        Raw::Signed(raw) if signal.is_identity() => raw.to_string(),
        Raw::Wide => {
            let mut bytes = Vec::new();
            signal.def.field.bytes(payload, &mut bytes);
            let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            hex.concat()
        }
        Raw::Unsigned(_) | Raw::Signed(_) | Raw::Float32(_) | Raw::Float64(_) => {
            signal.physical(raw).to_string()
        }
    };
    let unit =
        if signal.def.unit.is_empty() { String::new() } else { format!(" {}", signal.def.unit) };
    let label = signal.label(raw).map(|label| format!(" ({label})")).unwrap_or_default();
    format!("{number}{unit}{label}")
}
