//! Figures of the upload.

use super::Figures;
use crate::view::View;

/// All of them; none where nothing is uploaded.
pub(super) fn put(view: &View, out: &mut String) {
    let Some(upload) = &view.upload else { return };
    let counts = upload.counts();
    let totals = [
        ("fieldgate_upload_files_total", "Files uploaded and verified.", counts.files),
        ("fieldgate_upload_bytes_total", "Bytes sent for them.", counts.bytes),
        (
            "fieldgate_upload_resumed_bytes_total",
            "Bytes that were there already and were not sent again.",
            counts.resumed_bytes,
        ),
        (
            "fieldgate_upload_replaced_total",
            "Objects removed because a larger file has replaced them.",
            counts.replaced,
        ),
        ("fieldgate_upload_failures_total", "Attempts that failed.", counts.failures),
        (
            "fieldgate_upload_evicted_before_total",
            "Files given up to keep the budget before they were uploaded.",
            counts.evicted_before,
        ),
    ];
    for (name, help, value) in totals {
        Figures::of(out, name, "counter", help).put(&[], value);
    }
    let now = [
        ("fieldgate_upload_waiting_files", "Files that wait.", counts.waiting_files),
        ("fieldgate_upload_waiting_bytes", "Their bytes.", counts.waiting_bytes),
    ];
    for (name, help, value) in now {
        Figures::of(out, name, "gauge", help).put(&[], value);
    }
    if let Some(micros) = counts.last_success_us {
        let help = "When a file was last verified, Unix time.";
        let name = "fieldgate_upload_last_success_seconds";
        Figures::of(out, name, "gauge", help).put(&[], micros / 1_000_000);
    }
}
