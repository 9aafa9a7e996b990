//! Frames through real databases: any payload gives rows whose times increase and whose flaws are null.
#![no_main]

use std::sync::LazyLock;

use adapters_can::dbc::Database;
use adapters_can::plan::{DecodePlan, Matching};
use adapters_can_fuzz::decode;
use libfuzzer_sys::fuzz_target;

macro_rules! databases {
    ($($name:literal),* $(,)?) => {
        [$(($name, &include_bytes!(concat!("../../../../tests/cases/can/dbc/", $name))[..])),*]
    };
}

static DATABASES: LazyLock<Vec<Database>> = LazyLock::new(|| {
    databases![
        "j1939_common.dbc",
        "obd2_mode01.dbc",
        "css-tp_uds.dbc",
        "css-tp_j1939.dbc",
        "cantools-multiplex_2.dbc",
        "cantools-signed.dbc",
        "cantools-floating_point.dbc",
        "cantools-issue_184_extended_mux_cascaded.dbc",
        "opendbc-comma_body.dbc",
    ]
    .iter()
    .map(|(name, bytes)| Database::from_bytes(name, bytes).expect("it loads"))
    .collect()
});

fuzz_target!(|input: &[u8]| {
    let [pick, frames @ ..] = input else { return };
    let matching = [Matching::Auto, Matching::Exact, Matching::Pgn][usize::from(pick % 3)];
    let database = DATABASES[usize::from(pick / 3) % DATABASES.len()].clone();
    decode(DecodePlan::new(&[database], matching, |_, _| true), frames);
});
