use super::*;

#[test]
fn the_database_in_the_repository_is_the_one_that_frames_are_packed_by() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("vehicle.dbc");
    if std::env::var_os("FIELDGATE_WRITE_DBC").is_some() {
        std::fs::write(&path, database()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), database());
}

#[test]
fn no_two_signals_of_a_message_share_a_bit_and_all_lie_within_eight_bytes() {
    for message in MESSAGES {
        let own = message.signals.iter().map(|signal| signal.bits);
        let guards = [COUNTER, (56, 8)].into_iter().filter(|_| message.guarded);
        let mut taken = 0_u64;
        for (start, length) in own.chain(guards) {
            let bits = ((1_u64 << length) - 1) << start;
            assert!(start + length <= 64);
            assert_eq!(taken & bits, 0, "{}", message.name);
            taken |= bits;
        }
    }
}

#[test]
fn a_value_outside_its_range_is_shown_as_the_end_of_it() {
    let engine = &MESSAGES[0];
    let shown = Shown { engine_rpm: 1e9, torque_nm: -40.0, ..Shown::default() };
    let bytes = engine.pack(&shown, 17);
    assert_eq!(bytes[..2], [0xFF, 0xFF]);
    assert_eq!(i16::from_le_bytes([bytes[2], bytes[3]]), -400);
    assert_eq!(bytes[6] >> 4, 1, "the counter has four bits");
}

#[test]
fn the_checksum_of_a_frame_changes_with_each_of_its_bytes() {
    let engine = &MESSAGES[0];
    let sound = engine.pack(&Shown::default(), 3);
    for place in 0..7 {
        let mut other = sound;
        other[place] ^= 0x10;
        engine.seal(&mut other);
        assert!(other[7] != sound[7], "byte {place}");
    }
}
