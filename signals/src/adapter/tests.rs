use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::Stop;

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_task_that_waits_for_the_stop_is_woken_once_when_it_is_raised() {
    let (stop, bell) = (Stop::new(), Arc::new(Bell::default()));
    let waker = Waker::from(Arc::clone(&bell));
    let mut context = Context::from_waker(&waker);
    assert_eq!(stop.poll_raised(&mut context), Poll::Pending);
    assert_eq!(stop.poll_raised(&mut context), Poll::Pending);
    stop.raise();
    assert_eq!(bell.0.load(Ordering::SeqCst), 1);
    assert_eq!(stop.poll_raised(&mut context), Poll::Ready(()));
}
