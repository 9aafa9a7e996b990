//! Messages in several frames: whatever comes in whatever order, every transfer that began ends once
//! or is open, and memory is bounded.
#![no_main]

use adapters_can::transport::{Ended, FastPacket, IsoTp, J1939, Kind, SESSIONS_MAX};
use adapters_can_fuzz::frames;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (mut isotp, mut j1939, mut fast) =
        (IsoTp::default(), J1939::default(), FastPacket::default());
    let mut ended: Vec<Ended> = Vec::new();
    for frame in frames(input, &[]) {
        let open = [isotp.open(), j1939.open(), fast.open()];
        isotp.push(&frame, &mut ended);
        j1939.push(&frame, &mut ended);
        fast.push(&frame, &mut ended);
        let now = [isotp.open(), j1939.open(), fast.open()];
        for (before, after) in open.into_iter().zip(now) {
            assert!(after <= SESSIONS_MAX && after <= before + 1, "one frame opens one transfer");
        }
        for ended in ended.drain(..) {
            let Ok(payload) = ended.payload else { continue };
            let longest = match ended.kind {
                Kind::Single => 62,
                Kind::Multi => 65_536,
                Kind::Bam | Kind::Rts => 1_785,
                Kind::Fast => 223,
            };
            assert!(payload.len() <= longest, "{:?} of {} bytes", ended.kind, payload.len());
            assert!(!payload.is_empty() || ended.kind == Kind::Fast);
        }
    }
});
