use std::time::Duration;

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::{Instant, sleep};
use tokio_modbus::bytes::Bytes;
use tokio_modbus::client::{Client, Context, Reader as _, Writer as _};
use tokio_modbus::{ExceptionCode, Request, Response};

use super::{RtuWire, Timing};
use crate::area::Area;
use crate::cases;
use crate::config::Serial;
use crate::scan::Read;
use crate::wire::crc::crc;
use crate::wire::{Fault, Strays, Turn};

mod device;
mod in_order;
mod late;
mod properties;

const TWO: Read = Read { area: Area::Holding, start: 0, count: 2 };
const TIMEOUT: Duration = Duration::from_millis(200);

fn bytes(hex: &Json) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn soon(unit: u8) -> Turn {
    Turn { unit, deadline: Instant::now() + TIMEOUT }
}

/// With its checksum.
fn frame(bytes: &[u8]) -> Vec<u8> {
    [bytes, &crc(bytes).to_le_bytes()].concat()
}

/// The answer of a unit with two registers.
fn answer(unit: u8, words: [u16; 2]) -> Vec<u8> {
    let words: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    frame(&[&[unit, 3, 4], words.as_slice()].concat())
}

fn pair(timing: Timing) -> (RtuWire<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(4096);
    (RtuWire::new(near, timing), far)
}

/// A line of 9,600 baud.
fn slow() -> Timing {
    Timing::of(&Serial { baud: 9600, ..Serial::default() })
}

async fn ask(wire: &mut RtuWire<DuplexStream>, unit: u8) -> Result<Vec<u16>, Fault> {
    let mut words = Vec::new();
    wire.read(soon(unit), TWO, &mut words).await.map(|()| words)
}

/// Answers the next request with these bytes, and says when it came.
async fn reply(far: &mut DuplexStream, bytes: impl AsRef<[u8]>) -> Instant {
    let mut request = [0; 8];
    far.read_exact(&mut request).await.unwrap();
    let came = Instant::now();
    far.write_all(bytes.as_ref()).await.unwrap();
    came
}

#[tokio::test(start_paused = true)]
async fn every_rtu_frame_case_ends_in_its_verdict() {
    let mut count = 0;
    for (file, document) in cases::documents("modbus-frame-cases/1") {
        for case in document["cases"].as_array().unwrap() {
            if case["transport"] == "rtu" {
                for timing in [Timing::over_tcp(), slow()] {
                    check_frame_case(case, &file.display().to_string(), timing).await;
                }
                count += 1;
            }
        }
    }
    println!("{count} frame cases over RTU");
}

async fn check_frame_case(case: &Json, file: &str, timing: Timing) {
    let (sent, response) = (bytes(&case["request"]), bytes(&case["response"]));
    let (near, mut far) = duplex(4096);
    let mut wire = RtuWire::new(near, timing);
    let pdu = Bytes::copy_from_slice(&sent[1..sent.len() - 2]);
    let request = Request::try_from(pdu).unwrap();
    let peer = async {
        let mut got = vec![0; sent.len()];
        far.read_exact(&mut got).await.unwrap();
        assert_eq!(got, sent, "{file}: {}", case["name"]);
        far.write_all(&response).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(wire.ask(soon(sent[0]), &request), peer);
    let reason = case["reason"].as_str().unwrap_or_default();
    let fits = match (case["verdict"].as_str().unwrap(), &outcome) {
        ("ok" | "ok_then_discard", Ok(response)) => carries(case, response),
        ("exception", Err(fault @ Fault::Exception(_))) => fault.reason().to_string() == reason,
        ("error", Err(fault)) => means(*fault, reason),
        ("timeout" | "discard_and_wait", Err(Fault::Timeout)) => true,
        _ => false,
    };
    assert!(fits && !wire.is_broken(), "{file}: {} gave {outcome:?}", case["name"]);
    // Whatever it was, the next request gets its own answer.
    sleep(TIMEOUT).await;
    let (next, _) = tokio::join!(ask(&mut wire, 9), reply(&mut far, answer(9, [7, 8])));
    assert_eq!(next, Ok(vec![7, 8]), "{file}: after {}", case["name"]);
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
        other => other,
    };
    fault.reason().to_string() == ours
}

#[tokio::test(start_paused = true)]
async fn a_frame_of_another_unit_does_not_end_a_request() {
    let (mut wire, mut far) = pair(Timing::over_tcp());
    let both = [answer(9, [9, 9]), answer(1, [1, 1])].concat();
    let (got, _) = tokio::join!(ask(&mut wire, 1), reply(&mut far, both));
    assert_eq!(got, Ok(vec![1, 1]));
    let (got, _) = tokio::join!(ask(&mut wire, 1), reply(&mut far, answer(9, [9, 9])));
    assert_eq!(got, Err(Fault::Unit(9)));
    assert_eq!(wire.counts().strays.foreign, 2);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_answer_is_told_at_once_and_counted_once() {
    let (mut wire, mut far) = pair(slow());
    let mut damaged = answer(1, [1, 1]);
    damaged[4] ^= 1;
    let started = Instant::now();
    let (got, _) = tokio::join!(ask(&mut wire, 1), reply(&mut far, damaged));
    assert_eq!((got, wire.counts().crc), (Err(Fault::Crc), 1));
    assert!(started.elapsed() < TIMEOUT / 2);
    let peer = async {
        late::pass(&mut far, 1).await;
        reply(&mut far, answer(1, [2, 2])).await;
    };
    let (next, ()) = tokio::join!(ask(&mut wire, 1), peer);
    assert_eq!(next, Ok(vec![2, 2]));
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_dropped_before_the_next_request() {
    let (mut wire, mut far) = pair(slow());
    let twice = [answer(1, [1, 1]), answer(1, [1, 1])].concat();
    let (got, _) = tokio::join!(ask(&mut wire, 1), reply(&mut far, twice));
    assert_eq!(got, Ok(vec![1, 1]));
    let peer = async {
        late::pass(&mut far, 1).await;
        reply(&mut far, answer(1, [2, 2])).await;
    };
    let (got, ()) = tokio::join!(ask(&mut wire, 1), peer);
    assert_eq!(got, Ok(vec![2, 2]));
    assert_eq!(wire.counts().strays, Strays { late: 0, duplicate: 1, foreign: 0 });
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_single_bytes_is_right() {
    let (mut wire, mut far) = pair(slow());
    let peer = async {
        let mut request = [0; 8];
        far.read_exact(&mut request).await.unwrap();
        for byte in answer(1, [5, 6]) {
            far.write_all(&[byte]).await.unwrap();
            sleep(Duration::from_millis(3)).await;
        }
    };
    let (got, ()) = tokio::join!(ask(&mut wire, 1), peer);
    assert_eq!(got, Ok(vec![5, 6]));
}

#[tokio::test(start_paused = true)]
async fn our_own_bytes_are_taken_out_whether_declared_or_not() {
    for local_echo in [true, false] {
        let (mut wire, mut far) = pair(Timing { local_echo, ..slow() });
        let echo = frame(&[1, 3, 0, 0, 0, 2]);
        let joined = [echo, answer(1, [5, 6])].concat();
        let (got, _) = tokio::join!(ask(&mut wire, 1), reply(&mut far, joined));
        assert_eq!((got, wire.echo_seen()), (Ok(vec![5, 6]), !local_echo));
        // From then on the echo of a write is not its answer.
        let write = Request::WriteSingleRegister(3, 4);
        let once = frame(&[1, 6, 0, 3, 0, 4]);
        let (got, _) = tokio::join!(wire.ask(soon(1), &write), reply(&mut far, &once));
        assert_eq!(got, Err(Fault::Timeout));
        let peer = async {
            let mut fence = [0; 8];
            far.read_exact(&mut fence).await.unwrap();
            assert_eq!(fence.as_slice(), frame(&[1, 3, 0, 0, 0, 2]), "a read it has answered");
            far.write_all(&[fence.to_vec(), answer(1, [5, 6])].concat()).await.unwrap();
            reply(&mut far, once.repeat(2)).await;
        };
        let (got, ()) = tokio::join!(wire.ask(soon(1), &write), peer);
        assert_eq!(got, Ok(Response::WriteSingleRegister(3, 4)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_write_is_sent_and_the_turnaround_waited_for() {
    let (mut wire, mut far) = pair(slow());
    let started = Instant::now();
    let write = Request::WriteSingleRegister(3, 4);
    assert_eq!(wire.ask(soon(0), &write).await, Ok(Response::WriteSingleRegister(3, 4)));
    assert!(started.elapsed() >= Duration::from_millis(100));
    let mut request = [0; 8];
    far.read_exact(&mut request).await.unwrap();
    assert_eq!(request.as_slice(), frame(&[0, 6, 0, 3, 0, 4]));
    let read = Request::ReadCoils(0, 1);
    assert_eq!(wire.ask(soon(0), &read).await, Err(Fault::Request), "nobody would answer");
}

#[tokio::test(start_paused = true)]
async fn frames_keep_t3_5_apart() {
    let (mut wire, mut far) = pair(slow());
    let peer = async {
        reply(&mut far, answer(1, [1, 1])).await;
        let ended = Instant::now();
        reply(&mut far, answer(1, [2, 2])).await - ended
    };
    let client = async { (ask(&mut wire, 1).await, ask(&mut wire, 1).await) };
    let (got, apart) = tokio::join!(client, peer);
    assert_eq!(got, (Ok(vec![1, 1]), Ok(vec![2, 2])));
    assert!(apart >= Duration::from_millis(3), "{apart:?}");
}

#[tokio::test(start_paused = true)]
async fn endless_noise_ends_requests_at_their_deadline_and_the_line_in_the_end() {
    let (mut wire, mut far) = pair(Timing::over_tcp());
    let noise = async {
        while far.write_all(&[1, 3, 4, 0, 0, 1, 3]).await.is_ok() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    let started = Instant::now();
    tokio::select! {
        got = ask(&mut wire, 1) => assert!(got.is_err(), "{got:?}"),
        () = noise => unreachable!("the engine keeps its end open"),
    }
    assert!(started.elapsed() <= TIMEOUT + Duration::from_millis(2));
    let flood = async {
        while far.write_all(&[0x55; 512]).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        fault = wire.idle() => assert!(matches!(fault, Fault::Framing(_)), "{fault:?}"),
        () = flood => unreachable!("the engine keeps its end open"),
    }
    assert!(wire.is_broken());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_cannot_hold_a_request_beyond_its_deadline() {
    let (near, _far) = duplex(6);
    let mut wire = RtuWire::new(near, slow());
    let started = Instant::now();
    assert_eq!(ask(&mut wire, 1).await, Err(Fault::Timeout));
    assert!(started.elapsed() <= TIMEOUT + Duration::from_millis(2));
    assert!(wire.is_broken(), "half a request is out");
}

#[tokio::test(start_paused = true)]
async fn a_pulled_plug_is_told_as_such_and_noticed_while_idle() {
    let (mut wire, far) = pair(slow());
    drop(far);
    assert_eq!(wire.idle().await, Fault::Closed);
    assert_eq!(ask(&mut wire, 1).await, Err(Fault::Closed));
    assert!(wire.is_broken());
}

#[tokio::test(start_paused = true)]
async fn readers_and_writers_of_the_crate_work_on_this_engine() {
    let (wire, mut far) = pair(slow());
    let mut context = Context::from(Box::new(wire) as Box<dyn Client>);
    let peer = async {
        reply(&mut far, answer(1, [11, 12])).await;
        reply(&mut far, frame(&[1, 6, 0, 3, 0, 4])).await;
        reply(&mut far, frame(&[1, 0x83, 2])).await;
        let mut request = [0; 13];
        far.read_exact(&mut request).await.unwrap();
        far.write_all(&frame(&[1, 16, 0, 3, 0, 2])).await.unwrap();
    };
    let client = async {
        assert_eq!(context.read_holding_registers(0, 2).await.unwrap(), Ok(vec![11, 12]));
        assert_eq!(context.write_single_register(3, 4).await.unwrap(), Ok(()));
        let refused = context.read_holding_registers(9, 1).await.unwrap();
        assert_eq!(refused, Err(ExceptionCode::IllegalDataAddress));
        assert_eq!(context.write_multiple_registers(3, &[1, 2]).await.unwrap(), Ok(()));
    };
    tokio::join!(client, peer);
}
