use std::fs;

use super::*;

/// Exit code, stdout and stderr of a check of one file with this text.
fn checked(text: &str, json: bool) -> (u8, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    fs::write(&path, text).unwrap();
    let (code, out, err) = of_paths(vec![path], json);
    let folder = format!("{}/", folder.path().display());
    (code, out.replace(&folder, ""), err)
}

fn of_paths(paths: Vec<PathBuf>, json: bool) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = print(&CheckArgs { paths, offline: true, json }, &mut out, &mut err).unwrap();
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn mistakes_are_printed_as_file_line_column_key_problem_remedy_and_give_78() {
    let (code, out, err) = checked("[gateway]\nid = 7\n", false);
    assert_eq!(code, 78);
    let expected =
        "gateway.toml:2:6: gateway.id: is the whole number 7, not text; put it in quotes: \"7\"\n";
    assert_eq!(out, expected);
    assert_eq!(err, "1 mistake\n");
}

#[test]
fn a_right_configuration_is_summed_up_in_one_line_and_gives_0() {
    let (code, out, err) = checked("[gateway]\nid = \"gw-1\"\n", false);
    assert_eq!(code, 0);
    let expected = "gateway.toml: config ok: 0 devices, 0 tags, 0 buses, 0 detectors, 0 uplinks\n";
    assert_eq!((out.as_str(), err.as_str()), (expected, ""));
}

#[test]
fn json_is_an_array_with_one_object_per_mistake_and_empty_without() {
    let (code, out, _) = checked("[gateway]\nid = 7\nsight = 1\n", true);
    let list: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    assert_eq!((code, list.len()), (78, 2));
    let first = &list[0];
    assert_eq!((first["line"].as_u64(), first["column"].as_u64()), (Some(2), Some(6)));
    assert_eq!(first["key"], "gateway.id");
    assert!(["file", "problem", "remedy"].iter().all(|key| first[key].is_string()));
    assert_eq!(checked("[gateway]\nid = \"gw-1\"\n", true).1.trim(), "[]");
}

#[test]
fn a_path_that_cannot_be_read_gives_74_and_does_not_hide_the_others() {
    let nowhere = PathBuf::from("/nowhere/gateway.toml");
    let (code, out, err) = of_paths(vec![nowhere.clone()], false);
    assert_eq!((code, out.as_str()), (74, ""));
    assert!(err.starts_with("/nowhere/gateway.toml: cannot be read"), "{err}");

    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("gateway.toml");
    fs::write(&wrong, "[gateway]\n").unwrap();
    let (code, out, _) = of_paths(vec![nowhere, wrong], false);
    assert_eq!(code, 78);
    assert!(out.contains("gateway.id: [gateway] needs `id`"), "{out}");
}
