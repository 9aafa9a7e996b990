//! Work on a thread of its own beside other work, and never longer than that.

use std::thread;

use signals::Stop;

/// Raised when it goes out of scope, also by a panic.
struct Over(Stop);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.raise();
    }
}

/// Does `work`, and `beside` on a thread of this name until `work` has ended, however it ends: were
/// a panic of `work` to wait for the thread, nobody would notice it and start the work again.
pub(super) fn until_ended(name: &str, beside: impl FnOnce(&Stop) + Send, work: impl FnOnce()) {
    let stop = Stop::new();
    thread::scope(|scope| {
        let _over = Over(stop.clone());
        let thread = thread::Builder::new().name(name.to_owned());
        if let Err(err) = thread.spawn_scoped(scope, || beside(&stop)) {
            tracing::warn!(name, %err, "no thread for it; it is left undone");
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn a_panic_of_the_work_ends_what_is_beside_it_and_comes_through() {
        let was_told = AtomicBool::new(false);
        let beside = |over: &Stop| was_told.store(over.wait(LONG), Ordering::SeqCst);
        let ended = catch_unwind(AssertUnwindSafe(|| {
            until_ended("beside", beside, || panic!("the work fails"));
        }));
        assert!(ended.is_err());
        assert!(was_told.into_inner(), "it was told to end");
    }

    #[test]
    fn work_that_ends_ends_what_is_beside_it() {
        let was_told = AtomicBool::new(false);
        until_ended("beside", |over| was_told.store(over.wait(LONG), Ordering::SeqCst), || ());
        assert!(was_told.into_inner());
    }
}
