use std::io::Write as _;

use super::{ScoreArgs, run};

/// 200 rows of two signals that wander together, and a third that does not belong.
fn table(delimiter: char, spoilt_row: Option<usize>) -> String {
    let mut text = ["time", "\"flow, m3/h\"", "pressure", "label"].join(&delimiter.to_string());
    text.push('\n');
    for row in 0..200_usize {
        let wander = f64::from(u32::try_from(row * 7919 % 101).unwrap()) / 50.0;
        let pressure =
            if spoilt_row == Some(row) { "x".to_owned() } else { format!("{}", 5.0 - wander) };
        let cells = [
            format!("2026-03-09 10:{:02}:{:02}", row / 60, row % 60),
            format!("{}", 40.0 + wander),
            pressure,
            "no label".to_owned(),
        ];
        text.push_str(&cells.join(&delimiter.to_string()));
        text.push('\n');
    }
    text
}

fn score(content: &str, change: impl FnOnce(&mut ScoreArgs)) -> anyhow::Result<String> {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.csv");
    std::fs::File::create(&input).unwrap().write_all(content.as_bytes()).unwrap();
    let mut args = ScoreArgs {
        input,
        time: "time".to_owned(),
        signals: Vec::new(),
        ignore: vec!["label".to_owned()],
        fit: 100,
        calibrate: 50,
        family: "ewma".to_owned(),
        out: folder.path().join("out.csv"),
    };
    change(&mut args);
    run(&args)?;
    Ok(std::fs::read_to_string(&args.out).unwrap())
}

fn refusal(content: &str, change: impl FnOnce(&mut ScoreArgs)) -> String {
    format!("{:#}", score(content, change).unwrap_err())
}

#[test]
fn one_line_comes_out_per_row_with_the_time_as_it_was_written() {
    for delimiter in [',', ';'] {
        let out = score(&table(delimiter, None), |_| {}).unwrap();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 201, "{delimiter}");
        assert_eq!(lines[0], "ts,score,p,alarm,top1,top2,top3");
        assert_eq!(lines[1], "2026-03-09 10:00:00,,,0,,,");
        assert!(lines[200].contains("\"flow, m3/h\""), "{}", lines[200]);
    }
}

#[test]
fn a_cell_that_is_no_number_is_named_with_file_column_and_row() {
    let message = refusal(&table(';', Some(16)), |_| {});
    for part in ["in.csv", "`pressure`", "row 17", "`x`"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_column_that_is_not_there_is_answered_with_those_that_are() {
    let message = refusal(&table(',', None), |args| args.time = "when".to_owned());
    assert!(message.contains("`when`") && message.contains("pressure"), "{message}");
}

#[test]
fn too_few_rows_and_an_unknown_family_are_refused() {
    let message = refusal(&table(',', None), |args| args.fit = 400);
    assert!(message.contains("200 rows"), "{message}");
    let message = refusal(&table(',', None), |args| args.family = "magic".to_owned());
    assert!(message.contains("ewma"), "{message}");
}
