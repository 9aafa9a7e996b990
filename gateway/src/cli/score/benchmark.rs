//! `fieldgate benchmark SET FOLDER`: a detector over a public set of labelled recordings, and what
//! it is worth by the measures of the set.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use models::Family;
use models::benchmark::metrics::Events;
use models::benchmark::{self, Recording, Skab};
use signals::Timestamp;

use super::{Columns, Wanted, family_of, read, time};

/// Arguments of `fieldgate benchmark`.
#[derive(Clone, Debug, clap::Args)]
pub struct BenchmarkArgs {
    /// Which set the recordings are of
    #[arg(value_name = "SET")]
    pub set: Set,
    /// Folder with its files
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Family of the detector
    #[arg(long, value_name = "NAME", default_value = Family::Ewma.as_str())]
    pub family: String,
}

/// A public set of labelled recordings; how its files are laid out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Set {
    /// `*.csv` with `datetime;…;anomaly;changepoint`
    Skab,
    /// `train_normal_d00.parquet` and `test_fault*.parquet` with `t_min,…,label`
    Tep,
    /// `*.csv` with `timestamp,value`, and `windows.json`
    Nab,
}

/// Faults of the Tennessee Eastman process that hardly show: told apart from the mean.
const TEP_HIDDEN: [&str; 3] = ["03", "09", "15"];

/// Prints the table of the set as CSV.
///
/// # Errors
/// The first file that cannot be read or scored.
pub fn run(args: &BenchmarkArgs) -> anyhow::Result<()> {
    let table = table(args.set, &args.folder, family_of(&args.family)?)?;
    std::io::stdout().write_all(table.as_bytes()).context("stdout")
}

fn table(set: Set, folder: &Path, family: Family) -> anyhow::Result<String> {
    match set {
        Set::Skab => skab(folder, family),
        Set::Tep => tep(folder, family),
        Set::Nab => nab(folder, family),
    }
}

fn skab(folder: &Path, family: Family) -> anyhow::Result<String> {
    let files = files(folder, "csv")?;
    let labelled = files.iter().filter(|path| stem(path) != "anomaly-free");
    let labels = Labels { time: "datetime", label: Some("anomaly"), ignored: &["changepoint"] };
    let recordings =
        labelled.map(|path| labels.recording(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut text =
        "detector,files,vus_pr,f1,far_percent,mar_percent,events,hits,false_episodes,delay_s\n"
            .to_owned();
    let found = benchmark::skab(family, &recordings)?;
    let easy = benchmark::skab_greatest_distance(&recordings);
    for (name, found) in [(family.as_str(), found), ("greatest distance", easy)] {
        writeln!(text, "{name},{},{}", recordings.len(), skab_cells(&found))?;
    }
    Ok(text)
}

fn skab_cells(found: &Skab) -> String {
    let Events { events, hits, false_episodes, .. } = found.events;
    let (far, mar) = (found.points.false_alarm_percent(), found.points.missed_percent());
    let delay = found.events.delay_s().unwrap_or_default();
    let (vus_pr, f1) = (found.vus_pr, found.points.f1());
    format!("{vus_pr:.4},{f1:.4},{far:.2},{mar:.2},{events},{hits},{false_episodes},{delay}")
}

fn tep(folder: &Path, family: Family) -> anyhow::Result<String> {
    let labels = Labels { time: "t_min", label: Some("label"), ignored: &[] };
    let mut normal = None;
    let mut faults = Vec::new();
    for path in files(folder, "parquet")? {
        let mut recording = labels.recording(&path)?;
        // Minutes were taken for seconds.
        let minute = |ts: &Timestamp| Timestamp::from_micros(ts.micros().saturating_mul(60));
        recording.ts = recording.ts.iter().map(minute).collect();
        if recording.name.contains("normal") {
            normal = Some(recording);
        } else {
            faults.push(recording);
        }
    }
    let normal = normal.context("no file with `normal` in its name to learn from")?;
    let found = benchmark::tep(family, &normal, &faults)?;
    let mut text = "detector,fault,missed_percent,top1,top2,top3\n".to_owned();
    let mut clear = Vec::new();
    for fault in &found {
        let (name, missed) = (&fault.name, fault.missed_percent);
        writeln!(text, "{},{name},{missed:.2},{}", family.as_str(), fault.top.join(","))?;
        if !TEP_HIDDEN.iter().any(|hidden| name.ends_with(hidden)) {
            clear.push(missed);
        }
    }
    let count = u32::try_from(clear.len().max(1)).context("too many files")?;
    let mean = clear.iter().sum::<f64>() / f64::from(count);
    writeln!(text, "{},mean without {},{mean:.2},,,", family.as_str(), TEP_HIDDEN.join(" "))?;
    Ok(text)
}

fn nab(folder: &Path, family: Family) -> anyhow::Result<String> {
    let path = folder.join("windows.json");
    let json = std::fs::read_to_string(&path)
        .with_context(|| format!("{}: cannot be read; it names the windows", path.display()))?;
    let windows: HashMap<String, Vec<[String; 2]>> = serde_json::from_str(&json)
        .with_context(|| format!("{}: does not list windows per file", path.display()))?;
    let labels = Labels { time: "timestamp", label: None, ignored: &[] };
    let mut recordings = Vec::new();
    for path in files(folder, "csv")? {
        let mut recording = labels.recording(&path)?;
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        for window in windows.get(file).map(Vec::as_slice).unwrap_or_default() {
            let ends = window.each_ref().map(|end| Some(end.as_str()));
            let ends = time::of_text("windows", &ends)?;
            let inside = |ts: &Timestamp| ends.first() <= Some(ts) && Some(ts) <= ends.last();
            for (label, ts) in recording.labels.iter_mut().zip(&recording.ts) {
                *label |= inside(ts);
            }
        }
        recordings.push(recording);
    }
    let found = benchmark::nab(family, &recordings)?;
    let standard = found.standard.context("no window in any file")?;
    let (name, files) = (family.as_str(), recordings.len());
    Ok(format!(
        "detector,files,nab_standard,vus_pr\n{name},{files},{standard:.2},{:.4}\n",
        found.vus_pr
    ))
}

/// Which columns of a set are no signals.
struct Labels<'a> {
    time: &'a str,
    label: Option<&'a str>,
    ignored: &'a [&'a str],
}

impl Labels<'_> {
    fn recording(&self, path: &Path) -> anyhow::Result<Recording> {
        let ignore: Vec<String> = self.ignored.iter().map(|&name| name.to_owned()).collect();
        let wanted = Wanted { time: self.time, signals: &[], ignore: &ignore };
        let columns = read(path, wanted).with_context(|| path.display().to_string())?;
        let Columns { ts, mut names, mut values, .. } = columns;
        let mut labels = vec![false; ts.len()];
        if let Some(label) = self.label {
            let place = names.iter().position(|name| name == label);
            let place =
                place.with_context(|| format!("{}: no column `{label}`", path.display()))?;
            names.remove(place);
            labels =
                values.remove(place).iter().map(|cell| cell.is_some_and(|c| c > 0.5)).collect();
        }
        Ok(Recording { name: stem(path).to_owned(), ts, names, columns: values, labels })
    }
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

/// Files of a folder with this extension, by name.
fn files(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let listed = std::fs::read_dir(folder)
        .with_context(|| format!("{}: cannot be listed; give a folder", folder.display()))?;
    let mut found = Vec::new();
    for entry in listed {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    if found.is_empty() {
        bail!("{}: no file *.{extension}", folder.display());
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;
