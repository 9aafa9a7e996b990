use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::{Instruments, Metric, MetricKind, Reading, Stop};

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
    let mut waits = pin!(stop.raised());
    assert_eq!(waits.as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(waits.as_mut().poll(&mut context), Poll::Pending);
    stop.raise();
    assert_eq!(bell.0.load(Ordering::SeqCst), 1);
    assert_eq!(waits.as_mut().poll(&mut context), Poll::Ready(()));
    assert_eq!(pin!(stop.raised()).poll(&mut context), Poll::Ready(()), "for whoever comes later");
}

#[test]
fn waits_that_are_given_up_leave_nothing_behind_whatever_their_wakers_are() {
    let (stop, first) = (Stop::new(), Arc::new(Bell::default()));
    let stays = Waker::from(Arc::clone(&first));
    let mut waits = pin!(stop.raised());
    assert_eq!(waits.as_mut().poll(&mut Context::from_waker(&stays)), Poll::Pending);
    for _ in 0..1000 {
        // Another waker each time: two of one task need not be known for the same.
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let mut given_up = Box::pin(stop.raised());
        assert_eq!(given_up.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
        drop((given_up, waker));
        assert_eq!(Arc::strong_count(&bell), 1, "its waker is gone");
    }
    assert_eq!(stop.places(), 2);
    stop.raise();
    assert_eq!(first.0.load(Ordering::SeqCst), 1, "who still waits is woken");
}

static FRAMES: Metric = Metric { name: "frames_total", kind: MetricKind::Counter, help: "Frames." };
static LOAD: Metric = Metric { name: "bus_load_ratio", kind: MetricKind::Gauge, help: "Load." };

#[test]
fn readings_are_replaced_as_a_whole_and_stand_together_by_metric() {
    let instruments = Instruments::new("bus", "can");
    assert!(instruments.readings().is_empty());
    let reading = |metric, of: &str, value| Reading {
        metric,
        labels: [("device", of.to_owned())].into(),
        value,
    };
    instruments.show(vec![reading(&FRAMES, "a", 9.0)]);
    let before = instruments.readings();
    instruments.show(vec![
        reading(&FRAMES, "b", 1.0),
        reading(&LOAD, "b", 0.5),
        reading(&FRAMES, "a", 2.0),
    ]);
    assert_eq!(before.len(), 1, "a set once read stays what it was");
    let after: Vec<(&str, f64)> =
        instruments.readings().iter().map(|r| (r.metric.name, r.value)).collect();
    assert_eq!(after, [("bus_load_ratio", 0.5), ("frames_total", 1.0), ("frames_total", 2.0)]);
}

#[test]
fn frames_are_told_only_by_instruments_that_keep_them() {
    assert_eq!(Instruments::new("bus", "can").frames_text(), None);
    let keeping = Instruments::new("line", "modbus").with_frames(|| "out 01 03".to_owned());
    assert_eq!(keeping.frames_text().as_deref(), Some("out 01 03"));
}
