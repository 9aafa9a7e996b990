//! Databases: any bytes give one or an error; what one gives makes tables and decodes any frame.
#![no_main]

use adapters_can::dbc::Database;
use adapters_can::plan::{DecodePlan, Matching};
use adapters_can_fuzz::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(database) = Database::from_bytes("fuzz.dbc", input) else { return };
    for message in &database.messages {
        for signal in &message.signals {
            assert!(signal.field.needs() as u64 <= u64::from(message.bytes), "inside the message");
        }
    }
    let matching = [Matching::Auto, Matching::Exact, Matching::Pgn][input.len() % 3];
    let tail = &input[input.len().saturating_sub(200)..];
    decode(DecodePlan::new(&[database], matching, |_, _| true), tail);
});
