use proptest::prelude::*;

use super::*;

const MAP: &[Point<f64>] = &[
    Point::input("low", (4, Kind::Bit(0)), |_| 1.0),
    Point::input("high", (4, Kind::Bit(15)), |_| 1.0),
    Point::input("wide", (5, Kind::F64), |value| *value),
    Point::input("behind_a_hole", (10, Kind::U16), |value| *value),
    Point::coil("coil", 3, |_| 1.0),
];

fn image() -> Image {
    let mut image = Image::of(MAP, 8);
    image.show(MAP, &7.0);
    image
}

fn register(kind: Kind, order: Order, scale: f64) -> Register {
    Register { name: "tag", table: Table::Input, address: 0, kind, order, scale }
}

impl Register {
    fn words(&self, value: f64) -> Vec<u16> {
        self.encode(value).collect()
    }
}

#[test]
fn bits_of_one_register_do_not_erase_each_other() {
    assert_eq!(image().read(Table::Input, 4, 1), Ok(&[0x8001][..]));
}

#[test]
fn a_block_over_a_hole_is_refused_and_one_up_to_it_is_not() {
    assert_eq!(image().read(Table::Input, 4, 5).map(<[u16]>::len), Ok(5));
    assert_eq!(image().read(Table::Input, 4, 7), Err(Refusal::Address));
    assert_eq!(image().read(Table::Input, 9, 1), Err(Refusal::Address));
    assert_eq!(image().read(Table::Input, u16::MAX, 2), Err(Refusal::Address));
}

#[test]
fn a_table_is_no_other_table() {
    assert_eq!(image().read(Table::Coil, 3, 1), Ok(&[1][..]));
    assert_eq!(image().read(Table::Discrete, 3, 1), Err(Refusal::Address));
    assert_eq!(image().read(Table::Holding, 4, 1), Err(Refusal::Address));
}

#[test]
fn an_empty_block_and_one_above_the_limit_are_refused() {
    assert_eq!(image().read(Table::Input, 4, 0), Err(Refusal::Count));
    assert_eq!(image().read(Table::Input, 4, 9), Err(Refusal::Count));
}

#[test]
fn a_value_above_what_the_type_holds_stays_at_the_end_of_the_scale() {
    let tag = register(Kind::I16, Order::Abcd, 0.1);
    assert_eq!(tag.words(1e9), [0x7FFF]);
    assert_eq!(tag.words(-1e9), [0x8000]);
    assert_eq!(register(Kind::U16, Order::Abcd, 1.0).words(-5.0), [0]);
}

#[test]
fn each_byte_order_puts_0x41c80000_where_it_says() {
    let words = |order| register(Kind::F32, order, 1.0).words(25.0);
    assert_eq!(words(Order::Abcd), [0x41C8, 0x0000]);
    assert_eq!(words(Order::Cdab), [0x0000, 0x41C8]);
    assert_eq!(words(Order::Badc), [0xC841, 0x0000]);
    assert_eq!(words(Order::Dcba), [0x0000, 0xC841]);
}

#[test]
fn bcd_shows_decimal_digits_in_hex() {
    assert_eq!(register(Kind::Bcd32, Order::Abcd, 1.0).words(12_345_678.0), [0x1234, 0x5678]);
    assert_eq!(register(Kind::Bcd16, Order::Abcd, 1.0).words(123_456.0), [0x9999]);
}

#[test]
fn text_is_padded_with_spaces() {
    let tag = register(Kind::Text("ABC", 3), Order::Badc, 1.0);
    assert_eq!(tag.words(0.0), [0x4241, 0x2043, 0x2020]);
    assert_eq!(tag.decode(&tag.words(0.0)), None);
}

fn kinds() -> impl Strategy<Value = (Kind, f64)> {
    prop_oneof![
        (-128.0..127.0).prop_map(|value: f64| (Kind::I8High, value.round())),
        (-128.0..127.0).prop_map(|value: f64| (Kind::I8Low, value.round())),
        (-32768.0..32767.0).prop_map(|value: f64| (Kind::I16, value.round())),
        (0.0..65535.0).prop_map(|value: f64| (Kind::U16, value.round())),
        (-2e9..2e9).prop_map(|value: f64| (Kind::I32, value.round())),
        (0.0..4e9).prop_map(|value: f64| (Kind::U32, value.round())),
        (0.0..9e15).prop_map(|value: f64| (Kind::U64, value.round())),
        (0.0..99_999_999.0).prop_map(|value: f64| (Kind::Bcd32, value.round())),
        any::<f64>().prop_filter("a number", |v| !v.is_nan()).prop_map(|value| (Kind::F64, value)),
    ]
}

fn orders() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Abcd), Just(Order::Cdab), Just(Order::Badc), Just(Order::Dcba)]
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same((kind, value) in kinds(), order in orders()) {
        let tag = register(kind, order, 1.0);
        prop_assert_eq!(tag.decode(&tag.words(value)), Some(value));
    }
}
