//! TCP frames: whatever the peer sends, nothing panics and what is accepted was sent to us whole.
#![no_main]

use std::time::Duration;

use adapters_modbus::wire::{Fault, TcpWire, Turn};
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
    let mut wire = TcpWire::new(Peer::new(sent, cut), 7);
    // The second request finds what the first has left.
    for id in [7, 8] {
        let request = request(pick);
        let turn = Turn { unit: 0x11, deadline: Instant::now() + Duration::from_millis(500) };
        match wire.ask(turn, &request).await {
            Ok(response) => assert!(
                justified(&request, &response, frames(sent, id)),
                "{request:?} was answered by {response:?}"
            ),
            Err(Fault::Exception(code)) => {
                let refused = |pdu: &[u8]| pdu.len() == 2 && pdu.get(1) == Some(&code);
                assert!(frames(sent, id).any(refused), "{request:?}: exception {code}");
            }
            Err(_) => {}
        }
    }
}

/// Every PDU of unit 0x11 with that id, wherever its header lies.
fn frames(sent: &[u8], id: u16) -> impl Iterator<Item = &[u8]> {
    (0..sent.len()).filter_map(move |begin| {
        let header = sent.get(begin..begin + 7)?;
        let [i0, i1, 0, 0, l0, l1, 0x11] = header else { return None };
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let pdu = sent.get(begin + 7..(begin + 6).checked_add(length)?)?;
        (u16::from_be_bytes([*i0, *i1]) == id).then_some(pdu)
    })
}
