//! Supervision: every adapter and consumer has a thread of its own, and one that ends before it
//! was told to is started again, later each time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use signals::Stop;

/// Pause before the first restart; doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A run this long counts as healthy: the next pause starts small again.
const HEALTHY: Duration = Duration::from_secs(60);

/// Threads and how to end them.
#[derive(Default)]
pub struct Crew {
    members: Vec<Member>,
}

struct Member {
    name: String,
    thread: JoinHandle<()>,
    restarts: Arc<AtomicU64>,
}

impl Crew {
    /// Nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts `work` on a thread of its own and starts it again whenever it returns or panics
    /// before `stop` is raised.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn keep_running(
        &mut self,
        name: &str,
        stop: &Stop,
        mut work: impl FnMut() + Send + 'static,
    ) -> std::io::Result<()> {
        let restarts = Arc::new(AtomicU64::new(0));
        let thread = thread::Builder::new().name(name.to_owned()).spawn({
            let (name, stop, restarts) = (name.to_owned(), stop.clone(), Arc::clone(&restarts));
            move || {
                let mut pause = PAUSE_MIN;
                loop {
                    let started = Instant::now();
                    let panicked = catch_unwind(AssertUnwindSafe(&mut work)).is_err();
                    if stop.is_raised() {
                        return;
                    }
                    if started.elapsed() >= HEALTHY {
                        pause = PAUSE_MIN;
                    }
                    restarts.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(%name, panicked, ?pause, "ended by itself; starting it again");
                    if stop.wait(pause) {
                        return;
                    }
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        })?;
        self.members.push(Member { name: name.to_owned(), thread, restarts });
        Ok(())
    }

    /// Restarts of each member so far.
    #[must_use]
    pub fn restarts(&self) -> Vec<(String, u64)> {
        let count = |m: &Member| (m.name.clone(), m.restarts.load(Ordering::Relaxed));
        self.members.iter().map(count).collect()
    }

    /// Whether nobody is left.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.members.iter().all(|member| member.thread.is_finished())
    }

    /// Waits for everybody, at most `patience`; says who is still pending.
    pub fn join(self, patience: Duration) {
        let until = Instant::now() + patience;
        for member in self.members {
            while !member.thread.is_finished() && Instant::now() < until {
                thread::sleep(Duration::from_millis(5));
            }
            if !member.thread.is_finished() {
                tracing::warn!(name = %member.name, "still pending at the end of the stop");
                continue;
            }
            if member.thread.join().is_err() {
                tracing::error!(name = %member.name, "ended in a panic");
            }
        }
    }
}

#[cfg(test)]
mod tests;
