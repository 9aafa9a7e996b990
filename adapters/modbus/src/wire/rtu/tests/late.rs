use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, sleep};

use super::{TIMEOUT, TWO, answer, ask, frame, pair, reply, slow};
use crate::wire::{Ask, Fault, Outcomes, Timing};

/// Answers the next request, which must be a fence.
async fn pass(far: &mut DuplexStream, unit: u8) -> Instant {
    let mut fence = [0; 8];
    far.read_exact(&mut fence).await.unwrap();
    assert_eq!(fence[..2], [unit, 8]);
    let came = Instant::now();
    far.write_all(&fence).await.unwrap();
    came
}

#[tokio::test(start_paused = true)]
async fn an_answer_however_late_never_passes_for_that_of_the_next_request() {
    for late in [10, 45, 150, 190, 250, 390, 700, 1900] {
        let (mut wire, mut far) = pair(slow());
        let peer = async {
            reply(&mut far, []).await;
            // The device is at work on the first request and takes what follows afterwards.
            sleep(TIMEOUT + Duration::from_millis(late)).await;
            far.write_all(&answer(1, [1, 1])).await.unwrap();
            let mut request = [0; 8];
            while far.read_exact(&mut request).await.is_ok() {
                let is_fence = request[1] == 8;
                let reply = if is_fence { request.to_vec() } else { answer(1, [2, 2]) };
                far.write_all(&reply).await.unwrap();
            }
        };
        let client = async {
            let mut got = Vec::new();
            for _ in 0..20 {
                got.push(ask(&mut wire, 1).await);
                sleep(Duration::from_millis(30)).await;
            }
            got
        };
        let got = tokio::select! {
            got = client => got,
            () = peer => unreachable!("the engine keeps its end open"),
        };
        let known = [Err(Fault::Timeout), Ok(vec![2, 2])];
        assert!(got.iter().all(|got| known.contains(got)), "{late} ms late: {got:?}");
        assert!(got.last().is_some_and(Result::is_ok), "{late} ms late: {got:?}");
        assert_eq!(
            wire.counts().strays.late,
            if late > 190 { wire.counts().strays.late } else { 1 }
        );
    }
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
async fn a_unit_that_refuses_the_fence_has_passed_it_and_one_that_ignores_it_is_given_time() {
    let (mut wire, mut far) = pair(slow());
    assert_eq!(ask(&mut wire, 1).await, Err(Fault::Timeout));
    reply(&mut far, []).await;
    let peer = async {
        reply(&mut far, frame(&[1, 0x88, 1])).await;
        reply(&mut far, answer(1, [2, 2])).await;
    };
    let (got, ()) = tokio::join!(ask(&mut wire, 1), peer);
    assert_eq!(got, Ok(vec![2, 2]));
    let started = Instant::now();
    assert_eq!(ask(&mut wire, 3).await, Err(Fault::Timeout));
    reply(&mut far, []).await;
    let device = async {
        loop {
            let mut request = [0; 8];
            far.read_exact(&mut request).await.unwrap();
            if request[1] == 3 {
                far.write_all(&answer(3, [4, 4])).await.unwrap();
                return;
            }
        }
    };
    let two = [Ask { unit: 3, read: TWO, timeout: TIMEOUT }; 20];
    let mut outcomes = Outcomes::default();
    let client = async {
        while outcomes.words.is_empty() {
            wire.read_many(&two[..1], &mut outcomes).await;
        }
    };
    tokio::join!(client, device);
    assert_eq!(outcomes.words, [4, 4]);
    let waited = started.elapsed();
    assert!((950..1500).contains(&waited.as_millis()), "{waited:?}");
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
