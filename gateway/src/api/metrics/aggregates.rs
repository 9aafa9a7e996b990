//! Figures of windows.

use std::sync::PoisonError;

use super::Figures;
use crate::view::View;

pub(super) fn put(view: &View, out: &mut String) {
    let vitals = view.aggregates.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let behind = view.journal.durable().since(vitals.position);
    let one = [
        (
            "fieldgate_aggregate_windows_total",
            "counter",
            "Windows told since the start.",
            vitals.windows,
        ),
        (
            "fieldgate_aggregate_behind_records",
            "gauge",
            "Records of the journal that are in no window yet.",
            behind,
        ),
    ];
    for (name, kind, help, value) in one {
        Figures::of(out, name, kind, help).put(&[], value);
    }
    let help = "Rows that came after a window they belong to had closed.";
    let mut figures = Figures::of(out, "fieldgate_aggregate_late_rows_total", "counter", help);
    for ((table, shape), rows) in &vitals.late_rows {
        figures.put(&[("table", table), ("window", &shape.label())], rows);
    }
}
