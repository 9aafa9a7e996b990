//! The catalog as the page gets it, and the words for reason codes.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use signals::Reason;

use super::Shared;

/// Every signal with its number.
pub(super) async fn show(State(view): State<Shared>) -> Json<Value> {
    let rows: Vec<Value> = view
        .catalog
        .entries()
        .iter()
        .enumerate()
        .map(|(id, entry)| {
            let signal = entry.signal();
            json!({
                "id": id,
                "path": entry.path(),
                "table": entry.table.name(),
                "column": signal.column,
                "device": entry.table.device(),
                "kind": signal.kind,
                "unit": signal.unit,
                "description": signal.description,
                "low": signal.range.map(|range| range.low),
                "high": signal.range.map(|range| range.high),
                "labels": signal.labels,
                "source": signal.source,
                "sa": entry.sender,
                "current": entry.is_current,
            })
        })
        .collect();
    Json(json!({ "signals": rows }))
}

/// Reason codes and their words.
pub(super) async fn reasons() -> Json<Value> {
    let words: BTreeMap<String, String> = (0..=0x02FF)
        .filter_map(|code| Some((code.to_string(), Reason::from_code(code)?.to_string())))
        .collect();
    Json(json!({ "reasons": words }))
}
