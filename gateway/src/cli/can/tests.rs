use std::fs;

use pipelines_flow::lake::LakeFile;

use super::*;

const DBC: &str =
    "VERSION \"\"\nBU_: A\nBO_ 256 Pump: 2 A\n SG_ Speed : 0|16@1+ (1,0) [0|0] \"rpm\" A\n";
/// 2026-10-26T23:59:59Z.
const LAST_SECOND: i64 = 1_793_059_199;

/// A database and a log of frame 0x100 at these times (seconds, microseconds).
fn recorded(folder: &Path, times: impl Iterator<Item = (i64, i64)>) -> DecodeArgs {
    let (dbc, log, out) = (folder.join("a.dbc"), folder.join("a.log"), folder.join("out"));
    fs::write(&dbc, DBC).unwrap();
    let lines = times.map(|(second, micros)| format!("({second}.{micros:06}) can0 100#0100\n"));
    fs::write(&log, lines.collect::<String>()).unwrap();
    DecodeArgs { dbc: vec![dbc], log, out, matching: Match::Auto, json: false }
}

fn found(out: &Path) -> Vec<LakeFile> {
    lake::files(&RealDisk, out, "can0_pump").unwrap()
}

#[test]
fn a_log_over_midnight_gives_a_file_per_date() {
    let folder = tempfile::tempdir().unwrap();
    let args = recorded(folder.path(), (0..5).map(|second| (LAST_SECOND + second, 0)));
    decode(&args).unwrap();
    let files = found(&args.out);
    let about: Vec<_> =
        files.iter().map(|file| (file.date.as_str(), file.first.micros())).collect();
    let micros = LAST_SECOND * 1_000_000;
    assert_eq!(about, [("2026-10-26", micros), ("2026-10-27", micros + 1_000_000)]);
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
    let args = recorded(folder.path(), (0..20_000).map(|micros| (LAST_SECOND, micros)));
    let mut files = Files::new(&args.out);
    files.file_rows = 1_000;
    for batch in LogDecode::open(&args.dbc, &args.log, Matching::Auto).unwrap() {
        files.add(&batch.unwrap()).unwrap();
    }
    files.finish().unwrap();
    let found = found(&args.out);
    assert!(found.len() > 1, "{found:?}");
    assert_eq!(files.count, found.len() as u64, "names differ");
    assert_eq!(files.tables["can0_pump"], 20_000);
}

/// Frames of an interface on which nothing more comes.
struct Quiet(Vec<Frame>);

impl FrameSource for Quiet {
    fn next(&mut self, frame: &mut Frame) -> io::Result<bool> {
        match self.0.pop() {
            Some(next) => *frame = next,
            None => return Err(io::Error::other("it would wait for ever")),
        }
        Ok(true)
    }

    fn channels(&self) -> &[String] {
        &[]
    }

    fn may_wait(&self) -> bool {
        true
    }
}

#[test]
fn what_an_interface_has_given_is_shown_before_the_next_frame_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shown");
    let mut out = io::BufWriter::new(fs::File::create(&path).unwrap());
    let args = dump::DumpArgs {
        log: "can0".into(),
        dbc: Vec::new(),
        matching: Match::Auto,
        pick: Pick { channel: None, id: Vec::new() },
        limit: None,
        span: input::Span { seconds: None },
    };
    let plan = DecodePlan::new(&[], Matching::Auto, |_, _| true);
    let mut quiet = Quiet(vec![Frame { id: 0x123, len: 1, ..Frame::default() }]);
    assert!(dump::print(&args, &plan, (&mut quiet, &mut out)).is_err());
    let shown = fs::read_to_string(&path).unwrap();
    assert_eq!(shown, "(0.000000)  123#00\n");
}

#[test]
fn a_name_that_is_neither_a_log_nor_an_interface_is_told_so() {
    let open = |name: &str, seconds| input::Input::open(Path::new(name), input::Span { seconds });
    let told = |opened: anyhow::Result<input::Input>| format!("{:#}", opened.err().unwrap());
    assert!(told(open("nocan0", None)).contains("no such interface"));
    assert!(told(open("logs/no.log", None)).contains("neither a log nor"));
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("a.log");
    fs::write(&log, "").unwrap();
    assert!(told(open(log.to_str().unwrap(), Some(1.0))).contains("read to its end"));
}
