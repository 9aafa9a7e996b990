//! `fieldgate rule test`: what rules would have done with the past.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use pipelines_sql::{Lake, Limits};
use signals::{Clock as _, Timestamp, duration};

use super::exit::UsageError;
use super::run::ConfigError;
use crate::clock::SystemClock;
use crate::config::{self, RuleSettings};
use crate::rules::rehearsal::{Episode, Rehearsal, rehearse};

/// A person waits at the terminal and can interrupt.
const TIME_MAX: Duration = Duration::from_hours(24);
/// Hours of samples, sorted by time.
const MEMORY_BYTES_MAX: usize = 1 << 30;

/// Arguments of `fieldgate rule`.
#[derive(Args, Debug)]
pub struct RuleArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Ask rules about the past, and say when each would have been met. Nobody is told.
    Test(TestArgs),
}

/// Arguments of `fieldgate rule test`.
#[derive(Args, Debug)]
struct TestArgs {
    /// Rules of the configuration, by name; none for all
    #[arg(value_name = "RULE")]
    rules: Vec<String>,
    /// Configuration with the rules, such as a copy that is being worked on
    #[arg(long, value_name = "PATH")]
    config: PathBuf,
    /// Folder with the past; its gateway may be running
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// How far back from --to
    #[arg(long, value_name = "SPAN", default_value = "24 h", conflicts_with = "from")]
    last: String,
    /// From this time on: 2026-11-23, 2026-11-23T10:30:00Z or 2026-11-23T11:30:00+01:00; UTC where
    /// it names no zone
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until this time; now, where it is not given
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Print every episode as a line of JSON
    #[arg(long)]
    json: bool,
}

/// Does what was asked for.
///
/// # Errors
/// Every mistake of the configuration (exit code 78) or of the arguments (64); a folder that cannot
/// be read.
pub fn run(args: &RuleArgs) -> anyhow::Result<()> {
    let What::Test(args) = &args.what;
    let config = config::load(&args.config).map_err(ConfigError)?;
    let within = range(args, SystemClock::new().now())?;
    let rules = chosen(&args.rules, &config.rules)?;
    super::wait_for(test(args, &rules, within))
}

async fn test(
    args: &TestArgs,
    rules: &[&RuleSettings],
    within: Range<Timestamp>,
) -> anyhow::Result<()> {
    let limits = Limits { memory_bytes: MEMORY_BYTES_MAX, time: TIME_MAX, rows: u64::MAX };
    let lake = Lake::open_within(&args.data, limits)?;
    for settings in rules {
        let name = &settings.words.name;
        let told = rehearse(&lake, settings, within.clone()).await?;
        if args.json {
            for episode in &told.episodes {
                super::print(&format!("{}\n", episode.to_json(name)))?;
            }
        } else {
            super::print(&report(name, &told, &within)?)?;
        }
    }
    Ok(())
}

/// The rules of these names; all of them when there are none.
fn chosen<'a>(
    names: &[String],
    rules: &'a [RuleSettings],
) -> Result<Vec<&'a RuleSettings>, UsageError> {
    let unknown = |name: &&String| !rules.iter().any(|rule| rule.words.name == **name);
    let unknown: Vec<&str> = names.iter().filter(unknown).map(String::as_str).collect();
    let known: Vec<&str> = rules.iter().map(|rule| rule.words.name.as_str()).collect();
    if rules.is_empty() {
        return Err(UsageError("the configuration has no rules; add a [[rule]]".to_owned()));
    }
    if !unknown.is_empty() {
        let (unknown, known) = (unknown.join(", "), known.join(", "));
        return Err(UsageError(format!("no rule {unknown}; the configuration has {known}")));
    }
    let is_chosen = |rule: &&RuleSettings| names.is_empty() || names.contains(&rule.words.name);
    Ok(rules.iter().filter(is_chosen).collect())
}

/// The time that is asked about; every mistake in it.
fn range(args: &TestArgs, now: Timestamp) -> Result<Range<Timestamp>, UsageError> {
    let mut mistakes = Vec::new();
    let end = super::time("--to", args.to.as_deref(), &mut mistakes).unwrap_or(now);
    let start = super::time("--from", args.from.as_deref(), &mut mistakes);
    let last = duration::parse(&args.last);
    if let Err(err) = &last {
        mistakes.push(format!("--last {}: {err}", args.last));
    }
    let start = start.unwrap_or_else(|| end.minus(last.unwrap_or_default()));
    if mistakes.is_empty() && start >= end {
        mistakes.push(format!("{start} is not before {end}; swap --from and --to"));
    }
    if mistakes.is_empty() { Ok(start..end) } else { Err(UsageError(mistakes.join("\n"))) }
}

/// What a person reads.
fn report(name: &str, told: &Rehearsal, within: &Range<Timestamp>) -> anyhow::Result<String> {
    let mut text = String::new();
    let count = told.episodes.len();
    let silent = told.episodes.iter().filter(|episode| episode.is_silent).count();
    let of = lasting(within.end.since(within.start));
    writeln!(text, "{name}: met {count} times, {} of {of}", lasting(told.met()))?;
    if silent > 0 {
        writeln!(text, "  {silent} of them while nobody would have been told")?;
    }
    if told.moments == 0 {
        writeln!(text, "  there are no samples of its signals in that time")?;
    } else if told.unknown > 0 {
        writeln!(text, "  not known at {} of {} moments", told.unknown, told.moments)?;
    }
    if let Some(failure) = &told.failure {
        writeln!(text, "  its SQL failed on {} batches: {failure}", told.failures)?;
    }
    for episode in &told.episodes {
        line(&mut text, episode)?;
    }
    if told.more > 0 {
        writeln!(text, "  and {} more", told.more)?;
    }
    Ok(text)
}

fn line(text: &mut String, episode: &Episode) -> std::fmt::Result {
    let Episode { started, ended, is_silent, .. } = episode;
    let until = ended.map_or_else(
        || "still met".to_owned(),
        |ended| format!("for {}", lasting(ended.since(*started))),
    );
    let silent = if *is_silent { " (silent)" } else { "" };
    writeln!(text, "  {started}  {until}{silent}  {}", episode.values_shown())
}

/// `2 h 5 min`, `12 min 5 s`, `3.25 s`.
fn lasting(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
    match (hours, minutes) {
        (0, 0) => format!("{} s", (span.as_secs_f64() * 1000.0).round() / 1000.0),
        (0, _) => format!("{minutes} min {} s", seconds % 60),
        (_, 0) => format!("{hours} h"),
        (_, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Result<Range<Timestamp>, String> {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: TestArgs,
        }
        let fixed = ["test", "--config", "c", "--data", "d"];
        let line = <Line as clap::Parser>::try_parse_from(fixed.iter().chain(arguments));
        let now = Timestamp::parse("2026-11-23T12:00:00Z").unwrap();
        range(&line.unwrap().args, now).map_err(|err| err.to_string())
    }

    #[test]
    fn without_times_the_past_day_is_asked_about() {
        let day = asked(&[]).unwrap();
        assert_eq!(day.start.to_string(), "2026-11-22T12:00:00.000000Z");
        assert_eq!(day.end.to_string(), "2026-11-23T12:00:00.000000Z");
        let hour = asked(&["--last", "1 h", "--to", "2026-11-20"]).unwrap();
        assert_eq!(hour.start.to_string(), "2026-11-19T23:00:00.000000Z");
        let shifted = asked(&["--last", "1 h", "--to", "2026-11-20T01:00:00+01:00"]).unwrap();
        assert_eq!(shifted, hour);
    }

    #[test]
    fn every_mistake_in_the_times_is_told_at_once() {
        let mistakes = asked(&["--from", "yesterday", "--to", "noon"]).unwrap_err();
        assert!(
            mistakes.contains("--from: \"yesterday\"") && mistakes.contains("--to: \"noon\""),
            "{mistakes}"
        );
        let swapped = asked(&["--from", "2026-11-23", "--to", "2026-11-22"]).unwrap_err();
        assert!(swapped.contains("swap --from and --to"), "{swapped}");
    }

    #[test]
    fn spans_are_written_as_a_person_says_them() {
        let spans = [3.25, 725.0, 7_500.0, 7_200.0].map(|s| lasting(Duration::from_secs_f64(s)));
        assert_eq!(spans, ["3.25 s", "12 min 5 s", "2 h 5 min", "2 h"]);
    }
}
