//! Damage: any byte of what is kept may be wrong, or a file end too early, and the gateway starts.
//!
//! A small store is made by a real run. Then each file in turn is flipped and cut at places spread
//! over it, and the gateway is built on a copy: within five seconds, without a panic, without
//! anything deleted by hand, and without harm to what was not damaged. `FIELDGATE_DAMAGE_STEP=1`
//! takes every byte; the gate takes some. `FIELDGATE_DAMAGE_SECONDS` ends a long run early: what
//! was started by then is of all files, in no order, and counted.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pipelines_flow::disk::RealDisk;
use pipelines_flow::disk::sim::Dice;
use signals::Clock;

use super::{Gateway, Parts};
use crate::clock::SystemClock;
use crate::config::{self, Config, Files};
use crate::notebook::DiskNotebook;
use crate::sources::Builder;
use crate::writes::Writes;

const PATIENCE: Duration = Duration::from_secs(60);
/// How long a start may take on a damaged store.
const START_MAX: Duration = Duration::from_secs(5);
/// Starts at once: one waits more than it works.
const WORKERS: usize = 8;
/// Places in each file that the gate damages, spread evenly.
const PLACES: usize = 4;

const DBC: &str = "BO_ 256 Motion: 8 A\n SG_ Speed : 0|16@1+ (0.5,0) [0|0] \"km/h\" X\n \
                   SG_ Number : 16|16@1+ (1,0) [0|0] \"\" X\nBA_DEF_ BO_ \"GenMsgCycleTime\" INT 0 \
                   1000;\nBA_DEF_DEF_ \"GenMsgCycleTime\" 0;\nBA_ \"GenMsgCycleTime\" BO_ 256 20;\n";
const TEXT: &str = "[gateway]\nid = \"bench\"\nsite = \"bench\"\n\n[[can]]\nname = \"bus\"\n\
                    source = \"synthetic\"\ndbc = [\"a.dbc\"]\n\n[lake]\nroll_interval = \"1 s\"\n\n\
                    [[aggregate]]\nwindow = \"1 s\"\n\n[[detector]]\nname = \"d\"\nfamily = \"ewma\"\n\
                    signals = [\"bench/bus/motion/speed\", \"bench/bus/motion/number\"]\n\
                    budget_per_week = 1\nevery = \"1 s\"\n\n[[uplink]]\nname = \"cloud\"\n\
                    kind = \"mqtt\"\naddress = \"127.0.0.1:9\"\n";

fn config(folder: &Path) -> Config {
    config::from_text("gateway.toml", TEXT, Files::Folder(folder)).expect("it is right")
}

fn build(config: &Config, data: &Path) -> anyhow::Result<Gateway> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let notebook = Arc::new(DiskNotebook::new(data.join("learned"), Arc::new(RealDisk)));
    let writes = Writes::new(true, data, &clock);
    let builder = Builder { notebook };
    Gateway::build(
        config,
        Parts { data: data.to_owned(), clock, builder, demo: false, writes, certificates: None },
    )
}

/// All files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, &target).unwrap();
    }
}

/// Runs a gateway until there is something of everything, and stops it.
fn make_store(config: &Config, data: &Path) {
    let mut gateway = build(config, data).unwrap();
    gateway.start().unwrap();
    let (view, begun) = (gateway.view(), Instant::now());
    loop {
        let all = files(data);
        let of = |part: &str| all.iter().filter(|file| file.starts_with(data.join(part))).count();
        let forwarded =
            view.forwards.iter().any(|(_, vitals)| vitals.lock().unwrap().position.0 > 50);
        if of("lake/bus_motion") >= 2 && of("lake/_aggregates_1s") >= 1 && forwarded {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "no store within {PATIENCE:?}: {all:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    gateway.stop();
}

#[derive(Clone, Copy, Debug)]
enum Harm {
    Flip(usize),
    Cut(usize),
}

impl Harm {
    fn done_to(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Flip(at) => {
                let mut bytes = bytes.to_vec();
                bytes[at] ^= 0x5A;
                bytes
            }
            Self::Cut(at) => bytes[..at].to_vec(),
        }
    }
}

/// What a start found, to be compared.
#[derive(Debug, Eq, PartialEq)]
struct Found {
    next: u64,
    lake_files: usize,
    /// Whether opening the journal told of damage, a torn end, or records that are gone.
    told: bool,
}

impl Found {
    /// What is wrong with a start after a file was damaged, when undamaged it is `whole`.
    fn wrong(&self, whole: &Self, file: &Path) -> Option<&'static str> {
        let is_segment = file.starts_with("journal") && file.extension().is_some();
        if self.lake_files != whole.lake_files {
            Some("files of the lake are gone")
        } else if !is_segment && self.next != whole.next {
            Some("the journal has another end")
        } else if is_segment && !self.told {
            Some("damage that nobody tells")
        } else {
            None
        }
    }
}

/// Starts on `data` and stops again.
fn start(config: &Config, data: &Path) -> Result<Found, String> {
    let begun = Instant::now();
    let started = catch_unwind(AssertUnwindSafe(|| -> Result<_, String> {
        let gateway = build(config, data).map_err(|err| format!("{err:#}"))?;
        let took = begun.elapsed();
        let recovery = gateway.recovery().clone();
        gateway.stop();
        Ok((took, recovery))
    }));
    let (took, recovery) = started.map_err(|_| "a panic".to_owned())??;
    if took > START_MAX {
        return Err(format!("took {took:?}"));
    }
    let lake_files = files(&data.join("lake")).len();
    let told = recovery.damaged > 0 || recovery.torn_bytes > 0 || recovery.lost > 0;
    Ok(Found { next: recovery.next.0, lake_files, told })
}

/// A number from the environment.
fn number<N: std::str::FromStr>(name: &str) -> Option<N> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text}?")))
}

/// Every harm to be done, in no order, so that a part of them is a part of each file.
fn harms(store: &Path) -> Vec<(PathBuf, Harm)> {
    let step: Option<usize> = number("FIELDGATE_DAMAGE_STEP");
    let mut harms = Vec::new();
    for file in files(store) {
        let short = file.strip_prefix(store).unwrap();
        let length = fs::read(&file).unwrap().len();
        let step = step.unwrap_or_else(|| length.div_ceil(PLACES)).max(1);
        let places = (0..length).step_by(step);
        let each = places.flat_map(|at| [Harm::Flip(at), Harm::Cut(at)]);
        harms.extend(each.map(|harm| (short.to_owned(), harm)));
    }
    let mut dice = Dice::new(harms.len() as u64);
    harms.sort_by_cached_key(|_| dice.below(u64::MAX));
    harms
}

#[test]
fn a_store_with_any_byte_damaged_or_any_file_cut_starts_and_keeps_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.dbc"), DBC).unwrap();
    let config = config(folder.path());
    let store = folder.path().join("store");
    make_store(&config, &store);
    let try_on = |harm: Option<&(PathBuf, Harm)>| {
        let trial = tempfile::tempdir().unwrap();
        copy(&store, trial.path());
        if let Some((file, harm)) = harm {
            let target = trial.path().join(file);
            let harmed = harm.done_to(&fs::read(&target).unwrap());
            fs::write(&target, harmed).unwrap();
        }
        start(&config, trial.path())
    };
    let whole = try_on(None).expect("what is not damaged starts");
    let (harms, begun) = (harms(&store), Instant::now());
    let time = number("FIELDGATE_DAMAGE_SECONDS").map_or(Duration::MAX, Duration::from_secs);
    let (next, trials) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let wrong: Mutex<Vec<String>> = Mutex::default();
    let work = || {
        while let Some(harm) = harms.get(next.fetch_add(1, Ordering::Relaxed)) {
            if begun.elapsed() > time {
                break;
            }
            let found = try_on(Some(harm));
            trials.fetch_add(1, Ordering::Relaxed);
            let problem = match &found {
                Ok(found) => found.wrong(&whole, &harm.0),
                Err(_) => Some("no start"),
            };
            if let Some(problem) = problem {
                let line = format!("{}, {:?}: {problem}: {found:?}", harm.0.display(), harm.1);
                println!("{line}");
                wrong.lock().unwrap().push(line);
            }
        }
    };
    std::thread::scope(|scope| (0..WORKERS).for_each(|_| drop(scope.spawn(work))));
    let (trials, wrong) = (trials.into_inner(), wrong.into_inner().unwrap());
    println!(
        "{} of {trials} damaged stores of {} files started as they must, in {:.0?}; {} to be tried",
        trials - wrong.len(),
        files(&store).len(),
        begun.elapsed(),
        harms.len(),
    );
    assert!(
        wrong.is_empty(),
        "{} of {trials}, undamaged {whole:?}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
