use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::Instant;

use super::{Fault, Strays, TcpWire, pair};
use crate::area::Area;
use crate::scan::Read;
use crate::wire::{Ask, Outcomes};

/// Reads of one register each, at addresses 0, 1, 2 …
fn asks(count: u16) -> Vec<Ask> {
    let read = |start| Read { area: Area::Holding, start, count: 1 };
    let timeout = Duration::from_millis(200);
    (0..count).map(|start| Ask { unit: 1, read: read(start), timeout }).collect()
}

/// Id and address of the next request that arrives.
async fn request(far: &mut DuplexStream) -> (u16, u16) {
    let mut bytes = [0; 12];
    far.read_exact(&mut bytes).await.unwrap();
    (u16::from_be_bytes([bytes[0], bytes[1]]), u16::from_be_bytes([bytes[8], bytes[9]]))
}

/// An answer with one register to request `id`.
fn answer(id: u16, word: u16) -> Vec<u8> {
    let ([i0, i1], [w0, w1]) = (id.to_be_bytes(), word.to_be_bytes());
    vec![i0, i1, 0, 0, 0, 5, 1, 3, 2, w0, w1]
}

fn words(outcomes: &Outcomes) -> Vec<Result<Vec<u16>, Fault>> {
    let of = |range: std::ops::Range<usize>| outcomes.words[range].to_vec();
    outcomes.reads.iter().map(|outcome| outcome.words.clone().map(of)).collect()
}

#[tokio::test(start_paused = true)]
async fn answers_in_reverse_order_reach_their_requests_and_one_write_carries_them() {
    let (mut wire, mut far) = pair();
    let (asks, mut outcomes) = (asks(16), Outcomes::default());
    let peer = async {
        let mut together = [0; 1024];
        assert_eq!(far.read(&mut together).await.unwrap(), 16 * 12);
        let all: Vec<u8> = (0..16).rev().flat_map(|at| answer(7 + at, 100 + at)).collect();
        far.write_all(&all).await.unwrap();
    };
    tokio::join!(wire.read_many(&asks, 16, &mut outcomes), peer);
    let wanted: Vec<_> = (100..116).map(|word| Ok(vec![word])).collect();
    assert_eq!(words(&outcomes), wanted);
    assert_eq!((wire.counts().requests, wire.counts().answers), (16, 16));
    assert_eq!((wire.counts().bytes_out, wire.counts().bytes_in), (16 * 12, 16 * 11));
}

#[tokio::test(start_paused = true)]
async fn never_more_requests_are_on_their_way_than_the_depth() {
    let (mut wire, mut far) = pair();
    let (asks, mut outcomes) = (asks(9), Outcomes::default());
    let peer = async {
        let mut bytes = [0; 1024];
        for at in 0..9 {
            let wanted = if at == 0 { 3 * 12 } else { 12 };
            if at < 7 {
                assert_eq!(far.read(&mut bytes).await.unwrap(), wanted);
            }
            far.write_all(&answer(7 + at, at)).await.unwrap();
        }
    };
    tokio::join!(wire.read_many(&asks, 3, &mut outcomes), peer);
    assert_eq!(words(&outcomes), (0..9).map(|word| Ok(vec![word])).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_one_read_leaves_the_others_as_they_are() {
    let (mut wire, mut far) = pair();
    let (asks, mut outcomes) = (asks(6), Outcomes::default());
    let started = Instant::now();
    let peer = async {
        far.write_all(&answer(999, 1)).await.unwrap();
        for at in 0..6_u16 {
            let (id, _) = request(&mut far).await;
            let mut frame = answer(id, at);
            match at {
                0 => frame[6] = 9,
                1 => frame[7] = 4,
                2 => frame = vec![frame[0], frame[1], 0, 0, 0, 3, 1, 0x83, 6],
                3 => frame = [answer(id, at), answer(id, 77)].concat(),
                4 => continue,
                _ => frame[8] = 1,
            }
            far.write_all(&frame).await.unwrap();
        }
    };
    tokio::join!(wire.read_many(&asks, 6, &mut outcomes), peer);
    let wanted = [
        Err(Fault::Unit(9)),
        Err(Fault::Function(4)),
        Err(Fault::Exception(6)),
        Ok(vec![3]),
        Err(Fault::Timeout),
        Err(Fault::Quantity),
    ];
    assert_eq!(words(&outcomes), wanted);
    assert!(!wire.is_broken());
    assert_eq!(wire.strays(), Strays { late: 0, duplicate: 1, foreign: 1 });
    let ended = |at: usize| outcomes.reads[at].ended - started;
    assert!(ended(3) < Duration::from_millis(5) && ended(4) >= Duration::from_millis(200));
}

#[tokio::test(start_paused = true)]
async fn every_read_has_its_deadline_from_its_own_sending() {
    let (mut wire, mut far) = pair();
    let (asks, mut outcomes) = (asks(3), Outcomes::default());
    let started = Instant::now();
    let peer = async {
        let (first, _) = request(&mut far).await;
        request(&mut far).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        far.write_all(&answer(first, 5)).await.unwrap();
        let (third, _) = request(&mut far).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        far.write_all(&answer(third, 6)).await.unwrap();
    };
    tokio::join!(wire.read_many(&asks, 2, &mut outcomes), peer);
    assert_eq!(words(&outcomes), [Ok(vec![5]), Err(Fault::Timeout), Ok(vec![6])]);
    assert_eq!(outcomes.reads[1].sent, Some(started));
    assert_eq!(outcomes.reads[2].sent, Some(started + Duration::from_millis(150)));
    assert!(!wire.is_broken());
}

#[tokio::test(start_paused = true)]
async fn a_half_frame_of_a_request_that_still_waits_outlives_the_timeout_of_another() {
    let (mut wire, mut far) = pair();
    let (mut asks, mut outcomes) = (asks(2), Outcomes::default());
    asks[1].timeout = Duration::from_millis(900);
    let peer = async {
        request(&mut far).await;
        let (second, _) = request(&mut far).await;
        let frame = answer(second, 8);
        far.write_all(&frame[..6]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        far.write_all(&frame[6..]).await.unwrap();
    };
    tokio::join!(wire.read_many(&asks, 2, &mut outcomes), peer);
    assert_eq!(words(&outcomes), [Err(Fault::Timeout), Ok(vec![8])]);
    assert!(!wire.is_broken());
}

#[tokio::test(start_paused = true)]
async fn a_half_frame_that_nobody_else_waits_for_breaks_the_wire_and_all_that_is_left() {
    let (mut wire, mut far) = pair();
    let (mut asks, mut outcomes) = (asks(3), Outcomes::default());
    asks[1].timeout = Duration::from_millis(900);
    let peer = async {
        let (first, _) = request(&mut far).await;
        far.write_all(&answer(first, 8)[..6]).await.unwrap();
        request(&mut far).await;
    };
    tokio::join!(wire.read_many(&asks, 2, &mut outcomes), peer);
    assert_eq!(words(&outcomes)[0], Err(Fault::Timeout));
    assert!(words(&outcomes)[1..].iter().all(|words| matches!(words, Err(Fault::Framing(_)))));
    assert_eq!(outcomes.reads[2].sent, None);
    assert!(wire.is_broken());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_gives_its_fault_to_every_read_that_is_left() {
    let (mut wire, mut far) = pair();
    let (asks, mut outcomes) = (asks(5), Outcomes::default());
    let peer = async {
        let (first, _) = request(&mut far).await;
        far.write_all(&answer(first, 1)).await.unwrap();
        drop(far);
    };
    tokio::join!(wire.read_many(&asks, 2, &mut outcomes), peer);
    let words = words(&outcomes);
    assert_eq!(words[0], Ok(vec![1]));
    assert!(words[1..].iter().all(|words| matches!(words, Err(Fault::Closed | Fault::Io(_)))));
    assert!(wire.is_broken() && outcomes.reads.len() == 5);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_breaks_the_wire_when_the_first_deadline_passes() {
    let (near, _far) = duplex(30);
    let mut wire = TcpWire::new(near, 7);
    let (asks, mut outcomes) = (asks(5), Outcomes::default());
    let started = Instant::now();
    wire.read_many(&asks, 4, &mut outcomes).await;
    assert!(started.elapsed() <= Duration::from_millis(201) && wire.is_broken());
    assert!(words(&outcomes).iter().all(Result::is_err));
    assert_eq!(outcomes.reads[4].sent, None);
}

#[tokio::test(start_paused = true)]
async fn reads_that_were_cancelled_are_given_up_and_their_answers_late() {
    let (mut wire, mut far) = pair();
    let (asks, mut outcomes) = (asks(4), Outcomes::default());
    tokio::select! {
        () = wire.read_many(&asks, 4, &mut outcomes) => unreachable!("nobody answers"),
        _ = request(&mut far) => {}
    }
    for id in 7..11 {
        far.write_all(&answer(id, 66)).await.unwrap();
    }
    let mut outcomes = Outcomes::default();
    let peer = async {
        for _ in 0..3 {
            request(&mut far).await;
        }
        let (id, _) = request(&mut far).await;
        far.write_all(&answer(id, 5)).await.unwrap();
    };
    tokio::join!(wire.read_many(&asks[..1], 4, &mut outcomes), peer);
    assert_eq!(words(&outcomes), [Ok(vec![5])]);
    assert_eq!(wire.strays(), Strays { late: 4, duplicate: 0, foreign: 0 });
}

#[tokio::test(start_paused = true)]
async fn ids_around_the_wrap_are_right_and_an_id_that_was_given_up_is_not_used_again() {
    let (near, mut far) = duplex(4096);
    let mut wire = TcpWire::new(near, u16::MAX);
    let mut outcomes = Outcomes::default();
    wire.read_many(&asks(2), 2, &mut outcomes).await;
    assert_eq!(words(&outcomes), [Err(Fault::Timeout), Err(Fault::Timeout)]);
    let late = async {
        for _ in 0..2 {
            request(&mut far).await;
        }
        for round in 0..u32::from(u16::MAX) {
            let (id, _) = request(&mut far).await;
            assert!(id != u16::MAX && id != 0, "{id} in round {round}");
            far.write_all(&answer(id, id)).await.unwrap();
        }
    };
    let asks = asks(u16::MAX);
    let mut outcomes = Outcomes::default();
    tokio::join!(wire.read_many(&asks, 16, &mut outcomes), late);
    assert!(outcomes.reads.iter().all(|outcome| outcome.words.is_ok()));
}

/// What a peer does with the requests it has got.
#[derive(Clone, Debug)]
enum Move {
    /// Answers the nth of those that wait.
    Answer(prop::sample::Index),
    /// Answers again what it has answered before, with other words.
    Again(prop::sample::Index),
    /// Sends an answer to an id that was not used.
    Foreign(u16),
    /// Says nothing for some milliseconds.
    Pause(u16),
    /// Never answers the nth of those that wait.
    Forget(prop::sample::Index),
}

fn moves() -> impl Strategy<Value = Vec<(Move, usize)>> {
    let one = prop_oneof![
        6 => any::<prop::sample::Index>().prop_map(Move::Answer),
        1 => any::<prop::sample::Index>().prop_map(Move::Again),
        1 => (20_000_u16..60_000).prop_map(Move::Foreign),
        1 => (1_u16..150).prop_map(Move::Pause),
        1 => any::<prop::sample::Index>().prop_map(Move::Forget),
    ];
    prop::collection::vec((one, 1_usize..12), 1..200)
}

/// Plays `moves`, cutting what it sends into pieces.
async fn play(mut far: DuplexStream, moves: Vec<(Move, usize)>) {
    let (mut waiting, mut answered) = (Vec::new(), Vec::new());
    for (step, piece) in moves {
        while waiting.len() < 16 {
            let Ok(next) = tokio::time::timeout(Duration::from_millis(1), request(&mut far)).await
            else {
                break;
            };
            waiting.push(next);
        }
        let frame = match step {
            Move::Answer(nth) if !waiting.is_empty() => {
                let (id, address) = waiting.remove(nth.index(waiting.len()));
                answered.push(id);
                answer(id, address)
            }
            Move::Again(nth) if !answered.is_empty() => {
                answer(answered[nth.index(answered.len())], 0xFFFF)
            }
            Move::Foreign(id) => answer(id, 0xFFFF),
            Move::Pause(millis) => {
                tokio::time::sleep(Duration::from_millis(u64::from(millis))).await;
                continue;
            }
            Move::Forget(nth) if !waiting.is_empty() => {
                waiting.remove(nth.index(waiting.len()));
                continue;
            }
            Move::Answer(_) | Move::Again(_) | Move::Forget(_) => continue,
        };
        for part in frame.chunks(piece) {
            if far.write_all(part).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
    std::future::pending::<()>().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any order, any repetition, any silence: a read has the words of its own address or none.
    #[test]
    fn no_read_ever_has_the_words_of_another(moves in moves(), depth in 1_usize..=16) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (near, far) = duplex(4096);
            let mut wire = TcpWire::new(near, 7);
            let (asks, mut outcomes) = (asks(100), Outcomes::default());
            tokio::select! {
                () = wire.read_many(&asks, depth, &mut outcomes) => {}
                () = play(far, moves) => {}
            }
            prop_assert_eq!(outcomes.reads.len(), 100);
            for (address, words) in words(&outcomes).into_iter().enumerate() {
                if let Ok(words) = words {
                    prop_assert_eq!(words, vec![u16::try_from(address).unwrap()]);
                }
            }
            Ok(())
        })?;
    }
}
