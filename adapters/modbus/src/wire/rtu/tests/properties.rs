use proptest::prelude::*;
use tokio::io::{AsyncWriteExt as _, duplex};

use super::{Fault, RtuWire, Timing, answer, ask, reply};

/// What two registers are read when the peer answers with these bytes, in these pieces.
fn read(answer: &[u8]) -> Result<Vec<u16>, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (near, mut far) = duplex(4096);
        let mut wire = RtuWire::new(near, Timing::over_tcp());
        let peer = async {
            reply(&mut far, answer[..answer.len() / 2].to_vec()).await;
            tokio::task::yield_now().await;
            far.write_all(&answer[answer.len() / 2..]).await.unwrap();
        };
        tokio::join!(ask(&mut wire, 1), peer).0
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn noise_before_and_behind_an_answer_never_makes_another_of_it(
        before in prop::collection::vec(prop_oneof![any::<u8>(), 0..5_u8], 0..300),
        words in any::<[u16; 2]>(),
        behind in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let right = answer(1, words);
        if let Ok(got) = read(&[before.as_slice(), &right, &behind].concat()) {
            prop_assert_eq!(got, words);
        }
        prop_assert_eq!(read(&[&right, behind.as_slice()].concat()), Ok(words.to_vec()));
    }

    #[test]
    fn random_bytes_never_panic_and_never_pass_as_two_registers(
        noise in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        prop_assert!(read(&noise).is_err());
    }
}
