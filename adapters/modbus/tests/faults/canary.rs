//! Whether the machine itself was punctual: what a missed mark of time is told with.

use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How often it looks at the clock.
const STEP: Duration = Duration::from_millis(5);
/// Lateness that any machine has.
const USUAL: Duration = Duration::from_millis(10);
/// Time a machine may stand still in a run and count as punctual, by the time of the run.
const STILL_SHARE_MAX: f64 = 0.01;

static STILL: OnceLock<Mutex<Vec<(Instant, Duration)>>> = OnceLock::new();

/// Starts to watch, once for the process.
pub(crate) fn watch() {
    STILL.get_or_init(|| {
        std::thread::spawn(|| {
            loop {
                let before = Instant::now();
                std::thread::sleep(STEP);
                let late = before.elapsed().saturating_sub(STEP);
                if let Some(still) = STILL.get().filter(|_| late > USUAL) {
                    still.lock().unwrap().push((before, late));
                }
            }
        });
        Mutex::default()
    });
}

/// Share of the time since `begun` that a thread with nothing to do but wake up was late.
pub(crate) fn still_share(begun: Instant) -> f64 {
    let Some(still) = STILL.get() else { return 0.0 };
    let still = still.lock().unwrap();
    let late: Duration = still.iter().filter(|(at, _)| *at >= begun).map(|(_, late)| *late).sum();
    late.as_secs_f64() / begun.elapsed().as_secs_f64().max(1.0)
}

pub(crate) fn is_punctual(share: f64) -> bool {
    share <= STILL_SHARE_MAX
}
