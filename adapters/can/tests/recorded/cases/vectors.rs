//! Single frames against vectors, bit for bit.

use std::collections::HashMap;
use std::path::Path;

use adapters_can::bits::Payload;
use adapters_can::frame::Frame;
use adapters_can::plan::{DecodePlan, Matching, MessagePlan, Raw, Reading, SignalPlan};
use serde_json::Value;

use super::{beside, database, files, text_of};

#[test]
fn every_vector_decodes_to_the_same_raw_integers_bits_and_labels() {
    let (mut frames, mut values, mut wrong) = (0, 0, Vec::new());
    for path in files("vectors", ".vectors.jsonl.gz") {
        check_file(&path, &mut frames, &mut values, &mut wrong);
    }
    println!("{frames} frames, {values} values");
    assert!(
        wrong.is_empty(),
        "{} wrong, first:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(25)].join("\n")
    );
    assert!(frames >= 16_000 && values >= 92_000, "{frames} frames, {values} values");
}

fn check_file(path: &Path, frames: &mut u64, values: &mut u64, wrong: &mut Vec<String>) {
    let text = text_of(path);
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let header = lines.next().unwrap();
    let name = header["dbc"].as_str().unwrap().to_owned();
    let loaded = database(&beside(path, "dbc", &name));
    let plan = DecodePlan::new(&[loaded], Matching::Exact, |_, _| true);
    let excluded: Vec<&str> =
        header["excluded"].as_array().unwrap().iter().filter_map(|e| e[0].as_str()).collect();
    let mut skipped = HashMap::new();
    for line in lines {
        let key = (line["id"].as_str().unwrap().to_owned(), line["ext"].as_bool().unwrap());
        if line["t"] == "msg" {
            let message = line["name"].as_str().unwrap();
            skipped.insert(key, excluded.contains(&message));
            continue;
        }
        if skipped[&key] {
            continue;
        }
        *frames += 1;
        let got = decoded(&plan, &key, line["data"].as_str().unwrap());
        let expected: HashMap<String, Expected> = line["sig"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(signal, v)| (signal.clone(), expected_of(v)))
            .collect();
        *values += expected.len() as u64;
        for (signal, want) in &expected {
            if !got.get(signal).is_some_and(|got| got.is(want)) {
                wrong.push(format!(
                    "{name} {key:?} {} {signal}: {want:?} but {:?}",
                    line["k"],
                    got.get(signal)
                ));
            }
        }
        for signal in got.keys().filter(|s| !expected.contains_key(*s)) {
            wrong.push(format!("{name} {key:?} {} {signal}: must be absent", line["k"]));
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Expected {
    raw: String,
    physical: String,
    label: Option<String>,
}

impl Expected {
    /// The oracle reads UTF-8 as Windows-1252, so of its labels only the ASCII part counts.
    fn is(&self, want: &Self) -> bool {
        let ascii = |label: &Option<String>| {
            label.as_ref().map(|l| l.chars().filter(char::is_ascii).collect::<String>())
        };
        self.raw == want.raw
            && self.physical == want.physical
            && ascii(&self.label) == ascii(&want.label)
    }
}

fn expected_of(value: &Value) -> Expected {
    Expected {
        raw: value[0].as_str().unwrap().to_owned(),
        physical: value[1].as_str().unwrap().to_owned(),
        label: value[2].as_str().map(str::to_owned),
    }
}

/// All present signals of a frame, by name.
fn decoded(plan: &DecodePlan, key: &(String, bool), hex: &str) -> HashMap<String, Expected> {
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect();
    let id = u32::from_str_radix(&key.0, 16).unwrap();
    let frame = Frame { id, extended: key.1, ..Frame::default() };
    let message = &plan.messages()[plan.find(&frame).expect("the message is in the plan")];
    let mut payload = Payload::new();
    payload.load(&bytes);
    let mut chosen = Vec::new();
    message.choose(&payload, &mut chosen);
    present(message, &payload, &chosen)
}

fn present(
    message: &MessagePlan,
    payload: &Payload,
    chosen: &[Option<u64>],
) -> HashMap<String, Expected> {
    let mut found = HashMap::new();
    for signal in &message.signals {
        if let Reading::Raw(raw) = signal.read(payload, chosen) {
            found.insert(signal.def.name.clone(), shown(signal, raw, payload));
        }
    }
    found
}

fn shown(signal: &SignalPlan, raw: Raw, payload: &Payload) -> Expected {
    let physical = signal.physical(raw);
    let bits = |value: f64| {
        if value.is_nan() { "nan".to_owned() } else { format!("0x{:016x}", value.to_bits()) }
    };
    let (raw_text, physical) = match raw {
        Raw::Unsigned(raw) => (raw.to_string(), bits(physical)),
        Raw::Signed(raw) => (raw.to_string(), bits(physical)),
        Raw::Float32(raw) => (format!("0x{raw:x}"), bits(physical)),
        Raw::Float64(raw) => (format!("0x{raw:x}"), bits(physical)),
        Raw::Wide => {
            let mut bytes = Vec::new();
            signal.def.field.bytes(payload, &mut bytes);
            if !signal.def.field.is_big_endian() {
                bytes.reverse();
            }
            let decimal = decimal(&bytes);
            let value: f64 = decimal.parse().unwrap();
            (decimal, bits(value * signal.def.factor + signal.def.offset))
        }
    };
    Expected { raw: raw_text, physical, label: signal.label(raw).map(str::to_owned) }
}

/// The decimal digits of a number given by its bytes, most significant first.
fn decimal(bytes: &[u8]) -> String {
    let mut digits = vec![0_u8];
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            let value = u32::from(*digit) * 256 + carry;
            *digit = (value % 10) as u8;
            carry = value / 10;
        }
        while carry > 0 {
            digits.push((carry % 10) as u8);
            carry /= 10;
        }
    }
    digits.iter().rev().map(|d| char::from(b'0' + d)).collect()
}
