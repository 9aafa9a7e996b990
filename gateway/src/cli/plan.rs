//! `fieldgate plan`: what a configuration will ask of its lines. A dry run: nothing is opened.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use adapters_modbus::config::Line;
use adapters_modbus::dry_run::{Assumed, LinePlan, dry_run};
use adapters_modbus::probe::columns;
use serde_json::json;
use signals::duration;

use super::run::ConfigError;
use crate::config;

/// What is assumed of devices nobody has asked yet.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct AssumedArgs {
    /// Assumed time from request to answer over a network, in milliseconds
    #[arg(long, default_value_t = 5.0, value_name = "MS")]
    pub round_trip: f64,
    /// Assumed time a serial device takes to answer, in milliseconds
    #[arg(long, default_value_t = 4.0, value_name = "MS")]
    pub turnaround: f64,
}

/// Arguments of `fieldgate plan`.
///
/// Prints for every scan its requests, the registers in them and the time they take on the line,
/// and for every line the share of its time that is used. Above 100 % slots are missed.
#[derive(Clone, Debug, clap::Args)]
pub struct PlanArgs {
    /// Configuration: a file, or a folder with gateway.toml and conf.d/*.toml
    #[arg(long, value_name = "PATH")]
    pub config: PathBuf,
    /// Print every request too
    #[arg(long)]
    pub requests: bool,
    /// Print the plan as JSON
    #[arg(long)]
    pub json: bool,
    /// What is assumed of the devices
    #[command(flatten)]
    pub assumed: AssumedArgs,
}

/// Prints the plan on stdout.
///
/// # Errors
/// Every mistake of the configuration (exit code 78).
pub fn run(args: &PlanArgs) -> anyhow::Result<()> {
    let config = config::load(&args.config).map_err(ConfigError)?;
    let millis = |ms: f64| Duration::try_from_secs_f64(ms / 1000.0);
    let assumed = Assumed {
        round_trip: millis(args.assumed.round_trip)?,
        turnaround: millis(args.assumed.turnaround)?,
    };
    let plans: Vec<(&Line, LinePlan)> =
        config.lines.iter().map(|line| (line, dry_run(line, assumed))).collect();
    if args.json {
        return super::print(&format!("{}\n", serde_json::to_string_pretty(&plain(&plans))?));
    }
    super::print(&shown(&plans, args))
}

fn shown(plans: &[(&Line, LinePlan)], args: &PlanArgs) -> String {
    let mut out = String::new();
    for (line, plan) in plans {
        // Writing to a String cannot fail.
        let _ok = writeln!(
            out,
            "line {} ({} {}): busy {:.1} % of its time",
            line.name,
            line.transport.protocol(),
            line.transport,
            plan.utilisation_ratio * 100.0
        );
        out.push_str(&scans(plan, args.requests));
        if plan.utilisation_ratio > 1.0 {
            let _ok = writeln!(
                out,
                "  more than there is: slots will be missed; with every period {} times as long it \
                 would be busy 90 %",
                (plan.utilisation_ratio / 0.9 * 10.0).ceil() / 10.0
            );
        }
        out.push('\n');
    }
    let _ok = writeln!(
        out,
        "assumed: {} ms from request to answer over a network, {} ms on a serial line; one request \
         at a time",
        args.assumed.round_trip, args.assumed.turnaround
    );
    out
}

fn scans(plan: &LinePlan, with_requests: bool) -> String {
    let titles =
        ["  device", "unit", "every", "tags", "requests", "registers", "ms a cycle", "share"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for scan in &plan.scans {
        let share = scan.time().as_secs_f64() / scan.period.as_secs_f64();
        rows.push(vec![
            format!("  {}", scan.device),
            scan.unit.to_string(),
            duration::show(scan.period),
            scan.tags.to_string(),
            scan.reads.len().to_string(),
            scan.values().to_string(),
            format!("{:.1}", scan.time().as_secs_f64() * 1000.0),
            format!("{:.2} %", share * 100.0),
        ]);
        let shown = if with_requests { scan.reads.len() } else { 0 };
        for (read, time) in scan.reads.iter().take(shown) {
            let place = format!("    {}:{}", read.area.name(), read.start);
            let mut row = vec![place];
            row.extend(std::iter::repeat_n(String::new(), 4));
            row.push(read.count.to_string());
            row.push(format!("{:.1}", time.as_secs_f64() * 1000.0));
            rows.push(row);
        }
    }
    columns(&rows)
}

fn plain(plans: &[(&Line, LinePlan)]) -> serde_json::Value {
    let lines = plans.iter().map(|(line, plan)| {
        let scans = plan.scans.iter().map(|scan| {
            let requests = scan.reads.iter().map(|(read, time)| {
                json!({
                    "area": read.area.name(),
                    "start": read.start,
                    "count": read.count,
                    "ms": time.as_secs_f64() * 1000.0,
                })
            });
            json!({
                "device": scan.device,
                "unit": scan.unit,
                "period_ms": scan.period.as_secs_f64() * 1000.0,
                "tags": scan.tags,
                "registers": scan.values(),
                "ms": scan.time().as_secs_f64() * 1000.0,
                "requests": requests.collect::<Vec<_>>(),
            })
        });
        json!({
            "line": line.name,
            "transport": line.transport.protocol(),
            "place": line.transport.to_string(),
            "utilisation_ratio": plan.utilisation_ratio,
            "scans": scans.collect::<Vec<_>>(),
        })
    });
    serde_json::Value::Array(lines.collect())
}
