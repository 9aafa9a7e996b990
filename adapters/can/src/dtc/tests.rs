use super::*;

#[test]
fn four_codes_of_a_real_truck_are_read() {
    // The idling truck's broadcast: lamps 0x43 0xFF, then four codes.
    let payload = [
        0x43, 0xFF, 0xD4, 0x03, 0x09, 0x7E, 0x90, 0x0C, 0x14, 0x02, 0x61, 0x02, 0x09, 0x01, 0x61,
        0x02, 0x0C, 0x03,
    ];
    let (lamps, codes) = read_dm1(&payload).unwrap();
    assert_eq!(lamps, [1, 0, 0, 3]);
    let codes: Vec<_> = codes.iter().map(|c| (c.spn, c.fmi, c.occurrences)).collect();
    assert_eq!(codes, [(980, 9, 126), (3216, 20, 2), (609, 9, 1), (609, 12, 3)]);
}

#[test]
fn a_suspect_parameter_number_has_nineteen_bits() {
    let (_, codes) = read_dm1(&[0, 0xFF, 0xFF, 0xFF, 0xE3, 0x81]).unwrap();
    assert_eq!(codes[0], TroubleCode { spn: 0x7_FFFF, fmi: 3, occurrences: 1, old_layout: true });
}

#[test]
fn a_message_without_codes_has_none_however_it_says_so() {
    for codes in [&[0, 0, 0, 0, 0xFF, 0xFF][..], &[0xFF; 6], &[]] {
        let payload = [&[0x00, 0xFF], codes].concat();
        assert_eq!(read_dm1(&payload).unwrap().1, [], "{codes:?}");
    }
    assert_eq!(read_dm1(&[0]), None);
}
