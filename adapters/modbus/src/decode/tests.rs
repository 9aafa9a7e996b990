use serde_json::Value as Json;
use signals::{Quality, Reason, Value};

use super::{Encoding, Format, Order, RegisterType, Scale};
use crate::cases;

pub(crate) fn format_of(vector: &Json) -> Format {
    let kind = RegisterType::named(vector["type"].as_str().unwrap()).expect("the type is known");
    let small = |key: &str| vector[key].as_u64().map_or(0, |n| u16::try_from(n).unwrap());
    let mut format = Format::new(kind);
    format.order = Order::named(vector["order"].as_str().unwrap()).expect("the order is known");
    format.bit = u8::try_from(small("bit")).unwrap();
    format.length = small("length");
    if vector["encoding"] == "latin-1" {
        format.encoding = Encoding::Latin1;
    }
    if let Some(scale) = vector["scale"].as_f64() {
        format.scale = Some(Scale::new(scale, vector["offset"].as_f64().unwrap_or(0.0)));
    }
    format
}

/// Integers exactly, reals to 1e-12 and with their sign.
pub(crate) fn same(wanted: &Json, got: Option<Value<'_>>) -> bool {
    match got {
        None => wanted.is_null(),
        Some(Value::Bool(truth)) => wanted.as_bool() == Some(truth),
        Some(Value::I64(number)) => wanted.as_i64() == Some(number),
        Some(Value::U64(number)) => wanted.as_u64() == Some(number),
        Some(Value::Text(text)) => wanted.as_str() == Some(text),
        Some(Value::F64(number)) => wanted.as_f64().is_some_and(|wanted| {
            (number - wanted).abs() <= wanted.abs() * 1e-12
                && number.is_sign_negative() == wanted.is_sign_negative()
        }),
        Some(Value::Bytes(_)) => false,
    }
}

#[test]
fn every_decode_vector_gives_its_value_quality_and_reason() {
    let mut count = 0;
    for (file, document) in cases::documents("modbus-decode-vectors/1") {
        for vector in document["vectors"].as_array().unwrap() {
            let words: Vec<u16> =
                vector["words"].as_array().unwrap().iter().map(cases::whole).collect();
            let mut text = String::new();
            let decoded = format_of(vector).decode(&words, &mut text);
            let reason = vector["reason"].as_str().unwrap_or_default();
            let fits = same(&vector["value"], decoded.value)
                && decoded.quality.class.as_str() == vector["quality"]
                && decoded.quality.reason.to_string() == reason;
            assert!(fits, "{}: {vector} gave {decoded:?}", file.display());
            count += 1;
        }
    }
    println!("{count} decode vectors");
}

#[test]
fn the_wrong_number_of_words_is_never_decoded() {
    for kind in RegisterType::ALL {
        let mut text = String::new();
        let words = vec![0; usize::from(kind.words()) + 1];
        let decoded = Format::new(*kind).decode(&words, &mut text);
        assert_eq!(decoded.quality, Quality::bad(Reason::QuantityMismatch), "{}", kind.name());
    }
}

#[test]
fn a_scaled_integer_is_the_float_nearest_to_the_decimal_result() {
    let check = |raw: i128, scale: f64, offset: f64, wanted: f64| {
        let got = Scale::new(scale, offset).of_integer(raw);
        assert_eq!(got.to_bits(), wanted.to_bits(), "{raw} x {scale} + {offset} = {got}");
    };
    check(10_001, 0.001, -10.0, 0.001);
    check(3, 0.1, 0.0, 0.3);
    check(i128::from(u64::MAX), 0.1, 0.0, 1_844_674_407_370_955_161.5);
    check(i128::from(u64::MAX), 1e-20, 0.0, 0.184_467_440_737_095_5);
    check(-32_768, 1e-9, 1e9, 999_999_999.999_967_2);
    check(2, 1e30, 0.0, 2e30);
}

#[test]
fn scaling_beyond_the_greatest_float_is_infinite_and_bad() {
    let format = Format { scale: Some(Scale::new(1e300, 0.0)), ..Format::new(RegisterType::F32) };
    let mut text = String::new();
    let decoded = format.decode(&[0x7F00, 0], &mut text);
    assert_eq!(decoded.quality, Quality::bad(Reason::Infinite));
}

mod properties {
    use proptest::prelude::*;

    use super::super::{Format, Order, RegisterType};
    use signals::Value;

    /// The words a device sends for `bits`, which take `count` words.
    fn encode(bits: u64, count: u16, order: Order) -> Vec<u16> {
        let word = |place: u16| u16::try_from(bits >> (16 * place) & 0xFFFF).unwrap();
        let mut words: Vec<u16> = (0..count).rev().map(word).map(|w| order.word(w)).collect();
        if order.reverses_words() {
            words.reverse();
        }
        words
    }

    fn order() -> impl Strategy<Value = Order> {
        prop::sample::select(Order::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn a_64_bit_number_survives_every_order(bits: u64, order in order()) {
            let words = encode(bits, 4, order);
            let mut format = Format { order, ..Format::new(RegisterType::U64) };
            let (mut first, mut second) = (String::new(), String::new());
            let decoded = format.decode(&words, &mut first).value;
            prop_assert_eq!(decoded, Some(Value::U64(bits)));
            format.kind = RegisterType::I64;
            let decoded = format.decode(&words, &mut second).value;
            prop_assert_eq!(decoded, Some(Value::I64(bits.cast_signed())));
        }

        #[test]
        fn a_binary32_survives_every_order(number: f32, order in order()) {
            prop_assume!(number.is_finite());
            let words = encode(number.to_bits().into(), 2, order);
            let format = Format { order, ..Format::new(RegisterType::F32) };
            let mut text = String::new();
            let decoded = format.decode(&words, &mut text).value;
            prop_assert_eq!(decoded, Some(Value::F64(number.into())));
        }

        #[test]
        fn no_words_make_the_decoder_panic(
            words in prop::collection::vec(any::<u16>(), 0..8),
            kind in prop::sample::select(RegisterType::ALL.to_vec()),
            order in order(),
            bit in 0..16_u8,
        ) {
            let format = Format { order, bit, length: 3, ..Format::new(kind) };
            let mut text = String::new();
            let decoded = format.decode(&words, &mut text);
            let bad = decoded.quality.class == signals::QualityClass::Bad;
            prop_assert_eq!(decoded.value.is_none(), bad);
        }
    }
}
