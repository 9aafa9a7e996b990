//! What a database says about messages and signals outside of their definition.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use can_dbc::{
    AttributeDefinition, AttributeValue, AttributeValueType, Comment, Dbc, ExtendedMultiplex,
    SignalExtendedValueType, ValueDescription,
};

/// Raw identifier of the message, short name of the signal.
pub(super) type SignalKey = (u32, String);

/// Everything gathered from the statements behind the messages.
#[derive(Default)]
pub(super) struct About {
    pub(super) message_comments: HashMap<u32, String>,
    pub(super) cycles: HashMap<u32, Duration>,
    pub(super) signal_comments: HashMap<SignalKey, String>,
    pub(super) message_names: HashMap<u32, String>,
    pub(super) signal_names: HashMap<SignalKey, String>,
    frame_formats: HashMap<u32, AttributeValue>,
    frame_format_default: Option<AttributeValue>,
    frame_format_names: Vec<String>,
    protocol_is_j1939: bool,
    pub(super) floats: HashSet<SignalKey>,
    pub(super) labels: HashMap<SignalKey, BTreeMap<i64, String>>,
    pub(super) gates: HashMap<u32, Vec<ExtendedMultiplex>>,
    /// Statement lines of everything that names a signal, for the lint of unknown ones.
    pub(super) mentions: Vec<(u32, &'static str, SignalKey)>,
}

impl About {
    /// Takes in one statement that began at `line`.
    pub(super) fn take(&mut self, line: u32, dbc: Dbc) {
        self.take_formats(&dbc);
        for attribute in dbc.attribute_values_message {
            let id = attribute.message_id.raw();
            match (attribute.name.as_str(), attribute.value) {
                ("VFrameFormat", value) => {
                    self.frame_formats.insert(id, value);
                }
                // The default of the attribute says nothing about a message: many are not cyclic.
                ("GenMsgCycleTime", value) => {
                    if let Some(millis) = whole(&value).filter(|millis| *millis > 0) {
                        self.cycles.insert(id, Duration::from_millis(millis));
                    }
                }
                ("SystemMessageLongSymbol", AttributeValue::String(name)) if !name.is_empty() => {
                    self.message_names.insert(id, name);
                }
                _ => {}
            }
        }
        for attribute in dbc.attribute_values_signal {
            if let ("SystemSignalLongSymbol", AttributeValue::String(name)) =
                (attribute.name.as_str(), attribute.value)
                && !name.is_empty()
            {
                self.signal_names.insert((attribute.message_id.raw(), attribute.signal_name), name);
            }
        }
        dbc.comments.into_iter().for_each(|comment| self.take_comment(comment));
        for values in dbc.value_descriptions {
            let ValueDescription::Signal { message_id, name, value_descriptions } = values else {
                continue;
            };
            let key = (message_id.raw(), name);
            self.mentions.push((line, "VAL_", key.clone()));
            let labels = value_descriptions.into_iter().map(|v| (v.id, v.description));
            self.labels.entry(key).or_default().extend(labels);
        }
        for kind in dbc.signal_extended_value_type_list {
            let key = (kind.message_id.raw(), kind.signal_name);
            self.mentions.push((line, "SIG_VALTYPE_", key.clone()));
            if kind.signal_extended_value_type != SignalExtendedValueType::SignedOrUnsignedInteger {
                self.floats.insert(key);
            }
        }
        for extended in dbc.extended_multiplex {
            let key = (extended.message_id.raw(), extended.signal_name.clone());
            self.mentions.push((line, "SG_MUL_VAL_", key));
            self.gates.entry(extended.message_id.raw()).or_default().push(extended);
        }
    }

    /// Whether a 29-bit identifier is that of a J1939 parameter group, by the message's
    /// `VFrameFormat` or the file's `ProtocolType`.
    pub(super) fn is_j1939(&self, id: u32) -> bool {
        let format = self.frame_formats.get(&id).or(self.frame_format_default.as_ref());
        let name = match format {
            Some(AttributeValue::String(name)) => Some(name.as_str()),
            Some(AttributeValue::Uint(at)) => usize::try_from(*at)
                .ok()
                .and_then(|at| self.frame_format_names.get(at))
                .map(String::as_str),
            Some(AttributeValue::Int(_) | AttributeValue::Double(_)) | None => None,
        };
        self.protocol_is_j1939 || name == Some("J1939PG")
    }

    fn take_formats(&mut self, dbc: &Dbc) {
        for definition in &dbc.attribute_definitions {
            if let AttributeDefinition::Message(name, AttributeValueType::Enum(names)) = definition
                && name == "VFrameFormat"
            {
                self.frame_format_names.clone_from(names);
            }
        }
        let is_protocol = |name: &str| name == "ProtocolType";
        for default in &dbc.attribute_defaults {
            if default.name == "VFrameFormat" {
                self.frame_format_default = Some(default.value.clone());
            } else if is_protocol(&default.name) && is_text(&default.value, "J1939") {
                self.protocol_is_j1939 = true;
            }
        }
        for attribute in dbc.attribute_values_database.iter().filter(|a| is_protocol(&a.name)) {
            self.protocol_is_j1939 = is_text(&attribute.value, "J1939");
        }
    }

    fn take_comment(&mut self, comment: Comment) {
        match comment {
            Comment::Message { id, comment } => {
                self.message_comments.insert(id.raw(), comment);
            }
            Comment::Signal { message_id, name, comment } => {
                self.signal_comments.insert((message_id.raw(), name), comment);
            }
            Comment::Node { .. } | Comment::EnvVar { .. } | Comment::Plain { .. } => {}
        }
    }
}

fn whole(value: &AttributeValue) -> Option<u64> {
    match value {
        AttributeValue::Uint(value) => Some(*value),
        AttributeValue::Int(value) => u64::try_from(*value).ok(),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates, and a cycle of a fraction of a millisecond is none"
        )]
        AttributeValue::Double(value) => Some(*value as u64),
        AttributeValue::String(_) => None,
    }
}

fn is_text(value: &AttributeValue, wanted: &str) -> bool {
    matches!(value, AttributeValue::String(text) if text.eq_ignore_ascii_case(wanted))
}
