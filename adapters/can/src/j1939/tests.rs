use super::*;

#[test]
fn a_peer_to_peer_group_drops_the_destination_and_a_broadcast_group_keeps_its_extension() {
    assert_eq!(pgn(0x18FE_F100), 0xFEF1);
    assert_eq!(pgn(0x0CF0_0400), 0xF004);
    assert_eq!(pgn(0x0C00_0B03), 0x0000);
    assert_eq!(pgn(0x18EA_FF17), 0xEA00);
    assert_eq!(source_address(0x18FE_F117), 0x17);
}

#[test]
fn ranges_begin_one_above_the_greatest_valid_value_of_each_width() {
    for (bits, valid_max) in [
        (8, 0xFA),
        (10, 0x3FA),
        (12, 0xFAF),
        (16, 0xFAFF),
        (20, 0xF_AFFF),
        (24, 0xFA_FFFF),
        (28, 0xFAF_FFFF),
        (32, 0xFAFF_FFFF_u64),
    ] {
        assert_eq!(valid_below(bits), Some(valid_max + 1), "{bits}");
        assert_eq!(state(bits, valid_max), State::Valid, "{bits}");
        assert_eq!(state(bits, valid_max + 1), State::Specific, "{bits}");
        assert_eq!(state(bits, (1 << bits) - 1), State::NotAvailable, "{bits}");
    }
}

#[test]
fn every_number_is_a_value_exactly_below_the_first_that_is_none() {
    for bits in 1..=16 {
        for raw in 0..1_u64 << bits {
            let is_below = valid_below(bits).is_none_or(|limit| raw < limit);
            assert_eq!(state(bits, raw) == State::Valid, is_below, "{raw} of {bits} bits");
        }
    }
}

#[test]
fn two_and_four_bit_states_and_sixty_four_bits_are_always_values() {
    assert_eq!(state(2, 3), State::Valid);
    assert_eq!(state(4, 15), State::Valid);
    assert_eq!(state(64, u64::MAX), State::Valid);
}

#[test]
fn error_and_reserved_are_told_apart() {
    assert_eq!(state(8, 0xFE).reason(), Some(Reason::ErrorIndicator));
    assert_eq!(state(16, 0xFD00).reason(), Some(Reason::ReservedRange));
    assert_eq!(state(32, 0xFF00_0000).reason(), Some(Reason::NotAvailable));
}
