//! Polls with `tokio-modbus` as it ships, for the bench: what one writes with its client alone.
//!
//! `bench_shipped PORT UNITS REGISTERS PERIOD_US`: one connection, one request at a time with a
//! time limit, slots of absolute time spread over the period; registers stay vectors. Period 0
//! asks again at once. Runs until killed.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tokio_modbus::prelude::{Reader as _, Slave, SlaveContext as _, tcp};

/// Registers in one answer.
const LONGEST: u16 = 125;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words = std::env::args().skip(1).map(|word| word.parse::<u32>());
    let words = words.collect::<Result<Vec<u32>, _>>()?;
    let [port, units, registers, period_us] = words.as_slice() else {
        return Err("usage: bench_shipped PORT UNITS REGISTERS PERIOD_US".into());
    };
    let (units, registers) = (u8::try_from(*units)?, u16::try_from(*registers)?);
    let step = Duration::from_micros(u64::from(*period_us)) / u32::from(units);
    let mut client = tcp::connect(format!("127.0.0.1:{port}").parse()?).await?;
    let mut kept = HashMap::new();
    let mut due = Instant::now();
    loop {
        for unit in 1..=units {
            if !step.is_zero() {
                sleep_until(due).await;
                due += step;
            }
            client.set_slave(Slave(unit));
            for start in (0..registers).step_by(usize::from(LONGEST)) {
                let count = LONGEST.min(registers - start);
                let read = client.read_holding_registers(start, count);
                let words = timeout(Duration::from_millis(500), read).await???;
                kept.insert((unit, start), words);
            }
        }
    }
}
