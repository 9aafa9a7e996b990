//! RTU frames: whatever the line brings, nothing panics and what is accepted was sent to us whole.
#![no_main]

use std::time::Duration;

use adapters_modbus::wire::{Fault, RtuWire, Timing, Turn};
use adapters_modbus_fuzz::{Peer, justified, request, runtime};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;
use tokio::time::Instant;

thread_local!(static RUNTIME: Runtime = runtime());

fuzz_target!(|input: &[u8]| {
    let [pick, cut, sent @ ..] = input else { return };
    RUNTIME.with(|runtime| runtime.block_on(exchange(*pick, *cut, sent)));
});

async fn exchange(pick: u8, cut: u8, sent: &[u8]) {
    let timing = Timing { local_echo: pick & 0x80 != 0, ..Timing::over_tcp() };
    let mut wire = RtuWire::new(Peer::new(sent, cut), timing);
    // The second request finds what the first has left.
    for unit in [0x11, 0x12] {
        let request = request(pick & 0x7F);
        let turn = Turn { unit, deadline: Instant::now() + Duration::from_millis(500) };
        match wire.ask(turn, &request).await {
            Ok(response) => assert!(
                justified(&request, &response, frames(sent, unit)),
                "{request:?} was answered by {response:?}"
            ),
            Err(Fault::Exception(code)) => {
                let refused = |pdu: &[u8]| pdu.len() == 2 && pdu.get(1) == Some(&code);
                assert!(frames(sent, unit).any(refused), "{request:?}: exception {code}");
            }
            Err(_) => {}
        }
    }
}

/// Every PDU of that unit with a right checksum, wherever it lies.
fn frames(sent: &[u8], unit: u8) -> impl Iterator<Item = &[u8]> {
    (0..sent.len()).flat_map(move |begin| {
        let lengths = 4..=(sent.len() - begin).min(256);
        lengths.filter_map(move |length| {
            let (body, stated) = sent.get(begin..begin + length)?.split_last_chunk::<2>()?;
            let (first, pdu) = body.split_first()?;
            (*first == unit && crc(body) == u16::from_le_bytes(*stated)).then_some(pdu)
        })
    })
}

/// Bit by bit, as the serial line guide's appendix B has it.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xA001 } else { crc >> 1 }
        })
    })
}
