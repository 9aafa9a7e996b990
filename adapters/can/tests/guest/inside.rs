//! Inside: what this program does in the machine. It tells one line of JSON per scenario.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

mod faults;
mod listening;
mod rate;
mod sending;
mod streams;
mod watching;

/// What a line that is meant for the host has in front.
pub(crate) const MARK: &str = "@@told ";

/// Set in the machine and nowhere else.
pub(crate) const INSIDE: &str = "FIELDGATE_INSIDE_GUEST";

type Scenario = fn() -> Value;

/// In this order, each from a virtual bus `vcan0` that is up.
const SCENARIOS: [(&str, Scenario); 14] = [
    ("truck", streams::truck),
    ("fd", streams::fd),
    ("terminal", watching::terminal),
    ("databases", watching::databases),
    ("clock_steps", streams::clock_steps),
    ("overflow", faults::overflow),
    ("coming_and_going", faults::coming_and_going),
    ("error_frames", faults::error_frames),
    ("error_storm", faults::error_storm),
    ("settings", faults::settings),
    ("listen_only", faults::listen_only),
    ("granted_buffer", faults::granted_buffer),
    ("rate_of_candump", rate::candump),
    ("rate_of_ours", rate::ours),
];

/// Runs in the machine only, where it is called by name.
#[test]
#[ignore = "runs in the machine that the other tests boot"]
fn scenarios() {
    // Elsewhere it would set clocks and take down interfaces.
    assert!(std::env::var_os(INSIDE).is_some(), "this is not the machine");
    for (name, scenario) in SCENARIOS {
        let told = catch_unwind(AssertUnwindSafe(scenario));
        let mut told = told.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned()));
            json!({ "panic": text.unwrap_or_default() })
        });
        told["scenario"] = json!(name);
        println!("\n{MARK}{told}");
    }
}
