use super::*;

fn payload(bytes: &[u8]) -> Payload {
    let mut payload = Payload::new();
    payload.load(bytes);
    payload
}

/// Bit by bit, from the least significant one.
fn slow(field: Field, bytes: &[u8]) -> u128 {
    let mut bits: Vec<usize> = field.positions().collect();
    if field.is_big_endian() {
        bits.reverse();
    }
    bits.iter()
        .enumerate()
        .map(|(place, bit)| u128::from(bytes[bit / 8] >> (bit % 8) & 1) << place)
        .sum()
}

proptest::proptest! {
    #[test]
    fn a_field_is_read_as_bit_by_bit_wherever_it_lies(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 64),
        start in 0_u64..512, width in 1_u64..=64, big in proptest::bool::ANY,
    ) {
        let field = Field::new(start, width, big).unwrap();
        if field.needs() <= bytes.len() {
            assert_eq!(u128::from(field.unsigned(&payload(&bytes))), slow(field, &bytes));
        }
    }

    #[test]
    fn bytes_of_a_wide_field_are_its_bits_in_order(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 64),
        start in 0_u64..256, width in 65_u64..=120, big in proptest::bool::ANY,
    ) {
        let field = Field::new(start, width, big).unwrap();
        if field.needs() <= bytes.len() {
            let mut out = Vec::new();
            field.bytes(&payload(&bytes), &mut out);
            if !big {
                out.reverse();
            }
            let value = out.iter().fold(0_u128, |value, byte| value << 8 | u128::from(*byte));
            assert_eq!(value, slow(field, &bytes));
        }
    }
}

#[test]
fn a_signed_field_extends_its_sign() {
    let field = Field::new(4, 4, false).unwrap();
    assert_eq!(field.signed(&payload(&[0xF0])), -1);
    assert_eq!(field.signed(&payload(&[0x70])), 7);
    let all = Field::new(7, 64, true).unwrap();
    assert_eq!(all.signed(&payload(&[0x80, 0, 0, 0, 0, 0, 0, 0])), i64::MIN);
}

#[test]
fn no_width_and_absurd_places_are_no_fields() {
    assert_eq!(Field::new(0, 0, false), None);
    assert_eq!(Field::new(u64::MAX, 8, false), None);
    assert_eq!(Field::new(0, u64::MAX, true), None);
}

proptest::proptest! {
    #[test]
    fn what_is_put_is_read_back_and_no_other_bit_changes(
        start in 0_u64..512,
        width in 1_u64..=64,
        big_endian: bool,
        raw: u64,
        before: u8,
    ) {
        let Some(field) = Field::new(start, width, big_endian) else { return Ok(()) };
        proptest::prop_assume!(field.needs() <= 64);
        let mut bytes = [before; 64];
        field.put(raw, &mut bytes);
        let mut payload = Payload::new();
        payload.load(&bytes);
        let mask = if width == 64 { u64::MAX } else { (1 << width) - 1 };
        proptest::prop_assert_eq!(field.unsigned(&payload), raw & mask);
        payload.load(&[before; 64]);
        field.put(field.unsigned(&payload), &mut bytes);
        proptest::prop_assert_eq!(bytes, [before; 64]);
    }
}
