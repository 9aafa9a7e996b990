//! The schema and the structs it feeds must name the same keys: a key only one of them knows is
//! either refused although it works, or accepted without effect.

use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::config::raw::{
    Raw, RawAggregate, RawDetector, RawGateway, RawJournal, RawLake, RawLocalBroker, RawOutbox,
    RawOutboxStream, RawReduction, RawUplink, RawUpload, RawWeb, RawWrites,
};
use crate::config::schema;
use crate::config::shape::Shape;

/// Takes nothing but the names of the fields a struct asks for.
struct Fields<'a>(&'a mut Vec<&'static str>);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("not a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        self.0.extend(fields);
        Err(serde::de::Error::custom("names are enough"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn check<T: for<'de> Deserialize<'de>>(shape: &Shape) {
    let mut fields = Vec::new();
    assert!(T::deserialize(Fields(&mut fields)).is_err());
    let mut keys: Vec<&str> = shape.keys.iter().map(|key| key.name).collect();
    fields.sort_unstable();
    keys.sort_unstable();
    assert_eq!(keys, fields, "{}", shape.called);
}

#[test]
fn the_schema_names_exactly_the_keys_that_have_an_effect() {
    check::<Raw>(&schema::ROOT);
    check::<RawGateway>(&schema::GATEWAY);
    check::<adapters_modbus::config::LineConfig>(&schema::LINE);
    check::<adapters_modbus::config::DeviceConfig>(&schema::DEVICE);
    check::<adapters_modbus::config::TagConfig>(&schema::TAG);
    check::<adapters_modbus::config::RangeConfig>(&schema::RANGE);
    check::<adapters_modbus::config::WriteConfig>(&schema::WRITE);
    check::<adapters_modbus::config::ProfileConfig>(&schema::PROFILE);
    check::<adapters_can::config::CanConfig>(&schema::CAN);
    check::<adapters_can::config::MessageConfig>(&schema::CAN_MESSAGE);
    check::<RawJournal>(&schema::JOURNAL);
    check::<RawLake>(&schema::LAKE);
    check::<RawAggregate>(&schema::AGGREGATE);
    check::<RawDetector>(&schema::DETECTOR);
    check::<RawReduction>(&schema::REDUCTION);
    check::<RawOutbox>(&schema::OUTBOX);
    check::<RawOutboxStream>(&schema::OUTBOX_STREAM);
    check::<RawUplink>(&schema::UPLINK);
    check::<RawUpload>(&schema::UPLOAD);
    check::<RawWeb>(&schema::WEB);
    check::<RawWrites>(&schema::WRITES);
    check::<RawLocalBroker>(&schema::LOCAL_BROKER);
}
