//! Logs that python-can wrote, read by `fieldgate can dump` as python-can reads them itself.

use std::fs;

use crate::harness::programs::{answer, python};
use crate::harness::{case, fieldgate, text};

/// Both sides add a start to an offset; python-can does it in floating point.
const TIME_TOLERANCE_US: i64 = 1;

/// Time in microseconds, and the rest with error frames made alike.
fn parts(line: &str) -> (i64, String) {
    let (time, rest) = line.trim_start_matches('(').split_once(") ").unwrap_or((line, ""));
    let micros = time.replace('.', "").parse().unwrap_or_else(|_| panic!("{line}"));
    let (channel, frame) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_error = frame.starts_with('2') && frame.split('#').next().is_some_and(|i| i.len() == 8);
    let frame = if is_error { "error" } else { frame };
    (micros, format!("{channel} {frame}"))
}

#[test]
fn logs_of_every_format_that_python_can_writes_are_read_as_it_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let log = case("can/logs/truck-idle-j1939-gps.first3000.log");
    let told = answer(python("can_logs.py").args([text(&log), text(folder.path())]));
    let told = told.as_array().unwrap();
    assert_eq!(told.len(), 12, "{told:#?}");
    for file in told {
        let path = file["file"].as_str().unwrap();
        let expected = fs::read_to_string(file["expected"].as_str().unwrap()).unwrap();
        let ran = fieldgate(&["can", "dump", path]);
        assert!(ran.status.success(), "{path}: {}", String::from_utf8_lossy(&ran.stderr));
        let read = String::from_utf8(ran.stdout).unwrap();
        let (own, other): (Vec<&str>, Vec<&str>) =
            (read.lines().collect(), expected.lines().collect());
        for (own, other) in own.iter().zip(&other) {
            let ((own_us, own_rest), (other_us, other_rest)) = (parts(own), parts(other));
            assert_eq!(own_rest, other_rest, "{path}: {own}\n{other}");
            assert!((own_us - other_us).abs() <= TIME_TOLERANCE_US, "{path}: {own}\n{other}");
        }
        assert_eq!(own.len(), other.len(), "{path}");
        assert!(own.len() >= 3_000, "{path}: {} frames", own.len());
        println!("{path}: {} frames", own.len());
    }
}
