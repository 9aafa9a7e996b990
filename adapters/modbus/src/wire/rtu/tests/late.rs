use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, sleep};

use super::device::{Act, Devices};
use super::{TIMEOUT, TWO, answer, ask, frame, pair, reply, slow, soon};
use crate::scan::Read;
use crate::wire::{Ask, Fault, Outcomes, RtuWire, Timing};

/// The first request of `devices` is answered late, all others at once; every value is that of its
/// own request, and in the end there are values again. Gives how many of 60 reads were good.
async fn late_then_right(devices: &Devices, count: u16, every: Duration) -> usize {
    let (mut wire, mut far) = pair(slow());
    let client = async {
        let mut good = 0;
        for _ in 0..60 {
            let mut words = Vec::new();
            let read = Read { count, ..TWO };
            if wire.read(soon(1), read, &mut words).await.is_ok() {
                let last = devices.log.lock().unwrap().len() - 1;
                assert_eq!(words, vec![u16::try_from(last).unwrap(); count.into()]);
                good += 1;
            }
            sleep(every).await;
        }
        good
    };
    tokio::select! {
        good = client => good,
        () = devices.serve(&mut far) => unreachable!("the devices serve for ever"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_however_late_never_passes_for_that_of_the_next_request() {
    for late in [10, 45, 150, 190, 250, 390, 700, 1900, 2000, 4000, 9000] {
        for (has_echo, count) in [(true, 2), (false, 2), (false, 40), (true, 1), (false, 1)] {
            let mut acts = vec![Act::Answer(1); 200];
            acts[2] = Act::Answer(200 + late);
            let devices = Devices::new(acts, has_echo);
            let good = late_then_right(&devices, count, Duration::from_millis(300)).await;
            assert!(good >= 10, "{late} ms late, {count} registers, echo {has_echo}: {good} good");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_is_late_now_and_then_loses_little_whether_it_knows_function_8_or_not() {
    for has_echo in [true, false] {
        let acts = (0..10).map(|place| Act::Answer(if place == 3 { 245 } else { 1 })).collect();
        let devices = Devices::new(acts, has_echo);
        let good = late_then_right(&devices, 40, Duration::from_millis(50)).await;
        assert!(good >= 53, "{good} of 60");
    }
}

/// Answers the next request, which must be a read of one register that no plan holds.
pub(super) async fn pass(far: &mut DuplexStream, unit: u8) -> Instant {
    let mut fence = [0; 8];
    far.read_exact(&mut fence).await.unwrap();
    assert_eq!(fence[..6], [unit, 3, 0, 0, 0, 1]);
    let came = Instant::now();
    far.write_all(&frame(&[unit, 3, 2, 0, 0])).await.unwrap();
    came
}

#[tokio::test(start_paused = true)]
async fn after_silence_other_units_wait_for_one_answer_and_the_same_unit_passes_a_fence() {
    let (mut wire, mut far) = pair(slow());
    let started = Instant::now();
    assert_eq!(ask(&mut wire, 1).await, Err(Fault::Timeout));
    let mut request = [0; 8];
    far.read_exact(&mut request).await.unwrap();
    let (other, came) = tokio::join!(ask(&mut wire, 2), reply(&mut far, answer(2, [2, 2])));
    assert_eq!(other, Ok(vec![2, 2]));
    let waited = came.duration_since(started + TIMEOUT);
    assert!((10..=17).contains(&waited.as_millis()), "9 characters and 3.5: {waited:?}");
    let peer = async {
        pass(&mut far, 1).await;
        reply(&mut far, answer(1, [3, 3])).await;
    };
    let (got, ()) = tokio::join!(ask(&mut wire, 1), peer);
    assert_eq!(got, Ok(vec![3, 3]));
    let (got, _) = tokio::join!(ask(&mut wire, 1), reply(&mut far, answer(1, [4, 4])));
    assert_eq!(got, Ok(vec![4, 4]), "once passed, the fence is gone");
}

#[tokio::test(start_paused = true)]
async fn a_declared_gap_stands_before_and_behind_a_fence() {
    let (mut wire, mut far) = pair(Timing::over_tcp());
    let gap = Duration::from_millis(20);
    wire.keep_gap(gap);
    assert_eq!(ask(&mut wire, 1).await, Err(Fault::Timeout));
    reply(&mut far, []).await;
    let peer = async {
        let passed = pass(&mut far, 1).await;
        reply(&mut far, answer(1, [3, 3])).await.duration_since(passed)
    };
    let (got, apart) = tokio::join!(ask(&mut wire, 1), peer);
    assert_eq!(got, Ok(vec![3, 3]));
    assert!(
        apart + Duration::from_millis(1) >= gap,
        "the last of it is slept off, not paused: {apart:?}"
    );
}

/// The next request of one register, after one that nobody answered.
async fn after_silence(wire: &mut RtuWire<DuplexStream>, far: &mut DuplexStream, unit: u8) {
    let mut words = Vec::new();
    let one = Read { count: 1, ..TWO };
    assert_eq!(wire.read(soon(unit), one, &mut words).await, Err(Fault::Timeout));
    reply(far, []).await;
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_refuses_the_fence_has_passed_it_and_one_that_ignores_it_is_given_time() {
    let (mut wire, mut far) = pair(slow());
    let (got, _) = tokio::join!(ask(&mut wire, 9), reply(&mut far, answer(9, [1, 1])));
    assert!(got.is_ok(), "the line has no echo");
    after_silence(&mut wire, &mut far, 1).await;
    let one = Read { count: 1, ..TWO };
    let peer = async {
        let mut fence = [0; 8];
        far.read_exact(&mut fence).await.unwrap();
        assert_eq!(fence[..4], [1, 8, 0, 0]);
        far.write_all(&frame(&[1, 0x88, 1])).await.unwrap();
        reply(&mut far, frame(&[1, 3, 2, 0, 2])).await;
    };
    let mut words = Vec::new();
    let (got, ()) = tokio::join!(wire.read(soon(1), one, &mut words), peer);
    assert_eq!((got, words.as_slice()), (Ok(()), [2].as_slice()));
    let started = Instant::now();
    after_silence(&mut wire, &mut far, 3).await;
    let device = async {
        loop {
            let mut request = [0; 8];
            far.read_exact(&mut request).await.unwrap();
            if request[1] == 3 {
                far.write_all(&frame(&[3, 3, 2, 0, 4])).await.unwrap();
                return;
            }
        }
    };
    let mut outcomes = Outcomes::default();
    let ask = [Ask { unit: 3, read: one, timeout: TIMEOUT }];
    let client = async {
        while outcomes.words.is_empty() {
            wire.read_many(&ask, &mut outcomes).await;
            sleep(TIMEOUT).await;
        }
    };
    tokio::join!(client, device);
    assert_eq!(outcomes.words, [4]);
    let waited = started.elapsed().as_millis();
    assert!((10_000..10_800).contains(&waited), "{waited} ms");
}

/// How long a unit without function 8 that was off for so long has no values after its return, when
/// registers are read each 800 ms.
async fn bad_for(count: u16, off: Duration) -> Duration {
    let (mut wire, mut far) = pair(slow());
    let back = Instant::now() + off;
    let unit = async {
        loop {
            let mut request = [0; 8];
            far.read_exact(&mut request).await.unwrap();
            let [unit, function, .., registers, _, _] = request;
            if Instant::now() >= back && function == 3 {
                let words = vec![7; 2 * usize::from(registers)];
                let told = [&[unit, function, 2 * registers], words.as_slice()].concat();
                far.write_all(&frame(&told)).await.unwrap();
            }
        }
    };
    let client = async {
        loop {
            let read = Read { count, ..TWO };
            if wire.read(soon(1), read, &mut Vec::new()).await.is_ok() {
                return Instant::now() - back;
            }
            sleep(Duration::from_millis(800)).await;
        }
    };
    tokio::select! {
        bad = client => bad,
        () = unit => unreachable!("the unit serves for ever"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_alone_on_a_serial_line_without_function_8_has_values_within_35_s_of_its_return() {
    for count in [1, 2, 10, 40, 125] {
        let mut longest = Duration::ZERO;
        for off in (1..700).step_by(13) {
            longest = longest.max(bad_for(count, Duration::from_secs(off)).await);
        }
        println!("{count} registers: bad for at most {} ms", longest.as_millis());
        assert!(longest < Duration::from_secs(35), "{count} registers: {longest:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_may_not_go_out_yet_does_not_hold_up_the_line() {
    let (mut wire, mut far) = pair(slow());
    after_silence(&mut wire, &mut far, 1).await;
    let started = Instant::now();
    let one = Read { count: 1, ..TWO };
    assert_eq!(wire.read(soon(1), one, &mut Vec::new()).await, Err(Fault::Timeout));
    assert!(started.elapsed() < Duration::from_millis(20), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_was_not_answered_is_remembered_over_connections() {
    let (mut wire, far) = pair(Timing::over_tcp());
    assert_eq!(ask(&mut wire, 1).await, Err(Fault::Timeout));
    drop(far);
    let (mut next, mut far) = pair(Timing::over_tcp());
    next.inherit(wire.take_outstanding());
    // The device server gives the old answer to the new connection.
    let peer = async {
        let mut fence = [0; 8];
        far.read_exact(&mut fence).await.unwrap();
        far.write_all(&answer(1, [1, 1])).await.unwrap();
        far.write_all(&frame(&[1, 3, 2, 0, 0])).await.unwrap();
        reply(&mut far, answer(1, [2, 2])).await;
    };
    let (got, ()) = tokio::join!(ask(&mut next, 1), peer);
    assert_eq!(got, Ok(vec![2, 2]));
    assert_eq!(next.counts().strays.late, 1);
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_of_another_unit_does_not_end_a_request() {
    let (mut wire, mut far) = pair(Timing::over_tcp());
    assert_eq!(ask(&mut wire, 1).await, Err(Fault::Timeout));
    let peer = async {
        let mut request = [0; 16];
        far.read_exact(&mut request).await.unwrap();
        far.write_all(&answer(1, [1, 1])).await.unwrap();
        sleep(Duration::from_millis(120)).await;
        far.write_all(&answer(2, [2, 2])).await.unwrap();
    };
    let (got, ()) = tokio::join!(ask(&mut wire, 2), peer);
    assert_eq!(got, Ok(vec![2, 2]));
    assert_eq!(wire.counts().strays.late, 1);
    assert_eq!(wire.take_late_units(), [1]);
}
