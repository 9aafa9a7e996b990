use std::sync::atomic::AtomicBool;

use super::*;

#[test]
fn one_that_panics_is_started_again_and_the_others_never_notice() {
    let stop = Stop::new();
    let mut crew = Crew::new();
    let runs = Arc::new(AtomicU64::new(0));
    let other = Arc::new(AtomicBool::new(false));
    crew.keep_running("shaky", &stop, {
        let (runs, stop) = (Arc::clone(&runs), stop.clone());
        move || {
            assert!(runs.fetch_add(1, Ordering::SeqCst) > 0, "the first run fails");
            let _raised = stop.wait(Duration::from_secs(60));
        }
    })
    .unwrap();
    crew.keep_running("steady", &stop, {
        let (other, stop) = (Arc::clone(&other), stop.clone());
        move || {
            other.store(true, Ordering::SeqCst);
            let _raised = stop.wait(Duration::from_secs(60));
        }
    })
    .unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while runs.load(Ordering::SeqCst) < 2 || !other.load(Ordering::SeqCst) {
        assert!(Instant::now() < until, "the shaky one is started again");
        thread::yield_now();
    }
    assert_eq!(crew.restarts(), [("shaky".to_owned(), 1), ("steady".to_owned(), 0)]);
    stop.raise();
    crew.join(Duration::from_secs(10));
}
