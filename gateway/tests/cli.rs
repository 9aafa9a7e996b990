//! The command line as a script sees it: stdout, stderr, exit codes.

use std::process::{Command, Output};

fn fieldgate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fieldgate")).args(args).output().expect("the binary starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_version_is_a_result_and_goes_to_stdout() {
    let output = fieldgate(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output).trim(), concat!("fieldgate ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_names_every_command() {
    let output = fieldgate(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    for command in ["run", "check", "query", "can", "score", "write", "token", "audit"] {
        assert!(stdout(&output).contains(&format!("\n  {command} ")), "{command}");
    }
}

#[test]
fn a_wrong_command_line_is_told_on_stderr_with_64() {
    for args in [&["walk"][..], &["run"], &["run", "--demo", "--config", "x"], &[]] {
        let output = fieldgate(args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(!stderr(&output).is_empty() && stdout(&output).is_empty(), "{args:?}");
    }
}

#[test]
fn a_wrong_configuration_does_not_start_and_ends_with_78() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, "[gateway]\nid = \"gw\"\nsitte = \"plant\"\n").expect("written");
    let path = path.to_string_lossy();
    let checked = fieldgate(&["check", &path]);
    assert_eq!(checked.status.code(), Some(78));
    assert!(stdout(&checked).contains("gateway.toml:3:1: gateway.sitte"), "{}", stdout(&checked));
    let data = folder.path().join("data");
    let started = fieldgate(&["run", "--config", &path, "--data", &data.to_string_lossy()]);
    assert_eq!(started.status.code(), Some(78));
    assert!(stderr(&started).contains("did you mean"), "{}", stderr(&started));
    assert!(!data.try_exists().expect("readable"), "nothing was made");
}

#[test]
fn a_missing_folder_is_an_error_that_names_it() {
    let output = fieldgate(&["query", "SELECT 1", "--data", "/no/such/folder"]);
    assert_ne!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("/no/such/folder"), "{}", stderr(&output));
}
