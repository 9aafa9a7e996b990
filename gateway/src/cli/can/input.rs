//! What `fieldgate can dump` and `stats` read: a log, raw frames that were kept, or an interface.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adapters_can::frame::Frame;
use adapters_can::live::tap::{Tap, TapEnd};
use adapters_can::log_decode::FrameSource;
use adapters_can::logs::BadLines;
use anyhow::{Context as _, bail};
use signals::Stop;

use crate::cli::run::told_to_stop;
use crate::clock::SystemClock;

/// How long an interface is listened to.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Span {
    /// Listen for so long; else until Ctrl-C. For interfaces only
    #[arg(long, value_name = "S")]
    pub seconds: Option<f64>,
}

/// Frames from wherever they come.
pub(super) enum Input {
    Recorded(Box<dyn FrameSource>),
    Live(Box<Tap>),
}

impl Input {
    /// Opens what is called `name`: the file or folder, or else the interface.
    ///
    /// # Errors
    /// There is neither, or it cannot be read.
    pub(super) fn open(name: &Path, span: Span) -> anyhow::Result<Self> {
        let is_file = name.try_exists().unwrap_or(true);
        let interface = name.to_str().filter(|text| !is_file && is_interface_name(text));
        let Some(interface) = interface else {
            if span.seconds.is_some() {
                bail!("--seconds: a log is read to its end; leave it out, or name an interface");
            }
            let frames = super::frames_of(name).with_context(|| {
                format!("{}: neither a log nor the name of an interface", name.display())
            });
            return Ok(Self::Recorded(frames?));
        };
        let after = span.seconds.map(Duration::try_from_secs_f64).transpose();
        let after = after.context("--seconds: write a time in seconds, like 10")?;
        let end = TapEnd { stop: stop_when_told()?, after };
        let tap = Tap::open(interface, Arc::new(SystemClock::new()), end)?;
        Ok(Self::Live(Box::new(tap)))
    }

    /// The interface, if it is one.
    pub(super) fn tap(&self) -> Option<&Tap> {
        match self {
            Self::Recorded(_) => None,
            Self::Live(tap) => Some(tap),
        }
    }
}

impl FrameSource for Input {
    fn next(&mut self, frame: &mut Frame) -> io::Result<bool> {
        match self {
            Self::Recorded(frames) => frames.next(frame),
            Self::Live(tap) => tap.next(frame),
        }
    }

    fn channels(&self) -> &[String] {
        match self {
            Self::Recorded(frames) => frames.channels(),
            Self::Live(tap) => tap.channels(),
        }
    }

    fn bad_lines(&self) -> BadLines {
        match self {
            Self::Recorded(frames) => frames.bad_lines(),
            Self::Live(tap) => tap.bad_lines(),
        }
    }

    fn may_wait(&self) -> bool {
        match self {
            Self::Recorded(frames) => frames.may_wait(),
            Self::Live(tap) => tap.may_wait(),
        }
    }
}

/// Whether an interface of Linux may be called so (IFNAMSIZ).
fn is_interface_name(name: &str) -> bool {
    (1..=15).contains(&name.len()) && !name.contains(|c: char| c.is_whitespace() || c == '/')
}

/// A stop that Ctrl-C and SIGTERM raise: what was found so far is still written.
fn stop_when_told() -> anyhow::Result<Stop> {
    let stop = Stop::new();
    let raised = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(told_to_stop());
        raised.raise();
    })?;
    Ok(stop)
}
