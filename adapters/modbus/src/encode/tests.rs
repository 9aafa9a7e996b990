use proptest::prelude::*;
use signals::Value;

use super::EncodeError;
use crate::decode::{Encoding, Format, Order, RawValue, RegisterType, Scale, Sentinel};

fn format(kind: RegisterType) -> Format {
    Format { length: 6, ..Format::new(kind) }
}

fn words(format: &Format, value: Value<'_>) -> Vec<u16> {
    format.encode(value).unwrap_or_else(|err| panic!("{}: {err}", format.kind.name()))
}

#[test]
fn a_set_point_becomes_the_nearest_raw_count() {
    let scaled = |scale, offset| Format {
        scale: Some(Scale::new(scale, offset)),
        ..format(RegisterType::U16)
    };
    assert_eq!(words(&scaled(0.1, 0.0), Value::F64(231.5)), [2315]);
    assert_eq!(words(&scaled(0.1, 0.0), Value::F64(231.54)), [2315]);
    assert_eq!(words(&scaled(0.1, 0.0), Value::F64(231.56)), [2316]);
    assert_eq!(words(&scaled(0.001, -10.0), Value::F64(0.001)), [10_001]);
    assert_eq!(words(&scaled(0.006_103_515_625, 0.0), Value::F64(100.0)), [16_384]);
    assert_eq!(words(&scaled(-0.5, 100.0), Value::I64(90)), [20]);
    assert_eq!(words(&scaled(10.0, 0.0), Value::U64(44)), [4]);
    assert_eq!(words(&scaled(10.0, 0.0), Value::U64(45)), [5]);
}

#[test]
fn what_a_type_cannot_hold_is_refused_and_never_clamped() {
    let refused = |kind, value| {
        let told = format(kind).encode(Value::F64(value)).unwrap_err();
        assert!(matches!(told, EncodeError::Range { .. }), "{value}: {told}");
    };
    refused(RegisterType::U16, -1.0);
    refused(RegisterType::U16, 65_536.0);
    refused(RegisterType::I16, -32_769.0);
    refused(RegisterType::I8High, 128.0);
    refused(RegisterType::I16SignMagnitude, -32_768.0);
    refused(RegisterType::Bcd16, 10_000.0);
    refused(RegisterType::Mod10k2, 1e8);
    refused(RegisterType::Mod10k4, 1e16);
    refused(RegisterType::U64, 1.844_674_407_370_955_2e19);
    refused(RegisterType::F16, 65_520.0);
    refused(RegisterType::F32, 1e39);
    assert_eq!(words(&format(RegisterType::F16), Value::F64(65_519.0)), [0x7BFF]);
    let told = format(RegisterType::U16).encode(Value::F64(70_000.0)).unwrap_err().to_string();
    assert_eq!(told, "70000 does not fit u16, which holds 0 to 65535 here; give a value within");
}

#[test]
fn not_a_number_is_never_written() {
    for kind in [RegisterType::F32, RegisterType::F64, RegisterType::F16, RegisterType::I16] {
        for value in [f64::NAN, f64::INFINITY] {
            assert_eq!(format(kind).encode(Value::F64(value)), Err(EncodeError::NotFinite));
        }
    }
}

#[test]
fn a_value_that_means_no_value_is_refused() {
    let sentinel = |raw| {
        vec![Sentinel { raw, name: "off".to_owned(), reason: signals::Reason::NotImplemented }]
    };
    let format =
        Format { sentinels: sentinel(RawValue::Bits(0x8000)), ..Format::new(RegisterType::I16) };
    assert_eq!(format.encode(Value::I64(-32_768)), Err(EncodeError::Sentinel("off".to_owned())));
    assert_eq!(format.encode(Value::I64(-32_767)), Ok(vec![0x8001]));
    let real =
        Format { sentinels: sentinel(RawValue::Real(-999.9)), ..Format::new(RegisterType::F32) };
    assert!(matches!(real.encode(Value::F64(-999.9)), Err(EncodeError::Sentinel(_))));
}

#[test]
fn a_part_of_a_register_leaves_the_other_bits_alone() {
    let part = |kind, order, bit| Format { order, bit, ..Format::new(kind) };
    let bit = part(RegisterType::Bit, Order::Badc, 3);
    assert_eq!((words(&bit, Value::Bool(true)), bit.mask()), (vec![0x0800], 0x0800));
    let high = part(RegisterType::I8High, Order::Abcd, 0);
    assert_eq!((words(&high, Value::I64(-2)), high.mask()), (vec![0xFE00], 0xFF00));
    let low = part(RegisterType::U8Low, Order::Abcd, 0);
    assert_eq!((words(&low, Value::U64(7)), low.mask()), (vec![7], 0x00FF));
    assert_eq!(Format::new(RegisterType::U32).mask(), 0xFFFF);
}

#[test]
fn states_and_flags_take_whole_numbers_only() {
    let told = format(RegisterType::Enum16).encode(Value::F64(1.5));
    assert_eq!(told, Err(EncodeError::NotWhole(1.5)));
    assert_eq!(words(&format(RegisterType::Flags32), Value::F64(65_536.0)), [1, 0]);
    assert!(matches!(
        format(RegisterType::Bit).encode(Value::U64(2)),
        Err(EncodeError::Kind { .. })
    ));
}

#[test]
fn text_that_does_not_fit_or_is_of_no_such_form_is_refused_with_an_example() {
    let refused = |kind: RegisterType, text: &str| {
        let told = format(kind).encode(Value::Text(text)).unwrap_err().to_string();
        assert!(told.contains("; "), "{told}");
    };
    refused(RegisterType::Text, "thirteen byte");
    refused(RegisterType::Text, "a\0b");
    refused(RegisterType::DateTime6, "2026-02-29T00:00:00");
    refused(RegisterType::DateTime6, "2026-02-28");
    refused(RegisterType::Epoch32, "1969-12-31T23:59:59Z");
    refused(RegisterType::Epoch32, "2106-02-07T06:28:16Z");
    refused(RegisterType::Epoch32, "2026-10-25T01:30:15");
    refused(RegisterType::Ipv4, "192.0.2");
    refused(RegisterType::Mac, "00:00:5e:00:53");
    refused(RegisterType::Mac, "00:00:5e:00:53:111");
    let latin = Format { encoding: Encoding::Latin1, ..format(RegisterType::Text) };
    assert_eq!(latin.encode(Value::Text("€")), Err(EncodeError::Characters));
}

/// What a user would see of the value: decoded, or `None` when the words mean no value.
fn shown(format: &Format, words: &[u16]) -> Option<String> {
    let mut text = String::new();
    format.decode(words, &mut text).value.map(|value| format!("{value:?}"))
}

/// Checks that the value of `words` survives; false when they have no good value.
fn survives(format: &Format, words: &[u16]) -> bool {
    let mut text = String::new();
    let decoded = format.decode(words, &mut text);
    let Some(value) = decoded.value.filter(|_| decoded.quality.is_good()) else { return false };
    let again = format.encode(value).unwrap_or_else(|err| panic!("{format:?} {words:?}: {err}"));
    assert_eq!(shown(format, &again), shown(format, words), "{format:?} {words:?} -> {again:?}");
    let first = words.first().zip(again.first());
    if format.mask() != 0xFFFF {
        assert!(
            first
                .is_some_and(|(old, new)| new & !format.mask() == 0 && old & format.mask() == *new)
        );
    } else if format.scale.is_none() && !has_two_codes(format, words) {
        assert_eq!(again, words, "{format:?}");
    }
    true
}

/// Whether other words say the same: a negative zero, padding behind a string, a coil's 2.
fn has_two_codes(format: &Format, words: &[u16]) -> bool {
    matches!(format.kind, RegisterType::Text | RegisterType::Bool)
        || (format.kind == RegisterType::I16SignMagnitude && words.iter().any(|w| w & 0x7F7F == 0))
}

fn any_format() -> impl Strategy<Value = Format> {
    let kind = prop::sample::select(RegisterType::ALL.to_vec());
    let order = prop::sample::select(Order::ALL.to_vec());
    (kind, order, 0..16_u8, any::<bool>()).prop_map(|(kind, order, bit, latin)| Format {
        order,
        bit,
        length: 5,
        encoding: if latin { Encoding::Latin1 } else { Encoding::Utf8 },
        ..Format::new(kind)
    })
}

/// Types whose numbers a scaled `f64` tells apart.
fn integers() -> Vec<RegisterType> {
    let few = |kind: &RegisterType| kind.can_scale() && !kind.is_real() && kind.bits() <= 32;
    RegisterType::ALL.iter().copied().filter(few).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_words_of_a_device_come_back_for_every_type_and_order(
        format in any_format(),
        words in prop::collection::vec(any::<u16>(), 6),
        few in 0..4_u8,
    ) {
        // Small words too: random ones are nearly never BCD, a date, or ASCII.
        let tame = |word: &u16| match few {
            0 => *word,
            1 => word % 12 + 1,
            2 => (word % 10) * 0x0101,
            _ => 0x2020 + (word & 0x1F1F),
        };
        let words: Vec<u16> =
            words.iter().take(usize::from(format.words())).map(tame).collect();
        survives(&format, &words);
    }

    #[test]
    fn a_scaled_number_comes_back_to_its_raw_count(
        kind in prop::sample::select(integers()),
        order in prop::sample::select(Order::ALL.to_vec()),
        words in prop::collection::vec(any::<u16>(), 4),
        scale in prop::sample::select(vec![0.1, 0.01, 0.001, 0.5, -0.1, 10.0, 1e-6, 0.006_103_515_625]),
        offset in prop::sample::select(vec![0.0, -10.0, 273.15, 1e4]),
    ) {
        let format = Format { order, scale: Some(Scale::new(scale, offset)), ..Format::new(kind) };
        let words: Vec<u16> = words.into_iter().take(usize::from(kind.words())).collect();
        let mut text = String::new();
        if let Some(value) = format.decode(&words, &mut text).value {
            let again = format.encode(value).unwrap();
            let plain = Format { scale: None, ..format.clone() };
            prop_assert_eq!(shown(&plain, &again), shown(&plain, &words));
        }
    }

    #[test]
    fn a_scaled_float_comes_back_within_its_own_precision(
        number in -1e6_f32..1e6,
        order in prop::sample::select(Order::ALL.to_vec()),
        scale in prop::sample::select(vec![0.1, 0.001, 3.6]),
    ) {
        let format =
            Format { order, scale: Some(Scale::new(scale, 0.0)), ..Format::new(RegisterType::F32) };
        let bits = u64::from(number.to_bits());
        let words = order.split(bits, 2);
        let mut text = String::new();
        let value = format.decode(&words, &mut text).value.unwrap();
        prop_assert_eq!(format.encode(value).unwrap(), words);
    }
}

#[test]
fn every_half_comes_back() {
    let format = Format::new(RegisterType::F16);
    let good = (0..=u16::MAX).filter(|word| survives(&format, &[*word])).count();
    assert_eq!(good, 2 * 31 * 1024, "all but infinities and not-a-numbers");
}

#[test]
fn every_decode_vector_that_is_good_comes_back() {
    let mut count = 0;
    for (_, document) in crate::cases::documents("modbus-decode-vectors/1") {
        for vector in document["vectors"].as_array().unwrap() {
            let words: Vec<u16> =
                vector["words"].as_array().unwrap().iter().map(crate::cases::whole).collect();
            count += usize::from(survives(&crate::decode::tests::format_of(vector), &words));
        }
    }
    println!("{count} decode vectors written and read again");
    assert!(count > 200);
}
