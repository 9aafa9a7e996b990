use std::fs;

use pipelines_flow::lake::LakeFile;

use super::*;

const DBC: &str = "VERSION \"\"\nBU_: A\nBO_ 256 Pump: 2 A\n SG_ Speed : 0|16@1+ (1,0) [0|0] \"rpm\" A\n";
/// 2026-10-25T23:59:59Z.
const LAST_SECOND: i64 = 1_793_059_199;

/// Decodes log lines of frame 0x100 at these seconds after the last second of the day.
fn decoded(folder: &Path, seconds: std::ops::Range<i64>) -> Vec<LakeFile> {
    let (dbc, log, out) = (folder.join("a.dbc"), folder.join("a.log"), folder.join("out"));
    fs::write(&dbc, DBC).unwrap();
    let line = |second: i64| format!("({}.000000) can0 100#0100\n", LAST_SECOND + second);
    fs::write(&log, seconds.map(line).collect::<String>()).unwrap();
    let dbc = vec![dbc];
    decode(&DecodeArgs { dbc, log, out: out.clone(), matching: Match::Auto, json: false }).unwrap();
    lake::files(&RealDisk, &out, "can0_pump").unwrap()
}

#[test]
fn a_log_over_midnight_gives_a_file_per_date() {
    let folder = tempfile::tempdir().unwrap();
    let files = decoded(folder.path(), 0..5);
    let about: Vec<_> =
        files.iter().map(|file| (file.date.as_str(), file.first.micros())).collect();
    let micros = LAST_SECOND * 1_000_000;
    assert_eq!(about, [("2026-10-25", micros), ("2026-10-26", micros + 1_000_000)]);
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let err = is_free(folder.path()).unwrap_err().to_string();
    assert!(err.contains("not empty; give a new"), "{err}");
    assert!(is_free(&folder.path().join("new")).is_ok());
}

#[test]
fn a_table_with_very_many_rows_becomes_several_files_of_different_names() {
    let folder = tempfile::tempdir().unwrap();
    let rows = i64::try_from(FILE_ROWS).unwrap() * 2 + 10;
    // Fractions of a second, so that all is one day.
    let (dbc, log, out) =
        (folder.path().join("a.dbc"), folder.path().join("a.log"), folder.path().join("out"));
    fs::write(&dbc, DBC).unwrap();
    let line = |n: i64| format!("({}.{:06}) can0 100#0100\n", LAST_SECOND, n);
    fs::write(&log, (0..rows).map(line).collect::<String>()).unwrap();
    let mut files = Files::new(&out);
    for batch in LogDecode::open(&[dbc], &log, Matching::Auto).unwrap() {
        files.add(&batch.unwrap()).unwrap();
    }
    files.finish().unwrap();
    let found = lake::files(&RealDisk, &out, "can0_pump").unwrap();
    assert!(found.len() >= 2, "{found:?}");
    assert_eq!(files.count, found.len() as u64, "names differ");
    assert_eq!(files.tables["can0_pump"], rows.unsigned_abs());
}
