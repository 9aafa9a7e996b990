//! Every table and key of a configuration.

use std::time::Duration;

use super::shape::{Key, Kind, Shape};

/// Families of detectors, by the name a configuration calls them.
pub(crate) const FAMILIES: &[&str] = &["ewma", "dpca", "var", "combined"];

/// Kinds of uplinks.
pub(crate) const UPLINKS: &[&str] = &["mqtt"];

/// The whole document.
pub(crate) const ROOT: Shape = Shape {
    called: "a configuration",
    keys: &[
        required("gateway", Kind::Table(&GATEWAY), "[gateway] with id = \"gw-1\""),
        key("line", Kind::Tables(&LINE)),
        key("profile", Kind::Tables(&PROFILE)),
        key("device", Kind::Tables(&DEVICE)),
        key("can", Kind::Tables(&CAN)),
        key("journal", Kind::Table(&JOURNAL)),
        key("lake", Kind::Table(&LAKE)),
        key("aggregate", Kind::Tables(&AGGREGATE)),
        key("detector", Kind::Tables(&DETECTOR)),
        key("reduction", Kind::Tables(&REDUCTION)),
        key("rule", Kind::Tables(&RULE)),
        key("outbox", Kind::Table(&OUTBOX)),
        key("uplink", Kind::Tables(&UPLINK)),
        key("upload", Kind::Table(&UPLOAD)),
        key("web", Kind::Table(&WEB)),
        key("writes", Kind::Table(&WRITES)),
        key("local_broker", Kind::Table(&LOCAL_BROKER)),
    ],
};

pub(crate) const GATEWAY: Shape = Shape {
    called: "[gateway]",
    keys: &[
        required("id", Kind::Text, "id = \"gw-1\""),
        key("site", Kind::Text),
        key("timezone", Kind::Text),
    ],
};

pub(crate) const LINE: Shape = Shape {
    called: "a line",
    keys: &[
        required("name", Kind::Text, "name = \"line-1\""),
        key("transport", Kind::Text),
        key("host", Kind::Text),
        key("connect_timeout", SPAN),
        key("request_gap", Kind::Text),
        key("pipeline", Kind::Word),
        key("port", Kind::Text),
        key("baud", WHOLE),
        key("parity", Kind::Text),
        key("data_bits", WHOLE),
        key("stop_bits", WHOLE),
        key("local_echo", Kind::Bool),
        key("rs485", Kind::Text),
        key("ca", Kind::Text),
        key("certificate", Kind::Text),
        key("key", Kind::Text),
        key("server_name", Kind::Text),
    ],
};

pub(crate) const PROFILE: Shape = Shape {
    called: "a profile",
    keys: &[
        required("name", Kind::Text, "name = \"pump_vfd\""),
        key("tags", Kind::Text),
        key("tag", Kind::Tables(&TAG)),
    ],
};

pub(crate) const DEVICE: Shape = Shape {
    called: "a device",
    keys: &[
        required("name", Kind::Text, "name = \"pump-1\""),
        required("line", Kind::Text, "line = \"line-1\", the name of its [[line]]"),
        key("unit", WHOLE),
        key("path", Kind::Text),
        key("description", Kind::Text),
        key("timeout", Kind::Span(ms(1), s(600))),
        key("max_registers", WHOLE),
        key("max_bits", WHOLE),
        key("word_order", Kind::Text),
        key("address_style", Kind::Text),
        key("every", SPAN),
        key("holes", Kind::TextList),
        key("allow_reserved_unit", Kind::Bool),
        key("profile", Kind::Text),
        key("tags", Kind::Text),
        key("watchdog_tag", Kind::Text),
        key("write_function", Kind::Text),
        key("tag", Kind::Tables(&TAG)),
    ],
};

pub(crate) const TAG: Shape = Shape {
    called: "a tag",
    keys: &[
        required("name", Kind::Text, "name = \"pressure\""),
        required("at", Kind::Text, "at = \"holding:0\""),
        key("type", Kind::Text),
        key("order", Kind::Text),
        key("length", WHOLE),
        key("encoding", Kind::Text),
        key("bit", WHOLE),
        key("scale", Kind::Number),
        key("offset", Kind::Number),
        key("scale_tag", Kind::Text),
        key("not_implemented", Kind::Text),
        key("coherent", Kind::Text),
        key("write", Kind::Table(&WRITE)),
        key("unit", Kind::Text),
        key("description", Kind::Text),
        key("every", SPAN),
        key("range", Kind::Table(&RANGE)),
        key("labels", Kind::TextMap),
        key("sentinels", Kind::TextMap),
        key("under_range_raw", WHOLE),
        key("over_range_raw", WHOLE),
    ],
};

pub(crate) const RANGE: Shape = Shape {
    called: "a range",
    keys: &[key("low", Kind::Number), key("high", Kind::Number), key("outside", Kind::Text)],
};

pub(crate) const WRITE: Shape = Shape {
    called: "write",
    keys: &[
        key("min", Kind::Number),
        key("max", Kind::Number),
        key("max_step", Kind::Number),
        key("values", Kind::NumberList),
        key("interval", SPAN),
        key("confirm", Kind::Bool),
        key("readback", Kind::Bool),
        key("readback_after", SPAN),
        key("tolerance", WHOLE),
        key("interlock", Kind::Text),
        key("rmw", Kind::Bool),
        key("broadcast", Kind::Bool),
    ],
};

pub(crate) const CAN: Shape = Shape {
    called: "a CAN bus",
    keys: &[
        required("name", Kind::Text, "name = \"can0\""),
        key("path", Kind::Text),
        key("description", Kind::Text),
        key("interface", Kind::Text),
        key("bitrate", Kind::Integer(1_000, 1_000_000)),
        key("data_bitrate", Kind::Integer(1_000, 20_000_000)),
        key("fd", Kind::Bool),
        key("listen_only", Kind::Bool),
        key("filter", Kind::Choice(&["all", "known"])),
        key("replay", Kind::Text),
        key("source", Kind::Choice(&["synthetic"])),
        key("channel", Kind::Text),
        key("speed", Kind::Number),
        key("loop", Kind::Bool),
        key("time", Kind::Choice(&["rebased", "original"])),
        key("dbc", Kind::TextList),
        key("match", Kind::Choice(&["auto", "exact", "pgn"])),
        key("signals", Kind::TextList),
        key("keep_raw", Kind::Bool),
        key("learn_cycles", Kind::Bool),
        key("message", Kind::Tables(&CAN_MESSAGE)),
    ],
};

pub(crate) const CAN_MESSAGE: Shape = Shape {
    called: "a CAN message",
    keys: &[
        required("name", Kind::Text, "name = \"EEC1\""),
        key("cycle", SPAN),
        key("counter", Kind::Text),
        key("checksum", Kind::Text),
        key("checksum_kind", Kind::Choice(&["xor8", "sum8", "crc8_sae_j1850"])),
    ],
};

pub(crate) const JOURNAL: Shape = Shape {
    called: "[journal]",
    keys: &[
        key("sync", Kind::Choice(&["interval", "every_batch"])),
        key("sync_interval", Kind::Span(ms(1), s(60))),
        key("sync_bytes", Kind::Size(4 << 10, 1 << 30)),
        key("segment_bytes", Kind::Size(64 << 10, 4 << 30)),
        key("bytes_max", Kind::Size(1 << 20, 1 << 44)),
    ],
};

pub(crate) const LAKE: Shape = Shape {
    called: "[lake]",
    keys: &[
        key("roll_interval", Kind::Span(s(1), s(86_400))),
        key("roll_rows", Kind::Integer(100, 10_000_000)),
        key("profile", Kind::Choice(&["default", "compact"])),
        key("bytes_max", Kind::Size(1 << 20, 1 << 50)),
        key("free_min", Kind::Size(0, 1 << 50)),
        key("thin_interval", Kind::Span(s(0), s(3_600))),
    ],
};

pub(crate) const AGGREGATE: Shape = Shape {
    called: "an aggregate",
    keys: &[
        required("window", Kind::Span(s(1), s(3_600)), "window = \"10 s\""),
        key("every", Kind::Span(s(1), s(3_600))),
        key("lateness", Kind::Span(Duration::ZERO, s(3_600))),
        key("functions", Kind::TextList),
    ],
};

pub(crate) const DETECTOR: Shape = Shape {
    called: "a detector",
    keys: &[
        required("name", Kind::Text, "name = \"pump-1\""),
        key("family", Kind::Choice(FAMILIES)),
        required("signals", Kind::TextList, "signals = [\"site/pump-1/a\", \"site/pump-1/b\"]"),
        key("budget_per_week", Kind::Number),
        key("every", Kind::Span(ms(100), s(3_600))),
    ],
};

pub(crate) const REDUCTION: Shape = Shape {
    called: "a reduction",
    keys: &[
        required("signals", Kind::TextList, "signals = [\"site/pump-1/flow\"]"),
        required("method", Kind::Choice(&["deadband", "swinging_door"]), "method = \"deadband\""),
        required("error", Kind::Number, "error = 0.5, in the unit of the signals"),
        key("heartbeat", Kind::Span(s(1), s(86_400))),
    ],
};

pub(crate) const RULE: Shape = Shape {
    called: "a rule",
    keys: &[
        required("name", Kind::Text, "name = \"overpressure\""),
        required(
            "sql",
            Kind::Text,
            "sql = \"SELECT pressure FROM 'site/pump-1' WHERE pressure > 8\"",
        ),
        key("description", Kind::Text),
        key("clear", Kind::Text),
        key("for", Kind::Span(Duration::ZERO, s(86_400))),
        key("clear_for", Kind::Span(Duration::ZERO, s(86_400))),
        key("age_max", Kind::Span(ms(100), s(86_400))),
        key("suppress", Kind::Text),
        key("alarm", Kind::Table(&ALARM)),
    ],
};

pub(crate) const ALARM: Shape = Shape {
    called: "an alarm",
    keys: &[
        key("priority", Kind::Choice(&["low", "medium", "high", "critical"])),
        key("message", Kind::Text),
        key("latched", Kind::Bool),
        key("cause", Kind::Text),
        key("consequence", Kind::Text),
        key("action", Kind::Text),
        key("respond_within", Kind::Span(s(1), s(7 * 86_400))),
    ],
};

pub(crate) const OUTBOX: Shape = Shape {
    called: "[outbox]",
    keys: &[
        key("events", Kind::Table(&OUTBOX_STREAM)),
        key("aggregates", Kind::Table(&OUTBOX_STREAM)),
        key("samples", Kind::Table(&OUTBOX_STREAM)),
    ],
};

pub(crate) const OUTBOX_STREAM: Shape = Shape {
    called: "an outbox",
    keys: &[
        key("bytes_max", Kind::Size(1 << 20, 1 << 44)),
        key("age_max", Kind::Span(s(60), s(20 * 365 * 86_400))),
        key("when_full", Kind::Choice(&["drop_oldest", "refuse"])),
    ],
};

pub(crate) const UPLINK: Shape = Shape {
    called: "an uplink",
    keys: &[
        required("name", Kind::Text, "name = \"cloud\""),
        required("kind", Kind::Choice(UPLINKS), "kind = \"mqtt\""),
        required("address", Kind::Text, "address = \"broker.example.com:1883\""),
        key("prefix", Kind::Text),
        key("client_id", Kind::Text),
        key("username", Kind::Text),
        key("password", Kind::Secret),
        key("rate_per_s", Kind::Number),
        key("bytes_per_s", Kind::Size(1 << 10, 1 << 40)),
        key("bytes_per_day", Kind::Size(1 << 10, 1 << 50)),
        key("message_bytes_max", Kind::Size(1 << 10, 128 << 10)),
        key("order", Kind::Choice(&["strict", "live_first"])),
        key("backlog_rate_per_s", Kind::Number),
        key("backlog_hours", Kind::Text),
        key("keep_alive", Kind::Span(s(5), s(3_600))),
        key("tls", Kind::Bool),
        key("ca", Kind::Text),
        key("certificate", Kind::Text),
        key("private_key", Kind::Text),
        key("server_name", Kind::Text),
        key("crl", Kind::Text),
    ],
};

pub(crate) const UPLOAD: Shape = Shape {
    called: "[upload]",
    keys: &[
        required("to", Kind::Text, "to = \"s3://bucket/prefix\""),
        key("endpoint", Kind::Text),
        key("region", Kind::Text),
        key("access_key", Kind::Secret),
        key("secret_key", Kind::Secret),
        key("bytes_per_s", Kind::Size(1 << 10, 1 << 40)),
        key("hours", Kind::Text),
    ],
};

pub(crate) const WEB: Shape = Shape {
    called: "[web]",
    keys: &[
        key("listen", Kind::Text),
        key("reading", Kind::Choice(&["login", "open"])),
        key("tls", Kind::Choice(&["auto", "device", "off"])),
        key("certificate", Kind::Text),
        key("private_key", Kind::Text),
    ],
};

pub(crate) const WRITES: Shape = Shape { called: "[writes]", keys: &[key("enabled", Kind::Bool)] };

pub(crate) const LOCAL_BROKER: Shape = Shape {
    called: "[local_broker]",
    keys: &[required("listen", Kind::Text, "listen = \"127.0.0.1:1883\"")],
};

/// Any whole number: who knows the field says what is too much.
const WHOLE: Kind = Kind::Integer(i64::MIN, i64::MAX);

/// Any duration, likewise.
const SPAN: Kind = Kind::Span(Duration::ZERO, Duration::MAX);

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, example: None }
}

const fn required(name: &'static str, kind: Kind, example: &'static str) -> Key {
    Key { name, kind, example: Some(example) }
}

const fn ms(span: u64) -> Duration {
    Duration::from_millis(span)
}

const fn s(span: u64) -> Duration {
    Duration::from_secs(span)
}
