use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

proptest! {
    #[test]
    fn every_draw_is_that_of_rand_chacha(
        seed: u64,
        stream: u64,
        from in 0_u64..1 << 40,
        draws in prop::collection::vec(any::<bool>(), 1..80),
    ) {
        let mut theirs = ChaCha8Rng::seed_from_u64(seed);
        theirs.set_stream(stream);
        theirs.set_word_pos(u128::from(from));
        let mut ours = ChaCha8::new(seed, stream);
        ours.seek(from);
        for wide in draws {
            if wide {
                prop_assert_eq!(ours.uniform().to_bits(), theirs.random::<f64>().to_bits());
            } else {
                prop_assert_eq!(ours.byte(), theirs.random::<u8>());
            }
        }
    }
}
