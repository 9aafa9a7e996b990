//! What every test needs: where things are, waiting with a deadline, processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(crate) mod authority;
pub(crate) mod broker;
pub(crate) mod counter;
pub(crate) mod gateway;
pub(crate) mod images;
pub(crate) mod programs;

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("this crate stands in the repository").to_owned()
}

/// A file of `tests/cases`.
pub(crate) fn case(path: &str) -> PathBuf {
    root().join("tests/cases").join(path)
}

/// The binary: `FIELDGATE_BIN`, else the one beside this test.
pub(crate) fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("FIELDGATE_BIN") {
        return path.into();
    }
    let this = std::env::current_exe().expect("a running program knows its path");
    let path = this.ancestors().nth(2).expect("target/release/deps/…").join("fieldgate");
    assert!(path.is_file(), "{}: not there; run cargo build --release first", path.display());
    path
}

/// Runs a command of the binary to its end.
pub(crate) fn fieldgate(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().expect("the binary can be run")
}

/// Waits until `found` gives something; panics with `what` when it takes longer than `patience`.
pub(crate) fn wait_for<T>(
    what: &str,
    patience: Duration,
    mut found: impl FnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < patience, "{what}: not within {patience:?}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Waits until a condition holds.
pub(crate) fn wait_until(what: &str, patience: Duration, mut holds: impl FnMut() -> bool) {
    wait_for(what, patience, || holds().then_some(()));
}

/// Lets time pass: what is tested is what happens meanwhile.
pub(crate) fn let_pass(time: Duration) {
    let begun = Instant::now();
    wait_until("time passes", time + Duration::from_mins(1), || begun.elapsed() >= time);
}

/// Wall time in microseconds, UTC.
#[expect(clippy::disallowed_methods, reason = "outside the gateway there is no `Clock`")]
pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_micros()).expect("before the year 292000")
}

/// Sends a signal by name (`TERM`, `KILL`).
pub(crate) fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args([&format!("-{name}"), &id]).status();
    assert!(sent.expect("kill can be run").success(), "cannot send {name} to {id}");
}

/// A port nobody listens on at the moment.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("a bound listener has an address").port()
}

/// A child that ends with the test, whatever happens.
#[derive(Debug)]
pub(crate) struct Ending(pub(crate) Child);

impl Drop for Ending {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The same numbers for the same seed: splitmix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A duration within `low..high`.
    pub(crate) fn between(&mut self, low: Duration, high: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let fraction = f64::from(u32::try_from(mixed >> 32).unwrap_or(0)) / f64::from(u32::MAX);
        low + high.saturating_sub(low).mul_f64(fraction)
    }
}

/// The seed of this run: `FIELDGATE_SEED`, else of the clock. Printed, so that it can be repeated.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("FIELDGATE_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| now_us().unsigned_abs());
    println!("seed {seed} (repeat with FIELDGATE_SEED={seed})");
    seed
}

/// A path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are UTF-8")
}
