//! What both kinds of crashes need: the victim as a process, programs, numbers from the
//! environment.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pipelines_flow::disk::sim::Dice;

use crate::ledger::Ledger;
use crate::victim::{self, Syncs};

/// The Python of the peers: `FIELDGATE_PEERS`, else where `tests/run` puts it.
pub(crate) fn python() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let peers = std::env::var_os("FIELDGATE_PEERS");
    let python =
        peers.map_or_else(|| root.join("target/peers"), PathBuf::from).join("venv/bin/python");
    assert!(python.is_file(), "{}: not there; run tests/run peers first", python.display());
    python
}

/// A number from the environment, else the one given.
pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}: {text}?")))
}

/// The dice of this run: `FIELDGATE_SEED`, else of the clock; printed, so that it can be repeated.
pub(crate) fn dice() -> Dice {
    let seed = number("FIELDGATE_SEED", victim::now().micros().unsigned_abs());
    println!("seed {seed}");
    Dice::new(seed)
}

/// Whether this machine was told to do without; it is said.
pub(crate) fn is_left_out() -> bool {
    let left_out = std::env::var("FIELDGATE_POWERCUT").is_ok_and(|word| word == "skip");
    if left_out {
        println!("power cuts: left out, as FIELDGATE_POWERCUT says");
    }
    left_out
}

/// A duration between two.
pub(crate) fn between(dice: &mut Dice, low: Duration, high: Duration) -> Duration {
    let span = u64::try_from(high.saturating_sub(low).as_micros()).unwrap();
    low + Duration::from_micros(dice.below(span))
}

/// A victim at work.
pub(crate) struct Life {
    child: Child,
    heard: Arc<Mutex<Vec<u8>>>,
    listener: Option<JoinHandle<()>>,
}

impl Life {
    /// Starts a victim in `data`.
    pub(crate) fn begin(data: &Path, first: u64, syncs: Syncs) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "victim", "--ignored", "--nocapture", "--test-threads=1"])
            .env("FIELDGATE_VICTIM_DATA", data)
            .env("FIELDGATE_VICTIM_FIRST", first.to_string())
            .env("FIELDGATE_VICTIM_SYNCS", syncs.word())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
        let words = Arc::clone(&heard);
        let listener = std::thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(read @ 1..) = out.read(&mut some) {
                words.lock().unwrap().extend_from_slice(&some[..read]);
            }
        });
        Self { child, heard, listener: Some(listener) }
    }

    /// Lets it live so long from its first word on.
    pub(crate) fn last(&mut self, span: Duration) {
        let patience = Instant::now() + Duration::from_secs(30);
        while !self.heard().contains("lives ") && self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < patience, "the victim does not start: {}", self.heard());
            std::thread::park_timeout(Duration::from_millis(1));
        }
        let until = Instant::now() + span;
        while Instant::now() < until {
            std::thread::park_timeout(until.saturating_duration_since(Instant::now()));
        }
    }

    /// What it has said so far.
    pub(crate) fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }

    /// Kills it; everything it has said.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        if let Some(listener) = self.listener.take() {
            listener.join().unwrap();
        }
        self.heard()
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// What a series of crashes has come to.
pub(crate) fn report(what: &str, crashes: u64, begun: Instant, ledger: &Ledger) {
    println!(
        "{crashes} {what} in {:.1?}: {} samples promised, {} there, {} files, {} of them joined, {} \
         messages; lost before a crash, at most {:.0?}",
        begun.elapsed(),
        ledger.promised,
        ledger.there,
        ledger.files(),
        ledger.joined,
        ledger.messages(),
        ledger.worst_loss,
    );
}
