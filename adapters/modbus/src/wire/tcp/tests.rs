use std::time::Duration;

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_modbus::bytes::Bytes;
use tokio_modbus::client::{Client, Context, Reader as _, Writer as _};
use tokio_modbus::{ExceptionCode, Request, Response};

use super::TcpWire;
use crate::area::Area;
use crate::cases;
use crate::scan::Read;
use crate::wire::{Fault, Strays, Turn};

const TWO: Read = Read { area: Area::Holding, start: 0, count: 2 };

fn bytes(hex: &Json) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn soon(unit: u8) -> Turn {
    Turn { unit, deadline: Instant::now() + Duration::from_millis(200) }
}

/// An answer with two registers to request `id` of unit 1.
fn answer(id: u16, words: [u16; 2]) -> Vec<u8> {
    let mut frame = id.to_be_bytes().to_vec();
    frame.extend([0, 0, 0, 7, 1, 3, 4]);
    frame.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    frame
}

/// An engine whose first id is 7, and the other end.
fn pair() -> (TcpWire<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(4096);
    (TcpWire::new(near, 7), far)
}

async fn ask(wire: &mut TcpWire<DuplexStream>) -> Result<Vec<u16>, Fault> {
    let mut words = Vec::new();
    wire.read(soon(1), TWO, &mut words).await.map(|()| words)
}

#[tokio::test(start_paused = true)]
async fn every_tcp_frame_case_ends_in_its_verdict() {
    let mut count = 0;
    for (file, document) in cases::documents("modbus-frame-cases/1") {
        for case in document["cases"].as_array().unwrap() {
            if case["transport"] == "tcp" {
                check_frame_case(case, &file.display().to_string()).await;
                count += 1;
            }
        }
    }
    println!("{count} frame cases over TCP");
}

async fn check_frame_case(case: &Json, file: &str) {
    let (sent, response) = (bytes(&case["request"]), bytes(&case["response"]));
    let (near, mut far) = duplex(4096);
    let mut wire = TcpWire::new(near, u16::from_be_bytes([sent[0], sent[1]]));
    let request = Request::try_from(Bytes::copy_from_slice(&sent[7..])).unwrap();
    let peer = async {
        let mut got = vec![0; sent.len()];
        far.read_exact(&mut got).await.unwrap();
        assert_eq!(got, sent, "{file}: {}", case["name"]);
        far.write_all(&response).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(wire.ask(soon(sent[6]), &request), peer);
    let reason = case["reason"].as_str().unwrap_or_default();
    let fits = match (case["verdict"].as_str().unwrap(), &outcome) {
        ("ok", Ok(response)) => carries(case, response),
        ("ok_then_discard", Ok(_)) => {
            let next = wire.ask(soon(sent[6]), &request).await;
            next == Err(Fault::Timeout) && wire.strays().duplicate == 1
        }
        ("exception", Err(fault @ Fault::Exception(_))) => fault.reason().to_string() == reason,
        ("error", Err(fault)) => means(*fault, reason) && !wire.is_broken(),
        ("error_reconnect", Err(fault)) => means(*fault, reason) && wire.is_broken(),
        ("timeout_reconnect", Err(Fault::Timeout)) => wire.is_broken(),
        ("discard_and_wait", Err(Fault::Timeout)) => {
            !wire.is_broken() && wire.strays().foreign == 1
        }
        _ => false,
    };
    assert!(fits, "{file}: {} gave {outcome:?}", case["name"]);
}

fn carries(case: &Json, response: &Response) -> bool {
    let wanted = |key: &str| -> Option<Vec<u16>> {
        Some(case[key].as_array()?.iter().map(cases::whole).collect())
    };
    if let Response::ReadHoldingRegisters(words) = response {
        return Some(words) == wanted("words").as_ref();
    }
    if let Response::ReadCoils(bits) = response {
        return Some(bits.iter().map(|bit| u16::from(*bit)).collect()) == wanted("bits");
    }
    true
}

fn means(fault: Fault, reason: &str) -> bool {
    let ours = match reason {
        "byte_count" | "echo_mismatch" => "quantity_mismatch",
        "protocol_id" | "mbap_length" | "truncated_pdu" => "framing",
        other => other,
    };
    fault.reason().to_string() == ours
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_dropped_and_the_next_request_gets_its_own() {
    let (mut wire, mut far) = pair();
    assert_eq!(ask(&mut wire).await, Err(Fault::Timeout));
    assert!(!wire.is_broken());
    far.write_all(&answer(7, [1, 1])).await.unwrap();
    far.write_all(&answer(8, [2, 2])).await.unwrap();
    assert_eq!(ask(&mut wire).await, Err(Fault::Timeout), "8 was answered before it was asked");
    far.write_all(&answer(8, [3, 3])).await.unwrap();
    let mut words = Vec::new();
    let (asked, ()) = tokio::join!(wire.read(soon(1), TWO, &mut words), async {
        let mut request = [0; 36];
        far.read_exact(&mut request).await.unwrap();
        assert_eq!(request[24..26], [0, 9]);
        far.write_all(&answer(9, [4, 4])).await.unwrap();
    });
    assert_eq!((asked, words), (Ok(()), vec![4, 4]));
    assert_eq!(wire.strays(), Strays { late: 2, duplicate: 0, foreign: 1 });
    assert_eq!(wire.take_late_units(), [1]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_single_bytes_and_ids_around_the_wrap_are_right() {
    let (near, mut far) = duplex(4096);
    let mut wire = TcpWire::new(near, u16::MAX);
    for id in [u16::MAX, 0, 1] {
        let peer = async {
            let mut request = [0; 12];
            far.read_exact(&mut request).await.unwrap();
            assert_eq!(request[..2], id.to_be_bytes());
            for byte in answer(id, [id, 5]) {
                far.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let (got, ()) = tokio::join!(ask(&mut wire), peer);
        assert_eq!(got, Ok(vec![id, 5]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_cannot_hold_a_request_beyond_its_deadline() {
    let (near, _far) = duplex(6);
    let mut wire = TcpWire::new(near, 7);
    let started = Instant::now();
    assert_eq!(ask(&mut wire).await, Err(Fault::Timeout));
    assert!(started.elapsed() <= Duration::from_millis(201));
    assert!(wire.is_broken(), "half a request is out");
}

#[tokio::test(start_paused = true)]
async fn a_close_is_told_as_such_and_noticed_while_idle() {
    let (mut wire, far) = pair();
    drop(far);
    assert_eq!(wire.idle().await, Fault::Closed);
    assert_eq!(ask(&mut wire).await, Err(Fault::Closed));
    let (mut wire, far) = pair();
    drop(far);
    assert_eq!(ask(&mut wire).await, Err(Fault::Closed));
    assert!(wire.is_broken());
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_frames_nobody_asked_for_ends_the_connection_with_bounded_memory() {
    let (mut wire, mut far) = pair();
    let flood = async {
        while far.write_all(&answer(999, [0, 0])).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        fault = wire.idle() => assert!(matches!(fault, Fault::Framing(_)), "{fault:?}"),
        () = flood => unreachable!("the engine keeps its end open"),
    }
    assert!(wire.inbox.capacity() <= 4096 && wire.is_broken());
}

#[tokio::test]
async fn a_reset_is_an_io_fault_and_breaks_the_wire() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (mut far, _) = far.unwrap();
    let mut wire = TcpWire::new(near.unwrap(), 7);
    let mut words = Vec::new();
    let turn = Turn { unit: 1, deadline: Instant::now() + Duration::from_secs(5) };
    let (asked, ()) = tokio::join!(wire.read(turn, TWO, &mut words), async {
        // Closing with an unread byte in the socket makes the kernel send a reset.
        let mut request = [0; 11];
        far.read_exact(&mut request).await.unwrap();
        drop(far);
    });
    assert!(matches!(asked, Err(Fault::Io(_) | Fault::Closed)), "{asked:?}");
    assert!(wire.is_broken());
}

#[tokio::test(start_paused = true)]
async fn readers_and_writers_of_the_crate_work_on_this_engine() {
    let (wire, mut far) = pair();
    let mut context = Context::from(Box::new(wire) as Box<dyn Client>);
    let peer = async {
        let mut request = [0; 12];
        far.read_exact(&mut request).await.unwrap();
        far.write_all(&answer(7, [11, 12])).await.unwrap();
        far.read_exact(&mut request).await.unwrap();
        far.write_all(&request).await.unwrap();
        far.read_exact(&mut request).await.unwrap();
        far.write_all(&[0, 9, 0, 0, 0, 3, 1, 0x83, 2]).await.unwrap();
        far.read_exact(&mut request).await.unwrap();
        far.write_all(&[0, 10, 0, 0, 0, 5, 1, 3, 2, 0, 1]).await.unwrap();
    };
    let client = async {
        assert_eq!(context.read_holding_registers(0, 2).await.unwrap(), Ok(vec![11, 12]));
        assert_eq!(context.write_single_register(3, 4).await.unwrap(), Ok(()));
        let refused = context.read_holding_registers(9, 1).await.unwrap();
        assert_eq!(refused, Err(ExceptionCode::IllegalDataAddress));
        assert!(context.read_holding_registers(0, 2).await.is_err(), "one register short");
    };
    tokio::join!(client, peer);
    context.disconnect().await.unwrap();
}

mod pipeline;

mod properties {
    use proptest::prelude::*;
    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::{TWO, TcpWire, soon};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// The peer answers with anything; whatever is accepted was framed as our answer.
        #[test]
        fn random_bytes_never_panic_and_never_pass_as_two_registers(
            noise in prop::collection::vec(any::<u8>(), 0..600),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            runtime.block_on(async {
                let (near, mut far) = duplex(4096);
                let mut wire = TcpWire::new(near, 7);
                far.write_all(&noise).await.unwrap();
                let mut words = Vec::new();
                let outcome = wire.read(soon(1), TWO, &mut words).await;
                assert!(outcome.is_err() && words.is_empty());
            });
        }
    }
}
