//! Whatever devices do that answer in order, a value is that of the request it was read with.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::duplex;
use tokio::time::sleep;

use super::device::{Act, Devices};
use super::{RtuWire, TWO, soon};
use crate::scan::Read;
use crate::wire::Timing;

/// One read: unit, registers, and the pause behind it in milliseconds.
type Asked = (u8, u16, u64);

fn acts(slowest: u64) -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => Just(Act::Answer(1)),
        2 => (1..=slowest).prop_map(Act::Answer),
        1 => (1..=slowest).prop_map(Act::Twice),
        1 => (1..=slowest).prop_map(Act::Refuse),
        1 => (1..=slowest).prop_map(Act::Damage),
        1 => Just(Act::Drop),
    ];
    prop::collection::vec(act, 5..60)
}

fn asked(registers: std::ops::RangeInclusive<u16>) -> impl Strategy<Value = Vec<Asked>> {
    prop::collection::vec((1..=3_u8, registers, 0..400_u64), 80)
}

/// Reads good values and checks each; gives how many there were.
fn check(devices: &Devices, asked: &[Asked]) -> Result<usize, TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (near, mut far) = duplex(4096);
        let mut wire = RtuWire::new(near, Timing::over_tcp());
        let client = async {
            let mut good = 0;
            for (unit, count, pause) in asked {
                let mut words = Vec::new();
                let read = Read { count: *count, ..TWO };
                if wire.read(soon(*unit), read, &mut words).await.is_ok() {
                    let seq = devices.log.lock().unwrap().len() - 1;
                    let own = vec![u16::try_from(seq).unwrap(); usize::from(*count)];
                    prop_assert_eq!(&words, &own, "unit {}", unit);
                    good += 1;
                }
                sleep(Duration::from_millis(*pause)).await;
            }
            Ok(good)
        };
        tokio::select! {
            good = client => good,
            () = devices.serve(&mut far) => unreachable!("the devices serve for ever"),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_value_is_of_another_request_however_late_units_are_that_know_function_8(
        acts in acts(9_000),
        asked in asked(1..=4),
    ) {
        check(&Devices::new(acts, true), &asked)?;
    }

    #[test]
    fn no_value_is_of_another_request_where_units_ignore_function_8(
        acts in acts(9_000),
        asked in asked(1..=40),
    ) {
        check(&Devices::new(acts, false), &asked)?;
    }

    #[test]
    fn a_unit_that_answers_again_has_values_again(
        acts in acts(2_000),
        has_echo in any::<bool>(),
        registers in 1..=40_u16,
    ) {
        // Each of them may cost a single register of a unit without function 8 ten seconds.
        let disturbed = acts.into_iter().take(15);
        let acts = disturbed.chain(std::iter::repeat_n(Act::Answer(1), 1000)).collect();
        let asked: Vec<Asked> = (0..600).map(|_| (1, registers, 500)).collect();
        let good = check(&Devices::new(acts, has_echo), &asked)?;
        prop_assert!(good >= 200, "{good} of 600");
    }
}
